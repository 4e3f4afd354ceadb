"""The disk alone: appends of the size of an event, each with its own fsync."""

import os
import time
from pathlib import Path

SIZE, TIMES = 600, 2000


def fsyncs(directory: Path) -> list[float]:
    """The seconds of each append with fsync, sorted."""
    path, data, found = directory / "fsync", os.urandom(SIZE), []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(TIMES):
            began = time.perf_counter()
            os.write(file, data)
            os.fsync(file)
            found.append(time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
    return sorted(found)

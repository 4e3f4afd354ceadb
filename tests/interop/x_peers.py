"""The client of mautrix-twitter, in Go.

It is AGPL-3.0 and no part of this repository, and the module proxy does not have it: `MAUTRIX_TWITTER_SOURCE`
names a copy of https://github.com/mautrix/twitter (v26.08 works). Two modules that the proxy does not have
either are replaced by stand-ins in `mautrix/`.
"""

import os
import shutil
from pathlib import Path

import pytest

from . import peers

SOURCE = "MAUTRIX_TWITTER_SOURCE"
DRIVER = peers.HERE / "mautrix"


def mautrix() -> str:
    """The program. Skips the test where there is no source, or no Go."""
    source = os.environ.get(SOURCE)
    if not source:
        pytest.skip(f"{SOURCE} is not set: there is no copy of mautrix-twitter")
    go = peers.go()
    files = sorted(path for path in DRIVER.rglob("*") if path.suffix in (".go", ".mod"))
    with peers.built("go-mautrix", *files, Path(source) / "go.sum") as directory:
        if not (directory / "program").exists():
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(DRIVER, directory)
            shutil.copy(Path(source) / "go.sum", directory)
            replace = f"go.mau.fi/mautrix-twitter={source}"
            peers.run(go, "mod", "edit", "-replace", replace, cwd=directory)
            peers.run(go, "build", "-mod=mod", "-o", "program", ".", cwd=directory)
    return str(directory / "program")

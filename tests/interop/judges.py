"""Judges: peers that answer one JSON request a line on stdin by one JSON answer a line on stdout."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any, TypeVar

from tests.interop import peers


class Judge:
    """The peer, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The answer to one request. Bytes are written in hexadecimal."""
        request = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


J = TypeVar("J", bound=Judge)


@contextlib.contextmanager
def running(kind: type[J], *command: str) -> Iterator[J]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peers.environment()
    ) as process:
        yield kind(process)
        process.kill()

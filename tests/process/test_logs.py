"""Logs are lines of the gateway, whatever the texts in them say."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.test_texts import HOSTILE
from unifyport.api.http.dispatch import _log_request
from unifyport.api.http.doors import Door
from unifyport.api.http.messages import Request
from unifyport.model.texts import visible
from unifyport.process.logs import set_up_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(to: io.StringIO, text: str) -> str:
    before, sys.stderr = sys.stderr, to
    try:
        set_up_logs()
        logging.getLogger("unifyport.tests").info("said: %s", text, extra={"name_of": text})
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("unifyport.tests").exception("failed")
    finally:
        sys.stderr = before
    return to.getvalue()


@given(HOSTILE)
def test_a_record_is_one_line_of_ascii(text: str) -> None:
    lines = logged(io.StringIO(), text).splitlines()
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert json.loads(lines[0])["name_of"] == json.loads(json.dumps(text))


@given(st.sampled_from(["\x1b]0;evil\x07", "\x9b2J", "\u202egnp.exe", "a\r\nb", "\u2028", "\x00"]) | HOSTILE)
def test_nothing_controls_a_terminal_that_shows_the_log(text: str) -> None:
    shown = logged(Terminal(), text)
    plain = "".join(part.partition("m")[2] for part in f"\x1b[m{shown}".split("\x1b[")[1:])  # our colours
    assert all(visible(line, keep="\t") == line for line in plain.split("\n"))


def test_a_request_is_logged_whatever_its_path_parameters_are_called() -> None:
    record = logging.LogRecord("", 0, "", 0, "", (), None)
    names = [*vars(record), "message", "asctime", "event", "level", "logger", "timestamp", "account_id"]
    before, written = sys.stderr, io.StringIO()
    sys.stderr = written
    try:
        set_up_logs()
        request = Request("GET", "/", Door(frozenset()))
        _log_request(request, 200, 0.1, {name: f"of the path: {name}" for name in names})
        [line] = written.getvalue().splitlines()
    finally:
        sys.stderr = before
    fields = json.loads(line)
    assert (fields["event"], fields["logger"], fields["level"]) == ("request", "unifyport.api", "info")
    assert fields["account_id"] == "of the path: account_id"
    assert all(fields[f"{name}_"] == f"of the path: {name}" for name in names[:-1])

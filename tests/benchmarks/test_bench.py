"""A run of the benchmarks: whose turn it is, and what happens when a subject fails."""

import os
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from scripts.benchmarks.__main__ import main
from scripts.benchmarks.bench import Bench, Options
from scripts.benchmarks.install import Missing
from scripts.benchmarks.names import ERLANG, FASTAPI, NODE, OURS, SATORI
from scripts.benchmarks.peers import PEERS
from scripts.benchmarks.process import PeerFailed
from scripts.benchmarks.results import Results, Skipped
from scripts.benchmarks.rig import Rig
from scripts.benchmarks.suites import supervision


def bench(**options: frozenset[str]) -> Bench:
    return Bench(cast(Rig, None), Options(**options), Results(), lambda _: None)  # type: ignore[arg-type]


def test_subjects_take_turns_in_both_orders() -> None:
    found = bench()
    names = [OURS, SATORI, NODE, FASTAPI]
    assert [peer.name for peer in found.turns(PEERS)] == names
    found.round = 1
    assert [peer.name for peer in found.turns(PEERS)] == names[::-1]


def test_ours_is_always_wanted() -> None:
    assert [peer.name for peer in bench(peers=frozenset({NODE})).turns(PEERS)] == [OURS, NODE]


def test_a_peer_that_fails_is_skipped_with_its_reason_once() -> None:
    found = bench()
    for found.round in range(2):
        with found.subject("sends", SATORI):
            raise PeerFailed("it ended with 1")
    assert found.results.skipped == [Skipped("sends", SATORI, "it ended with 1")]
    assert not found.failed


@pytest.mark.parametrize(
    ("why", "failed"),
    [(PeerFailed("out of order"), True), (OSError("refused"), True), (Missing("no nginx"), False)],
)
def test_a_failure_of_ours_fails_the_run_and_a_missing_program_does_not(why: Exception, failed: bool) -> None:
    found = bench()
    with found.subject("ingress", OURS):
        raise why
    assert found.failed is failed
    assert [each.reason for each in found.results.skipped] == [str(why)]


def test_a_mistake_of_a_suite_is_not_swallowed() -> None:
    with pytest.raises(KeyError), bench().subject("ingress", OURS):
        raise KeyError("a mistake")


def test_a_peer_that_does_not_compile_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails, where Erlang's would be."""
    for name in ("erl", "erlc"):
        (tmp_path / name).write_text("#!/bin/sh\necho no such header >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found, build = bench(), tmp_path / "build"
    build.mkdir()
    with found.subject("supervision", ERLANG):
        supervision._erlang(build)("restarts")
    assert found.results.skipped == [Skipped("supervision", ERLANG, "no such header")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--callers", "1,many"], "must be numbers"),
        (["--callers", ""], "must be numbers"),
        (["--callers", "16,0"], "each must be 1 to"),
        (["--callers", "1000000"], "each must be 1 to"),
        (["--rounds", "0"], "Invalid value for '--rounds'"),
        (["--scale", "0"], "Invalid value for '--scale'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: list[str], words: str) -> None:
    refused = CliRunner().invoke(main, options)
    assert refused.exit_code == 2
    assert words in refused.output

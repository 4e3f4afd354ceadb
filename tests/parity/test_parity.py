"""Every connection shows every behaviour, or says why its platform cannot; and what its `quality.toml` says
is true. `scripts/quality` writes README's matrix from both.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.parity import table
from tests.parity.table import CELLS, ROOT, Connection, behaviours, connections

CONNECTIONS = {connection.name: connection for connection in connections()}
README = ROOT / "README.md"


@pytest.fixture(params=CONNECTIONS)
def connection(request: pytest.FixtureRequest) -> Connection:
    return CONNECTIONS[request.param]


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The node ids that pytest collects in the files that are referred to, with and without parameters."""
    named = {test for connection in CONNECTIONS.values() for test in table.referenced_tests(connection)}
    return collect(sorted({test.partition("::")[0] for test in named}))


def collect(files: list[str]) -> set[str]:
    there = [file for file in files if (ROOT / file).is_file()]
    if not there:
        return set()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *there],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    ids = {line for line in run.stdout.splitlines() if "::" in line}
    return ids | {each.partition("[")[0] for each in ids}


def test_every_behaviour_has_a_cell(connection: Connection) -> None:
    assert not sorted(table.problems_of_cells(connection.cells(), behaviours()))


def test_what_it_says_of_its_quality_is_true(connection: Connection) -> None:
    assert not sorted(table.problems_of_quality(connection))


def test_the_tests_that_it_names_are_there(connection: Connection, collected: set[str]) -> None:
    assert not sorted(table.referenced_tests(connection) - collected)


def test_every_file_of_cells_is_a_connections() -> None:
    assert {path.stem for path in CELLS.glob("*.toml")} == set(CONNECTIONS)


def test_readme_has_the_matrix() -> None:
    readme = README.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_DOCS"):
        README.write_text(table.with_matrix(readme), encoding="utf-8")
        return
    assert readme == table.with_matrix(readme), "scripts/quality writes it again"


# -- these checks can fail -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (None, "has no cell"),
        ({}, "one of"),
        ({"tests": []}, "is empty"),
        ({"todo": ""}, "is empty"),
        ({"exempt": ""}, "is empty"),
        ({"exempt": "a", "todo": "b"}, "one of"),
        ({"tests": ["a.py::b"], "todo": "c"}, "one of"),
        ({"tests": ["a.py::b"], "note": "c"}, "one of"),
        ({"cannot": "no"}, "link"),
        ({"cannot": "no", "link": "http://example.com"}, "link"),
    ],
)
def test_cells_that_say_nothing(cell: dict[str, Any] | None, problem: str) -> None:
    cells = {"connect": {"tests": ["a.py::b"]}} | ({} if cell is None else {"kill": cell})
    [found] = table.problems_of_cells(cells, {"connect": "", "kill": ""})
    assert found.startswith("kill: ")
    assert problem in found
    assert "no such behaviour" in next(table.problems_of_cells({"x": {"todo": "y"}}, {}))


GOOD: dict[str, Any] = {
    "connection": {"name": "a", "in": "b", "out": "c"},
    "interop": {"status": "todo"},
    "parity": {"status": "todo"},
    "kill": {"status": "exempt", "reason": "nothing is acknowledged"},
    "fuzz": {"status": "todo"},
    "docs": {"status": "todo"},
}
DONE = "tests/parity/test_parity.py::test_readme_has_the_matrix"


@attrs.frozen
class Claims(Connection):
    """What `quality.toml` might say."""

    claims: dict[str, Any]

    def quality(self) -> dict[str, Any]:
        return self.claims

    def cells(self) -> dict[str, dict[str, Any]]:
        return {"connect": {"todo": "a test"}}


def claims(**more: Any) -> Iterator[str]:
    [first, *_] = CONNECTIONS.values()
    return table.problems_of_quality(Claims(first.channel, first.spec, first.folder, {**GOOD, **more}))


@pytest.mark.parametrize(
    ("rule", "claim", "problem"),
    [
        ("connection", {}, "connection.name: is missing"),
        ("kill", {"status": "exempt"}, "exempt needs a reason"),
        ("kill", {"status": "soon"}, "must be one of"),
        ("kill", {"status": "done"}, "done needs evidence"),
        ("kill", {"status": "done", "evidence": [DONE]}, "no test of tests/chaos"),
        ("kill", {"status": "done", "evidence": ["tests/chaos/no.py::test"]}, "does not exist"),
        ("interop", {"status": "done", "evidence": [DONE]}, "no test of tests/interop"),
        ("interop", {"status": "done", "evidence": ["tests/interop/peers.py"]}, "is no test"),
        ("fuzz", {"status": "done", "evidence": [DONE]}, "no test of hypothesis"),
        ("docs", {"status": "done", "evidence": ["README.md"]}, "no page of a channel"),
        ("parity", {"status": "done"}, "connect is todo"),
        ("speed", {"status": "done"}, "no such rule"),
    ],
)
def test_claims_without_evidence(rule: str, claim: dict[str, Any], problem: str) -> None:
    found = list(claims(**{rule: claim}))
    assert found
    assert problem in found[0]


def test_claims_with_evidence() -> None:
    fuzz = {"status": "done", "evidence": ["tests/providers/test_telegram_parse.py::test_nothing_raises"]}
    assert not list(claims(fuzz=fuzz))


def test_a_test_that_is_not_there_is_not_collected(tmp_path: Path) -> None:
    found = collect(["tests/parity/test_parity.py", "tests/parity/no_such_file.py"])
    assert DONE in found
    assert "tests/parity/test_parity.py::test_cells_that_say_nothing" in found
    assert "tests/parity/test_parity.py::test_no_such" not in found

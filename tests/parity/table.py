"""The parity table and the quality of each connection, as their files say; and README's matrix of both."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from unifyport.providers.contract.base import Channel, ConnectionSpec, ConnectorIn
from unifyport.providers.registry import standard

ROOT = Path(__file__).parents[2]
CELLS = Path(__file__).with_name("cells")
RULES = ("interop", "parity", "kill", "fuzz", "docs")
_KINDS = {"tests", "cannot", "exempt", "todo"}
_RULE_KEYS = {"status", "evidence", "reason"}
_STATUSES = ("done", "todo", "exempt")
BEGIN = "<!-- connections: written by scripts/quality -->"
END = "<!-- connections: end -->"


@attrs.frozen
class Connection:
    """`folder` is that of its connector, relative to the root."""

    channel: Channel
    spec: ConnectionSpec
    folder: Path

    @property
    def name(self) -> str:
        """`telegram_bot`"""
        return f"{self.channel.name}_{self.folder.name}"

    def quality(self) -> dict[str, Any]:
        return _read(ROOT / self.folder / "quality.toml")

    def cells(self) -> dict[str, dict[str, Any]]:
        return _read(CELLS / f"{self.name}.toml")


def connections() -> list[Connection]:
    """Those of the registry, in its order."""
    found = []
    for channel in standard().channels.values():
        for spec in channel.connections:
            assert isinstance(spec.connector, ConnectorIn)
            folder = Path(*spec.connector.module.split(".")[:-1])
            found.append(Connection(channel, spec, folder))
    return found


def behaviours() -> dict[str, str]:
    """Name -> what must hold, in the order of the file."""
    groups = _read(Path(__file__).with_name("behaviours.toml"))
    return {name: text for group in groups.values() for name, text in group.items()}


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# -- what is wrong with them ---------------------------------------------------------------------------------


def problems_of_cells(cells: Mapping[str, Mapping[str, Any]], known: Mapping[str, str]) -> Iterator[str]:
    """Each behaviour has one cell: `tests`, `cannot` with a `link`, `exempt` with the reason why there is
    nothing to show yet, or `todo` with what is missing.
    """
    for name in known.keys() - cells.keys():
        yield f"{name}: has no cell"
    for name, cell in cells.items():
        if name not in known:
            yield f"{name}: there is no such behaviour"
        if len(cell.keys() & _KINDS) != 1 or cell.keys() - _KINDS - {"link"}:
            yield f"{name}: must have one of tests, cannot, exempt, todo"
        elif "cannot" in cell and not str(cell.get("link", "")).startswith("https://"):
            yield f"{name}: cannot needs the link that says so"
        elif not any(cell.get(kind) for kind in _KINDS):
            yield f"{name}: is empty"


def problems_of_quality(connection: Connection) -> Iterator[str]:
    """Each rule is done with its evidence, exempt with a reason, or todo."""
    quality = connection.quality()
    table = quality.get("connection", {})
    for key in ("name", "in", "out"):
        if not table.get(key):
            yield f"connection.{key}: is missing"
    for rule in RULES:
        found = quality.get(rule, {})
        status = found.get("status")
        if status not in _STATUSES or found.keys() - _RULE_KEYS:
            yield f"{rule}.status: must be one of {', '.join(_STATUSES)}"
        elif status == "exempt" and not found.get("reason"):
            yield f"{rule}: exempt needs a reason"
        elif status == "done":
            yield from (f"{rule}: {problem}" for problem in _lacking(connection, rule, found))
    for name in quality.keys() - {"connection", *RULES}:
        yield f"{name}: there is no such rule"


def _lacking(connection: Connection, rule: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Why a rule is not done. The evidence of `parity` is its cells."""
    if rule == "parity":
        yield from (f"{name} is todo" for name, cell in connection.cells().items() if "todo" in cell)
        return
    evidence = found.get("evidence", [])
    if not evidence:
        yield "done needs evidence"
    for each in evidence:
        file = each.partition("::")[0]
        if not (ROOT / file).is_file():
            yield f"{each} does not exist"
        elif rule == "docs":
            if not file.startswith("docs/channels/"):
                yield f"{each} is no page of a channel"
        elif "::" not in each:
            yield f"{each} is no test"
        elif rule == "interop" and not file.startswith("tests/interop/"):
            yield f"{each} is no test of tests/interop"
        elif rule == "kill" and not file.startswith("tests/chaos/"):
            yield f"{each} is no test of tests/chaos"
        elif rule == "fuzz" and not _is_given(each):
            yield f"{each} is no test of hypothesis"


def _is_given(test: str) -> bool:
    """Whether a test is decorated with `given`."""
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name == name.partition("[")[0]
        and any("given" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.walk(tree)
    )


def referenced_tests(connection: Connection) -> set[str]:
    """The node ids that cells and evidence name."""
    found = {test for cell in connection.cells().values() for test in cell.get("tests", [])}
    for rule in RULES:
        evidence = connection.quality().get(rule, {}).get("evidence", [])
        found |= {each for each in evidence if "::" in each}
    return found


# -- the matrix ----------------------------------------------------------------------------------------------


def matrix() -> str:
    """README's table of connections."""
    lines = [
        "| channel | connection | in | out | window | receipts | " + " | ".join(RULES) + " |",
        "| --- " * (6 + len(RULES)) + "|",
    ]
    lines += [_row(connection) for connection in connections()]
    return "\n".join([BEGIN, *lines, END])


def _row(connection: Connection) -> str:
    quality, spec = connection.quality(), connection.spec
    about = quality["connection"]
    title = about.get("channel", connection.channel.name.title())
    receive = " or ".join({"poll": "poll", "webhook": "webhook"}[each] for each in spec.receive)
    window = f"{spec.window_hours} h" if spec.window_hours else "any time"
    first = "" if spec.can_start_conversation else ", customer first"
    cells = [
        f"[{title}](docs/channels/{connection.channel.name}.md)",
        f"{about['name']} (`auth_mode: {spec.auth_mode}`), {receive}",
        about["in"],
        about["out"],
        window + first,
        ", ".join(spec.receipts) or "none",
        *(_shown(rule, quality[rule], connection) for rule in RULES),
    ]
    return f"| {' | '.join(cells)} |"


def _shown(rule: str, found: Mapping[str, Any], connection: Connection) -> str:
    if rule != "parity":
        return str(found["status"])
    cells = [cell for cell in connection.cells().values() if "exempt" not in cell]
    return f"{sum('todo' not in cell for cell in cells)} of {len(cells)}"


def with_matrix(readme: str) -> str:
    """README's text with the matrix as it is now."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert rest, "README has lost the marks of the matrix"
    return before + matrix() + after

"""`status`: the accounts of a running server with their observed status, or its supervision tree."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.table import Table
from rich.tree import Tree

from .common import Api, NoAnswer, console, errors, fail, json_option, print_shape, server_options
from .terminal import escaped, json_text

WATCH_SECONDS = 2.0
PAGE = 1000  # as the route gives at most
_COLOURS = {
    "running": "green",
    "error": "red",
    "disconnected": "red",
    "reconnecting": "yellow",
    "starting": "yellow",
}


@click.command()
@click.argument("words", default="")
@click.option("--problems", is_flag=True, help="Only accounts with a problem.")
@click.option("--watch", is_flag=True, help="Refresh every two seconds, until interrupted.")
@click.option("--tree", is_flag=True, help="Show the supervision tree instead.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Accounts shown.")
@server_options
@json_option
def status(
    *,
    words: str,
    problems: bool,
    watch: bool,
    tree: bool,
    limit: int,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Show accounts with their observed status, why one is not running, what happens next and what to do;
    problems first.

    WORDS: only accounts with this in their name, id, provider or status.
    """
    api = Api(config_path, url, api_key)
    query, show = {"q": words, "problems": str(problems).lower()}, _print_tree if tree else _print

    def read() -> Any:
        return api.request("GET", "/v1/supervisors") if tree else _read(api, query, limit)

    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(read, show, as_json=as_json)
        return
    try:
        found = read()
    except NoAnswer as lost:
        fail(str(lost))
    if as_json:
        click.echo(json_text(found, indent=2))
    else:
        show(found)


def _watch(read: Callable[[], Any], show: Callable[[Any], None], *, as_json: bool) -> NoReturn:
    """Show what `read` returns, every two seconds; what it could not read is said, and it goes on."""
    while True:
        try:
            found = read()
        except NoAnswer as lost:
            errors.print(f"[yellow]{escaped(str(lost))}[/yellow]")
        else:
            if as_json:
                click.echo(json_text(found, indent=None))
            else:
                click.clear()
                show(found)
        time.sleep(WATCH_SECONDS)


def _read(api: Api, query: dict[str, str], limit: int) -> Any:
    """The status with `limit` accounts, from as many pages as that takes. Raises `NoAnswer`."""
    found: Any = None
    cursor, left = "", limit
    while left:
        page = {**query, "limit": str(min(left, PAGE)), "cursor": cursor}
        answer = api.request("GET", "/v1/status", params=page)
        answer["accounts"] = [*found["accounts"], *answer["accounts"]] if found else answer["accounts"]
        found, cursor = answer, answer["next_cursor"]
        left = limit - len(found["accounts"]) if cursor else 0
    return found


def _print(found: Any) -> None:
    if not found["ready"]:
        console.print(f"[red]not ready: {escaped(found['not_ready'])}[/red]")
    console.print(escaped(_summary(found)))
    for each in found["endpoints"]:
        why = ", ".join(filter(None, (each["reason"], _since(each), _last(each), _breaker(each))))
        name = each["name"] or each["id"]
        console.print(f"[red]webhook endpoint {escaped(name)}: {each['status']} ({escaped(why)})[/red]")
        if "failing_since" in each or each["last_error"]:
            console.print(escaped(f"see what it answers: unifyport webhooks deliveries {each['id']}"))
    if not found["accounts"]:
        return
    table = Table()
    for name in ("account", "provider", "runtime", "since", "auth", "why", "next try", "budget", "id"):
        table.add_column(name, overflow="fold")
    for row in found["accounts"]:
        colour = "red" if row["problem"] else _COLOURS.get(row["runtime_status"], "white")
        table.add_row(
            escaped(row["name"]),
            row["provider"],
            f"[{colour}]{row['runtime_status']}[/{colour}]",
            row["since"],
            row["auth_status"],
            escaped(row["reason"] or row["last_error"]),
            row["next_retry_at"],
            str(row["budget_left"]),
            row["id"],
        )
    print_shape(table)
    for row in found["accounts"]:
        if row["problem"] and row["action"]:
            detail = f" ({row['detail']})" if row["detail"] else ""
            console.print(escaped(f"{row['name']}{detail}: {row['action']}"))
    if (more := found["matching"] - len(found["accounts"])) > 0:
        console.print(f"and {more} more: name some, or use --problems or --limit")


def _summary(found: dict[str, Any]) -> str:
    """`300 accounts: 298 running, 2 disconnected; 2 with problems; 5 webhook endpoints`."""
    counts = found["counts"]
    each = ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=lambda name: -counts[name]))
    unwell = f", {found['endpoint_problems']} of them failing or off" if found["endpoint_problems"] else ""
    problems = f"; {found['problems']} with problems" if found["problems"] else ""
    accounts = f"{sum(counts.values())} accounts{': ' if each else ''}{each}{problems}"
    return f"{accounts}; {found['endpoint_count']} webhook endpoints{unwell}"


def _since(endpoint: dict[str, Any]) -> str:
    return f"failing since {endpoint['failing_since']}" if "failing_since" in endpoint else ""


def _last(endpoint: dict[str, Any]) -> str:
    return f"last error {endpoint['last_error']}" if endpoint["last_error"] else ""


def _breaker(endpoint: dict[str, Any]) -> str:
    return "breaker open" if endpoint["breaker_open"] else ""


def _print_tree(children: Any) -> None:
    root = Tree("unifyport [dim]rest_for_one[/dim]")
    _grow(root, children)
    print_shape(root)


def _grow(branch: Tree, children: list[dict[str, Any]]) -> None:
    for child in children:
        colour = _COLOURS.get(child["phase"], "white")
        line = f"{child['id']} [{colour}]{child['phase']}[/{colour}] since {child['since']}"
        if child["incarnations"] > 1:
            line += f", run {child['incarnations']} times"
        if "strategy" in child:
            counts = ", ".join(f"{count} {phase}" for phase, count in child["counts"].items())
            line += f" [dim]{child['strategy']}{': ' if counts else ''}{counts}[/dim]"
        _grow(branch.add(line), child.get("children", []))


@click.command()
@click.argument("account")
@server_options
@json_option
def explain(*, account: str, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Say why ACCOUNT (its id or name) is not running, what happens next and what to do."""
    api = Api(config_path, url, api_key)
    known = api.account(account)
    found = api("GET", f"/v1/accounts/{known['id']}/explain")
    if as_json:
        click.echo(json_text(found, indent=2))
        return
    console.print(escaped(f"{known['name']} is {found['runtime_status']}"))
    for name in ("why", "detail", "next", "action"):
        if found[name]:
            console.print(escaped(f"{name}: {found[name]}"))

"""`status`: the accounts of a running server with their observed status, or its supervision tree."""

import contextlib
import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.tree import Tree

from .common import Api, console, json_option, print_json, print_shape, server_options
from .terminal import escaped, json_text

WATCH_SECONDS = 2.0
_COLOURS = {
    "running": "green",
    "error": "red",
    "disconnected": "red",
    "reconnecting": "yellow",
    "starting": "yellow",
}


@click.command()
@click.option("--watch", is_flag=True, help="Refresh every two seconds, until interrupted.")
@click.option("--tree", is_flag=True, help="Show the supervision tree instead.")
@server_options
@json_option
def status(
    *, watch: bool, tree: bool, config_path: Path, url: str | None, api_key: str | None, as_json: bool
) -> None:
    """Show every account with its observed status, why it is not running, and when it is tried again."""
    api = Api(config_path, url, api_key)
    read, show = (_tree, _print_tree) if tree else (_rows, _print)
    if not watch:
        found = read(api)
        print_json(found) if as_json else show(found)
        return
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            found = read(api)
            if as_json:
                click.echo(json_text(found))
            else:
                click.clear()
                show(found)
            time.sleep(WATCH_SECONDS)


def _rows(api: Api) -> list[dict[str, Any]]:
    rows = []
    for account in api("GET", "/v1/accounts"):
        auth = api("GET", f"/v1/accounts/{account['id']}/auth")
        runtime = api("GET", f"/v1/accounts/{account['id']}/runtime")
        rows.append(
            {
                "id": account["id"],
                "name": account["name"],
                "provider": account["provider"],
                "runtime_status": runtime["runtime_status"],
                "since": runtime["since"],
                "reason": runtime["reason"],
                "next_retry_at": runtime.get("next_retry_at", ""),
                "budget_left": runtime["budget_left"],
                "auth_status": auth["status"],
                "last_error": auth.get("last_error", ""),
            }
        )
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print("no accounts yet")
        return
    table = Table()
    for name in ("account", "provider", "runtime", "since", "auth", "reason", "next try", "budget", "id"):
        table.add_column(name, overflow="fold")
    for row in rows:
        colour = _COLOURS.get(row["runtime_status"], "white")
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


def _tree(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api("GET", "/v1/supervisors")
    return found


def _print_tree(children: list[dict[str, Any]]) -> None:
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

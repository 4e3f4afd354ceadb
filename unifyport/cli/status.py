"""`status`: the accounts of a running server, as they are observed."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from .common import Api, console, json_option, print_json, server_options

WATCH_SECONDS = 2.0
FILE_WIDTH = 200  # of a table that goes to a file or to another program
_COLOURS = {
    "running": "green",
    "error": "red",
    "disconnected": "red",
    "reconnecting": "yellow",
    "starting": "yellow",
}


@click.command()
@click.option("--watch", is_flag=True, help="Look again every two seconds, until interrupted.")
@server_options
@json_option
def status(watch: bool, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Show every account with its observed status, why it is not running, and when it is tried again."""
    api = Api(config_path, url, api_key)
    if not watch:
        rows = _rows(api)
        print_json(rows) if as_json else _print(rows)
        return
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            rows = _rows(api)
            if as_json:
                click.echo(json.dumps(rows, ensure_ascii=False))
            else:
                click.clear()
                _print(rows)
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
            row["name"],
            row["provider"],
            f"[{colour}]{row['runtime_status']}[/{colour}]",
            row["since"],
            row["auth_status"],
            row["reason"] or row["last_error"],
            row["next_retry_at"],
            str(row["budget_left"]),
            row["id"],
        )
    console.print(table, width=None if console.is_terminal else FILE_WIDTH)

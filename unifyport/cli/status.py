"""`status`: the accounts of a running server, as they are observed."""

from pathlib import Path

import click
from rich.table import Table

from .common import Api, console, json_option, print_json, server_options

FILE_WIDTH = 160  # of a table that goes to a file or to another program
_COLOURS = {
    "running": "green",
    "error": "red",
    "disconnected": "red",
    "reconnecting": "yellow",
    "starting": "yellow",
}


@click.command()
@server_options
@json_option
def status(config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Show every account with its observed status, and why it is not running."""
    api = Api(config_path, url, api_key)
    rows = []
    for account in api("GET", "/v1/accounts"):
        auth = api("GET", f"/v1/accounts/{account['id']}/auth")
        runtime = api("POST", f"/v1/accounts/{account['id']}/runtime/refresh")
        rows.append(
            {
                "id": account["id"],
                "name": account["name"],
                "provider": account["provider"],
                "runtime_status": account["runtime_status"],
                "reason": runtime["runtime_error"],
                "auth_status": auth["status"],
                "last_error": auth.get("last_error", ""),
            }
        )
    if as_json:
        print_json(rows)
        return
    if not rows:
        console.print("no accounts yet")
        return
    table = Table()
    for name in ("account", "provider", "runtime", "auth", "reason", "id"):
        table.add_column(name, overflow="fold")
    for row in rows:
        colour = _COLOURS.get(row["runtime_status"], "white")
        table.add_row(
            row["name"],
            row["provider"],
            f"[{colour}]{row['runtime_status']}[/{colour}]",
            row["auth_status"],
            row["reason"] or row["last_error"],
            row["id"],
        )
    console.print(table, width=None if console.is_terminal else FILE_WIDTH)

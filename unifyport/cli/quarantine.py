"""`quarantine`: items of platforms that could not be read, listed, read, released and purged."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from .common import Api, console, fail, json_option, print_json, print_shape, server_options
from .terminal import escaped


@click.group()
def quarantine() -> None:
    """Items of platforms that could not be read, as they came. ITEM is an id; `show` and `release` go
    through the server's socket only.
    """


@quarantine.command("list")
@click.option("--account", help="Only items of this account (its id or name).")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@server_options
@json_option
def list_(
    *,
    account: str | None,
    limit: int,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Show items, the newest first, without their contents."""
    api = Api(config_path, url, api_key)
    page = api("GET", "/v1/quarantine", params={"limit": str(limit), **_of(api, account)})
    if as_json:
        print_json(page["items"])
        return
    table = Table("id", "account", "at", "reason", "bytes")
    for each in page["items"]:
        row = (each["id"], each.get("account_id", "(deleted)"), each["at"], each["reason"], str(each["size"]))
        table.add_row(*map(escaped, row))
    print_shape(table)
    if page["has_more"]:
        console.print("there are more: --limit")


@quarantine.command()
@click.argument("item")
@server_options
@json_option
def show(*, item: str, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Show ITEM with its contents."""
    found = Api(config_path, url, api_key)("GET", f"/v1/quarantine/{item}")
    if as_json:
        print_json(found)
        return
    about = ("id", "account_id", "at", "reason", "size")
    console.print(escaped("  ".join(f"{name}={found[name]}" for name in about if name in found)))
    console.print(escaped(found.get("text", found.get("base64", ""))))


@quarantine.command()
@click.argument("item")
@server_options
@json_option
def release(*, item: str, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Deliver ITEM as it came, as provider.event, to the endpoints that subscribe to it, and delete it."""
    result = Api(config_path, url, api_key)("POST", f"/v1/quarantine/{item}/release")
    print_json(result) if as_json else console.print(f"{escaped(item)} is released")


@quarantine.command()
@click.argument("item", required=False)
@click.option("--all", "everything", is_flag=True, help="All items, or with --account all of that account.")
@click.option("--account", help="An account (its id or name).")
@server_options
@json_option
def purge(
    *,
    item: str | None,
    everything: bool,
    account: str | None,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Delete ITEM, or with --all every one."""
    if (item is None) is not everything:
        fail("name an item, or use --all", 2)
    api = Api(config_path, url, api_key)
    if item is not None:
        api("DELETE", f"/v1/quarantine/{item}")
        purged = 1
    else:
        purged = api("DELETE", "/v1/quarantine", params=_of(api, account))["purged"]
    print_json({"purged": purged}) if as_json else console.print(f"{purged} purged")


def _of(api: Api, account: str | None) -> dict[str, Any]:
    return {} if account is None else {"account_id": api.account(account)["id"]}

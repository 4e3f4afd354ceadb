"""`clock`: whether a running server doubts its wall clock, and the operator's word that it is right."""

from pathlib import Path
from typing import Any

import click

from .common import Api, console, json_option, print_json, server_options
from .terminal import escaped


@click.group()
def clock() -> None:
    """Show whether a running server doubts its clock, and accept the clock."""


@clock.command()
@server_options
@json_option
def show(config_path: Path, url: str | None, api_key: str | None, *, as_json: bool) -> None:
    """Show whether the clock is in doubt, and why."""
    _print(Api(config_path, url, api_key)("GET", "/v1/clock"), as_json=as_json)


@clock.command()
@server_options
@json_option
def accept(config_path: Path, url: str | None, api_key: str | None, *, as_json: bool) -> None:
    """Say that the clock is right: rows are purged again, and old requests are stale again."""
    _print(Api(config_path, url, api_key)("POST", "/v1/clock/accept"), as_json=as_json)


def _print(state: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(state)
    elif state["in_doubt"]:
        console.print(escaped(f"the clock is in doubt: {state['doubt']} (ends in {state['ends_in']} s)"))
    else:
        console.print("the clock is not in doubt")

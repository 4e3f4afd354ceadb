"""`config`: the configuration file against what the program knows."""

from pathlib import Path

import click

from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard
from unifyport.settings import load

from .common import config_option, console, json_option, load_settings, print_json


@click.group()
def config() -> None:
    """Check the configuration file."""


@config.command()
@config_option
@json_option
@click.pass_context
def check(context: click.Context, config_path: Path, as_json: bool) -> None:
    """List every problem of the file; exit code 2 when there is one."""
    if as_json:
        try:
            load(config_path, standard())
        except Problems as wrong:
            print_json({"ok": False, "problems": wrong.problems})
            context.exit(2)
        print_json({"ok": True, "problems": []})
        return
    settings = load_settings(config_path)
    console.print(
        f"{config_path}: good ({len(settings.accounts)} accounts, {len(settings.webhook_endpoints)} webhook"
        f" endpoints, {len(settings.api_keys)} API keys)"
    )

"""`config` and `reload`: check the configuration file, compare it with a running server, apply it."""

from pathlib import Path
from typing import Any

import click

from unifyport.config.settings import load
from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard

from .common import (
    FAILED,
    Api,
    config_option,
    console,
    json_option,
    load_settings,
    print_json,
    server_options,
)
from .terminal import escaped

_SIGNS = {"create": "+", "update": "~", "stop": "!", "remove": "-"}

_prune_option = click.option(
    "--prune", is_flag=True, help="Also delete accounts and endpoints that are no longer in the file."
)


@click.group()
def config() -> None:
    """Check the configuration file, compare it with a running server, and apply it."""


@config.command()
@click.option(
    "--no-secrets", is_flag=True, help="Do not read secrets and certificates that stand in other places."
)
@config_option
@json_option
@click.pass_context
def check(context: click.Context, *, no_secrets: bool, config_path: Path, as_json: bool) -> None:
    """List every problem of the file; exit code 2 if there is one."""
    if as_json:
        try:
            load(config_path, standard(), secrets=not no_secrets)
        except Problems as wrong:
            print_json({"ok": False, "problems": wrong.problems})
            context.exit(2)
        print_json({"ok": True, "problems": []})
        return
    settings = load_settings(config_path, secrets=not no_secrets)
    console.print(
        f"{config_path}: good ({len(settings.accounts)} accounts, {len(settings.webhook_endpoints)} webhook"
        f" endpoints, {len(settings.api_keys)} API keys)"
    )


@config.command()
@_prune_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 if something is different.")
@server_options
@json_option
@click.pass_context
def diff(
    context: click.Context,
    *,
    prune: bool,
    exit_code: bool,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Show what `apply` would change, and change nothing. The server reads its own file."""
    report = _reload(config_path, url, api_key, as_json, dry_run=True, prune=prune)
    if exit_code and (report["differences"] or report["options"] or report["needs_restart"]):
        context.exit(FAILED)


@config.command()
@_prune_option
@server_options
@json_option
def apply(*, prune: bool, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Apply the file to a running server. A file with mistakes changes nothing."""
    _reload(config_path, url, api_key, as_json, prune=prune)


@click.command()
@server_options
@json_option
def reload(config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Make a running server read its file again, as SIGHUP does, and print what changed."""
    _reload(config_path, url, api_key, as_json)


def _reload(
    config_path: Path, url: str | None, api_key: str | None, as_json: bool, **order: bool
) -> dict[str, Any]:
    report: dict[str, Any] = Api(config_path, url, api_key)("POST", "/v1/reload", json=order)
    print_json(report) if as_json else _print(report)
    return report


def _print(report: dict[str, Any]) -> None:
    for each in report["differences"]:
        fields = f" ({', '.join(each['fields'])})" if each["fields"] else ""
        what = f"{each['kind'].replace('_', ' ')} {each['name']}"
        console.print(escaped(f"{_SIGNS[each['action']]} {what}: {each['action']}{fields}"))
    for name in report["options"]:
        console.print(escaped(f"~ {name}"))
    if report["policies_changed"]:
        console.print(f"~ supervision of {report['policies_changed']} running accounts")
    for name in report["needs_restart"]:
        console.print(escaped(f"! {name}: needs a restart of the server"))
    for name in report["left"]:
        console.print(escaped(f"  {name} has left the file and is kept; --prune deletes it"))
    if not (report["differences"] or report["options"] or report["needs_restart"]):
        console.print("nothing else is different" if report["left"] else "nothing is different")
    elif report["dry_run"]:
        console.print("nothing was changed; 'unifyport config apply' does")

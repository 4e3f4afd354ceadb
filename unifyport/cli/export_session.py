"""`export-session`: the session of an account, for another program."""

from pathlib import Path

import click

from .common import Api, server_options


@click.command("export-session")
@click.argument("account")
@server_options
def export_session(account: str, config_path: Path, url: str | None, api_key: str | None) -> None:
    """Print the session of ACCOUNT (its id or name), as tools of its platform read it.

    It gives full access to the account, which must be stopped, and must not be started while another program
    uses the session. Works through the server's socket only.
    """
    api = Api(config_path, url, api_key)
    found = api.account(account)
    click.echo(api("POST", f"/v1/accounts/{found['id']}/auth/session/export")["session"])

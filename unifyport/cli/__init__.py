"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong configuration file."""

import click

from unifyport.version import VERSION

from .backup import backup, restore
from .clock import clock
from .config import config, reload
from .demo import demo
from .doctor import doctor
from .export_session import export_session
from .keys import keys
from .login import login
from .messages import listen, send
from .quarantine import quarantine
from .serving import init, sandbox, serve
from .status import explain, status
from .webhooks import webhooks


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="unifyport")
def main() -> None:
    """One port for WhatsApp, Telegram, LINE, TikTok, Zalo and X."""


for command in (
    init,
    serve,
    sandbox,
    demo,
    status,
    explain,
    login,
    export_session,
    send,
    listen,
    keys,
    webhooks,
    quarantine,
    config,
    reload,
    backup,
    restore,
    doctor,
    clock,
):
    main.add_command(command)

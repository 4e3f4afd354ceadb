"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong configuration file."""

import click

from unifyport import __version__

from .backup import backup, restore
from .config import config, reload
from .demo import demo
from .doctor import doctor
from .keys import keys
from .login import login
from .messages import listen, send
from .serving import init, sandbox, serve
from .status import status
from .webhooks import webhooks


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unifyport")
def main() -> None:
    """One port for WhatsApp, Telegram, LINE, TikTok, Zalo and X."""


for command in (
    init,
    serve,
    sandbox,
    demo,
    status,
    login,
    send,
    listen,
    keys,
    webhooks,
    config,
    reload,
    backup,
    restore,
    doctor,
):
    main.add_command(command)

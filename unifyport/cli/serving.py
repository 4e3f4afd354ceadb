"""`init`, `serve` and `sandbox`: set-up, and the processes that keep running."""

import os
import signal
import sys
from pathlib import Path

import click
import trio

from unifyport.config.declared import hash_key, new_key
from unifyport.model.ids import new_id
from unifyport.model.structuring import Problems
from unifyport.process.clock import wall_clock_ms
from unifyport.providers.registry import standard
from unifyport.sandbox.control import CONTROL_PORT, Sandbox
from unifyport.sandbox.serving import NotLoopback
from unifyport.server import AddressInUse, run
from unifyport.storage.contract import ApiKey, PutApiKey, SchemaTooNew, StoreLocked, StoreUnavailable
from unifyport.storage.sealing import KeyRing, SealError

from .backup import master_key_place
from .common import (
    DEFAULT_CONFIG,
    WRONG_USAGE,
    config_option,
    console,
    fail,
    json_option,
    load_settings,
    print_json,
    print_problems,
    run_async,
)
from .keys import open_store

TEMPLATE = """\
# UnifyPort. Every option with its default, or as an example. README.md links the documentation.

[server]
bind = "127.0.0.1:{port}"
# public_url = "https://gateway.example"     # the base of webhook URLs for platforms and of links to files
# ingress_bind = "0.0.0.0:8081"              # a separate listener for platforms; admin_bind: for /metrics
# tls = {{ cert = "cert.pem", key = "key.pem" }}   # or a reverse proxy, listed in trusted_proxies
# trusted_proxies = ["10.0.0.0/8"]           # proxies that may set X-Forwarded-For
# proxy_protocol = false                     # true: trusted_proxies begin each connection with a PROXY header
# max_streams = 1024                         # readers of the event stream at a time
# front = "native"                           # the HTTP server; "hypercorn" for HTTP/2

[storage]
url = "sqlite:///unifyport.db"               # beside this file
# event_retention = "7d"                     # how long events can be delivered and read
# page_cache = "16MiB"                       # of the database in memory, besides the system's own
# alias_retention = "365d"                   # how long an unused conversation keeps its ids

[security]
master_key = {{ file = "master.key" }}         # seals every credential; or {{ env = "UNIFYPORT_MASTER_KEY" }}
webhook_allow = ["127.0.0.0/8", "::1/128"]   # private networks that webhooks may go to
# media_allow = ["10.0.0.9/32"]              # private addresses that files to be sent may be fetched from
# proxy_allow = ["10.0.0.5/32"]              # private addresses that accounts' proxies may have
# ca_file = "private-ca.pem"                 # trust anchors beside the system's

[workspace]
# name = "Shop"                              # if set here, the API cannot change it
account_quota = 0                            # 0: unlimited
# key_rate = "50/s"                          # requests of each API key; without it there is no limit

[media]                                      \
# files that customers send
# fetch = "on_link"                          # when their link is first read; or "on_receive": at once
# max_bytes = "1GiB"                         # of the cache, beside the database
# max_file = "100MiB"                        # of one file, received or sent
# link_lifetime = "24h"
# upload_lifetime = "24h"                    # of files uploaded to be sent
# max_uploads = "1GiB"                       # of all uploaded files together

[logging]
# level = "info"
# requests = true                            # a line for each API request

# [metrics]
# accounts = false                           # true: metrics of each account, with its name

# [api]
# strict = false                             # true: refuse requests with fields that would have no effect

# Accounts, endpoints and keys can also be made through the API. Those declared here can only be changed here.

# [[api_keys]]
# name = "backend"
# key = {{ env = "UNIFYPORT_BACKEND_KEY" }}    # at least 32 characters

# [[webhook_endpoints]]
# name = "crm"
# url = "https://crm.example/hooks/unifyport"
# subscribed_events = ["message.received"]   # empty: all
# signing_secret = {{ env = "CRM_SECRET" }}
# retry_policy = {{ max_attempts = 5 }}
# delivery = {{ signatures = ["device", "standard"], max_in_flight = 32 }}   \
# docs/webhooks.md has all options

# [webhooks]                                 # defaults for all endpoints
# retry_policy = {{ max_attempts = 3, schedule = ["5s", "30s", "2m", "10m", "1h"] }}
# delivery = {{ timeout = "10s", max_in_flight = 16, rate_limit = 0, disable_after = "72h", \
breaker = {{ failures = 5, initial = "5s", max = "5m" }} }}

# [[accounts]]
# name = "support-bot"
# provider = "telegram"
# auth_mode = "token"
# credentials = {{ token = {{ env = "TELEGRAM_TOKEN" }} }}
# receive = "poll"                           # or "webhook", which needs public_url
# take_over = false                          # true: take from other programs what a login needs (a webhook)
# media_fetch = "on_receive"                 # of this account; [media] fetch is that of all
# proxy = {{ type = "socks5", host = "proxy.example", port = 1080 }}

# [[accounts]]
# name = "shop"
# provider = "whatsapp"
# [accounts.credentials]
# access_token = {{ env = "WHATSAPP_TOKEN" }}
# phone_number_id = "106540352242922"
# app_secret = {{ env = "META_APP_SECRET" }}
# verify_token = {{ env = "META_VERIFY_TOKEN" }} # of your choice; enter the same one in Meta's dashboard

# [providers.telegram]
# bot_api_url = "https://api.telegram.org"   # or your own Bot API server, or the sandbox

# [supervision.policies.default]             # how every account is restarted
# backoff = {{ initial = "1s", factor = 2.0, max = "5m", jitter = 0.2 }}
# stable_after = "60s"
# max_restarts = 15
# window = "1h"
# on_exhausted = "park"
# park_interval = "1h"
# probe = {{ interval = "60s", timeout = "10s", failures = 3 }}   # or "off"
# max_concurrent_starts = 20                 # this and start_rate apply to each channel
# start_rate = "50/s"

# [supervision.providers.whatsapp]           # overrides for a channel; accounts can have overrides, too:
# max_restarts = 8                           # supervision = {{ backoff = {{ max = "1m" }} }}
"""


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that must not exist yet. Raises `FileExistsError`."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)


def initialise(directory: Path, port: int = 8080) -> tuple[Path, str]:
    """Make a configuration file, a master key and a first API key; returns the file's path and the API key.

    Raises `FileExistsError`, `OSError`, `StoreUnavailable`; then none of them is left.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config_path, key_path = directory / DEFAULT_CONFIG, directory / "master.key"
    for path in (config_path, key_path):
        if path.exists():
            raise FileExistsError(path)
    before = set(directory.iterdir())
    try:
        write_new(key_path, KeyRing.new_key() + "\n", 0o600)
        write_new(config_path, TEMPLATE.format(port=port), 0o600)
        key = new_key("dk_live")
        record = ApiKey(new_id("ak"), "first", "dk_live", hash_key(key), created_at=wall_clock_ms())
        with open_store(load_settings(config_path)) as store:
            trio.run(store.commit, [PutApiKey(record)])
    except BaseException:  # such as a full disk: the next `init` begins anew
        for path in set(directory.iterdir()) - before:
            if path in (config_path, key_path) or path.name.startswith("unifyport.db"):
                path.unlink(missing_ok=True)
        raise
    return config_path, key


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@json_option
def init(directory: Path, as_json: bool) -> None:
    """Write a commented unifyport.toml and a master key, and print the first API key, once."""
    try:
        path, key = initialise(directory)
    except FileExistsError as error:
        fail(f"{error} exists; nothing was changed")
    except OSError as error:
        fail(f"{error.filename or directory}: {error.strerror or error}")
    except StoreUnavailable as error:
        fail(f"the database cannot be written: {error}")
    if as_json:
        print_json({"config": str(path), "api_key": key})
        return
    console.print(
        f"wrote {path} and {path.with_name('master.key')} (keep the key safe: it decrypts every credential)"
    )
    console.print(f"API key, shown only now: [bold]{key}[/bold]")
    console.print(f"next: unifyport serve -c {path}")


@click.command()
@config_option
def serve(config_path: Path) -> None:
    """Run the gateway until SIGINT or SIGTERM."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server can reload
    settings = load_settings(config_path)
    try:
        run(settings)
    except SealError as error:
        fail(f"{error} (the key is in {master_key_place(settings)})")
    except StoreUnavailable as error:
        where = "" if str(settings.database) in error.reason else f" ({settings.database})"
        fail(f"storage is unavailable: {error}{where}")
    except (StoreLocked, AddressInUse, SchemaTooNew) as error:
        fail(str(error))
    except OSError as error:  # of a file: a directory that cannot be written, a certificate that was replaced
        fail(f"{error.filename or settings.directory}: {error.strerror or error}")
    except Problems as wrong:
        print_problems(wrong)
        sys.exit(WRONG_USAGE)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65000),
    default=CONTROL_PORT,
    show_default=True,
    help="The control port; platforms follow. 0: any.",
)
@click.option(
    "--print-config", is_flag=True, help="Print the TOML that points a gateway here, and keep running."
)
def sandbox(host: str, port: int, print_config: bool) -> None:
    """Run the local platforms: real wire protocols on loopback, for development and tests without
    credentials.
    """
    try:
        run_async(lambda: _sandbox(host, port, print_config))
    except KeyboardInterrupt:
        sys.exit(0)
    except (NotLoopback, ValueError) as error:
        fail(str(error), WRONG_USAGE)
    except OSError as error:
        fail(f"cannot listen: {error}")


async def _sandbox(host: str, port: int, print_config: bool) -> None:
    platforms = Sandbox(standard().channels.values())
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: platforms.run(host, port, task_status=task_status))
        if print_config:
            click.echo(platforms.config(), nl=False)
        else:
            console.print(f"control port: {url}/sandbox")
            for channel, endpoints in platforms.endpoints.items():
                for name, value in endpoints.items():
                    console.print(f"  {channel}: {name} = {value}")
        sys.stdout.flush()

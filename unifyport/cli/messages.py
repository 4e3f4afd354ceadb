"""`send` and `listen`: sends a message; prints the event stream."""

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from unifyport.model.texts import visible

from .common import Api, console, errors, json_option, print_json, server_options
from .forwarding import Forwarder
from .terminal import escaped, json_text

RECONNECT_SECONDS = 1.0


@click.command()
@click.argument("account")
@click.argument("to")
@click.argument("text")
@click.option(
    "--type", "conversation_type", default="user", show_default=True, help="user, group or channel."
)
@server_options
@json_option
def send(
    *,
    account: str,
    to: str,
    text: str,
    conversation_type: str,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Send TEXT from ACCOUNT (its id or name) to the conversation TO."""
    api = Api(config_path, url, api_key)
    body = {
        "account_id": api.account(account)["id"],
        "to": {"id": to, "type": conversation_type},
        "message": {"type": "text", "text": text},
    }
    result = api("POST", "/v1/messages", json=body)
    if as_json:
        print_json(result)
    else:
        console.print(escaped(f"sent: message {result['message_id']} ({result['command_id']})"))


@click.command()
@click.option("--after", default="latest", help="A cursor that an earlier run has printed, or `earliest`.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest event that is kept.")
@click.option("--type", "event_type", default="", help="Only events of these names, separated by commas.")
@click.option("--forward-to", help="Also POST each event to this URL, signed as a delivery would be.")
@click.option(
    "--secret",
    default="",
    envvar="UNIFYPORT_SIGNING_SECRET",
    help="The signing secret of what is forwarded; without it, no signature.",
)
@server_options
@json_option
def listen(
    *,
    after: str,
    from_start: bool,
    event_type: str,
    forward_to: str | None,
    secret: str,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Print events as they are committed, until interrupted. --json prints one object a line.

    At its end it prints the cursor to continue from: with `--after CURSOR` no event is missed. With
    --forward-to each event is sent once, in order, to a receiver under development; what it answered is
    printed, and nothing is repeated.
    """
    api = Api(config_path, url, api_key)
    follower = _Follower(api, {"type": event_type} if event_type else {}, "earliest" if from_start else after)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM prints the cursor, too
    forward = None if forward_to is None else Forwarder(forward_to, secret)

    def take(event: dict[str, Any]) -> None:
        click.echo(json_text(event) if as_json else visible(describe(event)))
        if forward is not None:
            errors.print(escaped(f"  {forward_to}: {forward(event)}"))

    try:
        with contextlib.suppress(KeyboardInterrupt):
            follower.follow(take)
    finally:
        if follower.connected and follower.after not in ("latest", "earliest"):
            errors.print(f"to continue from here: --after {follower.after}")


class _Follower:
    """Follows the event stream. `after`: the cursor of the last event taken. Reconnects without limit."""

    def __init__(self, api: Api, query: dict[str, str], after: str) -> None:
        self.after = after
        self.connected = False  # at least once
        self._api = api
        self._query = query

    def follow(self, take: Callable[[dict[str, Any]], None]) -> NoReturn:
        """Pass events to `take`. Signals are held back until the cursor of a taken event is noted."""
        while True:
            query = {**self._query, "after": self.after}
            for message in self._api.stream("/v1/events/stream", query, patient=self.connected):
                self.connected = True
                if message.get("event") == "gap":
                    errors.print(
                        "[yellow]some events are missing: they are older than the retention[/yellow]"
                    )
                with _undisturbed():
                    if "data" in message and message.get("event") != "gap":
                        take(json.loads(message["data"]))
                    self.after = message.get("id", self.after)
            time.sleep(RECONNECT_SECONDS)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def describe(event: dict[str, object]) -> str:
    """An event as one line of text."""
    data = event.get("data")
    assert isinstance(data, dict)
    words = [str(event["occurred_at"]), str(event["type"]), str(event["account_id"])]
    if "from" in event:
        words.append(f"from {event['from']}: {event.get('text', '')!r}")
    elif "message_id" in event:
        words += [f"{name}={event[name]}" for name in ("status", "message_id") if name in event]
    else:
        words += [
            f"{name}={data[name]}" for name in ("auth_status", "runtime_status", "reason") if name in data
        ]
    return "  ".join(words)

"""`send` and `listen`: a message out, the event stream in."""

import contextlib
import json
import time
from pathlib import Path

import click

from .common import Api, console, fail, json_option, print_json, server_options

POLL_SECONDS = 0.5


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
    found = [known for known in api("GET", "/v1/accounts") if account in (known["id"], known["name"])]
    if len(found) != 1:
        fail(f"{len(found) or 'no'} accounts are called {account!r}")
    body = {
        "account_id": found[0]["id"],
        "to": {"id": to, "type": conversation_type},
        "message": {"type": "text", "text": text},
    }
    result = api("POST", "/v1/messages", json=body)
    if as_json:
        print_json(result)
    else:
        console.print(f"sent: message {result['message_id']} ({result['command_id']})")


@click.command()
@click.option("--from-start", is_flag=True, help="Begin with the oldest event that is kept.")
@click.option("--type", "event_type", default="", help="Only events of this name.")
@server_options
@json_option
def listen(
    from_start: bool,
    event_type: str,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Print events as they are committed, until interrupted. --json prints one object a line."""
    api = Api(config_path, url, api_key)
    query = {"type": event_type} if event_type else {}
    after = "" if from_start else api("GET", "/v1/events", params={"after": "latest"})["next_cursor"]
    with contextlib.suppress(KeyboardInterrupt):
        _listen(api, query, after, as_json)


def _listen(api: Api, query: dict[str, str], after: str, as_json: bool) -> None:
    while True:
        page = api("GET", "/v1/events", params={**query, "after": after, "limit": 200})
        for event in page["items"]:
            click.echo(json.dumps(event, ensure_ascii=False) if as_json else describe(event))
        after = page["next_cursor"]
        if not page["has_more"]:
            time.sleep(POLL_SECONDS)


def describe(event: dict[str, object]) -> str:
    """One line for people."""
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

"""`webhooks`: endpoints, their deliveries, replays, and the self-test of a receiver."""

import secrets
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from unifyport.config.settings.checks import MIN_SIGNING_SECRET

from .common import (
    FAILED,
    Api,
    console,
    fail,
    json_option,
    print_json,
    print_shape,
    server_options,
)
from .terminal import escaped

_STYLES = {"delivered": "green", "dead": "red", "retrying": "yellow", "expired": "red"}


@click.group()
def webhooks() -> None:
    """Webhook endpoints and their deliveries. ENDPOINT is an id, a name or a URL."""


def _find(api: Api, endpoint: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        known
        for known in api("GET", "/v1/webhook-endpoints")
        if endpoint in (known["id"], known.get("name"), known["url"])
    ]
    if len(found) != 1:
        fail(f"{len(found) or 'no'} webhook endpoints are called {endpoint!r}")
    return found[0]


def _table(first: str, *more: str) -> Table:
    """A table whose first column, an id, is never cut, so that it can be copied."""
    table = Table()
    table.add_column(first, no_wrap=True, overflow="ignore")
    for name in more:
        table.add_column(name, overflow="fold")
    return table


@webhooks.command("list")
@server_options
@json_option
def list_(config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Show every endpoint, and how many events it is owed."""
    api = Api(config_path, url, api_key)
    found = [
        api("GET", f"/v1/webhook-endpoints/{known['id']}") for known in api("GET", "/v1/webhook-endpoints")
    ]
    if as_json:
        print_json(found)
        return
    table = _table("id", "name", "url", "status", "owed", "dead", "expired", "breaker")
    for each in found:
        status = each["status"] + (f" ({each['reason']})" if "reason" in each else "")
        if "failing_since" in each:
            status += f", failing since {each['failing_since']}"
        runtime = each["runtime"]
        if "last_error" in runtime:
            status += f", last error {runtime['last_error']}"
        numbers = (str(runtime["owed"]), str(runtime["dead"]), str(each["expired"]))
        row = (each["id"], each.get("name", ""), each["url"], status, *numbers, runtime["breaker"])
        table.add_row(*map(escaped, row))
    print_shape(table)


@webhooks.command()
@click.argument("endpoint_url", metavar="URL")
@click.option("--event", "events", multiple=True, help="Only events of this name; may be repeated.")
@click.option(
    "--secret", help="The signing secret, of at least 8 characters. Without it one is made and shown."
)
@click.option("--inactive", is_flag=True, help="Made, but without deliveries until it is resumed.")
@server_options
@json_option
def create(
    *,
    endpoint_url: str,
    events: tuple[str, ...],
    secret: str | None,
    inactive: bool,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Deliver events to URL. A signing secret that is made here is shown once."""
    if secret is not None and len(secret) < MIN_SIGNING_SECRET:
        raise click.BadParameter(f"must have at least {MIN_SIGNING_SECRET} characters", param_hint="--secret")
    signing = secret if secret is not None else secrets.token_urlsafe(32)
    body = {
        "url": endpoint_url,
        "status": "inactive" if inactive else "active",
        "subscribed_events": list(events),
        "signing_secret": signing,
    }
    made = Api(config_path, url, api_key)("POST", "/v1/webhook-endpoints", json=body)
    shown = {} if secret is not None else {"signing_secret": signing}
    if as_json:
        print_json({**made, **shown})
        return
    console.print(escaped(f"{made['id']} ({made['url']}) is {made['status']}"))
    if shown:
        console.print(f"signing secret, shown only now: [bold]{escaped(signing)}[/bold]")
    console.print(f"next: unifyport webhooks test {made['id']}")


@webhooks.command()
@click.argument("delivery")
@server_options
@json_option
def show(*, delivery: str, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Show DELIVERY with each attempt, and the beginning of what the receiver answered.

    Of a receiver at a private address the answer is shown only if the file declares the endpoint.
    """
    if not delivery.startswith("dlv_"):
        fail(f"{delivery!r} is no delivery; 'unifyport webhooks deliveries {delivery}' lists an endpoint's")
    found = Api(config_path, url, api_key)("GET", f"/v1/deliveries/{delivery}")
    if as_json:
        print_json(found)
        return
    names = ("id", "event_id", "event_type", "endpoint_id", "status", "reason", "next_attempt_at")
    for name in names:
        if name in found:
            console.print(escaped(f"{name}: {found[name]}"))
    for each in found["history"]:
        answer = each.get("response_status", each.get("error", "-"))
        line = f"attempt {each['attempt']} at {each['at']}: {each['outcome']}, {answer}"
        console.print(escaped(f"{line}, {each['duration_ms']} ms, {each['response_size']} bytes"))
        if each.get("response"):
            console.print(escaped(each["response"]))


@webhooks.command()
@click.argument("endpoint")
@server_options
@json_option
@click.pass_context
def test(
    context: click.Context,
    *,
    endpoint: str,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Send a good, a stale, a forged and a repeated delivery, and show how the receiver answered.

    Exit code 1 if an answer is wrong.
    """
    api = Api(config_path, url, api_key)
    report = api("POST", f"/v1/webhook-endpoints/{_find(api, endpoint)['id']}/test")
    if as_json:
        print_json(report)
    else:
        for case in report["cases"]:
            answer = case.get("response_status", case.get("error", "-"))
            sign = "[green]ok[/green]  " if case["passed"] else "[red]bad[/red] "
            console.print(f"{sign} {case['name']:<9} {answer!s:<5} {escaped(case['meaning'])}")
        console.print(f"verdict: {report['verdict']}")
    if report["verdict"] != "good":
        context.exit(FAILED)


@webhooks.command()
@click.argument("endpoint")
@click.option(
    "--status",
    type=click.Choice(["pending", "retrying", "delivered", "dead", "expired"]),
    help="Only deliveries of this status.",
)
@click.option("--event", "event_id", help="Only deliveries of this event.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@server_options
@json_option
def deliveries(
    *,
    endpoint: str,
    status: str | None,
    event_id: str | None,
    limit: int,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Show deliveries of ENDPOINT, the newest first."""
    api = Api(config_path, url, api_key)
    query = {"limit": limit, "status": status, "event_id": event_id}
    page = api(
        "GET",
        f"/v1/webhook-endpoints/{_find(api, endpoint)['id']}/deliveries",
        params={name: value for name, value in query.items() if value is not None},
    )
    if as_json:
        print_json(page["items"])
        return
    table = _table("delivery", "event", "type", "status", "attempts", "last answer", "ms", "next attempt")
    for each in page["items"]:
        last = each["history"][0] if each["history"] else {}
        answer = last.get("response_status", last.get("error", each.get("reason", "")))
        style = _STYLES.get(each["status"], "")
        shown = f"[{style}]{each['status']}[/{style}]" if style else each["status"]
        table.add_row(
            *(each["id"], each["event_id"], each["event_type"], shown, str(each["attempts"]), str(answer)),
            *(str(last.get("duration_ms", "")), each.get("next_attempt_at", "")),
        )
    print_shape(table)


@webhooks.command()
@click.argument("endpoint")
@click.option("--log", is_flag=True, help="Replay from the event log, not from the dead letters.")
@click.option("--since", help="RFC 3339: only events that died, or were logged, at or after this time.")
@click.option("--until", help="RFC 3339: only events that died, or were logged, before this time.")
@click.option("--event", "event_ids", multiple=True, help="Only this event; may be repeated.")
@server_options
@json_option
def replay(
    *,
    endpoint: str,
    log: bool,
    since: str | None,
    until: str | None,
    event_ids: tuple[str, ...],
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Deliver again: all dead letters of ENDPOINT, or the events that the options select."""
    api = Api(config_path, url, api_key)
    order: dict[str, Any] = {"source": "log" if log else "dead"}
    order |= {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    if event_ids:
        order["event_ids"] = list(event_ids)
    path = f"/v1/webhook-endpoints/{_find(api, endpoint)['id']}/replay"
    replayed = already = 0
    while True:
        page = api("POST", path, json=order)
        replayed, already = replayed + page["replayed"], already + page["already_owed"]
        if not page["has_more"]:
            break
        order["cursor"] = page["next_cursor"]
    if as_json:
        print_json({"replayed": replayed, "already_owed": already})
    else:
        console.print(f"{replayed} replayed, {already} were already owed")


@webhooks.command()
@click.argument("delivery")
@click.option("--force", is_flag=True, help="Also when the endpoint is not active.")
@server_options
@json_option
def retry(
    *, delivery: str, force: bool, config_path: Path, url: str | None, api_key: str | None, as_json: bool
) -> None:
    """Make an extra attempt of DELIVERY now, outside the count. A dead letter is replayed."""
    result = Api(config_path, url, api_key)("POST", f"/v1/deliveries/{delivery}/retry", json={"force": force})
    print_json(result) if as_json else console.print(f"ordered: {result['id']} ({result['status']})")


@webhooks.command()
@click.argument("endpoint")
@server_options
@json_option
def pause(*, endpoint: str, config_path: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """Stop attempts to ENDPOINT. It is still owed its events."""
    api = Api(config_path, url, api_key)
    result = api("POST", f"/v1/webhook-endpoints/{_find(api, endpoint)['id']}/deactivate")
    print_json(result) if as_json else console.print(f"{result['id']} is {result['status']}")


@webhooks.command()
@click.argument("endpoint")
@click.option("--now", is_flag=True, help="Drop the events that it is owed, and start with new events.")
@server_options
@json_option
def resume(
    *, endpoint: str, now: bool, config_path: Path, url: str | None, api_key: str | None, as_json: bool
) -> None:
    """Continue with the oldest event that ENDPOINT is owed."""
    api = Api(config_path, url, api_key)
    change: dict[str, Any] = {"status": "active"} | ({"delivery": {"resume": "now"}} if now else {})
    result = api("PATCH", f"/v1/webhook-endpoints/{_find(api, endpoint)['id']}", json=change)
    if as_json:
        print_json(result)
        return
    dropped = f", {result['dropped']} dropped" if "dropped" in result else ""
    console.print(f"{result['id']} is {result['status']}{dropped}")

"""`scripts/chaos crowd`: thousands of callers send to one account in the same moment.

The sandbox plays Telegram, and takes some time for each message. At most 1,024 commands may be held; a send
that cannot begin in time must be refused at once, with `Retry-After` and without a record. Every caller that
obeys it must have its message sent, once. The pace is off: what limits is the number of sends in progress.
"""

import json
import re
import sys
import time
from collections import Counter
from http import HTTPStatus

import attrs
import click
import httpx
import trio
from rich.console import Console

from actors.account.lanes import MAX_QUEUED
from scripts.benchmarks.wire import post

from .callers import Answered, Callers
from .processes import (
    GATEWAY_CORE,
    KEY,
    OTHER_CORE,
    Api,
    directory,
    free_ports,
    pin,
    sandbox,
    sandbox_config,
    started,
    write_config,
)
from .storm import room_for
from .verdicts import count_crashes, crash_limit, print_verdicts

CUSTOMERS = 500
ANSWER_SECONDS = 0.2  # that the platform takes for a message
REFUSED_WITHIN = 2.0  # seconds
TOKEN = "4242:token"
_REFUSALS = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)

console = Console(highlight=False)


@attrs.define
class Crowd:
    """What the callers saw. Times in seconds."""

    account_id: str
    sent: int = 0
    refused: list[float] = attrs.field(factory=list)  # how long each refusal took
    other: Counter[int] = attrs.field(factory=Counter)  # statuses of other answers
    most_held: int = 0

    def request(self, number: int) -> bytes:
        body = {
            "account_id": self.account_id,
            "to": {"id": str(1 + number % CUSTOMERS), "type": "user"},
            "message": {"type": "text", "text": f"{number}"},
        }
        headers = {"x-api-key": KEY, "idempotency-key": f"crowd-{number}"}  # it may be cut off
        return post("/v1/messages", json.dumps(body).encode(), headers)

    def judge(self, answer: Answered) -> float | None:
        """The seconds after which to try again; None when there is an outcome."""
        if answer.status == HTTPStatus.OK:
            self.sent += 1
            return None
        retry = _RETRY_AFTER.search(answer.head)
        if answer.status in _REFUSALS and retry is not None:
            self.refused.append(answer.seconds)
            return float(retry[1])
        self.other[answer.status] += 1
        return None

    async def watch(self, api: Api) -> None:
        while True:
            runtime = await api.data("GET", f"/v1/accounts/{self.account_id}/runtime")
            self.most_held = max(self.most_held, runtime["sends"]["queued"])
            await trio.sleep(0.05)


async def run(count: int) -> bool:
    """Whether everything stayed within its limits; prints what was measured."""
    room_for(count)
    control, port = free_ports(3), free_ports(1)
    pin(OTHER_CORE)
    with directory() as where:
        async with sandbox(where, control):
            more = (
                sandbox_config(control)
                + '[providers.telegram.pace]\naccount = "off"\nuser = "off"\n'
                + '[[accounts]]\nname = "bot"\nprovider = "telegram"\n'
                + f'credentials = {{ token = "{TOKEN}" }}\n'
            )
            command = ["-m", "unifyport", "serve", "-c", str(write_config(where, port, more))]
            async with started(GATEWAY_CORE, command, where / "gateway.log") as gateway:
                api = Api(port, gateway)
                await api.until_running("telegram", 1, 30)
                await greet(control)
                [account] = await api.data("GET", "/v1/accounts")
                crowd = Crowd(account["id"])
                callers = Callers(port, crowd.judge)
                began = time.monotonic()
                async with trio.open_nursery() as watching:
                    watching.start_soon(crowd.watch, api)
                    await callers.run([crowd.request(number) for number in range(count)])
                    watching.cancel_scope.cancel()
                took = time.monotonic() - began
                arrived = Counter(await texts(control))
                crashes = count_crashes(where / "gateway.log")
    return report(crowd, count, arrived, took, crashes=crashes, cut_off=callers.cut_off)


async def greet(control: int) -> None:
    """Every customer writes to the bot once: before that it must not write to them."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{control}", trust_env=False) as client:
        for customer in range(1, CUSTOMERS + 1):
            order = {"to": "4242", "from": customer, "text": "hello"}
            (await client.post("/sandbox/telegram/messages", json=order)).raise_for_status()
        fault = {"kind": "delay", "method": "sendMessage", "value": ANSWER_SECONDS, "seconds": 3600}
        (await client.post("/sandbox/telegram/faults", json=fault)).raise_for_status()


async def texts(control: int) -> list[str]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{control}", trust_env=False) as client:
        found = (await client.get("/sandbox/telegram/messages", timeout=60)).json()
    return [message["text"] for message in found]


def report(
    crowd: Crowd, callers: int, arrived: Counter[str], took: float, *, crashes: int, cut_off: int
) -> bool:
    """Print each limit and whether it was kept; returns whether all were."""
    refused = sorted(crowd.refused)
    slowest = refused[-1] if refused else 0.0
    late = sum(seconds > REFUSED_WITHIN for seconds in refused)
    lines = [
        (crowd.sent == callers, f"{crowd.sent} of {callers} callers had their message sent, in {took:.0f} s"),
        (not crowd.other, f"other answers: {dict(crowd.other) or 'none'}"),
        (
            len(arrived) == callers and set(arrived.values()) == {1},
            f"the platform got {len(arrived)} messages, {sum(count > 1 for count in arrived.values())} twice",
        ),
        (crowd.most_held <= MAX_QUEUED, f"held: at most {crowd.most_held} (limit {MAX_QUEUED})"),
        crash_limit(crashes),
    ]
    notes = [
        f"{cut_off} connections ended without an answer; their callers asked again",
        f"{len(refused)} refusals, the median after {refused[len(refused) // 2] if refused else 0:.2f} s,"
        f" the slowest after {slowest:.2f} s,"
        f" {late} after more than {REFUSED_WITHIN:.0f} s",
    ]
    return print_verdicts(console, lines, notes)


@click.command()
@click.option("--callers", default=10_000, show_default=True)
def main(callers: int) -> None:
    """Callers send to one account in the same moment."""
    sys.exit(0 if trio.run(run, callers) else 1)


if __name__ == "__main__":
    main()

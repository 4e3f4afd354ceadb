"""kill -9 of a gateway with an account that a QR code or a session links, before and after each of its
commits, under traffic: what the tests of all such accounts share. A platform is a `Phones`.

What customers write meanwhile is fetched afterwards: nothing is lost, nothing is told or sent twice, and the
texts of a customer keep their order. A send whose outcome a kill has left unknown is settled by its echo.
"""

import contextlib
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs
import httpx
import trio

from tests.harness import Platform, Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.linked_world import QUICK

KILLS = 20 if os.environ.get("CHAOS") == "full" else 0  # before, and after, each of the commits
POINTS = ("accept", "sending", "outcome", "receive")
SCRIPT = Path(__file__).with_name("device_server.py")
LATEST = 3  # of the commits of a kind, the one at which it dies
SENDERS = 3


class Phones(Protocol):
    """The people on a platform: the owner of the account, who scans its code, and customers."""

    provider: str
    customers: tuple[str, ...]

    def write(self, customer: str, text: str) -> None:
        """A customer writes to the account, also while it is not connected."""

    def sent(self) -> list[str]:
        """The texts that the account has sent to customers, each as often as it was sent."""

    def chat(self, customer: str) -> str:
        """The id of the conversation with a customer."""

    def scan(self, qr_code: str) -> None:
        """The owner scans the code and confirms."""


@runtime_checkable
class Browsers(Protocol):
    """A platform whose owner gives the session of a browser in place of a code."""

    async def exported(self) -> dict[str, Any]:
        """The body of the import."""


NewPhones = Callable[[Platform], Phones]


@attrs.define
class Traffic:
    """What customers wrote, and what callers know of their sends."""

    phones: Phones
    process: Process
    rng: random.Random
    account_id: str
    written: dict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))  # by customer
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> outcome
    receivers: dict[str, str] = attrs.field(factory=dict)  # text -> customer
    over: bool = False

    @property
    def texts(self) -> set[str]:
        return {text for texts in self.written.values() for text in texts}

    async def write(self) -> None:
        """Customers write, also while the gateway is down."""
        number = 0
        while not self.over:
            sender, number = self.rng.choice(self.phones.customers), number + 1
            self.written[sender].append(f"in {number}")
            self.phones.write(sender, f"in {number}")
            await trio.sleep(0.02)

    async def send(self, number: int) -> None:
        """A caller sends one text after another."""
        for count in range(100_000):
            if self.over:
                return
            text = f"out {number} {count}"
            self.receivers[text] = self.rng.choice(self.phones.customers)
            self.outcomes[text] = await self.outcome(text)

    async def outcome(self, text: str) -> str:
        """Send a text, or learn what became of it: it is its own idempotency key.

        A caller who is cut off asks again until the gateway is there.
        """
        body = {
            "account_id": self.account_id,
            "to": {"id": self.phones.chat(self.receivers[text]), "type": "user"},
            "message": {"type": "text", "text": text},
        }
        headers = {"Idempotency-Key": text.replace(" ", "-")}
        while True:
            try:
                answer = await self.process.client("POST", "/v1/messages", body, headers=headers)
            except httpx.TransportError:
                await trio.sleep(0.05)  # a process has no event to wait for
                continue
            if answer.is_success:
                return "sent"
            return str(answer.json()["error"].get("outcome", "not_sent"))

    async def settle(self) -> None:
        """What is unknown at first is known in the end: a send that was applied has come back as its echo."""
        for text, outcome in self.outcomes.items():
            if outcome == "unknown":
                with trio.move_on_after(10):
                    while (known := await self.outcome(text)) == "unknown":
                        if text not in self.phones.sent():
                            break  # killed between the mark and the request: nothing was sent
                        await trio.sleep(0.05)
                self.outcomes[text] = "not_sent" if known == "unknown" else known


async def goes_on_after_each_kill(directory: Path, new_phones: NewPhones) -> None:
    """Links an account, kills the gateway at one commit after another under traffic, and judges."""
    rng = random.Random(7)
    ends = lives(rng)
    async with sandbox() as platforms, receiver() as inbox:
        phones, port = new_phones(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(directory, port=port, more=more), port, SCRIPT)
        await process.start_with({"DIE_AT": "after login 1"})
        try:
            id_ = await log_in(process, phones)
            assert await process.ended() == -signal.SIGKILL
            await process.start()
            await running(process, id_)
            phones.write(phones.customers[0], "first")
            await inbox.until(lambda: inbox.of("message.received"))  # so that there is a mark to go on from
            await process.kill()
            traffic = Traffic(phones, process, rng, id_)
            traffic.written[phones.customers[0]].append("first")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(traffic.write)
                for number in range(SENDERS):
                    nursery.start_soon(traffic.send, number)
                for end in ends:
                    await process.start_with({"DIE_AT": end})
                    assert await process.ended() == -signal.SIGKILL, f"it did not come to {end!r}"
                await process.start()
                with trio.move_on_after(1):  # both directions go on
                    await trio.sleep_forever()
                traffic.over = True
            await inbox.until(lambda: {e["text"] for e in inbox.of("message.received")} == traffic.texts, 60)
            await running(process, id_)
            for customer in phones.customers:
                traffic.receivers[f"last to {customer}"] = customer
                assert await traffic.outcome(f"last to {customer}") == "sent"
            await traffic.settle()
            judge(traffic, inbox)
            assert "sent" in Counter(traffic.outcomes.values())
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()


async def fails_before_the_login_is_committed(directory: Path, new_phones: NewPhones) -> None:
    """The login that is killed has failed, and the next one succeeds."""
    async with sandbox() as platforms, receiver() as inbox:
        phones, port = new_phones(platforms), free_port()
        more = endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(directory, port=port, more=more), port, SCRIPT)
        await process.start_with({"DIE_AT": "before login 1"})
        try:
            id_ = await log_in(process, phones)
            assert await process.ended() == -signal.SIGKILL
            await process.start()
            # An import begins nothing that is durable.
            unfinished = "pending_auth" if isinstance(phones, Browsers) else "failed"
            auth = await process.client.until(
                lambda a: a["status"] in ("authorized", unfinished), f"/v1/accounts/{id_}/auth"
            )
            assert auth["status"] == unfinished
            assert isinstance(phones, Browsers) or auth["last_error"] == "login_interrupted"
            await link(process, phones, id_)
            await running(process, id_)
            phones.write(phones.customers[0], "hello")
            await inbox.until(lambda: [e["text"] for e in inbox.of("message.received")] == ["hello"])
            assert len({event["id"] for event in inbox.of("account.auth.succeeded")}) == 1
            assert await process.stop() == 0
        finally:
            await process.kill()


def lives(rng: random.Random) -> list[str]:
    """At which of its commits each process kills itself, in a random order; by default at half of them."""
    moments = [(when, what) for when in ("before", "after") for what in POINTS] * KILLS
    rng.shuffle(moments)
    if not KILLS:
        moments = [("before", "receive"), ("after", "receive"), ("before", "outcome"), ("after", "sending")]
    return [f"{when} {what} {rng.randint(1, LATEST)}" for when, what in moments]


def judge(traffic: Traffic, inbox: Receiver) -> None:
    told: dict[str, str] = {}  # event id -> text, in the order of the first deliveries
    for event in inbox.of("message.received"):
        told.setdefault(event["id"], event["text"])
    for written in traffic.written.values():
        of_customer = set(written)
        assert [text for text in told.values() if text in of_customer] == written
    sent = Counter(traffic.phones.sent())
    assert [text for text, count in sent.items() if count > 1] == []
    for text, outcome in traffic.outcomes.items():
        if outcome == "sent":
            assert sent[text] == 1, f"{text}: sent, and not there"
        if outcome == "not_sent":
            assert sent[text] == 0, f"{text}: not sent, and there"


async def log_in(process: Process, phones: Phones) -> str:
    """A new account whose login the owner confirms; its id."""
    with trio.fail_after(20):
        while not await ready(process):
            await trio.sleep(0.02)
    mode = "session" if isinstance(phones, Browsers) else "qrcode"
    body = {"provider": phones.provider, "auth_mode": mode}
    id_ = str((await process.client.data("POST", "/v1/accounts", body))["id"])
    await link(process, phones, id_)
    return id_


async def link(process: Process, phones: Phones, account_id: str) -> None:
    if isinstance(phones, Browsers):
        given, path = await phones.exported(), f"/v1/accounts/{account_id}/auth/session"
        with contextlib.suppress(httpx.TransportError):  # it dies at the login's commit
            await process.client("POST", path, given)
        return
    await process.client.data("POST", f"/v1/accounts/{account_id}/auth/qr/start")
    shown: Any = await process.client.until(
        lambda auth: auth.get("auth_payload", {}).get("qr_code"), f"/v1/accounts/{account_id}/auth"
    )
    phones.scan(shown["auth_payload"]["qr_code"])


async def running(process: Process, account_id: str) -> None:
    await process.client.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account_id}", 30)


async def ready(process: Process) -> bool:
    try:
        return (await process.client.http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False

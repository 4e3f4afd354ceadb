"""kill -9 before and after each commit of a connection with ratchets, under traffic both ways.

Its peer never sees a key used for two messages, keys are skipped only by sends that ended without success,
and both directions go on after each kill.
"""

import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.reference.ratchet.channel import CHANNEL
from tests.reference.ratchet.platform import Peer, RatchetPlatform
from unifyport.providers.registry import Registry

pytestmark = pytest.mark.chaos

FULL = os.environ.get("CHAOS") == "full"
KILLS = 50 if FULL else 1  # before, and after, each of the commits
COMMITS = ("accept", "sending", "outcome", "receive", "repeat")  # see `dying_server.py`
SCRIPT = Path(__file__).with_name("dying_server.py")
ACCOUNT = '\n[[accounts]]\nname = "me"\nprovider = "zalo"\ncredentials = { token = "token-of-me" }\n'
QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "200ms" }\nmax_restarts = 1000\n'
CHATS = ("anna", "bert", "carl")
LATEST = 4  # of the commits of a kind, the one at which it dies
SENDERS = 5


@attrs.define
class Traffic:
    """What was written to the account, and what callers know of their sends."""

    platform: RatchetPlatform
    process: Process
    rng: random.Random
    written: list[str] = attrs.field(factory=list)
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> outcome; `""`: the caller was cut off
    over: bool = False

    async def write(self) -> None:
        """Customers write, also while the gateway is down."""
        while not self.over:
            if "me" in self.platform.users:
                self.written.append(f"in {len(self.written)}")
                order = {"to": "me", "from": self.rng.choice(CHATS), "text": self.written[-1]}
                self.platform.receive(order)
            await trio.sleep(0.02)

    async def send(self, number: int, account_id: str) -> None:
        """A caller sends one text after another."""
        for count in range(100_000):
            if self.over:
                return
            text = f"out {number} {count}"
            self.outcomes[text] = await self.outcome(account_id, text, self.rng.choice(CHATS))

    async def outcome(self, account_id: str, text: str, chat: str) -> str:
        body = {
            "account_id": account_id,
            "to": {"id": chat, "type": "user"},
            "message": {"type": "text", "text": text},
        }
        try:
            answer = await self.process.client("POST", "/v1/messages", body)
        except httpx.TransportError:
            await trio.sleep(0.05)
            return ""
        if answer.is_success:
            return "sent"
        return str(answer.json()["error"].get("outcome", "not_sent"))

    def peers(self) -> dict[str, Peer]:
        return self.platform.users["me"].peers


def lives(rng: random.Random) -> list[str]:
    """At which of its commits each process kills itself, in a random order of the kinds."""
    moments = [(when, what) for when in ("before", "after") for what in COMMITS] * KILLS
    rng.shuffle(moments)
    ends: list[str] = []
    for when, what in moments:
        if what == "repeat":  # there is one to come only after a process that has not acknowledged it
            ends += ["after receive 1", f"{when} repeat 1"]
        else:
            ends.append(f"{when} {what} {rng.randint(1, LATEST)}")
    return ends


async def live(process: Process, ends: list[str]) -> None:
    """Start the gateway again and again; each time it kills itself at one of its commits."""
    for end in ends:
        await process.start_with({"DIE_AT": end})
        assert await process.ended() == -signal.SIGKILL, f"it did not come to its commit {end!r}"


def judge(traffic: Traffic, inbox: Receiver) -> None:
    assert traffic.platform.violations == []
    assert [ref for ref, count in traffic.platform.refs.items() if count > 1] == []
    received = Counter(event["text"] for event in inbox.of("message.received"))
    assert set(received) == set(traffic.written)
    read = Counter(text for peer in traffic.peers().values() for text in peer.texts)
    assert [text for text, count in read.items() if count > 1] == []
    for text, outcome in traffic.outcomes.items():
        if outcome == "sent":
            assert read[text] == 1, f"{text}: sent, and not there"
        if outcome == "not_sent":
            assert read[text] == 0, f"{text}: not sent, and there"
    skipped = sum(max(peer.used) + 1 - len(peer.used) for peer in traffic.peers().values() if peer.used)
    without_success = sum(outcome != "sent" for outcome in traffic.outcomes.values())
    assert skipped <= without_success


async def test_no_key_is_used_twice_and_both_directions_go_on(tmp_path: Path) -> None:
    rng = random.Random(11)
    ends = lives(rng)
    registry = Registry([CHANNEL])
    async with sandbox(registry) as platforms, receiver() as inbox:
        platform: Any = platforms.sandbox.platforms["zalo"]
        port = free_port()
        more = ACCOUNT + endpoint(inbox.url) + platforms.sandbox.config() + QUICK
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        traffic = Traffic(platform, process, rng)
        await process.start()
        try:
            await inbox.until(lambda: bool(inbox.of("account.started")))
            [account] = await process.client.data("GET", "/v1/accounts")
            await process.kill()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(traffic.write)
                for number in range(SENDERS):
                    nursery.start_soon(traffic.send, number, account["id"])
                await live(process, ends)
                await process.start()
                with trio.move_on_after(1):  # both directions go on
                    await trio.sleep_forever()
                traffic.over = True
            await inbox.until(
                lambda: {e["text"] for e in inbox.of("message.received")} == set(traffic.written), 60
            )
            for chat in CHATS:
                assert await traffic.outcome(account["id"], f"last to {chat}", chat) == "sent"
                traffic.outcomes[f"last to {chat}"] = "sent"
            judge(traffic, inbox)
            assert len(traffic.outcomes) > len(ends)
            assert "Traceback" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            await process.kill()

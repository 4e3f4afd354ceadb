"""A personal account of Telegram under many updates, while its connection is cut and its process is killed.

Updates that the server records but does not push, and such as it pushes twice, are mixed in. Nothing is
lost, nothing is told under two ids, and each chat keeps its order.
"""

import contextlib
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import Process, Receiver, endpoint, free_port, receiver, sandbox, write_config
from tests.linked_world import ALL, QUICK
from tests.telegram_world import APP, SHOP
from unifyport.sandbox.telegram.user.customers import bot_id
from unifyport.sandbox.telegram.user.directory import Channel, Chat, Person
from unifyport.sandbox.telegram.user.platform import UserPlatform
from unifyport.sandbox.telegram.user.posts import Post

pytestmark = pytest.mark.chaos

FULL = os.environ.get("CHAOS") == "full"
UPDATES, KILLS, CUTS = (10_000, 12, 60) if FULL else (800, 2, 8)
PEOPLE, GROUPS, CHANNELS = 40, 10, 5
SCRIPT = Path(__file__).with_name("telegram_user_server.py")
POINTS = ("accept", "sending", "outcome", "receive")
ROUNDS = 10 if FULL else 1


@attrs.define
class Rig:
    platform: UserPlatform
    inbox: Receiver
    process: Process
    shop: Person
    account_id: str = ""

    async def log_in(self) -> None:
        """By a code."""
        client = self.process.client
        data = {**APP, "phone": f"+{SHOP}"}
        body = {"provider": "telegram", "auth_mode": "code", "provider_data": data}
        self.account_id = (await client.data("POST", "/v1/accounts", body))["id"]
        path = f"/v1/accounts/{self.account_id}/auth"
        await client.data("POST", f"{path}/start")
        await client.until(lambda auth: auth["status"] == "awaiting_code", path)
        await client.data("POST", f"{path}/code", {"code": self.platform.logins.codes[SHOP].value})
        await self.running()

    async def running(self) -> None:
        path = f"/v1/accounts/{self.account_id}"
        await self.process.client.until(lambda a: a["runtime_status"] == "running", path, 30)


@contextlib.asynccontextmanager
async def rig(directory: Path) -> AsyncIterator[Rig]:
    async with sandbox() as platforms, receiver() as inbox:
        platform = platforms.sandbox.platforms["telegram-user"]
        assert isinstance(platform, UserPlatform)
        port = free_port()
        more = endpoint(inbox.url, events=ALL) + platforms.sandbox.config() + QUICK
        process = Process(write_config(directory, port=port, more=more), port, SCRIPT)
        shop = platform.account(SHOP, "Shop")
        await process.start(60)
        try:
            found = Rig(platform, inbox, process, shop)
            await found.log_in()
            yield found
        finally:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                await process.kill()


@attrs.define
class Traffic:
    """What happens at the platform. `told`: what the account has to be told, by conversation."""

    rig: Rig
    rng: random.Random
    chats: list[Chat] = attrs.field(factory=list)
    told: dict[str, list[Post]] = attrs.field(factory=lambda: defaultdict(list))

    def populate(self) -> None:
        platform, shop = self.rig.platform, self.rig.shop
        people = [platform.account(f"6581{number:06}", f"Customer {number}") for number in range(PEOPLE)]
        self.chats += people
        for number in range(GROUPS):
            members = [people[number], shop, *people[20:23]]
            self.chats.append(platform.members.make_group(f"Group {number}", members))
        for number in range(CHANNELS):
            members = [people[number], shop]
            megagroup = number % 2 == 0
            self.chats.append(
                platform.members.make_channel(f"Channel {number}", members, megagroup=megagroup)
            )

    def step(self, number: int) -> None:
        """One more update: mostly a message, now and then an edit, a deletion or a reading."""
        chat = self.rng.choice(self.chats)
        posts = self.told[str(bot_id(chat))]
        kind = self.rng.random()
        if kind < 0.8 or not posts:
            self.write(chat, f"{number}")
        elif kind < 0.9:
            post = self.rng.choice(posts[-20:])
            if not post.deleted_for:
                post.text = f"{number} edited"
                post.edit_date = self.rig.platform.server.now
                self.rig.platform.delivery.edited(post)
        elif kind < 0.95:
            self.delete(self.rng.choice(posts[-20:]))
        elif not isinstance(chat, Channel):
            self.rig.platform.reading.read(self.rig.shop, chat, self.rig.shop.last_post)

    def write(self, chat: Chat, text: str) -> None:
        if isinstance(chat, Person):
            post = self.rig.platform.customers.write(chat, self.rig.shop, text)
        else:
            post = self.rig.platform.customers.write(next(iter(chat.members)), chat, text)
        self.told[str(bot_id(chat))].append(post)

    def delete(self, post: Post) -> None:
        if post.deleted_for:
            return
        changes = self.rig.platform.changes
        if isinstance(post.chat, Channel):
            changes.delete_in_channel(post.chat, [post])
        else:
            assert isinstance(post.sender, Person)
            changes.delete([post], post.sender, everywhere=True)

    async def run(self) -> None:
        noise = self.rig.platform.server.noise
        cuts = set(self.rng.sample(range(UPDATES), CUTS))
        for number in range(UPDATES):
            if number in cuts:
                self.rig.platform.orders.obey({"do": "cut"})
            noise.gaps += self.rng.random() < 0.03
            noise.doubled += self.rng.random() < 0.03
            self.step(number)
            await trio.sleep(0.004)  # as people do, while it is cut and killed
        noise.clear()
        for chat in self.chats:
            self.write(chat, "last")


def number_of(post: Post, shop: Person) -> str:
    return str(post.number_for(shop))


def complaints(traffic: Traffic) -> list[str]:
    """What is missing so far, came under two ids, or came in another order than it was written in."""
    found = Told(traffic.rig.inbox)
    shop = traffic.rig.shop
    wrong = [f"two ids: {key}" for key, ids in found.ids.items() if len(ids) > 1]
    for chat, posts in traffic.told.items():
        wanted = [number_of(post, shop) for post in posts if not post.deleted_for]
        gone = {number_of(post, shop) for post in posts if post.deleted_for}
        got = [id for id in found.order[chat] if id not in gone]
        if got != wanted:
            missing = [id for id in wanted if id not in got]
            wrong.append(f"{chat}: missing {missing}" if missing else f"{chat}: order {got}")
        for post in posts:
            key = chat, number_of(post, shop)
            if not post.deleted_for:
                if key in found.ids and found.texts[key] != post.text:
                    wrong.append(f"{key}: {found.texts[key]!r}, it is {post.text!r}")
            elif key in found.ids and key not in found.deleted:
                wrong.append(f"{key}: it was deleted")
    return wrong


class Told:
    """What the account has been told."""

    def __init__(self, inbox: Receiver) -> None:
        self.ids: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.order: dict[str, list[str]] = defaultdict(list)
        self.texts: dict[tuple[str, str], str] = {}
        for event in inbox.of("message.received"):
            chat, number = key = event["conversation_id"], event["message_id"]
            if key not in self.ids:
                self.order[chat].append(number)
                self.texts[key] = event["text"]
            self.ids[key].add(event["id"])
        seen: set[str] = set()
        for event in inbox.of("message.updated"):
            if event["id"] not in seen:
                seen.add(event["id"])
                self.texts[event["conversation_id"], event["message_id"]] = event["text"]
        self.deleted = {
            (event["conversation_id"], id)
            for event in inbox.of("message.deleted")
            for id in [event["message_id"], *(event.get("message_ids") or [])]
        }


async def kill_at_random(traffic: Traffic) -> None:
    rig = traffic.rig
    for number in range(KILLS):
        aim = round(UPDATES * 0.8 * (number + traffic.rng.random()) / (KILLS + 1))
        with trio.move_on_after(60):
            await rig.inbox.until(lambda aim=aim: len(rig.inbox.of("message.received")) >= aim, 60)  # type: ignore[misc]
        await rig.process.kill()
        await rig.process.start(60)


async def test_updates_under_cuts_and_kills(tmp_path: Path) -> None:
    rng = random.Random(11)
    async with rig(tmp_path) as found:
        traffic = Traffic(found, rng)
        traffic.populate()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic.run)
            nursery.start_soon(kill_at_random, traffic)
        with trio.move_on_after(300 if FULL else 60):
            while complaints(traffic):
                await trio.sleep(0.3)  # the receiver tells of arrivals; this looks at all of them
        assert complaints(traffic) == []
        pushed = found.platform.server.noise.pushed
        assert min(pushed[0], pushed[2]) > UPDATES * 0.015, "the noise did not reach the account"
        assert "Traceback" not in found.process.log.read_text()


@attrs.define
class Sending:
    """Callers, and what they know of their sends."""

    rig: Rig
    rng: random.Random
    people: list[Person]
    outcomes: dict[str, str] = attrs.field(factory=dict)  # text -> outcome; `""`: the caller was cut off
    over: bool = False

    async def run(self, number: int) -> None:
        for count in range(100_000):
            if self.over:
                return
            text = f"out {number} {count}"
            self.outcomes[text] = await self.outcome(text)

    async def write(self) -> None:
        """Customers write meanwhile."""
        count = 0
        while not self.over:
            count += 1
            self.rig.platform.customers.write(self.rng.choice(self.people), self.rig.shop, f"in {count}")
            await trio.sleep(0.03)

    async def outcome(self, text: str) -> str:
        to = {"id": str(self.rng.choice(self.people).id), "type": "user"}
        message = {"type": "text", "text": text}
        body = {"account_id": self.rig.account_id, "to": to, "message": message}
        try:
            answer = await self.rig.process.client("POST", "/v1/messages", body)
        except httpx.TransportError:
            await trio.sleep(0.05)
            return ""
        if answer.is_success:
            return "sent"
        return str(answer.json()["error"].get("outcome", "not_sent"))


async def test_a_send_is_made_once_whenever_it_is_killed(tmp_path: Path) -> None:
    rng = random.Random(12)
    moments = [(when, what) for when in ("before", "after") for what in POINTS] * ROUNDS
    rng.shuffle(moments)
    async with rig(tmp_path) as found:
        people = [found.platform.account(f"658200000{number}", f"Customer {number}") for number in range(3)]
        for person in people:
            found.platform.customers.write(person, found.shop, "hello")
        await found.inbox.until(lambda: len(found.inbox.of("message.received")) == len(people))
        await found.process.kill()
        sending = Sending(found, rng, people)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sending.write)
            for number in range(3):
                nursery.start_soon(sending.run, number)
            for when, what in moments:
                await found.process.start_with({"DIE_AT": f"{when} {what} {rng.randint(1, 3)}"})
                assert await found.process.ended() == -signal.SIGKILL, f"it did not come to {when} {what}"
            await found.process.start(60)
            with trio.move_on_after(1):  # both directions go on
                await trio.sleep_forever()
            sending.over = True
        await found.running()
        sent = Counter(post.text for post in found.shop.sent.values())
        assert [text for text, count in sent.items() if count > 1] == []
        for text, outcome in sending.outcomes.items():
            if outcome in ("sent", "not_sent"):
                assert sent[text] == (outcome == "sent"), f"{text}: {outcome}"
        assert "sent" in sending.outcomes.values()
        echoes = [event for event in found.inbox.of("provider.event") if is_echo(event)]
        assert echoes == [], "our own sends are no echoes"
        assert "Traceback" not in found.process.log.read_text()


def is_echo(event: dict[str, Any]) -> bool:
    return bool(event["data"]["event"]["name"] == "message_echo")

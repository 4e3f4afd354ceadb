"""The relay, judged by clients that this project did not write, with our phones and with each other."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

from tests.relay_client import ALICE, BOB
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message
from unifyport.sandbox.whatsapp.device.directory import Account
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

from . import device_peers as peers

pytestmark = pytest.mark.interop
CAROL = "6593330003"


@attrs.frozen
class Pair:
    """Two linked clients that write to each other: `a` is a device of `alice`, `b` is one of `bob`."""

    platform: DevicePlatform
    alice: Account
    bob: Account
    a: peers.Client
    b: peers.Client

    @property
    def ways(self) -> list[tuple[peers.Client, peers.Client, Account, Account]]:
        """For each direction: who writes, who reads, the reader's account, the writer's account."""
        return [(self.a, self.b, self.bob, self.alice), (self.b, self.a, self.alice, self.bob)]


@contextlib.asynccontextmanager
async def _pair(directory: Path) -> AsyncIterator[Pair]:
    """Baileys and whatsmeow."""
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE), platform.account(BOB)
        async with (
            peers.linked(platform, "baileys", directory / "a", alice) as a,
            peers.linked(platform, "whatsmeow", directory / "b", bob) as b,
        ):
            yield Pair(platform, alice, bob, a, b)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", peers.KINDS)
async def test_a_client_talks_with_a_phone(kind: str, tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE, name="Alice"), platform.account(BOB, name="Bob")
        phone, own = platform.phones[bob], platform.phones[alice]
        async with peers.linked(platform, kind, tmp_path / kind, alice) as client:
            id = phone.write(alice, Message(conversation="xin chào"))
            told = await client.event("message", id=id)
            assert told["text"] == "xin chào"
            sent = await client.ask("text", to=str(bob.lid_jid), text="chào bạn")
            assert [(read.id, peers.text_of(read.message)) for read in phone.read] == [
                (sent["id"], "chào bạn")
            ]
            assert [(read.id, read.echo) for read in own.read if read.echo] == [(sent["id"], True)]
            assert phone.broken == []
            phone.acknowledge(phone.read[0], "read")
            await client.event("receipt", type="read")


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_a_client_is_linked_by_a_code(kind: str, tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account(ALICE)
        async with peers.client(platform, kind, tmp_path / kind) as client:
            await client.event("qr")
            code = await client.ask("code", phone=ALICE)
            await peers.until(lambda: _in_stage(platform, "companion_hello"))
            await platform.relay.pairing.enter_code(code, alice)
            await client.event("open")
            assert len(alice.companions) == 1


@pytest.mark.usefixtures("whatsmeow")
async def test_a_wrong_code_links_nothing(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account(ALICE)
        async with peers.client(platform, "whatsmeow", tmp_path) as client:
            await client.event("qr")
            await client.ask("code", phone=ALICE)
            await platform.relay.pairing.enter_code("ABCDEFGH", alice)
            await peers.until(lambda: _in_stage(platform, "companion_finish"))
            assert alice.companions == []


def _in_stage(platform: DevicePlatform, stage: str) -> bool:
    """Whether a device that is linked by a code has come that far."""
    nodes = [node.child("link_code_companion_reg") for _, node in platform.relay.seen]
    return any(node.get("stage") == stage for node in nodes if node is not None)


PAIRS = [("baileys", "whatsmeow"), ("pyaileys", "whatsmeow"), ("baileys", "pyaileys")]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("pair", PAIRS)
async def test_clients_of_others_talk_with_each_other(pair: tuple[str, str], tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE, name="Alice"), platform.account(BOB, name="Bob")
        async with (
            peers.linked(platform, pair[0], tmp_path / "a", alice) as a,
            peers.linked(platform, pair[1], tmp_path / "b", bob) as b,
        ):
            for number in range(10):
                await a.ask("text", to=str(bob.lid_jid), text=f"{number} from a")
                assert (await b.event("message"))["text"] == f"{number} from a"
                await b.ask("text", to=str(alice.lid_jid), text=f"{number} from b")
                assert (await a.event("message"))["text"] == f"{number} from b"


@pytest.mark.usefixtures("baileys", "pyaileys", "whatsmeow")
async def test_a_group_of_all_clients_with_a_member_who_joins_late(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob, carol = (platform.account(phone) for phone in (ALICE, BOB, CAROL))
        async with (
            peers.linked(platform, "baileys", tmp_path / "a", alice) as a,
            peers.linked(platform, "whatsmeow", tmp_path / "b", bob) as b,
            peers.linked(platform, "pyaileys", tmp_path / "c", carol) as c,
        ):
            group = await a.ask("group", subject="Lunch", members=[str(bob.lid_jid)])
            to = group["id"]
            await a.ask("text", to=to, text="one")
            await b.event("message", text="one")
            await b.ask("text", to=to, text="two")
            await a.event("message", text="two")
            platform.push({"do": "join", "group": to, "phone": CAROL})
            await a.event("group")
            await b.event("group")
            await a.ask("text", to=to, text="three")
            await b.event("message", text="three")
            await b.ask("text", to=to, text="four")
            # pyaileys opens the key and the message of one stanza side by side, and loses that message.
            await c.event("message", kind="key", **{"from": str(bob.devices[1].lid_jid)})
            await b.ask("text", to=to, text="five")
            await c.event("message", text="five")
            phones = [platform.phones[each] for each in (alice, bob, carol)]
            assert [phone.broken for phone in phones] == [[], [], []]


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_files_from_baileys_to_whatsmeow_and_back(tmp_path: Path) -> None:
    content = bytes(range(256)) * 500
    (tmp_path / "file").write_bytes(content)
    async with _pair(tmp_path) as p:
        for kind in ("image", "video", "voice", "document", "sticker"):
            for here, there, to, _ in p.ways:
                file = str(tmp_path / "file")
                await here.ask("media", to=str(to.lid_jid), kind=kind, path=file, text="look")
                told = await there.event("message", kind=kind)
                got = await there.ask("download", id=told["id"])
                assert got == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_a_message_is_sent_again_after_a_session_is_lost(tmp_path: Path) -> None:
    async with _pair(tmp_path) as p:
        for here, there, to, forgotten in p.ways:
            await here.ask("text", to=str(to.lid_jid), text="before")
            await there.event("message", text="before")
            await there.ask("text", to=str(forgotten.lid_jid), text="answer")
            await here.event("message", text="answer")
            await there.ask("forget", to=str(forgotten.lid_jid))
            await here.ask("text", to=str(to.lid_jid), text="after")
            await there.event("message", text="after")


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_200_messages_each_way_in_bursts(tmp_path: Path) -> None:
    """One way after the other: both clients use keys twice when they encrypt and decrypt at the same time."""
    async with _pair(tmp_path) as p:
        for here, there, to, _ in p.ways:
            await _burst(here, str(to.lid_jid))
            texts = {(await there.event("message"))["text"] for _ in range(200)}
            assert texts == {f"message {number}" for number in range(200)}
        assert [event for event in p.a.all + p.b.all if event["event"] == "undecryptable"] == []


async def _burst(client: peers.Client, to: str) -> None:
    for number in range(200):
        await client.ask("text", to=to, text=f"message {number}")


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_the_kind_of_address_is_checked(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account(ALICE, lid_addressed=False)
        bob = platform.account(BOB)
        async with peers.linked(platform, "whatsmeow", tmp_path, alice) as client:
            with pytest.raises(peers.Failed, match="400"):
                await client.ask("text", to=str(bob.lid_jid), text="by LID")
            assert [sent.error for sent in platform.relay.messages.sent] == [400]
        async with peers.linked(platform, "baileys", tmp_path / "b", bob) as client:
            sent = await client.ask("text", to=str(alice.phone_jid), text="by number")
            assert (await client.event("refused", id=sent["id"]))["code"] == "463"


@pytest.mark.usefixtures("whatsmeow")
async def test_a_stranger_is_reached_with_a_token_only(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account(ALICE, tokens_required=True)
        bob = platform.account(BOB)
        async with peers.linked(platform, "whatsmeow", tmp_path, alice) as client:
            with pytest.raises(peers.Failed, match="463"):
                await client.ask("text", to=str(bob.lid_jid), text="without a token")
            platform.push({"do": "token", "from": BOB, "to": ALICE})
            while not await client.ask("tokens"):
                await trio.sleep(0.01)
            await client.ask("text", to=str(bob.lid_jid), text="with a token")
            assert [peers.text_of(read.message) for read in platform.phones[bob].read] == ["with a token"]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_what_came_while_a_device_was_away_is_kept_in_order(kind: str, tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE), platform.account(BOB)
        async with peers.linked(platform, kind, tmp_path, alice) as client:
            await client.ask("disconnect")
            await peers.until(lambda: alice.devices[1].receiver is None)
            for number in range(250):
                platform.receive({"from": BOB, "to": ALICE, "text": str(number)})
            await client.ask("connect")
            await client.event("open")
            texts = [(await client.event("message"))["text"] for _ in range(250)]
            assert texts == [str(number) for number in range(250)]
            await peers.until(lambda: not len(alice.devices[1].pending))
            assert bob.devices[0].pending.held_back == []


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_own_devices_see_what_each_sends(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE), platform.account(BOB)
        async with (
            peers.linked(platform, "baileys", tmp_path / "1", alice) as first,
            peers.linked(platform, "whatsmeow", tmp_path / "2", alice) as second,
        ):
            for here, there in ((first, second), (second, first)):
                sent = await here.ask("text", to=str(bob.lid_jid), text="from an own device")
                told = await there.event("message", id=sent["id"])
                assert (told["from_me"], told["chat"]) == (True, str(bob.lid_jid))
            platform.receive({"from": ALICE, "to": BOB, "text": "from the phone"})
            for client in (first, second):
                assert (await client.event("message", text="from the phone"))["from_me"]
            assert platform.phones[bob].broken == []


@pytest.mark.usefixtures("baileys", "whatsmeow")
async def test_reactions_edits_and_deletions(tmp_path: Path) -> None:
    async with _pair(tmp_path) as p:
        for here, there, to, back in p.ways:
            sent = await here.ask("text", to=str(to.lid_jid), text="first")
            await there.event("message", id=sent["id"])
            at = {"to": str(back.lid_jid), "from": str(back.lid_jid)}
            await there.ask("react", **at, id=sent["id"], text="👍")
            told = await here.event("message", kind="reaction")
            assert (told["target"], told["text"]) == (sent["id"], "👍")
            await here.ask("edit", to=str(to.lid_jid), id=sent["id"], text="second")
            told = await there.event("message", kind="edit")
            assert (told["target"], told["text"]) == (sent["id"], "second")
            await here.ask("revoke", to=str(to.lid_jid), id=sent["id"])
            assert (await there.event("message", kind="revoke"))["target"] == sent["id"]


@pytest.mark.usefixtures("whatsmeow")
async def test_prekeys_run_out_and_are_offered_again(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account(ALICE)
        async with peers.linked(platform, "whatsmeow", tmp_path, alice) as client:
            device = alice.devices[1]
            platform.push({"do": "drop_prekeys", "phone": ALICE})
            assert not device.prekeys
            platform.receive({"from": BOB, "to": ALICE, "text": "without a one-time key"})
            await client.event("message", text="without a one-time key")
            await peers.until(lambda: len(device.prekeys) >= 50)
            first = device.prekeys[0]
            platform.receive({"from": CAROL, "to": ALICE, "text": "with one"})
            await client.event("message", text="with one")
            assert first not in device.prekeys

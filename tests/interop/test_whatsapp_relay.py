"""The relay, judged by clients that this project did not write, with our phones and with each other."""

import hashlib
from pathlib import Path

import pytest

from unifyport.protocols.whatsapp.whatsapp_pb2 import Message
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

from . import device_peers as peers

pytestmark = pytest.mark.interop
KINDS = ("baileys", "whatsmeow", "pyaileys")
ALICE, BOB, CAROL = "6591110001", "6592220002", "6593330003"


@pytest.mark.parametrize("kind", KINDS)
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
            await c.event("message", kind="key")
            await b.ask("text", to=to, text="five")
            await c.event("message", text="five")
            phones = [platform.phones[each] for each in (alice, bob, carol)]
            assert [phone.broken for phone in phones] == [[], [], []]


@pytest.mark.parametrize("kind", ["image", "video", "voice", "document", "sticker"])
async def test_files_from_baileys_to_whatsmeow_and_back(kind: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 500
    (tmp_path / "file").write_bytes(content)
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE), platform.account(BOB)
        async with (
            peers.linked(platform, "baileys", tmp_path / "a", alice) as a,
            peers.linked(platform, "whatsmeow", tmp_path / "b", bob) as b,
        ):
            for here, there, to in ((a, b, bob), (b, a, alice)):
                await here.ask(
                    "media", to=str(to.lid_jid), kind=kind, path=str(tmp_path / "file"), text="look"
                )
                told = await there.event("message", kind=kind)
                got = await there.ask("download", id=told["id"])
                assert got == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


async def test_a_message_is_sent_again_after_a_session_is_lost(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice, bob = platform.account(ALICE), platform.account(BOB)
        async with (
            peers.linked(platform, "baileys", tmp_path / "a", alice) as a,
            peers.linked(platform, "whatsmeow", tmp_path / "b", bob) as b,
        ):
            for here, there, to, forgotten in ((a, b, bob, alice), (b, a, alice, bob)):
                await here.ask("text", to=str(to.lid_jid), text="before")
                await there.event("message", text="before")
                await there.ask("text", to=str(forgotten.lid_jid), text="answer")
                await here.event("message", text="answer")
                await there.ask("forget", to=str(forgotten.lid_jid))
                await here.ask("text", to=str(to.lid_jid), text="after")
                await there.event("message", text="after")

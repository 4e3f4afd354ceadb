"""Clients of others at the sandbox's data centres: what they accept there is what ours may rely on."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from unifyport.sandbox.telegram.user.directory import Person
from unifyport.sandbox.telegram.user.platform import UserPlatform

from .device_peers import Client, Failed, until
from .telegram_peers import KINDS, centres, client, log_in, scan

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("telegram_clients")]

ANN, BEN, CAT = "6590000011", "6590000012", "6590000013"
PAIRS = [("telethon", "kurigram"), ("kurigram", "telethon")]


@attrs.define
class Pair:
    """Two clients that are logged in and know each other."""

    platform: UserPlatform
    ann: Client
    ben: Client
    ann_id: int
    ben_id: int


@contextlib.asynccontextmanager
async def pair(directory: Path, first: str, second: str, *, dc: int = 2) -> AsyncIterator[Pair]:
    """`dc`: the home of the second."""
    async with centres() as platform:
        platform.account(ANN, "Ann", username="ann")
        platform.account(BEN, "Ben", username="benny", dc=dc)
        async with (
            client(platform, first, directory / "ann") as ann,
            client(platform, second, directory / "ben", transport="obfuscated") as ben,
        ):
            ids = await log_in(platform, ann, ANN), await log_in(platform, ben, BEN)
            await ann.ask("resolve", name="benny")
            await ben.ask("resolve", name="ann")
            yield Pair(platform, ann, ben, *ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dc", [2, 4])
async def test_a_code_and_a_password(kind: str, dc: int, tmp_path: Path) -> None:
    """An account whose home is elsewhere is sent there."""
    async with centres() as platform:
        ann = platform.account(ANN, "Ann", password="sesame", dc=dc)
        async with client(platform, kind, tmp_path) as running:
            with pytest.raises(Failed, match=r"PHONE_CODE_INVALID|PhoneCodeInvalid"):
                await running.ask("send_code", phone=f"+{ANN}")
                await running.ask("sign_in", phone=f"+{ANN}", code="1")
            with pytest.raises(Failed, match=r"PASSWORD_HASH_INVALID|PasswordHashInvalid"):
                await log_in(platform, running, ANN, "wrong")
            assert await running.ask("password", password="sesame") == {"id": ann.id, "dc": dc}
            assert ann.authorizations[0].dc == dc


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dc", [2, 4])
async def test_a_qr_code(kind: str, dc: int, tmp_path: Path) -> None:
    async with centres() as platform:
        ann = platform.account(ANN, "Ann", dc=dc)
        async with client(platform, kind, tmp_path) as running:
            shown = await running.ask("qr")
            scan(platform, shown["url"], ann)
            assert await running.event("scanned") == {"event": "scanned", "id": ann.id, "dc": dc}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_qr_code_and_a_password(kind: str, tmp_path: Path) -> None:
    async with centres() as platform:
        ann = platform.account(ANN, "Ann", password="sesame")
        async with client(platform, kind, tmp_path) as running:
            shown = await running.ask("qr")
            scan(platform, shown["url"], ann)
            assert (await running.event("scanned"))["password"]
            assert (await running.ask("password", password="sesame"))["id"] == ann.id


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_what_is_said_and_done_in_a_private_chat(first: str, second: str, tmp_path: Path) -> None:
    async with pair(tmp_path, first, second, dc=4) as p:
        sent = await p.ann.ask("text", to=p.ben_id, text="hello <b>Ben</b>")
        told = await p.ben.event("message", text="hello Ben")
        assert (told["from"], told["chat"], told["out"]) == (p.ann_id, p.ann_id, False)
        assert len(told["entities"]) == 1
        answered = await p.ben.ask("text", to=p.ann_id, text="hi", reply_to=told["id"])
        answer = await p.ann.event("message", text="hi")
        assert answer["quoted"] == sent["id"]
        await p.ben.ask("read", to=p.ann_id, id=told["id"])
        await p.ann.event("read", max_id=sent["id"])
        await p.ben.ask("edit", to=p.ann_id, id=answered["id"], text="hi there")
        await p.ann.event("edited", id=answer["id"], text="hi there")
        await p.ann.ask("react", to=p.ben_id, id=answer["id"], text="👍")
        await p.ben.event("reactions", id=answered["id"], given=["👍"])
        await p.ann.ask("typing", to=p.ben_id)
        await p.ben.event("typing")
        await p.ben.ask("delete", to=p.ann_id, id=answered["id"])
        await p.ann.event("deleted", ids=[answer["id"]])


@pytest.mark.parametrize(("first", "second"), [*PAIRS, ("telethon", "telethon")])
async def test_files(first: str, second: str, tmp_path: Path) -> None:
    """Kurigram encrypts too slowly for a file of more than 10 MiB, which is uploaded in another way."""
    small = bytes(range(256)) * 200
    large = bytes(range(256)) * (48_000 if first == second else 600)
    async with pair(tmp_path, first, second) as p:
        for content, kind in ((small, "photo"), (small, "voice"), (large, "document")):
            path = tmp_path / {"photo": "a.jpg", "voice": "a.ogg", "document": "a.pdf"}[kind]
            path.write_bytes(content)
            await p.ann.ask("media", to=p.ben_id, path=str(path), kind=kind, text="look")
            told = await p.ben.event("message", kind=kind, text="look")
            digest = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            assert await p.ben.ask("download", chat=p.ann_id, id=told["id"]) == digest


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_on_another_data_centre(kind: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 800
    async with centres() as platform:
        _, ben = platform.account(ANN, "Ann"), platform.account(BEN, "Ben", username="benny")
        async with client(platform, kind, tmp_path) as running:
            await log_in(platform, running, ANN)
            file = platform.files.add(content, 4)
            platform.customers.write(ben, ANN, media=platform.files.document(file, "application/pdf", []))
            told = await running.event("message", kind="document")
            found = await running.ask("download", chat=ben.id, id=told["id"])
            assert found["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("order", ["group", "supergroup"])
async def test_groups(first: str, second: str, order: str, tmp_path: Path) -> None:
    async with pair(tmp_path, first, second) as p:
        group = (await p.ann.ask(order, title="Ops", people=[p.ben_id]))["id"]
        await p.ann.ask("text", to=group, text="one")
        told = await p.ben.event("message", text="one")
        assert (told["chat"], told["from"]) == (group, p.ann_id)
        await p.ben.ask("text", to=group, text="two")
        await p.ann.event("message", text="two", chat=group)
        await p.ann.ask("title", to=group, title="Operations")
        await p.ben.event("action", title="Operations")
        assert set(await p.ben.ask("members", chat=group)) == {p.ann_id, p.ben_id}


def is_connected(person: Person) -> bool:
    return any(session.link for each in person.authorizations for session in each.sessions.values())


async def test_telethon_misses_nothing(tmp_path: Path) -> None:
    """Updates that are not pushed, or are pushed twice; a channel's too; connections that are cut."""
    async with centres() as platform:
        ann, ben = platform.account(ANN, "Ann"), platform.account(BEN, "Ben")
        channel = platform.members.make_channel("News", [ben, ann], megagroup=True)
        async with client(platform, "telethon", tmp_path) as running:
            await log_in(platform, running, ANN)
            platform.customers.write(ben, ANN, "0")
            platform.customers.write(ben, channel, "c0")
            await running.event("message", text="0")
            await running.event("message", text="c0")
            for number in range(1, 40):
                match number % 4:
                    case 1:
                        platform.server.noise.gaps = 1
                    case 2:
                        platform.server.noise.doubled = 1
                    case 3 if number % 8 == 3:
                        platform.orders.obey({"do": "cut"})
                        await until(lambda: is_connected(ann))
                platform.customers.write(ben, ANN, f"{number}")
                platform.customers.write(ben, channel, f"c{number}")
            platform.customers.write(ben, ANN, "last")
            platform.customers.write(ben, channel, "last of the channel")
            await running.event("message", text="last")
            await running.event("message", text="last of the channel")
            texts = [told["text"] for told in running.all if told["event"] == "message"]
            for number in range(40):
                assert texts.count(f"{number}") == 1, number
                assert texts.count(f"c{number}") == 1, number

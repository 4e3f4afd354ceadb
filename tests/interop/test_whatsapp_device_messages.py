"""What our linked devices and clients of others say to each other, and do to what was said."""

import hashlib
from pathlib import Path

import pytest

from tests.device_world import SHOP

from .device_peers import KINDS
from .device_talk import MEI_CHAT, SHOP_CHAT, talk

pytestmark = pytest.mark.interop


THEIRS = ("image", "video", "voice", "document", "sticker")
OURS = {
    "image": ("shot.jpg", "image/jpeg"),
    "video": ("clip.mp4", "video/mp4"),
    "audio": ("song.mp3", "audio/mpeg"),
    "document": ("paper.pdf", "application/pdf"),
}
CONTENT = bytes(range(256)) * 500


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", KINDS)
async def test_files_both_ways(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    async with talk(kind, tmp_path) as t:
        for media in THEIRS:
            id = await t.ask("media", kind=media, path=str(tmp_path / "file"), text="look")
            event = await t.event("message.received", message_id=id)
            [attachment] = event["data"]["message"]["attachments"]
            response = await t.world.api("GET", attachment["url"])
            assert response.status_code == 200, response.text
            assert response.content == CONTENT

        for media, (name, mime_type) in OURS.items():
            key = await t.world.upload(CONTENT, name, mime_type)
            await t.send(message={"type": media, "file_key": key})
            told = await t.client.event("message", kind=media)
            assert await t.client.ask("download", id=told["id"]) == {"sha256": digest, "size": len(CONTENT)}


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_receipts_reactions_edits_and_deletions(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        await t.client.ask("available")
        ours = await t.send("first")
        await t.client.event("message", id=ours)
        await t.event("message.delivered", message_id=ours)
        await t.client.ask("read", to=t.shop, ids=[ours], **{"from": t.shop})
        await t.event("message.read", message_id=ours)
        await t.client.ask("react", to=t.shop, id=ours, text="👍", **{"from": t.shop})
        event = await t.event("message.reaction", target_message_id=ours)
        assert event["reaction"] == "👍"
        await t.world.act(SHOP, "edit", conversation_id=MEI_CHAT, message_id=ours, content="second")
        assert (await t.client.event("message", kind="edit", target=ours))["text"] == "second"
        await t.world.act(SHOP, "revoke", conversation_id=MEI_CHAT, message_id=ours)
        await t.client.event("message", kind="revoke", target=ours)

        theirs = await t.ask("text", text="from the client")
        await t.event("message.received", message_id=theirs)
        await t.world.read(SHOP, MEI_CHAT, theirs)
        await t.client.event("receipt", ids=[theirs], type="read")
        reaction = {"message_id": theirs, "sender_id": MEI_CHAT, "emoji": "🙏"}
        await t.world.act(SHOP, "reaction", conversation_id=MEI_CHAT, **reaction)
        assert (await t.client.event("message", kind="reaction", target=theirs))["text"] == "🙏"
        await t.ask("edit", id=theirs, text="edited")
        event = await t.event("message.updated", message_id=theirs)
        assert event["text"] == "edited"
        await t.ask("revoke", id=theirs)
        await t.event("message.deleted", message_id=theirs)


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_a_reply_and_a_mention(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        theirs = await t.ask("text", text="question")
        await t.event("message.received", message_id=theirs)
        ours = await t.send("answer", reply_to={"message_id": theirs})
        assert (await t.client.event("message", id=ours))["quoted"] == theirs
        quoted = {"id": ours, "from": t.shop, "text": "answer"}
        again = await t.ask("text", text="thanks", quoted=quoted, mentions=[t.shop])
        event = await t.event("message.received", message_id=again)
        assert event["data"]["message"]["reply_to_message_id"] == ours


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", ["baileys", "whatsmeow"])
async def test_a_message_is_sent_again_after_they_lost_the_session(kind: str, tmp_path: Path) -> None:
    async with talk(kind, tmp_path) as t:
        await t.send("before")
        await t.client.event("message", text="before")
        await t.ask("text", text="answer")
        await t.event("message.received", text="answer")
        await t.client.ask("forget", to=t.shop if kind == "whatsmeow" else SHOP_CHAT)
        await t.send("after")
        await t.client.event("message", text="after")
        await t.ask("text", text="and back")
        await t.event("message.received", text="and back")
        assert t.world.texts(SHOP) == ["answer", "and back"]


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize("kind", KINDS)
async def test_stanzas_over_64_kib(kind: str, tmp_path: Path) -> None:
    text = "ớ" * 30_000  # 90,000 bytes
    async with talk(kind, tmp_path) as t:
        id = await t.send(text)
        assert (await t.client.event("message", id=id))["text"] == text
        id = await t.ask("text", text=text)
        assert (await t.event("message.received", message_id=id))["text"] == text


@pytest.mark.usefixtures("baileys")
async def test_other_kinds_of_messages(tmp_path: Path) -> None:
    async with talk("baileys", tmp_path) as t:
        id = await t.ask("location", latitude=10.77, longitude=106.7)
        event = await t.event("message.received", message_id=id)
        assert event["message_type"] == "location"
        vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Tom\nTEL;type=CELL;waid=6590000003:+65 9000 0003\nEND:VCARD"
        id = await t.ask("contact", text="Tom", vcard=vcard)
        event = await t.event("message.received", message_id=id)
        assert event["message_type"] == "contact"
        id = await t.ask("poll", text="Lunch?", options=["phở", "cơm"])
        event = await t.event("message.received", message_id=id)
        assert "Lunch?" in event["text"]
        assert "phở" in event["text"]

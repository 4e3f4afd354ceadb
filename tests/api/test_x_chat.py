"""Encrypted messages of an account of X over the API v2: both ways, and what was missed."""

import base64
from pathlib import Path

import httpx
import pytest

from tests.api.x_chat_world import exported_keys, running_with_keys, told
from tests.api.x_world import APP, ME, MEI, x_world


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_what_was_not_reported_is_read(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, "") as world:
        data = {**APP, "refresh_token": "refresh-1111-seed", "chat_keys": exported_keys(world)}
        body = {"provider": "x", "receive": receive, "provider_data": data}
        world.id = (await world.api.data("POST", "/v1/accounts", body))["id"]
        await world.connected()
        await world.write("one", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["one"])
        emit, world.x.deliveries.emit = world.x.deliveries.emit, lambda *_, **__: None  # type: ignore[method-assign]
        for number in range(120):
            world.x.people.write(MEI, ME, f"missed {number}")
        world.x.deliveries.emit = emit  # type: ignore[method-assign]
        await world.write("last", encrypted=True)
        await world.inbox.until(lambda: len(world.texts()) == 122)
        missed = [text for text in world.texts() if text.startswith("missed")]
        assert missed == [f"missed {number}" for number in range(120)]


async def test_forged_events_are_quarantined_and_shown_to_nobody(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        await world.write("genuine", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["genuine"])
        event = world.x.chat.conversation(ME, MEI).events[-1]
        for old, new in ((MEI, ME), (MEI, "3333")):
            raw = base64.b64decode(event.encoded).replace(old.encode(), new.encode())
            payload = {
                "conversation_id": f"{ME}-{MEI}",
                "sender_id": MEI,
                "encoded_event": base64.b64encode(raw).decode(),
            }
            world.x.deliveries.emit("chat.received", ME, payload)
        await world.write("after", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["genuine", "after"])
        metrics = (await world.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 2" in metrics


async def test_commands_in_an_encrypted_conversation(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        written = await world.write("question", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["question"])
        theirs, path = written["message_id"], f"/v1/accounts/{world.id}"
        reply = await world.send(reply_to={"message_id": theirs}, message={"type": "text", "text": "answer"})
        ours = reply.json()["data"]["message_id"]
        target = {"account_id": world.id, "conversation_id": MEI}
        reacted = {**target, "message_id": theirs, "sender_id": MEI, "emoji": "\N{THUMBS UP SIGN}"}
        await world.api.data("POST", "/v1/messages/reaction", reacted)
        await world.api.data("POST", "/v1/messages/edit", {**target, "message_id": ours, "content": "better"})
        read = {"conversation_id": MEI, "message_id": theirs}
        await world.api.data("POST", f"{path}/conversations/read", read)
        await world.api.data("POST", "/v1/messages/revoke", {**target, "message_id": ours})
        told = [e.get("content", {}).get("content_type", e["type"]) for e in world.x.people.told(MEI, ME)]
        assert told[2:] == ["Text", "Reaction", "Edit", "MessageDeleted"]
        assert world.x.chat.conversation(ME, MEI).read[ME] == written["sequence_id"]
        people, place = world.x.people, world.x.chat.conversation(ME, MEI)
        people.react(MEI, place.events[2], "\N{PARTY POPPER}")
        people.edit(MEI, place.events[1], "another question")
        people.delete(MEI, place.events[1])
        await world.inbox.until(lambda: world.inbox.of("message.deleted"))
        assert world.inbox.of("message.reaction")[0]["target_message_id"] == ours
        assert world.inbox.of("message.updated")[0]["text"] == "another question"
        assert world.inbox.of("message.deleted")[0]["message_id"] == theirs
        assert not world.inbox.of("provider.event")


async def test_an_encrypted_group(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        for person in (MEI, "3333"):
            world.x.people.enrol(person)
        body = {"name": "Team", "members": [MEI, "3333"]}
        made = await world.api.data("POST", f"/v1/accounts/{world.id}/groups/create", body)
        group = next(value for value in made.values() if str(value).startswith("g"))
        assert world.x.chat.conversations[group].title == "Team"
        assert (await world.send(to=group, kind="group")).status_code == 200
        assert told(world, "3333", group) == ["hello"]
        await world.write("hi all", encrypted=True, conversation=group, **{"from": "3333"})
        await world.inbox.until(lambda: world.texts() == ["hi all"])
        [event] = world.inbox.of("message.received")
        assert (event["conversation_id"], event["conversation_type"], event["from"]) == (
            group,
            "group",
            "3333",
        )


async def test_a_lost_answer_is_settled_by_the_report(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        await world.order("faults", kind="lost_answer", method="chat_messages")
        answer = await world.send()
        assert answer.status_code >= 500
        await world.inbox.until(lambda: world.inbox.of("message.status.updated"))
        assert told(world) == ["hi", "hello"]


async def test_files_both_ways(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        content = b"picture" * 100_000
        media = {"type": "image", "content": base64.b64encode(content).decode(), "name": "a.jpg"}
        await world.write("look", encrypted=True, media=media)
        await world.inbox.until(lambda: world.inbox.of("message.received"))
        [event] = world.inbox.of("message.received")
        [attachment] = event["data"]["message"]["attachments"]
        async with httpx.AsyncClient() as client:
            fetched = await client.get(attachment["url"])
        assert fetched.content == content
        stored = await world.api("POST", "/v1/media", files={"file": ("back.jpg", content)})
        key = stored.json()["data"]["file_key"]
        answer = await world.send(message={"type": "image", "file_key": key, "caption": "back"})
        assert answer.status_code == 200, answer.text
        told = world.x.people.told(MEI, ME)[-1]
        [file] = told["attachments"]
        assert world.x.people.file(MEI, ME, file["media_hash_key"], told["key_version"]) == content


async def test_a_key_that_another_device_has_replaced_is_fetched(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await running_with_keys(world)
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        emit, world.x.deliveries.emit = world.x.deliveries.emit, lambda *_, **__: None  # type: ignore[method-assign]
        world.x.people.rotate(MEI, ME)
        world.x.deliveries.emit = emit  # type: ignore[method-assign]
        assert (await world.send()).status_code == 200
        assert told(world) == ["hi", "hello"]


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_a_message_whose_keys_cannot_be_had_now_is_read_later(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, "") as world:
        keys = exported_keys(world)
        data = {**APP, "refresh_token": "refresh-1111-seed", "chat_keys": keys}
        body = {"provider": "x", "receive": receive, "provider_data": data}
        world.id = (await world.api.data("POST", "/v1/accounts", body))["id"]
        await world.connected()
        await world.write("one", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["one"])
        await world.order("faults", kind="error_500", method="public_keys", count=1)
        await world.write("two", encrypted=True, **{"from": "3333"})
        await world.inbox.until(lambda: world.texts() == ["one", "two"])
        assert world.x.faults.next("public_keys", "error_500") is None  # the keys were refused once

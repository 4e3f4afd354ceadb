"""Encrypted messages of an account of X over the API v2: keys, both ways, and what was missed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_x_login import agree, ask, create, status
from tests.api.x_world import ME, MEI, World, x_world

PASSCODE = "7391"


async def _locked(world: World, user: str = ME, passcode: str = PASSCODE) -> None:
    """The user has set XChat up in X's app, behind a passcode."""
    await world.x.people.keep_in_realms(user, passcode)


async def _asked_for_passcode(world: World) -> int:
    shown = await status(world, "awaiting_password")
    return int(shown["auth_payload"]["ask_passcode"]["guesses_left"])


async def _give(world: World, passcode: str, **more: Any) -> Any:
    return await world.api("POST", f"/v1/accounts/{world.id}/auth/password", {"password": passcode, **more})


async def _unlocked(world: World) -> None:
    await _locked(world)
    await create(world)
    await agree(world, await ask(world))
    await _asked_for_passcode(world)
    assert (await _give(world, PASSCODE)).status_code == 200
    await status(world, "authorized")
    await world.connected()


def _told(world: World, user: str = MEI, place: str = ME) -> list[str]:
    events = world.x.people.told(user, place)
    return [event["content"]["text"] for event in events if "text" in event.get("content", {})]


async def test_the_passcode_opens_messages_both_ways_and_is_asked_for_once(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _unlocked(world)
        await world.write("xin chào", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["xin chào"])
        [event] = world.inbox.of("message.received")
        assert (event["conversation_id"], event["message_type"]) == (MEI, "text")
        sent = (await world.send()).json()["data"]
        assert _told(world) == ["xin chào", "hello"]
        assert sent["message_id"] == world.x.chat_api.sent[0]["message_id"]
        asked = world.x.chat.realms.asked.copy()
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.connected()
        await world.write("again", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["xin chào", "again"])
        assert world.x.chat.realms.asked == asked  # no realm is asked again
        assert not world.inbox.of("provider.event")  # our own message is no echo


async def test_a_wrong_passcode_counts_down_and_stops(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _locked(world)
        await create(world)
        for left in (20, 19):
            await agree(world, await ask(world))
            assert await _asked_for_passcode(world) == left
            await _give(world, "1111")
            failed = await status(world, "failed")
            assert failed["last_error"] == "invalid_passcode"
            assert failed["auth_payload"]["guesses_left"] == left - 1
        assert world.x.chat.realms.asked["Recover2"] == 2 * 3  # three realms, once each
        version = world.x.chat.keys_of(ME)[-1].version
        world.x.chat.realms.use_guesses(ME, version, 4)
        await agree(world, await ask(world))
        await _asked_for_passcode(world)
        await _give(world, "1111")
        assert (await status(world, "failed"))["auth_payload"]["guesses_left"] == 3
        await agree(world, await ask(world), yes=False)  # a login that fails otherwise forgets nothing
        assert (await status(world, "failed"))["auth_payload"]["guesses_left"] == 3
        await agree(world, await ask(world))
        assert await _asked_for_passcode(world) == 3
        asked = world.x.chat.realms.asked.copy()
        assert (await _give(world, PASSCODE)).status_code == 400
        assert world.x.chat.realms.asked == asked
        assert (await _give(world, PASSCODE, confirm_last_guesses=True)).status_code == 200
        await status(world, "authorized")


async def test_without_a_passcode_the_account_connects_and_says_that_it_has_no_keys(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _locked(world)
        await create(world)
        await agree(world, await ask(world))
        await _asked_for_passcode(world)
        await _give(world, "0000")
        await status(world, "authorized")
        await world.connected()
        assert not world.x.chat.realms.asked["Recover1"]
        await world.write("secret", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["[encrypted message]"])
        group = world.x.people.make_group(MEI, [ME, "3333"], "Team")
        refused = await world.send(to=group.id, kind="group")
        assert refused.json()["error"]["reason"] == "xchat_locked"
        assert (await world.send()).status_code == 200  # unencrypted
        assert world.x.messages.sent


async def test_keys_of_the_credentials_ask_nobody(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        keys = world.x.people.enrol(ME).exported()
        await create(world, refresh_token="refresh-1111-seed", chat_keys=keys)
        await status(world, "authorized")
        await world.connected()
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        assert not world.x.chat.realms.asked


async def test_keys_that_are_not_the_accounts(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        world.x.people.enrol(ME)
        keys = world.x.people.enrol(MEI).exported()
        await create(world, refresh_token="refresh-1111-seed", chat_keys=keys)
        assert (await status(world, "failed"))["last_error"] == "xchat_key_not_registered"


def _with_keys(world: World) -> str:
    return world.x.people.enrol(ME).exported()


async def _running(world: World, **more: str) -> None:
    await create(world, refresh_token="refresh-1111-seed", chat_keys=_with_keys(world), **more)
    await status(world, "authorized")
    await world.connected()


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_what_was_not_reported_is_read(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, "") as world:
        body = {"receive": receive}
        await create(world, refresh_token="refresh-1111-seed", chat_keys=_with_keys(world))
        await world.api("PATCH", f"/v1/accounts/{world.id}", body)
        await status(world, "authorized")
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
        await _running(world)
        await world.write("genuine", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["genuine"])
        event = world.x.chat.conversation(ME, MEI).events[-1]
        for old, new in ((MEI, ME), (MEI, "3333")):
            import base64

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
        await _running(world)
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
        await _running(world)
        for person in (MEI, "3333"):
            world.x.people.enrol(person)
        body = {"name": "Team", "members": [MEI, "3333"]}
        made = await world.api.data("POST", f"/v1/accounts/{world.id}/groups/create", body)
        group = next(value for value in made.values() if str(value).startswith("g"))
        assert world.x.chat.conversations[group].title == "Team"
        assert (await world.send(to=group, kind="group")).status_code == 200
        assert _told(world, "3333", group) == ["hello"]
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
        await _running(world)
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        await world.order("faults", kind="lost_answer", method="chat_messages")
        answer = await world.send()
        assert answer.status_code >= 500
        await world.inbox.until(lambda: world.inbox.of("message.status.updated"))
        assert _told(world) == ["hi", "hello"]


async def test_files_both_ways(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _running(world)
        content = b"picture" * 100_000
        import base64

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
        await _running(world)
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        emit, world.x.deliveries.emit = world.x.deliveries.emit, lambda *_, **__: None  # type: ignore[method-assign]
        world.x.people.rotate(MEI, ME)
        world.x.deliveries.emit = emit  # type: ignore[method-assign]
        assert (await world.send()).status_code == 200
        assert _told(world) == ["hi", "hello"]

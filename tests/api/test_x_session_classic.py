"""X's older direct messages, which are not encrypted, by the session of a browser."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.x_session_world import ANN, BOB, SHOP, XSessionWorld, x_session_world
from unifyport.providers.x.session import classic_polling

CAM = "333"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic_polling, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(classic_polling, "FIRST_WAIT", 0.05)


async def say(world: XSessionWorld, text: str, sender: str = ANN, **more: Any) -> str:
    """A person writes without encryption; the id of the message."""
    place = {} if "group" in more else {"to": SHOP}
    order = {"from": sender, "text": text, **place, **more}
    return str((await world.do("classic_write", **order))["message_id"])


async def act(world: XSessionWorld, word: str, sender: str = ANN, **more: Any) -> None:
    await world.do(word, **{"from": sender, "to": SHOP, **more})


def calls(world: XSessionWorld, method: str) -> int:
    return sum(each["method"] == method for each in world.x.connections)


async def until(ready: Callable[[], Any]) -> None:
    with trio.fail_after(10):
        while not ready():
            await trio.sleep(0.01)  # the platform has no event to wait for


async def linked(world: XSessionWorld) -> None:
    """An account that has read the first state. It has no keys of XChat."""
    await world.link(SHOP, None)
    await until(lambda: calls(world, "updates"))


async def test_texts_replies_marks_reactions_and_edits(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await say(world, "before the login")
        await linked(world)
        first = await say(world, "a < b & c 👋", name="Ann")
        await world.told(SHOP, "a < b & c 👋")
        [event] = world.received(SHOP)
        assert (event["message_id"], event["conversation_id"], event["from"]) == (first, ANN, ANN)
        assert event["sender_name"] == "Ann"
        sent = await world.sent_id(SHOP, ANN, "welcome <you>")
        answer = await say(world, "an answer", quote=sent)
        await world.told(SHOP, "an answer")
        assert world.received(SHOP)[-1]["data"]["message"]["reply_to_message_id"] == sent
        await world.sent_id(SHOP, ANN, "quoting", reply_to={"message_id": answer})
        await act(world, "classic_react", message_id=sent, emoji="👍")
        reaction = await world.came(SHOP, "message.reaction")
        assert (reaction["target_message_id"], reaction["reaction"]) == (sent, "👍")
        await act(world, "classic_edit", message_id=answer, text="better")
        assert (await world.came(SHOP, "message.updated"))["text"] == "better"
        await act(world, "classic_read", message_id=sent)
        assert (await world.came(SHOP, "message.read"))["message_id"] == sent
        read = {"conversation_id": ANN, "message_id": answer}
        await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/conversations/read", read)
        [place] = world.x.mail.places.values()
        assert place.read[SHOP] == int(answer)
        assert not world.named(SHOP, "message_echo")
        sent_there = [(each["text"], each.get("reply_to_dm_id")) for each in world.x.mail.sent]
        assert sent_there == [("welcome <you>", None), ("quoting", answer)]
        await world.do("classic_write", **{"from": SHOP, "to": ANN, "text": "from the phone"})
        await world.inbox.until(lambda: world.named(SHOP, "message_echo"))
        assert world.named(SHOP, "message_echo")[0]["data"]["message"]["text"] == "from the phone"
        assert [event["text"] for event in world.received(SHOP)] == ["a < b & c 👋", "an answer"]


async def test_a_photo_a_group_and_entries_that_are_not_known(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        photo = {"content": base64.b64encode(b"a photo").decode(), "mime_type": "image/jpeg"}
        await say(world, "look", media=photo)
        await world.told(SHOP, "look")
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        assert file["type"] == "image"
        assert (await world.api.http.get(file["url"])).content == b"a photo"
        made = await world.do("classic_group", **{"from": ANN, "members": [SHOP, BOB], "name": "Ops"})
        group = made["conversation_id"]
        await say(world, "all", sender=BOB, group=group)
        await world.told(SHOP, "all")
        event = world.received(SHOP)[-1]
        assert (event["conversation_id"], event["conversation_type"], event["from"]) == (group, "group", BOB)
        await world.sent_id(SHOP, group, "to all")
        assert world.x.mail.sent[-1]["conversation_id"] == group
        await world.do("classic_rename", **{"from": BOB, "group": group, "name": "Ops 2"})
        changed = (await world.came(SHOP, "group.updated"))["data"]
        assert "Ops 2" in str(changed)
        for fields in ({"time": "never"}, {"id": "x"}, {"message_data": 7}):
            await act(world, "classic_entry", kind="message", fields=fields)
        await act(world, "classic_entry", kind="end_av_broadcast", fields={"call_type": "AUDIO_ONLY"})
        await world.inbox.until(lambda: world.named(SHOP, "end_av_broadcast"))
        await say(world, "still here")
        await world.told(SHOP, "still here")
        held = await world.api.data("GET", "/v1/quarantine")
        assert len(held["items"]) == 3


async def test_what_a_void_cursor_leaves_out_is_read_back(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        await say(world, "known")
        await world.told(SHOP, "known")
        path = f"/v1/accounts/{world.ids[SHOP]}"
        await world.api("PATCH", path, {"status": "inactive"})
        for number in range(45):
            await say(world, f"{number}")
        await say(world, "of another", sender=CAM)
        await world.do("classic_expire")
        await world.api("PATCH", path, {"status": "active"})
        await world.told(SHOP, "of another")
        await world.told(SHOP, "44")
        texts = [text for text in world.texts(SHOP) if text != "of another"]
        assert texts == ["known", *map(str, range(45))]
        assert not world.named(SHOP, "gap")


async def test_a_lost_answer_is_ended_by_the_entry(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        await say(world, "hello")
        await world.told(SHOP, "hello")
        await world.order("faults", kind="lost_answer", method="dm")
        answer = await world.send(SHOP, ANN, "once")
        assert answer.json()["error"]["outcome"] == "unknown", answer.text
        await world.inbox.until(lambda: world.received(SHOP, "message.status.updated"))
        [event] = world.received(SHOP, "message.status.updated")
        assert (event["status"], event["message_id"]) == ("sent", world.x.mail.sent[0]["id"])
        assert [each["text"] for each in world.x.mail.sent] == ["once"]
        assert not world.named(SHOP, "message_echo")


async def test_requests_are_accepted_by_the_answer_and_refusals_say_why(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        await say(world, "may I?", request=True)
        await world.told(SHOP, "may I?")
        assert world.received(SHOP)[0]["data"]["message"]["message_request"] is True
        [place] = world.x.mail.places.values()
        assert SHOP not in place.trusted
        await world.sent_id(SHOP, ANN, "you may")
        assert SHOP in place.trusted
        await say(world, "x", sender="4031")
        await world.told(SHOP, "x")
        refused = (await world.send(SHOP, "4031", "no")).json()["error"]
        assert (refused["outcome"], refused["reason"]) == ("rejected", "not_allowed_to_message"), refused
        assert [each["text"] for each in world.x.mail.sent] == ["you may"]


async def test_what_can_be_encrypted_never_goes_without(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        await until(lambda: calls(world, "updates"))
        await world.write(ANN, SHOP, "sealed")
        await world.told(SHOP, "sealed")
        await say(world, "open")
        await world.told(SHOP, "open")
        await world.sent_id(SHOP, ANN, "sealed, too")
        assert world.x.mail.sent == []
        await say(world, "no keys here", sender=CAM)
        await world.told(SHOP, "no keys here")
        await world.sent_id(SHOP, CAM, "open, too")
        assert [each["text"] for each in world.x.mail.sent] == ["open, too"]


async def test_no_quote_no_type_and_no_request_leads_around_encryption(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        await until(lambda: calls(world, "updates"))
        opened = await say(world, "open", request=True)
        await world.told(SHOP, "open")
        await world.write(ANN, SHOP, "sealed")
        await world.told(SHOP, "sealed")
        refused = await world.send(SHOP, ANN, "a reply", reply_to={"message_id": opened})
        assert refused.json()["error"]["reason"] == "quoted_message_is_not_encrypted", refused.text
        message = {"type": "text", "text": "hello"}
        for id_ in (ANN, f"{SHOP}-{ANN}", f"{ANN}:{SHOP}"):
            for type_ in ("group", "user"):
                to = {"id": id_, "type": type_}
                body = {"account_id": world.ids[SHOP], "to": to, "message": message}
                assert (await world.api("POST", "/v1/messages", body)).status_code == 200
        zeros = await world.send(SHOP, f"0{ANN}")
        assert zeros.json()["error"]["reason"] == "conversation_not_found", zeros.text
        assert world.x.mail.sent == []


async def test_an_account_without_keys_leaves_a_conversation_that_was_encrypted(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        opened = await say(world, "open")
        await world.told(SHOP, "open")
        await world.sent_id(SHOP, ANN, "open, too")
        await world.do("session", user=SHOP, passcode="4711")  # the user has keys that the account has not
        await world.write(ANN, SHOP, "sealed")
        await world.told(SHOP, "[encrypted message]")
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/runtime/reconnect")
        await world.running(SHOP)
        for more in ({}, {"reply_to": {"message_id": opened}}):
            refused = await world.send(SHOP, ANN, "sealed?", **more)
            assert refused.json()["error"]["reason"] == "xchat_locked", refused.text
        assert [each["text"] for each in world.x.mail.sent] == ["open, too"]


async def test_an_account_without_keys_answers_only_where_it_was_written_to(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        refused = await world.send(SHOP, ANN, "first")
        assert refused.json()["error"]["reason"] == "xchat_locked", refused.text
        assert world.x.mail.sent == []


async def test_an_account_without_keys_sees_what_was_encrypted_before_it_came(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.do("session", user=SHOP, passcode="4711")
        await world.write(ANN, SHOP, "sealed")
        await linked(world)
        await say(world, "open")
        await world.told(SHOP, "open")
        refused = await world.send(SHOP, ANN, "sealed?")
        assert refused.json()["error"]["reason"] == "xchat_locked", refused.text
        assert world.x.mail.sent == []


async def test_without_a_word_of_x_on_encryption_nothing_goes_without(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        await say(world, "open")
        await world.told(SHOP, "open")
        await world.do("refuse_call", name="GetConversationPageQuery", code=226)
        refused = (await world.send(SHOP, ANN, "sealed?")).json()["error"]
        assert (refused["outcome"], refused["reason"]) == ("rejected", "looks_automated"), refused
        assert world.x.mail.sent == []
        await world.do("refuse_call", name="GetConversationPageQuery", code=279)
        await world.sent_id(SHOP, ANN, "open, too")


async def test_calls_that_fail_do_not_end_the_connection(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await linked(world)
        for kind in ("error_500", "garbage", "rate_limit", "disconnect"):
            await world.order("faults", kind=kind, method="updates", count=2, value=1)
            await say(world, kind)
            await world.told(SHOP, kind)
        await world.running(SHOP)
        assert calls(world, "chat") == 1

"""What a personal account of Telegram has beside messages: conversations, contacts, groups; and what the API
changes there.
"""

from pathlib import Path
from typing import Any

from tests.telegram_world import MEI, SHOP, TOM, TelegramWorld, telegram_world


async def _world(world: TelegramWorld) -> tuple[str, str, str]:
    """An account with a contact who has written; its path, the contact's id and a stranger's."""
    mei = await world.do("account", phone=MEI, name="Mei", username="mei")
    tom = await world.do("account", phone=TOM, name="Tom", username="tom")
    id_ = await world.link(SHOP, name="Shop", contacts=[MEI])
    await world.order("messages", **{"from": MEI, "to": SHOP, "text": "hello"})
    await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
    return f"/v1/accounts/{id_}", str(mei["id"]), str(tom["id"])


async def _listed(world: TelegramWorld, path: str) -> dict[str, Any]:
    found = (await world.api.data("GET", f"{path}/conversations"))["items"]
    return {each["conversation_id"]: each for each in found}


async def test_conversations_are_listed_and_changed(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        path, mei, _ = await _world(world)
        shown = (await _listed(world, path))[mei]
        assert (shown["type"], shown["title"], shown["unread_count"]) == ("user", "Mei", 1)
        assert shown["last_message_text"] == "hello"
        for what, more in (("pin", {}), ("mute", {"duration": 28_800}), ("read", {})):
            await world.api.data("POST", f"{path}/conversations/{what}", {"conversation_id": mei, **more})
        shown = (await _listed(world, path))[mei]
        assert (shown["is_pinned"], shown["is_muted"], shown["unread_count"]) == (True, True, 0)
        for what in ("unpin", "unmute", "unread"):
            await world.api.data("POST", f"{path}/conversations/{what}", {"conversation_id": mei})
        shown = (await _listed(world, path))[mei]
        assert (shown["is_pinned"], shown["is_muted"], shown["unread_count"]) == (False, False, 1)
        info = await world.api.data("GET", f"{path}/conversations/info?conversation_id={mei}")
        assert info["username"] == "mei"
        assert world.received(SHOP, "conversation.updated") == []


async def test_contacts_are_listed_blocked_and_noted(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        path, mei, _ = await _world(world)
        [contact] = (await world.api.data("GET", f"{path}/contacts"))["items"]
        assert (contact["id"], contact["display_name"]) == (mei, "Mei")
        await world.api.data("POST", f"{path}/contacts/block", {"contact_id": mei})
        assert (await world.api.data("GET", f"{path}/contacts/blocklist"))["blocklist"] == [mei]
        found = await world.api.data("GET", f"{path}/contacts/info?contact_id={mei}")
        assert found["is_blocked"]
        await world.api.data("POST", f"{path}/contacts/unblock", {"contact_id": mei})
        assert (await world.api.data("GET", f"{path}/contacts/blocklist"))["blocklist"] == []
        await world.api.data("POST", f"{path}/contacts/note", {"contact_id": mei, "note": "likes blue"})
        people = world.user_platform.customers
        assert people.person(SHOP).contacts[people.person(MEI)]["note"] == "likes blue"


async def test_a_group_is_made_and_changed(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        path, mei, tom = await _world(world)
        groups = f"{path}/groups"
        made = await world.api.data("POST", f"{groups}/create", {"name": "Ops", "members": [mei]})
        group = made["id"]
        assert [each["id"] for each in (await world.api.data("GET", groups))["items"]] == [group]
        await world.api.data(
            "POST", f"{groups}/members", {"group_id": group, "action": "add", "member_id": "@tom"}
        )
        await world.api.data("POST", f"{groups}/update-info", {"group_id": group, "name": "Operations"})
        found = await world.api.data("GET", f"{groups}/info?group_id={group}")
        assert (found["name"], found["member_count"]) == ("Operations", 3)
        members = await world.api.data("GET", f"{path}/conversations/members?conversation_id={group}")
        assert {each["peer_id"] for each in members["items"]} >= {mei, tom}
        answer = await world.send(SHOP, group, "to all")
        assert answer.status_code == 200, answer.text
        await world.order("messages", **{"from": MEI, "to": group, "text": "from the group"})
        await world.inbox.until(lambda: "from the group" in world.texts(SHOP))
        event = world.received(SHOP)[-1]
        assert event["data"]["conversation"] == {
            **event["data"]["conversation"],
            "id": group,
            "type": "group",
        }
        await world.api.data(
            "POST", f"{groups}/members", {"group_id": group, "action": "remove", "member_id": tom}
        )
        [room] = world.user_platform.server.directory.groups.values()
        assert {each.phone for each in room.members} == {SHOP, MEI}
        code = await world.api.data("GET", f"{groups}/invite-code?group_id={group}")
        assert code["invite_url"].startswith("https://")
        await world.api.data("POST", f"{groups}/leave", {"group_id": group})
        refused = await world.send(SHOP, group, "still there?")
        assert refused.json()["error"]["outcome"] == "rejected"


async def test_a_supergroup_with_topics(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        path, mei, _ = await _world(world)
        made = await world.do("channel", title="Forum", phones=[SHOP, MEI], megagroup=True, forum=True)
        group = str(made["id"])
        first = await world.order("messages", **{"from": MEI, "to": group, "text": "begins a topic"})
        topic = first["ids"]["channel"]
        await world.order("messages", **{"from": MEI, "to": group, "text": "in a topic", "topic": topic})
        await world.inbox.until(lambda: "in a topic" in world.texts(SHOP))
        event = world.received(SHOP)[-1]
        assert event["data"]["conversation"]["id"] == group
        assert event["data"]["message"]["thread_id"] == str(topic)
        answer = await world.send(SHOP, group, "there too", provider_data={"message_thread_id": topic})
        assert answer.status_code == 200, answer.text
        [sent] = [
            each.query for each in world.user_platform.server.seen if each.method == "messages.sendMessage"
        ]
        assert (sent.reply_to.reply_to_msg_id, sent.reply_to.top_msg_id) == (topic, topic)
        members = await world.api.data("GET", f"{path}/conversations/members?conversation_id={group}")
        assert {each["peer_id"] for each in members["items"]} >= {mei}


async def test_messages_are_edited_deleted_reacted_to_and_pinned(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        path, mei, _ = await _world(world)
        sent = (await world.send(SHOP, mei, "frist")).json()["data"]["message_id"]
        theirs = world.received(SHOP)[0]["data"]["message"]["id"]
        about = {"account_id": world.ids[SHOP], "conversation_id": mei}
        await world.api.data("POST", "/v1/messages/edit", {**about, "message_id": sent, "content": "first"})
        person = world.user_platform.customers.person(MEI)
        assert [post.text for post in person.posts.values()] == ["hello", "first"]
        await world.api.data("POST", "/v1/messages/reaction", {**about, "message_id": theirs, "emoji": "👍"})
        await world.api.data("POST", "/v1/messages/pin", {**about, "message_id": theirs, "pinned": True})
        post = next(iter(person.posts.values()))
        [given] = post.reactions[world.user_platform.customers.person(SHOP)]
        assert (given.emoticon, post.pinned) == ("👍", True)
        await world.api.data("POST", "/v1/messages/revoke", {**about, "message_id": sent})
        assert [post.text for post in person.posts.values() if not post.is_gone_for(person)] == ["hello"]
        await world.api.data("POST", f"{path}/conversations/typing", {"conversation_id": mei})
        assert world.user_platform.server.seen[-1].method == "messages.setTyping"
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "last"})
        await world.inbox.until(lambda: "last" in world.texts(SHOP))
        told = {event["type"] for event in world.inbox.deliveries if event["type"].startswith("message")}
        assert told == {"message.received"}

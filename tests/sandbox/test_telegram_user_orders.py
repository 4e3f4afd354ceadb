"""A wrong order of the control port is answered with the field that is wrong, and changes nothing."""

from typing import Any

import attrs
import pytest

from tests.harness import sandbox
from unifyport.sandbox.telegram.user.platform import UserPlatform

ANN, BEN, CAT = "6590000011", "6590000012", "6590000013"
SAID = {"from": ANN, "to": BEN, "text": "hello"}
# `club` and `forum` stand for the ids of a supergroup without topics and of one with topics.
MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("from", {"to": BEN, "text": "hello"}),
    ("from", {**SAID, "from": "1"}),
    ("from", {**SAID, "from": CAT, "to": "club"}),
    ("to", {**SAID, "to": "-x"}),
    ("to", {**SAID, "to": None}),
    ("text", {**SAID, "text": 7}),
    ("topic", {**SAID, "to": "forum", "topic": "x"}),
    ("topic", {**SAID, "to": "forum", "topic": 99}),
    ("topic", {**SAID, "to": "club", "topic": 1}),
    ("topic", {**SAID, "topic": 1}),
    ("reply_to", {**SAID, "reply_to": 99}),
    ("date", {**SAID, "date": 2**31}),
    ("grouped_id", {**SAID, "grouped_id": 2**63}),
    ("entities", {**SAID, "entities": "Bold"}),
    ("entities[0]", {**SAID, "entities": ["Bold"]}),
    ("entities", {**SAID, "entities": [{"offset": 0, "length": 1}]}),
    ("entities", {**SAID, "entities": [{"type": "Loud", "offset": 0, "length": 1}]}),
    ("entities", {**SAID, "entities": [{"type": ["Bold"], "offset": 0, "length": 1}]}),
    ("entities", {**SAID, "entities": [{"type": "Bold", "offset": 0}]}),
    ("entities", {**SAID, "entities": [{"type": "Bold", "offset": "a", "length": 1}]}),
    ("entities", {**SAID, "entities": [{"type": "Bold", "offset": 0, "length": 6}]}),
    ("entities", {**SAID, "entities": [{"type": "TextUrl", "offset": 0, "length": 1, "url": 5}]}),
    ("media", {**SAID, "media": "photo"}),
    ("media.type", {**SAID, "media": {"content": "YQ=="}}),
    ("media.type", {**SAID, "media": {"type": "smell"}}),
    ("media.content", {**SAID, "media": {"type": "photo", "content": "%"}}),
    ("media.dc", {**SAID, "media": {"type": "photo", "dc": 9}}),
    ("media.filename", {**SAID, "media": {"type": "document", "filename": 3}}),
    ("txet", {**SAID, "txet": "hello"}),
]
UPDATES: list[tuple[str, dict[str, Any]]] = [
    ("do", {}),
    ("do", {"do": ["cut"]}),
    ("phone", {"do": "account"}),
    ("phone", {"do": "account", "phone": ANN}),
    ("phone", {"do": "account", "phone": "Dan"}),
    ("name", {"do": "account", "phone": "6590000014", "name": 5}),
    ("contacts", {"do": "account", "phone": "6590000014", "contacts": ["1"]}),
    ("username", {"do": "account", "phone": "6590000014", "username": "ANN"}),
    ("dc", {"do": "account", "phone": "6590000014", "dc": 7}),
    ("phone", {"do": "code", "phone": ANN}),
    ("qr", {"do": "scan", "phone": ANN}),
    ("qr", {"do": "scan", "phone": ANN, "qr": "tg://login?token=é"}),
    ("qr", {"do": "scan", "phone": ANN, "qr": "tg://login?token=AAAA"}),
    ("phone", {"do": "set_password"}),
    ("password", {"do": "set_password", "phone": ANN, "password": 5}),
    ("phone", {"do": "delete_account", "phone": "1"}),
    ("code", {"do": "revoke", "phone": ANN, "code": "401"}),
    ("method", {"do": "flood"}),
    ("method", {"do": "flood", "method": "messages.sendMesage"}),
    ("seconds", {"do": "flood", "method": "messages.sendMessage", "seconds": "x"}),
    ("peer", {"do": "flood", "method": "messages.sendMessage", "peer": "1"}),
    ("method", {"do": "error", "name": "PEER_FLOOD"}),
    ("name", {"do": "error", "method": "messages.sendMessage"}),
    ("count", {"do": "error", "method": "messages.sendMessage", "name": "PEER_FLOOD", "count": 0}),
    ("method", {"do": "mute"}),
    ("count", {"do": "mute", "method": "messages.sendMessage", "count": "x"}),
    ("count", {"do": "gap", "count": -1}),
    ("count", {"do": "duplicate", "count": None}),
    ("count", {"do": "lose", "count": 1.5}),
    ("on", {"do": "silence", "on": "no"}),
    ("phone", {"do": "too_long"}),
    ("channel", {"do": "too_long", "phone": ANN, "channel": BEN}),
    ("slice", {"do": "slices", "most": 3, "slice": 0}),
    ("phones", {"do": "group", "title": "Ops"}),
    ("phones", {"do": "group", "phones": []}),
    ("phones", {"do": "group", "phones": [ANN, "1"]}),
    ("title", {"do": "channel", "phones": [ANN], "title": ""}),
    ("username", {"do": "channel", "phones": [ANN], "username": "ann"}),
    ("forum", {"do": "channel", "phones": [ANN], "forum": True}),
    ("to", {"do": "ask_to_join", "from": CAT, "to": BEN}),
    ("from", {"do": "ask_to_join", "from": ANN, "to": "club"}),
    ("id", {"do": "read", "from": ANN, "to": BEN, "id": "x"}),
    ("from", {"do": "read", "from": CAT, "to": "club"}),
    ("id", {"do": "edit", "from": ANN, "to": BEN, "text": "x"}),
    ("id", {"do": "edit", "from": ANN, "to": BEN, "text": "x", "id": 99}),
    ("id", {"do": "edit", "from": BEN, "to": ANN, "text": "x", "id": 1}),
    ("id", {"do": "delete", "from": ANN, "to": CAT, "id": 1}),
    ("emoji", {"do": "react", "from": ANN, "to": BEN, "id": 1, "emoji": 5}),
    ("to", {"do": "typing", "from": ANN}),
]


def state(platform: UserPlatform) -> str:
    """What orders can change."""
    directory = platform.server.directory
    people, channels = directory.people.values(), directory.channels.values()
    kept = [each.posts for each in people] + [each.posts for each in channels]
    return repr(
        (
            [(each, each.contacts, each.dialogs, each.box.pts) for each in people],
            [(each, each.members, each.box.pts) for each in channels],
            [(each, each.members) for each in directory.groups.values()],
            [attrs.astuple(post, recurse=False) for posts in kept for post in posts.values()],
            platform.server.noise,
            list(platform.files.files),
            vars(platform.states),
        )
    )


async def test_a_wrong_order_names_its_field_and_changes_nothing() -> None:
    async with sandbox() as local:
        platform = local.sandbox.platforms["telegram-user"]
        assert isinstance(platform, UserPlatform)

        async def order(what: str, told: dict[str, Any]) -> Any:
            return await local.http.post(f"/sandbox/telegram-user/{what}", json=told)

        async def made(told: dict[str, Any]) -> str:
            return str((await order("updates", told)).json()["id"])

        for phone, username in ((ANN, "ann"), (BEN, "ben"), (CAT, "cat")):
            await made({"do": "account", "phone": phone, "username": username})
        channel = {"do": "channel", "phones": [ANN, BEN], "megagroup": True}
        rooms = {"club": await made(channel), "forum": await made({**channel, "forum": True})}
        await order("messages", SAID)
        before = state(platform)
        for what, wrong in (("messages", MESSAGES), ("updates", UPDATES)):
            for field, told in wrong:
                named = {key: rooms.get(str(value), value) for key, value in told.items()}
                answer = await order(what, named)
                assert answer.status_code == 400, (told, answer.text)
                assert answer.json()["error"].startswith(f"{field}: "), (told, answer.text)
                assert state(platform) == before, told


@pytest.mark.parametrize(("text", "length"), [("a😀b", 4), ("é", 1)])
async def test_entities_are_measured_in_utf_16_units(text: str, length: int) -> None:
    platform = UserPlatform()
    for phone in (ANN, BEN):
        platform.account(phone)
    bold = {"type": "Bold", "offset": 0, "length": length}
    platform.receive({"from": ANN, "to": BEN, "text": text, "entities": [bold]})
    with pytest.raises(ValueError, match="entities: "):
        platform.receive({"from": ANN, "to": BEN, "text": text, "entities": [{**bold, "length": length + 1}]})

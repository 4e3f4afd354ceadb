"""Distinct facts have distinct keys, and a repeat has the same one: over every kind of report of each parser.

Each example of the documentation is changed in one place at a time. What has an id of its own is told apart
by it alone; everything else by all that it says.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.providers.documentation import TELEGRAM, TIKTOK, WHATSAPP
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.tiktok.business.parse import parse_webhook as parse_tiktok
from unifyport.providers.whatsapp.cloud.parse import parse_webhook

NUMBER = "106540352242922"
# lists whose items have an id of their own
WITH_IDS = frozenset({"messages", "message_echoes"})
Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif value is not None:
        yield path


def changed(value: Any, path: Path_) -> Any:
    """A copy with another value at one place."""
    whole = copy.deepcopy(value)
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    old = inner[path[-1]]
    if isinstance(old, bool):
        inner[path[-1]] = not old
    elif isinstance(old, int | float):
        inner[path[-1]] = old + 1
    else:
        inner[path[-1]] = str(int(old) + 1) if old.isdigit() else f"{old}x"
    return whole


def of_whatsapp(field: str, value: Any, time: int = 1) -> list[bytes]:
    body = {"entry": [{"id": "77", "time": time, "changes": [{"field": field, "value": value}]}]}
    return [addressed.event.key for addressed in parse_webhook(json.dumps(body).encode(), NUMBER)]


@pytest.mark.parametrize("field", WHATSAPP["field"])
def test_items_of_webhooks(field: str) -> None:
    value = WHATSAPP["field"][field]
    base = of_whatsapp(field, value)
    assert base == of_whatsapp(field, value)
    assert len(set(base)) == len(base)
    for path in leaves(value):
        if path[0] in ("contacts", "messaging_product", "metadata"):
            continue
        with_id = path[0] in WITH_IDS or path[0] == "history"
        told = not with_id or path[-1] == "id" or path[0] == "history"
        other = of_whatsapp(field, changed(value, path))
        assert (other != base) is told, path


def test_the_number_and_the_time_tell_apart() -> None:
    for field, value in WHATSAPP["field"].items():
        if "metadata" in value:
            other = changed(value, ("metadata", "phone_number_id"))
            assert not set(of_whatsapp(field, other)) & set(of_whatsapp(field, value))
        else:
            assert of_whatsapp(field, value, 1) != of_whatsapp(field, value, 2)


@pytest.mark.parametrize("kind", TELEGRAM["update"])
def test_updates(kind: str) -> None:
    def key(update_id: int, payload: Any, bot: str = "42") -> bytes:
        update = {"update_id": update_id, kind: payload}
        return parse_update(json.dumps(update).encode(), bot)[0].key

    example = TELEGRAM["update"][kind]
    assert key(1, example) == key(1, example) != key(1, example, "43")
    if kind != "chat_member":  # a member who comes is reported twice, and is told apart by what is said
        assert key(1, example) != key(2, example)
        return
    assert key(1, example) == key(2, example)
    for path in (("date",), ("chat", "id"), ("new_chat_member", "user", "id")):
        assert key(1, changed(example, path)) != key(1, example)
    gone = {
        **example,
        "old_chat_member": example["new_chat_member"],
        "new_chat_member": example["old_chat_member"],
    }
    assert key(1, gone) != key(1, example)


def of_tiktok(event: str, content: Any, business: str = "b1", time: int = 1) -> list[bytes]:
    body = {"event": event, "create_time": time, "user_openid": business, "content": json.dumps(content)}
    return [addressed.event.key for addressed in parse_tiktok(json.dumps(body).encode(), "b1")]


@pytest.mark.parametrize("event", TIKTOK["event"])
def test_events_of_business_accounts(event: str) -> None:
    example = TIKTOK["event"][event]
    base = of_tiktok(event, example)
    assert base == of_tiktok(event, example)
    assert not set(base) & set(of_tiktok(event, example, "b2"))
    with_id = event in ("im_receive_msg", "im_send_msg")
    assert (base == of_tiktok(event, example, time=2)) is with_id
    for path in leaves(example):
        told = not with_id or path == ("message_id",)
        if path == ("message_tag", "source") or (event, path) == ("im_send_msg", ("from_user", "id")):
            continue  # what the owner writes is never also sent through the API
        assert (of_tiktok(event, changed(example, path)) != base) is told, path


def test_reactions_of_business_accounts() -> None:
    example = {**TIKTOK["head"], "type": "reaction", **TIKTOK["message"]["reaction"]}
    base = of_tiktok("im_receive_msg", example)
    told = {"operation", "type", "emoji", "unique_identifier", "timestamp", "original_msg_id"}
    for path in leaves(example["reaction"][0]):
        assert path[0] in told
        other = {**example, "reaction": [changed(example["reaction"][0], path)]}
        assert of_tiktok("im_receive_msg", other) != base, path
    assert of_tiktok("im_receive_msg", {**example, "message_id": "msg-2"}) != base

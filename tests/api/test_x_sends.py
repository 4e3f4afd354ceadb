"""What an account of X sends, and what becomes of a send that X refuses or does not answer."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.api.test_x import PHOTO, echoes
from tests.api.x_world import ME, MEI, World, x_account, x_world
from unifyport.providers.x.api import connector, uploads

OFF = '[providers.x.pace]\naccount = "off"\n'


async def error_of(world: World, **send: Any) -> tuple[int, dict[str, Any]]:
    response = await world.send(**send)
    return response.status_code, response.json()["error"]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("send", "status", "code", "reason"),
    [
        ({"to": "404111"}, 404, "conversation_not_found", "conversation_not_found"),
        ({"to": "403111"}, 500, "send_message_failed", "forbidden"),
        (
            {"to": "1578398451921985538", "kind": "group"},
            404,
            "conversation_not_found",
            "conversation_not_found",
        ),
        ({"message": text("x" * 10_001)}, 400, "invalid_request", None),
        ({"to": "mei"}, 400, "invalid_request", None),
    ],
)
async def test_what_x_refuses(
    tmp_path: Path, send: dict[str, Any], status: int, code: str, reason: str | None
) -> None:
    async with x_world(tmp_path) as world:
        found, error = await error_of(world, **send)
        assert found == status
        assert error["code"] == code
        if reason is not None:
            assert error["reason"] == reason
        assert world.x.sent() == []


async def test_a_blocked_customer_and_one_who_blocks(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        path, person = f"/v1/accounts/{world.id}/contacts", {"contact_id": MEI}
        await world.api.data("POST", f"{path}/block", person)
        assert world.x.directory.blocked == {(ME, MEI)}
        await world.api.data("POST", f"{path}/unblock", person)
        assert not world.x.directory.blocked
        world.x.directory.blocked.add((MEI, ME))
        status, error = await error_of(world)
        assert (status, error["reason"]) == (500, "forbidden")


async def test_the_limit_of_sends(tmp_path: Path) -> None:
    """X says when the window opens; until then nothing is sent, and the caller is told."""
    async with x_world(tmp_path, more=OFF) as world:
        await world.order("faults", kind="rate_limit", method="messages", value=90)
        for _ in range(2):
            response = await world.send()
            assert (response.status_code, response.json()["error"]["outcome"]) == (429, "not_sent")
            assert 60 <= int(response.headers["retry-after"]) <= 92
        asked = [call for call in world.x.connections if call["method"] == "messages"]
        assert len(asked) == 1


async def test_more_than_x_allows_in_fifteen_minutes(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        await world.order("faults", kind="limits", count=1000)
        statuses = [(await world.send()).status_code for _ in range(16)]
        assert statuses == [200] * 15 + [429]
        assert world.x.limits.refused == 0  # the pace of the gateway is the one that X publishes


@pytest.mark.parametrize(
    ("fault", "outcome"), [("error_500", "unknown"), ("garbage", "unknown"), ("lost_answer", "unknown")]
)
async def test_sends_without_an_answer(tmp_path: Path, fault: str, outcome: str) -> None:
    async with x_world(tmp_path) as world:
        await world.order("faults", kind=fault, method="messages")
        response = await world.send()
        assert response.json()["error"]["outcome"] == outcome
        assert (await world.send()).status_code == 200  # the account goes on


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_a_lost_answer_is_settled_by_the_echo(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, x_account(receive=receive)) as world:
        await world.order("faults", kind="lost_answer", method="messages")
        response = await world.send(message=text("R&D: https://shop.example/a?b=1"))
        error = response.json()["error"]
        assert error["outcome"] == "unknown"
        await world.inbox.until(lambda: world.inbox.of("message.status.updated"))
        [status] = world.inbox.of("message.status.updated")
        [kept] = world.x.sent()
        assert (status["status"], status["message_id"]) == ("sent", kept["id"])
        assert not echoes(world)
        # the same words from the phone, later, are an echo
        world.x.messages.write(ME, world.x.directory.pair(ME, MEI), {"text": kept["text"]})
        await world.inbox.until(lambda: echoes(world))


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_the_echo_comes_before_the_answer(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, x_account(receive=receive)) as world:
        world.x.messages.answer_after = 0.5
        sent = await world.send()
        assert sent.status_code == 200
        await world.write("next")
        await world.inbox.until(lambda: world.texts() == ["next"])
        assert not echoes(world)
        assert not world.inbox.of("message.status.updated")


async def test_a_webhook_does_not_wait_for_an_answer_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "HOLD_WEBHOOK_SECONDS", 0.1)
    async with x_world(tmp_path, x_account(receive="webhook")) as world, trio.open_nursery() as nursery:
        world.x.messages.answer_after = 1.5
        nursery.start_soon(world.send)
        await world.inbox.until(lambda: world.x.sent() and world.inbox.of("message.status.updated"))
        [status] = world.inbox.of("message.status.updated")
        assert status["status"] == "sent"  # by its words
        assert not echoes(world)


async def test_the_echo_of_a_message_that_was_sent_before_a_restart(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        world.x.deliveries.silent = True
        assert (await world.send()).status_code == 200
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        world.x.deliveries.silent = False
        await world.write("next")
        await world.inbox.until(lambda: world.texts() == ["next"])
        assert not echoes(world)


@pytest.mark.parametrize(
    ("kind", "mime_type", "name", "category"),
    [
        ("image", "image/jpeg", "photo.jpg", "dm_image"),
        ("image", "image/gif", "dance.gif", "dm_gif"),
        ("video", "video/mp4", "clip.mp4", "dm_video"),
    ],
)
async def test_files_go_out_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mime_type: str, name: str, category: str
) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 2000)
    monkeypatch.setattr(uploads, "_SHORTEST", 0.01)
    monkeypatch.setattr(uploads, "_LONGEST", 0.01)
    async with x_world(tmp_path) as world:
        message = {"type": kind, "file_key": await uploaded(world, name), "text": "look"}
        sent = await world.send(message=message)
        assert sent.status_code == 200, sent.text
        [kept] = world.x.sent()
        assert kept["text"] == "look"
        file = world.x.directory.files[kept["attachments"][0]["media_id"]]
        assert (file.content, file.category, file.media_type) == (PHOTO, category, mime_type)
        assert len(file.pieces) == 3
        await world.write("next")
        await world.inbox.until(lambda: world.texts() == ["next"])
        assert not echoes(world)


async def test_files_that_x_does_not_take(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        message = {"type": "image", "file_key": await uploaded(world, "drawing.svg")}
        status, error = await error_of(world, message=message)
        assert (status, error["reason"]) == (500, "unsupported_media_type")
        assert not world.x.directory.files
        assert not [call for call in world.x.connections if call["method"] == "messages"]


async def test_an_upload_that_fails_has_sent_nothing(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        for fault in ("error_500", "garbage", "lost_answer"):
            await world.order("faults", kind=fault, method="media")
            message = {"type": "image", "file_key": await uploaded(world, "a.jpg")}
            _, error = await error_of(world, message=message)
            assert error["outcome"] == "not_sent", fault
        world.x.files.fails = True
        message = {"type": "image", "file_key": await uploaded(world, "a.jpg")}
        status, error = await error_of(world, message=message)
        assert (status, error["reason"]) == (500, "media_not_processed")
        assert world.x.sent() == []


async def uploaded(world: World, name: str) -> str:
    response = await world.api("POST", "/v1/media", files={"file": (name, PHOTO)})
    return str(response.json()["data"]["file_key"])


async def test_groups_people_and_typing(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        path = f"/v1/accounts/{world.id}"
        made = await world.api.data(
            "POST", f"{path}/groups/create", {"name": "Welcome", "members": [MEI, "3333"]}
        )
        [kept] = world.x.sent()
        assert kept["text"] == "Welcome"
        assert world.x.directory.members[kept["conversation_id"]] == {ME, MEI, "3333"}
        assert kept["conversation_id"] in made.values()
        found = await world.api.data("GET", f"{path}/contacts/info?contact_id={MEI}")
        assert (found["id"], found["display_name"]) == (MEI, f"User {MEI}")
        for id_ in ("404111", "mei"):
            missing = await world.api("GET", f"{path}/contacts/info?contact_id={id_}")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "contact_not_found")
        await world.api.data("POST", f"{path}/conversations/typing", {"conversation_id": MEI})
        assert world.x.typing == [(ME, MEI)]
        for operation in ("groups/leave", "conversations/mute"):
            refused = await world.api(
                "POST", f"{path}/{operation}", {"group_id": "1", "conversation_id": "1"}
            )
            assert refused.status_code == 501

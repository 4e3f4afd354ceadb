"""What the parity table asks of LINE and no other test shows."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trio

from tests.line_world import MEI, World, world
from unifyport.providers.line.messaging import connector

QUICK = '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "200ms", jitter = 0.0 }\n'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, more=QUICK) as found:
        yield found


def tokens_issued(here: World) -> int:
    return [call["method"] for call in here.line.connections].count("token")


async def test_a_secret_that_is_no_longer_good_is_noticed_without_a_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "CHECK_SECONDS", 0.2)
    async with world(tmp_path) as here:
        here.channel.secret = "another"  # it was issued anew in the console
        here.line.expire_tokens()
        await here.inbox.until(lambda: here.inbox.of("account.auth.failed"))
        [failed] = here.inbox.of("account.auth.failed")
        assert failed["last_error"] == "invalid_credentials"
        assert (await here.send()).status_code == 409


async def test_a_webhook_that_was_moved_is_noticed_and_not_fought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "CHECK_SECONDS", 0.2)
    async with world(tmp_path, more=QUICK) as here:
        here.channel.endpoint = "https://other.example/hook"
        await here.inbox.until(
            lambda: any(
                e["data"].get("reason") == "foreign_webhook" for e in here.inbox.of("account.status.updated")
            )
        )
        assert here.channel.endpoint == "https://other.example/hook"


async def test_two_sends_that_need_a_token_share_it(here: World) -> None:
    users = [here.channel.user(str(number)).id for number in range(8)]
    here.line.expire_tokens()
    before = tokens_issued(here)
    async with trio.open_nursery() as nursery:
        for user in users:
            nursery.start_soon(lambda user=user: here.sent(to=user))  # type: ignore[misc]
    assert len(here.line.sent()) == 8
    assert tokens_issued(here) == before + 1


async def test_an_answer_without_a_token_changes_nothing(here: World) -> None:
    here.channel.user("Mei")
    here.line.expire_tokens()
    await here.order("faults", {"kind": "garbage", "method": "token"})
    answer = await here.send()
    assert answer.json()["error"]["outcome"] == "not_sent"
    await here.sent()
    assert len(here.line.sent()) == 1
    assert here.inbox.of("account.auth.failed") == []


async def test_files_that_line_has_no_longer_or_does_not_give(here: World) -> None:
    async def url_of(kind: str) -> str:
        media = {"type": kind, "content": base64.b64encode(b"x" * 100).decode()}
        written = await here.order("messages", {"media": media})
        event = await here.received(written["message_id"])
        return str(event["data"]["message"]["attachments"][0]["url"])

    gone, kept = await url_of("image"), await url_of("image")
    here.channel.contents.popitem()  # the newest
    async with httpx.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.get(kept)).status_code == 410
        await here.order("faults", {"kind": "error_500", "method": "content"})
        failed = await stranger.get(gone)
        assert failed.status_code >= 500
        assert "retry-after" in failed.headers
        assert (await stranger.get(gone)).content == b"x" * 100


async def test_a_file_that_is_never_prepared_is_not_waited_for_without_an_end(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "READY_SECONDS", 0.3)
    media = {"type": "video", "content": base64.b64encode(b"x").decode(), "processing": 10_000}
    written = await here.order("messages", {"media": media})
    event = await here.received(written["message_id"])
    async with httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.get(event["data"]["message"]["attachments"][0]["url"])
    assert answer.status_code >= 500
    assert "retry-after" in answer.headers


async def test_what_it_can_do_is_listed(here: World) -> None:
    listed = {each["provider"]: each for each in await here.api.data("GET", "/v1/capabilities")}
    [connection] = [each for each in listed["line"]["connections"] if each["auth_mode"] == "token"]
    assert {"send_text", "send_image", "send_reply", "mark_read", "show_typing"} <= set(
        connection["capabilities"]
    )
    assert not {"send_document", "send_contacts", "edit_message"} & set(connection["capabilities"])
    assert (connection["max_text"], "window_hours" in connection, connection["receipts"]) == (5000, False, [])
    assert connection["can_start_conversation"] is True


async def test_a_press_says_which(here: World) -> None:
    postback = {"type": "postback", "postback": {"data": "size=L"}}
    await here.order("updates", {"event": postback})
    await here.inbox.until(lambda: here.inbox.of("message.received"))
    [event] = here.inbox.of("message.received")
    assert event["data"]["message"]["button"] == {"id": "size=L", "title": "size=L"}
    assert event["conversation_id"] == MEI

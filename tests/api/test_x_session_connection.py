"""How the connection of a session of X ends, what becomes of the account, and what it had missed."""

from pathlib import Path
from typing import Any

import pytest

from tests.x_session_world import ANN, BOB, SHOP, XSessionWorld, x_session_world
from unifyport.providers.x.session import link as links
from unifyport.providers.x.session.catch_up import CatchUp
from unifyport.providers.x.session.shapes import InboxPage


def _said(world: XSessionWorld, place: str) -> list[str]:
    return [event["text"] for event in world.received(SHOP) if event["conversation_id"] == place]


async def test_messages_of_an_outage_arrive_once_and_in_order(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.write(ANN, SHOP, "from before the login")
        await world.link(SHOP)
        group = (await world.do("group", name="Ops", members=[ANN, SHOP, BOB]))["id"]
        await world.write(ANN, SHOP, "before")
        await world.write(BOB, group, "before")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        sent = await world.sent_id(SHOP, ANN, "ours")
        await world.stop(SHOP)
        texts = [f"text {number}" for number in range(30)]
        for text in texts:
            await world.write(ANN, SHOP, text)
            await world.write(BOB, group, text)
        await world.do("rotate", **{"from": ANN, "to": SHOP})
        await world.write(ANN, SHOP, "with another key")
        await world.start(SHOP)
        await world.write(ANN, SHOP, "after")
        await world.told(SHOP, "after")
        assert _said(world, ANN) == ["before", *texts, "with another key", "after"]
        await world.inbox.until(lambda: len(_said(world, group)) > len(texts))
        assert _said(world, group) == ["before", *texts]
        assert not world.named(SHOP, "message_echo")
        assert sent


async def test_what_the_socket_drops_is_fetched_and_what_it_repeats_is_told_once(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("one")
        await world.do("drop", count=3)
        for text in ("two", "three", "four"):
            await world.write(ANN, SHOP, text)
        await world.do("repeat", count=1)
        await world.write(ANN, SHOP, "five")
        await world.told(SHOP, "five")
        assert _said(world, ANN) == ["one", "two", "three", "four", "five"]


async def test_a_dropped_event_is_found_after_later_ones_of_others_and_a_restart(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met()
        await world.do("drop", count=1)
        await world.write(ANN, SHOP, "dropped")
        await world.write(BOB, SHOP, "told")
        await world.told(SHOP, "told")
        assert "dropped" not in world.texts(SHOP)
        await world.stop(SHOP)
        await world.start(SHOP)
        await world.told(SHOP, "dropped")
        assert sorted(world.texts(SHOP)) == ["dropped", "hello", "told"]


async def test_the_inbox_is_read_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "CATCH_UP_SECONDS", 0.2)
    async with x_session_world(tmp_path) as world:
        await world.met()
        await world.sent_id(SHOP, ANN, "ours")
        await world.do("drop", count=1)
        await world.write(ANN, SHOP, "dropped")
        await world.told(SHOP, "dropped")
        assert not world.named(SHOP, "message_echo")


@pytest.mark.parametrize(
    ("failure", "error"),
    [("expired", "session_expired"), ("suspended", "account_suspended"), ("locked", "account_locked")],
)
async def test_a_session_that_ends_logs_the_account_out(tmp_path: Path, failure: str, error: str) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("fail_session", user=SHOP, failure=failure)
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/runtime/reconnect")
        auth = await world.auth(SHOP, "failed")
        assert auth["last_error"] == error


async def test_a_new_csrf_token_is_taken_and_kept(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met()
        for text in ("one", "two"):
            await world.do("rotate_csrf", user=SHOP)
            await world.sent_id(SHOP, ANN, text)
        await world.stop(SHOP)
        await world.start(SHOP)
        await world.sent_id(SHOP, ANN, "three")
        assert len(await world.sent()) == 3
        for session in world.x.sessions.of(SHOP):
            session.csrf = "f" * 160  # another one than we have: the refusal brings it
        await world.sent_id(SHOP, ANN, "four")
        for session in world.x.sessions.of(SHOP):
            session.csrf = "e" * 160
        await world.stop(SHOP)
        await world.start(SHOP)
        await world.sent_id(SHOP, ANN, "five")


async def test_a_retired_query_id_refuses_sends_and_says_so(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met()
        await world.do("retire", name="SendMessageMutation")
        refused: Any = await world.send(SHOP, ANN)
        assert refused.json()["error"]["reason"] == "unknown_endpoint"
        await world.write(ANN, SHOP, "still there")
        await world.told(SHOP, "still there")


async def test_what_the_inbox_says_of_itself_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "CATCH_UP_SECONDS", 0.2)
    async with x_session_world(tmp_path) as world:
        await world.met()
        genuine = CatchUp.page
        odd: list[Any] = ["no conversation", {"latest_message_events": 5}]
        odd.append({"latest_message_events": ["no event"], "has_more": True})

        async def page(self: CatchUp, mark: int, cursor: dict[str, str] | None) -> InboxPage:
            found = await genuine(self, mark, cursor)
            found.max_user_sequence_id = str(2**63 - 2)
            found.items = [*odd, *found.items]
            return found

        monkeypatch.setattr(CatchUp, "page", page)
        for text in ("one", "two"):
            await world.do("drop", count=1)
            await world.write(ANN, SHOP, text)
            await world.told(SHOP, text)
        assert world.texts(SHOP) == ["hello", "one", "two"]
        metrics = (await world.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 3" in metrics

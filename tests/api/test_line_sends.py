"""Sends to LINE: by the reply token first, else pushed under one retry key; and what ends them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.line_world import MEI, TEAM, World, world
from unifyport.sandbox.line.state import id_of

STRANGER = id_of("U", "a stranger")
QUICK = '[supervision.policies.default]\nstop_timeout = "1s"\n'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, more=QUICK) as found:
        yield found


async def fault(here: World, kind: str, method: str, **more: Any) -> None:
    await here.order("faults", {"kind": kind, "method": method, **more})


def ways(here: World) -> list[str]:
    return [message["by"] for message in here.line.sent()]


def called(here: World, method: str) -> int:
    return [call["method"] for call in here.line.connections].count(method)


def pushable(here: World, user: str = "Mei") -> None:
    """The customer is known, and their reply token is used up."""
    here.channel.user(user)
    for token in here.channel.reply_tokens.values():
        token.used = True


def error_of(answer: httpx.Response) -> tuple[int, str, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("reason", ""), error.get("outcome", "")


# -- replies


async def test_a_token_that_line_refuses_leads_to_a_push(here: World) -> None:
    await here.write()
    pushable(here)
    await here.sent()
    assert (called(here, "reply"), ways(here)) == (1, ["push"])


@pytest.mark.parametrize("kind", ["lost_answer", "error_500", "disconnect", "garbage"])
async def test_a_reply_without_an_answer_is_unknown_and_nothing_is_pushed(here: World, kind: str) -> None:
    await here.write()
    await fault(here, kind, "reply")
    answer = await here.send()
    assert (error_of(answer))[::3] == (500, "unknown")
    assert ways(here) == (["reply"] if kind == "lost_answer" else [])
    assert called(here, "push") == 0
    await here.sent()  # the token is not tried again
    assert (called(here, "reply"), called(here, "push")) == (1, 1)


async def test_a_reply_above_the_rate_limit_is_not_sent_and_its_token_stays(here: World) -> None:
    await here.write()
    await fault(here, "rate_limit", "reply")
    answer = await here.send()
    assert (error_of(answer))[::3] == (429, "not_sent")
    assert int(answer.headers["retry-after"]) >= 1
    await here.api.data("POST", here.path("runtime/reset"))
    await here.sent()
    assert ways(here) == ["reply"]


async def test_a_message_that_line_refuses_is_not_tried_as_a_push(here: World) -> None:
    await here.write()
    answer = await here.send(provider_data={"quote_token": "unknown"})
    assert (error_of(answer))[2:] == ("invalid_request", "rejected")
    assert answer.json()["error"]["provider"]["code"] == "400"
    assert (called(here, "reply"), called(here, "push")) == (1, 0)


# -- pushes


@pytest.mark.parametrize("kind", ["lost_answer", "error_500", "disconnect", "garbage"])
async def test_a_lost_answer_is_settled_by_asking_again(here: World, kind: str) -> None:
    pushable(here)
    await fault(here, kind, "push", count=2)
    sent = await here.sent()
    [message] = here.line.sent()
    assert (message["id"], message["by"]) == (sent["message_id"], "push")
    assert called(here, "push") == 3
    assert here.channel.usage == len(here.channel.accepted) == 1


async def test_a_push_above_the_rate_limit_is_not_sent(here: World) -> None:
    pushable(here)
    await fault(here, "rate_limit", "push")
    answer = await here.send()
    assert (error_of(answer))[::3] == (429, "not_sent")
    assert (called(here, "push"), called(here, "quota"), ways(here)) == (1, 1, [])


async def test_a_used_up_quota_is_a_refusal_and_replies_go_on(here: World) -> None:
    await here.order("webhooks", {"channel_id": here.channel.id, "quota": 1, "usage": 1})
    pushable(here)
    answer = await here.send()
    assert error_of(answer) == (500, "send_message_failed", "quota_exhausted", "rejected")
    await here.write()
    await here.sent()
    assert ways(here) == ["reply"]


async def test_a_quota_that_cannot_be_read_leaves_lines_words(here: World) -> None:
    await here.order("webhooks", {"channel_id": here.channel.id, "quota": 1, "usage": 1})
    pushable(here)
    await fault(here, "error_500", "quota")
    answer = await here.send()
    assert (error_of(answer))[2:] == ("quota_exhausted", "rejected")


async def test_to_someone_unknown(here: World) -> None:
    answer = await here.send(to=STRANGER)
    assert answer.status_code == 404
    assert (error_of(answer))[1] == "conversation_not_found"
    group = await here.send(to=id_of("C", "never joined"))
    assert group.status_code == 404
    assert (await here.send(to="someone")).status_code == 400


async def test_who_has_blocked_the_account_gets_nothing_and_the_caller_knows(here: World) -> None:
    """LINE itself accepts such a push, and drops it."""
    await here.write()
    await here.order("updates", {"event": {"type": "unfollow"}})
    await here.inbox.until(lambda: here.inbox.of("provider.event"))
    [blocked] = here.inbox.of("provider.event")
    assert (blocked["event_name"], blocked["data"]["conversation"]["id"]) == ("contact_blocked", MEI)
    answer = await here.send()
    assert (error_of(answer))[2:] == ("blocked_by_recipient", "rejected")
    assert called(here, "push") == called(here, "reply") == 0
    here.channel.users[MEI].friend = True  # and the event of it is lost
    await here.sent({"type": "text", "text": "again"})
    await here.order("updates", {"event": {"type": "follow", "follow": {"isUnblocked": True}}})
    await here.inbox.until(lambda: len(here.inbox.of("provider.event")) == 2)
    await here.sent()
    assert ways(here)[1:] == ["reply"]
    assert called(here, "profile") == 2


async def test_a_group_that_has_put_the_account_out(here: World) -> None:
    await here.write(group="team")
    pushable(here)
    await here.order("updates", {"event": {"type": "leave"}, "group": "team"})
    await here.inbox.until(lambda: here.inbox.of("group.updated"))
    [changed] = here.inbox.of("group.updated")
    assert changed["data"]["changes"] == [{"kind": "member_removed", "member_ids": [here.channel.bot]}]
    answer = await here.send(to=TEAM)
    assert error_of(answer)[2:] == ("not_a_member", "rejected")
    await here.order("updates", {"event": {"type": "join"}, "group": "team"})
    await here.inbox.until(lambda: len(here.inbox.of("group.updated")) == 2)
    await here.sent(to=TEAM)
    assert ways(here) == ["reply"]


async def test_a_push_that_its_connection_did_not_settle_is_settled_by_the_next_one(here: World) -> None:
    pushable(here)
    await fault(here, "lost_answer", "push", count=1000)
    answers: list[httpx.Response] = []
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            answers.append(await here.send(headers={"idempotency-key": "k1"}))

        nursery.start_soon(send)
        with trio.fail_after(10):
            while not here.line.sent():
                await trio.sleep(0.01)  # the sandbox has no event to wait for
        await here.api.data("POST", here.path("runtime/stop"))
    [answer] = answers
    assert (error_of(answer))[::3] == (500, "unknown")
    command = f"/v1/commands/{answer.json()['error']['command_id']}"
    assert (await here.api.data("GET", command))["outcome"] == "unknown"
    here.line.restore()
    await here.api.data("POST", here.path("runtime/start"))
    settled = await here.api.until(lambda data: data["outcome"] == "sent", command)
    [message] = here.line.sent()
    assert settled["message_id"] == message["id"]
    await here.inbox.until(lambda: here.inbox.of("message.status.updated"))
    [status] = here.inbox.of("message.status.updated")
    assert (status["message_id"], status["status"]) == (message["id"], "sent")
    again = await here.send(headers={"idempotency-key": "k1"})
    assert (again.status_code, again.json()["data"]["message_id"]) == (200, message["id"])
    assert len(here.line.sent()) == 1

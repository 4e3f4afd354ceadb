"""X's web application in the sandbox, as a client sees it that a test writes call by call."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio_websocket

from tests.served import served
from unifyport.protocols.xchat import KEEP_ALIVE, MessageEvent, decode_event, decode_frame, encode_frame
from unifyport.sandbox.x.web.platform import ORIGIN, XWebPlatform

SHOP, MAI = "111", "9007199254740995"
NEWEST = str(2**63 - 1)


@attrs.define
class Browser:
    """A client of one session; what it sends is what a test says."""

    platform: XWebPlatform
    http: httpx.AsyncClient
    cookies: dict[str, str]
    endpoints: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return {
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "authorization": "Bearer AAAA",
            "x-csrf-token": self.cookies["ct0"],
            "x-twitter-auth-type": "OAuth2Session",
            "x-client-transaction-id": "ZTo=",
        }

    async def query(
        self, name: str, headers: dict[str, str] | None = None, **variables: Any
    ) -> httpx.Response:
        url = f"{self.endpoints['web_api_url']}/graphql/some-id/{name}"
        params = {"variables": json.dumps(variables)}
        return await self.http.get(url, params=params, headers=self.headers | (headers or {}))

    async def mutate(self, name: str, **variables: Any) -> Any:
        body = {
            "variables": variables,
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "an-id"}},
        }
        url = f"{self.endpoints['web_api_url']}/graphql/an-id/{name}"
        return (await self.http.post(url, json=body, headers=self.headers)).json()

    async def page(self, before: str = NEWEST) -> dict[str, Any]:
        found = await self.query(
            "GetConversationPageQuery", conversation_id=f"{SHOP}:{MAI}", min_local_sequence_id=before
        )
        return dict(found.json()["data"]["get_conversation_page"])

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        token = (await self.mutate("GenerateXChatTokenMutation"))["data"]["user_get_x_chat_auth_token"][
            "token"
        ]
        url = f"{self.endpoints['chat_socket_url']}?token={token}"
        headers = [(b"origin", ORIGIN.encode())]
        async with trio_websocket.open_websocket_url(url, extra_headers=headers) as opened:
            await opened.send_message(encode_frame(KEEP_ALIVE))
            with trio.fail_after(5):
                while not any(each.keep_alives for each in self.platform.socket.followers):
                    await trio.lowlevel.checkpoint()
            yield opened


async def told(socket: trio_websocket.WebSocketConnection) -> MessageEvent:
    """The next event of the socket, which comes alone."""
    with trio.fail_after(5):
        data = await socket.get_message()
    assert isinstance(data, bytes)
    (event,) = decode_frame(data).events
    return event


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    platform = XWebPlatform()
    async with served(platform) as endpoints, httpx.AsyncClient() as http:
        session = await platform.push({"do": "session", "user": SHOP})
        yield Browser(platform, http, session["cookies"], endpoints)


async def test_cookies_and_the_csrf_token_must_match() -> None:
    async with browser() as web:
        good = await web.query("GetUsersByIdsForXChat", ids=[SHOP, MAI, "404"])
        found = good.json()["data"]["get_member_results"]["results"]
        assert [each["member_results"]["rest_id"] for each in found] == [SHOP, MAI]
        for headers, status, code in (
            ({"x-csrf-token": "another"}, 403, 353),
            ({"cookie": "auth_token=unknown; ct0=x", "x-csrf-token": "x"}, 401, 32),
            ({"authorization": ""}, 401, 32),
            ({"x-client-transaction-id": ""}, 404, 34),
        ):
            refused = await web.query("GetUsersByIdsForXChat", headers, ids=[SHOP])
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (status, code)
        await web.platform.push({"do": "rotate_csrf", "user": SHOP})
        renewed = await web.query("GetUsersByIdsForXChat", ids=[SHOP])
        assert renewed.is_success
        refused = await web.query("GetUsersByIdsForXChat", ids=[SHOP])
        assert refused.json()["errors"][0]["code"] == 353
        web.cookies["ct0"] = renewed.cookies["ct0"]
        assert (await web.query("GetUsersByIdsForXChat", ids=[SHOP])).is_success


@pytest.mark.parametrize(("failure", "status", "code"), [("locked", 403, 326), ("suspended", 403, 64)])
async def test_a_session_that_x_has_stopped(failure: str, status: int, code: int) -> None:
    async with browser() as web:
        await web.platform.push({"do": "fail_session", "user": SHOP, "failure": failure})
        refused = await web.query("GetUsersByIdsForXChat", ids=[SHOP])
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (status, code)


async def test_a_retired_query_id_is_not_found() -> None:
    async with browser() as web:
        await web.platform.push({"do": "retire", "name": "GetUsersByIdsForXChat"})
        assert (await web.query("GetUsersByIdsForXChat", ids=[SHOP])).status_code == 404


async def test_inbox_and_history_are_read_from_the_newest_to_the_oldest() -> None:
    async with browser() as web:
        web.platform.queries.page = 4
        ids = [
            web.platform.orders.receive({"from": MAI, "to": SHOP, "text": f"text {number}"})["sequence_id"]
            for number in range(8)
        ]
        inbox = (await web.query("GetInitialXChatPageQuery")).json()["data"]["get_initial_chat_page"]
        (item,) = inbox["items"]
        shown = [decode_event(each).sequence_id for each in item["latest_message_events"]]
        assert (shown, item["has_more"]) == (ids[:2:-1], True)
        assert inbox["max_user_sequence_id"] == ids[-1]
        assert inbox["inboxCursor"]["pull_finished"]
        newer = (await web.query("GetInitialXChatPageQuery", max_local_sequence_id=ids[-1])).json()
        assert newer["data"]["get_initial_chat_page"]["items"] == []
        page = await web.page()
        assert [decode_event(each).sequence_id for each in page["encoded_message_events"]] == ids[:3:-1]
        assert len(page["missing_conversation_key_change_events"]) == 1
        assert page["has_more"]
        last = await web.page(ids[3])
        assert [decode_event(each).sequence_id for each in last["encoded_message_events"]][:3] == ids[2::-1]
        assert (last["has_more"], last["missing_conversation_key_change_events"]) == (False, [])


async def test_the_socket_tells_each_event_and_drops_what_a_test_says() -> None:
    async with browser() as web, web.socket() as socket:
        first = web.platform.orders.receive({"from": MAI, "to": SHOP, "text": "one"})
        events = [await told(socket) for _ in range(2)]
        assert events[0].detail is not None
        assert events[0].detail.key_change is not None
        assert events[1].message_id == first["message_id"]
        await web.platform.push({"do": "drop", "count": 1})
        web.platform.orders.receive({"from": MAI, "to": SHOP, "text": "dropped"})
        web.platform.orders.receive({"from": MAI, "to": SHOP, "text": "two"})
        after = await told(socket)
        assert int(after.previous_sequence_id or 0) > int(events[1].sequence_id or 0)  # a gap


async def test_a_void_token_opens_no_socket() -> None:
    async with browser() as web:
        url = f"{web.endpoints['chat_socket_url']}?token=void"
        async with trio_websocket.open_websocket_url(url) as socket:
            with pytest.raises(trio_websocket.ConnectionClosed), trio.fail_after(5):
                await socket.get_message()


async def test_a_message_is_kept_once_and_a_refused_one_is_answered_with_its_failure() -> None:
    async with browser() as web:
        web.platform.orders.receive({"from": MAI, "to": SHOP, "text": "hello"})
        place, key = web.platform.people._key(SHOP, MAI)
        made = web.platform.people.people[SHOP].chat.encrypt_message(place.id, "answer", **key)
        variables = {
            "conversation_id": place.id,
            "message_id": made.message_id,
            "conversation_token": place.token,
            "encoded_message_create_event": made.encrypted_content,
            "encoded_message_event_signature": made.encoded_event_signature,
        }
        answers = [await web.mutate("SendMessageMutation", **variables) for _ in range(2)]
        assert answers[0] == answers[1]
        assert web.platform.people.told(MAI, SHOP)[-1]["content"]["text"] == "answer"
        await web.platform.push({"do": "refuse", "failure_type": 11})
        refused = await web.mutate("SendMessageMutation", **variables)
        event = decode_event(refused["data"]["xchat_send_create_message_event"]["encoded_message_event"])
        assert event.detail is not None
        assert event.detail.failure is not None
        assert event.detail.failure.failure_type == 11


@pytest.mark.parametrize(
    "order",
    [
        {"do": "session", "user": "404"},
        {"do": "group", "members": ["111"], "name": "x"},
        {"do": "react", "from": MAI, "message_id": "unknown", "emoji": "x"},
        {"do": "drop", "count": "x"},
        {"do": "fail_session", "user": SHOP, "failure": "x"},
        {"do": "put", "event": "no event"},
        {"do": "nothing"},
    ],
)
async def test_a_wrong_order_changes_nothing(order: dict[str, Any]) -> None:
    platform = XWebPlatform()
    with pytest.raises(ValueError, match=r"^\w+: "):
        await platform.push(order)
    assert platform.chat.conversations == {}

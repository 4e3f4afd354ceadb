"""The server of Zalo's web client, as a client sees it that does what clients must not."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio_websocket

from unifyport.protocols.zalo_frames import Command, Frame, key_of, open_payload, read_frame
from unifyport.protocols.zalo_frames.frames import old_frame, ping_frame
from unifyport.providers.zalo.personal import login_steps, requests
from unifyport.providers.zalo.personal.calls import Call, Device, Session, read_answer
from unifyport.providers.zalo.personal.login_info import info_call, limits_call, read_info
from unifyport.providers.zalo.personal.messages import Reference
from unifyport.sandbox.serving import bind
from unifyport.sandbox.zalo.personal.platform import ORIGIN, ZaloPersonalPlatform
from unifyport.sandbox.zalo.personal.qr import VERSION

ONE_CALL = httpx.Limits(max_keepalive_connections=0)  # the clock of a test may jump
LAN, MAI = "1500000000000000001", "1500000000000000002"


@attrs.define
class Web:
    """A client without manners of its own: what it sends is what a test says."""

    platform: ZaloPersonalPlatform
    http: httpx.AsyncClient
    device: Device
    cookie: str

    async def ask(self, call: Call, **headers: str) -> httpx.Response:
        url = f"{self.platform.addresses['personal_url']}/{call.url.removeprefix('https://')}"
        given = {"cookie": f"zpw_sek={self.cookie}", "user-agent": self.device.user_agent, **headers}
        return await self.http.request(
            call.method, url, params=dict(call.query), data=dict(call.form or {}), headers=given
        )

    async def code(self, call: Call, **headers: str) -> Any:
        """The outer error code of an answer."""
        return (await self.ask(call, **headers)).json()["error_code"]

    async def log_in(self) -> Session:
        call, cipher = info_call(self.device, 1_780_000_000_000, "0123456789ab")
        return read_info((await self.ask(call)).content, cipher, self.device)

    async def refusal(self, session: Session, call: Call) -> int:
        """The error code inside of an answer, 0 if there is none."""
        sealed = (await self.ask(call)).json()["data"]
        return int(json.loads(session.cipher.open(sealed))["error_code"])


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[ZaloPersonalPlatform]:
    platform = ZaloPersonalPlatform()
    async with trio.open_nursery() as nursery:
        addresses = {}
        for protocol in platform.protocols:
            listener = bind("127.0.0.1", 0)
            addresses[protocol.name] = protocol.address_at(listener)
            nursery.start_soon(protocol.serve, listener)
        nursery.start_soon(platform.run)
        platform.endpoints(addresses)
        for id_, name in ((LAN, "Lan"), (MAI, "Mai")):
            platform.push({"do": "account", "id": id_, "name": name})
        yield platform
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def web() -> AsyncIterator[Web]:
    """A client with a session of LAN."""
    async with served() as platform, httpx.AsyncClient(trust_env=False, limits=ONE_CALL) as http:
        exported = platform.push({"do": "export", "user": LAN})
        assert exported is not None
        device = Device(exported["imei"], exported["userAgent"])
        yield Web(platform, http, device, exported["cookie"][1]["value"])


async def test_a_session_is_bound_to_its_cookie_agent_and_imei() -> None:
    async with web() as client:
        session = await client.log_in()
        call = requests.friends_call(session, 1, 10)
        assert await client.code(call) == 0
        for headers in (
            {"cookie": ""},
            {"cookie": "zpw_sek=other"},
            {"cookie": f"zpw_sek={client.cookie}; zpw_sek=other"},
            {"user-agent": "another browser"},
        ):
            assert await client.code(call, **headers) == 600
        info, _ = info_call(Device("0123456789-another", client.device.user_agent), 1, "0123456789ab")
        assert await client.code(info) == 600
        client.platform.push({"do": "end_session", "user": LAN})
        assert await client.code(call) == 600
        assert await client.code(info_call(client.device, 1, "0123456789ab")[0]) == 102


async def test_requests_for_the_login_info_are_signed() -> None:
    async with web() as client:
        info, _ = info_call(client.device, 1_780_000_000_000, "0123456789ab")
        for name, value in (("signkey", "0" * 32), ("type", "24"), ("params", "AAAA"), ("zcid", "00")):
            assert await client.code(attrs.evolve(info, query={**info.query, name: value})) == 114
        await client.log_in()
        limits = limits_call(client.device)
        assert await client.code(limits) == 0
        assert await client.code(attrs.evolve(limits, query={**limits.query, "signkey": "0"})) == 114


async def test_each_request_has_its_host_method_and_form() -> None:
    async with web() as client:
        session = await client.log_in()
        call = requests.typing_call(session, MAI)
        assert await client.refusal(session, call) == 0
        assert call.form is not None
        other = call.url.replace("tt-chat-", "tt-group-")
        assert (await client.ask(attrs.evolve(call, url=other))).status_code == 404
        in_query = attrs.evolve(call, query={**call.query, "params": call.form["params"]}, form=None)
        assert (await client.ask(in_query)).status_code == 404
        plain = attrs.evolve(call, form={"params": json.dumps({"toid": MAI})})
        assert await client.refusal(session, plain) == 114
        assert await client.refusal(session, attrs.evolve(call, query={})) == 114


async def test_receipts_and_undo_say_what_is_true() -> None:
    async with web() as client:
        session = await client.log_in()
        told = client.platform.receive({"from": MAI, "to": LAN, "text": "hello"})
        good = Reference(MAI, told["message_id"], told["client_id"], MAI, "0", "webchat", 1, "hello")
        for wrong in (
            attrs.evolve(good, message_id="1"),
            attrs.evolve(good, client_id="1"),
            attrs.evolve(good, sender=LAN),
            attrs.evolve(good, kind="chat.photo"),
        ):
            assert await client.refusal(session, requests.receipt_call(session, [wrong], seen=True)) == 114
        assert await client.refusal(session, requests.receipt_call(session, [good], seen=True)) == 0
        assert await client.refusal(session, requests.undo_call(session, good, 1)) == 166


async def test_the_same_client_id_is_one_message() -> None:
    async with web() as client:
        session = await client.log_in()
        fields = {"message": "once", "clientId": 17, "ttl": 0, "toid": MAI, "imei": client.device.imei}
        call = session.call("chat", "/api/message/sms", fields, nretry="0")
        answers = [read_answer((await client.ask(call)).content, session.cipher) for _ in range(2)]
        assert answers[0] == answers[1]
        assert [sent["text"] for sent in client.platform.sent()] == ["once"]


async def test_a_code_lives_for_100_seconds(mock_clock: trio.testing.MockClock) -> None:
    async with web() as client:

        async def step(call: Call) -> Any:
            return (await client.ask(call)).json()

        generate = login_steps.generate_call(VERSION)
        code = login_steps.qr_of((await client.ask(generate)).content)
        client.platform.push({"do": "scan", "qr": code.text, "user": LAN})
        assert (await step(login_steps.scan_call(VERSION, code.code)))["data"]["display_name"] == "Lan"
        mock_clock.jump(101)
        assert (await step(login_steps.confirm_call(VERSION, code.code)))["error_code"] == -14
        with pytest.raises(ValueError, match="expired"):
            client.platform.push({"do": "confirm", "qr": code.text})
        assert (await step(login_steps.scan_call("1.0", code.code)))["error_code"] == -1


@contextlib.asynccontextmanager
async def socket(
    client: Web, *, origin: str = ORIGIN, **headers: str
) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    given = {"cookie": f"zpw_sek={client.cookie}", "user-agent": client.device.user_agent, **headers}
    extra = [(name.encode(), value.encode()) for name, value in {"origin": origin, **given}.items()]
    url = f"{client.platform.addresses['personal_socket_url']}/ws1-msg.chat.zalo.me/?zpw_ver=671"
    async with trio_websocket.open_websocket_url(url, extra_headers=extra) as connection:
        yield connection


async def frame_of(connection: trio_websocket.WebSocketConnection) -> Frame:
    message = await connection.get_message()
    assert isinstance(message, bytes)
    return read_frame(message)


async def test_the_socket_needs_a_session() -> None:
    async with web() as client:
        for headers in ({"cookie": ""}, {"user-agent": "another browser"}):
            async with socket(client, **headers) as connection:
                with pytest.raises(trio_websocket.ConnectionClosed):
                    await connection.get_message()
                assert connection.closed is not None
                assert connection.closed.code == 1008
        async with socket(client) as connection:
            key = key_of(await frame_of(connection))
            await connection.send_message(ping_frame(7))
            pong = await frame_of(connection)
            assert (pong.command, json.loads(pong.body)) == (Command.PING, {"eventId": 7})
            client.platform.receive({"from": MAI, "to": LAN, "text": "hello"})
            news = json.loads(open_payload((await frame_of(connection)).body, key))
            [message] = news["data"]["msgs"]
            assert (message["uidFrom"], message["idTo"], message["content"]) == (MAI, "0", "hello")
            await connection.send_message(old_frame(Command.OLD_USER_MESSAGES, None, 1))
            frame = await frame_of(connection)
            assert (frame.command, frame.sub_command) == (Command.OLD_USER_MESSAGES, 1)
            async with socket(client) as second:  # another connection of the same user
                await second.get_message()
                assert (await frame_of(connection)).command == Command.OTHER_CONNECTION
                with pytest.raises(trio_websocket.ConnectionClosed):
                    await connection.get_message()
                assert connection.closed is not None
                assert connection.closed.code == 3000


async def test_faults_of_messages_and_sockets() -> None:
    async with web() as client:
        client.platform.order_fault({"kind": "conflict"})
        async with socket(client) as connection:
            with pytest.raises(trio_websocket.ConnectionClosed):
                await connection.get_message()
            assert connection.closed is not None
            assert connection.closed.code == 3003
        async with socket(client) as connection:
            key = key_of(await frame_of(connection))
            client.platform.order_fault({"kind": "duplicate"})
            told = client.platform.receive({"from": MAI, "to": LAN, "text": "twice"})
            for _ in range(2):
                news = json.loads(open_payload((await frame_of(connection)).body, key))
                assert [message["msgId"] for message in news["data"]["msgs"]] == [told["message_id"]]
        session = await client.log_in()
        client.platform.order_fault({"kind": "logout"})
        assert await client.code(requests.friends_call(session, 1, 10)) == 600

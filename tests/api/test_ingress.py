"""Ingress: who may write, what a stranger learns, and the bounds."""

import json
import time
from pathlib import Path

import pytest
import trio

from tests.harness import (
    APP_SECRET,
    BOT,
    CUSTOMER,
    NUMBER,
    TOKEN,
    VERIFY_TOKEN,
    Client,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from unifyport.api.ingress_room import HeldBody, IngressRoom, NoRoom
from unifyport.model.json_depth import too_deep
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign

pytestmark = pytest.mark.front

OTHER, OTHER_SECRET = "106540352242923", "the-secret-of-another-app"


def message(name: str, at: int | None = None) -> bytes:
    item = {
        "id": f"wamid.{name}",
        "from": CUSTOMER,
        "timestamp": str(int(time.time()) if at is None else at),
        "type": "text",
        "text": {"body": name},
    }
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [item]}
    return json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()


def signed(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    return {SIGNATURE: sign(secret, body)}


async def test_a_stranger_learns_nothing_and_nothing_is_processed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("other", OTHER, app_secret=OTHER_SECRET) + account()
        more += endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 3)
            shop, _, bot = await api.data("GET", "/v1/accounts")
            body, mine = message("x"), f"/ingress/whatsapp/{shop['id']}"
            refused = {
                "wrong secret": (mine, body, signed(body, "wrong")),
                "another account's secret": (mine, body, signed(body, OTHER_SECRET)),
                "altered body": (mine, body + b" ", signed(body)),
                "missing header": (mine, body, {}),
                "unknown account": ("/ingress/whatsapp/acct_000000000000000000000000", body, signed(body)),
                "wrong provider": (f"/ingress/telegram/{shop['id']}", body, signed(body)),
                "provider without ingress": (f"/ingress/line/{shop['id']}", body, signed(body)),
                "no such provider": (f"/ingress/nobody/{shop['id']}", body, signed(body)),
                "an account that polls": (f"/ingress/telegram/{bot['id']}", body, signed(body)),
                "no account": ("/ingress/whatsapp/", body, signed(body)),
                "no provider": ("/ingress/", body, signed(body)),
                "nothing at all": (mine, b"", {}),
            }
            answers = {}
            for name, (path, content, headers) in refused.items():
                response = await api.http.post(path, content=content, headers=headers)
                shown = {k: v for k, v in response.headers.items() if k != "date"}
                answers[name] = (response.status_code, response.content, shown)
            assert {answer[0] for answer in answers.values()} == {401}, answers
            assert all(answer == answers["wrong secret"] for answer in answers.values())
            for path in (
                mine,
                "/ingress/whatsapp/acct_000000000000000000000000",
                f"/ingress/line/{shop['id']}",
            ):
                query = {"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1"}
                response = await api.http.get(path, params=query)
                shown = {k: v for k, v in response.headers.items() if k != "date"}
                assert (response.status_code, response.content, shown) == answers["wrong secret"]
            told = [record for record in caplog.records if record.message.startswith("ingress refused")]
            assert [vars(record)["account_id"] for record in told] == [
                shop["id"],
                "unknown",
                bot["id"],
            ]  # once a minute
            assert [record.getMessage() for record in told] == [
                "ingress refused for account 'shop': the signature does not match",
                "ingress refused: no account has the id in its path",
                "ingress refused for account 'bot': the account takes no calls: its connection fetches by"
                " itself",
            ]
            assert vars(told[0])["account"] == "shop"
            assert vars(told[0])["action"] == f"see why: unifyport explain {shop['id']}"
            assert "action" not in vars(told[1])
            assert (await api.data("GET", "/v1/events?type=message.received"))["items"] == []
            assert "unifyport_quarantined_total 0.0" in (await api.http.get("/metrics")).text
            # and the good one, so that the refusals above mean something
            assert (await api.http.post(mine, content=body, headers=signed(body))).status_code == 200
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)


async def test_the_challenge_is_plain_text_for_the_right_token_only(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "115_8-x"}
            good = await api.http.get(shop["ingress_url"], params=query)
            assert (good.status_code, good.text) == (200, "115_8-x")
            assert good.headers["content-type"] == "text/plain"
            assert good.headers["x-content-type-options"] == "nosniff"
            markup = await api.http.get(shop["ingress_url"], params={**query, "hub.challenge": "<b>"})
            assert (markup.status_code, "<" in markup.text) == (401, False)
            many = "&".join(f"a{n}=1" for n in range(100))
            assert (await api.http.get(f"{shop['ingress_url']}?{many}")).status_code == 401
            assert (await api.http.put(shop["ingress_url"])).status_code == 405


async def test_stale_repeated_and_unreadable_items_are_acknowledged(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [shop] = await api.data("GET", "/v1/accounts")
            now = int(time.time())
            deep = b'{"entry":' + b"[" * 70 + b"]" * 70 + b"}"
            fourteen_days = 14 * 86400
            for body in (
                message("stale", now - fourteen_days),
                message("old", now - fourteen_days + 2 * 86400),
                message("twice"),
                message("twice"),
                b"not JSON",
                deep,
            ):
                response = await api.http.post(shop["ingress_url"], content=body, headers=signed(body))
                assert response.status_code == 200, body
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            assert sorted(e["text"] for e in inbox.of("message.received")) == ["old", "twice"]
            text = (await api.http.get("/metrics")).text
            assert "unifyport_quarantined_total 3.0" in text
            assert 'unifyport_ingress_requests_total{provider="whatsapp",status="200"} 6.0' in text


def raw_post(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


async def test_bodies_are_bounded(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            path = shop["ingress_url"].removeprefix(str(api.http.base_url).rstrip("/"))
            four = 4 * 1024 * 1024
            announced = raw_post(path, f"content-length: {four + 1}")
            nobody = raw_post(f"/ingress/nobody/{shop['id']}", "content-length: 65537")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            chunked = raw_post(path, "transfer-encoding: chunked") + chunk * 4 + b"1\r\nx\r\n"
            for request in (announced, nobody, chunked):
                stream = await trio.open_tcp_stream("127.0.0.1", api.port)
                async with stream:
                    await stream.send_all(request)
                    with trio.fail_after(5):
                        assert b" 413 " in await stream.receive_some(1000)
            longest = message("fits") + b" " * (four - len(message("fits")))
            response = await api.http.post(shop["ingress_url"], content=longest, headers=signed(longest))
            assert response.status_code == 200
            assert (
                'unifyport_ingress_requests_total{provider="whatsapp",status="413"} 2.0'
                in (await api.http.get("/metrics")).text
            )


async def test_bodies_in_flight_are_bounded(tmp_path: Path) -> None:
    """An account's room is full of bodies that nobody has verified:
    its platform's webhooks come in nevertheless.
    """
    async with sandbox() as platform:
        more = whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            path = shop["ingress_url"].removeprefix(str(api.http.base_url).rstrip("/"))
            size = 4 * 1024 * 1024
            small = message("hello")
            large = small + b" " * (200_000 - len(small))
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    stream = await trio.open_tcp_stream("127.0.0.1", api.port)
                    nursery.start_soon(
                        _hold, stream, raw_post(path, f"content-length: {size}") + b"x" * (size - 1)
                    )
                with trio.fail_after(9):
                    while await _held(api) != 2 * (size - 1):
                        pass
                refused = await api.http.post(path, content=large, headers=signed(large))
                assert refused.status_code == 503
                assert int(refused.headers["retry-after"]) > 0
                taken = await api.http.post(path, content=small, headers=signed(small))
                assert taken.status_code == 200
                nursery.cancel_scope.cancel()
            with trio.fail_after(5):  # they went away, and gave their room back
                while (await api.http.post(path, content=large, headers=signed(large))).status_code != 200:
                    await trio.lowlevel.checkpoint()


async def _held(api: Client) -> int:
    lines = (await api.http.get("/metrics")).text.splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith("unifyport_ingress_bytes ")]
    return int(float(value))


async def _hold(stream: trio.SocketStream, data: bytes) -> None:
    async with stream:
        await stream.send_all(data)
        await trio.sleep_forever()


async def test_a_slow_body_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unifyport.api.ingress.BODY_SECONDS", 0.05)
    async with sandbox() as platform:
        more = whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            path = shop["ingress_url"].removeprefix(str(api.http.base_url).rstrip("/"))
            stream = await trio.open_tcp_stream("127.0.0.1", api.port)
            async with stream:
                head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
                await stream.send_all(head.encode() + b"{")
                with trio.fail_after(5):
                    assert b" 408 " in await stream.receive_some(1000)


async def test_a_deleted_account_is_gone(tmp_path: Path) -> None:
    from tests.harness import whatsapp_data

    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, platform.sandbox.config(), **public(free_port()))) as api:
            body = {"provider": "whatsapp", "provider_data": whatsapp_data()}
            shop = await api.data("POST", "/v1/accounts", body)
            assert (await api("DELETE", f"/v1/accounts/{shop['id']}")).status_code == 204
            content = message("late")
            response = await api.http.post(shop["ingress_url"], content=content, headers=signed(content))
            assert response.status_code == 410


def test_the_room_for_bodies() -> None:
    room = IngressRoom(100, unverified=50, unknown=25, account=20, small=5)

    def held(account: str | None, size: int) -> HeldBody:
        body = HeldBody(room, account)
        body.take(size)
        return body

    def refused(account: str | None, size: int) -> bool:
        with pytest.raises(NoRoom):
            held(account, size)
        return True

    strangers = held(None, 25)
    assert refused(None, 1)
    large = held("a", 20)
    assert refused("a", 6)
    small = held("a", 5)  # although the account's large bodies have used up their part
    assert refused("b", 1)  # what is not verified has half of the room
    verified = HeldBody(room, "b")
    verified.verify(50)  # the other half
    with pytest.raises(NoRoom):
        HeldBody(room, "c").verify(1)
    large.verify(20)  # it was in already
    held("b", 0)
    assert room.held == 100
    for body in (strangers, large, small, verified, verified):
        body.release()
    assert room.held == 0
    held("a", 20).release()


def test_a_body_that_was_refused_holds_what_it_held() -> None:
    room = IngressRoom(100, unverified=50, unknown=25, account=20, small=5)
    body = HeldBody(room, "a")
    body.take(15)
    with pytest.raises(NoRoom):
        body.take(6)
    assert room.held == 15
    body.release()
    assert room.held == 0


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b"[]" * 500, False),
        (b'["' + b"[" * 500 + b'"]', False),
        (b'["\\"' + b"[" * 500 + b'"]', False),
        (b'["\\\\",' + b"[" * 500, True),
        (b'{"a":' * 70, True),
        (b'"' + b"{" * 500, False),
        (b"", False),
    ],
)
def test_depth(body: bytes, deep: bool) -> None:
    assert too_deep(body) is deep


async def test_telegram_by_webhook(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + 'receive = "webhook"\n' + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [bot] = await api.data("GET", "/v1/accounts")
            assert bot["ingress_url"].endswith(f"/ingress/telegram/{bot['id']}")
            known = platform.telegram.bots[TOKEN]
            assert known.webhook is not None
            assert known.webhook["url"] == bot["ingress_url"]
            for number in range(5):
                await platform.write(f"{number}", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 5)
            assert [e["text"] for e in inbox.of("message.received")] == list("01234")
            polls = (await platform.http.get("/sandbox/telegram/connections")).json()
            assert "getupdates" not in {call["method"].lower() for call in polls}
            forged = json.dumps({"update_id": 1, "message": {}}).encode()
            assert (await api.http.post(bot["ingress_url"], content=forged)).status_code == 401
            with trio.fail_after(5):
                while known.updates:
                    await trio.lowlevel.checkpoint()


async def test_a_bot_changes_from_poll_to_webhook_and_back(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}}
            bot = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{bot['id']}"
            assert (bot["receive"], "ingress_url" in bot) == ("poll", False)
            known = platform.telegram.bots

            async def came(kind: str, number: int) -> None:
                await inbox.until(lambda: len(inbox.of(kind)) == number)

            for turn, receive in enumerate(("webhook", "poll", "webhook"), 1):
                await came("account.started", turn)
                await platform.write(f"before {turn}", 7)
                await came("message.received", turn)
                changed = await api.data("PATCH", path, {"receive": receive})
                assert changed["receive"] == receive
            await inbox.until(lambda: len(inbox.of("account.started")) == 4)
            await platform.write("last", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 4)
            hook = known[TOKEN].webhook
            assert hook is not None
            assert hook["url"].endswith(bot["id"])
            assert BOT in TOKEN
            wrong = await api("PATCH", path, {"receive": "pigeon"})
            assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("how", ["delete", "cancel"])
async def test_a_bot_that_is_let_go_of_is_called_no_more(tmp_path: Path, how: str) -> None:
    async with sandbox() as platform:
        more = platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "receive": "webhook"}
            path = f"/v1/accounts/{(await api.data('POST', '/v1/accounts', body))['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            [bot] = platform.telegram.bots.values()
            assert bot.webhook is not None
            response = await (api("DELETE", path) if how == "delete" else api("POST", f"{path}/auth/cancel"))
            assert response.is_success
            assert bot.webhook is None


async def test_a_webhook_needs_a_public_url(tmp_path: Path) -> None:
    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "receive": "webhook"}
            refused = await api("POST", "/v1/accounts", body)
            assert refused.status_code == 400
            assert "public_url" in refused.json()["error"]["message"]


async def test_a_webhook_of_telegram_needs_https(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, server='public_url = "http://gateway.example"')
    async with gateway(settings) as api:
        body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "receive": "webhook"}
        refused = await api("POST", "/v1/accounts", body)
        assert refused.status_code == 400
        assert "telegram calls https only" in refused.json()["error"]["message"]
        # What is not known is ignored, as everywhere in the API; the file refuses it.
        body = {"provider": "telegram", "provider_data": {"token": TOKEN, "webhok_secret": "x"}}
        assert (await api("POST", "/v1/accounts", body)).is_success

"""What Zalo's two official connections must show beside what their other tests do."""

import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.account.memory_session import MemorySession
from tests.harness import (
    Client,
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from tests.parity.disk import SlowDisk
from tests.providers.platform import answer, context, scripted
from tests.zalo import (
    APP_ID,
    BOT_TOKEN,
    CUSTOMER,
    OA,
    OA_SECRET,
    SEED,
    USER,
    bot_account,
    connect,
    official_account,
    official_data,
    order,
    text_to,
)
from unifyport.providers import zalo
from unifyport.providers.contract.base import Channel
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.http import HttpApi
from unifyport.providers.oauth import RECORD
from unifyport.providers.zalo.bot import errors as bot_errors
from unifyport.providers.zalo.bot.signature import SECRET_TOKEN, secret_of
from unifyport.providers.zalo.downloads import is_media_url
from unifyport.providers.zalo.official import errors
from unifyport.providers.zalo.official.oauth import ZaloOAuth
from unifyport.providers.zalo.official.render import render_reaction
from unifyport.providers.zalo.official.signature import SIGNATURE, TIMESTAMP, sign
from unifyport.sandbox.zalo.bot import ZaloBotPlatform
from unifyport.sandbox.zalo.files import FilesAtUrls
from unifyport.sandbox.zalo.official import ZaloOfficialPlatform


@attrs.frozen
class World:
    """`name`: of the local platform."""

    name: str
    platform: Platform
    inbox: Receiver
    api: Client
    account: dict[str, Any]

    @property
    def played(self) -> Any:
        found = self.platform.sandbox.platforms[self.name]
        assert isinstance(found, ZaloBotPlatform | ZaloOfficialPlatform)
        return found

    def texts(self) -> list[str]:
        return [event["text"] for event in self.inbox.of("message.received")]

    async def tell(self, what: str, body: dict[str, Any]) -> Any:
        return await order(self.platform, what, body, of=self.name)

    async def call(self, number: int, *, at: float | None = None) -> int:
        """Zalo calls our webhook with a text; the status of the answer."""
        ms = int((time.time() if at is None else at) * 1000)
        if self.name == "zalo":
            chat = {"id": USER, "chat_type": "PRIVATE"}
            head = {"message_id": f"m-{number}", "date": ms, "from": {"id": USER}, "chat": chat}
            update = {"event_name": "message.text.received", "message": {**head, "text": f"{number}"}}
            return await self.post(json.dumps({"ok": True, "result": update}).encode())
        event = {
            "event_name": "user_send_text",
            "timestamp": str(ms),
            "sender": {"id": CUSTOMER},
            "recipient": {"id": OA},
            "message": {"msg_id": f"m-{number}", "text": f"{number}"},
        }
        return await self.post(json.dumps(event).encode())

    async def post(self, body: bytes) -> int:
        stamp = str(int(time.time() * 1000))
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            stamp = json.loads(body).get("timestamp", stamp)
        headers = {SIGNATURE: sign(APP_ID, body, stamp, OA_SECRET), TIMESTAMP: stamp}
        headers |= {SECRET_TOKEN: secret_of({"bot_token": BOT_TOKEN})}
        return (
            await self.api.http.post(self.account["ingress_url"], content=body, headers=headers)
        ).status_code


@contextlib.asynccontextmanager
async def connected(directory: Path, name: str, channel: Channel = zalo.CHANNEL) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        file = bot_account('receive = "webhook"') if name == "zalo" else official_account()
        file += endpoint(inbox.url) + "[providers.zalo]\n"
        places = platform.sandbox.endpoints["zalo"]
        file += "".join(f'{field} = "{value}"\n' for field, value in places.items())
        async with gateway(settings_of(directory, file, **public(free_port())), [channel]) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [account] = await api.data("GET", "/v1/accounts")
            if name != "zalo":
                await connect(platform, account["ingress_url"])
            yield World(name, platform, inbox, api, account)


both = pytest.mark.parametrize("name", ["zalo", "zalo-official"])


@both
async def test_what_comes_out_of_order_is_emitted_as_it_comes(tmp_path: Path, name: str) -> None:
    async with connected(tmp_path, name) as world:
        for number in (12, 11, 12, 10):
            assert await world.call(number) == 200
        await world.inbox.until(lambda: len(world.texts()) == 3)
        assert world.texts() == ["12", "11", "10"]


@both
async def test_while_the_disk_is_slow_zalo_keeps_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    disk = SlowDisk(monkeypatch)
    hasty = []
    for spec in zalo.CHANNEL.connections_of("token"):
        assert spec.ingress is not None
        assert spec.ingress.commit_seconds < 2  # Zalo waits for two seconds
        hasty.append(attrs.evolve(spec, ingress=attrs.evolve(spec.ingress, commit_seconds=0.5)))
    async with connected(tmp_path, name, attrs.evolve(zalo.CHANNEL, connections=hasty)) as world:
        disk.stall()
        try:
            assert await world.call(1) == 503
        finally:
            disk.go_on()
        assert [await world.call(number) for number in (1, 2)] == [200, 200]
        await world.inbox.until(lambda: "2" in world.texts())
        assert world.texts() == ["1", "2"]


@both
async def test_garbage_is_set_aside_and_stops_nothing(tmp_path: Path, name: str) -> None:
    async with connected(tmp_path, name) as world:
        for body in (b"not json", b"[]", b'{"a": ' * 5000, b'{"event_name": 5}'):
            assert await world.post(body) == 200
        assert await world.call(1) == 200
        await world.inbox.until(lambda: world.texts() == ["1"])
        assert "unifyport_quarantined_total 4.0" in (await world.api.http.get("/metrics")).text


async def test_an_update_older_than_its_key_is_kept_for(tmp_path: Path) -> None:
    """Of a bot; what an account's webhook signs with so old a time is refused."""
    async with connected(tmp_path, "zalo") as world:
        assert await world.call(1, at=time.time() - 14 * 86_400) == 200
        assert await world.call(2) == 200
        await world.inbox.until(lambda: world.texts() == ["2"])
        assert "unifyport_quarantined_total 1.0" in (await world.api.http.get("/metrics")).text
    folder = tmp_path / "official"
    folder.mkdir()
    async with connected(folder, "zalo-official") as world:
        assert await world.call(1, at=time.time() - 14 * 86_400) == 401
        assert await world.call(2, at=time.time() + 3600) == 401


@both
async def test_a_stopped_account_keeps_nothing_and_zalo_repeats(tmp_path: Path, name: str) -> None:
    async with connected(tmp_path, name) as world:
        runtime = f"/v1/accounts/{world.account['id']}/runtime"
        await world.api.data("POST", f"{runtime}/stop")
        assert await world.call(1) == 503
        await world.api.data("POST", f"{runtime}/start")
        assert [await world.call(1), await world.call(1)] == [200, 200]
        assert await world.call(2) == 200
        await world.inbox.until(lambda: "2" in world.texts())
        assert world.texts() == ["1", "2"]


@both
async def test_a_file_that_zalo_no_longer_has(tmp_path: Path, name: str) -> None:
    async with connected(tmp_path, name) as world:
        media = {"type": "image", "content": base64.b64encode(b"hi").decode()}
        for _ in range(2):
            await world.tell("messages", {"media": media})
        await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 2)
        here, gone = (
            event["data"]["message"]["attachments"][0]["url"] for event in world.inbox.of("message.received")
        )
        assert (await world.api.http.get(here)).content == b"hi"
        assert isinstance(world.played, FilesAtUrls)
        world.played.files.clear()
        assert (await world.api.http.get(gone)).status_code == 410
        await world.api.data("POST", f"/v1/accounts/{world.account['id']}/runtime/stop")
        assert (await world.api.http.get(gone)).status_code == 503


async def test_a_poll_that_holds_only_what_cannot_be_used_moves_on(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = bot_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            for number in range(20):
                await order(platform, "updates", {"update": {"message": number}})
            await order(platform, "messages", {"text": "after"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            assert "unifyport_quarantined_total 20.0" in (await api.http.get("/metrics")).text


# -- tokens --------------------------------------------------------------------------------------------------


async def test_two_refreshes_at_once_are_one(tmp_path: Path) -> None:
    async with connected(tmp_path, "zalo-official") as world:
        for sender in ("1", "2", "3"):
            await world.tell("messages", {"text": "hi", "from": sender})
        for token, (oa, _) in list(world.played.access_tokens.items()):
            world.played.access_tokens[token] = oa, trio.current_time()
        async with trio.open_nursery() as nursery:
            for to in ("1", "2", "3"):
                nursery.start_soon(world.api.data, "POST", "/v1/messages", text_to(world.account, to, to))
        assert len(world.played.refreshes) == 2
        assert len(world.played.sent()) == 3


async def test_new_tokens_while_a_refresh_is_under_way(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        played = platform.sandbox.platforms["zalo-official"]
        assert isinstance(played, ZaloOfficialPlatform)
        more = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            held, played.hold = played.held, "before"
            data = official_data()
            made = await api.data("POST", "/v1/accounts", {"provider": "zalo", "provider_data": data})
            with trio.fail_after(10):
                await held.wait()
            other = {**data, "refresh_token": f"sandbox-{OA}-2"}
            await api.data("PATCH", f"/v1/accounts/{made['id']}", {"provider_data": other})
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{made['id']}", 20)
            assert played.refreshes == [f"sandbox-{OA}-2"]
            assert SEED not in played.spent


@pytest.mark.parametrize(
    ("body", "status", "failure"),
    [
        ({}, 200, Transient),
        ({"error": 0}, 200, Transient),
        ({"access_token": "", "expires_in": "90000"}, 200, Transient),
        (b"<html>", 200, Transient),
        ({"error": -32}, 200, RateLimited),
        ({"error": -14014, "error_name": "Invalid refresh token"}, 200, LoggedOut),
        ({"error": -14002}, 200, LoggedOut),
        ({"error": -14014}, 500, Transient),
    ],
)
async def test_an_answer_without_a_token_changes_nothing(
    body: Any, status: int, failure: type[ChannelError]
) -> None:
    session = MemorySession({})
    async with scripted(answer(body, status)) as platform:
        http = HttpApi(context(session), parallel_sends=1)
        client = ZaloOAuth(f"{platform.url}/token", "1", "secret")
        with pytest.raises(failure) as raised:
            await client.refresh(http, "old")
        assert not raised.value.maybe_applied or isinstance(raised.value, Transient)
        assert platform.requests[0].headers["secret_key"] == "secret"
        await http.aclose()
    assert await session.get(*RECORD) is None


async def test_a_refresh_is_due_long_before_the_token_expires() -> None:
    granted = {"access_token": "a", "refresh_token": "b", "expires_in": "90000"}
    async with scripted(answer(granted)) as platform:
        http = HttpApi(context(), parallel_sends=1)
        found = await ZaloOAuth(f"{platform.url}/token", "1", "secret").refresh(http, "old")
        assert (found.expires_in, found.renew_in) == (90_000, 72_000)
        await http.aclose()


# -- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (-32, RateLimited, "rate_limited"),
        (-100, Rejected, "attachment_expired"),
        (-201, Rejected, "invalid_parameter"),
        (-209, Rejected, "app_not_activated"),
        (-211, Rejected, "quota_exhausted"),
        (-213, Rejected, "not_a_follower"),
        (-216, LoggedOut, "invalid_credentials"),
        (-218, Rejected, "recipient_quota_exhausted"),
        (-220, LoggedOut, "invalid_credentials"),
        (-223, LoggedOut, "permission_missing"),
        (-230, Rejected, "outside_customer_service_window"),
        (-232, Rejected, "outside_customer_service_window"),
        (-234, Rejected, "not_at_night"),
        (-237, Rejected, "group_disabled"),
        (-244, Rejected, "blocked_by_recipient"),
        (-999, Rejected, "zalo_-999"),
    ],
)
def test_codes_of_accounts(code: int, kind: type[ChannelError], reason: str) -> None:
    found = errors.failure(code, "what Zalo says")
    assert (type(found), found.reason, found.maybe_applied) == (kind, reason, False)
    if isinstance(found, Rejected):
        assert (found.code, found.detail) == (str(code), "what Zalo says")


def test_codes_at_a_login() -> None:
    for code, reason in ((-209, "app_not_activated"), (-242, "appsecret_proof_required")):
        found = errors.failure(code, "", login=True)
        assert (type(found), found.reason) == (LoggedOut, reason)


@pytest.mark.parametrize(
    ("code", "kind", "maybe_applied"),
    [
        (400, Rejected, False),
        (401, LoggedOut, False),
        (403, Transient, True),
        (404, Rejected, False),
        (408, Transient, True),
        (429, RateLimited, False),
        (500, Transient, True),
    ],
)
def test_codes_of_bots(code: int, kind: type[ChannelError], maybe_applied: bool) -> None:
    found = bot_errors.failure(code, "")
    assert (type(found), found.maybe_applied) == (kind, maybe_applied)
    assert isinstance(bot_errors.failure(404, "", login=True), LoggedOut)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://f20-zpc.zdn.vn/1/a.jpg", True),
        ("https://zdn.vn/a", True),
        ("http://f20-zpc.zdn.vn/a", False),
        ("https://zdn.vn.evil.example/a", False),
        ("https://evilzdn.vn/a", False),
        ("https://zdn.vn@evil.example/a", False),
        ("https://127.0.0.1/a", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_files_are_fetched_from_known_hosts_only(url: str, good: bool) -> None:
    assert is_media_url(url, zalo.Endpoints().media_hosts) is good
    assert is_media_url("http://127.0.0.1:1/a", "127.0.0.1")


def test_reactions() -> None:
    assert render_reaction("1", "m", "❤")["sender_action"]["react_icon"] == "/-heart"
    with pytest.raises(Rejected):
        render_reaction("1", "m", "🦀")

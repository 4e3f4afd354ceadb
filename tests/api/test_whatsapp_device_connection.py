"""How the connection of a linked device ends, and what becomes of the account."""

from pathlib import Path

import pytest
import trio

from tests.device_world import MEI, SHOP, device_world
from unifyport.sandbox.whatsapp.device.trust import ServerKeys

STATUS = "account.status.updated"


async def test_the_owner_removes_the_device_on_the_phone(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("unlink", phone=SHOP)
        account = await world.api.until(lambda auth: auth["status"] == "failed", f"/v1/accounts/{id_}/auth")
        assert account["last_error"] == "logged_out"
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))


async def test_a_restart_that_the_platform_orders(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(MEI)
        for code in (515, 503):
            logins = world.device(SHOP).logins
            await world.do("stream_error", phone=SHOP, code=code)
            await world.logged_in(SHOP, logins + 1)
            assert (await world.send(SHOP, MEI, f"after {code}")).status_code == 200
        await world.inbox.until(lambda: world.texts(MEI) == ["after 515", "after 503"])


async def test_a_temporary_ban_is_waited_for(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("refuse", phone=SHOP, reason=402, code=101, expire=3600)
        await world.do("stream_error", phone=SHOP, code=503)
        await world.api.until(lambda found: "temporarily_banned" in str(found), f"/v1/accounts/{id_}/runtime")
        assert (await world.api.data("GET", f"/v1/accounts/{id_}/auth"))["status"] == "authorized"


async def test_a_ban_ends_the_login(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("refuse", phone=SHOP, reason=406)
        await world.do("stream_error", phone=SHOP, code=503)
        account = await world.api.until(lambda auth: auth["status"] == "failed", f"/v1/accounts/{id_}/auth")
        assert account["last_error"] == "banned"


async def test_messages_of_an_outage_arrive_once(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.link(MEI)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        await world.api.until(lambda found: found["runtime_status"] == "stopped", f"/v1/accounts/{id_}")
        texts = [f"text {number}" for number in range(150)]
        for text in texts:
            assert (await world.send(MEI, SHOP, text)).status_code == 200
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == len(texts))
        assert world.texts(SHOP) == texts
        await world.api.until(lambda _: not len(world.device(SHOP).pending), f"/v1/accounts/{id_}")


async def test_a_connection_that_was_replaced_does_not_fight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.account.connection.OWN_CONFLICT_SECONDS", 0.0)  # as after a while
    async with device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("refuse", phone=SHOP, reason=503)  # so that it does not come back while we look
        await world.do("stream_error", phone=SHOP, conflict="replaced")
        await world.inbox.until(lambda: "connection_replaced" in str(world.received(SHOP, STATUS)))
        runtime = await world.api.data("GET", f"/v1/accounts/{id_}/runtime")
        kinds = {failure["reason"]: failure["kind"] for failure in runtime["recent_failures"]}
        assert kinds["connection_replaced"] == "conflict"  # it comes back a few times, then slowly
        assert (await world.api.data("GET", f"/v1/accounts/{id_}/auth"))["status"] == "authorized"


async def test_a_server_with_another_certificate_is_not_trusted(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        logins = world.device(SHOP).logins
        world.relay.keys = ServerKeys()
        await world.do("stream_error", phone=SHOP, code=503)
        await world.inbox.until(lambda: "untrusted_server" in str(world.received(SHOP, STATUS)))
        assert world.device(SHOP).logins == logins


async def test_a_send_whose_answer_is_lost_is_unknown(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        assert (await world.send(SHOP, MEI, "first")).status_code == 200
        answers = []

        async def send() -> None:
            answers.append(await world.send(SHOP, MEI, "second"))

        await world.do("silent", phone=SHOP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            while [node.tag for _, node in world.relay.relay.seen].count("message") < 2:
                await trio.sleep(0.01)  # the relay has no event to wait for
            world.relay.relay.stream_error(world.device(SHOP), {"code": "503"})
        assert answers[0].json()["error"]["outcome"] == "unknown", answers[0].text


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        unknown = await world.send(SHOP, "6599999999")
        assert unknown.status_code == 404, unknown.text
        assert unknown.json()["error"]["reason"] == "contact_not_found"
        group = await world.send(SHOP, "120363000000000000@g.us")
        assert group.status_code == 404, group.text
        odd = await world.send(SHOP, "not a number")
        assert odd.status_code == 400, odd.text
        long = await world.send(SHOP, MEI, "x" * 65_537)
        assert long.status_code == 400, long.text

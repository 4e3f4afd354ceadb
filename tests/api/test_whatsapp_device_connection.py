"""How the connection of a linked device ends, and what becomes of the account."""

from pathlib import Path

from tests.device_world import MEI, SHOP, device_world


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

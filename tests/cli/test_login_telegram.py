"""`unifyport login` of a personal account of Telegram: what the human is told, and what follows."""

import re
import signal
from pathlib import Path

from tests.cli.test_login import Terminal
from tests.telegram_world import SHOP, telegram_world


async def test_a_login_that_is_interrupted_is_begun_again_with_another_code(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        await world.create(SHOP, "code")
        async with Terminal(world.api, world.ids[SHOP]) as terminal:
            assert (await terminal.state())["auth_payload"]["code_delivery"]["timeout"] == 60
            first = await world.do("code", phone=SHOP)
            terminal.process.send_signal(signal.SIGINT)
            assert await terminal.ended() == 1
        async with Terminal(world.api, world.ids[SHOP]) as terminal:
            await world.api.until(
                lambda _: world.user_platform.logins.codes[SHOP].value != first["code"],
                f"/v1/accounts/{world.ids[SHOP]}",
            )
            await terminal.type((await world.do("code", phone=SHOP))["code"])
            while (await terminal.state())["status"] != "authorized":
                continue
            assert await terminal.ended() == 0


async def test_until_when_no_code_is_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        await world.do("flood", method="auth.sendCode", seconds=60_259)
        await world.create(SHOP, "code")
        async with Terminal(world.api, world.ids[SHOP]) as terminal:
            assert await terminal.ended() == 1
            assert terminal.process.stderr is not None
            told = (await terminal.process.stderr.receive_some()).decode()
        found = re.search(r"rate_limited: .*; again in ([0-9]+) s", told)
        assert found is not None, told
        assert 60_200 < int(found[1]) <= 60_259

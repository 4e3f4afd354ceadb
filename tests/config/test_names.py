"""Ten declared endpoints whose names do not resolve: the gateway starts without them."""

from collections.abc import Sequence
from pathlib import Path

import trio

from tests.harness import endpoint, gateway, receiver, settings_of
from unifyport.net.guard import Address
from unifyport.server import Parts


async def hang(host: str) -> Sequence[Address]:
    await trio.sleep_forever()
    raise AssertionError


async def test_a_gateway_is_ready_while_names_hang(tmp_path: Path) -> None:
    names = "".join(endpoint(f"https://hangs-{no}.example/", name=f"hangs-{no}") for no in range(10))
    async with receiver() as inbox:
        settings = settings_of(tmp_path, names + endpoint(inbox.url))
        with trio.fail_after(8):  # one look-up has five seconds
            async with gateway(settings, parts=Parts(new_resolver=lambda: hang)) as api:
                assert (await api("GET", "/readyz")).status_code == 200
                assert len(await api.data("GET", "/v1/webhook-endpoints")) == 11

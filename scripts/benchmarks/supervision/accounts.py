"""Whole accounts, for comparison: each has a connector, an outbox, a status, a nursery and a connection."""

import contextlib

from scripts.scenarios.processes import (
    GATEWAY_CORE,
    Api,
    directory,
    free_ports,
    sandbox,
    started,
    write_config,
)
from scripts.scenarios.storm import config_of

SLOTS, RATE = 100, 1000.0  # so high that the machine is the limit


async def whole_accounts(count: int) -> tuple[float, float]:
    """Bytes of resident memory per account that is online, and restarts per second of the gateway's CPU."""
    control = free_ports(3)
    resident: dict[int, int] = {}
    for number in (0, count):
        with directory() as where:
            async with contextlib.AsyncExitStack() as stack:
                platform = await stack.enter_async_context(sandbox(where, control))
                port, grants = free_ports(1), where / "grants"
                text = config_of(number, control, slots=SLOTS, rate=RATE)
                command = [
                    "-m",
                    "scripts.scenarios.observed",
                    str(write_config(where, port, text)),
                    str(grants),
                ]
                gateway = await stack.enter_async_context(started(GATEWAY_CORE, command, where / "log"))
                api = Api(port, gateway)
                await api.until_running("telegram", number, 120)
                resident[number] = gateway.resident()
                if number == 0:
                    continue
                before, cpu = len(grants.read_text().splitlines()), gateway.cpu()
                await platform.kill()
                while await api.running("telegram"):
                    pass
                await stack.enter_async_context(sandbox(where, control))
                await api.until_running("telegram", number, 120)
                starts = len(grants.read_text().splitlines()) - before
                cpu = gateway.cpu() - cpu
    return (resident[count] - resident[0]) / count, starts / cpu

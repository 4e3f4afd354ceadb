"""kill -9, for each kind of platform: one that keeps what we have not confirmed, one with a history,
one that forgets.
"""

import random
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import Process, Receiver, endpoint, free_port, receiver, write_config
from tests.reference.platform import ReferencePlatform
from tests.reference.serving import CHANNEL, TOKEN, places, reference_platform

pytestmark = pytest.mark.chaos

COUNT, KILLS = 400, 4
SCRIPT = Path(__file__).with_name("reference_server.py")
KINDS = {  # auth_mode, provider_data, the user whose messages it gets, whether anything may be lost
    "acked": ("token", {"token": TOKEN}, "me", False),
    "replayable": ("qrcode", {}, "user-3", False),
    "volatile": ("code", {"phone": "+6590000004"}, "user-4", True),
}


async def log_in(process: Process, platform: ReferencePlatform, auth_mode: str, data: Any) -> str:
    """The id of an account that is online."""
    api = process.client
    body = {"provider": CHANNEL, "auth_mode": auth_mode, "provider_data": data}
    account = str((await api.data("POST", "/v1/accounts", body))["id"])
    if auth_mode == "qrcode":
        shown = await api.data("POST", f"/v1/accounts/{account}/auth/qr/start")
        platform.logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
    elif auth_mode == "code":
        await api.data("POST", f"/v1/accounts/{account}/auth/start")
        await api.data("POST", f"/v1/accounts/{account}/auth/code", {"code": "12345"})
    await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account}")
    return account


def texts(inbox: Receiver) -> dict[str, set[str]]:
    """Which ids each message came under."""
    found: dict[str, set[str]] = {}
    for event in inbox.of("message.received"):
        found.setdefault(event["text"], set()).add(event["id"])
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_kill_may_lose_is_what_was_declared(tmp_path: Path, kind: str) -> None:
    auth_mode, data, user, may_lose = KINDS[kind]
    rng = random.Random(kind)
    async with reference_platform() as reference, receiver() as inbox:
        platform, port = reference.platform, free_port()
        quick = '[supervision.policies.default]\nbackoff = { initial = "100ms", max = "1s" }\n'
        more = endpoint(inbox.url, retry='{ schedule = ["100ms"] }') + places(reference) + quick
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        await process.start()
        try:
            account = await log_in(process, platform, auth_mode, data)
            [channel] = [
                c for c in await process.client.data("GET", "/v1/capabilities") if c["provider"] == CHANNEL
            ]
            declared = {c["auth_mode"]: c["inbound"] for c in channel["connections"]}
            assert declared[auth_mode] == kind
            for part in range(KILLS + 1):
                for number in range(part * COUNT // KILLS, min(COUNT, (part + 1) * COUNT // KILLS)):
                    platform.write(str(number), user)
                    if number % 10 == 0:
                        await trio.lowlevel.checkpoint()
                if part < KILLS:
                    aim = len(texts(inbox)) + rng.randrange(1, COUNT // KILLS // 2)
                    with trio.move_on_after(3):
                        await inbox.until(lambda aim=aim: len(texts(inbox)) >= aim)  # type: ignore[misc]
                    await process.kill()
                    platform.write(f"while-away-{part}", user)
                    await process.start()
            path = f"/v1/accounts/{account}"
            await process.client.until(lambda a: a["runtime_status"] == "running", path)
            # An account is `running` from its login on, and a platform that keeps nothing drops what it says
            # until the connection is open, too.
            last: list[str] = []
            with trio.fail_after(30):
                while not texts(inbox).keys() & set(last):
                    last.append(f"last-{len(last)}")
                    platform.write(last[-1], user)
                    with trio.move_on_after(1):
                        await inbox.until(lambda: last[-1] in texts(inbox), 30)
            wanted = {*map(str, range(COUNT)), *(f"while-away-{part}" for part in range(KILLS)), *last}
            if not may_lose:
                await inbox.until(lambda: set(texts(inbox)) >= wanted, 30)
            assert set(texts(inbox)) <= wanted
            assert not [text for text, ids in texts(inbox).items() if len(ids) != 1]
        finally:
            await process.kill()

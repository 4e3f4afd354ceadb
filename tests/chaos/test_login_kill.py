"""kill -9 in the middle of a login: afterwards it has succeeded, session and all, or it has failed;
nothing in between.
"""

import random
from pathlib import Path

import pytest
import trio

from tests.harness import Process, endpoint, free_port, receiver, write_config
from tests.reference.serving import CHANNEL, places, reference_platform

pytestmark = pytest.mark.chaos

ROUNDS = 8
SCRIPT = Path(__file__).with_name("reference_server.py")


async def test_killed_around_the_moment_of_success(tmp_path: Path) -> None:
    rng, ends = random.Random(5), []
    async with reference_platform() as reference, receiver() as inbox:
        logins, port = reference.platform.logins, free_port()
        more = endpoint(inbox.url, retry='{ schedule = ["100ms"] }') + places(reference)
        process = Process(write_config(tmp_path, port=port, more=more), port, SCRIPT)
        await process.start()
        api = process.client
        try:
            for round_ in range(ROUNDS):
                body = {"provider": CHANNEL, "auth_mode": "qrcode"}
                account = (await api.data("POST", "/v1/accounts", body))["id"]
                path = f"/v1/accounts/{account}"
                shown = await api.data("POST", f"{path}/auth/qr/start")
                if round_:  # the first one is killed before the code is scanned
                    logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
                    await trio.sleep(rng.random() * 0.03)  # a process has no event to wait for
                await process.kill()
                await process.start()
                state = await api.until(lambda s: s["status"] in ("authorized", "failed"), f"{path}/auth")
                ends.append(state["status"])
                assert "auth_payload" not in state
                if state["status"] == "authorized":
                    found = await api.until(lambda a: a["runtime_status"] == "running", path)
                    assert found["provider_account_ref"] == "user-3"
                else:
                    assert state["last_error"] == "login_interrupted"
                    shown = await api.data("POST", f"{path}/auth/qr/start")
                    logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
                    await api.until(lambda a: a["runtime_status"] == "running", path)
                assert (await api("DELETE", path)).status_code == 204
                succeeded = [e for e in inbox.of("account.auth.succeeded") if e["account_id"] == account]
                assert len({event["id"] for event in succeeded}) <= 1
        finally:
            await process.kill()
    assert ends[0] == "failed"

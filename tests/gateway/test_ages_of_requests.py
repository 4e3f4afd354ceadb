"""Requests whose signature has a time: not checked for their age while our own clock is in doubt."""

import json
from pathlib import Path

import pytest

from tests.api.tiktok_world import BUSINESS, tiktok
from tests.harness import free_port, gateway, public, sandbox, settings_of
from tests.zalo import OA_SECRET
from unifyport.process.clock import Clock, wall_clock_ms
from unifyport.providers.registry import standard
from unifyport.providers.tiktok.business.signature import SIGNATURE, sign
from unifyport.providers.zalo.official.signature import SIGNATURE as ZALO_SIGNATURE
from unifyport.providers.zalo.official.signature import sign as sign_zalo
from unifyport.server import Parts

WEEK = 7 * 86_400_000


def secret_of_tiktok() -> str:
    return tiktok().partition('client_secret = "')[2].partition('"')[0]


async def test_a_clock_in_doubt_refuses_no_request_for_its_age(tmp_path: Path) -> None:
    """The clock is right again, and what was signed by the platform seems to be a week old."""
    ahead = 0
    parts = Parts(clock=Clock(lambda: wall_clock_ms() + ahead))
    then = wall_clock_ms() // 1000 - WEEK // 1000
    body = json.dumps({"event": "other", "create_time": then, "user_openid": BUSINESS}).encode()
    async with sandbox() as platform:
        settings = settings_of(tmp_path, tiktok() + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings, parts=parts) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            await api.until(
                lambda found: found["runtime_status"] == "running", f"/v1/accounts/{shop['id']}/runtime"
            )

            async def call(secret: str) -> int:
                headers = {SIGNATURE: sign(secret, body, then)}
                path = f"/ingress/tiktok/{shop['id']}"
                return (await api.http.post(path, content=body, headers=headers)).status_code

            assert await call(secret_of_tiktok()) == 401
            ahead = WEEK
            assert await call("of another app") == 401
            assert await call(secret_of_tiktok()) == 200
            await api.data("POST", "/v1/clock/accept")
            assert await call(secret_of_tiktok()) == 401


@pytest.mark.parametrize("name", ["tiktok", "zalo"])
def test_the_secret_is_checked_at_any_time(name: str) -> None:
    hooks = [
        spec.ingress
        for spec in standard().channels[name].connections
        if spec.ingress is not None and spec.ingress.verify_at_any_time is not None
    ]
    [hook] = hooks
    assert hook.verify_at_any_time is not None
    for secret, good in ((OA_SECRET, True), ("wrong", False)):
        if name == "tiktok":
            body, headers = b"{}", {SIGNATURE: sign(secret, b"{}", 1)}
        else:
            body = json.dumps({"timestamp": "1000000000000", "app_id": "1"}).encode()
            headers = {ZALO_SIGNATURE: sign_zalo("1", body, "1000000000000", secret)}
        credentials = {"client_secret": OA_SECRET, "oa_secret": OA_SECRET, "app_id": "1"}
        assert hook.verify_at_any_time(credentials, headers, body) is good
        assert not hook.verify(credentials, headers, body)

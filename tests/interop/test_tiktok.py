"""Signatures of TikTok's webhooks, made by Node and by openssl, which this project did not write."""

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.api.tiktok_world import APP_SECRET, BUSINESS, CUSTOMER, a_world
from unifyport.providers.tiktok.business.signature import MAX_AGE_SECONDS, SIGNATURE, sign, verify

from . import peers

pytestmark = pytest.mark.interop

SCRIPT = Path(__file__).parent / "node" / "tiktok_signature.cjs"
BODIES = [b"{}", '{"text": "caf\u00e9 \U0001f600"}'.encode(), bytes(range(256)) * 200]


def by_node(secret: str, body: bytes, at: int) -> dict[str, str]:
    command = [peers.node_program(), str(SCRIPT), secret, base64.b64encode(body).decode(), str(at)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found: dict[str, str] = json.loads(said)
    return found


def by_openssl(secret: str, body: bytes, at: int) -> str:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    command = [program, "dgst", "-sha256", "-hmac", secret, "-hex"]
    said = subprocess.run(
        command, input=f"{at}.".encode() + body, capture_output=True, check=True, timeout=60
    )
    return f"t={at},s={said.stdout.decode().split()[-1]}"


@pytest.mark.parametrize("body", BODIES)
def test_both_agree_with_ours(body: bytes) -> None:
    at = int(time.time())
    header = sign(APP_SECRET, body, at)
    assert by_node(APP_SECRET, body, at)["sent"] == by_openssl(APP_SECRET, body, at) == header
    reordered = by_node(APP_SECRET, body, at)["reordered"]
    assert verify({"client_secret": APP_SECRET}, {SIGNATURE: reordered}, body)


async def test_requests_that_node_and_openssl_signed(tmp_path: Path) -> None:
    """Good ones are taken; stale, future, altered ones and another app's are not."""
    async with a_world(tmp_path) as world:
        [account] = await world.online()

        def body(name: str) -> bytes:
            content = {
                "conversation_id": "c1",
                "message_id": name,
                "type": "text",
                "text": {"body": name},
                "from_user": {"id": CUSTOMER},
                "timestamp": time.time_ns() // 1_000_000,
            }
            whole = {"event": "im_receive_msg", "user_openid": BUSINESS, "content": json.dumps(content)}
            return json.dumps(whole).encode()

        async def post(sent: bytes, header: str) -> int:
            headers = {"tiktok-signature": header}
            answer = await world.api.http.post(account["ingress_url"], content=sent, headers=headers)
            return answer.status_code

        now = int(time.time())
        first, second, third = body("by node"), body("reordered"), body("by openssl")
        assert await post(first, by_node(APP_SECRET, first, now)["sent"]) == 200
        assert await post(second, by_node(APP_SECRET, second, now)["reordered"]) == 200
        assert await post(third, by_openssl(APP_SECRET, third, now)) == 200
        await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 3)
        refused = body("refused")
        for header in (
            by_node(APP_SECRET, refused, now - MAX_AGE_SECONDS - 60)["sent"],
            by_openssl(APP_SECRET, refused, now + 3600),
            by_node("another-secret", refused, now)["sent"],
            by_openssl(APP_SECRET, refused + b" ", now),
            "",
        ):
            assert await post(refused, header) == 401
        assert len(world.inbox.of("message.received")) == 3

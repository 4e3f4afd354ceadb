"""pywa, which this project did not write, behind our sandbox: it verifies, parses, and its client sends."""

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.harness import APP_SECRET, CUSTOMER, NUMBER, VERIFY_TOKEN, free_port, sandbox

from . import peers

pytestmark = pytest.mark.interop


async def listening(url: str) -> None:
    with trio.fail_after(30):
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    await client.get(url)
                    return
                except httpx.TransportError:
                    await trio.sleep(0.05)  # a foreign process has no event to wait for


async def lines(peer: peers.Peer, count: int) -> list[dict[str, Any]]:
    return [await peer.line() for _ in range(count)]


async def test_pywa_verifies_and_parses_our_webhooks_and_its_client_sends() -> None:
    async with sandbox() as platform:
        port = free_port()
        base = platform.sandbox.endpoints["whatsapp"]["graph_api_url"]
        script = str(Path(__file__).parent / "python" / "pywa_judge.py")
        arguments = (base, NUMBER, APP_SECRET, VERIFY_TOKEN, str(port))
        async with peers.Peer(str(peers.python()), script, *arguments) as business:
            await listening(f"http://127.0.0.1:{port}/")
            await platform.connect(f"http://127.0.0.1:{port}/hook")
            written = await platform.whatsapp("messages", {"from": CUSTOMER, "name": "Mei", "text": "hello"})
            said = {line["kind"]: line for line in await lines(business, 3)}
            got = said["message"]
            assert (got["id"], got["text"], got["type"]) == (written["message_id"], "hello", "text")
            assert (got["sender"], got["name"], got["number"]) == (CUSTOMER, "Mei", NUMBER)
            assert (said["status"]["id"], said["status"]["status"]) == (said["sent"]["id"], "sent")
            [sent] = await platform.sent("whatsapp")
            assert (sent["id"], sent["text"]["body"]) == (said["sent"]["id"], "echo: hello")
            assert sent["context"]["message_id"] == written["message_id"]
            read = platform.cloud.marked_read()
            assert [entry["message_id"] for entry in read] == [written["message_id"]]
            for status in ("delivered", "read", "failed"):
                await platform.whatsapp("receipts", {"message_id": sent["id"], "status": status})
                line = await business.line()
                assert (line["status"], line["error"]) == (status, 131026 if status == "failed" else None)
            media = {"type": "image", "content": base64.b64encode(b"x" * 5000).decode(), "caption": "look"}
            await platform.whatsapp("messages", {"media": media})
            line = await business.line()
            assert (line["type"], line["media"]) == ("image", 5000)

            # a wrong app secret: pywa refuses, and the sandbox keeps trying
            await platform.connect(f"http://127.0.0.1:{port}/hook", secret="another-secret")
            await platform.whatsapp("messages", {"text": "forged"})
            with trio.fail_after(10):
                while not (calls := await platform.calls("whatsapp"))[-1]["statuses"]:
                    await trio.lowlevel.checkpoint()
            assert set(calls[-1]["statuses"]) <= {401, 403}

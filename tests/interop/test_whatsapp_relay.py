"""The relay, judged by clients that this project did not write, against each other."""

from pathlib import Path

import pytest

from . import device_peers as peers

pytestmark = pytest.mark.interop
KINDS = ("baileys", "whatsmeow", "pyaileys")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_is_linked_by_its_qr_code(kind: str, tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account("6591110001", name="Alice")
        async with peers.linked(platform, kind, tmp_path / kind, alice) as client:
            device = alice.devices[1]
            assert device.receiver is not None
            assert client.all[-1]["jid"] == str(device.phone_jid)


async def test_text_both_ways_between_baileys_and_whatsmeow(tmp_path: Path) -> None:
    async with peers.relay() as platform:
        alice = platform.account("6591110001", name="Alice")
        bob = platform.account("6592220002", name="Bob")
        async with (
            peers.linked(platform, "baileys", tmp_path / "a", alice) as a,
            peers.linked(platform, "whatsmeow", tmp_path / "b", bob) as b,
        ):
            await b.ask("text", to=str(alice.lid_jid), text="hello from whatsmeow")
            assert (await a.event("message"))["text"] == "hello from whatsmeow"
            await a.ask("text", to=str(bob.lid_jid), text="hello from Baileys")
            assert (await b.event("message"))["text"] == "hello from Baileys"

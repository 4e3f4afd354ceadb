"""Clients of others at the sandbox's data centres: what they accept there is what ours may rely on."""

from pathlib import Path

import pytest

from .telegram_peers import KINDS, centres, client, log_in

pytestmark = pytest.mark.interop

ANN, BEN = "6590000011", "6590000012"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_and_a_password(kind: str, tmp_path: Path) -> None:
    async with centres() as platform:
        ann = platform.account(ANN, "Ann", password="sesame")
        async with client(platform, kind, tmp_path) as running:
            assert await log_in(platform, running, ANN, "sesame") == ann.id


async def test_text_both_ways(tmp_path: Path) -> None:
    async with centres() as platform:
        platform.account(ANN, "Ann", username="ann")
        platform.account(BEN, "Ben", username="ben")
        async with (
            client(platform, "telethon", tmp_path / "ann") as ann,
            client(platform, "telethon", tmp_path / "ben", transport="obfuscated") as ben,
        ):
            await log_in(platform, ann, ANN)
            await log_in(platform, ben, BEN)
            to = (await ann.ask("resolve", name="ben"))["id"]
            await ann.ask("text", to=to, text="hello")
            told = await ben.event("message", text="hello")
            await ben.ask("text", to=told["chat"], text="hi there")
            await ann.event("message", text="hi there")

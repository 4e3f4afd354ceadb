"""What a business number's connection must show beside what its other tests do."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import (
    APP_SECRET,
    CUSTOMER,
    Client,
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from tests.parity.disk import SlowDisk
from unifyport.providers import whatsapp as declaration
from unifyport.providers.contract.base import Channel
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign, verify


@attrs.frozen
class World:
    platform: Platform
    inbox: Receiver
    api: Client
    account: dict[str, Any]

    async def send(self, to: str = CUSTOMER) -> Any:
        body = {
            "account_id": self.account["id"],
            "to": {"id": to, "type": "user"},
            "message": {"type": "text", "text": "hi"},
        }
        return await self.api("POST", "/v1/messages", body)

    def texts(self) -> list[str]:
        return [event["text"] for event in self.inbox.of("message.received")]

    async def calls(self, enough: int, status: int) -> None:
        """Wait until the platform has had this answer so often."""
        with trio.fail_after(20):
            while True:
                answers = [s for call in await self.platform.calls("whatsapp") for s in call["statuses"]]
                if answers.count(status) >= enough:
                    return


@contextlib.asynccontextmanager
async def number(
    directory: Path, channel: Channel = declaration.CHANNEL, **credentials: str
) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        places = platform.sandbox.endpoints["whatsapp"]
        file = whatsapp(**credentials) + endpoint(inbox.url) + "[providers.whatsapp]\n"
        file += "".join(f'{name} = "{value}"\n' for name, value in places.items())
        async with gateway(settings_of(directory, file, **public(free_port())), [channel]) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            await platform.connect(known["ingress_url"])
            yield World(platform, inbox, api, known)


async def test_receipts_out_of_order_are_emitted_as_they_come(tmp_path: Path) -> None:
    async with number(tmp_path) as world:
        await world.platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
        sent = (await world.send()).json()["data"]["message_id"]
        for status in ("read", "delivered"):
            await world.platform.whatsapp("receipts", {"message_id": sent, "status": status})
        await world.inbox.until(lambda: len(world.inbox.of("message.status.updated")) == 3)
        statuses = [event["status"] for event in world.inbox.of("message.status.updated")]
        assert statuses == ["sent", "read", "delivered"]


async def test_an_error_after_the_answer_is_a_failed_status(tmp_path: Path) -> None:
    async with number(tmp_path) as world:
        await world.platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
        sent = (await world.send()).json()["data"]["message_id"]
        await world.platform.whatsapp("receipts", {"message_id": sent, "status": "failed"})
        await world.inbox.until(lambda: len(world.inbox.of("message.status.updated")) == 2)
        last = world.inbox.of("message.status.updated")[-1]
        assert (last["status"], last["message_id"]) == ("failed", sent)
        assert last["data"]["message"]["error"]["code"] == 131026


async def test_while_the_disk_is_slow_meta_keeps_the_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    spec, *others = declaration.CHANNEL.connections
    assert spec.ingress is not None
    assert spec.ingress.commit_seconds < 10
    hasty = attrs.evolve(spec, ingress=attrs.evolve(spec.ingress, commit_seconds=0.5))
    async with number(tmp_path, attrs.evolve(declaration.CHANNEL, connections=[hasty, *others])) as world:
        disk.stall()
        try:
            await world.platform.whatsapp("messages", {"from": CUSTOMER, "text": "once"})
            await world.calls(1, 503)
        finally:
            disk.go_on()
        await world.calls(1, 200)
        await world.platform.whatsapp("messages", {"from": CUSTOMER, "text": "end"})
        await world.inbox.until(lambda: "end" in world.texts())
        assert world.texts() == ["once", "end"]


async def test_a_list_whose_next_page_is_itself_ends(tmp_path: Path) -> None:
    async with number(tmp_path, business_account_id="77") as world:

        async def same_page(**path: str) -> dict[str, Any]:
            await trio.lowlevel.checkpoint()
            return {"data": [], "paging": {"cursors": {"after": "A"}, "next": "https://graph.example/next"}}

        world.platform.cloud.app.view_functions["templates"] = same_page
        path = f"/v1/accounts/{world.account['id']}/templates"
        first = await world.api.data("GET", path)
        assert (first["items"], first["has_more"]) == ([], True)
        second = await world.api("GET", f"{path}?cursor={first['next_cursor']}")
        error = second.json()["error"]
        assert (second.is_success, error["reason"]) == (False, "endless_list")


MEGABYTE = b"x" * 2**20
NOT_ASCII = '{"text":"xin ch\u00e0o \U0001f35c \\ud83c"}'.encode()


@pytest.mark.parametrize("body", [b"", NOT_ASCII, MEGABYTE], ids=["empty", "not ASCII", "1 MB"])
def test_signatures_of_raw_bytes(body: bytes) -> None:
    mine, other = {"app_secret": APP_SECRET}, {"app_secret": "another account's"}
    good = {SIGNATURE: sign(APP_SECRET, body)}
    assert verify(mine, good, body)
    assert not verify(mine, good, body + b"\n")
    assert not verify(other, good, body)
    assert not verify(mine, {SIGNATURE: sign("another account's", body)}, body)
    assert not verify(mine, {}, body)

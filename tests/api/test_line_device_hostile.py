"""What a hostile or broken platform can do to a device of LINE: it costs the one operation, never the
connection, nor the operations around it.
"""

from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.line_device_world import MEI, SHOP, LineDeviceWorld, line_device_world
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.line.device import structures as line
from unifyport.providers.line.device.history import NEWEST
from unifyport.providers.line.device.records import Records
from unifyport.providers.line.device.sync import BATCH
from unifyport.sandbox.line.device import platform
from unifyport.sandbox.line.device.world import Account, World, mid_of, now

LONG = "c" + "1" * 5000
ODD: dict[str, dict[str, Any]] = {
    "no type": {"type_": None},
    "an unknown type": {"type_": 9999},
    "a message of nothing": {"type_": 26},
    "a message of empty parts": {"type_": 26, "message": line.Message()},
    "a changed chat without a chat": {"type_": 124},
    "a changed chat of a long id": {"type_": 124, "param1": LONG},
    "a changed chat of no id": {"type_": 130, "param1": "\U0001f600" * 100, "param2": LONG},
    "a changed contact of a long id": {"type_": 49, "param1": "u" + "1" * 5000},
    "a reaction to nothing": {"type_": 140, "param1": LONG, "param2": "[" * 5000, "param3": "x"},
    "a read mark of nothing": {"type_": 55, "param1": "u", "param2": LONG, "param3": ""},
    "a sealed message of long ids": {
        "type_": 26,
        "message": line.Message(
            sender="u" + "2" * 5000,
            to=LONG,
            to_type=2,
            id="1" * 5000,
            chunks=(b"x" * 16, b"y" * 32, b"z" * 8, b"\0\0\0\1", b"\0\0\0\2"),
            metadata={"e2eeVersion": "9" * 5000},
        ),
    },
    "a message from long ids": {
        "type_": 26,
        "message": line.Message(sender="u" + "2" * 5000, to=LONG, to_type=0, id="1" * 5000, text="x"),
    },
}


async def still_reads(world: LineDeviceWorld, text: str) -> None:
    await world.says(MEI, SHOP, text)
    await world.inbox.until(lambda: text in world.texts(SHOP))


async def test_odd_operations_cost_only_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        for name, parts in ODD.items():
            world.line.world.tell(world.account(SHOP), **parts)
            await still_reads(world, f"after {name}")
        assert "crashed" not in caplog.text


async def test_an_echo_of_no_sender_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def deliver(world: World, message: line.Message, sender: Account, *, req_seq: int | None = None) -> None:
        for odd in (attrs.evolve(message, sender=None), attrs.evolve(message, id="1" * 5000)):
            world.tell(sender, line.SEND_MESSAGE, message=odd, req_seq=req_seq)

    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        with monkeypatch.context() as patched:
            patched.setattr(World, "deliver", deliver)
            await world.sends(SHOP, MEI, "hello")
        await still_reads(world, "after")
        assert "crashed" not in caplog.text


async def test_an_answer_of_any_number_of_operations_is_told_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers with more than was asked for."""
    sizes: list[int] = []
    deliver = Records.deliver

    async def noting(records: Records, link: Link, batch: Batch) -> None:
        sizes.append(len(batch.events))
        await deliver(records, link, batch)

    def everything(account: Account, asked: line.SyncRequest) -> line.SyncAnswer | None:
        found = tuple(one for one in account.operations if (one.revision or 0) > asked.revision)
        return line.SyncAnswer(operations=line.Operations(found, False)) if found else None

    monkeypatch.setattr(Records, "deliver", noting)
    monkeypatch.setattr(platform, "operations_after", everything)
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        shop, number = world.account(SHOP), 3 * BATCH + 7
        message = line.Message(sender=mid_of(MEI), to=shop.mid, to_type=0, created=now(), text="many")
        for at in range(number):
            world.line.world.tell(shop, 26, message=attrs.evolve(message, id=str(10**9 + at)))
        await still_reads(world, "after")
        ids = [event["message_id"] for event in world.received(SHOP)[:-1]]
        assert ids == [str(10**9 + at) for at in range(number)]
        assert max(sizes) <= BATCH


@pytest.mark.parametrize("odd", ["9" * 19, "9" * 5000, "²" * 5, ""], ids=["2^63", "long", "squares", "none"])
async def test_messages_of_an_outage_with_an_odd_id_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: str
) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await still_reads(world, "before")
        shop, known = world.account(SHOP), world.line.world.messages
        message = line.Message(sender=mid_of(MEI), to=shop.mid, to_type=0, created=now(), text="missed")
        for at in range(NEWEST + 5):
            id_ = str(10**9 + at) if at != 5 else odd
            known[id_] = attrs.evolve(message, id=id_)
        world.line.world.tell(shop, 0)
        shop.lost_before = shop.revision
        await world.inbox.until(lambda: world.texts(SHOP).count("missed") >= NEWEST - 1)
        await still_reads(world, "after")
        assert "crashed" not in caplog.text

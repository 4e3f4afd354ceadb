"""Reading updates of personal accounts of Telegram: other accounts have their turns meanwhile."""

from datetime import UTC, datetime

import trio
from telethon.tl import types

from actors.account.memory_session import MemorySession
from unifyport.process.clock import Clock
from unifyport.providers.records import Draft, Records
from unifyport.providers.telegram.user.peers import Peers
from unifyport.providers.telegram.user.pending import Pending
from unifyport.providers.telegram.user.reading import Item, Reader

COUNT = 200
NOW = datetime.fromtimestamp(1_790_000_000, UTC)


async def test_a_large_difference_leaves_turns_to_others() -> None:
    records = Records(MemorySession({}))
    reader = Reader(1, Peers(records), Pending(records), Clock())
    entities = [types.MessageEntityBold(place, 3) for place in range(100)]
    items = [
        Item(
            types.UpdateNewMessage(
                types.Message(1, types.PeerUser(5), NOW, "x" * 4096, entities=entities), 0, 0
            )
        )
        for _ in range(COUNT)
    ]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        await reader.read(Draft(records), items)
        nursery.cancel_scope.cancel()
    assert turns > COUNT // 10

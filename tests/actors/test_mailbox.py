"""The mailbox: order, bounds, batches, cancellation, and fairness between accounts."""

import tracemalloc
from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.mailbox import Mailbox, MailboxClosed
from actors.reply import Reply


async def test_senders_are_first_in_first_out_and_newcomers_wait_behind() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=2)
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(mailbox.put, number)
            await wait_all_tasks_blocked()
        assert (len(mailbox), mailbox.waiting_senders) == (2, 4)
        assert not mailbox.put_nowait(99)
        got = await mailbox.take(1)
        assert not mailbox.put_nowait(99)  # others wait
        while len(got) < 6:
            got += await mailbox.take(64)
    assert got == list(range(6))


async def test_a_flood_of_one_account_does_not_delay_the_senders_of_others() -> None:
    mailbox: Mailbox[tuple[str, int]] = Mailbox(capacity=4, key_of=lambda item: item[0])
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(mailbox.put, ("flood", number))
            await wait_all_tasks_blocked()
        nursery.start_soon(mailbox.put, ("quiet", 0))
        await wait_all_tasks_blocked()
        await mailbox.take(2)  # one place for each
        assert ("quiet", 0) in await mailbox.take(2)
        nursery.cancel_scope.cancel()


Steps = st.lists(st.tuples(st.sampled_from("aaaab"), st.sampled_from(["put", "put", "cancel", "take"])))


@given(Steps, st.integers(1, 4))
def test_accounts_take_turns_and_each_is_first_in_first_out(
    steps: list[tuple[str, str]], capacity: int
) -> None:
    """Between the moment in which an account begins to wait and its next admission, each other one is
    admitted once at most.
    """
    trio.run(_take_turns, steps, capacity)


async def _take_turns(steps: list[tuple[str, str]], capacity: int) -> None:
    mailbox: Mailbox[tuple[str, int]] = Mailbox(capacity, key_of=lambda item: item[0])
    sent, cancelled, taken = list[tuple[str, int]](), set[tuple[str, int]](), list[tuple[str, int]]()
    waiting: dict[tuple[str, int], trio.CancelScope] = {}
    passed: dict[str, Counter[str]] = {}  # who was admitted since an account waits

    async def put(item: tuple[str, int]) -> None:
        with trio.CancelScope() as scope:
            waiting[item] = scope
            passed.setdefault(item[0], Counter())
            await mailbox.put(item)
        del waiting[item]
        if scope.cancelled_caught:
            cancelled.add(item)
        if all(key != item[0] for key, _ in waiting):
            passed.pop(item[0], None)

    async def take() -> None:
        before = set(waiting)
        taken.extend(await mailbox.take(1))
        await wait_all_tasks_blocked()
        for admitted, _ in before - set(waiting):
            for other, counts in passed.items():
                counts[admitted] += other != admitted
                assert counts[admitted] <= 1
            if admitted in passed:
                passed[admitted].clear()

    async with trio.open_nursery() as nursery:
        for number, (key, step) in enumerate(steps):
            if step == "put":
                sent.append((key, number))
                nursery.start_soon(put, sent[-1])
                await wait_all_tasks_blocked()
            elif step == "cancel" and (own := [item for item in waiting if item[0] == key]):
                waiting[own[-1]].cancel()
                await wait_all_tasks_blocked()
            elif step == "take" and len(mailbox):
                await take()
        while len(mailbox):
            await take()
    for key in "ab":
        assert [item for item in taken if item[0] == key] == [
            item for item in sent if item[0] == key and item not in cancelled
        ]


async def test_idle_mailboxes_own_no_queue_and_share_no_message() -> None:
    tracemalloc.start()
    idle: list[Mailbox[int]] = [Mailbox(capacity=1) for _ in range(1000)]
    each = tracemalloc.get_traced_memory()[0] / 1000
    tracemalloc.stop()
    assert each < 200  # bytes; an empty deque alone has 760
    async with trio.open_nursery() as nursery:
        for mailbox in idle[:2]:
            assert mailbox.put_nowait(1)
            nursery.start_soon(mailbox.put, 2)
            await wait_all_tasks_blocked()
        assert [(len(mailbox), mailbox.waiting_senders) for mailbox in idle[:3]] == [(1, 1), (1, 1), (0, 0)]
        nursery.cancel_scope.cancel()


async def test_bytes_bound_too_and_one_large_item_still_passes() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=10, max_bytes=100)
    assert mailbox.put_nowait("large", 1000)
    assert not mailbox.put_nowait("small", 1)
    assert await mailbox.take() == ["large"]
    assert mailbox.put_nowait("a", 60)
    assert not mailbox.put_nowait("b", 60)


async def test_a_cancelled_sender_has_not_sent_and_a_cancelled_receiver_has_lost_nothing() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=1)
    await mailbox.put(1)
    with trio.move_on_after(0):
        await mailbox.put(2)
    with trio.move_on_after(0):
        await mailbox.take()
    assert await mailbox.take() == [1]
    with trio.move_on_after(0):
        await mailbox.take()
    await mailbox.put(3)
    assert await mailbox.take() == [3]


async def test_a_batch_is_one_checkpoint() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for number in range(200):
        assert mailbox.put_nowait(number)
    with trio.testing.assert_checkpoints():
        batch = await mailbox.take(64)
    assert batch == list(range(64))


async def test_close_and_interrupt() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=1)
    await mailbox.put(1)
    with pytest.RaisesGroup(MailboxClosed):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mailbox.put, 2)
            await wait_all_tasks_blocked()
            mailbox.close()
    assert await mailbox.take() == [1]
    with pytest.raises(MailboxClosed):
        await mailbox.take()
    other: Mailbox[int] = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.take)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await other.take()
        other.interrupt()


async def test_replies() -> None:
    reply: Reply[int] = Reply()
    with trio.move_on_after(0):
        await reply.wait()
    reply.answer(5)  # its waiter has gone
    assert await reply.wait() == 5
    with pytest.raises(RuntimeError):
        reply.answer(6)
    waited: list[int] = []
    second: Reply[int] = Reply()

    async def wait() -> None:
        waited.append(await second.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        second.answer(7)
    assert waited == [7]

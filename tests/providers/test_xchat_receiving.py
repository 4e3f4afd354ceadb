"""Conversations of the official connection in which something is missing: one costs no other."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from tests.providers.xchat_account import BOB, EVE, ME, Account
from unifyport.model.inbound import MessageReceived, PlatformEvent, ProviderEvent
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.x.api.chat_receiving import ChatReceiver


@attrs.define
class Calls:
    """X's lists of events; those of BOB are as `bob` says."""

    account: Account
    bob: Exception | str
    asked: list[str] = attrs.field(factory=list)

    async def events(self, place: str, after: str | None) -> Any:
        self.asked.append(place)
        if BOB in place and isinstance(self.bob, Exception):
            raise self.bob
        events = reversed(self.account.state.conversations[place].events)
        data = [SimpleNamespace(encoded_event=event.encoded) for event in events]
        token = "the same" if BOB in place and self.bob == "loop" else None
        return SimpleNamespace(data=data, meta=SimpleNamespace(next_token=token, conversation_key_events=[]))


@attrs.define
class Delivered:
    account: Account
    events: list[ProviderEvent] = attrs.field(factory=list)

    async def deliver(self, batch: Batch) -> None:
        self.events += batch.events
        await self.account.session.commit(list(batch.state))

    @property
    def texts(self) -> list[str]:
        return [event.content.text for event in self.events if isinstance(event, MessageReceived)]

    @property
    def gaps(self) -> int:
        return sum(isinstance(event, PlatformEvent) and event.name == "gap" for event in self.events)


@pytest.mark.parametrize(
    ("bob", "texts", "gaps"),
    [
        (Transient("http_500"), ["of eve"], 0),
        (Rejected("not_found"), ["of eve"], 1),
        ("loop", ["of bob", "of eve"], 1),
    ],
)
async def test_a_conversation_that_cannot_be_read_holds_up_no_other(
    bob: Exception | str, texts: list[str], gaps: int
) -> None:
    account = await Account.new()
    calls, told = Calls(account, bob), Delivered(account)
    receiver = ChatReceiver(
        account.chat,
        calls,  # type: ignore[arg-type]
        account.session,
        me=ME,
        clock=Clock(),
    )
    await receiver.load()
    for who, text in ((BOB, "of bob"), (EVE, "of eve")):
        account.people.write(who, ME, text)
    receiver.due |= {f"{ME}:{BOB}", f"{ME}:{EVE}"}
    if isinstance(bob, Transient):
        with pytest.raises(Transient, match="http_500"):
            await receiver.fill(told)  # type: ignore[arg-type]
        assert receiver.due == {f"{ME}:{BOB}"}
    else:
        await receiver.fill(told)  # type: ignore[arg-type]
        assert receiver.due == set()
    assert sorted(set(told.texts)) == texts
    assert told.gaps == gaps


@attrs.define
class Lists(Calls):
    """X's list of conversations, which is empty. `during`: what happens while X makes it, call by call."""

    during: list[Callable[[], None]] = attrs.field(factory=list)

    async def conversations(self, after: str | None) -> Any:
        self.asked.append("conversations")
        if self.during:
            self.during.pop(0)()
        return SimpleNamespace(data=[], meta=SimpleNamespace(next_token=None))


async def test_an_opening_during_a_check_makes_another_one_due() -> None:
    def fail() -> None:
        raise Transient("http_500")

    account = await Account.new()
    calls, told = Lists(account, ""), Delivered(account)
    receiver = ChatReceiver(
        account.chat,
        calls,  # type: ignore[arg-type]
        account.session,
        me=ME,
        clock=Clock(),
    )
    await receiver.load()
    calls.during = [receiver.reopen, fail]
    await receiver.complete(told)  # type: ignore[arg-type]
    with pytest.raises(Transient, match="http_500"):
        await receiver.complete(told)  # type: ignore[arg-type]
    for _ in range(2):
        await receiver.complete(told)  # type: ignore[arg-type]
    assert len(calls.asked) == 3, "the first one, that of the opening, and once more as that one failed"

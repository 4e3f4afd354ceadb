"""What comes in for one account: events of the stream, and what was missed between two openings of it."""

import math
from collections.abc import Sequence

import trio

from supervisors import Slices
from unifyport.model.inbound import MessageReceived, PlatformEvent, ProviderEvent, Unparsed
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import LoggedOut, RateLimited
from unifyport.providers.contract.session import Session

from .calls import XApi
from .catch_up import CatchUp
from .chat_receiving import ChatReceiver
from .echoes import Echoes
from .hub import Follower, Opened
from .parse import parse_activity

_BATCH = 100  # events of the stream in one commit


class Receiver:
    """`me`: the id of the account's user."""

    def __init__(
        self, api: XApi, session: Session, me: str, *, echoes: Echoes, chat: ChatReceiver, hourly: bool
    ) -> None:
        self._me = me
        self._session = session
        self._echoes = echoes
        self._chat = chat
        self._catch_up = CatchUp(api, session, me, hourly=hourly)

    @property
    def due(self) -> float:
        """When `fill_gap` is to be called (trio's clock)."""
        return self._catch_up.due

    async def load(self) -> None:
        """Read what the session holds. Called first, once."""
        await self._echoes.load()
        await self._catch_up.load()

    async def follow(self, link: Link, follower: Follower) -> None:
        """Commit what the stream brings, and what it did not bring."""
        catch_up = self._catch_up
        while True:
            item: bytes | Opened | None = None
            with trio.move_on_at(min(catch_up.due, catch_up.settles) if follower.opened else math.inf):
                item = await follower.next()
            if isinstance(item, bytes):
                item = await self._take(link, follower, item)
            if isinstance(item, Opened) and not (item.covered and catch_up.complete):
                catch_up.reopen()
                self._chat.reopen()
            if changes := catch_up.settled():
                await self._session.commit(changes)
            if follower.opened and trio.current_time() >= catch_up.due:
                await self.fill_gap(link)

    async def _take(self, link: Link, follower: Follower, first: bytes) -> Opened | None:
        """Commit an event and those that have come after it, up to the next opening, which is returned."""
        raws, ending = [first], None
        while len(raws) < _BATCH and (more := follower.more()) is not None:
            if isinstance(more, Opened):
                ending = more
                break
            raws.append(more)
        found, slices = list[ProviderEvent](), Slices()
        for raw in raws:
            found += [each.event for each in parse_activity(raw, self._me)]
            await slices.pause()
        await self._commit(link, found, size=sum(map(len, raws)))
        self._catch_up.note(_ids(found))
        return ending

    async def fill_gap(self, link: Link) -> None:
        """Fetch and commit what happened after the mark. Where X says wait, it is due again after that."""
        try:
            events, changes = await self._catch_up.fetch()
        except RateLimited:
            return
        await self._commit(link, events, changes)

    async def _commit(
        self,
        link: Link,
        events: list[ProviderEvent],
        changes: Sequence[SessionChange] = (),
        *,
        size: int = 0,
    ) -> None:
        opened, sealed = await self._chat.open(events)
        settled, more = await self._echoes.settle(opened)
        more += sealed
        while len(settled) > _BATCH:  # the mark moves with the last of them
            await link.deliver(Batch(settled[:_BATCH]))
            settled = settled[_BATCH:]
        if settled or changes:
            await link.deliver(Batch(settled, [*changes, *more], size))
        if any(isinstance(event, PlatformEvent) and event.name == "oauth.revoke" for event in events):
            raise LoggedOut("authorization_revoked")


def _ids(events: list[ProviderEvent]) -> list[str]:
    """The ids of messages that `GET /2/dm_events` has, too."""
    found = []
    for event in events:
        match event:
            case MessageReceived(content=content) | PlatformEvent(name="message_echo", content=content):
                if content is not None:
                    found.append(content.id)
            case Unparsed(message_id=id_):
                found.append(id_)
    return found

"""What comes in for one account: events of the stream, and what was missed between two openings of it."""

import math

import trio

from unifyport.model.inbound import MessageReceived, PlatformEvent, ProviderEvent, Unparsed
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import LoggedOut, RateLimited
from unifyport.providers.contract.session import Session

from .calls import XApi
from .catch_up import CatchUp
from .echoes import Echoes
from .hub import Follower, Opened
from .kinds import ENCRYPTED
from .parse import parse_activity

_BATCH = 100  # events of the stream in one commit


class Receiver:
    """`me`: the id of the account's user."""

    def __init__(self, api: XApi, session: Session, me: str, *, echoes: Echoes) -> None:
        self._me = me
        self._echoes = echoes
        self._catch_up = CatchUp(api, session, me)

    async def load(self) -> None:
        """Read what the session holds. Called first, once."""
        await self._echoes.load()
        await self._catch_up.load()

    async def follow(self, link: Link, follower: Follower) -> None:
        """Commit what the stream brings, and fill the gap at each opening."""
        retry_at = math.inf
        while True:
            item: bytes | Opened | None = None
            with trio.move_on_at(retry_at):
                item = await follower.next()
            if isinstance(item, bytes):
                item = await self._take(link, follower, item)
            if isinstance(item, Opened):
                if item.covered and self._catch_up.complete:
                    continue
                self._catch_up.reopen()
            elif trio.current_time() < retry_at:
                continue
            retry_at = await self.fill_gap(link)

    async def _take(self, link: Link, follower: Follower, first: bytes) -> Opened | None:
        """Commit an event and those that have come after it, up to the next opening, which is returned."""
        raws, ending = [first], None
        while len(raws) < _BATCH and (more := follower.more()) is not None:
            if isinstance(more, Opened):
                ending = more
                break
            raws.append(more)
        found = [each.event for raw in raws for each in parse_activity(raw, self._me)]
        await self._commit(link, found, size=sum(map(len, raws)))
        return ending

    async def fill_gap(self, link: Link) -> float:
        """Fetch and commit what happened after the mark; when to try again (trio's clock) if X says wait."""
        try:
            events, changes = await self._catch_up.fetch()
        except RateLimited as limited:
            return trio.current_time() + limited.retry_after
        await self._commit(link, events, changes)
        return math.inf

    async def _commit(
        self,
        link: Link,
        events: list[ProviderEvent],
        changes: list[SessionChange] | None = None,
        *,
        size: int = 0,
    ) -> None:
        settled, more = await self._echoes.settle(events)
        moved = self._catch_up.change(_ids(events)) if changes is None else changes
        while len(settled) > _BATCH:  # the mark moves with the last of them
            await link.deliver(Batch(settled[:_BATCH]))
            settled = settled[_BATCH:]
        if settled or moved:
            await link.deliver(Batch(settled, [*moved, *more], size))
        if any(isinstance(event, PlatformEvent) and event.name == "oauth.revoke" for event in events):
            raise LoggedOut("authorization_revoked")


def _ids(events: list[ProviderEvent]) -> list[str]:
    """The ids of messages that `GET /2/dm_events` has, too."""
    found = []
    for event in events:
        match event:
            case MessageReceived(content=content) | PlatformEvent(name="message_echo", content=content):
                if content is not None and content.kind != ENCRYPTED:
                    found.append(content.id)
            case Unparsed(message_id=id_):
                found.append(id_)
    return found

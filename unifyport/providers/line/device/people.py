"""Names of users and groups, as the platform's list of contacts has them, for events."""

import logging
from collections.abc import Collection

from unifyport.model.inbound import Conversation, ProviderEvent, Sender
from unifyport.providers.contract.errors import ChannelError, LoggedOut, SessionLost
from unifyport.providers.recent import Recent

from . import call_structures as of
from . import structures as line
from .chats import name_of
from .talk import Talk

log = logging.getLogger(__name__)
MOST_KEPT = 2048
AT_A_TIME = 100
FOUND_BY_USER = 8  # SyncReason: the user looks at it


class People:
    """Names that were looked up, of one connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._names: Recent[str, str] = Recent(MOST_KEPT)

    def forget(self, mid: str) -> None:
        self._names.drop(mid)

    async def names_of(self, mids: Collection[str]) -> dict[str, str]:
        """Names of users, of those that have one. Raises failure classes."""
        await self._look_up([mid for mid in mids if self._names.get(mid) is None])
        return {mid: name for mid in mids if (name := self._names.get(mid))}

    async def name(self, events: Collection[ProviderEvent]) -> None:
        """Put names into events. A look-up that fails leaves them out."""
        wanted = {mid for event in events for mid in _mids(event) if self._names.get(mid) is None}
        try:
            await self._look_up([mid for mid in wanted if mid.startswith("u")])
            await self._look_up_groups([mid for mid in wanted if mid.startswith("c")])
        except (LoggedOut, SessionLost):
            raise
        except ChannelError as error:
            log.info("line: names could not be looked up: %s", error.reason)
        for event in events:
            sender, chat = getattr(event, "sender", None), getattr(event, "conversation", None)
            if isinstance(sender, Sender):
                sender.name = sender.name or self._names.get(sender.id) or ""
            if isinstance(chat, Conversation):
                chat.title = chat.title or self._names.get(chat.id) or ""

    async def _look_up(self, mids: list[str]) -> None:
        for start in range(0, len(mids), AT_A_TIME):
            part = mids[start : start + AT_A_TIME]
            found = await self._talk.read("getContacts", of.ContactsArguments(tuple(part)))
            known = {one.mid: shown_name(one) for one in found}
            for mid in part:
                self._names.put(mid, known.get(mid, ""))

    async def _look_up_groups(self, mids: list[str]) -> None:
        for start in range(0, len(mids), AT_A_TIME):
            part = mids[start : start + AT_A_TIME]
            request = of.GetChatsRequest(tuple(part), with_members=False)
            found = await self._talk.read("getChats", of.GetChatsArguments(request, FOUND_BY_USER))
            known = {one.mid: name_of(one.name) for one in found.chats or ()}
            for mid in part:
                self._names.put(mid, known.get(mid, ""))


def shown_name(contact: line.Contact) -> str:
    """The name that the account gave a user, else the user's own."""
    return name_of(contact.overridden or contact.display_name)


def _mids(event: ProviderEvent) -> list[str]:
    named = (getattr(event, "sender", None), getattr(event, "conversation", None))
    return [one.id for one in named if isinstance(one, Sender | Conversation) and one.id]

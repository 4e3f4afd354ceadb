"""Who is typing, and who is online: told only to an account with `metadata.presence = "on"`.

The platform tells it only to a device that says that it is available itself, and who is online only of people
whom it was asked about, with their trusted-contact token: those who write. Nothing of this is acknowledged,
or repeated. https://github.com/tulir/whatsmeow (`presence.go`)
"""

import itertools
import time
from collections import OrderedDict

import trio

from unifyport.model.inbound import Conversation, PlatformEvent, dedupe_key
from unifyport.model.times import rfc3339
from unifyport.protocols.binary_node import Jid, Node

from . import people
from .addresses import is_person, read_jid
from .group_cache import GroupCache
from .keys import DeviceKeys
from .outcomes import Outcome
from .records import Draft, Records
from .socket import NodeSocket
from .tokens import Tokens

PRESENCE = "presence"
TAGS = ("chatstate", "presence")
FEWEST_SECONDS = 1.0  # between two events of a person in a conversation
REPEAT_SECONDS = 10.0  # phones repeat that their user is typing
_STATES = ("composing", "paused")
_FOLLOWED = 256  # people
_KEPT = 1024


class Presence:
    """Of one connection. `wanted`: the account has asked for it."""

    def __init__(
        self,
        keys: DeviceKeys,
        records: Records,
        socket: NodeSocket,
        *,
        tokens: Tokens,
        groups: GroupCache,
        wanted: bool,
    ) -> None:
        self.wanted = wanted
        self._keys = keys
        self._records = records
        self._socket = socket
        self._tokens = tokens
        self._groups = groups
        self._followed: OrderedDict[Jid, None] = OrderedDict()
        self._last: OrderedDict[tuple[Jid, Jid, str], tuple[str, float]] = OrderedDict()
        self._count = itertools.count()

    async def begin(self) -> None:
        """Say that this device is available. Raises `Transient`."""
        if self.wanted:
            await self._socket.send(Node("presence", {"type": "available"}))

    def is_new(self, person: Jid) -> bool:
        """Whether `follow` is to be called: this person has written for the first time on this connection."""
        if not self.wanted or not is_person(person) or self._keys.is_mine(person):
            return False
        new = person.bare not in self._followed
        self._followed[person.bare] = None
        self._followed.move_to_end(person.bare)
        if len(self._followed) > _FOLLOWED:
            self._followed.popitem(last=False)
        return new

    async def follow(self, person: Jid) -> None:
        """Ask to be told when this person is online. Raises `Transient`."""
        found = await self._tokens.nodes(Draft(self._records), person)
        tokens = [node for node in found if node.tag == "tctoken"]
        attributes = {"type": "subscribe", "to": str(person.bare)}
        await self._socket.send(Node("presence", attributes, tokens or None))

    async def read(self, draft: Draft, node: Node) -> Outcome:
        """Of `<chatstate>` and `<presence>`. What cannot be read is nothing."""
        outcome = Outcome()
        chat = read_jid(node.get("from"))
        sender = read_jid(node.get("participant")) if chat is not None and chat.is_group else chat
        if chat is None or sender is None or not is_person(sender) or self._keys.is_mine(sender):
            return outcome
        if node.tag == "chatstate":
            child = node.children[0] if node.children else node
            state, details = child.tag, {"media": "audio"} if child.get("media") == "audio" else {}
            known = state in _STATES
        else:
            state = node.get("type") or "available"
            seen = node.number("last")
            details = {"last_seen": rfc3339(seen * 1000)} if 0 < seen < 1 << 32 else {}
            known = state in ("available", "unavailable") and not chat.is_group
        if known and self._is_news(chat, sender, node.tag, state):
            name = "typing" if node.tag == "chatstate" else "presence"
            outcome.events.append(await self._event(draft, chat, sender, name, details | {"state": state}))
        return outcome

    def _is_news(self, chat: Jid, sender: Jid, tag: str, state: str) -> bool:
        place, now = (chat.bare, sender.bare, tag), trio.current_time()
        last, at = self._last.get(place, ("", -REPEAT_SECONDS))
        if now - at < (REPEAT_SECONDS if last == state else FEWEST_SECONDS):
            return False
        self._last[place] = (state, now)
        self._last.move_to_end(place)
        if len(self._last) > _KEPT:
            self._last.popitem(last=False)
        return True

    async def _event(
        self, draft: Draft, chat: Jid, sender: Jid, name: str, details: dict[str, str]
    ) -> PlatformEvent:
        who = await people.person(draft, sender)
        if chat.is_group:
            info = self._groups.peek(chat)
            conversation = Conversation(str(chat), "group", info.subject if info is not None else "")
        else:
            conversation = who.conversation()
        unique = str(time.time_ns()), str(next(self._count))
        key = dedupe_key("whatsapp", self._keys.me.user, name, str(who.id), *unique)
        return PlatformEvent(key, name, None, conversation, who.sender(), details=dict(details))

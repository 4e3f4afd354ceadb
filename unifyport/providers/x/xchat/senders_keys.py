"""The key that a message to a conversation is encrypted with.

    1  the newest trusted key of the session
    2  what X has of the conversation: another device of the account may have set it up
    3  of a pair: a new key, wrapped for both, given to X and kept before it encrypts anything

A key is wrapped only for public keys whose two parts are bound. A group has its key from its creator; one
that we do not have is not replaced, as that would lock out members whom we do not know.
"""

from weakref import WeakValueDictionary

import attrs
import msgspec
import trio

from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.session import Session
from unifyport.providers.recent import Recent

from .conversation_keys import ConversationKeys
from .ids import GROUP, other_of
from .made import KeyChange
from .making import Key, Making
from .opening import Opening
from .public_keys import PublicKeys
from .records import KEY, ConversationKey, Draft, key_place
from .threads import compute
from .transport import ChatTransport, PublicKey
from .vault import OwnKeys

KEYLESS_SECONDS = 3600.0  # for which it is remembered that a user has no keys
_REMEMBERED = 2048


@attrs.frozen
class Sources:
    """Where keys are and come from."""

    transport: ChatTransport
    session: Session
    own: OwnKeys
    public: PublicKeys
    keys: ConversationKeys
    opening: Opening


class SendersKeys:
    """Those of one connection."""

    def __init__(self, sources: Sources, making: Making) -> None:
        self._of = sources
        self._making = making
        self._locks: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()
        self._keyless: Recent[str, float] = Recent(_REMEMBERED)

    async def find(self, conversation: str) -> Key:
        """Raises `Rejected` (`recipient_without_keys`, `conversation_without_key`), failure classes."""
        async with self._locks.setdefault(conversation, trio.Lock()):
            found = await self._of.keys.newest(conversation)
            if found is None:
                await self._ask(conversation, 0)
                found = await self._of.keys.newest(conversation)
            if found is not None:
                return Key(conversation, *found)
            return await self._make(conversation)

    async def newer(self, key: Key) -> Key | None:
        """The key that X has meanwhile; None: there is none."""
        await self._ask(key.conversation, key.version + 1)
        found = await self._of.keys.newest(key.conversation)
        return None if found is None or found[0] <= key.version else Key(key.conversation, *found)

    async def reachable(self, conversation: str) -> bool:
        """Whether a message to it can be encrypted: it has a key, or both of a pair have public keys."""
        if await self._of.keys.newest(conversation) is not None or GROUP.fullmatch(conversation):
            return True
        other = other_of(self._of.own.user_id, conversation)
        since = self._keyless.get(other)
        if since is not None and trio.current_time() < since + KEYLESS_SECONDS:
            return False
        draft = Draft(self._of.session)
        try:
            await self._of.public.newest([other], draft)
        except Rejected:
            self._keyless.put(other, trio.current_time())
            return False
        await self._of.session.commit(draft.changes)
        return True

    async def members_keys(self, users: list[str], draft: Draft) -> list[PublicKey]:
        """The current key of each; the account's own is the one that it holds. Raises as `find`."""
        own = self._of.own
        found = await self._of.public.newest(sorted({*users, own.user_id}, key=int), draft)
        mine = self._of.public.find(own.user_id, own.version)
        if mine is None:
            raise Rejected("own_key_not_registered", "X no longer has the account's key of XChat")
        return [mine if key.user_id == own.user_id else key for key in found]

    def kept(self, change: KeyChange, draft: Draft) -> None:
        """Keep a key that we have made."""
        key = ConversationKey(change.raw, True)
        draft.put(KEY, key_place(change.conversation, change.version), msgspec.msgpack.encode(key))

    async def _ask(self, conversation: str, version: int) -> None:
        draft = Draft(self._of.session)
        await self._of.opening.ask_for_keys(conversation, version, draft)
        await self._of.session.commit(draft.changes)

    async def _make(self, conversation: str) -> Key:
        if GROUP.fullmatch(conversation):
            raise Rejected("conversation_without_key", "the account has no key of this group")
        draft = Draft(self._of.session)
        keys = await self.members_keys(conversation.split(":"), draft)
        change = await compute(self._making.key_change, conversation, keys)
        await self._of.transport.add_keys(conversation, change)
        self.kept(change, draft)
        await self._of.session.commit(draft.changes)
        return Key(conversation, change.version, change.raw)

"""Keys of conversations, by version, which are numbers. All are kept, the newest trusted one encrypts.

A key is trusted if the change that brought it is signed by a participant (of a group: by anyone whose key X
gives out; see `opening.py`). X documents that members who have left a group no longer verify
(https://docs.x.com/xchat/groups): such a key opens messages, each of which is signed by itself, and never
encrypts one, as the server could have made it.
"""

import msgspec

from unifyport.providers.contract.session import Session
from unifyport.providers.recent import Recent

from .records import KEY, ConversationKey, Draft, key_place, of_conversation, version_at

MOST_KEPT = 1024  # in memory
_PAGE = 20


class ConversationKeys:
    """Those of one account."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Recent[tuple[str, int], ConversationKey] = Recent(MOST_KEPT)

    async def get(self, conversation: str, version: int, draft: Draft) -> bytes | None:
        """A key to open with; None: it is not known."""
        known = self._known.get((conversation, version))
        if known is None:
            stored = await draft.get(KEY, key_place(conversation, version))
            if stored is None:
                return None
            known = msgspec.msgpack.decode(stored, type=ConversationKey)
            # A draft may come to nothing, and a trusted key may replace one that is not.
            if known.trusted and not draft.has(KEY, key_place(conversation, version)):
                self._known.put((conversation, version), known)
        return known.raw

    async def newest(self, conversation: str) -> tuple[int, bytes] | None:
        """The version and the key to encrypt with; None: there is no trusted one."""
        page = await self._session.scan(KEY, of_conversation(conversation), limit=_PAGE)
        for place, stored in page:
            key = msgspec.msgpack.decode(stored, type=ConversationKey)
            if key.trusted:
                return version_at(place), key.raw
        return None

    async def put(self, conversation: str, version: int, key: ConversationKey, draft: Draft) -> None:
        """Keep a key. An untrusted one does not replace what is known."""
        place = key_place(conversation, version)
        stored = await draft.get(KEY, place)
        if stored is not None:
            known = msgspec.msgpack.decode(stored, type=ConversationKey)
            if known.trusted or not key.trusted:
                return
        self._known.drop((conversation, version))
        draft.put(KEY, place, msgspec.msgpack.encode(key))

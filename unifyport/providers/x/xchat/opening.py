"""Encoded events -> what they say, if their signatures hold.

    1  read each one (`heads.py`); what is not addressed to a conversation of ours, or has a sender who is not
       in it, is refused here
    2  load the public keys that signatures name; X is asked once for each that is not known
    3  take the keys of key changes: trusted if the change verifies and is signed by a participant
    4  verify and decrypt the rest; X is asked once for a conversation key that is not known

`chat_xdk` verifies a signature over kind, ids and content before it gives a content back. Public keys in an
event are never used. Nothing here waits for anything but the transport.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import attrs
from chat_xdk import Chat

from unifyport.providers.contract.errors import Rejected
from unifyport.providers.recent import Recent

from .conversation_keys import ConversationKeys
from .heads import Item, Unreadable, read_item
from .ids import GROUP
from .public_keys import PublicKeys
from .records import ConversationKey, Draft
from .threads import compute
from .transport import ChatTransport
from .vault import OwnKeys

MOST_EVENTS = 200  # of one call
_ASKED = 1024  # keys that X did not have, remembered


@attrs.frozen
class Verified:
    """An event whose signature holds, as `chat_xdk` gives it. `plain` None: its key cannot be had."""

    item: Item
    plain: dict[str, Any] | None


@attrs.frozen
class Refused:
    """An event that is not believed. `item` None: it could not even be read."""

    encoded: str
    reason: str
    item: Item | None = None


Result = Verified | Refused


class Opening:
    """`own` None: nothing can be decrypted, but signatures are verified all the same."""

    def __init__(
        self,
        transport: ChatTransport,
        me: str,
        own: OwnKeys | None,
        *,
        public: PublicKeys,
        keys: ConversationKeys,
    ) -> None:
        self._transport = transport
        self._me = me
        self._public = public
        self._keys = keys
        self._can_decrypt = own is not None
        self._asked: Recent[tuple[str, int], bool] = Recent(_ASKED)
        self._chat = Chat()
        if own is not None:
            self._chat.import_keys(own.blob, str(own.version))
            self._chat.set_identity(own.user_id, str(own.version))

    async def open(self, encoded: Sequence[str], extra: Sequence[str], draft: Draft) -> list[Result]:
        """What `encoded` say, in order. `extra`: key changes that came beside them.

        Raises failure classes.
        """
        read = [_read(each, self._me) for each in encoded]
        items = [each for each in read if isinstance(each, Item)]
        beside = [each for each in (_read(one, self._me) for one in extra) if isinstance(each, Item)]
        await self._prepare([*items, *beside], draft)
        await self._take_keys([each for each in (*beside, *items) if each.head.kind == "key_change"], draft)
        await self._fetch_keys(items, draft)
        known: dict[int, bytes | None] = {}
        for place, each in enumerate(read):
            if isinstance(each, Item) and each.head.kind == "message" and each.head.version is not None:
                known[place] = await self._keys.get(each.head.conversation, each.head.version, draft)
        return await compute(self._open_all, read, known)

    async def _prepare(self, items: Sequence[Item], draft: Draft) -> None:
        heads = [each.head for each in items]
        await self._public.prepare({(h.sender, h.signer) for h in heads if h.signer is not None}, draft)

    # -- keys of conversations ------------------------------------------------------------------------------

    async def _fetch_keys(self, items: Sequence[Item], draft: Draft) -> None:
        """Ask X for keys that messages name and that are not known; once for each."""
        if not self._can_decrypt:
            return
        for item in [each for each in items if _is_encrypted(each)]:
            assert item.head.version is not None
            place = item.head.conversation, item.head.version
            if self._asked.get(place) or await self._keys.get(*place, draft) is not None:
                continue
            if await compute(self._holds, item):  # an event without a valid signature causes no call
                await self.ask_for_keys(*place, draft)
                self._asked.put(place, True)

    async def ask_for_keys(self, conversation: str, version: int, draft: Draft) -> None:
        """Take the key changes that X has of a conversation. Raises failure classes but `Rejected`."""
        try:
            given = await self._transport.key_events(conversation, version)
        except Rejected:
            return
        items = [
            each
            for each in (_read(one, self._me) for one in given[-MOST_EVENTS:])
            if isinstance(each, Item) and each.head.kind == "key_change"
        ]
        await self._prepare(items, draft)
        await self._take_keys(items, draft)

    async def _take_keys(self, items: Sequence[Item], draft: Draft) -> None:
        if not items or not self._can_decrypt:
            return
        for item, key in zip(items, await compute(self._keys_of, items), strict=True):
            if key is not None and item.head.version is not None:
                await self._keys.put(item.head.conversation, item.head.version, key, draft)

    def _keys_of(self, items: Sequence[Item]) -> list[ConversationKey | None]:
        return [self._key_of(item) for item in items]

    def _key_of(self, item: Item) -> ConversationKey | None:
        """The key that a change brings for us. The library gives one even if the signature does not hold."""
        try:
            found = self._chat.decrypt_events([item.encoded], self._public.signing([item.head.sender]))
        except ValueError:
            return None
        raw = found["conversation_keys"]["keys"].get(str(item.head.version))
        if raw is None or len(raw) != 32:
            return None
        verified = not found["errors"] and bool(found["messages"])
        if not verified and GROUP.fullmatch(item.head.conversation) is None:
            return None  # both participants of a pair are always there to be verified
        return ConversationKey(bytes(raw), verified)

    # -- events ---------------------------------------------------------------------------------------------

    def _open_all(self, read: Sequence[Item | Refused], known: dict[int, bytes | None]) -> list[Result]:
        return [
            each if isinstance(each, Refused) else self._open(each, known.get(place))
            for place, each in enumerate(read)
        ]

    def _open(self, item: Item, key: bytes | None) -> Result:
        head = item.head
        if head.kind == "failure":  # X's own report to the sender, which is not signed
            return self._unsigned(item) if head.sender == self._me else _refused(item, "failure_of_another")
        if _is_encrypted(item) and key is None:
            return Verified(item, None) if self._holds(item) else _refused(item, self._why(item))
        keys = {} if key is None else {str(head.version): key}
        try:
            plain = self._chat.decrypt_event(item.encoded, keys, self._public.signing([head.sender]))
        except ValueError:
            if head.kind == "message" and self._holds(item):
                return _refused(item, "undecryptable")
            return _refused(item, self._why(item))
        if not plain.get("verified"):
            return _refused(item, "unsigned")
        if (plain.get("id"), plain.get("sender_id"), plain.get("conversation_id")) != (
            head.message_id,
            head.sender,
            head.conversation,
        ):
            return _refused(item, "two_readings")  # of the same bytes, by the library and by us
        return Verified(item, plain)

    def _unsigned(self, item: Item) -> Result:
        try:
            return Verified(item, self._chat.decrypt_event(item.encoded, {}, []))
        except ValueError:
            return _refused(item, "malformed_event")

    def _holds(self, item: Item) -> bool:
        """Whether the signature of a message holds, without its key.

        The signed line: https://docs.x.com/xchat/cryptography-primer.
        """
        head, signature = item.head, item.event.signature
        create = None if item.event.detail is None else item.event.detail.message_create
        if create is None or signature is None or head.signer is None:
            return False
        key = self._public.find(head.sender, head.signer)
        if key is None:
            return False
        contents = base64.b64encode(create.contents or b"").decode().rstrip("=")
        version = create.conversation_key_version or ""
        line = f"MessageCreateEvent,{head.message_id},{head.sender},{head.conversation},{version},{contents}"
        text = signature.signature or ""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4))
            return bool(self._chat.verify(key.signing, raw, line.encode()))
        except (ValueError, binascii.Error):
            return False

    def _why(self, item: Item) -> str:
        """The word for a signature that does not hold."""
        if item.event.signature is None or not item.event.signature.signature:
            return "unsigned"
        signer = item.head.signer
        if signer is None or self._public.find(item.head.sender, signer) is None:
            return "signer_unknown"
        return "signature_wrong"


def _is_encrypted(item: Item) -> bool:
    return item.head.kind == "message" and item.head.version is not None


def _read(encoded: str, me: str) -> Item | Refused:
    try:
        return read_item(encoded, me)
    except Unreadable as error:
        return Refused(encoded, str(error))


def _refused(item: Item, reason: str) -> Refused:
    return Refused(item.encoded, reason, item)

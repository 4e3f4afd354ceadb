"""What is remembered of messages for a while: who sent one (for replies, receipts and reactions to it), the
beginning of its text, and its secret; and the disappearing timer of each conversation.

`upkeep.py` removes what is old.
"""

import time

import msgspec

from unifyport.model.inbound import message_key
from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from . import people
from .addresses import is_person, read_jid
from .kinds import KINDS
from .records import Draft
from .wrappers import Unwrapped, context_of

MESSAGE, CHAT = "message", "chat"
KEPT_SECONDS = 14 * 86_400
SECRET_SIZE = 32
_SNIPPET = 120  # characters
_MOST_OPTIONS = 32
_POLLS = tuple(name for name in KINDS if name.startswith("pollCreationMessage"))


class Remembered(msgspec.Struct, array_like=True):
    """`sender`: without device; empty: the account itself. `at`: unix seconds. `options`: of a poll."""

    sender: str
    at: int
    text: str = ""
    secret: bytes = b""
    options: list[str] = []

    @property
    def from_me(self) -> bool:
        return not self.sender

    @property
    def sender_jid(self) -> Jid | None:
        return read_jid(self.sender)


class Timer(msgspec.Struct, array_like=True):
    """`seconds` 0: messages stay. `set_at`: unix seconds."""

    seconds: int
    set_at: int = 0


async def remember(
    draft: Draft, chat: Jid, message_id: str, *, sender: Jid | None, at: int, found: Unwrapped, text: str
) -> None:
    """`chat`: any address of the conversation. `sender` None: the account. `at`: unix seconds."""
    options: list[str] = []
    for name in _POLLS:
        if found.message.HasField(name):
            poll = getattr(found.message, name)
            options = [option.optionName[:128] for option in poll.options[:_MOST_OPTIONS]]
    kept = Remembered(str(sender.bare) if sender else "", at, text[:_SNIPPET], found.secret, options)
    await _remember(draft, chat, message_id, kept)


async def remember_secret(
    draft: Draft, chat: Jid, message_id: str, *, sender: Jid | None, at: int, secret: bytes
) -> None:
    """Of a message that came in history. `at`: unix seconds, by the sender's clock."""
    kept = Remembered(str(sender.bare) if sender else "", min(at, int(time.time())), "", secret)
    await _remember(draft, chat, message_id, kept)


async def _remember(draft: Draft, chat: Jid, message_id: str, kept: Remembered) -> None:
    """A sender chooses the id, maybe that of another sender's message, which stays as it is remembered.

    That of a person and of the account have different keys; in a group the first one wins.
    """
    key = (await _keys(draft, chat, message_id, mine=kept.from_me))[0]
    if is_person(chat) or kept.from_me or await draft.get(MESSAGE, key) is None:
        draft.put(MESSAGE, key, msgspec.msgpack.encode(kept))


async def recall(draft: Draft, chat: Jid, message_id: str) -> Remembered | None:
    for mine in (True, False):
        for key in await _keys(draft, chat, message_id, mine=mine):
            stored = await draft.get(MESSAGE, key)
            if stored is not None:
                return msgspec.msgpack.decode(stored, type=Remembered)
    return None


async def _keys(draft: Draft, chat: Jid, message_id: str, *, mine: bool) -> list[bytes]:
    """The keys that a message may have: a person is known by one address first, and later by two."""
    jids: list[Jid | None] = [chat]
    if is_person(chat):
        who = await people.person(draft, chat)
        jids = [who.phone, who.lid]
    whose = "me " if mine else ""
    return [message_key(f"{whose}{jid}", message_id) for jid in jids if jid is not None]


async def timer_of(draft: Draft, chat: Jid) -> Timer:
    stored = await draft.get(CHAT, str(chat).encode())
    return msgspec.msgpack.decode(stored, type=Timer) if stored is not None else Timer(0)


async def set_timer(draft: Draft, chat: Jid, seconds: int, set_at: int) -> None:
    """A timer that was set before the one that is known is ignored. A member may state any time."""
    known, set_at = await timer_of(draft, chat), min(set_at, int(time.time()))
    if seconds == known.seconds or (set_at and set_at < known.set_at):
        return
    value = msgspec.msgpack.encode(Timer(seconds, set_at)) if seconds or set_at else None
    draft.put(CHAT, str(chat).encode(), value)


async def learn_timer(draft: Draft, chat: Jid, message: wa.Message) -> None:
    """A message says the timer of its conversation: on itself, or by changing it."""
    if message.HasField("protocolMessage"):
        change = message.protocolMessage
        if change.type == wa.ProtocolMessage.EPHEMERAL_SETTING:
            await set_timer(draft, chat, change.ephemeralExpiration, change.ephemeralSettingTimestamp)
        return
    context = context_of(message)
    if context is not None and context.HasField("expiration"):
        await set_timer(draft, chat, context.expiration, context.ephemeralSettingTimestamp)

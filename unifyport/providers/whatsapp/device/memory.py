"""What is remembered of messages for a while: who sent one (for replies, receipts and reactions to it), the
beginning of its text, and its secret; and the disappearing timer of each conversation.

`upkeep.py` removes what is old.
"""

import time

import msgspec

from unifyport.model.inbound import message_key
from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .addresses import read_jid
from .records import Draft
from .wrappers import Unwrapped, context_of

MESSAGE, CHAT = "message", "chat"
KEPT_SECONDS = 14 * 86_400
SECRET_SIZE = 32
_SNIPPET = 120  # characters
_MOST_OPTIONS = 32


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


def remember(
    draft: Draft, chat: str, message_id: str, *, sender: Jid | None, at: int, found: Unwrapped, text: str
) -> None:
    """`chat`: the conversation id in events. `sender` None: the account. `at`: unix seconds."""
    options: list[str] = []
    for name in ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3"):
        if found.message.HasField(name):
            poll = getattr(found.message, name)
            options = [option.optionName[:128] for option in poll.options[:_MOST_OPTIONS]]
    kept = Remembered(str(sender.bare) if sender else "", at, text[:_SNIPPET], found.secret, options)
    draft.put(MESSAGE, message_key(chat, message_id), msgspec.msgpack.encode(kept))


async def remember_secret(draft: Draft, key: bytes, *, sender: Jid | None, at: int, secret: bytes) -> None:
    """Of a message that came in history; one that is remembered already stays as it is.

    `key`: see `message_key`. `sender` None: the account. `at`: unix seconds, not later than now.
    """
    if await draft.get(MESSAGE, key) is None:
        kept = Remembered(str(sender.bare) if sender else "", min(at, int(time.time())), "", secret)
        draft.put(MESSAGE, key, msgspec.msgpack.encode(kept))


async def recall(draft: Draft, chat: str, message_id: str) -> Remembered | None:
    stored = await draft.get(MESSAGE, message_key(chat, message_id))
    return msgspec.msgpack.decode(stored, type=Remembered) if stored is not None else None


async def timer_of(draft: Draft, chat: Jid) -> Timer:
    stored = await draft.get(CHAT, str(chat).encode())
    return msgspec.msgpack.decode(stored, type=Timer) if stored is not None else Timer(0)


async def set_timer(draft: Draft, chat: Jid, seconds: int, set_at: int) -> None:
    """A timer that was set before the one that is known is ignored."""
    known = await timer_of(draft, chat)
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

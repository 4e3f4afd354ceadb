"""Which road a message goes: XChat, or the older calls without encryption.

What could be encrypted never goes without: the older calls take messages of conversations that are not
encrypted (`Classic.wants`), and those to people who have no keys. An account without keys of its own writes
only where it has seen messages without encryption.
"""

from unifyport.model.message import OutboundMessage

from ..xchat.chat import XChat
from ..xchat.ids import conversation_of
from .classic import Classic


async def is_classic(
    message: OutboundMessage, quoted: str | None, *, me: str, chat: XChat, classic: Classic
) -> bool:
    """Whether a message goes by the older calls. Raises failure classes."""
    if classic.wants(message, quoted):
        return True
    if not chat.ready:
        return classic.knows(message.conversation_id)
    conversation = conversation_of(me, message.conversation_id)
    return conversation is not None and not await chat.reachable(conversation)

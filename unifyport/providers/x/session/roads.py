"""Which road a message goes: XChat, or the older calls without encryption.

What can be encrypted never goes without: a conversation that has a key, that ever had an encrypted event, or
whose participants both have public keys, is XChat's, whatever id is quoted, whatever type is stated, and
whatever X says of message requests. The older calls take what is left: people without keys, and groups that
are not encrypted. An account without keys of its own writes only where it has seen messages without
encryption.
"""

import re

import attrs

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.session import Session

from ..xchat.chat import XChat
from ..xchat.ids import USER, conversation_of
from .classic import Classic
from .encrypted import Encrypted
from .transport import WebTransport

MESSAGE_NOT_FOUND = "message_not_found"
_OTHER_SPELLING = re.compile(r"(?:^|[^0-9])0[0-9]")  # a number with zeros in front


@attrs.frozen(kw_only=True)
class Roads:
    """Those of one connection. `me`: the id of the account's user."""

    me: str
    chat: XChat
    classic: Classic
    encrypted: Encrypted
    transport: WebTransport
    session: Session

    async def is_classic(self, message: OutboundMessage) -> bool:
        """Whether a message goes by the older calls. Raises failure classes."""
        id_ = message.conversation_id
        conversation = conversation_of(self.me, id_)
        if conversation is None or _OTHER_SPELLING.search(id_):
            raise Rejected(CONVERSATION_NOT_FOUND)
        if conversation in self.encrypted:
            return False
        if message.conversation_type == "group" and self.classic.is_group(id_):
            return True
        if await self.chat.reachable(conversation):
            return False
        if not self.chat.ready and not self.classic.knows(id_):
            return False
        return not await self.encrypted.is_known(conversation, self.transport, self.session)

    async def send(self, message: OutboundMessage, quoted: str | None) -> Sent:
        """Raises failure classes, `Rejected("quoted_message_is_not_encrypted")`."""
        if await self.is_classic(message):
            return await self.classic.send(message, quoted)
        sending = self.chat.sending
        try:
            return await sending.send(message, quoted)
        except Rejected as refused:
            if quoted is None or refused.reason != MESSAGE_NOT_FOUND or USER.fullmatch(quoted) is None:
                raise
            reason = "the conversation is encrypted, and the quoted message is not: send it without the quote"
            raise Rejected("quoted_message_is_not_encrypted", reason) from None

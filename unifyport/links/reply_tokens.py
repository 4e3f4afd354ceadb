"""Reply tokens: an event about a message carries one, and a send that quotes the message returns it.

A token holds the conversation and the message. It is sealed with a subkey of its account, so it reveals
nothing and cannot be forged. A message has one token, so that repeats of an answer are equal. It does not
expire: the platform decides how old a quoted message may be.
"""

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.capabilities import SEND_REPLY
from unifyport.providers.registry import Registry
from unifyport.storage.sealing import KeyRing, SealError

_VERSION = "r1."


def is_token(text: str) -> bool:
    """Whether a text was meant as a token, and not as a platform's message id."""
    return text.startswith(_VERSION)


class InvalidReplyToken(Exception):
    """Not a token of this account. The cause is not given."""


class _Quoted(msgspec.Struct, array_like=True):
    conversation_id: str
    message_id: str


class ReplyTokens:
    """Makes tokens and reads them."""

    def __init__(self, ring: KeyRing, registry: Registry) -> None:
        self._ring = ring
        self._registry = registry
        self._quoting: dict[str, bool] = {}  # by provider

    def token(self, account_id: str, provider: str, conversation_id: str, message_id: str) -> str:
        """The token of a message; empty if no connection of the channel can quote."""
        if provider not in self._quoting:
            self._quoting[provider] = self._can_quote(provider)
        if not self._quoting[provider]:
            return ""
        plain = msgspec.json.encode(_Quoted(conversation_id, message_id))
        return _VERSION + self._ring.seal_text("reply_token", plain, context=account_id, repeatable=True)

    def _can_quote(self, provider: str) -> bool:
        channel = self._registry.find_channel(provider)
        specs = () if channel is None else channel.connections
        return any(SEND_REPLY.is_declared_by(self._registry.connector(spec)) for spec in specs)

    def read(self, account_id: str, token: str) -> tuple[str, str]:
        """(conversation id, message id). Raises `InvalidReplyToken`."""
        encoded = token.removeprefix(_VERSION)
        try:
            plain = self._ring.open_text("reply_token", encoded, context=account_id)
            quoted = msgspec.json.decode(plain, type=_Quoted)
        except (SealError, *UNREADABLE):
            raise InvalidReplyToken from None
        if not token.startswith(_VERSION):
            raise InvalidReplyToken
        return quoted.conversation_id, quoted.message_id

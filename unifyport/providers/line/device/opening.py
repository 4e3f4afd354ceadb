"""The content of messages: opened with the keys that they name, read, or given up with a reason.

A message that cannot be opened is told all the same (`undecryptable`). Its keys are fetched by the ids that
it names, and nothing else is tried. Where the platform answers such a question with an error, or with nothing
that can be read, the message is given up as well: one message must not hold up all others. Only where the
platform cannot be reached is nothing told: the connection ends, and the operations are read again.
"""

import logging

from unifyport.model.inbound import Content
from unifyport.protocols.letter_sealing.errors import BadSeal, LetterSealingError, UnsupportedVersion
from unifyport.providers.contract.counts import Counts
from unifyport.providers.contract.errors import RateLimited, Transient

from .keyring import Keyring, NoKey
from .kinds import content_of, undecryptable
from .sealing import is_sealed, need_of, open_message
from .structures import Message

log = logging.getLogger(__name__)
_ANSWERED = ("platform_error", "call_refused", "malformed_answer")  # reasons of an answer without a key


class Opener:
    """Reads messages of one account."""

    def __init__(self, keyring: Keyring, account: str, counts: Counts) -> None:
        self._keyring = keyring
        self._account = account
        self._counts = counts

    async def content(self, message: Message) -> Content:
        """What a message says. Raises a failure class where the platform cannot be reached."""
        if not is_sealed(message):
            return content_of(message, None)
        try:
            need = need_of(message, self._account)
            pair, peer = await self._keyring.for_opening(need, message.to or "")
            opened = open_message(need, pair, peer)
        except NoKey as missing:
            return self._given_up(message, str(missing))
        except LetterSealingError as error:
            return self._given_up(message, _reason(error))
        except RateLimited:  # a stranger's key that is not to be had now: no reason to read nothing else
            return self._given_up(message, "keys_not_available")
        except Transient as error:
            if not error.reason.startswith(_ANSWERED):
                raise
            return self._given_up(message, "keys_not_available")
        if not need.own and need.group_key_id is None:
            await self._keyring.sealed_by(need.peer.mid)
        return content_of(message, opened)

    def _given_up(self, message: Message, reason: str) -> Content:
        log.info("line: a message could not be decrypted: %s", reason)
        self._counts.add_undecryptable(reason)
        return undecryptable(message, reason)


def _reason(error: LetterSealingError) -> str:
    match error:
        case BadSeal():
            return "bad_seal"
        case UnsupportedVersion():
            return "unsupported_version"
    return "malformed"

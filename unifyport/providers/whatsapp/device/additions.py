"""What a message adds to another one: whether it may, and what it says if it is encrypted under that one's
secret.

    field                     opens as          without the secret it is
    ----------------------    --------------    ----------------------------------------------------------
    pollUpdateMessage         chosen options    `poll_vote` without them
    encReactionMessage        a reaction        `encrypted_reaction`
    secretEncryptedMessage    an edit           unsupported content (of the owner: `encrypted_edit`)

The secret is in the message that is added to, and is remembered for a while (`memory.py`). An edit is taken
from the sender of the message only, and in a conversation of two so is a deletion; in a group admins may
delete what others wrote.
"""

from collections.abc import Iterable, Sequence

import attrs
from google.protobuf.message import DecodeError

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.message_secrets import (
    SECRET_SIZE,
    Addition,
    Purpose,
    Target,
    WrongSecret,
    open_addition,
    option_hash,
)
from unifyport.protocols.whatsapp.messages import MalformedMessage, read_message

from . import memory, people
from .keys import DeviceKeys
from .memory import Remembered
from .records import Draft
from .stanzas import LONGEST_ID, Head

_EDIT = wa.SecretEncryptedMessage.MESSAGE_EDIT
_MOST_OPTIONS = 32


@attrs.frozen
class Found:
    """What is known of an addition. `message` stands for an encrypted one that was opened. `options`: of a
    vote.

    `foreign`: it changes a message that its sender did not write, which it may not.
    """

    message: wa.Message | None = None
    options: list[str] | None = None
    foreign: bool = False


@attrs.frozen
class _Encrypted:
    purpose: Purpose
    key: wa.MessageKey
    addition: Addition


async def examine(draft: Draft, keys: DeviceKeys, head: Head, message: wa.Message) -> Found:
    """`message` is without its wrappers."""
    encrypted = _encrypted(message)
    if encrypted is None:
        return Found(foreign=await _is_foreign(draft, keys, head, message.protocolMessage))
    known = await memory.recall(draft, head.chat, encrypted.key.ID[:LONGEST_ID])
    if known is None or len(known.secret) != SECRET_SIZE:
        return Found()
    try:
        plaintext = open_addition(
            encrypted.addition,
            Target(encrypted.key.ID, known.secret),
            encrypted.purpose,
            senders=await _addresses(draft, keys, known.sender_jid),
            users=await _addresses(draft, keys, None if head.from_me else head.sender, head.sender_other),
        ).plaintext
        return _read(encrypted, plaintext, known, by_sender=await _is_sender(draft, keys, known, head))
    except (WrongSecret, DecodeError, MalformedMessage):
        return Found()


def _encrypted(message: wa.Message) -> _Encrypted | None:
    if message.HasField("pollUpdateMessage"):
        update = message.pollUpdateMessage
        vote = Addition(update.vote.encPayload, update.vote.encIV)
        return _Encrypted(Purpose.POLL_VOTE, update.pollCreationMessageKey, vote)
    if message.HasField("encReactionMessage"):
        reaction = message.encReactionMessage
        sealed = Addition(reaction.encPayload, reaction.encIV)
        return _Encrypted(Purpose.REACTION, reaction.targetMessageKey, sealed)
    if message.HasField("secretEncryptedMessage") and message.secretEncryptedMessage.secretEncType == _EDIT:
        edit = message.secretEncryptedMessage
        return _Encrypted(Purpose.MESSAGE_EDIT, edit.targetMessageKey, Addition(edit.encPayload, edit.encIV))
    return None


def _read(encrypted: _Encrypted, plaintext: bytes, known: Remembered, *, by_sender: bool) -> Found:
    """Raises `DecodeError`, `MalformedMessage`."""
    if encrypted.purpose is Purpose.POLL_VOTE:
        chosen = wa.PollVoteMessage.FromString(plaintext).selectedOptions[:_MOST_OPTIONS]
        return Found(options=list(_names(chosen, known.options)))
    made = wa.Message()
    if encrypted.purpose is Purpose.REACTION:
        made.reactionMessage.CopyFrom(wa.ReactionMessage.FromString(plaintext))
        made.reactionMessage.key.CopyFrom(encrypted.key)
        return Found(made)
    content = read_message(plaintext)
    if content.protocolMessage.HasField("editedMessage"):
        content = content.protocolMessage.editedMessage
    change = made.protocolMessage
    change.type = wa.ProtocolMessage.MESSAGE_EDIT
    change.key.CopyFrom(encrypted.key)
    change.editedMessage.CopyFrom(content)
    return Found(made, foreign=not by_sender)


def _names(chosen: Iterable[bytes], options: Sequence[str]) -> Iterable[str]:
    """The texts of options; the hash of one that is not known."""
    by_hash = {option_hash(option): option for option in options}
    return (by_hash.get(found, found.hex()[:64]) for found in chosen)


async def _addresses(draft: Draft, keys: DeviceKeys, *jids: Jid | None) -> list[Jid]:
    """All addresses of one person; without any, those of the account itself."""
    known = [jid for jid in jids if jid is not None]
    if not known:
        return [jid.bare for jid in (keys.my_lid, keys.me) if jid is not None]
    person = await people.person(draft, known[0])
    return [jid.bare for jid in (*known, person.lid, person.phone) if jid is not None]


async def _is_foreign(draft: Draft, keys: DeviceKeys, head: Head, change: wa.ProtocolMessage) -> bool:
    """Whether it edits or deletes a message that is known to be of another sender, who alone may do that."""
    edits = change.type == wa.ProtocolMessage.MESSAGE_EDIT
    deletes = change.type == wa.ProtocolMessage.REVOKE and not head.group
    if not change.HasField("type") or not (edits or deletes):
        return False
    known = await memory.recall(draft, head.chat, change.key.ID[:LONGEST_ID])
    return known is not None and not await _is_sender(draft, keys, known, head)


async def _is_sender(draft: Draft, keys: DeviceKeys, known: Remembered, head: Head) -> bool:
    if known.from_me or head.from_me:
        return known.from_me is head.from_me
    return known.sender_jid in await _addresses(draft, keys, head.sender, head.sender_other)

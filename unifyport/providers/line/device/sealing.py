"""Which keys open a message, and opening it. Pure: the caller has the keys, or fetches those that are named
here.

A message between users names its sender's and its receiver's key; a message of a group its sender's key and
the group's. The peer of a message between users is the one of sender and `to` that is not the account. The
caller fetches the keys that it does not have by the ids that the message names (`getE2EEPublicKey`,
`getE2EEGroupSharedKey`); no other key is tried.
"""

from typing import Any

from attrs import frozen

from unifyport.protocols.letter_sealing import messages
from unifyport.protocols.letter_sealing.chunks import Sealed, from_chunks, to_chunks
from unifyport.protocols.letter_sealing.content import parse_content, render_content
from unifyport.protocols.letter_sealing.errors import Malformed
from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey

from .chats import is_id
from .structures import USER, Message

VERSION_FIELD, MARK_FIELD = "e2eeVersion", "e2eeMark"


@frozen
class UserKey:
    """The public key of a user, by its id."""

    mid: str
    key_id: int


@frozen
class Need:
    """The keys of a message: our pair (`own_key_id`) or the group's (`group_key_id`), and the public key of
    `peer`.
    """

    sealed: Sealed
    version: int
    address: messages.Address
    peer: UserKey
    own: bool  # the account wrote it
    own_key_id: int | None = None
    group_key_id: int | None = None


def is_sealed(message: Message) -> bool:
    """Whether the content is in chunks."""
    return bool(message.chunks)


def need_of(message: Message, account: str) -> Need:
    """The keys of a sealed message. Raises `Malformed`."""
    sealed = from_chunks(message.chunks or ())
    version = _version((message.metadata or {}).get(VERSION_FIELD, "2"))
    if not is_id(message.sender) or not is_id(message.to):
        raise Malformed("a sealed message without sender or chat")
    assert message.sender is not None
    assert message.to is not None
    address = messages.Address(message.sender, message.to, message.content_type or 0)
    own = message.sender == account
    if message.to_type not in (None, USER):
        author = UserKey(message.sender, sealed.sender_key_id)
        return Need(sealed, version, address, author, own, group_key_id=sealed.receiver_key_id)
    if own:
        peer = UserKey(message.to, sealed.receiver_key_id)
        return Need(sealed, version, address, peer, own, own_key_id=sealed.sender_key_id)
    peer = UserKey(message.sender, sealed.sender_key_id)
    return Need(sealed, version, address, peer, own, own_key_id=sealed.receiver_key_id)


def open_message(need: Need, pair: KeyPair, peer: PublicKey) -> dict[str, Any]:
    """The content. `pair`: the account's, or the group's. Raises errors of `letter_sealing`."""
    if need.group_key_id is not None:
        keys = messages.keys_in_group(pair, peer)
    elif need.own:
        keys = messages.keys_to_user(pair, peer)
    else:
        keys = messages.keys_from_user(pair, peer)
    return parse_content(messages.open_sealed(need.sealed, need.version, need.address, keys))


def seal_message(
    content: dict[str, Any], address: messages.Address, keys: messages.Keys
) -> tuple[tuple[bytes, ...], dict[str, str]]:
    """Chunks and metadata of a message that is sent."""
    sealed = messages.seal(render_content(content), address, keys)
    return to_chunks(sealed), {VERSION_FIELD: str(messages.VERSION), MARK_FIELD: "2"}


def _version(text: str) -> int:
    if text not in ("1", "2"):
        raise Malformed("no version of Letter Sealing")
    return int(text)

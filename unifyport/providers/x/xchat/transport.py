"""What a connection does for XChat: ask X for keys and events, hand over what was made, move files.

Conversations are named as in signatures: `<lower id>:<higher id>`, or `g…` for a group (`ids.py`). Methods
raise failure classes. Those that send say whether it may have been applied (`maybe_applied`).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import attrs

from unifyport.providers.contract.capabilities import Sink

from .made import Deletion, Encoded, GroupCreation, KeyChange


@attrs.frozen
class RealmConfig:
    """Where the private keys of a user are kept: the JSON that `chat_xdk` takes (`juicebox_config`).

    `max_guesses`: wrong passcodes after which the keys are lost. It holds tokens of the realms.
    """

    json: str = attrs.field(repr=False)
    max_guesses: int


@attrs.frozen
class PublicKey:
    """A registered pair of public keys (base64 of SPKI). `version`: compared as a number.

    `binding`: the signature that binds both. `realm`: of the account's own keys, where X gives it.
    """

    user_id: str
    version: int
    identity: str
    signing: str
    binding: str
    realm: RealmConfig | None = None


class ChatTransport(Protocol):
    """The calls of one connection."""

    async def public_keys(self, user_ids: Sequence[str]) -> list[PublicKey]:
        """All registered keys of these users, at most 100. A user without keys is left out."""

    async def key_events(self, conversation: str, version: int) -> list[str]:
        """Encoded events (base64) among which is the change to the key of this version, if X still has it."""

    async def members(self, conversation: str) -> list[str]:
        """The ids of a group's members, the account among them."""

    async def send(self, conversation: str, message: Encoded) -> str:
        """Send a message, an edit or a reaction. Returns the event that X made of it (base64), or `""`."""

    async def add_keys(self, conversation: str, change: KeyChange) -> None:
        """Give a conversation a new key."""

    async def create_group(self, creation: GroupCreation) -> None:
        """Create a group whose id is in `creation`."""

    async def delete(self, conversation: str, deletion: Deletion) -> None: ...

    async def mark_read(self, conversation: str, sequence: int, signed_event: str) -> None:
        """`signed_event`: the mark as an encoded event, for a transport that has no call for it."""

    async def upload(self, conversation: str, pieces: AsyncIterator[bytes], size: int) -> str:
        """Upload an encrypted file of `size` bytes. Returns its `media_hash_key`."""

    async def download(self, conversation: str, media_hash: str, sink: Sink, limit: int) -> None:
        """Stream an encrypted file into `sink`, at most `limit` bytes. Raises `Rejected("media_not_found")`,
        `Rejected("too_large")`.
        """

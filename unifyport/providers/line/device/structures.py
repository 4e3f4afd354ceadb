"""Thrift structures of LINE's talk service: messages, operations, people, chats, keys.

Field ids are those of the public definition `resources/line/line.thrift` in
https://github.com/evex-dev/linejs; only fields that this connection or its sandbox reads, writes or reports
are declared. Enumerations are integers; their members that have a meaning here are constants beside them.
"""

from collections.abc import Mapping
from typing import Annotated

from attrs import field, frozen

from unifyport.protocols.thrift import EMPTY, I8, I32, I64, Unknown

# MIDType, `Message.to_type`
USER, ROOM, GROUP = 0, 1, 2
# MessageRelationType
REPLY = 3
# ServiceCode of a related message
TALK = 1
# OpType that are asked for elsewhere than in `operations.py`
SEND_MESSAGE, RECEIVE_MESSAGE = 25, 26


@frozen
class Location:
    """A place. Degrees."""

    title: Annotated[str | None, 1] = None
    address: Annotated[str | None, 2] = None
    latitude: Annotated[float | None, 3] = None
    longitude: Annotated[float | None, 4] = None


@frozen
class ReactionType:
    """A reaction of the fixed set, or one that was bought (which is not declared)."""

    predefined: Annotated[I32 | None, 1] = None


@frozen
class Message:
    """A message, sealed or plain. Ids are decimal numbers of up to 64 bits as text; times are unix ms."""

    sender: Annotated[str | None, 1] = None
    to: Annotated[str | None, 2] = None
    to_type: Annotated[I32 | None, 3] = None
    id: Annotated[str | None, 4] = None
    created: Annotated[I64 | None, 5] = None
    delivered: Annotated[I64 | None, 6] = None
    text: Annotated[str | None, 10] = field(default=None, repr=False)
    location: Annotated[Location | None, 11] = field(default=None, repr=False)
    has_content: Annotated[bool | None, 14] = None
    content_type: Annotated[I32 | None, 15] = None
    preview: Annotated[bytes | None, 17] = field(default=None, repr=False)
    metadata: Annotated[Mapping[str, str] | None, 18] = field(default=None, repr=False)
    session_id: Annotated[I8 | None, 19] = None
    chunks: Annotated[tuple[bytes, ...] | None, 20] = field(default=None, repr=False)
    related_id: Annotated[str | None, 21] = None
    relation: Annotated[I32 | None, 22] = None
    related_service: Annotated[I32 | None, 24] = None
    unknown: Unknown = field(default=EMPTY, repr=False)


@frozen
class Operation:
    """One change of the account. What its parameters mean depends on `type`: `operations.py`."""

    revision: Annotated[I64 | None, 1] = None
    created: Annotated[I64 | None, 2] = None
    type: Annotated[I32 | None, 3] = None
    req_seq: Annotated[I32 | None, 4] = None
    status: Annotated[I32 | None, 7] = None
    param1: Annotated[str | None, 10] = None
    param2: Annotated[str | None, 11] = None
    param3: Annotated[str | None, 12] = None
    message: Annotated[Message | None, 20] = None
    unknown: Unknown = field(default=EMPTY, repr=False)


@frozen
class Events:
    """Global or individual events: only their revision is used."""

    last_revision: Annotated[I64 | None, 2] = None


@frozen
class Operations:
    """A part of the list of operations, in ascending order of revisions."""

    operations: Annotated[tuple[Operation, ...] | None, 1] = None
    more: Annotated[bool | None, 2] = None
    global_events: Annotated[Events | None, 3] = None
    individual_events: Annotated[Events | None, 4] = None


@frozen
class FullSync:
    """The server does not replay from our revision: everything is to be fetched, then asked from
    `next_revision`.
    """

    reasons: Annotated[frozenset[I32] | None, 1] = None
    next_revision: Annotated[I64 | None, 2] = None


@frozen
class SyncAnswer:
    """What `sync` brings: one of these."""

    operations: Annotated[Operations | None, 1] = None
    full_sync: Annotated[FullSync | None, 2] = None


@frozen
class SyncRequest:
    """Where to go on. `count`: operations at most."""

    revision: Annotated[I64, 1] = 0
    count: Annotated[I32, 2] = 100
    global_revision: Annotated[I64, 3] = 0
    individual_revision: Annotated[I64, 4] = 0


@frozen
class Profile:
    """The account itself."""

    mid: Annotated[str | None, 1] = None
    region: Annotated[str | None, 12] = None
    display_name: Annotated[str | None, 20] = None
    status_message: Annotated[str | None, 24] = None
    picture_path: Annotated[str | None, 33] = None


@frozen
class Contact:
    """Another user. `overridden`: the name that the account gave them."""

    mid: Annotated[str | None, 1] = None
    status: Annotated[I32 | None, 11] = None
    display_name: Annotated[str | None, 22] = None
    status_message: Annotated[str | None, 26] = None
    overridden: Annotated[str | None, 27] = None
    picture_path: Annotated[str | None, 37] = None


@frozen
class GroupExtra:
    """Members and invitees with times (unix ms). An empty map does not say that all left."""

    creator: Annotated[str | None, 1] = None
    members: Annotated[Mapping[str, I64] | None, 4] = None
    invitees: Annotated[Mapping[str, I64] | None, 5] = None


@frozen
class ChatExtra:
    """What depends on the kind of a chat."""

    group: Annotated[GroupExtra | None, 1] = None


@frozen
class Chat:
    """A group, a room, or a chat of two."""

    type: Annotated[I32 | None, 1] = None
    mid: Annotated[str | None, 2] = None
    created: Annotated[I64 | None, 3] = None
    muted: Annotated[bool | None, 4] = None
    name: Annotated[str | None, 6] = None
    picture_path: Annotated[str | None, 7] = None
    extra: Annotated[ChatExtra | None, 8] = None


@frozen
class PublicKey:
    """A key of Letter Sealing as the server registers and hands it out."""

    version: Annotated[I32 | None, 1] = None
    key_id: Annotated[I32 | None, 2] = None
    data: Annotated[bytes | None, 4] = None
    created: Annotated[I64 | None, 5] = None


@frozen
class Negotiation:
    """Whether a user seals: `spec_version` is -1, or there is no key, where Letter Sealing is off."""

    allowed_types: Annotated[frozenset[I32] | None, 1] = None
    public_key: Annotated[PublicKey | None, 2] = None
    spec_version: Annotated[I32 | None, 3] = None


@frozen
class GroupKey:
    """The private key of a group, sealed for us by its creator."""

    version: Annotated[I32 | None, 1] = None
    group_key_id: Annotated[I32 | None, 2] = None
    creator: Annotated[str | None, 3] = None
    creator_key_id: Annotated[I32 | None, 4] = None
    receiver: Annotated[str | None, 5] = None
    receiver_key_id: Annotated[I32 | None, 6] = None
    sealed: Annotated[bytes | None, 7] = field(default=None, repr=False)


@frozen
class TalkException:
    """A refusal of the talk service. `code`: `errors.py`."""

    code: Annotated[I32 | None, 1] = None
    reason: Annotated[str | None, 2] = None

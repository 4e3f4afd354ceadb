"""What `making.py` makes, ready for a transport. Texts are base64 of Thrift structures unless said otherwise.

https://docs.x.com/x-api/chat/send-chat-message, https://docs.x.com/x-api/chat/add-conversation-keys
"""

import attrs


@attrs.frozen
class Encoded:
    """An encrypted, signed message. A repetition sends the same one, so that its id is never made twice.

    `content`: `encoded_message_create_event`. `signature`: `encoded_message_event_signature`. `token`:
    `conversation_token`, where X has given one.
    """

    message_id: str
    conversation: str
    content: str = attrs.field(repr=False)
    signature: str = attrs.field(repr=False)
    key_version: int
    token: str = attrs.field(default="", repr=False)


@attrs.frozen
class ActionSignature:
    """A signed change. `detail`: `encoded_message_event_detail`. `signature`: base64 of 64 bytes, r and s."""

    message_id: str
    detail: str
    signature: str
    signature_version: str
    public_key_version: str
    payload: str = ""  # the line that was signed, as text; X needs it for nothing


@attrs.frozen
class WrappedKey:
    """The key of a conversation for one user: `encrypted_conversation_key`."""

    user_id: str
    encrypted: str = attrs.field(repr=False)
    public_key_version: str


@attrs.frozen
class KeyChange:
    """A new key of a conversation. `raw`: the key itself, which goes nowhere but into the session."""

    conversation: str
    version: int
    raw: bytes = attrs.field(repr=False)
    wrapped: list[WrappedKey]
    signatures: list[ActionSignature]


@attrs.frozen
class GroupCreation:
    """`change.signatures` has two entries: of the key and of the group. `title` is signed as it is."""

    change: KeyChange
    members: list[str]
    admins: list[str]
    title: str


@attrs.frozen
class Deletion:
    """`for_all`: for every participant, of own messages only; else from the account's view."""

    sequences: list[int]
    for_all: bool
    signature: ActionSignature

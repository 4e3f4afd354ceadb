"""What GraphQL answers hold, as far as it is read. What is not of these shapes is `malformed_answer`."""

from typing import Any, TypeVar

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.errors import Transient

T = TypeVar("T")
MOST_ITEMS = 1000


class Core(msgspec.Struct):
    name: str = ""
    screen_name: str = ""


class Avatar(msgspec.Struct):
    image_url: str = ""


class User(msgspec.Struct):
    core: Core | None = None
    avatar: Avatar | None = None


class UserResult(msgspec.Struct):
    rest_id: str = ""
    result: User | None = None


class MemberResult(msgspec.Struct):
    id: str = ""
    member_results: UserResult | None = None


class Cursor(msgspec.Struct):
    cursor_id: str = ""
    graph_snapshot_id: str = ""
    pull_finished: bool = False


class GroupMetadata(msgspec.Struct):
    group_name: str = ""
    group_avatar_url: str = ""


class Detail(msgspec.Struct):
    conversation_id: str = ""
    is_muted: bool = False
    participants_results: list[UserResult] = []
    group_metadata: GroupMetadata | None = None
    group_members_results: list[UserResult] = []
    group_admins_results: list[UserResult] = []

    @property
    def people(self) -> list[UserResult]:
        """The members; those of a group may lack its admins."""
        return self.group_members_results or self.participants_results


class ReadEvent(msgspec.Struct):
    latest_mark_conversation_read_event: str = ""


class Item(msgspec.Struct):
    conversation_detail: Detail = msgspec.field(default_factory=Detail)
    latest_message_events: list[str] = []
    encoded_message_events: list[str] = []
    latest_conversation_key_change_events: list[str] = []
    latest_read_events_per_participant: list[ReadEvent] = []
    has_more: bool = False

    @property
    def events(self) -> list[str]:
        read = (each.latest_mark_conversation_read_event for each in self.latest_read_events_per_participant)
        return [
            *self.latest_message_events,
            *self.encoded_message_events,
            *(event for event in read if event),
        ]


class InboxPage(msgspec.Struct):
    inbox_cursor: Cursor = msgspec.field(name="inboxCursor", default_factory=Cursor)
    items: list[Any] = []
    max_user_sequence_id: str | None = None


class ConversationPage(msgspec.Struct):
    encoded_message_events: list[str] = []
    missing_conversation_key_change_events: list[str] = []
    has_more: bool = False


class PublicKeyPair(msgspec.Struct):
    public_key: str = ""
    signing_public_key: str = ""
    identity_public_key_signature: str = ""


class PublicKeyWithMetadata(msgspec.Struct):
    public_key: PublicKeyPair = msgspec.field(default_factory=PublicKeyPair)
    version: str = ""


class PublicKeyEntry(msgspec.Struct):
    public_key_with_metadata: PublicKeyWithMetadata
    token_map: dict[str, Any] | None = None


class PublicKeysOf(msgspec.Struct):
    public_keys_with_token_map: list[PublicKeyEntry] = []


class KeysResult(msgspec.Struct):
    get_public_keys: PublicKeysOf | None = None


class UserKeys(msgspec.Struct):
    rest_id: str = ""
    result: KeysResult | None = None


def read(value: Any, shape: type[T]) -> T:
    """Raises `Transient("malformed_answer")`."""
    try:
        return msgspec.convert(value, shape, strict=False)
    except UNREADABLE:
        raise Transient("malformed_answer", maybe_applied=True) from None

"""Messages between the account's own devices: history, mappings of ids, keys. They are no events.

Only the account's own devices may send them; from any other sender the same is content.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Protocol

from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .records import Draft
from .stanzas import Head

_Type = wa.ProtocolMessage
_CONTROLS = frozenset(
    {
        _Type.EPHEMERAL_SYNC_RESPONSE,
        _Type.HISTORY_SYNC_NOTIFICATION,
        _Type.APP_STATE_SYNC_KEY_SHARE,
        _Type.APP_STATE_SYNC_KEY_REQUEST,
        _Type.INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC,
        _Type.APP_STATE_FATAL_EXCEPTION_NOTIFICATION,
        _Type.PEER_DATA_OPERATION_REQUEST_MESSAGE,
        _Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
        _Type.LID_MIGRATION_MAPPING_SYNC,
    }
)


class TakesHistory(Protocol):
    def note(self, draft: Draft, message_id: str, told: wa.HistorySyncNotification) -> None:
        """Keep what was told of a blob, in the unit that acknowledges it."""

    async def take(self, message_id: str, told: wa.HistorySyncNotification) -> None:
        """Fetch a blob of history and take what is needed of it."""

    async def take_mapping(self, packed: bytes) -> None:
        """Take a mapping of phone numbers to LIDs, compressed with gzip."""


def concerns_device(head: Head, message: wa.Message) -> bool:
    """Whether a message of an own device is for this device, and no content."""
    if not message.HasField("protocolMessage"):
        return False
    return head.category == "peer" or message.protocolMessage.type in _CONTROLS


def work_of(
    draft: Draft, head: Head, message: wa.Message, history: TakesHistory
) -> Callable[[], Awaitable[None]] | None:
    """What is to be done for a message that concerns this device, once it is durable that it came."""
    change = message.protocolMessage
    if change.type == _Type.HISTORY_SYNC_NOTIFICATION:
        told = wa.HistorySyncNotification()
        told.CopyFrom(change.historySyncNotification)
        history.note(draft, head.id, told)
        return functools.partial(history.take, head.id, told)
    if change.type == _Type.LID_MIGRATION_MAPPING_SYNC:
        packed = change.lidMigrationMappingSyncMessage.encodedMappingPayload
        return functools.partial(history.take_mapping, packed)
    return None

"""A connector that reports what only the accounts of devices see: the state of chats, and history."""

import trio

from tests.reference.connector import Endpoints, ReferenceConnector
from unifyport.model.inbound import (
    Content,
    Conversation,
    ConversationChanged,
    ConversationHistory,
    ConversationRemoved,
    HistorySynced,
    PastMessage,
    ProviderEvent,
    Sender,
    dedupe_key,
)
from unifyport.providers.contract.base import Batch, Channel, ConnectionSpec, Credential, Inbound, Link
from unifyport.providers.registry import Registry

CHAT = Conversation("6590000001@s.whatsapp.net", "user", "Mei")
MEI = Sender("6590000001@s.whatsapp.net", name="Mei", phone="+6590000001")
AT = 1_780_790_400_000


def _key(name: str) -> bytes:
    return dedupe_key("telling", name)


TOLD: list[ProviderEvent] = [
    ConversationChanged(_key("pinned"), CHAT, {"pinned": True}, AT),
    ConversationHistory(
        _key("history"),
        CHAT,
        [
            PastMessage(Content("3EA001", "text", "Hello"), MEI, "inbound", AT - 60_000),
            PastMessage(Content("3EA002", "text", "Good morning"), Sender("me"), "outbound", AT),
        ],
        AT,
    ),
    HistorySynced(_key("synced"), conversations=1, messages=2, at=AT),
    ConversationRemoved(_key("cleared"), CHAT, cleared=True, delete_media=False, at=AT),
    ConversationRemoved(_key("deleted"), CHAT, cleared=False, delete_media=True, at=AT),
]


class TellingConnector(ReferenceConnector):
    """Reports `TOLD` once."""

    async def receive(self, link: Link) -> None:
        for event in TOLD:
            await link.deliver(Batch([event]))
        await trio.sleep_forever()


_SPEC = ConnectionSpec("token", lambda: TellingConnector, (Credential("token"),), Inbound.ACKED)


def told_by(name: str, *others: Channel) -> Registry:
    """A registry in which this connector is in the place of a channel."""
    return Registry([Channel(name=name, endpoints=Endpoints, connections=(_SPEC,)), *others])

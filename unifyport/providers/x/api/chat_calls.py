"""XChat over the API v2: a `ChatTransport` (https://docs.x.com/xchat/introduction).

Paths name a conversation with a hyphen. X does not bill the reading of public keys so far; it may bill that
of a conversation's events, so they are read only where something is missing (`chat_receiving.py`).
"""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, nothing_applied

from ..xchat.heads import number
from ..xchat.ids import in_path
from ..xchat.made import Deletion, Encoded, GroupCreation, KeyChange
from ..xchat.transport import PublicKey
from ..xchat.vault import realm_config
from .calls import XApi, with_query
from .chat_shapes import (
    ConversationPage,
    EventPage,
    KeyRow,
    Listed,
    NewGroup,
    SentEvent,
    Upload,
    key_change_body,
    signature_body,
)
from .uploads import CHUNK, chunk_form

CONVERSATIONS = "/2/chat/conversations"
PAGE = 100
_KEY_FIELDS = "public_key_version,public_key,signing_public_key,identity_public_key_signature"
_PAGES_FOR_A_KEY = 5
_MAX_SEGMENTS = 1000
_GONE = (403, 404, 410)

_Page = TypeVar("_Page", EventPage, ConversationPage)


class ChatCalls:
    """`me`: the id of the account's user."""

    def __init__(self, api: XApi, me: str) -> None:
        self._api = api
        self._me = me

    # -- keys ------------------------------------------------------------------------------------------------

    async def public_keys(self, user_ids: Sequence[str]) -> list[PublicKey]:
        """One call for each user: the call for many does not say whose keys are whose."""
        found: list[PublicKey] = []
        for user in user_ids:
            found += await self._keys_of(user, _KEY_FIELDS)
        return found

    async def own_keys(self) -> list[PublicKey]:
        """The account's keys, with the realms that hold the private ones."""
        return await self._keys_of(self._me, f"{_KEY_FIELDS},juicebox_config")

    async def _keys_of(self, user: str, fields: str) -> list[PublicKey]:
        path = with_query(f"/2/users/{user}/public_keys", {"public_key.fields": fields})
        with nothing_applied():
            try:
                rows: list[KeyRow] = (
                    await self._api.call("GET", path, list[KeyRow] | None, family="public_keys") or []
                )
            except Rejected:
                return []  # a user who has none, or who is not there
        return [
            PublicKey(
                user,
                version,
                row.public_key,
                row.signing_public_key,
                row.identity_public_key_signature,
                realm_config(row.juicebox_config),
            )
            for row in rows
            if (version := number(str(row.public_key_version))) is not None
        ]

    async def key_events(self, conversation: str, version: int) -> list[str]:
        found: list[str] = []
        after: str | None = None
        for _ in range(_PAGES_FOR_A_KEY):
            page = await self.events(conversation, after)
            found += page.meta.conversation_key_events
            after = page.meta.next_token
            if found or not after:
                break
        return found

    async def add_keys(self, conversation: str, change: KeyChange) -> None:
        path = f"{CONVERSATIONS}/{in_path(conversation)}/keys"
        await self._api.ask("POST", path, family="chat_keys", json=key_change_body(change))

    # -- conversations ---------------------------------------------------------------------------------------

    async def events(self, conversation: str, after: str | None) -> EventPage:
        query: dict[str, str | int] = {"max_results": PAGE, "chat_message_event.fields": "id,encoded_event"}
        query |= {"pagination_token": after} if after else {}
        path = with_query(f"{CONVERSATIONS}/{in_path(conversation)}/events", query)
        return await self._page(path, EventPage, "chat_events")

    async def conversations(self, after: str | None) -> ConversationPage:
        query: dict[str, str | int] = {"max_results": PAGE, "chat_conversation.fields": "id,updated_at"}
        query |= {"pagination_token": after} if after else {}
        return await self._page(with_query(CONVERSATIONS, query), ConversationPage, "chat_conversations")

    async def members(self, conversation: str) -> list[str]:
        query = {"expansions": "member_ids,participant_ids"}
        path = with_query(f"{CONVERSATIONS}/{in_path(conversation)}", query)
        found: Listed = await self._api.call("GET", path, Listed, family="chat_conversation")
        return found.member_ids or found.participant_ids

    async def _page(self, path: str, shape: type[_Page], family: str) -> _Page:
        with nothing_applied():
            body = await self._api.ask("GET", path, family=family)
        try:
            return msgspec.json.decode(body, type=shape)
        except UNREADABLE:
            raise Transient("malformed_answer") from None

    # -- commands --------------------------------------------------------------------------------------------

    async def send(self, conversation: str, message: Encoded) -> str:
        body = {
            "message_id": message.message_id,
            "encoded_message_create_event": message.content,
            "encoded_message_event_signature": message.signature,
        }
        path = f"{CONVERSATIONS}/{in_path(conversation)}/messages"
        sent: SentEvent = await self._api.call("POST", path, SentEvent, family="chat_messages", json=body)
        return sent.encoded_message_event

    async def create_group(self, creation: GroupCreation) -> None:
        body = {
            **key_change_body(creation.change),
            "conversation_id": creation.change.conversation,
            "group_members": creation.members,
            "group_admins": creation.admins,
        }
        body |= {"group_name": creation.title} if creation.title else {}
        await self._api.ask("POST", f"{CONVERSATIONS}/group", family="chat_groups", json=body)

    async def new_group_id(self) -> str:
        path = f"{CONVERSATIONS}/group/initialize"
        made: NewGroup = await self._api.call("POST", path, NewGroup, family="chat_groups")
        return made.conversation_id

    async def delete(self, conversation: str, deletion: Deletion) -> None:
        body = {
            "sequence_ids": [str(each) for each in deletion.sequences],
            "delete_message_action": "delete_for_all" if deletion.for_all else "delete_for_self",
            "action_signatures": [signature_body(deletion.signature)],
        }
        path = f"{CONVERSATIONS}/{in_path(conversation)}/messages/delete"
        await self._api.ask("POST", path, family="chat_delete", json=body)

    async def mark_read(self, conversation: str, sequence: int, signed_event: str) -> None:
        path = f"{CONVERSATIONS}/{in_path(conversation)}/read"
        await self._api.ask("POST", path, family="chat_read", json={"seen_until_sequence_id": str(sequence)})

    # -- files -----------------------------------------------------------------------------------------------

    async def upload(self, conversation: str, pieces: AsyncIterator[bytes], size: int) -> str:
        """https://docs.x.com/x-api/chat/initialize-chat-media-upload"""
        with nothing_applied():
            begun: Upload = await self._api.call(
                "POST",
                "/2/chat/media/upload/initialize",
                Upload,
                family="chat_media",
                json={"conversation_id": conversation, "total_bytes": size},
            )
            if number(begun.session_id) is None or not begun.media_hash_key.isalnum():
                raise Transient("malformed_answer")
            named = {"conversation_id": conversation, "media_hash_key": begun.media_hash_key}
            path, parts = f"/2/chat/media/upload/{begun.session_id}", 0
            async for chunk in _chunks(pieces):
                if parts >= _MAX_SEGMENTS:
                    raise Rejected("too_large")
                form, kind = chunk_form(chunk, parts, named)
                headers = {"content-type": kind}
                await self._api.ask(
                    "POST", f"{path}/append", body=form, headers=headers, timeout=UPLOAD_SECONDS
                )
                parts += 1
            body = {**named, "num_parts": str(parts)}
            await self._api.ask("POST", f"{path}/finalize", json=body)
        return begun.media_hash_key

    async def download(self, conversation: str, media_hash: str, sink: Sink, limit: int) -> None:
        path = f"/2/chat/media/{in_path(conversation)}/{quote(media_hash, safe='')}"
        await self._api.http.download(self._api.base + path, sink, limit=limit, gone=_GONE)


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, joined to the size of a segment."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)

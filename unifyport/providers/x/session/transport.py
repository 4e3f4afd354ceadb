"""What XChat needs of X, over GraphQL (`xchat/transport.py`).

How a web client gives a conversation a new key, or makes a group, is not public: those two are refused.
"""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from unifyport.protocols import thrift
from unifyport.protocols.xchat import Frame, decode_event, encode_frame
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sink
from unifyport.providers.contract.errors import Rejected, Transient

from ..xchat.heads import number
from ..xchat.made import ActionSignature, Deletion, Encoded, GroupCreation, KeyChange
from ..xchat.transport import PublicKey
from ..xchat.vault import realm_config
from . import queries
from .answers import object_in
from .client import WebClient
from .shapes import ConversationPage, Item, UserKeys, read

PART: Final = 512 * 1024  # bytes of a part of a file
NEWEST: Final = 2**63 - 1
MOST_KEYS: Final = 32  # of one user
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9_:~-]|%3[Aa])(?:[A-Za-z0-9_:.~-]|%3[Aa])*)+[?][A-Za-z0-9_:.~=&%+/-]+")
_CONVERSATION = re.compile(r"g[0-9]{1,19}|[0-9]{1,19}[:-][0-9]{1,19}")
_MEDIA_HASH = re.compile(r"[A-Za-z0-9_-]{1,256}")


class WebTransport:
    """`emit` sends a binary message over the chat socket. Raises `Transient`."""

    def __init__(self, client: WebClient, emit: Callable[[bytes], Awaitable[None]]) -> None:
        self._client = client
        self._emit = emit

    async def public_keys(self, user_ids: Sequence[str]) -> list[PublicKey]:
        variables = {"ids": list(user_ids), "include_juicebox_tokens": True}
        data = await self._client.query(queries.PUBLIC_KEYS, variables)
        found: list[PublicKey] = []
        for user in read(data.get("user_results_by_rest_ids") or [], list[UserKeys]):
            if user.rest_id in user_ids:
                found += _keys_of(user, own=user.rest_id == self._client.me)
        return found

    async def key_events(self, conversation: str, version: int) -> list[str]:
        page = await self.page(conversation, NEWEST, min(version + 1, NEWEST))
        return [*page.missing_conversation_key_change_events, *page.encoded_message_events]

    async def page(self, conversation: str, below: int, key_below: int | None = None) -> ConversationPage:
        """Events with sequence ids below `below`, the newest of them."""
        variables: dict[str, Any] = {
            "conversation_id": conversation,
            "min_local_sequence_id": str(below),
            "query_settings": queries.SETTINGS,
        }
        if key_below is not None:
            variables["min_conversation_key_version"] = str(key_below)
        data = await self._client.query(queries.CONVERSATION_PAGE, variables)
        return read(data.get("get_conversation_page") or {}, ConversationPage)

    async def conversation(self, conversation: str) -> Item:
        """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""
        variables = {"conversation_id": conversation, "include_user_public_keys": False}
        data = await self._client.query(queries.CONVERSATION_DATA, variables)
        found = object_in(data, "get_inbox_page_conversation_data").get("data")
        if not found:
            raise Rejected(CONVERSATION_NOT_FOUND)
        return read(found, Item)

    async def members(self, conversation: str) -> list[str]:
        detail = (await self.conversation(conversation)).conversation_detail
        return list(dict.fromkeys(user.rest_id for user in [*detail.people, *detail.group_admins_results]))

    async def send(self, conversation: str, message: Encoded) -> str:
        variables = {
            "conversation_id": conversation,
            "message_id": message.message_id,
            "conversation_token": message.token,
            "encoded_message_create_event": message.content,
            "encoded_message_event_signature": message.signature,
        }
        data = await self._client.mutate(queries.SEND, variables)
        answer = object_in(data, "xchat_send_create_message_event").get("encoded_message_event")
        return answer if isinstance(answer, str) else ""

    async def add_keys(self, conversation: str, change: KeyChange) -> None:
        raise Rejected("no_conversation_key", "begin this conversation in an app of X, which gives it a key")

    async def create_group(self, creation: GroupCreation) -> None:
        raise Rejected("not_supported", "make the group in an app of X")

    async def delete(self, conversation: str, deletion: Deletion) -> None:
        variables = {
            "sequence_ids": [str(sequence) for sequence in deletion.sequences],
            "conversation_id": conversation,
            "delete_message_action": "DeleteForAll" if deletion.for_all else "DeleteForSelf",
            "action_signatures": [_signature(deletion.signature)],
        }
        await self._client.mutate(queries.DELETE, variables)

    async def mark_read(self, conversation: str, sequence: int, signed_event: str) -> None:
        try:
            event = decode_event(signed_event)
        except thrift.ThriftError:
            raise Rejected("not_encryptable") from None
        await self._emit(encode_frame(Frame(message_event=event)))

    async def mute(self, conversation: str, muted: bool) -> None:
        name = queries.MUTE if muted else queries.UNMUTE
        await self._client.mutate(name, {"conversationIds": [conversation], "action_signatures": []})

    async def upload(self, conversation: str, pieces: AsyncIterator[bytes], size: int) -> str:
        message_id = str(uuid.uuid4())
        begun = await self._client.mutate(
            queries.UPLOAD,
            {"conversation_id": conversation, "message_id": message_id, "total_bytes": str(size)},
        )
        opened = object_in(begun, "xchat_initialize_media_upload")
        media_hash, resume = opened.get("media_hash_key"), opened.get("resume_id")
        path = opened.get("resume_upload_url")
        if not (isinstance(media_hash, str) and isinstance(resume, str) and _is_path(path)):
            raise Transient("malformed_answer")
        parts = await self._upload_parts(f"/i/ton/data{path}", pieces)
        await self._client.mutate(
            queries.UPLOADED,
            {
                "conversation_id": conversation,
                "message_id": message_id,
                "media_hash_key": media_hash,
                "resume_id": resume,
                "num_parts": str(parts),
                "ttl_msec": None,
            },
        )
        return media_hash

    async def _upload_parts(self, path: str, pieces: AsyncIterator[bytes]) -> int:
        """Returns how many there were."""
        number, kept = 0, bytearray()
        async for piece in pieces:
            kept += piece
            while len(kept) >= PART:
                await self._client.put_part(f"{path}&partNumber={number}", bytes(kept[:PART]))
                del kept[:PART]
                number += 1
        if kept or not number:
            await self._client.put_part(f"{path}&partNumber={number}", bytes(kept))
            number += 1
        return number

    async def download(self, conversation: str, media_hash: str, sink: Sink, limit: int) -> None:
        if _MEDIA_HASH.fullmatch(media_hash) is None or _CONVERSATION.fullmatch(conversation) is None:
            raise Rejected("media_not_found")
        await self._client.download_file(f"/i/ton/data/xchat_media/{conversation}/{media_hash}", sink, limit)


def _keys_of(user: UserKeys, *, own: bool) -> list[PublicKey]:
    """The keys that can be read; others are left out."""
    if user.result is None or user.result.get_public_keys is None:
        return []
    found: list[PublicKey] = []
    for entry in user.result.get_public_keys.public_keys_with_token_map[:MOST_KEYS]:
        pair, version = (
            entry.public_key_with_metadata.public_key,
            number(entry.public_key_with_metadata.version),
        )
        if version is None or not pair.public_key or not pair.signing_public_key:
            continue
        realm = realm_config(entry.token_map) if own else None
        binding = pair.identity_public_key_signature
        found.append(
            PublicKey(user.rest_id, version, pair.public_key, pair.signing_public_key, binding, realm)
        )
    return found


def _signature(signed: ActionSignature) -> dict[str, Any]:
    return {
        "message_id": signed.message_id,
        "encoded_message_event_detail": signed.detail,
        "signature_payload": signed.payload,
        "message_event_signature": {
            "signature": signed.signature,
            "public_key_version": signed.public_key_version,
            "signature_version": signed.signature_version,
        },
    }


def _is_path(value: object) -> bool:
    """Of the file host, with a query: a server's answer must not lead elsewhere, nor end the address."""
    return isinstance(value, str) and len(value) < 1024 and _PATH.fullmatch(value) is not None

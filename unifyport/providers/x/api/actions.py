"""What an account of X can do beside sending: files, people, groups, typing.

https://docs.x.com/x-api/direct-messages/manage/introduction. The API deletes a message from the account's
own view only, reads no receipts back, and names no groups: those capabilities are not declared.
"""

from typing import Any

import msgspec
from msgspec import Struct

from unifyport.model import directory
from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    BlocksContacts,
    CreatesGroups,
    DownloadsMedia,
    ReadsContacts,
    ShowsTyping,
    Sink,
    UnblocksContacts,
)
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.http import origin_of

from ..xchat.files import read_handle
from .calls import XApi
from .chat_commands import ChatCommands
from .media import Handle
from .people import PAIR, USER, canonical
from .render import render_group

_GONE = (403, 404, 410)
_FIELDS = "user.fields=id,name,username,profile_image_url,description"


class _User(Struct):
    id: str
    name: str = ""
    username: str = ""
    profile_image_url: str = ""
    description: str = ""


class _Created(Struct):
    dm_conversation_id: str
    dm_event_id: str = ""


class _Blocked(Struct):
    blocked: bool = False


class XActions(
    ChatCommands, DownloadsMedia, ReadsContacts, BlocksContacts, UnblocksContacts, CreatesGroups, ShowsTyping
):
    """`media_origins`: where files are fetched without a token."""

    api: XApi
    media_origins: set[tuple[str, str | None, int | None]]

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        if (sealed := read_handle(handle)) is not None:
            await self.chat.download(sealed, sink, limit)
            return
        try:
            file = msgspec.json.decode(handle, type=Handle)
        except UNREADABLE:
            raise Rejected("media_not_found") from None
        if file.dm and file.media and file.resource:
            path = f"/2/dm_conversations/media/{file.dm}/{file.media}/{file.resource}"
            await self.api.http.download(self.api.base + path, sink, limit=limit, gone=_GONE)
            return
        if not file.url:
            raise Rejected("media_not_found")
        if origin_of(file.url) not in self.media_origins:
            raise Rejected("media_host_not_allowed")  # no file of a message leads us to another host
        await self.api.http.download(file.url, sink, limit=limit, gone=_GONE, authorized=False)

    async def get_contact(self, contact_id: str) -> directory.Contact:
        path = f"/2/users/{_user(contact_id)}?{_FIELDS}"
        try:
            user: _User = await self.api.call("GET", path, _User, family="users")
        except Rejected as refused:
            if refused.reason == CONVERSATION_NOT_FOUND:
                raise Rejected(CONTACT_NOT_FOUND, refused.detail, code=refused.code) from None
            raise
        extra: dict[str, Any] = {"username": user.username} if user.username else {}
        return directory.Contact(
            user.id, user.id, user.name, user.id, user.profile_image_url, extra=extra or None
        )

    async def block_contact(self, contact_id: str) -> None:
        await self.api.call("POST", f"/2/users/{_user(contact_id)}/dm/block", _Blocked, family="block")

    async def unblock_contact(self, contact_id: str) -> None:
        await self.api.call("POST", f"/2/users/{_user(contact_id)}/dm/unblock", _Blocked, family="block")

    async def create_group(self, name: str, members: list[str]) -> str:
        if (group := await self.create_encrypted_group(name, members)) is not None:
            return group
        body = render_group(name, members)
        made: _Created = await self.api.call(
            "POST", "/2/dm_conversations", _Created, family="messages", json=body
        )
        return made.dm_conversation_id

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        """Typing is shown in encrypted conversations; X shows none in the older ones."""
        id_ = canonical(conversation_id)
        if not (USER.fullmatch(id_) or PAIR.fullmatch(id_) or USER.fullmatch(id_.removeprefix("g"))):
            raise Rejected(CONVERSATION_NOT_FOUND)
        await self.api.ask("POST", f"/2/chat/conversations/{id_}/typing", family="typing")


def _user(id_: str) -> str:
    if USER.fullmatch(id_) is None:
        raise Rejected(CONTACT_NOT_FOUND)
    return id_

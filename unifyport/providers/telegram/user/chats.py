"""From what a caller names to a conversation: a number, an `@name`, or a phone number."""

import re
from typing import TYPE_CHECKING, Any, Final

from telethon.tl import functions

from unifyport.model.phone import is_phone, to_e164
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.records import Draft

from .peer import id_of, read_id

if TYPE_CHECKING:
    from .link import UserLink

_NAME: Final = re.compile(r"@[A-Za-z0-9_]{1,32}")
_UNKNOWN: Final = frozenset({"USERNAME_NOT_OCCUPIED", "USERNAME_INVALID", "PHONE_NOT_OCCUPIED"})


class Chats:
    """Of one account."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def resolve(self, conversation_id: str) -> int:
        """The id, as in events. Raises `Rejected` for what does not exist."""
        if _NAME.fullmatch(conversation_id):
            name = conversation_id.removeprefix("@")
            return await self._resolve(
                functions.contacts.ResolveUsernameRequest(name), CONVERSATION_NOT_FOUND
            )
        if conversation_id.startswith("+") and is_phone(conversation_id):
            phone = to_e164(conversation_id).removeprefix("+")
            return await self._resolve(functions.contacts.ResolvePhoneRequest(phone), CONTACT_NOT_FOUND)
        return read_id(conversation_id)

    async def _resolve(self, request: Any, reason: str) -> int:
        try:
            found = await self._parts.rpc.call(request)
        except Rejected as error:
            if error.code in _UNKNOWN:
                raise Rejected(reason, "Telegram knows nobody of this name", code=error.code) from None
            raise
        await self.learn([*found.users, *found.chats])
        return id_of(found.peer)

    async def learn(self, entities: list[Any]) -> None:
        """Take what an answer says of peers."""
        async with self._parts.records.lock:
            draft = Draft(self._parts.records)
            await self._parts.peers.learn(draft, entities)
            if len(draft):
                await self._parts.records.commit(draft.changes)

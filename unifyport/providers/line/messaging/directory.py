"""Look-ups: profiles, groups and rooms with their members, followers.

LINE shows a profile to accounts that the user has added, or whose group the user is in, and lists members and
followers for verified and premium accounts only; others get 403
(https://developers.line.biz/en/reference/messaging-api/#users, #group, #chat-room).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import trio

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
    LeavesGroups,
    ListsContacts,
    ListsConversationMembers,
    ReadsContacts,
    ReadsConversations,
    ReadsGroups,
)
from unifyport.providers.contract.errors import Rejected

from .api import LineApi
from .people import GROUP, USER, is_id

_AT_ONCE = 8
_MOST_PROFILES = 50  # of a page: LINE lists ids only, and each profile is a call
T = TypeVar("T")
R = TypeVar("R")


class _Profile(msgspec.Struct, rename="camel"):
    user_id: str
    display_name: str = ""
    picture_url: str = ""
    status_message: str = ""
    language: str = ""


class _Group(msgspec.Struct, rename="camel"):
    group_id: str
    group_name: str = ""
    picture_url: str = ""


class _Count(msgspec.Struct):
    count: int


class _Members(msgspec.Struct, rename="camel"):
    member_ids: list[str]
    next: str | None = None


class _Followers(msgspec.Struct, rename="camel"):
    user_ids: list[str]
    next: str | None = None


class LooksUp(
    ReadsContacts, ListsContacts, ReadsConversations, ListsConversationMembers, ReadsGroups, LeavesGroups
):
    """The look-ups of a connector that has `_api`."""

    _api: LineApi

    async def get_contact(self, contact_id: str) -> directory.Contact:
        profile = await self._profile(_checked(contact_id, CONTACT_NOT_FOUND, user=True), CONTACT_NOT_FOUND)
        return _contact(profile)

    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """Followers; LINE does not search, so `q` filters a page."""
        query = {"limit": min(limit, _MOST_PROFILES)} | ({"start": after} if after else {})
        page: _Followers = await self._api.look_up(f"/v2/bot/followers/ids?{urlencode(query)}", _Followers)
        profiles = await _each([id_ for id_ in page.user_ids if is_id(id_)], self._profile_or_none)
        wanted = (q or "").casefold()
        found = [each for each in profiles if each is not None and wanted in each.display_name.casefold()]
        return directory.Page([_contact(profile) for profile in found], page.next or None)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        id_ = _checked(conversation_id, CONVERSATION_NOT_FOUND)
        if id_.startswith(USER):
            profile = await self._profile(id_, CONVERSATION_NOT_FOUND)
            return directory.Conversation(id_, "user", profile.display_name, profile.picture_url)
        name, picture, count = await self._chat(id_, CONVERSATION_NOT_FOUND)
        return directory.Conversation(id_, "group", name, picture, members_count=count)

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        path = _path(_checked(conversation_id, CONVERSATION_NOT_FOUND, user=False))
        query = f"?{urlencode({'start': after})}" if after else ""
        page: _Members = await self._read(f"{path}/members/ids{query}", _Members, CONVERSATION_NOT_FOUND)

        async def member(user_id: str) -> directory.ConversationMember:
            name, picture = "", ""
            try:
                profile: _Profile = await self._api.look_up(f"{path}/member/{user_id}", _Profile)
                name, picture = profile.display_name, profile.picture_url
            except Rejected:  # they have left meanwhile, or do not show themselves
                pass
            return directory.ConversationMember(user_id, name, picture)

        ids = [id_ for id_ in page.member_ids if is_id(id_)]
        return directory.Page(await _each(ids, member), page.next or None)

    async def get_group(self, group_id: str) -> directory.Group:
        id_ = _checked(group_id, GROUP_NOT_FOUND, user=False)
        name, picture, count = await self._chat(id_, GROUP_NOT_FOUND)
        return directory.Group(id_, id_, name, picture, member_count=count)

    async def leave_group(self, group_id: str) -> None:
        id_ = _checked(group_id, GROUP_NOT_FOUND, user=False)
        try:
            await self._api.post(f"{_path(id_)}/leave")
        except Rejected as refused:
            raise _not_found(refused, GROUP_NOT_FOUND) from None

    async def _chat(self, chat_id: str, missing: str) -> tuple[str, str, int]:
        """Name, picture and number of members. A room has neither name nor picture."""
        name, picture = "", ""
        if chat_id.startswith(GROUP):
            group: _Group = await self._read(f"{_path(chat_id)}/summary", _Group, missing)
            name, picture = group.group_name, group.picture_url
        count: _Count = await self._read(f"{_path(chat_id)}/members/count", _Count, missing)
        return name, picture, count.count

    async def _profile(self, user_id: str, missing: str) -> _Profile:
        profile: _Profile = await self._read(f"/v2/bot/profile/{user_id}", _Profile, missing)
        return profile

    async def _profile_or_none(self, user_id: str) -> _Profile | None:
        """None for a user who has blocked the account meanwhile."""
        try:
            return await self._profile(user_id, CONTACT_NOT_FOUND)
        except Rejected:
            return None

    async def _read(self, path: str, shape: type[T], missing: str) -> T:
        """`missing`: the reason of a 404."""
        try:
            found: T = await self._api.look_up(path, shape)
        except Rejected as refused:
            raise _not_found(refused, missing) from None
        return found


def _checked(id_: str, missing: str, *, user: bool | None = None) -> str:
    """The id, for a path. `user`: whether it must be that of a user; None: of either. Raises `Rejected`."""
    if not is_id(id_) or (user is not None and id_.startswith(USER) is not user):
        raise Rejected(missing, "it is not such an id of LINE")
    return id_


def _path(chat_id: str) -> str:
    return f"/v2/bot/{'group' if chat_id.startswith(GROUP) else 'room'}/{chat_id}"


def _not_found(refused: Rejected, missing: str) -> Rejected:
    return Rejected(missing, refused.detail, code=refused.code) if refused.code == "404" else refused


def _contact(profile: _Profile) -> directory.Contact:
    extra = {"status_message": profile.status_message, "language": profile.language}
    shown = {name: value for name, value in extra.items() if value}
    id_ = profile.user_id
    return directory.Contact(id_, id_, profile.display_name, id_, profile.picture_url, extra=shown or None)


async def _each(ids: list[str], read: Callable[[str], Awaitable[R]]) -> list[R]:
    """The results in the order of the ids; raises what the first of them raised."""
    found: dict[str, R] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def one(id_: str) -> None:
        async with limiter:
            found[id_] = await read(id_)

    async with trio.open_nursery() as nursery:
        for id_ in dict.fromkeys(ids):
            nursery.start_soon(one, id_)
    return [found[id_] for id_ in dict.fromkeys(ids)]

"""Customers, groups and tags of an Official Account, in the contract's terms.

https://docs.zaloplatforms.com/docs/OA: users, groups (GMF), tags. Lists are read by offset, which is the
cursor of a page.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlencode

from msgspec import Struct

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    AssignsLabels,
    ChangesGroupInfo,
    ChangesGroupMembers,
    DecidesJoinRequests,
    DeletesLabels,
    InvitesToGroups,
    ListsConversationMembers,
    ListsGroups,
    ListsJoinRequests,
    ListsLabels,
    ReadsContacts,
    ReadsGroups,
    SetsJoinApproval,
)
from unifyport.providers.contract.errors import Rejected

from .api import OfficialApi
from .errors import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND, GROUP_NOT_FOUND

_MOST = 50  # of one page
_GROUP = "v3.0/oa/group"
_UNKNOWN = frozenset({"invalid_parameter", "not_a_follower"})  # what Zalo says of an id that is not there


class _User(Struct):
    user_id: str = ""
    display_name: str = ""
    user_alias: str = ""
    avatar: str = ""
    user_is_follower: bool | None = None


class _GroupInfo(Struct, frozen=True):
    group_id: str = ""
    name: str = ""
    avatar: str = ""
    group_link: str = ""
    group_description: str = ""
    total_member: int | None = None


class _Setting(Struct, frozen=True):
    join_appr: bool | None = None
    lock_send_msg: bool | None = None


class _Group(Struct):
    group_info: _GroupInfo = _GroupInfo()
    group_setting: _Setting = _Setting()


class _Groups(Struct):
    groups: list[_GroupInfo] = []
    total: int = 0


class _Member(Struct):
    user_id: str = ""
    oa_id: str = ""
    name: str = ""
    avatar: str = ""


class _Members(Struct):
    members: list[_Member] = []
    total: int = 0


class Directory(
    ReadsContacts,
    ListsGroups,
    ReadsGroups,
    ListsConversationMembers,
    ChangesGroupMembers,
    ChangesGroupInfo,
    ListsJoinRequests,
    DecidesJoinRequests,
    SetsJoinApproval,
    InvitesToGroups,
    ListsLabels,
    AssignsLabels,
    DeletesLabels,
):
    _api: OfficialApi

    async def get_contact(self, contact_id: str) -> directory.Contact:
        with _unknown_is(CONTACT_NOT_FOUND):
            user: _User = await self._api.get("v3.0/oa/user/detail", _User, {"user_id": contact_id})
        name = user.user_alias or user.display_name
        extra = None if user.user_is_follower is None else {"is_follower": user.user_is_follower}
        return directory.Contact(contact_id, contact_id, name, contact_id, user.avatar, extra=extra)

    # -- groups ----------------------------------------------------------------------------------------------

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        query, offset = _page(after, limit)
        found: _Groups = await self._api.call("GET", f"{_GROUP}/getgroupsofoa?{query}", _Groups)
        items = [_shown(group) for group in found.groups if group.group_id]
        return directory.Page(items, _next(offset, len(found.groups), found.total))

    async def get_group(self, group_id: str) -> directory.Group:
        found = await self._read_group(group_id)
        group = _shown(found.group_info)
        group.id = group.conversation_id = group_id
        setting = {
            "join_approval": found.group_setting.join_appr,
            "sending_locked": found.group_setting.lock_send_msg,
        }
        group.extra = {name: value for name, value in setting.items() if value is not None} or None
        return group

    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode:
        link = (await self._read_group(group_id)).group_info.group_link
        if not link:
            raise Rejected("no_invite_link", "the group has no link")
        return directory.GroupInviteCode(link, link.rpartition("/")[2])

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        query, offset = _page(after, limit)
        with _unknown_is(CONVERSATION_NOT_FOUND):
            found: _Members = await self._api.call(
                "GET", f"{_GROUP}/listmember?{query}&{_query(group_id=conversation_id)}", _Members
            )
        items = [
            directory.ConversationMember(member.user_id or member.oa_id, member.name, member.avatar)
            for member in found.members
        ]
        return directory.Page(items, _next(offset, len(found.members), found.total))

    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        path = {"add": "invite", "remove": "removemembers", "promote": "addadmins", "demote": "removeadmins"}
        await self._change_group(path[action], group_id, member_user_ids=[member_id])

    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        told = {"group_name": name, "group_description": description, "group_avatar": avatar_url}
        given = {field: value for field, value in told.items() if value is not None}
        await self._change_group("updateinfo", group_id, **given)

    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        """The first 50: Zalo gives them by offset."""
        query, _ = _page(None, _MOST)
        with _unknown_is(GROUP_NOT_FOUND):
            found: _Members = await self._api.call(
                "GET", f"{_GROUP}/listpendinginvite?{query}&{_query(group_id=group_id)}", _Members
            )
        return [directory.GroupJoinRequest(member.user_id) for member in found.members if member.user_id]

    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        path = {"approve": "acceptpendinginvite", "reject": "rejectpendinginvite"}
        await self._change_group(path[action], group_id, member_user_ids=member_ids)

    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None:
        await self._change_group("updateinfo", group_id, join_appr=enabled)

    async def _read_group(self, group_id: str) -> _Group:
        with _unknown_is(GROUP_NOT_FOUND):
            found: _Group = await self._api.call(
                "GET", f"{_GROUP}/getgroup?{_query(group_id=group_id)}", _Group
            )
        return found

    async def _change_group(self, path: str, group_id: str, **fields: Any) -> None:
        await self._api.post(f"{_GROUP}/{path}", object, {"group_id": group_id, **fields})

    # -- labels ----------------------------------------------------------------------------------------------

    async def list_labels(self, after: str | None, limit: int) -> directory.Page[directory.ConversationLabel]:
        """All of them: Zalo gives no pages. A tag has no id but its name."""
        tags = await self._api.call("GET", "v2.0/oa/tag/gettagsofoa", list[str])
        return directory.Page([directory.ConversationLabel(tag, tag) for tag in tags])

    async def set_label_members(
        self, label_id: str, action: Literal["add", "remove"], conversation_ids: list[str]
    ) -> None:
        path = {"add": "tagfollower", "remove": "rmfollowerfromtag"}[action]
        for user_id in conversation_ids:
            await self._api.post(f"v2.0/oa/tag/{path}", object, {"user_id": user_id, "tag_name": label_id})

    async def delete_label(self, label_id: str) -> None:
        await self._api.post("v2.0/oa/tag/rmtag", object, {"tag_name": label_id})


def _shown(group: _GroupInfo) -> directory.Group:
    return directory.Group(
        group.group_id,
        group.group_id,
        group.name,
        group.avatar,
        group.group_description or None,
        member_count=group.total_member,
    )


def _query(**parameters: str | int) -> str:
    return urlencode(parameters)


def _page(after: str | None, limit: int) -> tuple[str, int]:
    """(query, offset) of a page. Raises `Rejected` for a cursor that is none."""
    offset = after or "0"
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 9):
        raise Rejected("invalid_cursor")
    return _query(offset=int(offset), count=min(limit, _MOST)), int(offset)


def _next(offset: int, count: int, total: int) -> str | None:
    return str(offset + count) if count and offset + count < total else None


@contextlib.contextmanager
def _unknown_is(reason: str) -> Iterator[None]:
    """What is refused because the id is not there leaves with this reason."""
    try:
        yield
    except Rejected as error:
        if error.reason not in _UNKNOWN:
            raise
        raise Rejected(reason, error.detail, code=error.code) from None

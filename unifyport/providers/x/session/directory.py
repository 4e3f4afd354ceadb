"""The account's conversations, and people, as X's inbox has them."""

from typing import Final

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
    ListsConversationMembers,
    ListsConversations,
    ListsGroups,
    MutesConversations,
    ReadsContacts,
    ReadsConversations,
    ReadsGroups,
    UnmutesConversations,
)
from unifyport.providers.contract.errors import Rejected

from ..api.people import USER
from ..xchat.ids import GROUP, conversation_of, other_of
from . import queries
from .answers import object_in
from .link import SessionLink
from .shapes import Detail, Item, MemberResult, User, UserResult, read

_SEPARATOR: Final = " "


class HasLink:
    async def _up(self) -> SessionLink:
        raise NotImplementedError


class Directory(
    ListsConversations,
    ReadsConversations,
    ListsConversationMembers,
    MutesConversations,
    UnmutesConversations,
    ReadsContacts,
    ListsGroups,
    ReadsGroups,
    HasLink,
):
    # -- conversations --------------------------------------------------------------------------------------

    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        if label_id is not None:
            raise Rejected("no_labels", "conversations of X have no labels here")
        link = await self._up()
        details, following = await _page(link, after)
        shown = [_conversation(link.client.me, detail) for detail in details]
        return directory.Page([one for one in shown if not types or one.type in types], following)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        link = await self._up()
        detail = await _detail(link, conversation_id, CONVERSATION_NOT_FOUND)
        return _conversation(link.client.me, detail)

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        detail = await _detail(await self._up(), conversation_id, CONVERSATION_NOT_FOUND)
        admins = {user.rest_id for user in detail.group_admins_results}
        known = {user.rest_id: user for user in [*detail.people, *detail.group_admins_results]}
        ids = sorted((id_ for id_ in known if USER.fullmatch(id_)), key=int)
        rest = [id_ for id_ in ids if after is None or not USER.fullmatch(after) or int(id_) > int(after)]
        page = rest[:limit]
        members = [_member(known[id_], id_ in admins) for id_ in page]
        return directory.Page(members, page[-1] if len(rest) > limit else None)

    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        if until is not None:
            raise Rejected("mute_has_no_end", "X mutes until it is told otherwise")
        await self._mute(conversation_id, True)

    async def unmute_conversation(self, conversation_id: str) -> None:
        await self._mute(conversation_id, False)

    async def _mute(self, conversation_id: str, muted: bool) -> None:
        link = await self._up()
        await link.transport.mute(_place(link, conversation_id, CONVERSATION_NOT_FOUND), muted)

    # -- people and groups ----------------------------------------------------------------------------------

    async def get_contact(self, contact_id: str) -> directory.Contact:
        if USER.fullmatch(contact_id) is None:
            raise Rejected(CONTACT_NOT_FOUND)
        data = await (await self._up()).client.query(queries.USERS, {"ids": [contact_id]})
        results = read(object_in(data, "get_member_results").get("results") or [], list[MemberResult])
        for found in results:
            user = found.member_results
            if user is not None and user.rest_id == contact_id and user.result is not None:
                name, picture, username = _profile(user.result)
                extra = {"username": username} if username else None
                return directory.Contact(contact_id, contact_id, name, contact_id, picture, extra=extra)
        raise Rejected(CONTACT_NOT_FOUND)

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        details, following = await _page(await self._up(), after)
        return directory.Page(
            [_group(detail) for detail in details if GROUP.fullmatch(detail.conversation_id)], following
        )

    async def get_group(self, group_id: str) -> directory.Group:
        if GROUP.fullmatch(group_id) is None:
            raise Rejected(GROUP_NOT_FOUND)
        return _group(await _detail(await self._up(), group_id, GROUP_NOT_FOUND))


def _place(link: SessionLink, conversation_id: str, missing: str) -> str:
    place = conversation_of(link.client.me, conversation_id)
    if place is None:
        raise Rejected(missing)
    return place


async def _detail(link: SessionLink, conversation_id: str, missing: str) -> Detail:
    """Raises `Rejected(missing)`."""
    place = _place(link, conversation_id, missing)
    try:
        found = (await link.transport.conversation(place)).conversation_detail
    except Rejected as refused:
        raise Rejected(missing if refused.reason == CONVERSATION_NOT_FOUND else refused.reason) from None
    if found.conversation_id.replace("-", ":") != place:
        raise Rejected(missing)
    return found


async def _page(link: SessionLink, after: str | None) -> tuple[list[Detail], str | None]:
    """A page of the inbox has as many conversations as X likes."""
    cursor_id, _, snapshot = (after or "").partition(_SEPARATOR)
    cursor = {"cursor_id": cursor_id, "graph_snapshot_id": snapshot} if cursor_id else None
    page = await link.catch_up.page(0, cursor)
    details = [read(raw, Item).conversation_detail for raw in page.items]
    at = page.inbox_cursor
    following = None if at.pull_finished or not at.cursor_id else f"{at.cursor_id} {at.graph_snapshot_id}"
    known = [each for each in details if conversation_of(link.client.me, each.conversation_id) is not None]
    return known, following if following != after else None


def _profile(user: User | None) -> tuple[str, str, str]:
    """Name, picture and username."""
    if user is None:
        return "", "", ""
    name, username = (user.core.name, user.core.screen_name) if user.core is not None else ("", "")
    return name or username, user.avatar.image_url if user.avatar is not None else "", username


def _conversation(me: str, detail: Detail) -> directory.Conversation:
    id_ = detail.conversation_id
    if GROUP.fullmatch(id_):
        group = _group(detail)
        return directory.Conversation(
            id_,
            "group",
            group.name,
            group.avatar_url,
            is_muted=detail.is_muted,
            members_count=group.member_count,
        )
    other = other_of(me, id_)
    found = next((user for user in detail.people if user.rest_id == other), UserResult())
    name, picture, username = _profile(found.result)
    return directory.Conversation(
        other, "user", name, picture, is_muted=detail.is_muted, username=username or None
    )


def _member(user: UserResult, admin: bool) -> directory.ConversationMember:
    name, picture, username = _profile(user.result)
    role = "admin" if admin else "member"
    return directory.ConversationMember(user.rest_id, name, picture, role, username or None)


def _group(detail: Detail) -> directory.Group:
    known = detail.group_metadata
    name, picture = (known.group_name, known.group_avatar_url) if known is not None else ("", "")
    count = len(detail.people) or None
    return directory.Group(detail.conversation_id, detail.conversation_id, name, picture, member_count=count)

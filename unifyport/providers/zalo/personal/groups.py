"""Groups: what the account can see and change of them."""

from typing import Literal

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    GROUP_NOT_FOUND,
    ChangesGroupMembers,
    CreatesGroups,
    DecidesJoinRequests,
    InvitesToGroups,
    LeavesGroups,
    ListsGroups,
    ListsJoinRequests,
    ReadsGroups,
    SetsGroupPictures,
    SetsJoinApproval,
)
from unifyport.providers.contract.errors import Rejected, Transient

from . import lists, lookups, requests
from .lists import HasSends, check, missing_is
from .uploads import form


class Groups(
    ListsGroups,
    ReadsGroups,
    CreatesGroups,
    LeavesGroups,
    ChangesGroupMembers,
    SetsGroupPictures,
    ListsJoinRequests,
    DecidesJoinRequests,
    SetsJoinApproval,
    InvitesToGroups,
    HasSends,
):
    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        sends = await self._sends()
        page, following = lists.page(await lists.group_ids(sends), after, limit)
        known = await lists.groups(sends, page)
        return directory.Page([lists.shown_group(known[id_]) for id_ in page if id_ in known], following)

    async def get_group(self, group_id: str) -> directory.Group:
        check(group_id, GROUP_NOT_FOUND, group=True)
        return lists.shown_group(await lists.group(await self._sends(), group_id, GROUP_NOT_FOUND))

    async def create_group(self, name: str, members: list[str]) -> str:
        sends = await self._sends()
        for member in members:
            check(member, CONTACT_NOT_FOUND, group=False)
        data = await sends.change(
            requests.create_group_call(sends.session, name, members, sends.next_client_id())
        )
        id_ = data.get("groupId") if isinstance(data, dict) else None
        if not isinstance(id_, str | int) or not str(id_).isdigit():
            raise Transient("malformed_answer", maybe_applied=True)
        return f"g{id_}"

    async def leave_group(self, group_id: str) -> None:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        with missing_is(GROUP_NOT_FOUND):
            await sends.change(requests.leave_call(sends.session, group_id))

    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        check(member_id, CONTACT_NOT_FOUND, group=False)
        data = await sends.change(requests.members_call(sends.session, group_id, action, [member_id]))
        refused = data.get("errorMembers") if isinstance(data, dict) else None
        if isinstance(refused, list) and member_id in [str(each) for each in refused]:
            raise Rejected("refused", f"Zalo refused to {action} the member")

    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        if name is None:
            raise Rejected("not_supported", "only the name of a group can be changed here")
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        await sends.change(requests.rename_call(sends.session, group_id, name))

    async def set_group_picture(self, group_id: str, picture: directory.Picture) -> None:
        """Zalo's web client calls every picture a JPEG named `blob`."""
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        call = lookups.picture_call(sends.session, group_id, sends.next_client_id())
        body, content_type = form("blob", picture.content, field="fileContent", mime_type="image/jpeg")
        with missing_is(GROUP_NOT_FOUND):
            await sends.change_with_file(call, body, content_type)

    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        data = await sends.look_up(requests.join_requests_call(sends.session, group_id))
        users = data.get("users") if isinstance(data, dict) else None
        ids = [each.get("uid") for each in users if isinstance(each, dict)] if isinstance(users, list) else []
        return [directory.GroupJoinRequest(str(id_)) for id_ in ids if id_]

    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        data = await sends.change(
            requests.review_call(sends.session, group_id, member_ids, approve=action == "approve")
        )
        codes = set(data.values()) if isinstance(data, dict) else set()
        if codes and all(isinstance(code, int) and code for code in codes):
            raise Rejected("no_such_request", "Zalo has no such request to join")

    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        group = await lists.group(sends, group_id, GROUP_NOT_FOUND)
        settings = {**group.setting, "joinAppr": enabled}
        await sends.change(lookups.settings_call(sends.session, group_id, settings))

    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode:
        sends = await self._sends()
        check(group_id, GROUP_NOT_FOUND, group=True)
        data = await sends.look_up(lookups.link_call(sends.session, group_id))
        link = data.get("link") if isinstance(data, dict) and data.get("enabled") else None
        if not isinstance(link, str) or not link:
            raise Rejected("no_invite_link", "the group has no link")
        return directory.GroupInviteCode(link, link.rpartition("/")[2])

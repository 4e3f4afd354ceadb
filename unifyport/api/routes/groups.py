"""Groups that an account is in: their members, their details, and requests to join."""

from unifyport.gateway.errors import INVALID_REQUEST, UseCaseError, invalid
from unifyport.gateway.fields import check_id, check_ids
from unifyport.model import directory
from unifyport.model.texts import is_one_line
from unifyport.providers.contract.capabilities import (
    CREATE_GROUP,
    GET_GROUP,
    GET_GROUP_INVITE_CODE,
    GROUP_NOT_FOUND,
    LEAVE_GROUP,
    LIST_GROUP_JOIN_REQUESTS,
    LIST_GROUPS,
    SET_GROUP_JOIN_APPROVAL_MODE,
    UPDATE_GROUP_INFO,
    UPDATE_GROUP_JOIN_REQUESTS,
    UPDATE_GROUP_MEMBERS,
)

from .. import schemas
from ..http.errors import error
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call, Query
from .platform import ID, ask_for_page, ask_platform, required, route

MAX_NAME = 100
MAX_DESCRIPTION = 4096
NO_GROUP = error(GROUP_NOT_FOUND)


async def list_groups(call: Call) -> schemas.GroupListResult:
    return schemas.GroupListResult(*await ask_for_page(call, LIST_GROUPS))


async def get_group(call: Call) -> directory.Group:
    group_id = required(call.query, "group_id")
    group: directory.Group = await ask_platform(call, GET_GROUP, group_id)
    return group


async def create_group(call: Call) -> schemas.GroupCreateResult:
    name = _name(call.body.name)
    members = check_ids("members", call.body.members) if call.body.members else []
    return schemas.GroupCreateResult(await ask_platform(call, CREATE_GROUP, name, members))


async def leave_group(call: Call) -> schemas.OkData:
    group_id = check_id("group_id", call.body.group_id)
    await ask_platform(call, LEAVE_GROUP, group_id)
    return schemas.OkData()


async def update_members(call: Call) -> schemas.OkData:
    group_id = check_id("group_id", call.body.group_id)
    member_id = check_id("member_id", call.body.member_id)
    await ask_platform(call, UPDATE_GROUP_MEMBERS, group_id, call.body.action, member_id)
    return schemas.OkData()


async def update_info(call: Call) -> schemas.OkData:
    body, group_id = call.body, check_id("group_id", call.body.group_id)
    given = [name for name in ("name", "description", "avatar_url") if getattr(body, name) is not None]
    if len(given) != 1:
        raise UseCaseError(INVALID_REQUEST, "exactly one of name, description, avatar_url must be given")
    if body.name is not None:
        _name(body.name)
    if body.description is not None and len(body.description) > MAX_DESCRIPTION:
        raise invalid("description", f"must be at most {MAX_DESCRIPTION} characters")
    if body.avatar_url is not None:
        if not body.avatar_url.startswith("https://"):
            raise invalid("avatar_url", "must be an https URL")
        await call.gateway.group_pictures.set(call.path["account_id"], group_id, body.avatar_url)
    else:
        await ask_platform(call, UPDATE_GROUP_INFO, group_id, body.name, body.description, None)
    return schemas.OkData()


async def list_join_requests(call: Call) -> schemas.GroupJoinRequestsResult:
    group_id = required(call.query, "group_id")
    return schemas.GroupJoinRequestsResult(
        group_id, await ask_platform(call, LIST_GROUP_JOIN_REQUESTS, group_id)
    )


async def update_join_requests(call: Call) -> schemas.OkData:
    group_id = check_id("group_id", call.body.group_id)
    member_ids = check_ids("member_ids", call.body.member_ids)
    await ask_platform(call, UPDATE_GROUP_JOIN_REQUESTS, group_id, call.body.action, member_ids)
    return schemas.OkData()


async def set_approval_mode(call: Call) -> schemas.OkData:
    group_id = check_id("group_id", call.body.group_id)
    await ask_platform(call, SET_GROUP_JOIN_APPROVAL_MODE, group_id, call.body.enabled)
    return schemas.OkData()


async def get_invite_code(call: Call) -> directory.GroupInviteCode:
    group_id = required(call.query, "group_id")
    code: directory.GroupInviteCode = await ask_platform(call, GET_GROUP_INVITE_CODE, group_id)
    return code


def _name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME or not is_one_line(name):
        raise invalid("name", f"must be 1 to {MAX_NAME} printable characters")
    return name


_TAG = "Groups"
_PATH = "/v1/accounts/{account_id}/groups"
_GROUP = (Query("group_id", required=True, more=ID),)

ROUTES = [
    route(
        _TAG,
        "listGroups",
        "GET",
        _PATH,
        list_groups,
        "Groups that the account is in",
        "list_groups_failed",
        schemas.GroupListResult,
        query=(CURSOR, LIMIT),
    ),
    route(
        _TAG,
        "getGroup",
        "GET",
        f"{_PATH}/info",
        get_group,
        "One group",
        "get_group_failed",
        directory.Group,
        query=_GROUP,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "createGroup",
        "POST",
        f"{_PATH}/create",
        create_group,
        "Make a group",
        "create_group_failed",
        schemas.GroupCreateResult,
        schemas.GroupCreateRequest,
    ),
    route(
        _TAG,
        "leaveGroup",
        "POST",
        f"{_PATH}/leave",
        leave_group,
        "Leave a group",
        "leave_group_failed",
        schemas.OkData,
        schemas.GroupIdRequest,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "updateGroupMembers",
        "POST",
        f"{_PATH}/members",
        update_members,
        "Add, remove, promote or demote a member",
        "update_group_members_failed",
        schemas.OkData,
        schemas.GroupMemberUpdateRequest,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "updateGroupInfo",
        "POST",
        f"{_PATH}/update-info",
        update_info,
        "Change the name, the description or the picture of a group",
        "update_group_info_failed",
        schemas.OkData,
        schemas.GroupInfoUpdateRequest,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "listGroupJoinRequests",
        "GET",
        f"{_PATH}/join-requests",
        list_join_requests,
        "Who asks to be let in",
        "list_group_join_requests_failed",
        schemas.GroupJoinRequestsResult,
        query=_GROUP,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "updateGroupJoinRequests",
        "POST",
        f"{_PATH}/join-requests/update",
        update_join_requests,
        "Let in who asks, or do not",
        "update_group_join_requests_failed",
        schemas.OkData,
        schemas.GroupJoinRequestsUpdateRequest,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "setGroupJoinApprovalMode",
        "POST",
        f"{_PATH}/join-approval-mode",
        set_approval_mode,
        "Whether who wants in has to be let in",
        "set_group_join_approval_mode_failed",
        schemas.OkData,
        schemas.GroupJoinApprovalModeRequest,
        errors=(NO_GROUP,),
    ),
    route(
        _TAG,
        "getGroupInviteCode",
        "GET",
        f"{_PATH}/invite-code",
        get_invite_code,
        "The link by which others come in",
        "get_group_invite_code_failed",
        directory.GroupInviteCode,
        query=_GROUP,
        errors=(NO_GROUP,),
    ),
]

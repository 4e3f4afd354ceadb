"""Conversations: the list of an account's chats, what is said of each, and their labels."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from unifyport.model import directory
from unifyport.model.event import EventType
from unifyport.model.message import CommandState, MarkRead
from unifyport.model.texts import is_one_line
from unifyport.model.times import parse_rfc3339
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import (
    DELETE_LABEL,
    GET_CONVERSATION,
    LIST_CONVERSATION_MEMBERS,
    LIST_CONVERSATIONS,
    LIST_LABELS,
    MARK_READ,
    MARK_UNREAD,
    MUTE_CONVERSATION,
    PIN_CONVERSATION,
    SET_LABEL_MEMBERS,
    UNMUTE_CONVERSATION,
    UNPIN_CONVERSATION,
    UPSERT_LABEL,
    Capability,
)

from .. import schemas
from ..http.errors import ApiError, ErrorSpec
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call, Query
from .platform import (
    DEADLINE_MS,
    ID,
    call_platform,
    call_platform_page,
    checked_id,
    checked_ids,
    failed,
    require_capability,
    required,
    route,
)

TYPES = ("user", "group", "channel")
MAX_LABEL = 256
LONGEST_MUTE = 100 * 365 * 86_400  # seconds
NO_CONVERSATION = ErrorSpec(404, "conversation_not_found")
INVALID_TYPE = ErrorSpec(400, "invalid_conversation_type")
UNSUPPORTED_TYPE = ErrorSpec(400, "unsupported_conversation_type")


def checked_type(name: str, value: str) -> str:
    """Raises `ApiError`."""
    if value not in TYPES:
        raise ApiError(400, INVALID_TYPE.code, f"{name}: must be one of {', '.join(TYPES)}")
    return value


def supported_type(connection: ConnectionSpec, provider: str, value: str) -> None:
    """Raises `ApiError`."""
    if value not in connection.conversation_types:
        raise ApiError(400, UNSUPPORTED_TYPE.code, f"{provider} has no {value}")


# -- looking -------------------------------------------------------------------------------------------------


async def list_conversations(call: Call) -> schemas.ConversationListResult:
    wanted = call.query.get("type") or ""
    types = [checked_type("type", each.strip()) for each in wanted.split(",")] if wanted else []
    account, _ = await require_capability(call, LIST_CONVERSATIONS)
    label_id = call.query.get("label_id") or None
    failure = "list_conversations_failed"
    return schemas.ConversationListResult(
        *await call_platform_page(call, account, failure, LIST_CONVERSATIONS, types, label_id)
    )


async def get_conversation(call: Call) -> directory.Conversation:
    conversation_id = required(call.query, "conversation_id")
    account, connection = await require_capability(call, GET_CONVERSATION)
    _check_type(call, connection, account.provider)
    failure = "get_conversation_failed"
    found: directory.Conversation = await call_platform(
        call, account, failure, GET_CONVERSATION, conversation_id
    )
    return found


async def list_members(call: Call) -> schemas.ConversationMemberListResult:
    conversation_id = required(call.query, "conversation_id")
    account, connection = await require_capability(call, LIST_CONVERSATION_MEMBERS)
    _check_type(call, connection, account.provider)
    failure = "list_conversation_members_failed"
    return schemas.ConversationMemberListResult(
        *await call_platform_page(call, account, failure, LIST_CONVERSATION_MEMBERS, conversation_id)
    )


def _check_type(call: Call, connection: ConnectionSpec, provider: str) -> None:
    """A caller may say which type he means; the id alone decides."""
    if call.query.get("type"):
        supported_type(connection, provider, checked_type("type", call.query["type"]))


# -- what the account does with one --------------------------------------------------------------------------


async def mark_read(call: Call) -> schemas.OkData:
    """Up to the message that is named, or up to the newest one that came in."""
    gateway, body = call.gateway, call.body
    for name in ("conversation_id", "up_to_message_id", "up_to_message_sender_id"):
        if (value := getattr(body, name)) is not None:
            checked_id(name, value)
    if (body.up_to_message_id is None) != (body.up_to_message_sender_id is None):
        raise ApiError(
            400, "invalid_request", "up_to_message_id and up_to_message_sender_id: give both or neither"
        )
    account, connection = await require_capability(call, MARK_READ)
    message_id = body.up_to_message_id
    if message_id is None:
        lane = gateway.normalizers.lane(account.id, connection.canonical(body.conversation_id))
        newest = await gateway.store.newest_in_lane(account.no, lane, EventType.MESSAGE_RECEIVED.number)
        if newest is None:
            raise ApiError(404, NO_CONVERSATION.code, "no message of this conversation is known")
        message_id = msgspec.json.decode(newest)["message_id"]
    answer = await gateway.accounts.call(
        account.id, MarkRead(body.conversation_id, message_id, gateway.now_ms() + DEADLINE_MS)
    )
    if answer.state is not CommandState.SENT:
        raise failed(answer, "mark_conversation_read_failed", "marked as read")
    return schemas.OkData()


async def mark_unread(call: Call) -> schemas.OkData:
    return await _act(call, MARK_UNREAD, "mark_conversation_unread_failed")


async def mute(call: Call) -> schemas.OkData:
    body = call.body
    if body.duration is not None and body.mute_until is not None:
        raise ApiError(400, "invalid_request", "duration and mute_until exclude each other")
    if body.duration is not None and not 0 <= body.duration <= LONGEST_MUTE:
        raise ApiError(400, "invalid_request", f"duration: must be from 0 to {LONGEST_MUTE} seconds")
    until = None
    if body.duration:
        until = call.gateway.now_ms() // 1000 + body.duration
    elif body.mute_until is not None:
        try:
            until = parse_rfc3339(body.mute_until) // 1000
        except ValueError as error:
            raise ApiError(400, "invalid_request", f"mute_until: {error}") from None
        if until <= call.gateway.now_ms() // 1000:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            raise ApiError(400, "invalid_request", f"mute_until: must be in the future (it is {now})")
    return await _act(call, MUTE_CONVERSATION, "mute_conversation_failed", until)


async def unmute(call: Call) -> schemas.OkData:
    return await _act(call, UNMUTE_CONVERSATION, "unmute_conversation_failed")


async def pin(call: Call) -> schemas.OkData:
    return await _act(call, PIN_CONVERSATION, "pin_conversation_failed")


async def unpin(call: Call) -> schemas.OkData:
    return await _act(call, UNPIN_CONVERSATION, "unpin_conversation_failed")


async def _act(call: Call, capability: Capability[..., Any], failure: str, *more: Any) -> schemas.OkData:
    conversation_id = checked_id("conversation_id", call.body.conversation_id)
    account, _ = await require_capability(call, capability)
    await call_platform(call, account, failure, capability, conversation_id, *more)
    return schemas.OkData()


# -- labels --------------------------------------------------------------------------------------------------


async def list_labels(call: Call) -> schemas.ConversationLabelListResult:
    account, _ = await require_capability(call, LIST_LABELS)
    return schemas.ConversationLabelListResult(
        *await call_platform_page(call, account, "list_conversation_labels_failed", LIST_LABELS)
    )


async def set_label_members(call: Call) -> schemas.ConversationLabelMembersResult:
    body = call.body
    label_id = checked_id("label_id", body.label_id)
    ids = checked_ids("conversation_ids", body.conversation_ids)
    account, _ = await require_capability(call, SET_LABEL_MEMBERS)
    await call_platform(
        call, account, "set_label_members_failed", SET_LABEL_MEMBERS, label_id, body.action, ids
    )
    return schemas.ConversationLabelMembersResult(label_id, body.action, ids)


async def upsert_label(call: Call) -> directory.ConversationLabel:
    body = call.body
    label_id = checked_id("label_id", body.label_id) if body.label_id else None
    if not 0 < len(body.name) <= MAX_LABEL or not is_one_line(body.name):
        raise ApiError(400, "invalid_request", f"name: must be 1 to {MAX_LABEL} printable characters")
    account, _ = await require_capability(call, UPSERT_LABEL)
    label: directory.ConversationLabel = await call_platform(
        call, account, "upsert_label_failed", UPSERT_LABEL, label_id, body.name
    )
    return label


async def delete_label(call: Call) -> schemas.ConversationLabelDeleteResult:
    label_id = checked_id("label_id", call.body.label_id)
    account, _ = await require_capability(call, DELETE_LABEL)
    await call_platform(call, account, "delete_label_failed", DELETE_LABEL, label_id)
    return schemas.ConversationLabelDeleteResult(label_id)


# -- routes --------------------------------------------------------------------------------------------------

_TAG = "Conversations"
_PATH = "/v1/accounts/{account_id}/conversations"
_WHICH = (
    Query("conversation_id", required=True, more=ID),
    Query("type", more={"enum": [*TYPES, ""]}),
)
_ONE_TYPE = f"({'|'.join(TYPES)})"


def _action(operation_id: str, path: str, handler: Any, summary: str, failure: str, body: type) -> Any:
    return route(
        _TAG,
        operation_id,
        "POST",
        f"{_PATH}/{path}",
        handler,
        summary,
        failure,
        schemas.OkData,
        body,
        errors=(NO_CONVERSATION,),
    )


ROUTES = [
    route(
        _TAG,
        "listConversations",
        "GET",
        _PATH,
        list_conversations,
        "The account's chats, the newest first",
        "list_conversations_failed",
        schemas.ConversationListResult,
        query=(
            Query(
                "type",
                description="user, group, channel; several with commas",
                more={"pattern": f"^({_ONE_TYPE}(, *{_ONE_TYPE})*)?$"},
            ),
            CURSOR,
            LIMIT,
            Query("label_id"),
        ),
        errors=(INVALID_TYPE,),
    ),
    route(
        _TAG,
        "getConversation",
        "GET",
        f"{_PATH}/info",
        get_conversation,
        "One chat",
        "get_conversation_failed",
        directory.Conversation,
        query=_WHICH,
        errors=(NO_CONVERSATION, INVALID_TYPE, UNSUPPORTED_TYPE),
    ),
    route(
        _TAG,
        "listConversationMembers",
        "GET",
        f"{_PATH}/members",
        list_members,
        "Who is in a chat",
        "list_conversation_members_failed",
        schemas.ConversationMemberListResult,
        query=(*_WHICH, CURSOR, LIMIT),
        errors=(NO_CONVERSATION, INVALID_TYPE, UNSUPPORTED_TYPE),
    ),
    _action(
        "markConversationRead",
        "read",
        mark_read,
        "Tell a customer that his messages were read",
        "mark_conversation_read_failed",
        schemas.ConversationReadRequest,
    ),
    _action(
        "markConversationUnread",
        "unread",
        mark_unread,
        "Show a chat as unread",
        "mark_conversation_unread_failed",
        schemas.ConversationIdRequest,
    ),
    _action(
        "muteConversation",
        "mute",
        mute,
        "Mute a chat, for a while or for ever",
        "mute_conversation_failed",
        schemas.ConversationMuteRequest,
    ),
    _action(
        "unmuteConversation",
        "unmute",
        unmute,
        "End the muting of a chat",
        "unmute_conversation_failed",
        schemas.ConversationIdRequest,
    ),
    _action(
        "pinConversation",
        "pin",
        pin,
        "Keep a chat at the top of the list",
        "pin_conversation_failed",
        schemas.ConversationIdRequest,
    ),
    _action(
        "unpinConversation",
        "unpin",
        unpin,
        "Let a chat go from the top of the list",
        "unpin_conversation_failed",
        schemas.ConversationIdRequest,
    ),
    route(
        _TAG,
        "listConversationLabels",
        "GET",
        f"{_PATH}/labels",
        list_labels,
        "The account's labels",
        "list_conversation_labels_failed",
        schemas.ConversationLabelListResult,
        query=(CURSOR, LIMIT),
    ),
    route(
        _TAG,
        "setConversationLabelMembers",
        "POST",
        f"{_PATH}/labels",
        set_label_members,
        "Put a label on chats, or take it off",
        "set_label_members_failed",
        schemas.ConversationLabelMembersResult,
        schemas.ConversationLabelMembersRequest,
    ),
    route(
        _TAG,
        "upsertConversationLabel",
        "POST",
        f"{_PATH}/labels/upsert",
        upsert_label,
        "Make a label, or rename one",
        "upsert_label_failed",
        directory.ConversationLabel,
        schemas.ConversationLabelUpsertRequest,
    ),
    route(
        _TAG,
        "deleteConversationLabel",
        "POST",
        f"{_PATH}/labels/delete",
        delete_label,
        "Delete a label",
        "delete_label_failed",
        schemas.ConversationLabelDeleteResult,
        schemas.ConversationLabelDeleteRequest,
    ),
]

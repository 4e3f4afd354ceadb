"""Conversations of an account: the list, and the state of each."""

from typing import Any

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.fields import (
    CONVERSATION_TYPES,
    check_conversation_type,
    check_id,
    require_conversation_type,
)
from unifyport.model import directory
from unifyport.model.account import Account
from unifyport.providers.contract.capabilities import (
    GET_CONVERSATION,
    LIST_CONVERSATION_MEMBERS,
    LIST_CONVERSATIONS,
    MARK_UNREAD,
    PIN_CONVERSATION,
    UNMUTE_CONVERSATION,
    UNPIN_CONVERSATION,
    Capability,
)

from .. import schemas
from ..http.errors import error
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call, Query
from .platform import ID, NO_CONVERSATION, ask_for_page, ask_platform, required, route

INVALID_TYPE = error(codes.INVALID_CONVERSATION_TYPE)
UNSUPPORTED_TYPE = error(codes.UNSUPPORTED_CONVERSATION_TYPE)


# -- looking -------------------------------------------------------------------------------------------------


async def list_conversations(call: Call) -> schemas.ConversationListResult:
    wanted = call.query.get("type") or ""
    types = [check_conversation_type("type", each.strip()) for each in wanted.split(",")] if wanted else []
    label_id = call.query.get("label_id") or None
    return schemas.ConversationListResult(*await ask_for_page(call, LIST_CONVERSATIONS, types, label_id))


async def get_conversation(call: Call) -> directory.Conversation:
    conversation_id, account = await _one(call, GET_CONVERSATION)
    return await call.gateway.platform.call(account, GET_CONVERSATION, conversation_id)


async def list_members(call: Call) -> schemas.ConversationMemberListResult:
    conversation_id, _ = await _one(call, LIST_CONVERSATION_MEMBERS)
    return schemas.ConversationMemberListResult(
        *await ask_for_page(call, LIST_CONVERSATION_MEMBERS, conversation_id)
    )


async def _one(call: Call, capability: Capability[..., Any]) -> tuple[str, Account]:
    """The conversation in the query, and its account. A type in the query is checked, and not used."""
    conversation_id = required(call.query, "conversation_id")
    account, connection = await call.gateway.platform.require_capability(call.path["account_id"], capability)
    if call.query.get("type"):
        wanted = check_conversation_type("type", call.query["type"])
        require_conversation_type(connection, account.provider, wanted)
    return conversation_id, account


# -- what the account does with one --------------------------------------------------------------------------


async def mark_read(call: Call) -> schemas.OkData:
    """Up to the message that is named, or the whole conversation."""
    body = call.body
    for name in ("conversation_id", "up_to_message_id", "up_to_message_sender_id"):
        if (value := getattr(body, name)) is not None:
            check_id(name, value)
    if (body.up_to_message_id is None) != (body.up_to_message_sender_id is None):
        text = "up_to_message_id and up_to_message_sender_id: give both or neither"
        raise UseCaseError(codes.INVALID_REQUEST, text)
    conversations, account_id = call.gateway.conversations, call.path["account_id"]
    await conversations.mark_read(account_id, body.conversation_id, body.up_to_message_id)
    return schemas.OkData()


async def show_typing(call: Call) -> schemas.OkData:
    conversation_id = check_id("conversation_id", call.body.conversation_id)
    await call.gateway.conversations.show_typing(call.path["account_id"], conversation_id)
    return schemas.OkData()


async def mark_unread(call: Call) -> schemas.OkData:
    return await _act(call, MARK_UNREAD)


async def mute(call: Call) -> schemas.OkData:
    body, account_id = call.body, call.path["account_id"]
    await call.gateway.conversations.mute(
        account_id, body.conversation_id, duration=body.duration, mute_until=body.mute_until
    )
    return schemas.OkData()


async def unmute(call: Call) -> schemas.OkData:
    return await _act(call, UNMUTE_CONVERSATION)


async def pin(call: Call) -> schemas.OkData:
    return await _act(call, PIN_CONVERSATION)


async def unpin(call: Call) -> schemas.OkData:
    return await _act(call, UNPIN_CONVERSATION)


async def _act(call: Call, capability: Capability[..., Any]) -> schemas.OkData:
    conversation_id = check_id("conversation_id", call.body.conversation_id)
    await ask_platform(call, capability, conversation_id)
    return schemas.OkData()


# -- routes --------------------------------------------------------------------------------------------------

_TAG = "Conversations"
_PATH = "/v1/accounts/{account_id}/conversations"
_WHICH = (
    Query("conversation_id", required=True, more=ID),
    Query("type", more={"enum": [*CONVERSATION_TYPES, ""]}),
)
_ONE_TYPE = f"({'|'.join(CONVERSATION_TYPES)})"


def _action(
    operation_id: str, path: str, handler: Any, summary: str, failure: str, body: type, **more: Any
) -> Any:
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
        **more,
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
        "Tell a customer that their messages were read",
        "mark_conversation_read_failed",
        schemas.ConversationReadRequest,
    ),
    _action(
        "showConversationTyping",
        "typing",
        show_typing,
        "Show a customer that somebody is typing",
        "show_conversation_typing_failed",
        schemas.ConversationIdRequest,
        extension=True,
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
]

"""Labels of an account's conversations."""

from unifyport.gateway.errors import invalid
from unifyport.gateway.fields import check_id, check_ids
from unifyport.model import directory
from unifyport.model.texts import is_one_line
from unifyport.providers.contract.capabilities import (
    DELETE_LABEL,
    LIST_LABELS,
    SET_LABEL_MEMBERS,
    UPSERT_LABEL,
)

from .. import schemas
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call
from .platform import ask_for_page, ask_platform, route

MAX_LABEL = 256
_TAG = "Conversations"
_PATH = "/v1/accounts/{account_id}/conversations"


async def list_labels(call: Call) -> schemas.ConversationLabelListResult:
    return schemas.ConversationLabelListResult(*await ask_for_page(call, LIST_LABELS))


async def set_label_members(call: Call) -> schemas.ConversationLabelMembersResult:
    body = call.body
    label_id = check_id("label_id", body.label_id)
    ids = check_ids("conversation_ids", body.conversation_ids)
    await ask_platform(call, SET_LABEL_MEMBERS, label_id, body.action, ids)
    return schemas.ConversationLabelMembersResult(label_id, body.action, ids)


async def upsert_label(call: Call) -> directory.ConversationLabel:
    body = call.body
    label_id = check_id("label_id", body.label_id) if body.label_id else None
    if not 0 < len(body.name) <= MAX_LABEL or not is_one_line(body.name):
        raise invalid("name", f"must be 1 to {MAX_LABEL} printable characters")
    label: directory.ConversationLabel = await ask_platform(call, UPSERT_LABEL, label_id, body.name)
    return label


async def delete_label(call: Call) -> schemas.ConversationLabelDeleteResult:
    label_id = check_id("label_id", call.body.label_id)
    await ask_platform(call, DELETE_LABEL, label_id)
    return schemas.ConversationLabelDeleteResult(label_id)


ROUTES = [
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

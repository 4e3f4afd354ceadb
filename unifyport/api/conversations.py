"""Conversations: so far, telling a customer that his messages were read."""

import msgspec

from unifyport.model.event import EventType
from unifyport.model.message import Answer, CommandState, MarkRead
from unifyport.providers.base import MarksRead

from . import schemas
from .accounts import bound
from .errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec
from .messages import DEADLINE_MS, MAX_ID, failed
from .routing import Call, Route


async def mark_read(call: Call) -> schemas.OkData:
    """Up to the message that is named, or up to the newest one that came in."""
    gateway, body = call.gateway, call.body
    for name in ("conversation_id", "up_to_message_id", "up_to_message_sender_id"):
        value = getattr(body, name)
        if value is not None and (not 0 < len(value) <= MAX_ID or not value.isprintable()):
            raise ApiError(400, "invalid_request", f"{name}: must be 1 to {MAX_ID} printable characters")
    if (body.up_to_message_id is None) != (body.up_to_message_sender_id is None):
        raise ApiError(
            400, "invalid_request", "up_to_message_id and up_to_message_sender_id: give both or neither"
        )
    account, connection = await bound(gateway, call.path["account_id"])
    if not issubclass(connection.connector, MarksRead):
        raise ApiError(501, "unsupported_by_provider", f"{account.provider} cannot mark as read")
    message_id = body.up_to_message_id
    if message_id is None:
        lane = gateway.normalizers.lane(account.id, connection.canonical(body.conversation_id))
        newest = await gateway.store.newest_in_lane(account.no, lane, EventType.MESSAGE_RECEIVED.number)
        if newest is None:
            raise ApiError(404, "conversation_not_found", "no message of this conversation is known")
        message_id = msgspec.json.decode(newest)["message_id"]
    answer = await gateway.accounts.call(
        account.id, MarkRead(body.conversation_id, message_id, gateway.now_ms() + DEADLINE_MS)
    )
    _judge(answer)
    return schemas.OkData()


def _judge(answer: Answer) -> None:
    if answer.state is not CommandState.SENT:
        raise failed(answer, "mark_conversation_read_failed", "marked as read")


ROUTES = [
    Route(
        "markConversationRead",
        "POST",
        "/v1/accounts/{account_id}/conversations/read",
        mark_read,
        "Conversations",
        "Tell a customer that his messages were read",
        "mark_conversation_read_failed",
        schemas.OkData,
        schemas.ConversationReadRequest,
        errors=(
            INVALID_REQUEST,
            NOT_FOUND,
            ErrorSpec(404, "conversation_not_found"),
            NOT_BOUND,
            ErrorSpec(429, "rate_limited"),
            ErrorSpec(501, "unsupported_by_provider"),
            ErrorSpec(502, "provider_adapter_not_found"),
        ),
    )
]

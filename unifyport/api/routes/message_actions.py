"""Actions on a message that was sent: edit, take back, react, pin."""

from typing import Any

from unifyport.gateway.errors import invalid
from unifyport.gateway.fields import check_id
from unifyport.providers.contract.capabilities import (
    EDIT_MESSAGE,
    PIN_MESSAGE,
    REACT_TO_MESSAGE,
    REVOKE_MESSAGE,
    Capability,
    Target,
)

from .. import schemas
from ..http.routing import Call
from .platform import NO_CONVERSATION, route

MAX_CONTENT = 65_536
MAX_EMOJI = 64  # characters: one emoji may be a long sequence


async def edit_message(call: Call) -> schemas.OkData:
    body = call.body
    target = Target(
        check_id("conversation_id", body.conversation_id), check_id("message_id", body.message_id)
    )
    if not 0 < len(body.content) <= MAX_CONTENT:
        raise invalid("content", f"must be 1 to {MAX_CONTENT} characters")
    return await _act(call, EDIT_MESSAGE, target, body.content)


async def revoke_message(call: Call) -> schemas.OkData:
    return await _act(call, REVOKE_MESSAGE, _target(call.body))


async def react_to_message(call: Call) -> schemas.OkData:
    """An emoji that is left out takes the reaction away, as an empty one does."""
    emoji = call.body.emoji or ""
    if len(emoji) > MAX_EMOJI:
        raise invalid("emoji", f"must be at most {MAX_EMOJI} characters")
    return await _act(call, REACT_TO_MESSAGE, _target(call.body), emoji)


async def pin_message(call: Call) -> schemas.OkData:
    seconds = call.body.duration_seconds
    if seconds is not None and not 0 <= seconds < 2**32:
        raise invalid("duration_seconds", "must be from 0 to 4294967295")
    target = _target(call.body)
    return await _act(call, PIN_MESSAGE, target, call.body.pinned, seconds)


def _target(body: Any) -> Target:
    """A message of any sender; of the account itself if no sender is named."""
    return Target(
        check_id("conversation_id", body.conversation_id),
        check_id("message_id", body.message_id),
        None if body.sender_id is None else check_id("sender_id", body.sender_id),
    )


async def _act(
    call: Call, capability: Capability[..., Any], target: Target, *arguments: Any
) -> schemas.OkData:
    actions = call.gateway.message_actions
    await actions.act(call.body.account_id, capability, target, *arguments, remarks=call.remarks)
    return schemas.OkData()


def _route(operation_id: str, path: str, handler: Any, summary: str, failure: str, body: type) -> Any:
    return route(
        "Messages",
        operation_id,
        "POST",
        path,
        handler,
        summary,
        failure,
        schemas.OkData,
        body,
        errors=(NO_CONVERSATION,),
    )


ROUTES = [
    _route(
        "pinMessage",
        "/v1/messages/pin",
        pin_message,
        "Pin a message in its conversation, or unpin it",
        "pin_message_failed",
        schemas.MessagePinRequest,
    ),
    _route(
        "revokeMessage",
        "/v1/messages/revoke",
        revoke_message,
        "Take a message back for all its readers",
        "revoke_message_failed",
        schemas.MessageTargetRequest,
    ),
    _route(
        "reactMessage",
        "/v1/messages/reaction",
        react_to_message,
        "React to a message; an empty emoji takes the reaction away",
        "react_message_failed",
        schemas.MessageReactionRequest,
    ),
    _route(
        "editMessage",
        "/v1/messages/edit",
        edit_message,
        "Replace the text of a message that was sent",
        "edit_message_failed",
        schemas.MessageEditRequest,
    ),
]

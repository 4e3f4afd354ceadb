"""Messages: sending one, and asking what became of it."""

from unifyport.gateway import errors as codes
from unifyport.gateway.fields import check_conversation_type, check_id

from .. import schemas
from ..http.errors import NOT_FOUND, error
from ..http.routing import Call, Route
from . import idempotency
from .conversations import INVALID_TYPE, UNSUPPORTED_TYPE
from .outbound import note_useless, read_message, read_quote
from .platform import DOING, NO_CONVERSATION


async def send_message(call: Call) -> schemas.SendMessageResult:
    body, key = call.body, idempotency.read_key(call)
    check_conversation_type("to.type", body.to.type)
    check_id("to.id", body.to.id)
    message, source = read_message(body)
    note_useless(call.remarks, body.message)
    sent = await call.gateway.sends.send(
        body.account_id,
        message,
        message_type=body.message.type,
        source=source,
        quote=read_quote(body),
        key=None if key is None else idempotency.new_key(call, key),
        remarks=call.remarks,
    )
    return schemas.SendMessageResult(
        message_id=sent.message_id,
        account_id=sent.account_id,
        status="accepted",
        command_id=sent.command_id,
        provider_ref=sent.provider_ref or None,
        reply_token=sent.reply_token or None,
    )


async def get_command(call: Call) -> schemas.Command:
    known = await call.gateway.sends.read_outcome(call.path["command_id"])
    answer = known.answer
    return schemas.Command(
        id=known.command_id,
        account_id=known.account_id,
        outcome=known.state.value,
        message_id=answer.message_id or None if answer is not None else None,
        reason=answer.code or None if answer is not None else None,
    )


ROUTES = [
    Route(
        "sendMessage",
        "POST",
        "/v1/messages",
        send_message,
        "Messages",
        "Send a message and wait for what the platform says",
        "send_message_failed",
        schemas.SendMessageResult,
        schemas.SendMessageRequest,
        errors=(
            *DOING,
            INVALID_TYPE,
            UNSUPPORTED_TYPE,
            NO_CONVERSATION,
            error(codes.UNSUPPORTED_MESSAGE),
            error(codes.INVALID_REPLY_TOKEN),
            idempotency.REUSED,
            idempotency.IN_USE,
        ),
        headers=(idempotency.HEADER,),
        settles=True,
    ),
    Route(
        "getCommand",
        "GET",
        "/v1/commands/{command_id}",
        get_command,
        "Messages",
        "What became of a send",
        "send_message_failed",
        schemas.Command,
        errors=(NOT_FOUND,),
        extension=True,
    ),
]

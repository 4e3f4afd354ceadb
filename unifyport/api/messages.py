"""Messages: sending one, and asking what became of it."""

from typing import Any

import msgspec

from actors.accounts import NoSuchAccount
from unifyport.model.ids import new_id
from unifyport.model.message import Answer, CommandState, OutboundText, SendCommand
from unifyport.providers.base import Connection, SendsText
from unifyport.storage.base import AcceptCommand

from . import schemas
from .accounts import find
from .errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, ApiError, ErrorSpec, not_found
from .routing import Call, Route

DEADLINE_MS = 25_000  # from acceptance; the official SDK gives up after 30 s
MAX_ID = 512
CONVERSATION_TYPES = ("user", "group", "channel")


async def send_message(call: Call) -> schemas.SendMessageResult:
    gateway, body = call.gateway, call.body
    if "Idempotency-Key" in call.headers:  # to ignore it would be to send twice one day
        raise ApiError(400, "invalid_request", "Idempotency-Key is not supported yet")
    if body.to.type not in CONVERSATION_TYPES:
        raise ApiError(
            400, "invalid_conversation_type", f"to.type: must be one of {', '.join(CONVERSATION_TYPES)}"
        )
    if not 0 < len(body.to.id) <= MAX_ID or not body.to.id.isprintable():
        raise ApiError(400, "invalid_request", f"to.id: must be 1 to {MAX_ID} printable characters")
    if body.message.type == "text" and not body.message.text:
        raise ApiError(400, "invalid_request", "message.text: is required for a text message")
    account = await find(gateway, body.account_id)
    channel = gateway.registry.find(account.provider)
    connection = channel.connection(account.auth_mode) if channel is not None else None
    if connection is None:
        raise ApiError(502, "provider_adapter_not_found", f"there is no connector for {account.provider}")
    _check_supported(body, connection, account.provider)
    now = gateway.now_ms()
    command = SendCommand(
        id=new_id("cmd"),
        account_id=account.id,
        message=OutboundText(
            conversation_id=body.to.id,
            conversation_type=body.to.type,
            text=body.message.text,
            parse_mode=_parse_mode(body),
        ),
        deadline=now + DEADLINE_MS,
        created_at=now,
    )
    actor = gateway.accounts.actor(account.id)
    if actor is None or not actor.may_come_up:
        raise _not_sent(Answer(CommandState.NOT_SENT, code="account_not_running"))
    await gateway.write(AcceptCommand(account.no, command, msgspec.json.encode(command)))
    try:
        answer = await gateway.accounts.call(account.id, command)
    except NoSuchAccount:
        raise _not_sent(Answer(CommandState.NOT_SENT, code="account_not_running")) from None
    return _result(command, answer)


def _check_supported(body: schemas.SendMessageRequest, connection: Connection, provider: str) -> None:
    if body.message.type != "text" or not issubclass(connection.connector, SendsText):
        raise ApiError(400, "unsupported_message_type", f"{provider} cannot send {body.message.type} here")
    reply = body.reply_to is not None or (body.provider_data or {}).get("reply_to") is not None
    if reply:
        raise ApiError(501, "unsupported_by_provider", f"quoted replies are not supported for {provider}")


def _parse_mode(body: schemas.SendMessageRequest) -> str | None:
    mode = (body.provider_data or {}).get("parse_mode")
    if mode is not None and not isinstance(mode, str):
        raise ApiError(400, "invalid_request", "provider_data.parse_mode: must be a string")
    return mode


def _result(command: SendCommand, answer: Answer) -> schemas.SendMessageResult:
    match answer.state:
        case CommandState.SENT:
            return schemas.SendMessageResult(
                message_id=answer.message_id,
                account_id=command.account_id,
                status="accepted",
                command_id=command.id,
                provider_ref=answer.provider_ref or None,
            )
        case CommandState.NOT_SENT:
            raise _not_sent(answer, command.id)
        case CommandState.REJECTED:
            said = answer.message or answer.code
            raise ApiError(
                500,
                "send_message_failed",
                f"the message was refused: {said}",
                outcome=answer.state.value,
                command_id=command.id,
            )
    raise ApiError(
        500,
        "send_message_failed",
        f"it is not known whether the message was sent ({answer.code}); do not repeat it blindly",
        outcome=CommandState.UNKNOWN.value,
        command_id=command.id,
    )


def _not_sent(answer: Answer, command_id: str | None = None) -> ApiError:
    """Provably nothing happened: the caller may try again, and is told when where the platform said so."""
    details: dict[str, Any] = {"outcome": answer.state.value, "command_id": command_id}
    if answer.code in ("rate_limited", "outbox_full"):
        return ApiError(
            429, "rate_limited", "not sent: try later", retry_after=answer.retry_after or 1, **details
        )
    if answer.code == "not_recorded":
        return ApiError(
            503, "send_message_failed", "not sent: storage is unavailable", retry_after=1, **details
        )
    return ApiError(409, "account_binding_not_found", f"not sent: {answer.code}", **details)


async def get_command(call: Call) -> schemas.Command:
    record = await call.gateway.store.command(call.path["command_id"])
    if record is None:
        raise not_found("command")
    answer = msgspec.json.decode(record.answer, type=Answer) if record.answer is not None else None
    return schemas.Command(
        id=record.id,
        account_id=record.account_id,
        outcome=record.state.value,
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
            INVALID_REQUEST,
            ErrorSpec(400, "invalid_conversation_type"),
            ErrorSpec(400, "unsupported_message_type"),
            NOT_BOUND,
            NOT_FOUND,
            ErrorSpec(429, "rate_limited"),
            ErrorSpec(501, "unsupported_by_provider"),
            ErrorSpec(502, "provider_adapter_not_found"),
        ),
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

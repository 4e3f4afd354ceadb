"""Messages: sending one, and asking what became of it."""

import msgspec
import trio

from actors.accounts import NoSuchAccount
from unifyport.files.outgoing import FileRefused
from unifyport.gateway.gateway import Gateway
from unifyport.links.reply_tokens import InvalidReplyToken
from unifyport.model.account import Account
from unifyport.model.ids import new_id
from unifyport.model.message import Answer, CommandState, OutboundMessage, SendCommand
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import SEND_REPLY, capability_to_send
from unifyport.providers.contract.errors import Rejected
from unifyport.storage.contract import AcceptCommand

from .. import schemas
from ..http.errors import NOT_FOUND, ApiError, ErrorSpec, not_found
from ..http.routing import Call, Route
from . import idempotency
from .accounts import bound_account
from .conversations import INVALID_TYPE, UNSUPPORTED_TYPE, checked_type, supported_type
from .outbound import Source, at_hand, outbound
from .platform import DEADLINE_MS, DOING, INVALID_MEDIA, checked_id, failed

RECORD_SECONDS = 5.0  # the shield around recording that a send has not begun


async def send_message(call: Call) -> schemas.SendMessageResult:
    gateway, body = call.gateway, call.body
    key = idempotency.key_of(call)
    checked_type("to.type", body.to.type)
    checked_id("to.id", body.to.id)
    message, source = outbound(body)
    account, connection = await bound_account(gateway, body.account_id)
    _check_supported(call, message, connection, account.provider)
    message.reply_to_message_id = _quoted(call, account, connection)
    now, command_id = gateway.now_ms(), new_id("cmd")
    message.client_ref = command_id
    command = SendCommand(command_id, account.id, message, deadline=now + DEADLINE_MS, created_at=now)
    try:
        rendered = connection.check(message)
    except Rejected as rejected:
        raise ApiError(400, "invalid_request", rejected.detail or rejected.reason) from None
    actor = gateway.accounts.actor(account.id)
    if actor is None or not actor.may_come_up:
        raise _not_running()
    accept = AcceptCommand(account.no, command, msgspec.json.encode(command))
    message.rendered = rendered
    if key is not None:
        accept.key, accept.body_hash = key, idempotency.hash_of(body)
    with idempotency.under_way(gateway, command.id):
        known = await idempotency.accept(call, accept)
        if known is None:
            answer = await _send(gateway, connection, command, source)
            return _result(call, command.id, account, answer)
    return _result(call, known.id, account, await idempotency.joined(call, known))


async def _send(
    gateway: Gateway, connection: ConnectionSpec, command: SendCommand, source: Source | None
) -> Answer:
    """Have it sent, its file fetched before.

    Until it is the account's, whatever goes wrong is a message not sent.
    """
    answer = Answer(CommandState.NOT_SENT, code="internal_error")
    handed_over = False
    try:
        async with at_hand(gateway, command, connection, source) as ready:
            handed_over = True
            return await gateway.accounts.call(command.account_id, ready)
    except FileRefused as refused:
        assert source is not None
        code = "disk" if refused.reason == "disk" else INVALID_MEDIA
        answer = Answer(CommandState.NOT_SENT, code=code, message=f"{source.field}: {refused}")
    except NoSuchAccount:
        answer, handed_over = Answer(CommandState.NOT_SENT, code="account_not_running"), False
    finally:
        if not handed_over:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + RECORD_SECONDS):
                await gateway.accounts.not_sent(command, answer)
    return answer


def _check_supported(call: Call, message: OutboundMessage, connection: ConnectionSpec, provider: str) -> None:
    body, connector = call.body, call.gateway.registry.connector(connection)
    if not capability_to_send(message).is_declared_by(connector):
        raise ApiError(400, "unsupported_message_type", f"{provider} cannot send {body.message.type} here")
    supported_type(connection, provider, body.to.type)
    reply = body.reply_to is not None or (body.provider_data or {}).get("reply_to") is not None
    if reply and not SEND_REPLY.is_declared_by(connector):
        raise ApiError(501, "unsupported_by_provider", f"quoted replies are not supported for {provider}")


def _quoted(call: Call, account: Account, connection: ConnectionSpec) -> str | None:
    """The message that a reply quotes: by the token of an event or of a send, or by its id."""
    body = call.body
    if body.reply_to is not None:
        return _of_token(call, account, connection, "reply_to.reply_token", body.reply_to.reply_token)
    reply = (body.provider_data or {}).get("reply_to")
    if reply is None:
        return None
    token = reply if isinstance(reply, str) else reply.get("reply_token") if isinstance(reply, dict) else None
    if token is not None:
        return _of_token(call, account, connection, "provider_data.reply_to", token)
    quoted = reply.get("message_id") if isinstance(reply, dict) else None
    if not isinstance(quoted, str):
        raise ApiError(
            400, "invalid_request", "provider_data.reply_to: a token, or an object with message_id"
        )
    return checked_id("provider_data.reply_to.message_id", quoted)


def _of_token(call: Call, account: Account, connection: ConnectionSpec, field: str, token: object) -> str:
    """A token is good for the conversation that it was given out for."""
    try:
        conversation_id, message_id = call.gateway.reply_tokens.read(account.id, str(token))
    except InvalidReplyToken:
        conversation_id = None
    if conversation_id is None or connection.canonical(conversation_id) != connection.canonical(
        call.body.to.id
    ):
        raise ApiError(400, "invalid_reply_token", f"{field}: not a token of this account and conversation")
    return message_id


def _result(call: Call, command_id: str, account: Account, answer: Answer) -> schemas.SendMessageResult:
    if answer.state is CommandState.SENT:
        to, message_id = call.body.to.id, answer.message_id
        token = call.gateway.reply_tokens.token(account.id, account.provider, to, message_id)
        return schemas.SendMessageResult(
            message_id=answer.message_id,
            account_id=account.id,
            status="accepted",
            command_id=command_id,
            provider_ref=answer.provider_ref or None,
            reply_token=token or None,
        )
    raise failed(answer, "send_message_failed", "sent", command_id)


def _not_running() -> ApiError:
    answer = Answer(CommandState.NOT_SENT, code="account_not_running")
    return failed(answer, "send_message_failed", "sent")


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
            *DOING,
            INVALID_TYPE,
            UNSUPPORTED_TYPE,
            ErrorSpec(400, "unsupported_message_type"),
            ErrorSpec(400, "invalid_reply_token"),
            idempotency.REUSED,
            idempotency.IN_USE,
        ),
        headers=(idempotency.HEADER,),
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

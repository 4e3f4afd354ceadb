"""Outcomes of commands that did not succeed, as errors."""

from typing import Any

from actors.account.admission import BUSY
from unifyport.model.message import Answer, CommandState
from unifyport.providers.contract.capabilities import NOT_FOUND_REASONS

from .errors import INVALID_REQUEST, NOT_BOUND, RATE_LIMITED, OperationFailure, UseCaseError

INVALID_MEDIA = "invalid_media"  # the file of a message cannot be had
NOT_RUNNING = "account_not_running"


def not_running() -> Answer:
    """The outcome of a command for an account that is not connected."""
    return Answer(CommandState.NOT_SENT, code=NOT_RUNNING)


def failed(answer: Answer, done: str, command_id: str | None = None) -> UseCaseError:
    """The error of a command that was not done, or whose outcome is unknown.

    `done` is a participle: what would have been done (`sent`). The error has the command's reason and, of a
    refusal, what the platform itself said.
    """
    details: dict[str, Any] = {
        "outcome": answer.state.value,
        "command_id": command_id,
        "reason": answer.code or None,
    }
    match answer.state:
        case CommandState.NOT_SENT:
            return _not_done(answer, done, details)
        case CommandState.REJECTED:
            details["provider"] = _said(answer)
            if answer.code in NOT_FOUND_REASONS:
                text = answer.message or answer.code.replace("_", " ")
                return UseCaseError(answer.code, text, **details)
            # Without a code of the platform it may be the gateway that does not know the message.
            by_platform = "the platform refused" if answer.provider_code else "refused"
            text = f"{by_platform}: {answer.message or answer.code}"
            return UseCaseError(OperationFailure.FAILED, text, **details)
    details["outcome"] = CommandState.UNKNOWN.value
    text = f"it is not known whether it was {done} ({answer.code}); do not repeat it blindly"
    return UseCaseError(OperationFailure.FAILED, text, **details)


def _not_done(answer: Answer, done: str, details: dict[str, Any]) -> UseCaseError:
    """Nothing has happened. `retry_after` is set where waiting helps."""
    if answer.code == BUSY:
        text = f"not {done}: too many commands wait for this account"
        return UseCaseError(OperationFailure.FAILED, text, retry_after=answer.retry_after, **details)
    if answer.retry_after is not None:
        text = f"not {done}: try later"
        return UseCaseError(RATE_LIMITED, text, retry_after=answer.retry_after, **details)
    if answer.code == INVALID_MEDIA:
        return UseCaseError(INVALID_REQUEST, answer.message, **details)
    match answer.code:
        case "disk":
            return UseCaseError(
                OperationFailure.FAILED, f"not {done}: {answer.message}", retry_after=5, **details
            )
        case "deadline":
            text = f"not {done}: its turn did not come in time"
            return UseCaseError(OperationFailure.FAILED, text, retry_after=1, **details)
        case "connection_replaced":
            text = f"not {done}: the connection was lost"
            return UseCaseError(OperationFailure.FAILED, text, retry_after=1, **details)
        case "internal_error":
            return UseCaseError(OperationFailure.FAILED, f"not {done}: internal error", **details)
        case "not_recorded":
            text = f"not {done}: storage is unavailable"
            return UseCaseError(OperationFailure.FAILED, text, retry_after=1, **details)
    text = f"not {done}: {answer.message or answer.code}"
    return UseCaseError(NOT_BOUND, text, **details)


def _said(answer: Answer) -> dict[str, str] | None:
    """The platform's own words; None if they are not known."""
    said = {"code": answer.provider_code, "message": answer.message}
    return {name: text for name, text in said.items() if text} or None

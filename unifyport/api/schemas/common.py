"""Shapes that every group of the contract shares."""

from typing import Any, Literal

import attrs

ProviderName = Literal["telegram", "whatsapp", "line", "twitter", "x", "zalo", "tiktok"]
RuntimeStatus = Literal[
    "unknown", "starting", "running", "stopping", "stopped", "reconnecting", "disconnected", "error"
]
FreeFormObject = dict[str, Any]


@attrs.define
class OkData:
    ok: Literal[True] = True


@attrs.define
class Health:
    """`clock`: why the wall clock is in doubt, if it is."""

    status: str
    clock: str | None = None


@attrs.define
class Clock:
    """`doubt`: why the wall clock is in doubt; `ends_in`: seconds until it no longer is, without a step."""

    in_doubt: bool
    steps: int
    doubt: str | None = None
    ends_in: int | None = None


@attrs.define
class FieldWarning:
    """What a request asked for and did not get. `path`: the field, as `message.buttons`."""

    path: str
    code: Literal["unknown_field", "no_effect", "conversation_aliased"]
    message: str


@attrs.define
class ProviderError:
    """What the platform itself said."""

    code: str | None = None
    message: str | None = None


@attrs.define
class Error:
    """`outcome` and `reason` are those of the command, where there is one.

    `warnings`: fields of the request that have no effect; a strict one is refused for them.
    """

    code: str
    message: str
    problems: list[str] | None = None
    warnings: list[FieldWarning] | None = None
    outcome: str | None = None
    command_id: str | None = None
    reason: str | None = None
    provider: ProviderError | None = None


@attrs.define
class ErrorEnvelope:
    request_id: str
    error: Error
    client_request_id: str | None = None

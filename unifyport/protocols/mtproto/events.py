"""What a session says after it has read a packet."""

import attrs

from unifyport.protocols.mtproto.rpc_errors import RpcError


@attrs.frozen
class Result:
    """The answer to a call: one object of the API, as bytes."""

    call: int
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Failure:
    """The server refused a call."""

    call: int
    error: RpcError


@attrs.frozen
class Lost:
    """It is unknown whether the server executed this call; there will be no answer. It was not `repeatable`,
    or was sent too often without being accepted.
    """

    call: int
    reason: str


@attrs.frozen
class Update:
    """An object that answers no call. The acknowledgement is queued: a gap is found by the update's own
    counters (pts), not by the session.
    """

    msg_id: int
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class SessionCreated:
    """The server knows nothing of this session from before: updates may be missing, get the difference."""


@attrs.frozen
class SaltChanged:
    """A new server salt is in use; keep it with the key."""

    salt: int


@attrs.frozen
class TimeChanged:
    """The server's clock is that many seconds ahead of ours."""

    offset: float


@attrs.frozen
class Ponged:
    ping_id: int


@attrs.frozen
class Ignored:
    """A packet or message was not used: it came before, is untimely, or is for a former session."""

    reason: str


Event = Result | Failure | Lost | Update | SessionCreated | SaltChanged | TimeChanged | Ponged | Ignored

"""What an endpoint is owed, as the store hands it to the window of its delivery actor."""

import attrs


@attrs.define
class Owed:
    """One owed event of one endpoint."""

    seq: int
    round: int
    lane: int
    attempts: int
    due: int | None
    event_id: str
    expires_at: int | None
    body: bytes
    account_no: int = 0  # 0: an event of the gateway itself


@attrs.define
class Blocked:
    """Something that waits for its retry, and its lane with it."""

    lane: int
    seq: int
    due: int
    account_no: int = 0
    round: int = 0

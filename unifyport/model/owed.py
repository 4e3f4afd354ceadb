"""Owed events, as the store gives them to the window of an endpoint's delivery actor."""

import attrs


@attrs.define
class Owed:
    """One owed event of one endpoint. `due`: see the table `delivery` in the schema."""

    seq: int
    round: int
    lane: int
    attempts: int
    due: int | None
    event_id: str
    expires_at: int | None
    body: bytes
    account_no: int = 0  # 0: an event of the gateway's own


@attrs.define
class Blocked:
    """An owed event that waits for its retry, and with it its lane."""

    lane: int
    seq: int
    due: int
    account_no: int = 0
    round: int = 0

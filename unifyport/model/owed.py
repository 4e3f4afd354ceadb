"""Owed events, as the store gives them to the window of an endpoint's delivery actor."""

from typing import NamedTuple

import attrs

LaneKey = tuple[int, int]  # (round, lane), or (round, seq) without order


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


class Stretch(NamedTuple):
    """Rows of one lane, `after` < seq <= `upto`."""

    key: LaneKey
    after: int
    upto: int


@attrs.define
class Blocked:
    """An owed event that waits for its retry, and with it its lane."""

    lane: int
    seq: int
    due: int
    account_no: int = 0
    round: int = 0
    attempts: int = 1

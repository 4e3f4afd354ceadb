"""How far XChat of an account was read: records of the session, and X's times."""

from datetime import datetime

from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.session import Session

from ..xchat.heads import number
from ..xchat.records import BEGAN

MARK = "xchat_mark"  # by conversation: the sequence id up to which all events are committed
CHECKED = ("xchat_checked", b"")  # unix ms: conversations that changed before are read
SKEW_MS = 10_000  # between X's clock and ours


async def begin(session: Session, clock: Clock) -> int:
    """When the account's first login was, in unix ms; now, if there was none. Called before anything is
    ordered at X, so that nothing that it reports is taken for history.
    """
    stored = number((await session.get(*BEGAN) or b"").decode())
    if stored is None:
        stored = clock.now_ms() - SKEW_MS
        value = str(stored).encode()
        await session.commit([SessionChange(*BEGAN, value), SessionChange(*CHECKED, value)])
    return stored


def mark_change(place: str, sequence: int) -> SessionChange:
    return SessionChange(MARK, place.encode(), str(sequence).encode())


def time_of(text: str) -> int | None:
    """RFC 3339 -> unix ms; None for anything else."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None

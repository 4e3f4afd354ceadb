"""What a login keeps of the session that it replaces, if that was of the same user.

The marks, so that what came between the two sessions is read, or told as a gap; the conversations that were
ever encrypted; what is known of conversations without encryption; and sends whose end has not come.
"""

from collections.abc import Sequence
from typing import Final

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import MAX_PAGE, Session
from unifyport.providers.records import scan_all

from ..xchat.records import SENT
from . import classic_polling
from .encrypted import ENCRYPTED
from .records import MARK, ME

_RECORDS: Final = (MARK, classic_polling.MARK)
_NAMES: Final = (ENCRYPTED, SENT, classic_polling.SENT, classic_polling.REQUEST, classic_polling.PLACE)


async def kept_of(former: Session | None, me: str) -> list[SessionChange]:
    """Empty: there was no session of the user `me`, or none that had read the inbox."""
    if former is None or await former.get(*ME) != me.encode() or await former.get(*MARK) is None:
        return []
    found = [SessionChange(*record, value) for record in _RECORDS if (value := await former.get(*record))]
    for name in _NAMES:
        found += [SessionChange(name, key, value) for key, value in await scan_all(former, name)]
    return found


async def commit_all(
    session: Session, changes: Sequence[SessionChange], last: Sequence[SessionChange]
) -> None:
    """Commit `changes` in pages, and `last` after them in one."""
    for start in range(0, len(changes), MAX_PAGE):
        await session.commit(changes[start : start + MAX_PAGE])
    await session.commit(last)

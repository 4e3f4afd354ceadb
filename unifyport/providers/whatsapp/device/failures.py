"""Messages that could not be decrypted are counted, and logged once per sender and window: a sender whose
every message fails must not fill the log.
"""

import logging
from collections import OrderedDict

import attrs
import trio

from unifyport.protocols.binary_node import Jid
from unifyport.providers.contract.counts import Counts

log = logging.getLogger(__name__)
WINDOW_SECONDS = 600.0
_SENDERS = 1024


@attrs.define
class _Window:
    ends_at: float
    silent: int = 0  # failures without a line of their own


class Failures:
    """Of one connection."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._windows: OrderedDict[Jid, _Window] = OrderedDict()  # by person

    def add(self, sender: Jid, reason: str) -> None:
        """`reason`: a word of ours. The sender is not named: log files hold no numbers."""
        self._counts.add_undecryptable(reason)
        window = self._windows.get(sender.bare)
        if window is not None and trio.current_time() < window.ends_at:
            window.silent += 1
            return
        silent = window.silent if window is not None else 0
        more = f"; {silent} more of this sender since the last such line" if silent else ""
        log.warning("whatsapp: a message could not be decrypted (%s)%s", reason, more)
        self._windows[sender.bare] = _Window(trio.current_time() + WINDOW_SECONDS)
        self._windows.move_to_end(sender.bare)
        if len(self._windows) > _SENDERS:
            self._windows.popitem(last=False)

"""Who types, for accounts that ask for it (`metadata.presence`): at most one event a second of one person."""

from collections import OrderedDict

from unifyport.model.inbound import PlatformEvent, ProviderEvent
from unifyport.providers.contract.base import ConnectorContext

PRESENCE = "presence"
_FEWEST_MS, _KEPT = 1000, 1000


class Presence:
    def __init__(self, context: ConnectorContext) -> None:
        self.wanted = PRESENCE in context.wanted
        self._counts = context.counts
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def news(self, events: list[ProviderEvent], now_ms: int) -> list[ProviderEvent]:
        """Those of a frame of actions that are told."""
        if not self.wanted:
            self._counts.add_not_asked_for(PRESENCE)
            return []
        return [event for event in events if not self._is_repeat(event, now_ms)]

    def _is_repeat(self, event: ProviderEvent, now_ms: int) -> bool:
        if not isinstance(event, PlatformEvent) or event.conversation is None or event.sender is None:
            return False
        place = event.conversation.id, event.sender.id
        if 0 <= now_ms - self._last.get(place, now_ms - _FEWEST_MS) < _FEWEST_MS:
            return True
        self._last[place] = now_ms
        self._last.move_to_end(place)
        if len(self._last) > _KEPT:
            self._last.popitem(last=False)
        return False

"""Updates of a `getUpdates` answer, a hundred of any length, as provider events: parsed in slices."""

from collections.abc import Sequence

from msgspec import Raw

from supervisors import Slices
from unifyport.model.inbound import ProviderEvent

from .parse import parse_update


async def parse_updates(updates: Sequence[Raw], bot_id: str) -> tuple[list[ProviderEvent], int | None]:
    """The provider events of a `getUpdates` answer, in order, and the highest `update_id` in it."""
    events: list[ProviderEvent] = []
    highest: int | None = None
    slices = Slices()
    for raw in updates:
        event, update_id = parse_update(bytes(raw), bot_id)
        events.append(event)
        if update_id is not None:
            highest = update_id if highest is None else max(highest, update_id)
        await slices.pause()
    return events, highest

"""Events of XChat as they are before they are opened."""

import attrs

from unifyport.model.inbound import Ignored, ProviderEvent


@attrs.frozen
class Sealed:
    """An event that X reports, in `Ignored.held`. Where no connection is up, what is committed says nothing:
    the next opening reads the event from its conversation.
    """

    encoded: str
    key_change: str


def sealed_in(event: ProviderEvent) -> Sealed | None:
    """None: it is another event."""
    return event.held if isinstance(event, Ignored) and isinstance(event.held, Sealed) else None

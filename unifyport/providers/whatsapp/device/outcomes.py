"""What reading a stanza comes to."""

from collections.abc import Awaitable, Callable

import attrs

from unifyport.model.inbound import ProviderEvent
from unifyport.protocols.binary_node import Node


@attrs.define
class Outcome:
    """`events` and the changes of the draft become durable; then `replies` are written, the acknowledgement
    last; then `later` runs, which may ask the platform.
    """

    events: list[ProviderEvent] = attrs.field(factory=list)
    replies: list[Node] = attrs.field(factory=list)
    later: list[Callable[[], Awaitable[None]]] = attrs.field(factory=list)

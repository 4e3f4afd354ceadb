"""The one error of this package."""


class ZaloProtocolError(ValueError):
    """What came is not this protocol. `reason` is one word; it never quotes what came."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

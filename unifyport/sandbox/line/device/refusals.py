"""How the talk service refuses a call."""

from unifyport.providers.line.device.structures import TalkException


class Refused(Exception):
    """`TalkException`."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.error = TalkException(code=code, reason=reason)

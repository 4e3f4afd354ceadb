"""What can be wrong with a sealed message, a key or a sealed file: nothing of it is to be trusted then."""


class LetterSealingError(Exception):
    """Base of all errors of this package."""


class Malformed(LetterSealingError):
    """Chunks, keys or content that do not have the form they must have."""


class BadSeal(LetterSealingError):
    """The seal does not fit: other keys, another sender, chat or content type, or bytes that were changed."""


class UnsupportedVersion(LetterSealingError):
    """A message of a version that is neither 1 nor 2."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} of Letter Sealing")
        self.version = version

"""What can be wrong with a message, a bundle or a stored record. Where one is raised, nothing has changed."""


class SignalError(Exception):
    """Base of all errors of this package."""


class Malformed(SignalError):
    """Bytes that are no message, key or record: version, protobuf, length, point, padding."""


class NoSession(SignalError):
    """There is no session, or no sender key of this id: a bundle, a distribution or a retry is needed."""


class Duplicate(SignalError):
    """The key of this counter has been used: the message was decrypted before. Acknowledge it, no retry."""

    def __init__(self, counter: int) -> None:
        super().__init__(f"message {counter} of its chain was decrypted before")
        self.counter = counter


class KeyGone(SignalError):
    """The key of this counter is not kept any more: used, or skipped so long ago that it was dropped.

    Which of the two, this package cannot know. A message that is committed already is a duplicate, every
    other one needs a retry receipt.
    """

    def __init__(self, counter: int) -> None:
        super().__init__(f"the key of message {counter} is not kept any more")
        self.counter = counter


class TooFarAhead(SignalError):
    """The message is more than `MAX_AHEAD` ahead of its chain: a new session or distribution is needed."""

    def __init__(self, ahead: int) -> None:
        super().__init__(f"message is {ahead} ahead of its chain")
        self.ahead = ahead


class BadMac(SignalError):
    """No session of the record authenticates this message: damaged, forged, or of a session that is lost."""


class BadSignature(SignalError):
    """A signed prekey or a sender key message is not signed by the key that it must be signed by."""


class IdentityChanged(SignalError):
    """The peer's identity key is not the one that the record knows (a reinstall, or an attack).

    To trust it, go on with `record.forget_identity()`; sessions under the former identity are lost.
    """

    def __init__(self, identity: bytes) -> None:
        super().__init__("the identity key of the peer has changed")
        self.identity = identity


class UnknownPreKey(SignalError):
    """A message names a one-time prekey that we do not have: used before, or never ours."""

    def __init__(self, prekey_id: int) -> None:
        super().__init__(f"no prekey {prekey_id}")
        self.prekey_id = prekey_id


class UnknownSignedPreKey(SignalError):
    """A message names a signed prekey that we do not have any more."""

    def __init__(self, signed_prekey_id: int) -> None:
        super().__init__(f"no signed prekey {signed_prekey_id}")
        self.signed_prekey_id = signed_prekey_id

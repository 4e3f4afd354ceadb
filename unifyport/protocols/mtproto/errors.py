"""What can be wrong with the peer's bytes, and with a call. An error of the peer's bytes ends the connection,
not the login. `TooManyCalls` ends nothing.
"""


class MTProtoError(Exception):
    """Base of all errors of this package."""


class Malformed(MTProtoError):
    """Bytes that are no packet or message of this protocol, or more of them than is allowed."""


class SecurityError(MTProtoError):
    """A check of https://core.telegram.org/mtproto/security_guidelines failed: nothing is used."""


class TransportFailure(MTProtoError):
    """The server answered with a transport error in place of a packet.

    `code` is positive: 404 (the server does not know the authorization key), 429 (too many connections),
    444 (no such data centre); https://core.telegram.org/mtproto/mtproto-transports#transport-errors.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the server answered with transport error {code}")
        self.code = code


class ExchangeFailed(MTProtoError):
    """The server refused to make an authorization key: try again with a new exchange."""


class TooManyCalls(MTProtoError):
    """More calls are unanswered than a session keeps. Nothing was queued."""

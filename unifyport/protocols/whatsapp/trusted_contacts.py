"""Tokens with which an account may write to a user who never wrote to it; without one the platform answers
error 463.

A `tctoken` is given by the other user, kept under the LID, and valid for four buckets of seven days, counted
from the epoch. A `cstoken` is made from a salt that the phone's history gives. Facts: whatsmeow `tctoken.go`,
`cstoken.go` (https://github.com/tulir/whatsmeow).
"""

import hmac
from typing import Final

from unifyport.protocols.binary_node import Jid

BUCKET: Final = 7 * 24 * 3600  # seconds
BUCKETS: Final = 4


def is_valid(given_at: float, now: float) -> bool:
    """True if a tctoken given at that time may still be sent; Unix seconds."""
    return given_at > 0 and given_at >= (now // BUCKET - (BUCKETS - 1)) * BUCKET


def is_due(issued_at: float, now: float) -> bool:
    """True if the own token for a user is to be issued again: once a bucket, when a message is sent. An issue
    in a later bucket is of a clock that was wrong.
    """
    return now // BUCKET != issued_at // BUCKET


def cs_token(salt: bytes, recipient: Jid) -> bytes:
    """The cstoken for a user, who is named by the LID."""
    return hmac.digest(salt, str(recipient.bare).encode(), "sha256")

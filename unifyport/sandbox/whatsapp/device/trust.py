"""The server's keys: a root that clients are told to trust, and the certificates under it."""

import time

from unifyport.protocols.curve import KeyPair
from unifyport.protocols.whatsapp.certificates import issue_chain

LIFE_SECONDS = 365 * 86_400


class ServerKeys:
    """`root`: the trust anchor. `static`: the server's Noise key. `chain`: the certificates, as sent."""

    def __init__(self) -> None:
        self.root = KeyPair.generate()
        self.static = KeyPair.generate()
        self.issue(self.static.public)

    def issue(self, key: bytes) -> None:
        """Make certificates for a key; for another key than `static` they prove nothing."""
        now = int(time.time())
        self.chain = issue_chain(self.root, key, not_before=now - 3600, not_after=now + LIFE_SECONDS)

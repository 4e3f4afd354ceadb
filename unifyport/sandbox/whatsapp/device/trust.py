"""The server's keys: a root that clients are told to trust, and the certificates under it."""

import time

from unifyport.protocols.curve import KeyPair, sign
from unifyport.protocols.whatsapp.login_pb2 import CertChain

_LIFE = 365 * 86_400


class ServerKeys:
    """`root`: the trust anchor. `static`: the server's Noise key. `chain`: the certificates, as sent."""

    def __init__(self) -> None:
        self.root = KeyPair.generate()
        self.static = KeyPair.generate()
        self.chain = certificate_chain(self.root, self.static.public)


def certificate_chain(root: KeyPair, static: bytes, *, leaf_key: bytes | None = None) -> bytes:
    """Certificates for the key `static`; with `leaf_key` in the leaf instead of it, they are a forgery."""
    intermediate = KeyPair.generate()
    now = int(time.time())
    Details = CertChain.NoiseCertificate.Details
    details = Details(
        serial=1, issuerSerial=0, key=intermediate.public, notBefore=now - 60, notAfter=now + _LIFE
    )
    leaf = Details(serial=2, issuerSerial=1, key=leaf_key or static, notBefore=now - 60, notAfter=now + _LIFE)
    chain = CertChain()
    chain.intermediate.details = details.SerializeToString()
    chain.intermediate.signature = sign(root.private, chain.intermediate.details)
    chain.leaf.details = leaf.SerializeToString()
    chain.leaf.signature = sign(intermediate.private, chain.leaf.details)
    return chain.SerializeToString()

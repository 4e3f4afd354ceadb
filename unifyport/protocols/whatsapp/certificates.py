"""The certificate chain of the platform's static Noise key: root (pinned) > intermediate > leaf.

Each certificate's details are signed with XEdDSA by the one above it. The leaf's key must be the static key
of the handshake: a chain is sent to every client, and another server could replay it. Facts: whatsmeow
`handshake.go` (https://github.com/tulir/whatsmeow).
"""

import hmac
from typing import Final

from google.protobuf.message import DecodeError

from unifyport.protocols.curve import KEY_SIZE, KeyPair, sign, verify
from unifyport.protocols.whatsapp.login_pb2 import CertChain

ROOT_SERIAL: Final = 0
_Certificate = CertChain.NoiseCertificate
_Details = CertChain.NoiseCertificate.Details


class UntrustedServer(Exception):
    """The peer's certificate chain does not lead from the pinned root key to its static key."""


def verify_chain(chain: bytes, static: bytes, *, root: bytes, now: float) -> None:
    """Check the chain that came with the static key `static`. Raises `UntrustedServer`, saying what is wrong.

    `root` is the pinned public key (32 bytes), `now` Unix seconds.
    """
    try:
        parsed = CertChain.FromString(chain)
        intermediate = _checked(parsed.intermediate, "intermediate", root, now)
        if intermediate.issuerSerial != ROOT_SERIAL:
            raise UntrustedServer(f"The intermediate certificate was issued by {intermediate.issuerSerial}")
        leaf = _checked(parsed.leaf, "leaf", intermediate.key, now)
    except DecodeError as error:
        raise UntrustedServer("The certificate chain cannot be read") from error
    if leaf.issuerSerial != intermediate.serial:
        raise UntrustedServer("The leaf certificate was issued by another intermediate one")
    if not hmac.compare_digest(leaf.key, static):
        raise UntrustedServer("The leaf certificate is of another key")


def issue_chain(root: KeyPair, static: bytes, *, not_before: int, not_after: int) -> bytes:
    """A chain for the static key `static`, as a platform has it whose trust anchor is `root`; for the
    sandbox.
    """
    intermediate = KeyPair.generate()
    middle = _Details(
        serial=1, issuerSerial=ROOT_SERIAL, key=intermediate.public, notBefore=not_before, notAfter=not_after
    )
    leaf = _Details(serial=2, issuerSerial=1, key=static, notBefore=not_before, notAfter=not_after)
    return CertChain(leaf=_signed(leaf, intermediate), intermediate=_signed(middle, root)).SerializeToString()


def _checked(certificate: _Certificate, name: str, issuer: bytes, now: float) -> _Details:
    if not verify(issuer, certificate.details, certificate.signature):
        raise UntrustedServer(f"The signature of the {name} certificate is wrong")
    details = _Details.FromString(certificate.details)
    if len(details.key) != KEY_SIZE:
        raise UntrustedServer(f"The key of the {name} certificate has {len(details.key)} bytes")
    if not details.notBefore <= now <= details.notAfter:
        raise UntrustedServer(
            f"The {name} certificate is valid from {details.notBefore} to {details.notAfter}; it is {now:.0f}"
        )
    return details


def _signed(details: _Details, issuer: KeyPair) -> _Certificate:
    body = details.SerializeToString()
    return _Certificate(details=body, signature=sign(issuer.private, body))

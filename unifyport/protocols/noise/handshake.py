"""The XX handshake: both sides show their static key, the initiator last.

    message    who writes it    tokens           what it holds
    -------    -------------    -------------    ------------------------------------------------------
    1          initiator        e                ephemeral key, payload in the clear
    2          responder        e, ee, s, es     ephemeral key, encrypted static key, encrypted payload
    3          initiator        s, se            encrypted static key, encrypted payload

Section 7.5 of https://noiseprotocol.org/noise.html. `write` and `read` take a message in its three parts, as
protocols that frame them by themselves (protobuf) want it; `write_message` and `read_message` take one string
of bytes. WhatsApp's first message has no payload, where Noise has at least an empty one, which changes the
hash: `payload=None`. A handshake writes and reads its three messages once each, in their order (else
`RuntimeError`, a bug of the caller); after a `NoiseError` it is over. `finish` gives the ciphers.
"""

from typing import Literal

import attrs

from unifyport.protocols.curve import KEY_SIZE, InvalidKey, KeyPair, agree
from unifyport.protocols.noise.state import TAG_SIZE, NoiseError, SymmetricState
from unifyport.protocols.noise.transport import Transport

PROTOCOL = b"Noise_XX_25519_AESGCM_SHA256"
_Step = Literal["e", "s", "ee", "es", "se"]
_MESSAGES: tuple[tuple[_Step, ...], ...] = (("e",), ("e", "ee", "s", "es"), ("s", "se"))


@attrs.frozen
class Part:
    """One handshake message.

    `ephemeral` is in the clear, `static` is encrypted (48 bytes); both are empty where the message has none.
    `payload` is None where there is none, not even an empty one.
    """

    ephemeral: bytes = b""
    static: bytes = b""
    payload: bytes | None = b""


class Handshake:
    """One side of one handshake; use `Initiator` or `Responder`."""

    _writes_first: bool

    def __init__(self, static: KeyPair, prologue: bytes = b"", *, ephemeral: KeyPair | None = None) -> None:
        """`ephemeral` is given by tests with vectors only; without it a fresh one is made."""
        self._static = static
        self._ephemeral = ephemeral or KeyPair.generate()
        self._remote_ephemeral = b""
        self.remote_static = b""  # 32 bytes once the peer has shown it
        self._state = SymmetricState(PROTOCOL)
        self._state.mix_hash(prologue)
        self._next = 0

    @property
    def is_finished(self) -> bool:
        return self._next == len(_MESSAGES)

    def write(self, payload: bytes | None = b"") -> Part:
        """The next message, which this side writes. `payload` is None in the first message at most."""
        ephemeral = static = b""
        for step in self._begin(writes=True):
            if step == "e":
                ephemeral = self._ephemeral.public
                self._state.mix_hash(ephemeral)
            elif step == "s":
                static = self._state.encrypt_and_hash(self._static.public)
            else:
                self._mix(step)
        return Part(ephemeral, static, None if payload is None else self._state.encrypt_and_hash(payload))

    def read(self, part: Part) -> bytes:
        """The payload of the next message, which the peer wrote; empty without one. Raises `NoiseError`."""
        for step in self._begin(writes=False):
            if step == "e":
                self._remote_ephemeral = _key(part.ephemeral)
                self._state.mix_hash(part.ephemeral)
            elif step == "s":
                self.remote_static = _key(self._state.decrypt_and_hash(part.static))
            else:
                self._mix(step)
        if part.payload is None and self._next == 1:
            return b""
        return self._state.decrypt_and_hash(part.payload or b"")

    def write_message(self, payload: bytes = b"") -> bytes:
        part = self.write(payload)
        return part.ephemeral + part.static + (part.payload or b"")

    def read_message(self, message: bytes) -> bytes:
        tokens = _MESSAGES[self._next] if not self.is_finished else ()
        ephemeral = KEY_SIZE if "e" in tokens else 0
        static = KEY_SIZE + TAG_SIZE if "s" in tokens else 0
        rest = message[ephemeral:]
        return self.read(Part(message[:ephemeral], rest[:static], rest[static:]))

    def finish(self) -> Transport:
        """The ciphers of both directions, once all three messages have passed."""
        if not self.is_finished:
            raise RuntimeError("The handshake is not finished")
        initiator, responder = self._state.split()
        outgoing, incoming = (initiator, responder) if self._writes_first else (responder, initiator)
        return Transport(outgoing, incoming, self._state.hash)

    def _begin(self, *, writes: bool) -> tuple[_Step, ...]:
        if self.is_finished or (self._next % 2 == 0) is not (self._writes_first is writes):
            raise RuntimeError("This message is not the next one of the handshake")
        self._next += 1
        return _MESSAGES[self._next - 1]

    def _mix(self, step: _Step) -> None:
        """Mix a Diffie-Hellman secret; the first letter names the initiator's key, the second the
        responder's.
        """
        mine, theirs = (step[0], step[1]) if self._writes_first else (step[1], step[0])
        private = (self._ephemeral if mine == "e" else self._static).private
        try:
            self._state.mix_key(
                agree(private, self._remote_ephemeral if theirs == "e" else self.remote_static)
            )
        except InvalidKey as error:
            raise NoiseError("The peer's key is of low order") from error


class Initiator(Handshake):
    """The side that writes first: the client."""

    _writes_first = True


class Responder(Handshake):
    """The side that answers: the server."""

    _writes_first = False


def _key(data: bytes) -> bytes:
    if len(data) != KEY_SIZE:
        raise NoiseError(f"A key of the handshake is {KEY_SIZE} bytes long, not {len(data)}")
    return data

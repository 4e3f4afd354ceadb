"""A connection from its first byte: the Noise handshake in its protobuf frames, then one encrypted frame a
stanza.

    client                                        server
    ------------------------------------------    ----------------------------------------------
    prologue, clientHello (ephemeral)         ->
                                              <-  serverHello (ephemeral, static, certificates)
    clientFinish (static, client payload)     ->
    stanzas, each sealed                     <->  stanzas, each sealed

Facts: whatsmeow `handshake.go`, `socket/` (https://github.com/tulir/whatsmeow). Sans-IO: bytes in, bytes out.
"""

import attrs
from google.protobuf.message import DecodeError

from unifyport.protocols.curve import KeyPair
from unifyport.protocols.noise import Initiator, NoiseError, Responder, Transport
from unifyport.protocols.noise.handshake import Part
from unifyport.protocols.whatsapp.certificates import verify_chain
from unifyport.protocols.whatsapp.frames import PROLOGUE, intro, to_frame
from unifyport.protocols.whatsapp.login_pb2 import HandshakeMessage


@attrs.frozen
class Channel:
    """The encrypted connection. Frames are sealed once each, in the order in which they are written."""

    _transport: Transport

    def seal(self, stanza: bytes) -> bytes:
        """The frame, with its length, that holds this stanza."""
        return to_frame(self._transport.encrypt(stanza))

    def open(self, frame: bytes) -> bytes:
        """The stanza of a frame. Raises `NoiseError` for one that was changed, replayed or reordered."""
        return self._transport.decrypt(frame)


class ClientHandshake:
    """The client's side. `channel` is there after `respond`."""

    channel: Channel

    def __init__(self, noise: KeyPair, root: bytes, *, routing: bytes = b"") -> None:
        """`noise` is the device's own static key, `root` the pinned key of the platform (32 bytes)."""
        self._noise = Initiator(noise, PROLOGUE)
        self._root = root
        self._routing = routing

    def hello(self) -> bytes:
        """The first bytes of the connection."""
        part = self._noise.write(None)
        message = HandshakeMessage(clientHello=HandshakeMessage.ClientHello(ephemeral=part.ephemeral))
        return intro(self._routing) + to_frame(message.SerializeToString())

    def respond(self, frame: bytes, payload: bytes, *, now: float) -> bytes:
        """Check the server's hello and answer it with `payload`, a serialised `ClientPayload`.

        Raises `NoiseError`, and `UntrustedServer` for a wrong certificate chain: then nothing is to be
        written.
        """
        hello = _read(frame, "serverHello").serverHello
        chain = self._noise.read(Part(hello.ephemeral, hello.static, hello.payload))
        verify_chain(chain, self._noise.remote_static, root=self._root, now=now)
        part = self._noise.write(payload)
        finish = HandshakeMessage.ClientFinish(static=part.static, payload=part.payload)
        self.channel = Channel(self._noise.finish())
        return to_frame(HandshakeMessage(clientFinish=finish).SerializeToString())


class ServerHandshake:
    """The server's side, for the sandbox. `channel` and `client_static` are there after `finish`."""

    channel: Channel

    def __init__(self, static: KeyPair, chain: bytes) -> None:
        """`chain` is what `certificates.issue_chain` made for `static`."""
        self._noise = Responder(static, PROLOGUE)
        self._chain = chain

    @property
    def client_static(self) -> bytes:
        return self._noise.remote_static

    def reply(self, frame: bytes) -> bytes:
        """The answer to the client's hello. Raises `NoiseError`."""
        hello = _read(frame, "clientHello").clientHello
        self._noise.read(Part(hello.ephemeral, payload=None))
        part = self._noise.write(self._chain)
        answer = HandshakeMessage.ServerHello(
            ephemeral=part.ephemeral, static=part.static, payload=part.payload
        )
        return to_frame(HandshakeMessage(serverHello=answer).SerializeToString())

    def finish(self, frame: bytes) -> bytes:
        """The client's payload, a serialised `ClientPayload`. Raises `NoiseError`."""
        finish = _read(frame, "clientFinish").clientFinish
        payload = self._noise.read(Part(static=finish.static, payload=finish.payload))
        self.channel = Channel(self._noise.finish())
        return payload


def _read(frame: bytes, name: str) -> HandshakeMessage:
    try:
        message = HandshakeMessage.FromString(frame)
    except DecodeError as error:
        raise NoiseError("A handshake message cannot be read") from error
    if not message.HasField(name):
        raise NoiseError(f"The handshake has no {name}")
    return message

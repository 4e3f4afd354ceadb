"""A device with as little of WhatsApp's protocol as the sandbox's relay needs, for tests of the relay."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import trio
import trio_websocket

from unifyport.protocols.binary_node import Node, decode, encode
from unifyport.protocols.curve import KeyPair, sign
from unifyport.protocols.whatsapp.connection import ClientHandshake
from unifyport.protocols.whatsapp.frames import FrameReader
from unifyport.protocols.whatsapp.login_pb2 import ClientPayload
from unifyport.protocols.whatsapp.pairing import accept_pairing, qr_text
from unifyport.sandbox.serving import bind
from unifyport.sandbox.whatsapp.device.platform import DevicePlatform

ALICE, BOB = "6591110001", "6592220002"
Registration = ClientPayload.DevicePairingRegistrationData


class Device:
    """A device with as little as the relay needs."""

    def __init__(self) -> None:
        self.noise, self.identity, self.signed = (KeyPair.generate() for _ in range(3))
        self.secret = bytes(32)
        self.number = 0

    def registration(self) -> ClientPayload:
        signature = sign(self.identity.private, b"\x05" + self.signed.public)
        data = Registration(
            eRegid=bytes(4),
            eIdent=self.identity.public,
            eSkeyID=b"\0\0\1",
            eSkeyVal=self.signed.public,
            eSkeySig=signature,
        )
        return ClientPayload(devicePairingData=data)

    def code(self, ref: Node) -> str:
        """What the device shows for this ref."""
        identity = self.identity.public
        text = ref.text_of() or ""
        return qr_text(text, noise=self.noise.public, identity=identity, adv_secret=self.secret)

    def login(self, phone: str = ALICE, counter: int = 0) -> ClientPayload:
        return ClientPayload(username=int(phone), device=self.number, lc=counter)


class Wire:
    """An open connection after the handshake."""

    def __init__(self, websocket: Any, handshake: ClientHandshake, reader: FrameReader) -> None:
        self._websocket = websocket
        self._channel = handshake.channel
        self._reader = reader
        self._frames: list[bytes] = []

    async def send(self, node: Node) -> None:
        await self._websocket.send_message(self._channel.seal(encode(node)))

    async def raw(self, data: bytes) -> None:
        await self._websocket.send_message(data)

    async def receive(self, tag: str) -> Node:
        """The next stanza with this tag; others are skipped."""
        with trio.fail_after(5):
            while True:
                while not self._frames:
                    self._frames += self._reader.feed(await self._websocket.get_message())
                node = decode(self._channel.open(self._frames.pop(0)))
                if node.tag == tag:
                    return node

    async def ask(self, xmlns: str, type: str, *content: Node, to: str = "s.whatsapp.net") -> Node:
        await self.send(Node("iq", {"id": "1", "to": to, "type": type, "xmlns": xmlns}, content))
        return await self.receive("iq")


@contextlib.asynccontextmanager
async def relay() -> AsyncIterator[DevicePlatform]:
    platform = DevicePlatform()
    async with trio.open_nursery() as nursery:
        addresses = {}
        for protocol in platform.protocols:
            listener = bind("127.0.0.1", 0)
            addresses[protocol.name] = protocol.address_at(listener)
            nursery.start_soon(protocol.serve, listener)
        platform.endpoints(addresses)
        yield platform
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def connected(platform: DevicePlatform, device: Device, payload: ClientPayload) -> AsyncIterator[Wire]:
    async with trio_websocket.open_websocket_url(platform.addresses["device_url"]) as websocket:
        handshake = ClientHandshake(device.noise, bytes.fromhex(platform.addresses["device_root_key"]))
        await websocket.send_message(handshake.hello())
        reader = FrameReader()
        frames: list[bytes] = []
        while not frames:
            data = await websocket.get_message()
            assert isinstance(data, bytes)
            frames = reader.feed(data)
        answer = handshake.respond(frames[0], payload.SerializeToString(), now=1_900_000_000.0)
        await websocket.send_message(answer)
        yield Wire(websocket, handshake, reader)


async def link(platform: DevicePlatform, phone: str = ALICE) -> Device:
    """A device that is linked to the account."""
    device = Device()
    account = platform.relay.account(phone)
    async with connected(platform, device, device.registration()) as wire:
        asked = await wire.receive("iq")
        ref = asked.child("pair-device", "ref")
        assert ref is not None
        platform.relay.pairing.scan(device.code(ref), account)
        success = await wire.receive("iq")
        identity = success.bytes_of("pair-success", "device-identity") or b""
        paired = accept_pairing(identity, adv_secret=device.secret, identity=device.identity)
        signed = Node("device-identity", {"key-index": str(paired.key_index)}, paired.reply)
        attrs = {"id": success.get("id"), "to": "s.whatsapp.net", "type": "result"}
        await wire.send(Node("iq", attrs, [Node("pair-device-sign", {}, [signed])]))
        assert (await wire.receive("stream:error")).get("code") == "515"
        device.number = paired.key_index
    return device


def message(to: str, id: str = "M1", participants: tuple[str, ...] = (), **attrs: str) -> Node:
    enc = Node("enc", {"v": "2", "type": "msg"}, b"ciphertext")
    named = [Node("to", {"jid": jid}, [enc]) for jid in participants]
    return Node("message", {"id": id, "to": to, "type": "text", **attrs}, [Node("participants", {}, named)])

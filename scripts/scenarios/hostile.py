"""Hostile callers for `scripts/chaos front`, in a process of their own.

They come from several addresses of loopback, so that what one peer may have does not stop them.
"""

import contextlib
import os
import random
import resource
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

import attrs
import click
import trio

ADDRESSES = [f"127.0.0.{n}" for n in range(2, 6)]
AGAIN = 0.5  # seconds before a caller that was cut off comes back
BODY = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
_GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
_LOST = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


@attrs.define
class Callers:
    port: int
    made: int = 0  # connections

    async def connect(self) -> trio.SocketStream:
        source = random.choice(ADDRESSES)
        stream = await trio.open_tcp_stream("127.0.0.1", self.port, local_address=source)
        self.made += 1
        return stream

    async def close_at_once(self) -> None:
        """Connect, send nothing or a part of a request, and close or reset."""
        async with await self.connect() as stream:
            await stream.send_all(
                random.choice([b"", b"GET", _GET % b"/healthz", b"\x16\x03\x01", b"x\r\n\r\n"])
            )
            if random.random() < 0.5:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def stay_idle(self) -> None:
        async with await self.connect() as stream:
            await stream.receive_some(1)

    async def withhold_a_byte(self) -> None:
        """Send the body of a webhook for an account that does not exist, but for its last byte."""
        head = b"POST /ingress/whatsapp/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BODY
        async with await self.connect() as stream:
            await stream.send_all(head + b"x" * (BODY - 1))
            while await stream.receive_some(4096):
                pass

    async def send_a_head_slowly(self) -> None:
        async with await self.connect() as stream:
            for byte in _GET % b"/healthz":
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.5)

    async def read_slowly(self) -> None:
        """Ask for long answers, and take a byte a second of them."""
        async with await self.connect() as stream:
            await stream.send_all(_GET % b"/openapi.json" * 20)
            while await stream.receive_some(1):
                await trio.sleep(1)

    async def pipeline(self) -> None:
        """100 requests at once, and their answers."""
        async with await self.connect() as stream:
            await stream.send_all(_GET % b"/healthz" * 99 + b"GET /healthz HTTP/1.0\r\n\r\n")
            while await stream.receive_some(65536):
                pass

    async def send_tiny_chunks(self) -> None:
        head = b"POST /ingress/whatsapp/nobody HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with await self.connect() as stream:
            await stream.send_all(head)
            for _ in range(100):
                await stream.send_all(b"1\r\nx\r\n" * 10_000)

    async def shake_hands(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with await self.connect() as stream:
            await trio.SSLStream(stream, context).do_handshake()

    async def stall_a_handshake(self) -> None:
        async with await self.connect() as stream:
            await stream.send_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            await stream.receive_some(1)


@attrs.frozen
class Attack:
    """`callers` at a time, each again `pause` seconds after its connection has ended."""

    call: Callable[[Callers], Awaitable[None]]
    callers: int
    pause: float = AGAIN


ATTACKS = {
    "none": Attack(Callers.stay_idle, 1),
    "closing": Attack(Callers.close_at_once, 1_100),
    "idle": Attack(Callers.stay_idle, 1_100),
    "bodies": Attack(Callers.withhold_a_byte, 1_150),
    "slow heads": Attack(Callers.send_a_head_slowly, 1_100),
    "slow readers": Attack(Callers.read_slowly, 300),
    "pipelined": Attack(Callers.pipeline, 100),
    "tiny chunks": Attack(Callers.send_tiny_chunks, 4),
}
TLS_ATTACKS = {
    "handshakes": Attack(Callers.shake_hands, 100, 0.5),  # 200 a second
    "stalled handshakes": Attack(Callers.stall_a_handshake, 1_100),
}


async def attack(name: str, port: int, seconds: float, scale: float) -> int:
    """The connections that were made."""
    kind = (ATTACKS | TLS_ATTACKS)[name]
    callers = Callers(port)

    async def one() -> None:
        await trio.sleep(random.random() * kind.pause)
        while True:
            with contextlib.suppress(*_LOST):
                await kind.call(callers)
            await trio.sleep(kind.pause)

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(max(1, round(kind.callers * scale))):
                nursery.start_soon(one)
    return callers.made


@click.command()
@click.argument("name", type=click.Choice([*ATTACKS, *TLS_ATTACKS]))
@click.option("--port", type=int, required=True)
@click.option("--seconds", type=float, required=True)
@click.option("--scale", type=float, default=1.0)
def main(name: str, port: int, seconds: float, scale: float) -> None:
    """Attack a gateway for some seconds; print how many connections were made."""
    os.nice(5)  # the process that measures shares this core
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    click.echo(trio.run(attack, name, port, seconds, scale))


if __name__ == "__main__":
    main()

"""A web server with pictures, over TLS, as the addresses of avatars must be."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import trio

from tests.tls import Authority

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(500)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


@attrs.define
class Pictures:
    """`files`: by path. `settings`: lines of `[security]` that let a gateway fetch them."""

    url: str
    settings: str
    files: dict[str, bytes] = attrs.field(factory=dict)
    asked: int = 0

    async def answer(self, stream: trio.abc.Stream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(4096) or b"\r\n\r\n"
        self.asked += 1
        content = self.files.get(head.split(b" ")[1].decode()) if b" " in head else None
        status = "200 OK" if content is not None else "404 Not Found"
        length = f"content-length: {len(content or b'')}\r\nconnection: close\r\n\r\n"
        with contextlib.suppress(trio.BrokenResourceError):  # the gateway closes when a file is too large
            await stream.send_all(f"HTTP/1.1 {status}\r\n{length}".encode() + (content or b""))
            await stream.aclose()


@contextlib.asynccontextmanager
async def pictures(directory: Path) -> AsyncIterator[Pictures]:
    """`/a.jpg`, `/a.png`, `/a.txt` and `/large.jpg`."""
    authority = Authority(directory)
    async with trio.open_nursery() as nursery:
        listening = await trio.open_ssl_over_tcp_listeners(0, authority.server("127.0.0.1"), host="127.0.0.1")
        [plain] = [each.transport_listener for each in listening]
        assert isinstance(plain, trio.SocketListener)
        port = plain.socket.getsockname()[1]
        settings = f'ca_file = "{authority.ca}"\nmedia_allow = ["127.0.0.0/8"]\n'
        made = Pictures(f"https://127.0.0.1:{port}", settings)
        made.files = {"/a.jpg": JPEG, "/a.png": PNG, "/a.txt": b"no picture", "/empty.jpg": b""}
        made.files["/large.jpg"] = JPEG + bytes(6 * 1024 * 1024)
        nursery.start_soon(trio.serve_listeners, made.answer, listening)
        yield made
        nursery.cancel_scope.cancel()

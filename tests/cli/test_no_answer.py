"""What a command says when nothing that it understands answers at the URL."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner

from unifyport.cli import main

_REFUSAL = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"  # of TLS: fatal, protocol version


@pytest.fixture
def peer() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that answers its first request with these bytes; returns its address."""
    sockets: list[socket.socket] = []

    def start(reply: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        threading.Thread(target=answer, args=(listener, reply), daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def answer(listener: socket.socket, reply: bytes) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(4096)
            connection.sendall(reply)

    yield start
    for each in sockets:
        each.close()


def said(url: str) -> str:
    done = CliRunner().invoke(main, ["status", "--url", url, "--api-key", "dk_live_x"])
    assert done.exit_code == 1
    return done.stderr


def test_the_wrong_scheme_is_named(peer: Callable[[bytes], str]) -> None:
    assert "does it speak plain http?" in said(f"https://{peer(_REFUSAL)}")
    assert "does it speak TLS?" in said(f"http://{peer(_ALERT)}")
    assert "does it speak TLS?" in said(f"http://{peer(b'')}")
    for url in ("localhost:8080", "ftp://localhost"):
        assert "a URL begins with http:// or https://" in said(url)


def test_a_server_that_is_not_there_is_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "is 'unifyport serve' running?" in said(f"http://127.0.0.1:{port}")

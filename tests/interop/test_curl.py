"""curl judges which heads of an answer are read: what it accepts of a receiver, a delivery accepts."""

import shutil
import socket
import subprocess
import threading

import pytest

from tests.net.test_answer import LENIENT, read

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


@pytest.mark.parametrize("data", LENIENT.values(), ids=LENIENT.keys())
def test_curl_reads_the_same_status(data: tuple[bytes, object]) -> None:
    assert curl(data[0]) == read([data[0]]).status


def curl(answer: bytes) -> int:
    """The status that curl finds in an answer. Raises for one that it refuses."""

    def serve() -> None:
        with listening.accept()[0] as connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(4096)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        arguments = ["curl", "--silent", "--noproxy", "*", "--max-time", "10", "--output", "/dev/null"]
        found = subprocess.run(
            [*arguments, "--write-out", "%{http_code}", url], capture_output=True, text=True, check=True
        )
        thread.join(10)
    return int(found.stdout)

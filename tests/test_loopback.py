"""The fixture that keeps tests on this machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback import is_local

INSIDE = """
import socket, trio

def test_sockets():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(b"", server.getsockname())
            datagrams.sendmsg([b""], [], 0, server.getsockname())

async def test_trio():
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, await trio.open_tcp_stream(*listener.socket.getsockname()):
        pass

def test_unix(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
"""
OUTSIDE = {
    "connect": 'socket.socket().connect(("192.0.2.1", 80))',
    "connect_ex": 'socket.socket().connect_ex(("192.0.2.1", 80))',
    "six": 'socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80))',
    "name": 'socket.socket().connect(("api.example", 80))',
    "sendto": 'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))',
    "flags": 'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", 0, ("192.0.2.1", 53))',
    "sendmsg": 'socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("192.0.2.1", 53))',
    "trio": 'trio.run(trio.open_tcp_stream, "192.0.2.1", 443)',
    "thread": """
    thread = threading.Thread(target=lambda: socket.socket().connect_ex(("192.0.2.1", 80)))
    thread.start()
    thread.join()""",
}


def run(directory: Path, text: str) -> "subprocess.CompletedProcess[str]":
    (directory / "test_it.py").write_text(text)
    options = ["-p", "tests.loopback", "-p", "no:cacheprovider", "-o", "trio_mode=true", "-q", "-rA"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "--rootdir",
            str(directory),
            str(directory / "test_it.py"),
        ],
        cwd=Path(__file__).parents[1],
        env={"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_stays_on_this_machine_is_not_hindered(tmp_path: Path) -> None:
    done = run(tmp_path, INSIDE)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_what_leaves_it_fails_its_test_even_if_the_error_is_handled(tmp_path: Path) -> None:
    head = "import contextlib, socket, threading, trio\n"
    tests = [
        f"def test_{name}():\n    with contextlib.suppress(OSError):\n        "
        + action.strip().replace("\n    ", "\n        ")
        + f"\ndef test_after_{name}():\n    pass\n"
        for name, action in OUTSIDE.items()
    ]
    done = run(tmp_path, head + "".join(tests))
    assert done.returncode == 1, done.stdout
    failed = re.findall(r"^ERROR .*::test_(\w+)", done.stdout, re.MULTILINE)
    assert failed == [*OUTSIDE], done.stdout
    assert done.stdout.count("not of this machine: ") == len(OUTSIDE), done.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::", "0.0.0.0", "", "::ffff:127.0.0.1"])
def test_addresses_of_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "fe80::1%lo", "::ffff:10.0.0.1", "example.org", "169.254.1.1"])
def test_other_addresses(host: str) -> None:
    assert not is_local(host)


def test_it_is_in_force_here(request: pytest.FixtureRequest) -> None:
    assert "only_loopback" in request.fixturenames

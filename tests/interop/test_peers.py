"""Peers load their own modules: nothing of our environment leads them to ours."""

import sys

import pytest

from . import peers

pytestmark = pytest.mark.interop

SAY = "import json, os, sys; print(json.dumps([sys.path, dict(os.environ)]), flush=True)"
OURS = {
    "PYTHONPATH": "/a/path/of/ours",
    "PYTHONSTARTUP": "startup.py",
    "VIRTUAL_ENV": "venv",
    "NODE_PATH": "modules",
    "NODE_OPTIONS": "--no-warnings",
    "https_proxy": "http://127.0.0.1:1",
}


async def test_a_peer_has_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OURS.items():
        monkeypatch.setenv(name, value)
    async with peers.Peer(sys.executable, "-c", SAY) as peer:
        path, environment = await peer.line()
    assert OURS["PYTHONPATH"] not in path
    assert not OURS.keys() & environment.keys()
    assert "PATH" in environment


def test_what_installs_peers_keeps_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OURS.items():
        monkeypatch.setenv(name, value)
    assert OURS.keys() & peers.environment(proxies=True).keys() == {"https_proxy"}

"""Hosts in other letters: the same name that a browser would look up, or none."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interop import peers
from unifyport.model.hosts import is_host, to_ascii
from unifyport.model.proxy import Proxy

NEWER = "FAẞ.example"  # mapped in another way before Unicode 15.1
HOSTS = {
    "faß.example": "xn--fa-hia.example",
    NEWER: "xn--fa-hia.example",
    "fass.example": "fass.example",
    "βόλος.example": "xn--nxasmm1c.example",
    "ΒΌΛΟΣ.example": "xn--nxasmq6b.example",
    "نامه\u200cای.example": "xn--mgba3gch31f060k.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "例え。テスト": "xn--r8jz45g.xn--zckzah",
    "１２７.0.0.1": "127.0.0.1",
    "Shop.Example": "shop.example",
    "_dmarc.example": "_dmarc.example",
    "đường.example": "xn--ng-pma05d708i.example",
}


@pytest.mark.parametrize(("host", "ascii_host"), HOSTS.items(), ids=ascii)
def test_a_name_in_ascii(host: str, ascii_host: str) -> None:
    assert to_ascii(host) == ascii_host


NO_HOSTS = [
    *("", ".", "a..b", "é..b", "☃.example", "a b", "é b", "a/b", "é／b", "x" * 64, "é" * 64, "é." * 200),
    *("1.2.3.4.5", "300.1.1.1", "%41", "é:80", "é\n", "\u200d.example", "\ud800"),
]


@pytest.mark.parametrize("host", NO_HOSTS, ids=ascii)
def test_what_is_no_name(host: str) -> None:
    with pytest.raises(ValueError, match="the host is"):
        to_ascii(host)


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_host_in_ascii_or_none(text: str) -> None:
    try:
        found = to_ascii(text)
    except ValueError:
        return
    assert found.isascii()
    assert is_host(found)
    assert to_ascii(found) == found


def test_a_proxy_is_looked_up_under_its_name_in_ascii() -> None:
    proxy = Proxy.parse({"host": "Faß.example", "port": 1080, "password": "secret"})
    assert proxy.host == "xn--fa-hia.example"
    sent_back = Proxy.parse({"host": "faß.example", "port": 1080, "password": "********"})
    assert sent_back.keeping_password_of(proxy) == proxy


@pytest.mark.interop
def test_node_looks_up_the_same_names() -> None:
    script = "console.log(JSON.stringify(process.argv.slice(1).map(h => new URL(`http://${h}/`).hostname)))"
    hosts = [host for host in HOSTS if host != NEWER]
    command = [peers.node_program(), "-e", script, "--", *hosts]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [HOSTS[host] for host in hosts]

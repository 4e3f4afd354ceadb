"""The address guard: every spelling of an address that must not be reached, and what an operator permits."""

import ipaddress
import socket
import threading
from collections.abc import Sequence

import pytest
import trio

from unifyport.net.guard import Address, AddressGuard, NameNotResolved, Resolver, UrlNotAllowed, embedded

NAMES = {
    "public.example": ["93.184.216.34"],
    "private.example": ["10.0.0.5"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "six.example": ["2606:2800:220:1::1"],
    "both.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "xn--bcher-kva.example": ["93.184.216.34"],
    "xn--fa-hia.example": ["93.184.216.34"],
    "xn--nxasmm1c.example": ["93.184.216.34"],
    "xn--mgba3gch31f060k.example": ["93.184.216.34"],
    "fass.example": ["93.184.216.34"],
    "mapped.example": ["::ffff:169.254.169.254"],
}


async def resolve(host: str) -> Sequence[Address]:
    await trio.lowlevel.checkpoint()
    if host not in NAMES:
        raise NameNotResolved(host)
    return [ipaddress.ip_address(text) for text in NAMES[host]]


def guard(*allow: str) -> AddressGuard:
    return AddressGuard(resolve, tuple(ipaddress.ip_network(text) for text in allow))


# Hosts, in every spelling, that are no place for a customer's URL to lead to.
REFUSED_HOSTS = """
    127.0.0.1 127.255.255.254 2130706433 0x7f000001 0X7F.1 0x7f.0.0.1 0177.0.0.1 017700000001 127.1 127.0.1
    localhost LOCALHOST localhost. localhost.. a.localhost a.localhost. 127.0.0.1. 127.0.0.1%2f.public.example
    localhost。 127。0。0。1 １２７.0.0.1 ①②⑦.⓪.⓪.①
    [::1] [0:0:0:0:0:0:0:1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1]
    [::7f00:1] [::ffff:0:127.0.0.1]
    [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b:1::1] [64:ff9b:1::8.8.8.8]
    [2002:7f00:1::] [2002:a9fe:a9fe::1]
    [2001:0:4136:e378:8000:63bf:80ff:fffe] [2001:0:4136:e378:8000:63bf:f5ff:fffe]
    10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 0xc0a80101 192.168.257 100.64.0.1 100.127.255.255
    [fc00::1] [fdff::1] [fec0::1] [feff::1] [fe80::1] [fe80::1%25eth0] [::ffff:192.168.1.1]
    169.254.1.1 169.254.169.254 0xA9FEA9FE 169.254.170.2 100.100.100.200 192.0.0.192
    168.63.129.16 [fd00:ec2::254]
    [fd20:ce::254] [::ffff:169.254.169.254] [64:ff9b::a83f:8110] [2002:a83f:8110::1]
    0.0.0.0 0 0.1.2.3 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 [ff02::1] [ff0e::1]
    192.0.2.1 198.51.100.1 203.0.113.1 [2001:db8::1] [3fff::1] 198.18.0.1 198.19.255.255 [2001:2::1]
    192.0.0.8 [100::1] [2001:10::1] [5f00::1] [4000::1] [1::1]
    private.example mixed.example mapped.example
""".split()

REFUSED_URLS = [
    "http://public.example/",
    "http://93.184.216.34/",
    "http://[2606:2800:220:1::1]/",
    "http://unknown.example/",
    "ftp://public.example/",
    "//public.example/",
    "https:public.example",
    "https:/public.example",
    "https:///path",
    "https://./",
    "https://。/",
    "https://user:password@public.example/",
    "https://user@public.example/",
    "https://@public.example/",
    "https://:@public.example/",
    "https://public.example@10.0.0.5/",
    "https://public.example\\@10.0.0.5/",
    "https://public.example:99999/",
    "https://public.example:-1/",
    "https://public.example:8a/",
    "https://public.example:４４３/",
    "https://pub lic.example/",
    "https://public.example/a b",
    "https://public.example/?a b",
    "https://public.example/#a b",
    " https://public.example/",
    "https://public.example/ ",
    "https://public.example/\r\nx-evil: 1",
    "https://public.example\r\nx-evil: 1",
    "https://public.example/?a=\n",
    "https://pub\tlic.example/",
    "https://public.example/\x00",
    "https://public.example/\x1b",
    "https://public.example/\x7f",
    "https://public.example/\x85",
    "https://public.example/\u00a0",
    "https://public.example/\u200b",
    "https://public.example/\u2028",
    "https://public.example/\ud800",
    "https://[::1",
    "https://[127.0.0.1]/",
    "https://::1/",
    "https://é..example/",
    "https://☃.example/",
    "https://a b.example/",
    "https://%66oo.example/",
    'https://foo"bar.example/',
    "https://１.２.３.４.５/",
    f"https://é{'e' * 64}.example/",
    "https://public.example／.evil.example/",
    "nonsense",
    "",
]


@pytest.mark.parametrize("url", [*(f"https://{host}/" for host in REFUSED_HOSTS), *REFUSED_URLS], ids=ascii)
async def test_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await guard().vet(url)
    with pytest.raises((UrlNotAllowed, NameNotResolved)):
        await guard().target(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example/hook",
        "HTTPS://PUBLIC.EXAMPLE./",
        "https://public.example?a=1",
        "https://public.example:8443",
        "https://93.184.216.34/",
        "https://0x5db8d822/",
        "https://[2606:2800:220:1::1]/",
        "https://[64:ff9b::93.184.216.34]/",
        "https://six.example/",
        "https://both.example/",
        "https://bücher.example/",
        "https://unknown.example/",
    ],
)
async def test_accepted_when_it_is_written(url: str) -> None:
    await guard().vet(url)


# URL, Host header, request path
WRITTEN = [
    ("https://public.example", "public.example", "/"),
    ("https://public.example:443/", "public.example", "/"),
    ("https://public.example:/", "public.example", "/"),
    ("https://public.example:80/", "public.example:80", "/"),
    ("https://PUBLIC.example.:8443/Hook?a=1", "public.example:8443", "/Hook?a=1"),
    ("http://127.0.0.1:80/", "127.0.0.1", "/"),
    ("http://127.0.0.1:443/", "127.0.0.1:443", "/"),
    ("http://localhost:9000/", "localhost:9000", "/"),
    ("https://[2606:2800:220:1::1]/", "[2606:2800:220:1::1]", "/"),
    ("https://[2606:2800:220:1::1]:8443/", "[2606:2800:220:1::1]:8443", "/"),
    ("https://bücher.example/", "xn--bcher-kva.example", "/"),
    ("https://BÜCHER。example。/", "xn--bcher-kva.example", "/"),
    ("https://faß.example/", "xn--fa-hia.example", "/"),
    ("https://FAẞ.example/", "xn--fa-hia.example", "/"),
    ("https://fass.example/", "fass.example", "/"),
    ("https://βόλος.example/", "xn--nxasmm1c.example", "/"),
    ("https://نامه\u200cای.example/", "xn--mgba3gch31f060k.example", "/"),
    ("https://bu\u0308cher.example/", "xn--bcher-kva.example", "/"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
    ("https://public.example?a=1", "public.example", "/?a=1"),
    ("https://public.example/?", "public.example", "/"),
    ("https://public.example/a#fragment", "public.example", "/a"),
    ("https://public.example/?a=1#fragment", "public.example", "/?a=1"),
    ("https://public.example/đường?tên=ổn", "public.example", "/%C4%91%C6%B0%E1%BB%9Dng?t%C3%AAn=%E1%BB%95n"),
    ("https://public.example/%C3%A9/%2f?%20", "public.example", "/%C3%A9/%2f?%20"),
    ("https://public.example/;=~,!$&'()*+:@-._", "public.example", "/;=~,!$&'()*+:@-._"),
    ('https://public.example/"<>\\^`{|}[]', "public.example", "/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D"),
    ("https://public.example//a/../b", "public.example", "//a/../b"),
    ("https://public.example/?a=1?b/c&d[]=2", "public.example", "/?a=1?b/c&d%5B%5D=2"),
]


@pytest.mark.parametrize(("url", "authority", "path"), WRITTEN, ids=[ascii(url) for url, *_ in WRITTEN])
async def test_what_a_request_says_of_its_url(url: str, authority: str, path: str) -> None:
    target = await guard("127.0.0.0/8").target(url)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        *(("::ffff:10.0.0.5", "10.0.0.5"), ("::10.0.0.5", "10.0.0.5"), ("::ffff:0:10.0.0.5", "10.0.0.5")),
        *(("64:ff9b::10.0.0.5", "10.0.0.5"), ("2002:a00:5::1", "10.0.0.5")),
        *(("2001:0:4136:e378:8000:63bf:f5ff:fffa", "10.0.0.5"), ("10.0.0.5", "10.0.0.5")),
        *(("::1", "::1"), ("::", "::"), ("fd00::1", "fd00::1"), ("2606:2800:220:1::1", "2606:2800:220:1::1")),
    ],
)
def test_what_an_address_stands_for(address: str, stands_for: str) -> None:
    assert str(embedded(ipaddress.ip_address(address))) == stands_for


async def test_the_addresses_that_were_checked_are_those_to_dial() -> None:
    target = await guard().target("https://both.example:8443/")
    assert [str(address) for address in target.addresses] == ["93.184.216.34", "2606:2800:220:1::1"]
    assert (target.scheme, target.host, target.port) == ("https", "both.example", 8443)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://public.example/", False),
        ("https://six.example/", False),
        ("https://[64:ff9b::93.184.216.34]/", False),
        ("https://93.184.216.34/", False),
        ("https://private.example/", True),
        ("https://mixed.example/", True),
        ("http://10.0.0.5/", True),
        ("http://localhost/", True),
        ("http://[::ffff:10.0.0.5]/", True),
        ("https://169.254.169.254/", True),
    ],
)
async def test_private_is_what_only_permission_opens_even_in_part(url: str, private: bool) -> None:
    permissive = guard("10.0.0.0/8", "127.0.0.0/8", "169.254.169.254/32", "93.184.216.34/32")
    assert (await permissive.target(url)).private is private


async def test_a_name_that_changes_between_check_and_connect_gains_nothing() -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    async def rebinding(host: str) -> Sequence[Address]:
        await trio.lowlevel.checkpoint()
        return [ipaddress.ip_address(text) for text in answers.pop(0)]

    rebound = AddressGuard(rebinding)
    await rebound.vet("https://public.example/")
    with pytest.raises(UrlNotAllowed):
        await rebound.target("https://public.example/")


async def test_what_an_operator_permits_is_no_more_than_it_says() -> None:
    await guard("10.0.0.0/8").vet("http://10.1.2.3/")
    await guard("10.0.0.0/8").vet("http://private.example/")
    await guard("127.0.0.0/8").vet("http://127.0.0.1:9/")
    await guard("127.0.0.0/8").vet("http://localhost/")
    await guard("127.0.0.0/8").vet("http://[::ffff:127.0.0.1]/")
    await guard("::1/128").vet("http://[::1]/")
    await guard("64:ff9b:1::/48").vet("http://[64:ff9b:1::1]/")
    await guard("169.254.169.254/32").vet("http://169.254.169.254/")
    for allow, url in (
        ("0.0.0.0/0", "http://127.0.0.1/"),
        ("::/0", "http://[::1]/"),
        ("169.254.0.0/16", "http://169.254.169.254/"),
        ("127.0.0.0/8", "http://[::1]/"),
        ("10.0.0.0/8", "http://[fd00::1]/"),
        ("10.0.0.0/8", "https://mixed.example/"),
    ):
        with pytest.raises(UrlNotAllowed):
            await guard(allow).vet(url)


async def test_resolver_knows_literals_of_this_machine_and_fails_for_nonsense() -> None:
    resolver = Resolver(timeout=5)
    assert ipaddress.ip_address("127.0.0.1") in await resolver("localhost")
    with pytest.raises(NameNotResolved):
        await resolver("nothing.invalid")


# -- names that hang -----------------------------------------------------------------------------------------


async def test_names_that_hang_keep_no_place_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten do not answer. They are given up side by side, others are looked up, and no thread is added."""
    answer, asked = threading.Event(), list[str]()

    def getaddrinfo(host: str, *args: object, **more: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host.startswith("hangs"):
            answer.wait(30)
        return [(0, 0, 0, "", ("93.184.216.34", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolve = Resolver(timeout=0.1)
    unknown = list[str]()

    async def look_up(host: str) -> None:
        try:
            await resolve(host)
        except NameNotResolved:
            unknown.append(host)

    names = [f"hangs-{number}.example" for number in range(10)]
    try:
        with trio.fail_after(10):
            for _ in range(3):
                async with trio.open_nursery() as nursery:
                    for name in names:
                        nursery.start_soon(look_up, name)
                assert len(await resolve("fine.example")) == 1
    finally:
        answer.set()
    assert sorted(unknown) == sorted(names * 3)
    assert sorted(asked) == sorted([*names, "fine.example"])

"""The address guard: every spelling of an address that must not be reached, and what an operator permits."""

import ipaddress
from collections.abc import Sequence

import pytest
import trio

from unifyport.net.guard import Address, AddressGuard, NameNotResolved, Resolver, UrlNotAllowed

NAMES = {
    "public.example": ["93.184.216.34"],
    "private.example": ["10.0.0.5"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "six.example": ["2606:2800:220:1::1"],
    "mapped.example": ["::ffff:169.254.169.254"],
}


async def resolve(host: str) -> Sequence[Address]:
    await trio.lowlevel.checkpoint()
    if host not in NAMES:
        raise NameNotResolved(host)
    return [ipaddress.ip_address(text) for text in NAMES[host]]


def guard(*allow: str) -> AddressGuard:
    return AddressGuard(resolve, tuple(ipaddress.ip_network(text) for text in allow))


REFUSED = [
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://localhost/",
    "https://localhost./",
    "https://a.localhost/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://192.0.2.1/",
    "https://private.example/",
    "https://mixed.example/",
    "https://mapped.example/",
    "http://public.example/",
    "http://93.184.216.34/",
    "http://unknown.example/",
    "ftp://public.example/",
    "//public.example/",
    "https:///path",
    "https://user:password@public.example/",
    "https://public.example:99999/",
    "https://pub lic.example/",
    "nonsense",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await guard().vet(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example/hook",
        "https://93.184.216.34/",
        "https://six.example/",
        "https://unknown.example/",
    ],
)
async def test_accepted_when_it_is_written(url: str) -> None:
    await guard().vet(url)


async def test_the_address_that_was_checked_is_the_one_to_dial() -> None:
    target = await guard().target("https://public.example:8443/hook?a=1")
    assert (str(target.address), target.host, target.port, target.path) == (
        "93.184.216.34",
        "public.example",
        8443,
        "/hook?a=1",
    )


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
    await guard("169.254.169.254/32").vet("http://169.254.169.254/")
    for allow, url in (
        ("0.0.0.0/0", "http://127.0.0.1/"),
        ("169.254.0.0/16", "http://169.254.169.254/"),
        ("127.0.0.0/8", "http://[::1]/"),
        ("10.0.0.0/8", "https://mixed.example/"),
    ):
        with pytest.raises(UrlNotAllowed):
            await guard(allow).vet(url)


async def test_resolver_knows_literals_of_this_machine_and_fails_for_nonsense() -> None:
    resolver = Resolver(timeout=5)
    assert ipaddress.ip_address("127.0.0.1") in await resolver("localhost")
    with pytest.raises(NameNotResolved):
        await resolver("nothing.invalid")

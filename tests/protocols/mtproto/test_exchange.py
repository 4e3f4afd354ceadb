"""The key exchange: published vectors, both sides against each other, and a server that cheats."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as crypto_rsa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unifyport.protocols.mtproto import exchange_messages as objects
from unifyport.protocols.mtproto.arithmetic import DH_PRIME, check_group, check_share, factorise
from unifyport.protocols.mtproto.errors import ExchangeFailed, Malformed, SecurityError
from unifyport.protocols.mtproto.exchange import Agreed, ClientExchange
from unifyport.protocols.mtproto.rsa import ServerKey, decrypt
from unifyport.protocols.mtproto.server_exchange import ServerExchange

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mtproto.json").read_text())
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def private() -> crypto_rsa.RSAPrivateKey:
    return crypto_rsa.generate_private_key(65537, 2048)


def keys(private: crypto_rsa.RSAPrivateKey) -> dict[int, ServerKey]:
    numbers = private.public_key().public_numbers()
    key = ServerKey(numbers.n, numbers.e)
    return {key.fingerprint: key}


def run(
    client: ClientExchange,
    server: ServerExchange,
    tamper: Callable[[int, bytes], bytes] = lambda _, body: body,
) -> Agreed:
    body = client.start()
    for step in range(8):
        answer = client.receive(tamper(step, server.receive(body, NOW + 90)), NOW)
        if isinstance(answer, Agreed):
            return answer
        body = answer
    raise AssertionError("The exchange never ends")


def test_both_sides_agree_on_key_salt_and_time(private: crypto_rsa.RSAPrivateKey) -> None:
    client, server = ClientExchange(keys(private), dc=2), ServerExchange(private)
    agreed = run(client, server)
    assert agreed.key == server.key
    assert agreed.salt == server.salt
    assert agreed.time_offset == 90
    assert server.dc == 2


def test_the_server_may_ask_for_another_share(private: crypto_rsa.RSAPrivateKey) -> None:
    server = ServerExchange(private, retries=2)
    assert run(ClientExchange(keys(private), dc=2), server).key == server.key
    with pytest.raises(ExchangeFailed):
        run(ClientExchange(keys(private), dc=2), ServerExchange(private, retries=9))


@given(step=st.integers(0, 2), place=st.integers(0, 10_000), change=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_every_changed_byte_of_the_server_is_noticed(step: int, place: int, change: int) -> None:
    private = _PRIVATE

    def tamper(at: int, body: bytes) -> bytes:
        changed = bytearray(body)
        if at == step:
            number = place % len(body)
            assume(step > 0 or number not in _PADDING)
            changed[number] ^= change
        return bytes(changed)

    # A changed server nonce or pq of the first answer is noticed by an honest server.
    with pytest.raises((SecurityError, Malformed, ExchangeFailed)):
        run(ClientExchange(keys(private), dc=2), ServerExchange(private), tamper)


_PADDING = range(45, 48)  # of the number pq in the first answer
_PRIVATE = crypto_rsa.generate_private_key(65537, 2048)


def test_a_server_without_a_known_key_is_refused(private: crypto_rsa.RSAPrivateKey) -> None:
    with pytest.raises(SecurityError, match="known"):
        run(ClientExchange({}, dc=2), ServerExchange(private))


def test_a_refusal_is_believed_only_with_its_hash(private: crypto_rsa.RSAPrivateKey) -> None:
    def refuse(step: int, body: bytes) -> bytes:
        if step != 1:
            return body
        nonces = objects.Encrypted.read(body, objects.DH_OK).nonces
        return objects.Verdict(objects.DH_FAIL, nonces, bytes(16)).to_bytes()

    with pytest.raises(SecurityError):
        run(ClientExchange(keys(private), dc=2), ServerExchange(private), refuse)


def test_rsa_pad_and_fingerprint_are_as_published() -> None:
    vector = VECTORS["rsa_pad"]
    key = ServerKey.from_pem(vector["pem"].encode())
    assert key.encrypt(bytes.fromhex(vector["data"]), random=bytes).hex() == vector["encrypted"]
    small = ServerKey.from_pem(VECTORS["fingerprint"]["pem"].encode())
    assert small.fingerprint == int(VECTORS["fingerprint"]["fingerprint"])


def test_the_server_reads_both_ways_of_encryption(private: crypto_rsa.RSAPrivateKey) -> None:
    import hashlib

    data = b"x" * 100
    (key,) = keys(private).values()
    assert decrypt(key.encrypt(data), private)[:100] == data
    former = hashlib.sha1(data).digest() + data + bytes(135)
    number = pow(int.from_bytes(former, "big"), key.e, key.n)
    assert decrypt(number.to_bytes(256, "big"), private)[:100] == data
    for wrong in (b"", bytes(256), b"\xff" * 256, (5).to_bytes(256, "big")):
        with pytest.raises(SecurityError):
            decrypt(wrong, private)


@pytest.mark.parametrize(("pq", "p", "q"), VECTORS["factors"])
def test_factors_are_as_published(pq: str, p: str, q: str) -> None:
    assert factorise(int(pq)) == (int(p), int(q))


@pytest.mark.parametrize("wrong", [0, 1, 3, 13, 2**61 - 1, 2**63 + 1, -15])
def test_what_has_no_two_factors_is_refused(wrong: int) -> None:
    with pytest.raises(SecurityError):
        factorise(wrong)


def test_squares_and_even_numbers_are_factorised() -> None:
    assert factorise(49) == (7, 7)
    assert factorise(22) == (2, 11)
    assert factorise(4) == (2, 2)


@pytest.mark.parametrize(
    ("prime", "generator"),
    [
        (DH_PRIME, 1),
        (DH_PRIME, 2),
        (DH_PRIME, 8),
        (DH_PRIME, -3),
        (23, 3),
        (DH_PRIME - 2, 4),
        (2**2047 + 1, 4),
    ],
)
def test_weak_groups_are_refused(prime: int, generator: int) -> None:
    check_group(DH_PRIME, 3)
    with pytest.raises(SecurityError):
        check_group(prime, generator)


@pytest.mark.parametrize("share", [0, 1, DH_PRIME - 1, DH_PRIME, 2**1983, DH_PRIME - 2**1983])
def test_weak_shares_are_refused(share: int) -> None:
    with pytest.raises(SecurityError):
        check_share(share, DH_PRIME)

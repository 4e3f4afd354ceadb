"""The arithmetic of the key exchange: the proof of work, and what a Diffie-Hellman group has to be."""

import math
import secrets
from typing import Final

from unifyport.protocols.mtproto.errors import SecurityError

# The prime that Telegram's servers use; https://core.telegram.org/mtproto/samples-auth_key
DH_PRIME: Final = int(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F48198A0AA7C14058229493D22530F4DB"
    "FA336F6E0AC925139543AED44CCE7C3720FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4A4A695811051907E162753B56B0F6B41"
    "0DBA74D8A84B2A14B3144E0EF1284754FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F0D8115F635B105EE2E4E15D04B2454BF"
    "6F4FADF034B10403119CD8E3B92FCC5B",
    16,
)
PRIME_BITS: Final = 2048
MAX_PQ: Final = 1 << 63
_ROUNDS: Final = 32  # of Miller-Rabin: an error of at most 4**-32
_SAFETY: Final = 1 << (PRIME_BITS - 64)
_RESIDUES: Final = {  # g -> (m, what p mod m may be), so that g generates the subgroup of order (p - 1) / 2
    2: (8, {7}),
    3: (3, {2}),
    4: (1, {0}),
    5: (5, {1, 4}),
    6: (24, {19, 23}),
    7: (7, {3, 5, 6}),
}


def factorise(pq: int) -> tuple[int, int]:
    """Two factors of `pq`, the smaller one first (Pollard's rho): its primes, where it has two. Raises
    `SecurityError` for a prime and for a number out of range.

    For two primes of 31 bits, as the platform sends, about 0.1 s.
    """
    if not 4 <= pq < MAX_PQ or _is_prime(pq):
        raise SecurityError("The number to factorise is no product of two primes below 2**63")
    if pq % 2 == 0:
        return 2, pq // 2
    root = math.isqrt(pq)
    if root * root == pq:
        return root, root
    while True:
        start, step = secrets.randbelow(pq), 1 + secrets.randbelow(pq - 1)
        factor = _rho(pq, start, step)
        if factor != pq:
            return min(factor, pq // factor), max(factor, pq // factor)


def check_group(prime: int, generator: int) -> None:
    """Raise `SecurityError` unless `prime` is a safe prime of 2048 bits of which `generator` makes a large
    group.

    An unknown prime takes about a second; the platform's own is known.
    https://core.telegram.org/mtproto/security_guidelines#validating-diffie-hellman-parameters
    """
    modulus, residues = _RESIDUES.get(generator, (1, set()))
    if prime.bit_length() != PRIME_BITS or prime % modulus not in residues:
        raise SecurityError("The Diffie-Hellman group has a wrong size or generator")
    if prime != DH_PRIME and not (_is_prime(prime) and _is_prime((prime - 1) // 2)):
        raise SecurityError("The Diffie-Hellman prime is not a safe prime")


def check_share(share: int, prime: int) -> None:
    """Raise `SecurityError` for a public share too close to either end."""
    if not _SAFETY <= share <= prime - _SAFETY:
        raise SecurityError("A Diffie-Hellman share is out of range")


def _rho(number: int, start: int, step: int) -> int:
    """A factor of `number`, or `number` itself. One gcd serves 128 differences."""
    slow = fast = start
    while True:
        product, slow_before, fast_before = 1, slow, fast
        for _ in range(128):
            slow = (slow * slow + step) % number
            fast = (fast * fast + step) % number
            fast = (fast * fast + step) % number
            product = product * abs(slow - fast) % number
        if (factor := math.gcd(product, number)) > 1:
            break
    if factor != number:
        return factor
    slow, fast = slow_before, fast_before
    while True:
        slow = (slow * slow + step) % number
        fast = (fast * fast + step) % number
        fast = (fast * fast + step) % number
        if (factor := math.gcd(abs(slow - fast), number)) > 1:
            return factor


def _is_prime(number: int) -> bool:
    if number < 4:
        return number > 1
    if number % 2 == 0:
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(2 + secrets.randbelow(number - 3), number, odd, twos) for _ in range(_ROUNDS))


def _passes(base: int, number: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False

"""Accounts, their devices, and the two addresses under which each is known.

A person has a phone number and a LID; a device is a number of that person, 0 for the phone. Whether chats
between two people are addressed by LID is a property of each account (`lid_addressed`); the relay translates.
"""

import os
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import attrs

from unifyport.protocols.binary_node import LID, PHONE, Jid, Node
from unifyport.protocols.curve import KeyPair

from .pending import Pending

FORGOTTEN_SECONDS = 28 * 86_400.0  # a trusted-contact token is accepted for four buckets of a week


class Receiver(Protocol):
    """Takes the stanzas of a device: an open connection, or a phone that the sandbox plays."""

    def push(self, node: Node) -> None: ...


@attrs.frozen
class SignedPreKey:
    """`id`: 3 bytes, as on the wire."""

    id: bytes
    public: bytes
    signature: bytes


@attrs.define(eq=False)
class Device:
    """`prekeys`: (3 byte id, public key), the next one to hand out first. `logins`: successful ones."""

    account: "Account"
    number: int
    registration: bytes
    identity: bytes
    signed_prekey: SignedPreKey
    noise_key: bytes = b""
    platform: str = ""
    prekeys: deque[tuple[bytes, bytes]] = attrs.field(factory=deque)
    pending: Pending = attrs.field(factory=Pending)
    receiver: Receiver | None = None
    available: bool = False
    logins: int = 0
    last_counter: int = -1  # `lc` of the last login
    warned_of_prekeys: bool = False

    @property
    def phone_jid(self) -> Jid:
        return Jid(self.account.phone, PHONE, self.number)

    @property
    def lid_jid(self) -> Jid:
        return Jid(self.account.lid, LID, self.number)

    def jid(self, *, lid: bool) -> Jid:
        return self.lid_jid if lid else self.phone_jid

    def deliver(self, node: Node) -> None:
        """Hand over a stanza now, or at the next login; it is kept until the device acknowledges it."""
        self.pending.add(node)
        if self.receiver is not None:
            self.receiver.push(node)

    def tell(self, node: Node) -> None:
        """Hand over a stanza that needs no acknowledgement (presence); it is lost if the device is away."""
        if self.receiver is not None:
            self.receiver.push(node)


@attrs.define(eq=False)
class Account:
    """A person. `identity` is the phone's identity key, which also signs the account's other devices.

    `tokens_required`: this account may write only to people who wrote to it, or with a token (else 463).
    `contact_salt`: what its `cstoken`s are made with. `refusal`: attributes of the `<failure>` at each login.
    """

    phone: str
    lid: str
    name: str
    lid_addressed: bool = True
    tokens_required: bool = False
    passkey: bool = False
    identity: KeyPair = attrs.field(factory=KeyPair.generate, repr=False)
    contact_salt: bytes = attrs.field(factory=lambda: os.urandom(32), repr=False)
    devices: dict[int, Device] = attrs.field(factory=dict, repr=False)
    next_number: int = 1
    known: set["Account"] = attrs.field(factory=set, repr=False)  # who shared a chat with it
    wrote_to: set["Account"] = attrs.field(factory=set, repr=False)
    tokens: dict["Account", tuple[bytes, float]] = attrs.field(factory=dict, repr=False)
    refusal: dict[str, str] | None = None

    @property
    def phone_jid(self) -> Jid:
        return Jid(self.phone, PHONE)

    @property
    def lid_jid(self) -> Jid:
        return Jid(self.lid, LID)

    def jid(self, *, lid: bool) -> Jid:
        return self.lid_jid if lid else self.phone_jid

    @property
    def companions(self) -> list[Device]:
        return [device for device in self.devices.values() if device.number]

    def meet(self, other: "Account") -> None:
        self.known.add(other)
        other.known.add(self)


class Directory:
    """All accounts, by phone number and by LID."""

    def __init__(self) -> None:
        self._by_phone: dict[str, Account] = {}
        self._by_lid: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_phone.values())

    def add(self, account: Account) -> Account:
        """Raises `ValueError` if the phone number or the LID is taken."""
        if account.phone in self._by_phone or account.lid in self._by_lid:
            raise ValueError("phone: this account exists")
        self._by_phone[account.phone] = self._by_lid[account.lid] = account
        return account

    def of_phone(self, phone: str) -> Account | None:
        return self._by_phone.get(phone.lstrip("+"))

    def of_jid(self, jid: Jid | None) -> Account | None:
        """The account of a person's address, None for other addresses."""
        if jid is None or not jid.is_user:
            return None
        return (self._by_lid if jid.is_lid else self._by_phone).get(jid.user)

    def device(self, jid: Jid | None) -> Device | None:
        account = self.of_jid(jid)
        return account.devices.get(jid.device) if account is not None and jid is not None else None

"""What the played LINE knows: accounts with their phones' keys and devices, groups, messages, operations.

Message ids and revisions are above 2^53, where a reader that takes them for floating point goes wrong.
"""

import hashlib
import itertools
import secrets
import time
from collections import deque
from typing import Any

import attrs
import trio

from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey, generate
from unifyport.providers.line.device import structures as line

from ...platform import KEPT

FIRST_REVISION = 9_100_000_000_000_000
FIRST_MESSAGE = 560_000_000_000_000_001
TOKEN_SECONDS = 604_800
TO_TYPES = {"u": line.USER, "r": line.ROOM, "c": line.GROUP}


def mid_of(name: str, prefix: str = "u") -> str:
    """A mid: a letter and 32 hexadecimal digits, the same for each name."""
    return prefix + hashlib.sha256(f"line {prefix} {name}".encode()).hexdigest()[:32]


def now() -> int:
    """Unix ms."""
    return time.time_ns() // 1_000_000


@attrs.define(eq=False)
class Device:
    """A device that is logged in. `expired`: its access token must be refreshed. `gets_next`: the next answer
    brings another one. `rotates`: a refresh brings another refresh token, too.
    """

    account: "Account"
    access: str
    refresh: str
    expired: bool = False
    gets_next: bool = False
    rotates: bool = False


@attrs.define(eq=False)
class Account:
    """A person with a phone, which has the private keys. The last pair is the one that is registered."""

    mid: str
    name: str
    status_message: str = ""
    picture_path: str = ""
    region: str = "JP"
    seals: bool = True
    pairs: list[KeyPair] = attrs.field(factory=list)
    registered: dict[int, PublicKey] = attrs.field(factory=dict)  # all that ever were, by id
    operations: list[line.Operation] = attrs.field(factory=list)
    lost_before: int = 0  # revisions below are not replayed
    contacts: dict[str, str] = attrs.field(factory=dict)  # mid -> the name that the account gave, or ""
    blocked: set[str] = attrs.field(factory=set)
    devices: list[Device] = attrs.field(factory=list)
    certificates: set[str] = attrs.field(factory=set)
    news: trio.Event = attrs.field(factory=trio.Event)

    @property
    def key(self) -> PublicKey | None:
        """The registered key; None: Letter Sealing is off."""
        return list(self.registered.values())[-1] if self.seals and self.registered else None

    @property
    def revision(self) -> int:
        return self.operations[-1].revision or 0 if self.operations else FIRST_REVISION


@attrs.define(eq=False)
class GroupKey:
    """A key of a group, sealed for each of its members by the creator."""

    id: int
    creator: str
    creator_key_id: int
    sealed: dict[str, tuple[int, bytes]]  # mid -> id of the member's key, the sealed key


@attrs.define(eq=False)
class Group:
    mid: str
    name: str
    creator: str
    created: int
    members: dict[str, int] = attrs.field(factory=dict)  # mid -> since when
    keys: list[GroupKey] = attrs.field(factory=list)
    private: dict[int, bytes] = attrs.field(factory=dict)  # of keys that a phone of the sandbox made
    stale: bool = False  # its members have changed since the last key was made


class World:
    """All accounts, groups and messages."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, Group] = {}
        self.messages: dict[str, line.Message] = {}
        self.devices: dict[str, Device] = {}  # by access token
        self.sent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._messages = itertools.count(FIRST_MESSAGE)
        self._revisions = itertools.count(FIRST_REVISION + 1)
        self._keys = itertools.count(70_001)

    # -- accounts -------------------------------------------------------------------------------------------

    def account(self, name: str, **settings: Any) -> Account:
        """The person of a name or a mid, who is made by the first mention."""
        mid = name if len(name) == 33 and name in self.accounts else mid_of(name)
        if mid not in self.accounts:
            account = self.accounts[mid] = Account(mid, name, **settings)
            self.renew_key(account)
        return self.accounts[mid]

    def renew_key(self, account: Account) -> KeyPair:
        """The phone makes and registers another pair."""
        made = generate()
        pair = KeyPair(next(self._keys), made.private)
        account.pairs.append(pair)
        account.registered[pair.key_id] = pair.public
        return pair

    def register(self, account: Account, data: bytes) -> PublicKey:
        """A device registers a key of its own."""
        key = PublicKey(next(self._keys), data)
        account.registered[key.key_id] = key
        return key

    def new_key_id(self) -> int:
        return next(self._keys)

    def log_in(self, account: Account) -> Device:
        device = Device(account, f"v3.{secrets.token_hex(16)}", f"refresh.{secrets.token_hex(16)}")
        account.devices.append(device)
        self.devices[device.access] = device
        return device

    def renew_token(self, device: Device) -> None:
        """Another access token, in place of the former one; another refresh token, if it `rotates`."""
        self.devices.pop(device.access, None)
        if device.rotates and device.expired:
            device.refresh = f"refresh.{secrets.token_hex(16)}"
        device.access, device.expired = f"v3.{secrets.token_hex(16)}", False
        self.devices[device.access] = device

    def log_out(self, device: Device) -> None:
        self.devices.pop(device.access, None)
        device.account.devices.remove(device)
        device.account.news.set()
        device.account.news = trio.Event()

    # -- groups ---------------------------------------------------------------------------------------------

    def group(self, name: str, members: list[Account], prefix: str = "c") -> Group:
        group = Group(mid_of(name, prefix), name, members[0].mid, now())
        group.members = {member.mid: group.created for member in members}
        self.groups[group.mid] = group
        return group

    def members(self, group: Group) -> list[Account]:
        return [self.accounts[mid] for mid in group.members]

    # -- operations -----------------------------------------------------------------------------------------

    def tell(self, account: Account, type_: int, **parts: Any) -> line.Operation:
        """Add an operation to the account's list."""
        operation = line.Operation(revision=next(self._revisions), created=now(), type=type_, **parts)
        account.operations.append(operation)
        account.news.set()
        account.news = trio.Event()
        return operation

    def new_message(self, message: line.Message, sender: Account) -> line.Message:
        """The message with what the server gives it."""
        made = attrs.evolve(
            message,
            sender=sender.mid,
            to_type=TO_TYPES.get((message.to or "u")[0], line.USER),
            id=str(next(self._messages)),
            created=now(),
        )
        assert made.id is not None
        self.messages[made.id] = made
        return made

    def deliver(self, message: line.Message, sender: Account, *, req_seq: int | None = None) -> None:
        """Tell a message to its sender's devices and to those that get it."""
        self.tell(sender, line.SEND_MESSAGE, message=message, req_seq=req_seq)
        for account in self.audience(message.to or "", sender):
            if sender.mid not in account.blocked:
                self.tell(account, line.RECEIVE_MESSAGE, message=message)

    def audience(self, to: str, sender: Account) -> list[Account]:
        """Whom a message of a chat goes to."""
        if to in self.groups:
            return [member for member in self.members(self.groups[to]) if member is not sender]
        return [self.accounts[to]] if to in self.accounts else []

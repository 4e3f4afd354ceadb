"""Ids of people, groups and devices, as text.

A person has a phone number (`6590000001@s.whatsapp.net`, PN) and an id that hides it (`1234@lid`, LID). A
device of that person has the same with its number, `6590000001:3@s.whatsapp.net`; without a number it is the
phone itself, device 0. https://github.com/tulir/whatsmeow (`types/jid.go`)
"""

import re

import attrs

from unifyport.model.inbound import Identity

PN, LID, GROUP, BROADCAST, NEWSLETTER, BOT = (
    "s.whatsapp.net",
    "lid",
    "g.us",
    "broadcast",
    "newsletter",
    "bot",
)
SERVER = PN  # what belongs to nobody is addressed to the bare server
STATUS = "status@broadcast"
_HOSTED = {"hosted": PN, "hosted.lid": LID}  # devices of a business that runs them at Meta
_NUMBER = re.compile(r"\+?([0-9]{5,20})", re.ASCII)
_USER = re.compile(r"[0-9]{1,32}(?:-[0-9]{1,20})?", re.ASCII)


@attrs.frozen(order=True)
class Address:
    """A person, a device of a person, a group, or another conversation."""

    user: str
    server: str
    device: int = 0

    def __str__(self) -> str:
        name = f"{self.user}:{self.device}" if self.device else self.user
        return f"{name}@{self.server}" if name else self.server

    @property
    def bare(self) -> "Address":
        """The person whose device it is."""
        return self if not self.device else Address(self.user, self.server)

    def at(self, device: int) -> "Address":
        return Address(self.user, self.server, device)

    @property
    def is_person(self) -> bool:
        return self.server in (PN, LID)

    @property
    def phone(self) -> str:
        """E.164; empty if it is not a phone number."""
        return f"+{self.user}" if self.server == PN and self.user else ""


def read(text: str) -> Address:
    """An address as it is in a stanza. Raises `ValueError`."""
    name, at, server = text.rpartition("@")
    if not at:
        return Address("", text)
    user, _, device = name.partition(":")
    user = user.partition("_")[0]  # an agent, of which there is one
    if len(text) > 256 or (device and not (device.isascii() and device.isdigit() and len(device) < 6)):
        raise ValueError("not an address")
    return Address(user, _HOSTED.get(server, server), int(device or 0))


def read_or_none(text: str | None) -> Address | None:
    try:
        return read(text) if text else None
    except ValueError:
        return None


def read_recipient(text: str) -> Address:
    """The conversation that a caller names: a phone number or an id. Raises `ValueError`."""
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return Address(number[1], PN)
    address = read(text.strip())
    server = PN if address.server == "c.us" else address.server
    if server not in (PN, LID, GROUP) or not _USER.fullmatch(address.user):
        raise ValueError("not a recipient")
    if server != GROUP and "-" in address.user:
        raise ValueError("not a person")
    return Address(address.user, server)


def canonical(conversation_id: str) -> str:
    """The form of a conversation id that events use."""
    try:
        return str(read_recipient(conversation_id))
    except ValueError:
        return conversation_id


def is_group(address: Address) -> bool:
    return address.server == GROUP


def identities_of(*addresses: Address | None) -> list[Identity]:
    """`phone` and `lid` of one person, of its addresses that are known."""
    found = []
    for address in addresses:
        if address is None:
            continue
        if address.server == PN:
            found.append(Identity("phone", address.phone))
        elif address.server == LID:
            found.append(Identity("lid", str(address.bare)))
    return list(dict.fromkeys(found))

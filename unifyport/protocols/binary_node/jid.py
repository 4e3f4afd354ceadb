"""JIDs: the addresses of users, devices, groups and lists, as text `user.agent:device@server`.

A user is known by a phone number (`15550001@s.whatsapp.net`) and by a LID (`104@lid`), which hides the
number; each of the user's devices is addressed under either. Device 0 is the phone. `hosted` servers are
businesses whose device is in Meta's cloud.
"""

from typing import Self

import attrs

PHONE = "s.whatsapp.net"
LID = "lid"
GROUP = "g.us"
BROADCAST = "broadcast"
NEWSLETTER = "newsletter"
HOSTED = "hosted"
HOSTED_LID = "hosted.lid"
MESSENGER = "msgr"
INTEROP = "interop"
SERVERS = frozenset(
    {PHONE, LID, GROUP, BROADCAST, NEWSLETTER, HOSTED, HOSTED_LID, MESSENGER, INTEROP, "c.us", "bot", "call"}
)
DOMAINS = {PHONE: 0, LID: 1, HOSTED: 128, HOSTED_LID: 129}  # the byte of an address with a device
MAX_DEVICE = 0xFFFF
MAX_TEXT = 100  # bytes of an address that a stanza names; the longest that are known have about 50


class MalformedJid(ValueError):
    """A text is not a JID."""


@attrs.frozen(order=True)
class Jid:
    """An address. `agent` is an integrator's number on `interop`, and 0 for nearly everything else."""

    user: str
    server: str
    device: int = 0
    agent: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `user@server`, `user:device@server`, `user.agent:device@server` or `server`. Raises
        `MalformedJid`.
        """
        user, at, server = text.rpartition("@")
        if not server or "@" in user:
            raise MalformedJid("A JID is user@server")
        user, _, device = user.partition(":")
        user, dot, agent = user.partition(".")
        if at and not user and (device or agent):
            raise MalformedJid("A device without a user")
        return cls(user, server, _number(device, MAX_DEVICE), _number(agent, MAX_DEVICE) if dot else 0)

    def __str__(self) -> str:
        if not self.user:
            return self.server
        agent = f".{self.agent}" if self.agent else ""
        device = f":{self.device}" if self.device or self.agent else ""
        return f"{self.user}{agent}{device}@{self.server}"

    @property
    def bare(self) -> Self:
        """The user, without the device."""
        return attrs.evolve(self, device=0, agent=0)

    def on_device(self, device: int) -> Self:
        return attrs.evolve(self, device=device)

    @property
    def full(self) -> str:
        """The form with every number (`user.0:0@server`), as hashes of participant lists have it."""
        return f"{self.user}.{self.agent}:{self.device}@{self.server}"

    @property
    def is_user(self) -> bool:
        return self.server in DOMAINS

    @property
    def is_lid(self) -> bool:
        return self.server in (LID, HOSTED_LID)

    @property
    def is_group(self) -> bool:
        return self.server == GROUP


def _number(text: str, limit: int) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > limit:
        raise MalformedJid("A device number is out of range")
    return int(text)

"""The session of a personal account, as records.

record                                    holds
---------------------------------------   -------------------------------------------------------------
("device", b"")                           what the session is bound to: `calls.Device`
("cookies", b"")                          the jar, as `cookies.stored` writes it
("proxy", b"")                            hash of the proxy that the session was used through last
("marks", b"")                            the highest ids of messages and reactions: where a gap begins
("client", b"")                           the last client id that was given to a message
("sent", client id)                       when a message was sent under this client id
("msg", conversation NUL message id)      what requests about a message need: `messages.Reference`
("cli", conversation NUL sender NUL client id)   in groups, the first id of a message
"""

import hashlib

import msgspec

from unifyport.model.proxy import Proxy
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.session import Session

from .calls import Device

DEVICE, COOKIES, PROXY, MARKS = "device", "cookies", "proxy", "marks"
CLIENT, SENT, MESSAGE, FIRST = "client", "sent", "msg", "cli"


class Marks(msgspec.Struct, array_like=True, frozen=True):
    """The highest ids of messages and of reactions that were committed; 0: there was none, None: nothing was
    looked at yet.
    """

    user: int | None = None
    group: int | None = None
    user_reaction: int | None = None
    group_reaction: int | None = None

    def raised(self, other: "Marks") -> "Marks":
        return Marks(*(_higher(*pair) for pair in zip(self.all, other.all, strict=True)))

    @property
    def all(self) -> tuple[int | None, ...]:
        return self.user, self.group, self.user_reaction, self.group_reaction

    def change(self) -> SessionChange:
        kept = ["" if mark is None else str(mark) for mark in self.all]
        return SessionChange(MARKS, b"", msgspec.msgpack.encode(kept))


def _higher(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def device_change(device: Device) -> SessionChange:
    kept = (device.imei, device.user_agent, device.language)
    return SessionChange(DEVICE, b"", msgspec.msgpack.encode(kept))


def proxy_change(proxy: Proxy | None) -> SessionChange:
    return SessionChange(PROXY, b"", proxy_digest(proxy))


def proxy_digest(proxy: Proxy | None) -> bytes:
    """Zalo sees the address of the proxy, not its password."""
    text = "" if proxy is None else f"{proxy.type}://{proxy.host}:{proxy.port}"
    return hashlib.sha256(text.encode()).digest()


async def load_device(session: Session) -> Device:
    """Raises `LoggedOut` if there is no session."""
    stored = await session.get(DEVICE)
    if stored is None:
        raise LoggedOut("not_linked")
    imei, user_agent, language = msgspec.msgpack.decode(stored, type=tuple[str, str, str])
    return Device(imei, user_agent, language)


async def load_marks(session: Session) -> Marks:
    stored = await session.get(MARKS)
    if stored is None:
        return Marks()
    kept = msgspec.msgpack.decode(stored, type=list[str])  # of older versions without those of reactions
    return Marks(*(int(mark) if mark else None for mark in kept))


async def load_client_id(session: Session) -> int:
    stored = await session.get(CLIENT)
    return int(stored) if stored is not None else 0

"""Where a message goes, and by which kind of name: LID or phone number.

A group says which kind it uses. For persons it is a property of the account, which the platform tells when
the device is linked, and changes later.
"""

import attrs

from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import LID, Jid
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND
from unifyport.providers.contract.errors import Rejected

from . import people
from .devices import Devices
from .group_cache import GroupCache
from .groups import GroupInfo
from .keys import RECORD, DeviceKeys
from .records import Draft, Records


@attrs.frozen
class Route:
    """Where a stanza goes. `by_lid`: the kind of all names in it."""

    to: Jid
    by_lid: bool
    phone: Jid | None = None  # of a person that is named by LID
    group: GroupInfo | None = None


class Routes:
    def __init__(self, records: Records, keys: DeviceKeys, *, devices: Devices, groups: GroupCache) -> None:
        self._records = records
        self._keys = keys
        self._devices = devices
        self._groups = groups

    async def route(self, chat: Jid) -> Route:
        """Raises `Rejected` for a person who is not on WhatsApp, or a group that we are not in."""
        if chat.is_group:
            info = await self._groups.get(chat)
            if not any(self._keys.is_mine(member.jid) for member in info.members):
                raise Rejected("not_a_member", "the account is not a member of this group")
            return Route(chat, info.by_lid, group=info)
        if self._keys.lid_migrated and self._keys.my_lid is not None:
            if chat.server == LID:
                phone = await people.phone_of_lid(Draft(self._records), chat)
                return Route(chat, True, phone)
            lid = await self._devices.lid_of(chat)
            if lid is not None:
                return Route(lid, True, chat)
            if not await self._devices.of([chat]):
                raise Rejected(CONTACT_NOT_FOUND, "this number is not on WhatsApp")
            return Route(chat, False)
        if chat.server == LID:
            phone = await people.phone_of_lid(Draft(self._records), chat)
            return Route(phone, False) if phone is not None else Route(chat, True)
        return Route(chat, False)

    async def other_route(self, route: Route) -> Route | None:
        """The same person by the other kind of name, if it is known."""
        if route.by_lid:
            return Route(route.phone, False) if route.phone is not None else None
        lid = await self._devices.lid_of(route.to)
        return Route(lid, True, route.to) if lid is not None and self._keys.my_lid is not None else None

    async def remember_addressing(self, by_lid: bool) -> None:
        async with self._records.lock:
            self._keys.lid_migrated = by_lid
            await self._records.commit([SessionChange(*RECORD, self._keys.dump())])

    def me(self, by_lid: bool) -> Jid:
        lid = self._keys.my_lid
        return lid if by_lid and lid is not None else self._keys.me

    def is_needed(self, route: Route, device: Jid) -> bool:
        """Whether nothing is sent without this device: the phone of the person, or of a member of the group.

        Other devices of theirs, and those of the account, are left out where they cannot be written to.
        """
        if route.group is None:
            return device == route.to
        return device == device.bare and not self._keys.is_mine(device)

    def forget(self, route: Route) -> None:
        """Ask for the group and for all devices of these people again before the next message to them."""
        if route.group is not None:
            self._groups.forget(route.to)
            for member in route.group.members:
                self._devices.forget(member.jid)
        self._devices.forget(route.to)
        self._devices.forget(self.me(route.by_lid))

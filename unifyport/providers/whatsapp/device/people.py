"""The two ids of a person, as far as the platform has told them: a bijection of phone numbers and LIDs.

It is learnt from the attributes of stanzas, device lists, group members and history, never guessed. A number
can get another LID (it was given to another person) and a LID another number (the person has changed it); the
former other half is then forgotten.
"""

import attrs

from unifyport.model.inbound import Conversation, Sender
from unifyport.protocols.binary_node import LID, PHONE, Jid

from .addresses import identities_of, is_person, phone_of
from .records import Draft

_LID_OF, _PHONE_OF = "lid", "pn"


@attrs.frozen
class Person:
    """A person's ids; one of them may be unknown."""

    phone: Jid | None
    lid: Jid | None

    @property
    def id(self) -> Jid:
        """The one that events show first."""
        found = self.phone or self.lid
        assert found is not None
        return found

    def is_of(self, device: Jid) -> bool:
        """Whether a device, or an address, is this person's."""
        return device.bare in (self.phone, self.lid)

    def conversation(self, title: str = "") -> Conversation:
        other = self.lid if self.phone is not None and self.lid is not None else None
        aliases = [str(other)] if other is not None else []
        return Conversation(str(self.id), "user", title, identities_of(self.phone, self.lid), aliases)

    def sender(self, name: str = "") -> Sender:
        identities = identities_of(self.phone, self.lid)
        return Sender(str(self.id), "user", name, "", phone_of(self.phone), identities)


async def lid_of(draft: Draft, phone: Jid) -> Jid | None:
    """The LID of the person with this number, on the same device."""
    found = await draft.get(_LID_OF, phone.user.encode())
    return Jid(found.decode(), LID, phone.device) if found else None


async def phone_of_lid(draft: Draft, lid: Jid) -> Jid | None:
    found = await draft.get(_PHONE_OF, lid.user.encode())
    return Jid(found.decode(), PHONE, lid.device) if found else None


async def person(draft: Draft, jid: Jid) -> Person:
    """Who has this address, without the device."""
    bare = jid.bare
    if bare.server == PHONE:
        return Person(bare, await lid_of(draft, bare))
    return Person(await phone_of_lid(draft, bare), bare)


async def cipher_address(draft: Draft, jid: Jid) -> Jid:
    """The address under which the Signal session with a device is kept: by the LID, once it is known."""
    if jid.server == PHONE:
        return await lid_of(draft, jid) or jid
    return jid


async def learn(draft: Draft, one: Jid | None, other: Jid | None) -> Jid | None:
    """Two addresses of one person. Returns the person's former number if it has changed."""
    if one is None or other is None or not (is_person(one) and is_person(other)):
        return None
    if one.server == other.server:
        return None
    phone, lid = (one.bare, other.bare) if one.server == PHONE else (other.bare, one.bare)
    if not phone.user or not lid.user:
        return None
    known_lid, known_phone = await lid_of(draft, phone), await phone_of_lid(draft, lid)
    if known_lid == lid and known_phone == phone:
        return None
    if known_lid is not None and known_lid != lid:
        draft.put(_PHONE_OF, known_lid.user.encode(), None)
    moved = known_phone if known_phone is not None and known_phone != phone else None
    if moved is not None:
        draft.put(_LID_OF, moved.user.encode(), None)
    draft.put(_LID_OF, phone.user.encode(), lid.user.encode())
    draft.put(_PHONE_OF, lid.user.encode(), phone.user.encode())
    return moved

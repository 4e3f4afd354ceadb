"""Which devices people have, as the platform says. Kept in memory: a notification, a refused message or an
acknowledgement with another hash of the recipients makes an entry void.

https://github.com/tulir/whatsmeow (`user.go`, `usync`)
"""

from collections import OrderedDict
from collections.abc import Iterable

import attrs

from unifyport.protocols.binary_node import LID, PHONE, Jid, Node

from . import people
from .addresses import read_jid
from .records import Draft, Records
from .requests import Requests, children

_KEPT = 4096  # people
_PAGE = 250  # people in one request
_MOST_DEVICES = 64  # of one person


@attrs.frozen
class _Answer:
    devices: dict[Jid, tuple[int, ...]]  # person as asked -> numbers of devices
    lids: dict[Jid, Jid]  # number -> LID


class Devices:
    def __init__(self, records: Records, requests: Requests) -> None:
        self._records = records
        self._requests = requests
        self._known: OrderedDict[Jid, tuple[int, ...]] = OrderedDict()

    async def of(self, persons: Iterable[Jid]) -> list[Jid]:
        """All devices of these people, each under the address by which the person is named.

        A person who is not on WhatsApp has none. Raises what `Requests.ask` raises.
        """
        wanted = list(dict.fromkeys(jid.bare for jid in persons))
        numbers = {jid: self._known[jid] for jid in wanted if jid in self._known}
        for jid in numbers:
            self._known.move_to_end(jid)
        unknown = [jid for jid in wanted if jid not in numbers]
        for start in range(0, len(unknown), _PAGE):
            # What was answered counts, although a notification may have it forgotten again meanwhile.
            numbers |= await self._ask(unknown[start : start + _PAGE])
        return [jid.on_device(number) for jid in wanted for number in numbers.get(jid, ())]

    async def lid_of(self, phone: Jid) -> Jid | None:
        """The LID of a number, as it is known or by asking. None if the platform does not know it."""
        known = await people.lid_of(Draft(self._records), phone.bare)
        if known is None:
            await self._ask([phone.bare])
            known = await people.lid_of(Draft(self._records), phone.bare)
        return known

    def forget(self, jid: Jid) -> None:
        """Ask again before the next message to this person."""
        self._known.pop(jid.bare, None)

    async def _ask(self, persons: list[Jid]) -> dict[Jid, tuple[int, ...]]:
        """The numbers of the devices of each person who has any."""
        answer = _read(await self._requests.ask("usync", "get", _query(persons)))
        for jid in persons:
            self._keep(jid, answer.devices.get(jid, ()))
        if answer.lids:
            await self._learn(answer)
        return answer.devices

    async def _learn(self, answer: "_Answer") -> None:
        async with self._records.lock:
            draft = Draft(self._records)
            for phone, lid in answer.lids.items():
                await people.learn(draft, phone, lid)
                if phone in answer.devices:  # the devices of a person have the same numbers under both ids
                    self._keep(lid, answer.devices[phone])
            if draft.changes:
                await self._records.commit(draft.changes)

    def _keep(self, jid: Jid, numbers: tuple[int, ...]) -> None:
        if not numbers:
            self._known.pop(jid, None)
            return
        self._known[jid] = numbers
        self._known.move_to_end(jid)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _query(persons: list[Jid]) -> Node:
    asked = Node("query", {}, [Node("devices", {"version": "2"}), Node("lid")])
    users = Node("list", {}, [Node("user", {"jid": str(jid)}) for jid in persons])
    attributes = {"sid": "1", "mode": "query", "last": "true", "index": "0", "context": "message"}
    return Node("usync", attributes, [asked, users])


def _read(answer: Node) -> _Answer:
    found = _Answer({}, {})
    for user in children(answer, "usync", "list"):
        jid = read_jid(user.get("jid"))
        if user.tag != "user" or jid is None:
            continue
        numbers = {
            device.number("id", -1)
            for device in children(user, "devices", "device-list")
            if device.tag == "device" and not device.get("is_hosted")
        }
        found.devices[jid.bare] = tuple(sorted(n for n in numbers if 0 <= n < 65536))[:_MOST_DEVICES]
        lid = user.child("lid")
        other = read_jid(lid.get("val")) if lid is not None else None
        if other is not None and other.server == LID and jid.server == PHONE:
            found.lids[jid.bare] = other.bare
    return found

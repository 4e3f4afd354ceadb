"""The list of people's devices, while notifications make it void."""

from collections.abc import Sequence

from actors.account.memory_session import MemorySession
from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import Jid, Node
from unifyport.providers.whatsapp.device.devices import Devices
from unifyport.providers.whatsapp.device.records import Records
from unifyport.providers.whatsapp.device.requests import Requests

MEI, MEI_LID = Jid("6590000002", "s.whatsapp.net"), Jid("104", "lid")


class Platform:
    """Answers every question for devices: MEI has two, and a LID."""

    def __init__(self) -> None:
        self.asked = 0
        self.requests = Requests(self)  # type: ignore[arg-type]

    async def send(self, node: Node) -> None:
        self.asked += 1
        numbers = [Node("device", {"id": str(number)}) for number in (0, 5)]
        listed = Node("devices", {}, [Node("device-list", {}, numbers)])
        user = Node("user", {"jid": str(MEI)}, [listed, Node("lid", {"val": str(MEI_LID)})])
        answer = Node("iq", {"id": node.get("id")}, [Node("usync", {}, [Node("list", {}, [user])])])
        self.requests.answer(answer)


class Notified(MemorySession):
    """A notification about MEI's devices is handled while what was answered is committed."""

    devices: Devices

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        await super().commit(changes)
        self.devices.forget(MEI)


async def test_an_answer_counts_although_its_entry_becomes_void_meanwhile() -> None:
    platform, session = Platform(), Notified({})
    session.devices = devices = Devices(Records(session), platform.requests)
    assert await devices.of([MEI]) == [MEI.on_device(0), MEI.on_device(5)]
    assert await devices.of([MEI]) == [MEI.on_device(0), MEI.on_device(5)]
    assert platform.asked == 2  # the notification has made the first answer void for later messages

"""Keys of other devices that are missing, broken or forged: whom a message is sent to without them."""

from collections.abc import Collection

import pytest

from actors.account.memory_session import MemorySession
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.curve import KeyPair, sign
from unifyport.protocols.signal.keys import Bundle
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.whatsapp.device.devices import Devices
from unifyport.providers.whatsapp.device.encryption import Encryptor
from unifyport.providers.whatsapp.device.group_cache import GroupCache
from unifyport.providers.whatsapp.device.groups import GroupInfo, Member
from unifyport.providers.whatsapp.device.keys import SIGNED_KEY_PREFIX, DeviceKeys
from unifyport.providers.whatsapp.device.outgoing import Outgoing
from unifyport.providers.whatsapp.device.ratchets import Ratchets
from unifyport.providers.whatsapp.device.records import Records
from unifyport.providers.whatsapp.device.requests import Requests
from unifyport.providers.whatsapp.device.routes import Routes
from unifyport.providers.whatsapp.device.tokens import Tokens

SHOP, MEI, TOM = (Jid(f"659000000{number}", "s.whatsapp.net") for number in (1, 2, 3))
GROUP = Jid("120363000000000001", "g.us")
DEVICES = {SHOP: (0, 1), MEI: (0, 5), TOM: (0, 7)}
FORGED, MISSING, NO_KEY = "forged", "missing", "no key"


class Platform:
    """The other end of a connection, and the store of prekeys. `bad`: what is wrong with which device's."""

    def __init__(self, bad: dict[Jid, str]) -> None:
        self.bad = bad
        self.messages: list[Node] = []
        self.requests = Requests(self)  # type: ignore[arg-type]

    async def send(self, node: Node) -> None:
        if node.tag == "message":
            self.messages.append(node)
            answer = Node("ack", {"class": "message", "id": node.get("id")})
        elif node.get("xmlns") == "usync":
            asked = [Jid.parse(user.get("jid")) for user in node.children[0].children[1].children]
            answer = Node("iq", {"id": node.get("id")}, [_usync(asked)])
        else:
            members = [Node("participant", {"jid": str(jid)}) for jid in DEVICES]
            group = Node("group", {"id": GROUP.user, "addressing_mode": "pn"}, members)
            answer = Node("iq", {"id": node.get("id")}, [group])
        self.requests.answer(answer)

    async def fetch(self, devices: Collection[Jid]) -> dict[Jid, Bundle]:
        return {
            device: _bundle(self.bad.get(device)) for device in devices if self.bad.get(device) != MISSING
        }

    def written_to(self) -> set[Jid]:
        """The devices that the last message has a ciphertext or a sender key for."""
        parts = self.messages[-1].child("participants")
        return {Jid.parse(part.get("jid")) for part in parts.children} if parts is not None else set()


def _usync(asked: list[Jid]) -> Node:
    users = []
    for jid in asked:
        numbers = [Node("device", {"id": str(number)}) for number in DEVICES[jid]]
        devices = Node("devices", {}, [Node("device-list", {}, numbers)])
        users.append(Node("user", {"jid": str(jid)}, [devices]))
    return Node("usync", {}, [Node("list", {}, users)])


def _bundle(wrong: str | None) -> Bundle:
    identity, signed = KeyPair.generate(), KeyPair.generate()
    signer = KeyPair.generate() if wrong == FORGED else identity
    public = bytes(32) if wrong == NO_KEY else signed.public  # a point of low order
    return Bundle(1, identity.public, 1, public, sign(signer.private, SIGNED_KEY_PREFIX + public))


async def send(platform: Platform, to: Jid) -> None:
    records, keys = Records(MemorySession({})), DeviceKeys.generate(1_790_000_000)
    keys.jid = str(SHOP.on_device(1))
    ratchets, tokens = Ratchets(keys), Tokens(records, platform.requests, Clock())
    devices, groups = Devices(records, platform.requests), GroupCache(records, platform.requests)
    await groups.take(GroupInfo(GROUP, members=tuple(Member(jid) for jid in DEVICES)))
    routes = Routes(records, keys, devices=devices, groups=groups)
    outgoing = Outgoing(
        records,
        platform.requests,
        routes=routes,
        devices=devices,
        ratchets=ratchets,
        prekeys=platform,
        encryptor=Encryptor(keys, ratchets, routes, tokens),
    )

    async def hand_over(changes: list[SessionChange]) -> None:
        await records.commit(changes)

    await outgoing.send(to, wa.Message(conversation="hello"), "3EB0AA", hand_over)


@pytest.mark.parametrize("wrong", [FORGED, MISSING, NO_KEY])
@pytest.mark.parametrize("chat", [MEI, GROUP], ids=["person", "group"])
async def test_a_companion_device_with_bad_keys_is_left_out(chat: Jid, wrong: str) -> None:
    companion = MEI.on_device(5)
    platform = Platform({companion: wrong})
    await send(platform, chat)
    people = DEVICES if chat == GROUP else (SHOP, MEI)
    everyone = {jid.on_device(number) for jid in people for number in DEVICES[jid]}
    assert platform.written_to() == everyone - {SHOP.on_device(1), companion}


@pytest.mark.parametrize("wrong", [FORGED, MISSING, NO_KEY])
@pytest.mark.parametrize("chat", [MEI, GROUP], ids=["person", "group"])
async def test_without_the_keys_of_a_phone_nothing_is_sent(chat: Jid, wrong: str) -> None:
    platform = Platform({MEI: wrong})
    with pytest.raises(Rejected) as refused:
        await send(platform, chat)
    assert refused.value.reason == (
        "recipient_keys_missing" if wrong == MISSING else "recipient_keys_invalid"
    )
    assert str(MEI) in refused.value.detail
    assert platform.messages == []


@pytest.mark.parametrize("chat", [MEI, GROUP], ids=["person", "group"])
async def test_the_own_phone_with_bad_keys_keeps_nobody_from_reading(chat: Jid) -> None:
    platform = Platform({SHOP: FORGED})
    await send(platform, chat)
    assert MEI in platform.written_to()
    assert SHOP not in platform.written_to()

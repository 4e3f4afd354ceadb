"""What a hostile or broken platform or sender can do to a linked device: it costs the one stanza, or the
connection.
"""

import functools
import zlib
from pathlib import Path

import pytest

from tests.device_world import MEI, SHOP, DeviceWorld, device_world, until
from unifyport.protocols.binary_node import Node, encode
from unifyport.protocols.binary_node.tokens import BINARY_32, LIST_8
from unifyport.protocols.whatsapp.messages import pad
from unifyport.sandbox.whatsapp.device.link import Link

CHAT = f"{MEI}@s.whatsapp.net"
UNREADABLE = {
    "nothing": b"",
    "noise": b"\x00\xff\xfe\xfd",
    "truncated": encode(Node("message", {"id": "X", "from": CHAT}, b"content"))[:-3],
    "a length beyond its end": b"\0" + bytes((LIST_8, 2, 1, BINARY_32)) + b"\xff" * 4,
    "nested without end": b"\0" + bytes((LIST_8, 2, 1, LIST_8, 1)) * 10_000,
    "a compressed bomb": b"\x02" + zlib.compress(bytes((LIST_8, 2, 1, BINARY_32)) + bytes(64 << 20)),
    "compressed noise": b"\x02" + b"noise",
}


def stanza(tag: str, content: object = None, **attrs: str) -> Node:
    return Node(tag, {"id": f"H{tag}", "from": CHAT, "t": "1780790400"} | attrs, content)  # type: ignore[arg-type]


ODD = {
    "an unknown stanza": Node("surprise", {"from": "s.whatsapp.net", "id": "1"}, [Node("x")]),
    "a stanza without attributes": Node("message"),
    "a message without a sender": Node("message", {"id": "HX"}),
    "a message of no address": stanza("message", **{"from": "a@b@c"}),
    "a message with a long id": stanza("message", id="x" * 5000),
    "a message of the year 31,690": stanza("message", t="9" * 12),
    "a message of no year": stanza("message", t="9" * 18),
    "a message of a time before all years": stanza("message", t="-" + "9" * 18),
    "a message of a long address": stanza("message", **{"from": "1" * 5000 + "@s.whatsapp.net"}),
    "a message of a long other address": stanza("message", sender_lid="1" * 5000 + "@lid"),
    "a message of a long group": stanza("message", **{"from": "1" * 5000 + "@g.us", "participant": CHAT}),
    "a receipt of no year": stanza("receipt", t="9" * 18),
    "a read receipt of no year": stanza("receipt", t="9" * 18, type="read"),
    "a receipt of members of no year": Node(
        "receipt",
        {"id": "HP", "from": "123-456@g.us", "type": "read", "t": "9" * 18},
        [Node("participants", {"key": "HP"}, [Node("user", {"jid": CHAT, "t": "9" * 18})])],
    ),
    "a call of no year": stanza("call", [Node("offer", {"call-id": "1", "call-creator": CHAT})], t="9" * 18),
    "a group notification of no year": stanza(
        "notification",
        [Node("subject", {"subject": "x", "s_t": "9" * 18})],
        type="w:gp2",
        t="9" * 18,
        **{"from": "123-456@g.us", "participant": CHAT},
    ),
    "a picture of no year": stanza("notification", [Node("set", {"jid": CHAT})], type="picture", t="9" * 18),
    "a receipt of nothing": Node("receipt", {}),
    "a receipt of odd lists": stanza("receipt", [Node("list", {}, [Node("item"), Node("x")])]),
    "a retry receipt for nothing": stanza("receipt", type="retry"),
    "a notification of an unknown type": stanza("notification", type="surprise"),
    "a notification without content": stanza("notification", type="devices"),
    "devices of no list": stanza("notification", [Node("update", {}, b"x")], type="devices"),
    "a group notification of noise": stanza("notification", [Node("surprise", {"jid": "@"})], type="w:gp2"),
    "a token of nothing": stanza("notification", [Node("tokens", {}, [Node("token")])], type="privacy_token"),
    "a call of nothing": stanza("call"),
    "an order of nothing": Node("ib", {}, [Node("surprise")]),
    "a dirty bit of nothing": Node("ib", {}, [Node("dirty", {"type": "groups"})]),
    "an answer that nobody waits for": Node("iq", {"type": "result", "id": "none", "from": "s.whatsapp.net"}),
    "an acknowledgement of nothing": Node("ack", {"class": "message", "id": "none", "error": "463"}),
    "a link of a linked device": Node(
        "iq", {"type": "set", "id": "9", "from": "s.whatsapp.net"}, [Node("pair-success")]
    ),
    "a success after the success": Node("success", {"lid": "1@lid"}),
}


def link_of(world: DeviceWorld) -> Link:
    link = world.device(SHOP).receiver
    assert isinstance(link, Link)
    return link


def answers(world: DeviceWorld, tag: str, **attrs: str) -> list[Node]:
    """What the device wrote."""
    return [
        node for _, node in world.relay.relay.seen if node.tag == tag and attrs.items() <= node.attrs.items()
    ]


async def still_reads(world: DeviceWorld, text: str) -> None:
    await world.order("messages", **{"from": MEI}, to=SHOP, text=text)
    await world.inbox.until(lambda: text in world.texts(SHOP))


async def test_stanzas_that_cannot_be_read_cost_only_themselves(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        logins = world.device(SHOP).logins
        for name, data in UNREADABLE.items():
            link_of(world).push(data)
            await still_reads(world, f"after {name}")
        for name, node in ODD.items():
            link_of(world).push(node)
            await still_reads(world, f"after {name}")
        assert world.device(SHOP).logins == logins
        assert len(world.received(SHOP)) == len(UNREADABLE) + len(ODD)


@pytest.mark.parametrize("kind", ["pkmsg", "msg", "skmsg", "msmsg", "surprise"])
async def test_a_message_that_is_noise_is_asked_for_again_and_acknowledged(tmp_path: Path, kind: str) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await still_reads(world, "hello")
        for number, body in enumerate((b"", b"\x33", b"\x33" + bytes(60), b"\x53" + bytes(200))):
            id_ = f"HOSTILE{number}"
            link_of(world).push(stanza("message", [Node("enc", {"v": "2", "type": kind}, body)], id=id_))
            await until(functools.partial(answers, world, "ack", id=id_))
            assert answers(world, "receipt", id=id_, type="retry")
            assert len(answers(world, "ack", id=id_)) == 1
        await still_reads(world, "still here")


@pytest.mark.parametrize(
    "plaintext", [b"\x0a\x03hi", b"\x0a\x02\xff\xfe", b"\xff" * 50], ids=["short", "text", "noise"]
)
async def test_a_plaintext_that_is_no_message_is_told_and_acknowledged(
    tmp_path: Path, plaintext: bytes
) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await still_reads(world, "hello")
        phone = world.relay.customers.phones[world.relay.relay.account(MEI)]
        for number, padded in enumerate((pad(plaintext), plaintext)):  # the latter is padded wrongly, too
            kind, body = phone.keys.encrypt(world.device(SHOP), padded)
            enc = Node("enc", {"v": "2", "type": kind}, body)
            link_of(world).push(stanza("message", [enc], id=f"BAD{number}"))
        await until(lambda: answers(world, "ack", id="BAD1"))
        assert len(answers(world, "ack", id="BAD0")) == len(answers(world, "ack", id="BAD1")) == 1
        assert not answers(world, "receipt", type="retry")
        await still_reads(world, "still here")
        await world.inbox.until(lambda: len(world.received(SHOP)) == 4)
        told = {event["message_id"]: event["message_type"] for event in world.received(SHOP)}
        assert (told["BAD0"], told["BAD1"]) == ("unknown", "unknown")


@pytest.mark.parametrize("damage", ["replayed", "changed", "lost", "reordered", "too long"])
async def test_a_damaged_connection_is_replaced_and_loses_nothing(tmp_path: Path, damage: str) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await still_reads(world, "before")
        logins, link = world.device(SHOP).logins, link_of(world)
        first, second = (link._channel.seal(encode(Node("ib", {}, [Node(name)]))) for name in "ab")
        sent = {
            "replayed": first + first,
            "changed": first[:-1] + bytes((first[-1] ^ 1,)),
            "lost": second,
            "reordered": second + first,
            "too long": b"\xff\xff\xff" + bytes(100),
        }[damage]
        await link._websocket.send(sent)
        if damage == "too long":
            await link._websocket.send(bytes((1 << 24) - 101))  # the length is kept, the content is noise
        await world.logged_in(SHOP, logins + 1)
        await still_reads(world, "after")
        assert world.texts(SHOP) == ["before", "after"]

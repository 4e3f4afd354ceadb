"""The stanza codec: what other clients write, whatever we write ourselves, and whatever a hostile peer may
send.
"""

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocols.nodes import JIDS, NODES
from unifyport.protocols.binary_node import Jid, MalformedJid, MalformedNode, Node, decode, encode, tokens
from unifyport.protocols.binary_node.decoder import MAX_DEPTH, MAX_ITEMS, MAX_SIZE

VECTORS = json.loads((Path(__file__).parent / "vectors" / "nodes.json").read_text())["nodes"]
PING = Node("iq", {"id": "1", "to": "s.whatsapp.net"}, [Node("ping")])


def node_of(data: dict) -> Node:
    if "bytes" in data:
        return Node(data["tag"], data["attrs"], bytes.fromhex(data["bytes"]))
    children = [node_of(child) for child in data["content"]] if "content" in data else None
    return Node(data["tag"], data["attrs"], children)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["node"]["tag"])
@pytest.mark.parametrize("client", ["baileys", "whatsmeow"])
def test_what_other_clients_write_is_read(vector: dict, client: str) -> None:
    assert decode(bytes.fromhex(vector[client])) == node_of(vector["node"])


@pytest.mark.parametrize("vector", VECTORS[1:], ids=lambda vector: vector["node"]["tag"])
def test_a_stanza_is_written_as_baileys_writes_it(vector: dict) -> None:
    assert encode(node_of(vector["node"])).hex() == vector["baileys"]


def test_the_server_is_addressed_as_whatsmeow_does() -> None:
    # A JID without a user, not the word of the token table: whatsmeow takes no order from the latter.
    to = bytes((tokens.JID_PAIR, tokens.LIST_EMPTY)) + tokens.CODES["s.whatsapp.net"]
    assert tokens.CODES["to"] + to in encode(PING)
    assert tokens.CODES["to"] + to in bytes.fromhex(VECTORS[0]["whatsmeow"])
    assert decode(encode(PING)) == PING


@given(node=NODES)
@settings(deadline=None)
def test_every_stanza_reads_back(node: Node) -> None:
    assert decode(encode(node)) == node
    assert decode(b"\x02" + zlib.compress(encode(node)[1:])) == node


@given(jid=JIDS)
def test_every_jid_reads_back_as_text_and_as_attribute(jid: Jid) -> None:
    assert Jid.parse(str(jid)) == jid
    assert decode(encode(Node("a", {"jid": str(jid)}))).jid("jid") == jid


@pytest.mark.parametrize(
    "text", ["a@lid@lid", "", "@", "1:x@lid", "1:65536@lid", "1.999999:0@lid", ":1@lid", "1@"]
)
def test_what_is_not_a_jid_is_refused(text: str) -> None:
    with pytest.raises(MalformedJid):
        Jid.parse(text)
    with pytest.raises(MalformedNode):
        Node("a", {"from": text}).jid("from")


def test_an_unknown_domain_keeps_its_number() -> None:
    data = (
        b"\0"
        + bytes((tokens.LIST_8, 3))
        + tokens.CODES["to"] * 2
        + bytes((tokens.AD_JID, 7, 2, tokens.NIBBLE_8, 1, 0x12))
    )
    assert decode(data).jid("to") == Jid("12", "s.whatsapp.net", 2, 7)


@pytest.mark.parametrize("size", [0, 255, 256, (1 << 20) - 1, 1 << 20])
def test_every_size_of_content_reads_back(size: int) -> None:
    node = Node("a", {"t": "x" * min(size, 1000)}, b"c" * size)
    assert decode(encode(node)) == node


@pytest.mark.parametrize("count", [255, 256, 1000])
def test_long_lists_read_back(count: int) -> None:
    node = Node("list", {}, [Node("item", {"id": str(number)}) for number in range(count)])
    assert decode(encode(node)) == node


@given(node=NODES, cut=st.integers(1, 40))
@settings(deadline=None)
def test_a_truncated_stanza_is_an_error(node: Node, cut: int) -> None:
    data = encode(node)
    with pytest.raises(MalformedNode):
        decode(data[: max(0, len(data) - cut)])


@given(data=st.binary(max_size=400))
@example(b"\x02")
@example(b"\0\xf8\x00")
@example(b"\0\xf8\x03\x01\x00\x00")
@settings(deadline=None, max_examples=500)
def test_whatever_comes_is_a_stanza_or_an_error(data: bytes) -> None:
    for flag in (b"", b"\0", b"\0\xf8\x05\x13\x08\x05", b"\0\xf8\x02\x01\xf8\x03"):
        try:
            node = decode(flag + data)
        except MalformedNode:
            continue
        assert decode(encode(node)) == node


@given(node=NODES, data=st.data())
@settings(deadline=None)
def test_a_changed_stanza_is_a_stanza_or_an_error(node: Node, data: st.DataObject) -> None:
    changed = bytearray(encode(node))
    changed[data.draw(st.integers(1, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(changed))
    except MalformedNode:
        return
    assert found.tag


def test_bytes_after_the_stanza_are_an_error() -> None:
    with pytest.raises(MalformedNode, match="1 bytes after"):
        decode(encode(PING) + b"\0")


def test_a_compressed_stanza_that_inflates_to_too_much_is_refused_early() -> None:
    bomb = b"\x02" + zlib.compress(bytes((tokens.LIST_8, 2, 1, tokens.BINARY_32)) + bytes(200 << 20))
    assert len(bomb) < 300_000
    with pytest.raises(MalformedNode, match="after decompression"):
        decode(bomb)


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_compressed_stanza_is_an_error(damage: str) -> None:
    data = b"\x02" + zlib.compress(encode(Node("a", {}, b"content" * 100))[1:])
    with pytest.raises(MalformedNode):
        decode(data[:-5] if damage == "truncated" else data[:-1] + b"x")


def test_depth_is_limited() -> None:
    def nested(depth: int) -> Node:
        return Node("a", {}, [nested(depth - 1)] if depth > 1 else None)

    assert decode(encode(nested(MAX_DEPTH)))
    with pytest.raises(MalformedNode, match="deeper"):
        decode(encode(nested(MAX_DEPTH + 1)))
    # Without the nesting of the test's own recursion: half a million lists of one node.
    with pytest.raises(MalformedNode, match="deeper"):
        decode(b"\0" + bytes((tokens.LIST_8, 2, 1, tokens.LIST_8, 1)) * 500_000)


def test_the_number_of_nodes_and_attributes_is_limited() -> None:
    # 65,535 nodes with 127 attributes each would be eight million objects, from 17 MB.
    one = bytes((tokens.LIST_8, 255, 1)) + bytes((1, 1)) * 127
    count = MAX_ITEMS // 128 + 1
    data = b"\0" + bytes((tokens.LIST_8, 2, 1, tokens.LIST_16)) + count.to_bytes(2, "big") + one * count
    with pytest.raises(MalformedNode, match="More than"):
        decode(data)


def test_a_length_beyond_the_stanza_reserves_nothing() -> None:
    with pytest.raises(MalformedNode, match="truncated"):
        decode(b"\0" + bytes((tokens.LIST_8, 2, 1, tokens.BINARY_32)) + b"\xff" * 4)


def test_an_uncompressed_stanza_is_limited_too() -> None:
    with pytest.raises(MalformedNode, match="more than"):
        decode(encode(Node("a", {}, bytes(MAX_SIZE))))


def test_text_that_is_not_utf_8_costs_only_itself() -> None:
    data = encode(Node("message", {"notify": "name?!", "id": "ABC"})).replace(b"name?!", b"name\xff\xfe")
    node = decode(data)
    assert node.attrs == {"notify": "name\ufffd\ufffd", "id": "ABC"}


def test_content_that_is_a_word_is_its_text() -> None:
    # Baileys writes text content as a token, or packed.
    data = b"\0" + bytes((tokens.LIST_8, 2, 1)) + tokens.CODES["text"]
    assert decode(data).content == b"text"


def test_what_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(MalformedNode):
        encode(Node(""))
    with pytest.raises(MalformedNode):
        encode(Node("list", {}, [Node("a")] * 65_536))


def test_readers_of_a_node() -> None:
    node = Node(
        "iq",
        {"t": "17", "bad": "1e9", "long": "9" * 30},
        [Node("a", {}, [Node("b", {}, b"\xffx")]), Node("a")],
    )
    assert [child.tag for child in node.all("a")] == ["a", "a"]
    assert node.bytes_of("a", "b") == b"\xffx"
    assert node.text_of("a", "b") == "\ufffdx"
    assert node.bytes_of("a") is None
    assert node.child("x", "y") is None
    assert node.children[1].children == ()
    assert (node.number("t"), node.number("bad"), node.number("long", 5), node.number("no", -1)) == (
        17,
        0,
        5,
        -1,
    )
    assert node.need("t") == "17"
    with pytest.raises(MalformedNode):
        node.need("no")
    assert node.jid("no") is None


def test_addresses() -> None:
    jid = Jid.parse("15550001:7@s.whatsapp.net")
    assert (jid.bare, jid.on_device(0)) == (Jid("15550001", "s.whatsapp.net"),) * 2
    assert jid.full == "15550001.0:7@s.whatsapp.net"
    assert (jid.is_user, jid.is_lid, jid.is_group) == (True, False, False)
    assert (Jid.parse("1@hosted.lid").is_lid, Jid.parse("1-2@g.us").is_group) == (True, True)
    assert Jid.parse("s.whatsapp.net") == Jid("", "s.whatsapp.net")

"""Nodes to bytes."""

import string
from typing import Final

from unifyport.protocols.binary_node import tokens
from unifyport.protocols.binary_node.jid import (
    DOMAINS,
    HOSTED,
    HOSTED_LID,
    INTEROP,
    MESSENGER,
    SERVERS,
    Jid,
    MalformedJid,
)
from unifyport.protocols.binary_node.node import MalformedNode, Node

MAX_LIST: Final = 0xFFFF
_NIBBLES: Final = frozenset(string.digits + "-.")
_HEX: Final = frozenset(string.digits + "ABCDEF")
_LIMITS: Final = dict.fromkeys(DOMAINS, (0xFF, 0)) | {MESSENGER: (0xFFFF, 0), INTEROP: (0xFFFF, 0xFFFF)}
_FROM_NIBBLES: Final = str.maketrans("-.", "ab")


def encode(node: Node) -> bytes:
    """The stanza, uncompressed. Raises `MalformedNode` for a node that the format cannot hold.

    A text that is the canonical form of a JID on a known server is written as a JID, as the platform expects
    of `to`, `from`, `participant` and `jid`. It reads back as the same text. A server alone is written as a
    JID without a user in `to` and `from`: whatsmeow takes orders from no other address of the server.
    """
    out = bytearray(b"\0")
    _write_node(out, node)
    return bytes(out)


def _write_node(out: bytearray, node: Node) -> None:
    if not node.tag:
        raise MalformedNode("A node without a tag")
    _write_list(out, 1 + 2 * len(node.attrs) + (node.content is not None))
    _write_text(out, node.tag)
    for name, value in node.attrs.items():
        _write_text(out, name)
        if value in SERVERS and name in ("to", "from"):
            _write_jid(out, Jid("", value))
        else:
            _write_text(out, value)
    if isinstance(node.content, bytes):
        _write_bytes(out, node.content)
    elif node.content is not None:
        _write_list(out, len(node.content))
        for child in node.content:
            _write_node(out, child)


def _write_list(out: bytearray, size: int) -> None:
    if size == 0:
        out.append(tokens.LIST_EMPTY)
    elif size <= 0xFF:
        out += bytes((tokens.LIST_8, size))
    elif size <= MAX_LIST:
        out.append(tokens.LIST_16)
        out += size.to_bytes(2, "big")
    else:
        raise MalformedNode(f"A list of {size} items")


def _write_bytes(out: bytearray, data: bytes) -> None:
    size = len(data)
    if size <= 0xFF:
        out += bytes((tokens.BINARY_8, size))
    elif size < 1 << 20:
        out.append(tokens.BINARY_20)
        out += size.to_bytes(3, "big")
    else:
        out.append(tokens.BINARY_32)
        out += size.to_bytes(4, "big")
    out += data


def _write_text(out: bytearray, text: str) -> None:
    code = tokens.CODES.get(text)
    if code:
        out += code
        return
    if text and len(text) <= tokens.PACKED_MAX:
        if _NIBBLES.issuperset(text):
            _write_packed(out, tokens.NIBBLE_8, text.translate(_FROM_NIBBLES))
            return
        if _HEX.issuperset(text):
            _write_packed(out, tokens.HEX_8, text)
            return
    jid = _as_jid(text) if "@" in text else None
    if jid:
        _write_jid(out, jid)
    else:
        _write_bytes(out, text.encode("utf-8", "replace"))


def _write_packed(out: bytearray, code: int, digits: str) -> None:
    odd = len(digits) % 2
    packed = bytes.fromhex(digits + "f" * odd)
    out += bytes((code, len(packed) | odd << 7))
    out += packed


def _as_jid(text: str) -> Jid | None:
    """The JID that reads back as exactly this text, if there is one."""
    try:
        jid = Jid.parse(text)
    except MalformedJid:
        return None
    max_device, max_agent = _LIMITS.get(jid.server, (0, 0))
    fits = jid.device <= max_device and jid.agent <= max_agent
    return jid if fits and jid.server in SERVERS and jid.user and str(jid) == text else None


def _write_jid(out: bytearray, jid: Jid) -> None:
    if jid.server in (HOSTED, HOSTED_LID) or (jid.device and jid.server in DOMAINS):
        out += bytes((tokens.AD_JID, DOMAINS[jid.server], jid.device))
        _write_text(out, jid.user)
    elif jid.server == MESSENGER:
        out.append(tokens.FB_JID)
        _write_text(out, jid.user)
        out += jid.device.to_bytes(2, "big")
        _write_text(out, jid.server)
    elif jid.server == INTEROP:
        out.append(tokens.INTEROP_JID)
        _write_text(out, jid.user)
        out += jid.device.to_bytes(2, "big") + jid.agent.to_bytes(2, "big")
        _write_text(out, jid.server)
    else:
        out.append(tokens.JID_PAIR)
        if jid.user:
            _write_text(out, jid.user)
        else:
            out.append(tokens.LIST_EMPTY)
        _write_text(out, jid.server)

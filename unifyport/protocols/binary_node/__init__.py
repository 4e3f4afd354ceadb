"""Stanzas of WhatsApp's multi-device protocol: nodes like XML elements, in a compact binary form.

A stanza on the wire is one flag byte (bit 1 set: the rest is compressed with zlib) and one node. The format
and the token tables are those that the public clients Baileys (`WABinary`) and whatsmeow (`binary`) read and
write.
"""

from unifyport.protocols.binary_node.decoder import decode
from unifyport.protocols.binary_node.encoder import encode
from unifyport.protocols.binary_node.jid import BROADCAST, GROUP, LID, NEWSLETTER, PHONE, Jid, MalformedJid
from unifyport.protocols.binary_node.node import MalformedNode, Node

__all__ = [
    "BROADCAST",
    "GROUP",
    "LID",
    "NEWSLETTER",
    "PHONE",
    "Jid",
    "MalformedJid",
    "MalformedNode",
    "Node",
    "decode",
    "encode",
]

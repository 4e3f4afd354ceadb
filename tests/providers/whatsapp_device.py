"""Messages of linked devices as tests of the parser build and draw them."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from unifyport.model.inbound import Conversation, Sender
from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message
from unifyport.providers.whatsapp.device.additions import Found
from unifyport.providers.whatsapp.device.contents import Incoming
from unifyport.providers.whatsapp.device.stanzas import Head

NOW = 1_780_790_400_000  # ms
MEI, SHOP = Jid("6590000002", "s.whatsapp.net"), Jid("6590000001", "s.whatsapp.net")
CHAT = Conversation(str(MEI), "user", "Mei")


def incoming(message: Message, *, from_me: bool = False, found: Found | None = None) -> Incoming:
    sender = SHOP.on_device(0) if from_me else MEI.on_device(3)
    head = Head("3AID", MEI, sender, from_me, NOW, "Mei")
    return Incoming(b"key", head, CHAT, Sender(str(sender.bare), "user", "Mei"), message, found or Found())


_NUMBERS = {
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 200),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=40),
    FieldDescriptor.TYPE_STRING: st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.sampled_from(
            ["3AID", "104@lid", "/v/path", "@6590000002 hi", "https://x.y", "\0", "\u202e", "a" * 3000]
        ),
    ),
}


@st.composite
def drawn(draw: st.DrawFn, descriptor: Any = Message.DESCRIPTOR, depth: int = 4) -> Any:
    """A message with some of its fields, and some of theirs."""
    made = GetMessageClass(descriptor)()
    fields = [field for field in descriptor.fields if depth or field.type != field.TYPE_MESSAGE]
    if not fields:
        return made
    for field in draw(st.lists(st.sampled_from(fields), max_size=5, unique_by=lambda field: field.number)):
        inner = (
            drawn(field.message_type, depth - 1) if field.type == field.TYPE_MESSAGE else _NUMBERS[field.type]
        )
        if field.is_repeated:
            getattr(made, field.name).extend(draw(st.lists(inner, max_size=3)))
        elif field.type == field.TYPE_MESSAGE:
            getattr(made, field.name).CopyFrom(draw(inner))
        else:
            setattr(made, field.name, draw(inner))
    return made

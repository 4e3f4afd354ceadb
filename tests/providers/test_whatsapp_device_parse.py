"""Messages of linked devices: what each kind says, and that nothing a sender could write makes the parser
raise.
"""

import base64
import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.whatsapp_device import MEI, NOW, drawn, incoming
from unifyport.model.inbound import (
    Content,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
)
from unifyport.model.normalize import normalize
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import MalformedMessage, read_message
from unifyport.providers.whatsapp.device.additions import Found
from unifyport.providers.whatsapp.device.files import FileHandle
from unifyport.providers.whatsapp.device.kinds import KINDS
from unifyport.providers.whatsapp.device.parse import parse
from unifyport.providers.whatsapp.device.wrappers import unwrap

FILE: dict[str, Any] = {
    "directPath": "/v/t62/file.enc?ccb=1",
    "mediaKey": bytes(32),
    "fileSHA256": b"\x01" * 32,
    "fileEncSHA256": b"\x02" * 32,
    "fileLength": 1234,
    "mimetype": "application/octet-stream",
}
CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Mei Tan\nEND:VCARD"
POLL = {"name": "Tea?", "options": [{"optionName": "Yes"}, {"optionName": "No"}], "selectableOptionsCount": 1}
POLL_FIELD = {"question": "Tea?", "options": ["Yes", "No"], "selectable": 1}
# field of `Message` -> its content, and the type, text and fields of the event's message
SAID: dict[str, tuple[dict[str, Any], str, str, dict[str, Any]]] = {
    "extendedTextMessage": (
        {"text": "see x.y", "matchedText": "x.y", "title": "X"},
        "text",
        "see x.y",
        {"link_preview": {"url": "x.y", "title": "X"}},
    ),
    "imageMessage": (
        {**FILE, "caption": "look", "width": 4, "height": 3},
        "image",
        "look",
        {"width": 4, "height": 3},
    ),
    "videoMessage": ({**FILE, "caption": "look", "gifPlayback": True}, "video", "look", {"animated": True}),
    "ptvMessage": (FILE, "video", "", {"round": True}),
    "audioMessage": (
        {**FILE, "PTT": True, "seconds": 3, "waveform": b"\x00\x64"},
        "audio",
        "",
        {"voice": True, "waveform": base64.b64encode(b"\x00\x64").decode()},
    ),
    "documentMessage": ({**FILE, "fileName": "a.pdf", "caption": "the bill"}, "document", "the bill", {}),
    "stickerMessage": ({**FILE, "isAnimated": True}, "sticker", "", {"animated": True}),
    "locationMessage": (
        {"degreesLatitude": 1.3, "degreesLongitude": 103.8, "name": "Shop"},
        "location",
        "Shop\n1.300000,103.800000",
        {"location": {"latitude": 1.3, "longitude": 103.8, "name": "Shop"}},
    ),
    "liveLocationMessage": (
        {"degreesLatitude": 1.3, "degreesLongitude": 103.8},
        "location",
        "1.300000,103.800000",
        {"location": {"latitude": 1.3, "longitude": 103.8}, "live": True},
    ),
    "contactMessage": (
        {"displayName": "Mei Tan", "vcard": CARD},
        "contact",
        CARD,
        {"contacts": [{"display_name": "Mei Tan", "vcard": CARD}]},
    ),
    "contactsArrayMessage": (
        {"contacts": [{"displayName": "Mei", "vcard": CARD}, {"displayName": "Tom"}]},
        "contact",
        f"{CARD}\nTom",
        {"contacts": [{"display_name": "Mei", "vcard": CARD}, {"display_name": "Tom", "vcard": ""}]},
    ),
    "pollCreationMessage": (POLL, "unknown", "Tea?\n- Yes\n- No", {"poll": POLL_FIELD}),
    "pollCreationMessageV2": (POLL, "unknown", "Tea?\n- Yes\n- No", {"poll": POLL_FIELD}),
    "pollCreationMessageV3": (POLL, "unknown", "Tea?\n- Yes\n- No", {"poll": POLL_FIELD}),
    "pollCreationMessageV5": (POLL, "unknown", "Tea?\n- Yes\n- No", {"poll": POLL_FIELD}),
    "pollCreationMessageV6": (POLL, "unknown", "Tea?\n- Yes\n- No", {"poll": POLL_FIELD}),
    "eventMessage": (
        {"name": "Party", "startTime": 5, "location": {"name": "Shop"}},
        "unknown",
        "Party\nShop",
        {"event": {"name": "Party", "starts_at": 5}},
    ),
    "groupInviteMessage": (
        {"groupJID": "1@g.us", "groupName": "Ops", "inviteCode": "SECRET"},
        "unknown",
        "Ops",
        {"group_invite": {"group_id": "1@g.us", "name": "Ops"}},
    ),
    "buttonsResponseMessage": ({"selectedButtonID": "b1", "selectedDisplayText": "Yes"}, "text", "Yes", {}),
    "templateButtonReplyMessage": ({"selectedID": "b1", "selectedDisplayText": "Yes"}, "text", "Yes", {}),
    "listResponseMessage": (
        {"title": "Row", "singleSelectReply": {"selectedRowID": "r1"}},
        "text",
        "Row",
        {},
    ),
    "interactiveResponseMessage": (
        {"body": {"text": "Yes"}, "nativeFlowResponseMessage": {"name": "flow"}},
        "text",
        "Yes",
        {},
    ),
    "buttonsMessage": (
        {"contentText": "Choose", "buttons": [{"buttonText": {"displayText": "Yes"}}]},
        "text",
        "Choose\n- Yes",
        {},
    ),
    "listMessage": ({"title": "T", "sections": [{"rows": [{"title": "R"}]}]}, "text", "T\n- R", {}),
    "templateMessage": ({"hydratedTemplate": {"hydratedContentText": "Hi"}}, "text", "Hi", {}),
    "interactiveMessage": ({"body": {"text": "Hi"}, "footer": {"text": "bye"}}, "text", "Hi\nbye", {}),
    "orderMessage": (
        {"orderID": "o", "itemCount": 2, "orderTitle": "Cart"},
        "unknown",
        "Cart",
        {"order": {"id": "o", "items": 2}},
    ),
    "productMessage": (
        {"product": {"productID": "p", "title": "Printer"}},
        "unknown",
        "Printer",
        {"product": {"id": "p", "title": "Printer"}},
    ),
    "albumMessage": (
        {"expectedImageCount": 2, "expectedVideoCount": 1},
        "unknown",
        "[album: 2 pictures, 1 videos]",
        {},
    ),
    "placeholderMessage": ({}, "unknown", "[placeholder]", {}),
    "encCommentMessage": ({}, "unknown", "[comment]", {}),
    "call": ({}, "unknown", "[call_invitation]", {}),
}
BUTTONS = {"buttonsResponseMessage": "b1", "templateButtonReplyMessage": "b1", "listResponseMessage": "r1"}


def received(message: wa.Message) -> Content:
    event = parse(incoming(message))
    assert isinstance(event, MessageReceived)
    return event.content


def check(event: ProviderEvent) -> None:
    """The standard events can be made, and written as JSON without a value that JSON lacks."""
    for standard in normalize(event, NOW):
        json.loads(json.dumps(attrs.asdict(standard), default=str), parse_constant=pytest.fail)


# -- what each kind says -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_what_a_kind_says(name: str) -> None:
    fields, type_, text, shown = SAID[name]
    made: dict[str, Any] = {name: fields}
    message = wa.Message(**made)
    content = received(message)
    assert (content.type, content.text, content.fields) == (type_, text, shown)
    assert not content.unsupported
    assert (content.button.id if content.button else None) == BUTTONS.get(
        name, "flow" if name == "interactiveResponseMessage" else None
    )
    if fields.get("directPath"):
        [file] = content.attachments
        assert (file.file_id, file.size, file.sha256) == ("3AID", 1234, "01" * 32)
        handle = FileHandle.load(file.handle)
        assert (handle.message_id, handle.chat, handle.path) == ("3AID", str(MEI), FILE["directPath"])
    check(parse(incoming(message)))


def test_secrets_are_not_shown() -> None:
    message = wa.Message(imageMessage=FILE, messageContextInfo={"messageSecret": b"s" * 32})
    message.groupInviteMessage.inviteCode = "SECRET"
    event = parse(incoming(message))
    assert isinstance(event, MessageReceived)
    assert event.provider_data is not None
    shown = repr(event.provider_data.item)
    for secret in (
        "t62",
        base64.b64encode(bytes(32)).decode()[:20],
        base64.b64encode(b"s" * 32).decode(),
        "SECRET",
    ):
        assert secret not in shown


def test_a_plain_text() -> None:
    assert received(wa.Message(conversation="hi")) == Content("3AID", "text", "hi", kind="text")


@pytest.mark.parametrize(
    ("wrapper", "flag"),
    [
        ("ephemeralMessage", "ephemeral"),
        ("viewOnceMessage", "view_once"),
        ("viewOnceMessageV2", "view_once"),
        ("viewOnceMessageV2Extension", "view_once"),
        ("documentWithCaptionMessage", None),
        ("groupMentionedMessage", None),
        ("spoilerMessage", "spoiler"),
    ],
)
def test_a_wrapped_message_is_what_is_inside(wrapper: str, flag: str | None) -> None:
    message = wa.Message()
    getattr(message, wrapper).message.imageMessage.CopyFrom(wa.ImageMessage(caption="look", **FILE))
    content = received(message)
    assert (content.type, content.text) == ("image", "look")
    assert content.fields == ({flag: True} if flag else {})


def test_wrappers_without_end_are_unsupported_content() -> None:
    message = wa.Message(conversation="deep")
    for _ in range(20):
        message = wa.Message(ephemeralMessage={"message": message})
    assert received(message).unsupported


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (wa.Message(), "empty"),
        (read_message(b"\xd2\x07\x02\x12\x00"), "field_122"),
        (wa.Message(deviceSentMessage={"message": {"conversation": "not ours"}}), "deviceSent"),
        (wa.Message(secretEncryptedMessage={"encPayload": b"x"}), "secretEncrypted"),
    ],
)
def test_an_unknown_kind_is_told(message: wa.Message, kind: str) -> None:
    content = received(message)
    assert (content.type, content.kind, content.unsupported) == ("unknown", kind, True)
    assert content.text == f"[unsupported: {kind}]"


def test_what_stands_beside_the_content() -> None:
    context = wa.ContextInfo(
        stanzaID="3AOTHER",
        mentionedJID=["6590000003@s.whatsapp.net", "no jid at all@@"],
        isForwarded=True,
        forwardingScore=127,
        expiration=86_400,
    )
    context.externalAdReply.sourceID = "ad1"
    content = received(wa.Message(extendedTextMessage={"text": "hi @6590000003!", "contextInfo": context}))
    assert content.reply_to_message_id == "3AOTHER"
    assert content.entities == [
        {"type": "text_mention", "offset": 3, "length": 11, "user": {"id": "6590000003@s.whatsapp.net"}}
    ]
    assert content.fields == {
        "forwarded": True,
        "frequently_forwarded": True,
        "disappears_after": 86_400,
        "referral": {"source_id": "ad1"},
        "mentions": ["6590000003@s.whatsapp.net"],
    }


@pytest.mark.parametrize("latitude", [float("nan"), float("inf"), 91.0])
def test_a_place_that_is_none_has_no_coordinates(latitude: float) -> None:
    content = received(wa.Message(locationMessage={"degreesLatitude": latitude, "name": "Shop"}))
    assert (content.text, content.fields) == ("Shop", {})


@pytest.mark.parametrize(
    "path", ["", "https://elsewhere/x", "//elsewhere/x"[1:] + "\u00e9", "/" + "x" * 5000]
)
def test_a_file_that_cannot_be_at_the_platform_is_not_offered(path: str) -> None:
    content = received(wa.Message(imageMessage={**FILE, "directPath": path}))
    assert (content.attachments, content.text) == ([], "[image]")


# -- what changes another message ----------------------------------------------------------------------------


def protocol(type_: Any, **fields: Any) -> wa.Message:
    return wa.Message(protocolMessage={"type": type_, "key": {"ID": "3AOLD"}, **fields})


def test_a_reaction_and_its_removal() -> None:
    for emoji in ("👍", ""):
        message = wa.Message(
            reactionMessage={"key": {"ID": "3AOLD"}, "text": emoji, "senderTimestampMS": NOW - 5}
        )
        event = parse(incoming(message))
        assert isinstance(event, ReactionChanged)
        assert (event.target_message_id, event.emoji, event.at) == ("3AOLD", emoji, NOW - 5)


def test_a_time_in_the_far_future_is_not_believed() -> None:
    event = parse(incoming(wa.Message(reactionMessage={"senderTimestampMS": NOW * 10})))
    assert isinstance(event, ReactionChanged)
    assert event.at == NOW


def test_an_edit_and_a_deletion_name_the_original() -> None:
    edit = protocol(wa.ProtocolMessage.MESSAGE_EDIT, editedMessage={"conversation": "new"})
    for message in (edit, wa.Message(editedMessage={"message": edit})):
        event = parse(incoming(message))
        assert isinstance(event, MessageEdited)
        assert (event.content.id, event.content.text) == ("3AOLD", "new")
    deleted = parse(incoming(protocol(wa.ProtocolMessage.REVOKE)))
    assert isinstance(deleted, MessageDeleted)
    assert deleted.message_id == "3AOLD"


@pytest.mark.parametrize("type_", [wa.ProtocolMessage.MESSAGE_EDIT, wa.ProtocolMessage.REVOKE])
def test_a_change_of_somebody_elses_message_changes_nothing(type_: Any) -> None:
    message = protocol(type_, editedMessage={"conversation": "new"})
    event = parse(incoming(message, found=Found(foreign=True)))
    assert isinstance(event, PlatformEvent)
    assert (event.name, event.details) == ("foreign_change", {"target_message_id": "3AOLD"})


@pytest.mark.parametrize(
    ("message", "name", "details"),
    [
        (
            protocol(wa.ProtocolMessage.EPHEMERAL_SETTING, ephemeralExpiration=60),
            "disappearing_timer",
            {"seconds": 60},
        ),
        (protocol(wa.ProtocolMessage.HISTORY_SYNC_NOTIFICATION), "protocol_history_sync_notification", {}),
        (protocol(99), "protocol_99", {}),
        (
            wa.Message(pollUpdateMessage={"pollCreationMessageKey": {"ID": "3AOLD"}}),
            "poll_vote",
            {"target_message_id": "3AOLD"},
        ),
        (
            wa.Message(pinInChatMessage={"key": {"ID": "3AOLD"}, "type": wa.PinInChatMessage.UNPIN_FOR_ALL}),
            "message_unpinned",
            {"target_message_id": "3AOLD"},
        ),
        (
            wa.Message(keepInChatMessage={"key": {"ID": "3AOLD"}}),
            "message_kept",
            {"target_message_id": "3AOLD"},
        ),
        (
            wa.Message(encReactionMessage={"targetMessageKey": {"ID": "3AOLD"}}),
            "encrypted_reaction",
            {"target_message_id": "3AOLD"},
        ),
        (
            wa.Message(encEventResponseMessage={"eventCreationMessageKey": {"ID": "3AOLD"}}),
            "event_response",
            {"target_message_id": "3AOLD"},
        ),
    ],
)
def test_other_changes_are_provider_events(message: wa.Message, name: str, details: dict[str, Any]) -> None:
    event = parse(incoming(message))
    assert isinstance(event, PlatformEvent)
    assert (event.name, event.details) == (name, details)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (wa.Message(conversation="hi"), "sent"),
        (protocol(wa.ProtocolMessage.MESSAGE_EDIT, editedMessage={"conversation": "new"}), "edited"),
        (protocol(wa.ProtocolMessage.REVOKE), "deleted"),
        (wa.Message(reactionMessage={"key": {"ID": "3AOLD"}}), "reaction"),
    ],
)
def test_what_the_owner_does_is_an_echo(message: wa.Message, change: str) -> None:
    event = parse(incoming(message, from_me=True))
    assert isinstance(event, PlatformEvent)
    assert (event.name, event.direction, event.details["change"]) == ("message_echo", "outbound", change)
    check(event)


# -- what a hostile sender writes ----------------------------------------------------------------------------


@given(message=drawn(), from_me=st.booleans(), foreign=st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_message_is_parsed(message: wa.Message, from_me: bool, foreign: bool) -> None:
    check(parse(incoming(message, from_me=from_me, found=Found(foreign=foreign))))


@given(plaintext=st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_plaintext_is_parsed_or_malformed(plaintext: bytes) -> None:
    try:
        message = read_message(plaintext)
    except MalformedMessage:
        return
    check(parse(incoming(message)))


@given(message=drawn())
@settings(deadline=None, max_examples=100)
def test_any_message_is_unwrapped_within_bounds(message: wa.Message) -> None:
    wrapped = message
    for _ in range(12):
        wrapped = wa.Message(viewOnceMessage={"message": wrapped})
    assert unwrap(wrapped).message.HasField("viewOnceMessage")
    check(parse(incoming(wrapped)))


def test_a_message_of_a_million_parts_is_told_in_part() -> None:
    """Its size is within that of a message; what is shown of it would be hundreds of megabytes."""
    cards, poll = wa.Message(), wa.Message()
    for _ in range(200_000):
        cards.contactsArrayMessage.contacts.add(displayName="x")
        poll.pollCreationMessage.options.add(optionName="x")
    event = parse(incoming(cards))
    assert isinstance(event, MessageReceived)
    assert len(event.content.fields["contacts"]) == 1000
    assert event.provider_data is not None
    assert event.provider_data.item["message"] == {"omitted_bytes": cards.ByteSize()}
    asked = parse(incoming(poll))
    assert isinstance(asked, MessageReceived)
    assert len(asked.content.fields["poll"]["options"]) == 1000

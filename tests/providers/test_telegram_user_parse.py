"""Every kind of content, service message and update that the API's layer has: none is forgotten, and what the
Bot API shows, too, is the same event here.
"""

import contextlib
import datetime
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telethon.tl import TLObject, types

from tests.providers.telegram_objects import make
from tests.providers.test_telegram_kinds import CONTENT, GROUP_CHANGES
from unifyport.model.event import EventType
from unifyport.model.inbound import PlatformEvent, Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.telegram.bot.services import SERVICES
from unifyport.providers.telegram.user.contents import CONTENTS
from unifyport.providers.telegram.user.context import Context
from unifyport.providers.telegram.user.entities import ENTITIES
from unifyport.providers.telegram.user.files import read_handle
from unifyport.providers.telegram.user.parse import UPDATES, parse
from unifyport.providers.telegram.user.peer import Peer, peer_of
from unifyport.providers.telegram.user.quiet import QUIET
from unifyport.providers.telegram.user.reading import mentioned
from unifyport.providers.telegram.user.services import ACTIONS
from unifyport.providers.telegram.user.values import name_of

AT = datetime.datetime.fromtimestamp(1_780_790_400, datetime.UTC)
ME, MEI = 42, 7
KNOWN = {
    MEI: Peer(MEI, "private", first_name="Mei", username="mei", phone="+6590000001"),
    9: Peer(9, "private", first_name="Kim"),
    -1001700000005: Peer(-1001700000005, "channel", title="News"),
}
POINT = types.GeoPoint(103.25, 1.5, 0)
PHOTO = types.Photo(
    1, 2, b"ref", AT, [types.PhotoSize("x", 9, 9, 90), types.PhotoSizeProgressive("y", 9, 9, [5, 99])], 4
)


def document(*attributes: Any, mime_type: str = "") -> Any:
    return types.Document(5, 6, b"ref", AT, mime_type, 1000, 4, list(attributes))


def media_of(*attributes: Any) -> Any:
    return types.MessageMediaDocument(document=document(*attributes))


def plain(text: str) -> Any:
    return types.TextWithEntities(text, [])


def test_posts_of_an_own_channel_are_echoes() -> None:
    """A robot that answers what it receives would answer itself: the platform marks not all of them."""
    own = types.Channel(1700000006, "Ours", types.ChatPhotoEmpty(), AT, access_hash=1, broadcast=True)
    unknown = peer_of(own)
    assert unknown is not None
    assert not unknown.is_own
    own.admin_rights = types.ChatAdminRights(post_messages=True)
    ours = peer_of(own)
    assert ours is not None
    known = {ours.id: ours, -1001700000005: KNOWN[-1001700000005]}
    for number, names in ((1700000006, ["message_echo"] * 2), (1700000005, [])):
        post = types.Message(5, types.PeerChannel(number), AT, "news", post=True)
        edited = types.Message(5, types.PeerChannel(number), AT, "newer", post=True, edit_date=AT)
        context = Context(ME, known, 0)
        found = parse(types.UpdateNewChannelMessage(post, 7, 1), context)
        found += parse(types.UpdateEditChannelMessage(edited, 8, 1), context)
        assert len(found) == 2
        assert [each.name for each in found if isinstance(each, PlatformEvent)] == names


VIDEO = types.DocumentAttributeVideo(3.2, 4, 3)
# kind of the Bot API -> the platform's media
MEDIA: dict[str, Any] = {
    "animation": media_of(VIDEO, types.DocumentAttributeAnimated()),
    "audio": media_of(types.DocumentAttributeAudio(3, title="Song")),
    "checklist": types.MessageMediaToDo(
        types.TodoList(
            plain("Move out"), [types.TodoItem(1, plain("return keys")), types.TodoItem(2, plain("pay rent"))]
        ),
        [types.TodoCompletion(2, types.PeerUser(MEI), AT)],
    ),
    "contact": types.MessageMediaContact("+6590000001", "Mei", "Tan", "", MEI),
    "dice": types.MessageMediaDice(3, "🎲"),
    "document": media_of(types.DocumentAttributeFilename("a.pdf")),
    "game": types.MessageMediaGame(
        types.Game(1, 2, "chess", "Chess", "a board game", types.PhotoEmpty(0), document(VIDEO))
    ),
    "giveaway": types.MessageMediaGiveaway([1700000005], 3, AT, prize_description="a printer"),
    "giveaway_winners": types.MessageMediaGiveawayResults(1700000005, 1, 1, 0, [9], AT, stars=100),
    "invoice": types.MessageMediaInvoice("Order 7", "two printers", "EUR", 12345, "start"),
    "live_photo": types.MessageMediaPhoto(photo=PHOTO, live_photo=True, video=document(VIDEO)),
    "location": types.MessageMediaGeo(POINT),
    "paid_media": types.MessageMediaPaidMedia(5, [types.MessageExtendedMedia(media_of(VIDEO))]),
    "photo": types.MessageMediaPhoto(photo=PHOTO),
    "poll": types.MessageMediaPoll(
        types.Poll(
            1, plain("Lunch at 12?"), [types.PollAnswer(plain(t), t.encode()) for t in ("Yes", "Noon-ish")], 0
        ),
        types.PollResults(),
    ),
    "sticker": media_of(
        types.DocumentAttributeImageSize(9, 9),
        types.DocumentAttributeSticker("👍", types.InputStickerSetEmpty()),
    ),
    "story": types.MessageMediaStory(types.PeerChannel(1700000005), 3),
    "venue": types.MessageMediaVenue(POINT, "Shop", "Road 1", "", "", ""),
    "video": media_of(VIDEO),
    "video_note": media_of(types.DocumentAttributeVideo(3, 9, 9, round_message=True)),
    "voice": media_of(types.DocumentAttributeAudio(3, voice=True)),
}
# Of bots only, and what is no media here.
ELSEWHERE = {"text", "rich_message", "web_app_data"}
FILES = {"live_photo": 2} | dict.fromkeys(
    "animation audio document game paid_media photo sticker video video_note voice".split(), 1
)


def context(**more: Any) -> Context:
    return Context(ME, KNOWN, 1_780_790_400_000, **more)


def received(peer: Any = None, **fields: Any) -> Any:
    message = types.Message(5, peer or types.PeerUser(MEI), AT, fields.pop("message", ""), **fields)
    [event] = parse(types.UpdateNewMessage(message, 1, 1), context())
    [standard] = normalize(event, 1_780_790_400_000)
    return standard


def names_of(prefix: str) -> set[str]:
    return {
        name
        for name, kind in vars(types).items()
        if name.startswith(prefix) and isinstance(kind, type) and issubclass(kind, TLObject)
    }


def test_every_kind_of_the_layer_is_on_a_list() -> None:
    media = names_of("MessageMedia") - {"MessageMediaEmpty", "MessageMediaWebPage"}
    unsupported = {"MessageMediaUnsupported", "MessageMediaVideoStream"}
    assert {kind.__name__ for kind in CONTENTS} == media - unsupported
    assert {kind.__name__ for kind in ENTITIES} == names_of("MessageEntity") | {
        "InputMessageEntityMentionName"
    }
    assert set(MEDIA) | ELSEWHERE == set(CONTENT)
    containers = "UpdateShort UpdateShortMessage UpdateShortChatMessage UpdateShortSentMessage UpdatesTooLong"
    updates = names_of("Update") - {"Updates", "UpdatesCombined", *containers.split()}
    assert {kind.__name__ for kind in UPDATES} | {kind.__name__ for kind in QUIET} == updates
    assert not set(UPDATES) & QUIET
    words = {word for word, _ in ACTIONS.values() if isinstance(word, str)}
    assert words <= set(SERVICES)


@pytest.mark.parametrize("kind", MEDIA)
def test_contents_are_those_of_the_bot_api(kind: str) -> None:
    type_, text, fields, _ = CONTENT[kind]
    standard = received(media=MEDIA[kind])
    found = standard.data["message"]
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    assert len(found.get("attachments", [])) == FILES.get(kind, 0)
    known = {"id", "type", "kind", "text", "attachments", "direction", "sent_at"}
    assert set(found) - known == fields
    assert standard.provider_data.item["_"] == "Message"
    assert b"access_hash" not in str(standard.provider_data.item).encode()


def test_a_file_has_a_handle_that_finds_it_again() -> None:
    message = types.Message(5, types.PeerChannel(1700000005), AT, "", media=MEDIA["photo"])
    [event] = parse(types.UpdateNewChannelMessage(message, 1, 1), context())
    [file] = event.content.attachments  # type: ignore[union-attr]
    handle = read_handle(file.handle)
    assert (handle.kind, handle.id, handle.dc, handle.size, handle.thumb) == ("photo", 1, 4, 99, "y")
    assert (handle.conversation, handle.message) == (-1001700000005, 5)
    assert (file.mime_type, file.size) == ("image/jpeg", 99)


def test_what_no_table_knows_is_a_message_all_the_same() -> None:
    for media in (types.MessageMediaUnsupported(), types.MessageMediaVideoStream(types.InputGroupCall(1, 2))):
        found = received(media=media, message="look").data["message"]
        assert (found["type"], found["text"]) == ("unknown", "look")
    found = received(media=types.MessageMediaDocument(voice=True, ttl_seconds=5)).data["message"]
    assert (found["kind"], found["text"]) == ("expired_voice", "[unsupported: expired_voice]")


def test_a_rich_message_is_read() -> None:
    blocks = [
        types.PageBlockHeading1(types.TextPlain("Order")),
        types.PageBlockList([types.PageListItemText(types.TextPlain("black"))]),
        types.PageBlockParagraph(
            types.TextConcat([types.TextPlain("please "), types.TextBold(types.TextPlain("two"))])
        ),
    ]
    found = received(rich_message=types.RichMessage(blocks, [PHOTO], [])).data["message"]
    assert (found["type"], found["kind"], found["text"].rstrip()) == (
        "text",
        "rich_message",
        "Order\nblack\nplease two",
    )
    assert found["entities"] == [{"type": "bold", "offset": 19, "length": 3}]


def test_entities_count_in_code_points() -> None:
    entities = [
        types.MessageEntityBold(3, 2),
        types.MessageEntityTextUrl(3, 2, "https://example.com/"),
        types.MessageEntityMentionName(0, 2, 9),
        types.MessageEntityBlockquote(0, 5, collapsed=True),
        types.MessageEntityPre(3, 2, "py"),
        types.MessageEntityCustomEmoji(0, 2, 77),
    ]
    found = received(message="😀 hi", entities=entities).data["message"]["entities"]
    assert [(each["type"], each["offset"], each["length"]) for each in found] == [
        ("bold", 2, 2),
        ("text_link", 2, 2),
        ("text_mention", 0, 1),
        ("expandable_blockquote", 0, 4),
        ("pre", 2, 2),
        ("custom_emoji", 0, 1),
    ]
    assert found[2]["user"]["first_name"] == "Kim"


def test_what_stands_beside_the_content() -> None:
    group = types.PeerChannel(1700000006)
    reply = types.MessageReplyHeader(
        forum_topic=True, reply_to_msg_id=4, reply_to_top_id=3, quote_text="part", quote=True
    )
    origin = types.MessageFwdHeader(AT, from_id=types.PeerChannel(1700000005), channel_post=9)
    found = received(
        group,
        message="hi",
        from_id=types.PeerUser(MEI),
        reply_to=reply,
        fwd_from=origin,
        grouped_id=12,
        via_bot_id=9,
        post_author="Mei",
    )
    message = found.data["message"]
    assert found.data["conversation"]["id"] == "-1001700000006"
    assert found.data["sender"]["id"] == "7"
    assert (message["reply_to_message_id"], message["thread_id"]) == ("4", "3")
    assert message["quote"]["text"] == "part"
    assert message["forward_origin"] == {
        "type": "channel",
        "id": "-1001700000005",
        "name": "News",
        "message_id": "9",
    }
    assert (message["media_group_id"], message["author_signature"]) == ("12", "Mei")


def service(action: Any, **more: Any) -> Any:
    fields = {"from_id": types.PeerUser(MEI), **more}
    message = types.MessageService(5, types.PeerChat(3), AT, action=action, **fields)
    return parse(types.UpdateNewMessage(message, 1, 1), context())


@pytest.mark.parametrize("name", sorted(names_of("MessageAction")))
def test_every_service_message_is_an_event(name: str) -> None:
    action = make(getattr(types, name), random.Random(name))
    events = service(action)
    if name in ("MessageActionEmpty", "MessageActionHistoryClear"):
        assert [standard for event in events for standard in normalize(event, 1)] == []
        return
    [event] = events
    assert not isinstance(event, Unparsed)
    [standard] = normalize(event, 1)
    row = ACTIONS.get(type(action))
    word = row[0] if row is not None else name_of(action, "MessageAction")
    if isinstance(word, str) and word not in GROUP_CHANGES and "migrate" not in word:
        assert standard.data["event"]["name"] == word
        assert standard.data["conversation"]["id"] == "-3"


def test_members_who_come_and_go_and_groups_that_move() -> None:
    [came] = normalize(service(types.MessageActionChatAddUser([9]))[0], 1)
    assert came.data["changes"] == [{"kind": "member_added", "member_ids": ["9"]}]
    [went] = normalize(service(types.MessageActionChatDeleteUser(9))[0], 1)
    assert went.data["changes"] == [{"kind": "member_removed", "member_ids": ["9"]}]
    [moved] = normalize(service(types.MessageActionChatMigrateTo(77))[0], 1)
    assert (moved.data["conversation"]["id"], moved.data["previous_id"]) == ("-1000000000077", "-3")


def test_reactions_are_told_as_they_change() -> None:
    def update(**emoji: str) -> Any:
        recent = [
            types.MessagePeerReaction(types.PeerUser(int(who[1:])), AT, types.ReactionEmoji(each))
            for who, each in emoji.items()
        ]
        counts = [types.ReactionCount(types.ReactionEmoji("👍"), len(recent))] if recent else []
        reactions = types.MessageReactions(counts, recent_reactions=recent)
        return types.UpdateMessageReactions(types.PeerUser(MEI), 5, reactions)

    [new] = parse(update(u7="👍"), context())
    assert (new.emoji, new.sender.id, new.target_message_id) == ("👍", "7", "5")  # type: ignore[union-attr]
    before = {(MEI, 5): {"7": "👍"}}
    assert parse(update(u7="👍"), context(reacted=before)) == []
    [gone] = parse(update(), context(reacted=before))
    assert gone.emoji == ""  # type: ignore[union-attr]
    [own] = parse(update(u7="👍", u42="🎉"), context(reacted=before))
    [standard] = normalize(own, 1)
    assert standard.data["event"]["name"] == "message_echo"


KINDS_OF_UPDATES = sorted(
    {*UPDATES, *QUIET} - {types.UpdateEmojiGameInfo, types.UpdateSentPhoneCode},  # of types named elsewhere
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS_OF_UPDATES)
def test_every_kind_of_update_is_read(kind: type) -> None:
    read(make(kind, random.Random(kind.__name__)))


def read(update: Any) -> None:
    for event in parse(update, context(chats={1: MEI, 5: MEI})):
        assert not isinstance(event, Unparsed), update
        for standard in normalize(event, 1_780_790_400_000):
            assert standard.type
    assert mentioned(update) >= set()


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(UPDATES, key=lambda kind: kind.__name__)), st.integers(0, 2**32))
def test_no_values_of_an_update_stop_the_account(kind: type, seed: int) -> None:
    """Any values that the types allow: each is read, and shown."""
    read(make(kind, random.Random(seed)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_handle_of_a_file_is_read_or_refused(handle: bytes) -> None:
    with contextlib.suppress(Rejected):
        read_handle(handle).location()


def test_an_object_of_another_type_is_set_aside() -> None:
    message = types.Message(5, types.PeerUser(MEI), AT, "hi", media=types.PeerUser(3))
    [event] = parse(types.UpdateNewMessage(message, 1, 1), context())
    assert [standard.data["message"]["type"] for standard in normalize(event, 1)] == ["unknown"]
    broken = types.Message(5, types.PeerUser(MEI), AT, "hi", entities=[types.PeerUser(3)])
    [event] = parse(types.UpdateNewMessage(broken, 1, 1), context())
    assert isinstance(event, Unparsed)
    assert (event.message_id, event.conversation.id) == ("5", "7")  # type: ignore[union-attr]

"""Frames of Zalo's web client -> provider events: every kind, both sides, odd actions, and anything."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.inbound import (
    GroupChanged,
    Ignored,
    JoinRequested,
    MessageDeleted,
    MessageReceived,
    PlatformEvent,
    ReactionChanged,
    Status,
    StatusChanged,
    Unparsed,
)
from unifyport.model.normalize import normalize
from unifyport.providers.zalo.personal import controls, icons, kinds
from unifyport.providers.zalo.personal.messages import settled
from unifyport.providers.zalo.personal.parse import LISTS, Read, parse
from unifyport.providers.zalo.personal.people import bare, is_conversation, is_group
from unifyport.providers.zalo.personal.shapes import exact

ME, AN, GROUP = "700000000000000001", "700000000000000002", "700000000000000009"
NOW, AT = 1_780_790_500_000, 1_780_790_400_000
LARGE = 9_007_199_254_740_993  # no float has this value


def said(content: Any = "xin chào", **fields: Any) -> dict[str, Any]:
    head = {"msgId": "1001", "cliMsgId": "2001", "msgType": "webchat", "uidFrom": AN, "idTo": ME}
    return {**head, "dName": "An", "ts": str(AT), "content": content, **fields}


def read(command: int, presence: bool = False, **lists: Any) -> Any:
    document = {"error_code": 0, "error_message": "", "data": lists}
    return parse(command, json.dumps(document).encode(), ME, NOW, presence=presence)


def events(command: int, presence: bool = False, **lists: Any) -> list[Any]:
    return list(read(command, presence, **lists).events)


def one(command: int, presence: bool = False, **lists: Any) -> Any:
    found = events(command, presence, **lists)
    assert len(found) == 1
    assert normalize(found[0], NOW) or isinstance(found[0], Ignored)
    return found[0]


# -- messages ------------------------------------------------------------------------------------------------


def test_a_text_of_a_person() -> None:
    event = one(501, msgs=[said()])
    assert isinstance(event, MessageReceived)
    assert (event.conversation.id, event.conversation.type, event.conversation.title) == (AN, "user", "An")
    assert (event.sender.id, event.sender.name, event.sent_at) == (AN, "An", AT)
    assert (event.content.id, event.content.type, event.content.text) == ("1001", "text", "xin chào")
    assert event.provider_data is not None
    assert event.provider_data.item == said()


def test_a_text_in_a_group_with_mentions() -> None:
    mentions = [
        {"uid": ME, "pos": 3, "len": 3, "type": 0},
        {"uid": "-1", "pos": 7, "len": 4, "type": 1},
        {"uid": AN, "pos": 90, "len": 4, "type": 0},
        "odd",
    ]
    event = one(521, groupMsgs=[said("😀 @Me @All", idTo=GROUP, mentions=mentions)])
    assert (event.conversation.id, event.conversation.type) == (f"g{GROUP}", "group")
    assert event.sender.id == AN
    assert event.content.entities == [
        {"type": "text_mention", "offset": 2, "length": 3, "user": {"id": ME}},
        {"type": "mention", "offset": 6, "length": 4},
    ]


def test_what_the_owner_wrote_elsewhere_is_an_echo_and_settles_our_own_sends() -> None:
    for uid, to in (("0", AN), (ME, AN)):
        found = read(501, msgs=[said(uidFrom=uid, idTo=to)])
        event = found.events[0]
        assert (event.name, event.direction, event.conversation.id) == ("message_echo", "outbound", AN)
        assert event.sender.id == ME
        assert found.references[0].client_id == "2001"
        status = settled(event, "2001")
        assert isinstance(status, StatusChanged)
        assert (status.status, status.client_ref, status.message_ids) == (Status.SENT, "2001", ["1001"])
    group = one(521, groupMsgs=[said(uidFrom="0", idTo=GROUP)])
    assert (group.conversation.id, group.sender.id) == (f"g{GROUP}", ME)
    assert settled(one(501, msgs=[said()]), "2001") is None


def test_one_message_under_three_ids_has_one_key() -> None:
    found = [one(521, groupMsgs=[said(idTo=GROUP, msgId=id_)]).key for id_ in ("1", "2", "3")]
    assert len(set(found)) == 1
    others = [said(), said(cliMsgId="2002"), said(uidFrom="5"), said(cliMsgId=0), said(cliMsgId=0, msgId="7")]
    keys = [one(501, msgs=[each]).key for each in others]
    assert len(set(keys)) == len(others)
    assert one(510, msgs=[said()]).key == keys[0]


def test_ids_are_exact() -> None:
    quote = {"globalMsgId": LARGE, "cliMsgId": LARGE, "ownerId": LARGE, "msg": "a", "attach": "{}"}
    found = read(501, msgs=[said(msgId=LARGE, uidFrom=LARGE + 2, quote=quote)])
    event = found.events[0]
    assert (event.content.id, event.sender.id) == (str(LARGE), str(LARGE + 2))
    assert event.content.reply_to_message_id == str(LARGE)
    assert found.last_user == LARGE
    assert "attach" not in event.provider_data.item["quote"]
    wrongs: tuple[object, ...] = (1.5, True, [], "9" * 300)
    for wrong in wrongs:
        with pytest.raises(ValueError, match="id"):
            exact(wrong)
    assert [exact(each) for each in (None, "", 0, "0", -1)] == [""] * 5


def test_a_reference_has_what_requests_about_the_message_need() -> None:
    reference = read(521, groupMsgs=[said(idTo=GROUP, msgType="chat.photo", content={"href": "https://a/b"})])
    kept = reference.references[0]
    assert (kept.conversation_id, kept.message_id, kept.client_id) == (f"g{GROUP}", "1001", "2001")
    assert (kept.sender, kept.to, kept.kind, kept.at) == (AN, GROUP, "chat.photo", AT)


def test_gaps_are_fetched_from_the_highest_ids() -> None:
    found = read(501, msgs=[said(msgId="30"), said(msgId="7")])
    assert (found.last_user, found.last_group) == (30, 0)
    assert read(511, groupMsgs=[said(msgId="9", idTo=GROUP)]).last_group == 9


URL = "https://photo-stal-3.zdn.vn/a.jpg"
PERSON = {"title": "Mai", "description": json.dumps({"phone": "84900000001", "gUid": "x"})}
# kind -> content, our type, text, number of files, typed fields
OF_KINDS: dict[str, tuple[Any, str, str, int, set[str]]] = {
    "webchat": ({"title": "đậm", "action": "rtf", "params": "{}"}, "text", "đậm", 0, set()),
    "chat.link": ({"title": "T", "href": "https://e.com/"}, "text", "T\nhttps://e.com/", 0, set()),
    "chat.recommended": ({"title": "T", "href": "https://e.com/"}, "text", "T\nhttps://e.com/", 0, set()),
    "chat.photo": ({"title": "", "description": "look", "href": URL}, "image", "look", 1, set()),
    "chat.gif": ({"href": URL}, "image", "", 1, {"animated"}),
    "chat.doodle": ({"href": URL}, "image", "", 1, set()),
    "chat.voice": ({"params": json.dumps({"m4a": URL, "duration": 3000})}, "audio", "", 1, {"voice"}),
    "chat.video.msg": ({"href": URL, "params": '{"duration": 5000}'}, "video", "", 1, set()),
    "share.file": ({"title": "d.pdf", "href": URL, "params": '{"fileSize": "12"}'}, "document", "", 1, set()),
    "chat.sticker": ({"catId": 42, "id": 777, "type": 5}, "sticker", "[chat.sticker]", 0, {"sticker_id"}),
    "chat.location.new": (
        {"params": json.dumps({"latitude": 10.7, "longitude": "106.6"})},
        "location",
        "10.7,106.6",
        0,
        {"location"},
    ),
    "chat.todo": ({"params": json.dumps({"customMsg": {"title": "Due"}})}, "unknown", "Due", 0, set()),
    "chat.webcontent": ({"action": "zinstant.bankcard"}, "unknown", "[chat.webcontent]", 0, set()),
    "group.poll": ({"title": "Lunch?"}, "unknown", "Lunch?", 0, set()),
}


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind(kind: str) -> None:
    content, type_, text, files, fields = OF_KINDS[kind]
    found = one(501, msgs=[said(content, msgType=kind)]).content
    assert (found.type, found.text, len(found.attachments), set(found.fields)) == (type_, text, files, fields)
    assert found.kind == kind
    assert not found.unsupported


def test_details_of_files() -> None:
    file = one(501, msgs=[said(OF_KINDS["share.file"][0], msgType="share.file")]).content.attachments[0]
    assert (file.type, file.file_id, file.title, file.size) == ("document", "1001", "d.pdf", 12)
    assert file.handle == URL.encode()
    voice = one(501, msgs=[said(OF_KINDS["chat.voice"][0], msgType="chat.voice")])
    assert voice.content.attachments[0].duration_ms == 3000
    assert "zdn.vn" not in json.dumps(voice.provider_data.item)
    link = one(501, msgs=[said(OF_KINDS["chat.link"][0], msgType="chat.link")])
    assert link.provider_data.item["content"]["href"] == "https://e.com/"


def test_no_address_of_a_file_is_shown() -> None:
    for kind in ("chat.photo", "share.file", "chat.new"):
        for content in ({"href": URL, "params": json.dumps({"hd": URL})}, json.dumps({"href": URL})):
            event = one(501, msgs=[said(content, msgType=kind)])
            assert "zdn.vn" not in json.dumps(event.provider_data.item)
            assert event.provider_data.redacted


def test_a_card_of_a_person_is_a_contact() -> None:
    found = one(501, msgs=[said(PERSON, msgType="chat.recommended")]).content
    assert (found.type, found.text.splitlines()[0]) == ("contact", "BEGIN:VCARD")
    assert "84900000001" in found.text


def test_styles_become_entities() -> None:
    styles = [{"start": 2, "len": 1, "st": "b,c_db342e"}, {"start": 0, "len": 2, "st": "i"}, 5]
    content = {"title": "😀b", "action": "rtf", "params": json.dumps({"styles": styles, "ver": 0})}
    assert one(501, msgs=[said(content)]).content.entities == [
        {"type": "bold", "offset": 1, "length": 1},
        {"type": "italic", "offset": 0, "length": 1},
    ]


def test_an_unknown_kind_is_a_message() -> None:
    found = one(501, msgs=[said({"title": "new"}, msgType="chat.new")]).content
    assert (found.type, found.text, found.kind, found.unsupported) == ("unknown", "new", "chat.new", True)
    assert one(501, msgs=[said(5, msgType="chat.new")]).content.text == "[unsupported: chat.new]"


# -- what changes a message ----------------------------------------------------------------------------------


def test_an_undone_message() -> None:
    inner = {"globalMsgId": LARGE, "cliMsgId": 1, "deleteMsg": 1, "srcId": 0, "destId": 0}
    for content in (inner, json.dumps(inner)):
        event = one(501, msgs=[said(content, msgType="chat.undo")])
        assert isinstance(event, MessageDeleted)
        assert (event.conversation.id, event.message_id, event.deleted_at) == (AN, str(LARGE), AT)
    own = one(521, groupMsgs=[said(inner, msgType="chat.undo", uidFrom="0", idTo=GROUP)])
    assert own.details == {"change": "deleted", "target_message_id": str(LARGE)}
    assert (own.name, own.direction) == ("message_echo", "outbound")


def test_a_text_cannot_undo_a_message() -> None:
    text = json.dumps({"globalMsgId": 5, "deleteMsg": 1})
    event = one(501, msgs=[said(text)])
    assert isinstance(event, MessageReceived)
    assert event.content.text == text


def reacted(icon: str, type_: int = 5, **fields: Any) -> dict[str, Any]:
    targets = [{"gMsgID": LARGE, "cMsgID": 1, "msgType": 1}, {"gMsgID": "4"}, {"gMsgID": 0}]
    content = json.dumps({"rMsg": targets, "rIcon": icon, "rType": type_, "source": 6})
    return said(content, msgType="chat.reaction", msgId="5", cliMsgId="6", **fields)


def test_reactions() -> None:
    found = events(612, reacts=[reacted("/-heart")], reactGroups=[reacted("", -1, idTo=GROUP)])
    assert [type(event) for event in found] == [ReactionChanged] * 4
    assert [event.target_message_id for event in found] == [str(LARGE), "4"] * 2
    assert [event.emoji for event in found] == ["❤️", "❤️", "", ""]
    assert [event.conversation.id for event in found] == [AN, AN, f"g{GROUP}", f"g{GROUP}"]
    assert len({event.key for event in found}) == 4
    own = events(612, reacts=[reacted("/-heart", uidFrom="0", idTo=AN)], reactGroups=[])[0]
    assert own.details == {"change": "reaction", "target_message_id": str(LARGE), "reaction": "❤️"}


def test_icons_are_told_apart() -> None:
    for field in ("type", "code", "emoji"):
        assert len({getattr(icon, field) for icon in icons.ICONS}) == len(icons.ICONS) == 54
    for icon in icons.ICONS:
        assert icons.icon_of(icon.emoji) == icons.icon_of(icon.code) == icon
        assert icons.emoji_of(icon.code) == icon.emoji
    assert (icons.icon_of("🦄"), icons.icon_of("")) == (None, None)
    assert (icons.emoji_of("/-new"), icons.icon_of("❤")) == ("/-new", icons.ICONS[0])


# -- receipts ------------------------------------------------------------------------------------------------


def test_receipts_of_a_person() -> None:
    delivered = {
        "msgId": "1",
        "seen": 0,
        "deliveredUids": [AN],
        "seenUids": None,
        "realMsgId": "0",
        "mSTs": 1,
    }
    found = events(502, delivereds=[delivered], seens=[{"idTo": AN, "msgId": "1", "realMsgId": LARGE}])
    assert [(event.status, event.conversation.id, event.message_ids, event.at) for event in found] == [
        (Status.DELIVERED, AN, ["1"], NOW),
        (Status.READ, AN, ["1", str(LARGE)], NOW),
    ]
    assert found[0].participant is None


def test_receipts_of_a_group_name_the_members() -> None:
    delivered = {"msgId": "1", "groupId": GROUP, "deliveredUids": [ME, AN, AN], "seenUids": ["3"]}
    seen = {"msgId": "1", "groupId": GROUP, "seenUids": [ME]}
    found = events(522, delivereds=[delivered], groupSeens=[seen])
    assert [(event.status, event.participant.id) for event in found[:2]] == [
        (Status.DELIVERED, AN),
        (Status.READ, "3"),
    ]
    assert found[0].conversation.id == f"g{GROUP}"
    assert isinstance(found[2], Ignored)


def test_a_receipt_of_many_members_is_not_copied_for_each() -> None:
    members = [str(100_000 + number) for number in range(6000)]
    found = events(522, groupSeens=[{"msgId": "1", "groupId": GROUP, "seenUids": members}])
    assert [event.participant.id for event in found] == members[:5000]
    assert found[1].provider_data.item == {"msgId": "1", "groupId": GROUP, "seenUids": [members[1]]}
    assert all(len(event.provider_data.raw) < 200 for event in found)


def test_typing_is_told_on_request() -> None:
    actions = [
        {"act_type": "typing", "act": "typing", "data": f'"uid":"{AN}","ts":"1","isPC":0'},
        {"act_type": "typing", "act": "gtyping", "data": f'"uid":"{AN}","gid":"{GROUP}","ts":"1"'},
    ]
    assert read(602, actions=actions).events == []
    found = read(602, presence=True, actions=[*actions, {"act_type": "x", "act": "y"}])
    assert [(event.name, event.conversation.id) for event in found.events] == [
        ("typing", AN),
        ("typing", f"g{GROUP}"),
    ]
    assert found.unknown == ["x.y"]


# -- controls ------------------------------------------------------------------------------------------------


def changed(act: str, kind: str = "group", **data: Any) -> dict[str, Any]:
    base = {"groupId": GROUP, "groupName": "Ops", "sourceId": AN, "time": str(AT)} if kind == "group" else {}
    return {"content": {"act_type": kind, "act": act, "data": {**base, **data}}}


@pytest.mark.parametrize("act", controls.MEMBER_CHANGES)
def test_changes_of_members(act: str) -> None:
    item = changed(act, updateMembers=[{"id": "5", "dName": "B"}, "6", None, {}])
    for control in (item, {"content": {**item["content"], "data": json.dumps(item["content"]["data"])}}):
        event = one(601, controls=[control])
        assert isinstance(event, GroupChanged)
        assert (event.conversation.id, event.actor_id, event.at) == (f"g{GROUP}", AN, AT)
        assert event.changes == [{"kind": controls.MEMBER_CHANGES[act], "member_ids": ["5", "6"]}]


def test_other_changes_of_groups() -> None:
    assert one(601, controls=[changed("update")]).changes == [{"kind": "renamed", "name": "Ops"}]
    for act in sorted(controls.OTHER_GROUP_ACTS):
        found = read(601, controls=[changed(act)])
        assert (found.events[0].name, found.unknown) == (f"group_{act}", [])
    unknown = read(601, controls=[changed("new_act")])
    assert (unknown.events[0].name, unknown.unknown) == ("group_new_act", ["group.new_act"])
    reminder = {"content": {"act_type": "group", "act": "remind_topic", "data": {"group_id": GROUP}}}
    assert one(601, controls=[reminder]).conversation.id == f"g{GROUP}"


def test_requests_to_join() -> None:
    found = events(601, controls=[changed("join_request", uids=["5", "6"], totalPending=2)])
    assert [(type(event), event.requester_id) for event in found] == [
        (JoinRequested, "5"),
        (JoinRequested, "6"),
    ]


def test_pairs_make_one_event() -> None:
    pair = [changed("join", updateMembers=[{"id": "5"}]), changed("join_reject", updateMembers=[{"id": "5"}])]
    assert [type(event) for event in read(601, controls=pair).events] == [GroupChanged, Ignored]
    request = {"fromUid": AN, "toUid": ME, "src": 1, "message": "hi"}
    found = events(601, controls=[changed("req", "fr", **request), changed("req_v2", "fr", **request)])
    assert [type(event) for event in found] == [Ignored, PlatformEvent]
    assert (found[1].name, found[1].conversation.id) == ("friend_req_v2", AN)
    assert found[1].details == {"direction": "inbound", "message": "hi"}


def test_friends() -> None:
    for act in sorted(controls.FRIEND_ACTS):
        item = {"content": {"act_type": "fr", "act": act, "data": AN}}
        found = read(601, controls=[item])
        assert (found.events[0].name, found.events[0].sender.id) == (f"friend_{act}", AN)
        assert found.unknown == []
    topic = {"topic": {"params": "{"}, "actorId": AN, "conversationId": AN}
    pin = {"content": {"act_type": "fr", "act": "pin_create", "data": json.dumps(topic)}}
    assert one(601, controls=[pin]).name == "friend_pin_create"


def test_a_finished_upload() -> None:
    control = {"content": {"act_type": "file_done", "fileId": LARGE, "data": {"url": "https://f.zdn.vn/x"}}}
    found = read(601, controls=[control])
    assert (found.events, found.uploaded[0].file_id) == ([], str(LARGE))
    assert "zdn.vn" not in repr(found.uploaded[0])


# -- odd frames ----------------------------------------------------------------------------------------------


def test_one_odd_action_costs_nothing_else() -> None:
    odd: list[Any] = [5, None, "{", [], {}, said(uidFrom=None), said(msgId=1.5), said(msgId="0")]
    found = read(501, msgs=[said(), *odd, said(cliMsgId="2002"), json.dumps(said(cliMsgId="2003"))])
    got = [type(event) for event in found.events]
    assert got == [MessageReceived, *[Unparsed] * len(odd), MessageReceived, MessageReceived]
    assert len(found.references) == 3


def test_a_message_whose_content_cannot_be_read_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: kinds.Given) -> kinds.Said:
        raise KeyError

    monkeypatch.setitem(kinds.KINDS, "chat.photo", kinds.Kind("image", broken, file=True))
    event = one(501, msgs=[said({"href": URL}, msgType="chat.photo")])
    assert [type(event)] == [Unparsed]
    assert (event.conversation.id, event.sender.id, event.message_id) == (AN, AN, "1001")


def test_unknown_lists_and_commands_are_counted() -> None:
    found = read(501, msgs=[said()], pageMsgs=[{"a": 1}, 5], clearUnreads=[], more=0)
    assert [type(event) for event in found.events] == [MessageReceived, PlatformEvent]
    assert found.events[1].details == {"list": "pageMsgs"}
    assert found.unknown == ["501.pageMsgs", "501.pageMsgs"]
    assert read(4).unknown == ["command 4"]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"data": 5}', b'{"data": "x"}', b"[" * 9999, b"\xff"])
def test_a_frame_that_cannot_be_read_is_kept(text: bytes) -> None:
    found = parse(501, text, ME, NOW)
    assert [getattr(event, "raw", None) for event in found.events] == [text]


def test_data_may_be_json_in_a_string() -> None:
    text = json.dumps({"error_code": 0, "data": json.dumps({"msgs": [said()]})}).encode()
    assert isinstance(parse(501, text, ME, NOW).events[0], MessageReceived)


def test_conversation_ids() -> None:
    assert [is_conversation(id_) for id_ in (AN, f"g{GROUP}", "x1", "", "g", "1/2", "1\n")] == [True] * 2 + [
        False
    ] * 5
    assert (is_group(f"g{GROUP}"), is_group(AN), bare(f"g{GROUP}"), bare(AN)) == (True, False, GROUP, AN)


# -- anything ------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    "msgId cliMsgId msgType uidFrom idTo dName ts content quote mentions ttl title description href thumb"
    " params styles start len st globalMsgId deleteMsg rMsg gMsgID cMsgID rIcon rType groupId groupName"
    " sourceId updateMembers uids id act act_type data fileId url fromUid toUid deliveredUids seenUids"
    " latitude longitude customMsg uid pos type time".split()
)
WORDS = st.sampled_from(
    [*kinds.KINDS, "group", "fr", "file_done", "join", "join_request", "update", "req_v2", "typing", "0", AN]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=6)
        | st.dictionaries(NAMES, inner, max_size=4).map(json.dumps)
    ),
    max_leaves=25,
)
COMMANDS = st.sampled_from([501, 502, 510, 511, 521, 522, 601, 602, 610, 611, 612, 7])


def check(found: Read) -> None:
    for event in found.events:
        assert len(event.key) == 16
        normalize(event, NOW)
        assert not isinstance(event, MessageReceived) or event.content.text or event.content.attachments


@settings(max_examples=400, deadline=None)
@given(command=COMMANDS, data=st.dictionaries(st.sampled_from([*LISTS, "more", "x"]), VALUES, max_size=4))
def test_any_data_are_read(command: int, data: dict[str, Any]) -> None:
    check(parse(command, json.dumps({"data": data}).encode(), ME, NOW, presence=True))


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from([*LISTS]), changes=st.dictionaries(NAMES, VALUES, max_size=5), inner=VALUES)
def test_any_action_is_read(name: str, changes: dict[str, Any], inner: Any) -> None:
    action = {**said(idTo=GROUP), **changes, "content": changes.get("content", inner)}
    found = parse(501, json.dumps({"data": {name: [action, said()]}}).encode(), ME, NOW, presence=True)
    check(found)


@settings(max_examples=200, deadline=None)
@given(text=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read(text: bytes) -> None:
    check(parse(501, text, ME, NOW))

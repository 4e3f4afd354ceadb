"""Requests of Zalo's web client, as its server reads them."""

import json
from typing import Any

import pytest

from unifyport.model.message import OutboundText
from unifyport.protocols.zalo_frames import SessionCipher
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.zalo.personal import files, icons, render, requests
from unifyport.providers.zalo.personal.calls import Call, Device, Session
from unifyport.providers.zalo.personal.messages import Reference

ME, AN, GROUP = "700000000000000001", "700000000000000002", "g700000000000000009"
CLIENT = 1_780_790_400_123
SERVICES = ("chat", "group", "file", "reaction", "profile", "conversation", "group_poll", "friend")
CIPHER = SessionCipher(bytes(range(16)))
SESSION = Session(
    ME,
    CIPHER,
    {name: f"https://{name}.chat.zalo.me" for name in SERVICES},
    ("wss://ws.chat.zalo.me",),
    Device("8a1b0d3e-1f5b", "UA"),
)


def sent(call: Call) -> dict[str, Any]:
    """The parameters of a request, as the server decrypts them."""
    found = (call.form or call.query)["params"]
    assert (call.query["zpw_ver"], call.query["zpw_type"]) == ("671", "30")
    assert "params" not in repr(call)
    return dict(json.loads(CIPHER.open(found)))


def reference(conversation_id: str = AN, kind: str = "webchat", **changes: Any) -> Reference:
    given = {
        "message_id": "9007199254740993",
        "client_id": "9007199254740995",
        "sender": AN,
        "to": "",
        "at": 5,
    }
    return Reference(**{"conversation_id": conversation_id, "kind": kind, "text": "hi", **given, **changes})


def text(conversation_id: str, said: str, **fields: Any) -> tuple[OutboundText, render.Text]:
    type_ = "group" if conversation_id.startswith("g") else "user"
    message = OutboundText(conversation_id, type_, said, **fields)
    render.check(message)
    return message, render.text_of(message, {AN: "An"})


def test_a_text_to_a_person() -> None:
    call = render.text_call(SESSION, *text(AN, "xin chào"), client_id=CLIENT)
    assert call.url == "https://chat.chat.zalo.me/api/message/sms"
    assert sent(call) == {
        "message": "xin chào",
        "clientId": CLIENT,
        "ttl": 0,
        "toid": AN,
        "imei": "8a1b0d3e-1f5b",
    }


def test_a_text_to_a_group_with_mentions_and_styles() -> None:
    said = f"😀 {{{{@{AN}}}}} {{{{@all}}}} {{{{@5}}}}"
    styles = [{"style": "bold", "offset": 2, "length": 3}]
    message, rendered = text(GROUP, said, mentions=[AN, "all"], provider_data={"styles": styles})
    assert rendered.text == "😀 @An @All {{@5}}"
    call = render.text_call(SESSION, message, rendered, client_id=CLIENT)
    assert call.url == "https://group.chat.zalo.me/api/group/mention"
    got = sent(call)
    assert json.loads(got["mentionInfo"]) == [
        {"pos": 3, "len": 3, "uid": AN, "type": 0},
        {"pos": 7, "len": 4, "uid": "-1", "type": 1},
    ]
    assert json.loads(got["textProperties"]) == {"styles": [{"start": 3, "len": 3, "st": "b"}], "ver": 0}
    assert (got["grid"], got["visibility"], "imei" in got) == (GROUP[1:], 0, False)
    plain = render.text_call(SESSION, *text(GROUP, "a"), client_id=CLIENT)
    assert plain.url.endswith("/api/group/sendmsg")


def test_outside_of_a_group_a_mention_is_text() -> None:
    message, rendered = text(AN, f"{{{{@{AN}}}}}!", mentions=[AN])
    assert rendered == render.Text("@An!")
    assert "mentionInfo" not in sent(render.text_call(SESSION, message, rendered, client_id=1))


def test_a_quote() -> None:
    call = render.text_call(SESSION, *text(AN, "a"), client_id=CLIENT, quoted=reference())
    assert call.url.endswith("/api/message/quote")
    got = sent(call)
    assert (got["qmsgOwner"], got["qmsgId"], got["qmsgCliId"]) == (AN, "9007199254740993", "9007199254740995")
    assert (got["qmsgType"], got["qmsg"], got["qmsgTs"]) == (1, "hi", "5")
    picture = reference(GROUP, "chat.photo")
    other = sent(render.text_call(SESSION, *text(GROUP, "a"), client_id=CLIENT, quoted=picture))
    assert (other["qmsgType"], other["qmsg"]) == (32, "")
    for kind in ("group.poll", "chat.new"):
        with pytest.raises(Rejected, match="cannot_be_quoted"):
            render.text_call(SESSION, *text(GROUP, "a"), client_id=1, quoted=reference(GROUP, kind))


@pytest.mark.parametrize(
    ("id_", "type_", "said", "data", "reason"),
    [
        ("x", "user", "a", {}, "invalid_recipient"),
        (AN, "group", "a", {}, "invalid_recipient"),
        (GROUP, "user", "a", {}, "invalid_recipient"),
        (AN, "user", "a" * 2001, {}, "text_too_long"),
        (AN, "user", "a", {"styles": 5}, "invalid_provider_data"),
        (AN, "user", "a", {"styles": [{"style": "x"}]}, "invalid_provider_data"),
        (
            AN,
            "user",
            "a",
            {"styles": [{"style": "bold", "offset": True, "length": 1}]},
            "invalid_provider_data",
        ),
    ],
)
def test_what_is_refused_at_once(id_: str, type_: str, said: str, data: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        render.check(OutboundText(id_, type_, said, provider_data=data))


def test_files() -> None:
    chunk = files.chunk_call(SESSION, GROUP, "a.PNG", size=9, chunk=1, chunks=2, client_id=CLIENT)
    assert (chunk.url, chunk.query["type"]) == (
        "https://file.chat.zalo.me/api/group/photo_original/upload",
        "11",
    )
    assert (chunk.form, sent(chunk)["totalChunk"], sent(chunk)["chunkId"]) == (None, 2, 1)
    other = files.chunk_call(SESSION, AN, "a.pdf", size=9, chunk=1, chunks=1, client_id=CLIENT)
    assert (other.url, other.query["type"]) == ("https://file.chat.zalo.me/api/message/asyncfile/upload", "2")

    first = files.chunk_of({"photoId": "-1", "finished": 0})
    assert files.picture_of(first, 9) is None
    last = files.chunk_of({"photoId": 9_007_199_254_740_993, "normalUrl": "https://n", "hdUrl": "https://h"})
    picture = files.picture_of(last, 9)
    assert picture is not None
    got = sent(files.picture_call(SESSION, AN, picture, "caption", client_id=CLIENT))
    assert (got["photoId"], got["desc"], got["hdSize"]) == ("9007199254740993", "caption", "9")
    assert (got["clientId"], got["normalUrl"], got["thumbUrl"]) == (str(CLIENT), "https://n", "https://n")
    in_group = sent(files.picture_call(SESSION, GROUP, picture, "", client_id=CLIENT))
    assert (in_group["oriUrl"], "normalUrl" in in_group) == ("https://n", False)

    file = files.File(file_id="7", url="https://f", name="d.pdf", size=9, md5="0" * 32)
    named = sent(files.file_call(SESSION, AN, file, "c7"))
    assert (named["extention"], named["fileUrl"], named["clientId"]) == ("pdf", "https://f", "c7")
    odds: tuple[Any, ...] = (None, [], {"photoId": 1.5}, {"normalUrl": 5})
    for odd in odds:
        with pytest.raises(Transient, match="malformed_answer"):
            files.chunk_of(odd)
    with pytest.raises(Transient, match="malformed_answer"):
        files.picture_of(files.chunk_of({"photoId": "5"}), 9)
    sticker = sent(files.sticker_call(SESSION, GROUP, {"id": 1, "cateId": 2, "type": 3}, CLIENT))
    assert (sticker["stickerId"], sticker["cateId"], sticker["grid"]) == (1, 2, GROUP[1:])


def test_undo_and_reactions_name_both_ids_exactly() -> None:
    undone = requests.undo_call(SESSION, reference(), CLIENT)
    assert undone.url.endswith("/api/message/undo")
    assert sent(undone)["cliMsgIdUndo"] == "9007199254740995"
    group = requests.undo_call(SESSION, reference(GROUP), CLIENT)
    assert (group.url[-8:], sent(group)["grid"]) == ("/undomsg", GROUP[1:])
    reacted = sent(requests.react_call(SESSION, reference(), icons.icon_of("👍"), CLIENT))
    message = json.loads(reacted["react_list"][0]["message"])
    target = {"gMsgID": 9_007_199_254_740_993, "cMsgID": 9_007_199_254_740_995, "msgType": 1}
    assert message == {"rMsg": [target], "rIcon": "/-strong", "rType": 3, "source": 6}
    removed = sent(requests.react_call(SESSION, reference(GROUP), None, CLIENT))
    assert json.loads(removed["react_list"][0]["message"])["rType"] == -1


def test_receipts() -> None:
    seen = requests.receipt_call(SESSION, [reference(to=ME)], seen=True)
    assert seen.url == "https://chat.chat.zalo.me/api/message/seenv2"
    infos = json.loads(sent(seen)["msgInfos"])
    assert infos["senderId"] == AN
    assert infos["data"][0] == {
        "cmi": "9007199254740995",
        "gmi": "9007199254740993",
        "si": AN,
        "di": "0",
        "mt": "webchat",
        **dict.fromkeys(("st", "at", "cmd", "ts"), 0),
    }
    delivered = requests.receipt_call(SESSION, [reference(GROUP, to=GROUP[1:])], seen=False)
    assert delivered.url == "https://group.chat.zalo.me/api/group/deliveredv2"
    infos = json.loads(sent(delivered)["msgInfos"])
    assert (infos["grid"], infos["seen"], infos["data"][0]["di"]) == (GROUP[1:], 0, GROUP[1:])
    for wrong in ([reference()] * 51, [reference(), reference(GROUP)]):
        with pytest.raises(ValueError, match="at most 50"):
            requests.receipt_call(SESSION, wrong, seen=True)


# request -> method, path, fields
OPERATIONS: list[tuple[Call, str, str, dict[str, Any]]] = [
    (requests.typing_call(SESSION, AN), "POST", "chat/api/message/typing", {"toid": AN, "destType": 3}),
    (requests.typing_call(SESSION, GROUP), "POST", "group/api/group/typing", {"grid": GROUP[1:]}),
    (requests.keep_alive_call(SESSION), "GET", "chat/keepalive", {}),
    (
        requests.mute_call(SESSION, GROUP, seconds=60, now=5),
        "POST",
        "profile/api/social/profile/setmute",
        {"toid": GROUP[1:], "duration": 60, "action": 1, "startTime": 5, "muteType": 2},
    ),
    (
        requests.mute_call(SESSION, AN, seconds=None, now=5),
        "POST",
        "profile/api/social/profile/setmute",
        {"duration": -1, "action": 3, "muteType": 1},
    ),
    (
        requests.pin_call(SESSION, AN, pinned=True),
        "POST",
        "conversation/api/pinconvers/updatev2",
        {"actionType": 1, "conversations": [f"u{AN}"]},
    ),
    (
        requests.pin_call(SESSION, GROUP, pinned=False),
        "POST",
        "conversation/api/pinconvers/updatev2",
        {"actionType": 2, "conversations": [GROUP]},
    ),
    (requests.groups_call(SESSION), "GET", "group_poll/api/group/getlg/v4", {}),
    (
        requests.group_call(SESSION, [GROUP]),
        "POST",
        "group/api/group/getmg-v2",
        {"gridVerMap": json.dumps({GROUP[1:]: 0}, separators=(",", ":"))},
    ),
    (
        requests.create_group_call(SESSION, "Ops", [AN], CLIENT),
        "POST",
        "group/api/group/create/v2",
        {"gname": "Ops", "members": [AN], "membersTypes": [-1], "gdesc": None},
    ),
    (
        requests.members_call(SESSION, GROUP, "add", [AN]),
        "POST",
        "group/api/group/invite/v2",
        {"grid": GROUP[1:], "members": [AN], "memberTypes": [-1]},
    ),
    (
        requests.members_call(SESSION, GROUP, "remove", [AN]),
        "POST",
        "group/api/group/kickout",
        {"members": [AN]},
    ),
    (requests.members_call(SESSION, GROUP, "promote", [AN]), "GET", "group/api/group/admins/add", {}),
    (requests.members_call(SESSION, GROUP, "demote", [AN]), "GET", "group/api/group/admins/remove", {}),
    (requests.rename_call(SESSION, GROUP, "N"), "POST", "group/api/group/updateinfo", {"gname": "N"}),
    (requests.leave_call(SESSION, GROUP), "POST", "group/api/group/leave", {"grids": [GROUP[1:]]}),
    (requests.join_requests_call(SESSION, GROUP), "GET", "group/api/group/pending-mems/list", {}),
    (
        requests.review_call(SESSION, GROUP, [AN], approve=True),
        "GET",
        "group/api/group/pending-mems/review",
        {"isApprove": 1, "members": [AN]},
    ),
    (
        requests.friends_call(SESSION, 1, 100),
        "GET",
        "profile/api/social/friend/getfriends",
        {"page": 1, "count": 100},
    ),
    (requests.block_call(SESSION, AN, blocked=True), "POST", "friend/api/friend/block", {"fid": AN}),
    (requests.block_call(SESSION, AN, blocked=False), "POST", "friend/api/friend/unblock", {"fid": AN}),
]


@pytest.mark.parametrize(("call", "method", "where", "fields"), OPERATIONS, ids=lambda value: "")
def test_operations(call: Call, method: str, where: str, fields: dict[str, Any]) -> None:
    service, _, path = where.partition("/")
    assert (call.method, call.url) == (method, f"https://{service}.chat.zalo.me/{path}")
    assert (method == "GET") <= (call.form is None)
    got = sent(call)
    assert {name: got[name] for name in fields} == fields

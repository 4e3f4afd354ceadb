"""Requests about messages: texts, uploaded files, stickers, cards, undo, reactions, typing.

Each handler gets the session and the decrypted fields; `CALLS` says under which service and path. What a
client sends becomes the content that other clients get.
"""

from typing import Any

import msgspec

from .calls import Asked, Rule
from .mail import Mail
from .world import Group, Message, User, invalid


def _text(mail: Mail, asked: Asked) -> dict[str, Any]:
    fields = asked.fields
    text = asked.text("message")
    thread = mail.thread(fields)
    if isinstance(thread, Group):
        asked.number("visibility")
    elif asked.text("imei") != asked.session.imei:
        raise invalid("imei")
    said: dict[str, Any] = {"ttl": asked.number("ttl")}
    if "mentionInfo" in fields and isinstance(thread, Group):
        said["mentions"] = asked.inner("mentionInfo")
    if "qmsgId" in fields:
        said["quote"] = _quote(mail, asked)
    content: Any = text
    if "textProperties" in fields:
        styles = asked.inner("textProperties")
        content = _item(text, action="rtf", params={"styles": styles["styles"], "ver": 0})
    return _sent(mail, asked, "webchat", content, said)


def _quote(mail: Mail, asked: Asked) -> dict[str, Any]:
    """The quoted message as the receivers get it; ids are numbers there."""
    quoted = mail.find(asked.session.user, asked.fields["qmsgId"])
    if str(asked.fields.get("qmsgOwner")) != quoted.sender.id:
        raise invalid("qmsgOwner")
    if str(asked.fields.get("qmsgCliId")) != quoted.client_id:
        raise invalid("qmsgCliId")
    return {
        "ownerId": int(quoted.sender.id),
        "cliMsgId": int(quoted.client_id),
        "globalMsgId": int(quoted.id),
        "cliMsgType": int(asked.fields.get("qmsgType", 1)),
        "ts": quoted.at,
        "msg": str(asked.fields.get("qmsg", "")),
        "attach": str(asked.fields.get("qmsgAttach", "")),
        "fromD": quoted.sender.name,
        "ttl": 0,
    }


def _photo(mail: Mail, asked: Asked) -> dict[str, Any]:
    in_group = "grid" in asked.fields
    url = asked.text("oriUrl" if in_group else "normalUrl")
    params = {
        "hd": asked.text("hdUrl"),
        "width": asked.number("width"),
        "height": asked.number("height"),
        "hdSize": asked.text("hdSize"),
        "group_layout_id": str(asked.fields.get("groupLayoutId", "")),
    }
    asked.text("photoId")
    content = _item(asked.maybe("desc"), href=url, thumb=asked.text("thumbUrl"), params=params)
    return _sent(mail, asked, "chat.photo", content)


def _file(mail: Mail, asked: Asked) -> dict[str, Any]:
    asked.text("fileId")
    params = {
        "fileSize": str(asked.number("totalSize")),
        "checksum": asked.text("checksum"),
        "checksumSha": "",
        "fileExt": asked.maybe("extention"),
        "fdata": asked.text("fdata"),
        "fType": asked.number("fType"),
    }
    return _sent(
        mail, asked, "share.file", _item(asked.text("fileName"), href=asked.text("fileUrl"), params=params)
    )


def _gif(mail: Mail, asked: Asked) -> dict[str, Any]:
    url = asked.text("thumb")
    params = {"width": asked.number("width"), "height": asked.number("height"), "hd": url}
    return _sent(mail, asked, "chat.gif", _item(asked.maybe("msg"), href=url, thumb=url, params=params))


def _sticker(mail: Mail, asked: Asked) -> dict[str, Any]:
    content = {
        "id": asked.number("stickerId"),
        "catId": asked.number("cateId"),
        "type": asked.number("type"),
        "extInfo": "",
    }
    return _sent(mail, asked, "chat.sticker", content)


def _forward(mail: Mail, asked: Asked) -> dict[str, Any]:
    """A voice message (3), a video (5) or a person's card (6); a person is addressed by `toId`."""
    told = asked.inner("msgInfo")
    match asked.number("msgType"):
        case 3:
            item = _item("", href=told["voiceUrl"], params={"m4a": told["m4aUrl"]})
            return _sent(mail, asked, "chat.voice", item)
        case 5:
            params = {name: told[name] for name in ("duration", "width", "height", "fileSize")}
            params["video"] = told["videoUrl"]
            item = _item(told["title"], href=told["videoUrl"], thumb=told["thumbUrl"], params=params)
            return _sent(mail, asked, "chat.video.msg", item)
        case 6:
            user = mail.thread({"toid": told["contactUid"]})
            card = {"phone": told.get("phone", ""), "qrCodeUrl": told["qrCodeUrl"], "gUid": user.id}
            item = _item(
                user.name, action="recommened.user", description=_json(card), params={"uid": user.id}
            )
            return _sent(mail, asked, "chat.recommended", item)
    raise invalid("msgType")


def _undo(mail: Mail, asked: Asked) -> dict[str, Any]:
    found = mail.find(asked.session.user, asked.text("msgId"))
    asked.number("clientId")
    _check_place(mail, asked, found)
    if asked.text("cliMsgIdUndo") != found.client_id:
        raise invalid("cliMsgIdUndo")
    mail.undo(asked.session.user, found)
    return {"status": 0}


def _react(mail: Mail, asked: Asked) -> dict[str, Any]:
    ids = []
    for each in asked.fields.get("react_list") or []:
        told = msgspec.json.decode(each["message"])
        for target in told["rMsg"]:
            found = mail.find(asked.session.user, target["gMsgID"])
            _check_place(mail, asked, found)
            if str(target["cMsgID"]) != found.client_id:
                raise invalid("cMsgID")
            ids.append(mail.react(asked.session.user, found, told["rIcon"], told["rType"], told["source"]))
    if not ids:
        raise invalid("react_list")
    return {"msgIds": [int(id_) for id_ in ids]}


def _check_place(mail: Mail, asked: Asked, message: Message) -> None:
    """The request names the group, or the other side of the conversation. Raises `Refused`."""
    place: User | Group = message.thread
    if place is asked.session.user:
        place = message.sender
    if mail.thread(asked.fields) is not place:
        raise invalid("toid")


def _typing(mail: Mail, asked: Asked) -> dict[str, Any]:
    mail.typing(asked.session.user, mail.thread(asked.fields))
    return {"status": 0}


def _sent(
    mail: Mail, asked: Asked, kind: str, content: Any, said: dict[str, Any] | None = None
) -> dict[str, Any]:
    client_id = str(asked.fields.get("clientId", ""))
    if not client_id.isdigit():
        raise invalid("clientId")
    message: Message = mail.send(
        asked.session.user,
        mail.thread(asked.fields),
        kind,
        content,
        client_id=client_id,
        said=said,
        fields=asked.fields,
    )
    return {"msgId": int(message.id)}


def _item(title: str, *, params: dict[str, Any], **fields: str) -> dict[str, Any]:
    """The object that a message of another kind than a plain text has as its content."""
    item = {
        "title": title,
        "description": "",
        "href": "",
        "thumb": "",
        "childnumber": 0,
        "action": "",
        "type": "",
    }
    return {**item, **fields, "params": _json(params)}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


CALLS = {
    Rule("POST", "chat", "/api/message/sms"): _text,
    Rule("POST", "chat", "/api/message/quote"): _text,
    Rule("POST", "group", "/api/group/sendmsg"): _text,
    Rule("POST", "group", "/api/group/mention"): _text,
    Rule("POST", "group", "/api/group/quote"): _text,
    Rule("POST", "file", "/api/message/photo_original/send"): _photo,
    Rule("POST", "file", "/api/group/photo_original/send"): _photo,
    Rule("POST", "file", "/api/message/asyncfile/msg"): _file,
    Rule("POST", "file", "/api/group/asyncfile/msg"): _file,
    Rule("UPLOAD", "file", "/api/message/gif"): _gif,
    Rule("UPLOAD", "file", "/api/group/gif"): _gif,
    Rule("POST", "chat", "/api/message/sticker"): _sticker,
    Rule("POST", "group", "/api/group/sticker"): _sticker,
    Rule("POST", "file", "/api/message/forward"): _forward,
    Rule("POST", "file", "/api/group/forward"): _forward,
    Rule("POST", "chat", "/api/message/undo"): _undo,
    Rule("POST", "group", "/api/group/undomsg"): _undo,
    Rule("POST", "reaction", "/api/message/reaction"): _react,
    Rule("POST", "reaction", "/api/group/reaction"): _react,
    Rule("POST", "chat", "/api/message/typing"): _typing,
    Rule("POST", "group", "/api/group/typing"): _typing,
}

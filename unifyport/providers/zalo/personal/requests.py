"""Requests about messages, groups and people. Pure.

As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/undo.ts`, `addReaction.ts`, `sendSeenEvent.ts` and
the files named like the operations).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from .calls import Call, Session
from .icons import REMOVED, SOURCE, Icon
from .messages import Reference
from .people import bare, is_group

MAX_RECEIPTS: Final = 50  # messages of one conversation in one receipt


# -- messages ------------------------------------------------------------------------------------------------


def undo_call(session: Session, target: Reference, client_id: int) -> Call:
    fields: dict[str, Any] = {
        "msgId": target.message_id,
        "clientId": client_id,
        "cliMsgIdUndo": target.client_id,
    }
    if is_group(target.conversation_id):
        fields |= {"grid": bare(target.conversation_id), "visibility": 0, "imei": session.device.imei}
        return session.call("group", "/api/group/undomsg", fields)
    return session.call("chat", "/api/message/undo", fields | {"toid": target.conversation_id})


def react_call(session: Session, target: Reference, icon: Icon | None, client_id: int) -> Call:
    """`icon` None: take the reaction back."""
    reaction = {
        "rMsg": [{"gMsgID": int(target.message_id), "cMsgID": int(target.client_id or 0), "msgType": 1}],
        "rIcon": icon.code if icon else "",
        "rType": icon.type if icon else REMOVED,
        "source": SOURCE,
    }
    fields: dict[str, Any] = {"react_list": [{"message": _json(reaction), "clientId": client_id}]}
    if is_group(target.conversation_id):
        fields |= {"grid": bare(target.conversation_id), "imei": session.device.imei}
        return session.call("reaction", "/api/group/reaction", fields)
    return session.call("reaction", "/api/message/reaction", fields | {"toid": target.conversation_id})


def receipt_call(session: Session, targets: Sequence[Reference], *, seen: bool) -> Call:
    """Tell the sender that messages of one conversation came in or were read. 1 to `MAX_RECEIPTS`."""
    chat = targets[0].conversation_id
    if len(targets) > MAX_RECEIPTS or any(each.conversation_id != chat for each in targets):
        raise ValueError("a receipt is about at most 50 messages of one conversation")
    in_group = is_group(chat)
    infos: dict[str, Any] = {"data": [_received(session, each) for each in targets]}
    if in_group:
        infos["grid"] = bare(chat)
    elif seen:
        infos["senderId"] = chat
    if not seen:
        infos["seen"] = 0
    fields = {"msgInfos": _json(infos)}
    if in_group:
        fields["imei"] = session.device.imei
    action = "seenv2" if seen else "deliveredv2"
    service, room = ("group", "group") if in_group else ("chat", "message")
    return session.call(service, f"/api/{room}/{action}", fields, nretry="0")


def _received(session: Session, message: Reference) -> dict[str, Any]:
    return {
        "cmi": message.client_id,
        "gmi": message.message_id,
        "si": message.sender,
        "di": "0" if message.to in ("", session.uid) else message.to,
        "mt": message.kind,
        "st": 0,
        "at": 0,
        "cmd": 0,
        "ts": 0,
    }


def typing_call(session: Session, conversation_id: str) -> Call:
    imei = session.device.imei
    if is_group(conversation_id):
        return session.call("group", "/api/group/typing", {"grid": bare(conversation_id), "imei": imei})
    fields = {"toid": conversation_id, "destType": 3, "imei": imei}
    return session.call("chat", "/api/message/typing", fields)


def keep_alive_call(session: Session) -> Call:
    """Its answer is not encrypted."""
    return session.call("chat", "/keepalive", {"imei": session.device.imei}, method="GET")


# -- conversations -------------------------------------------------------------------------------------------


def mute_call(session: Session, conversation_id: str, *, seconds: int | None, now: int) -> Call:
    """`seconds`: for so long; -1: for ever; None: not any more. `now`: unix seconds."""
    fields = {
        "toid": bare(conversation_id),
        "duration": -1 if seconds is None else seconds,
        "action": 3 if seconds is None else 1,
        "startTime": now,
        "muteType": 2 if is_group(conversation_id) else 1,
        "imei": session.device.imei,
    }
    return session.call("profile", "/api/social/profile/setmute", fields)


def pin_call(session: Session, conversation_id: str, *, pinned: bool) -> Call:
    named = conversation_id if is_group(conversation_id) else f"u{conversation_id}"
    fields = {"actionType": 1 if pinned else 2, "conversations": [named]}
    return session.call("conversation", "/api/pinconvers/updatev2", fields)


# -- groups --------------------------------------------------------------------------------------------------


def groups_call(session: Session) -> Call:
    """Ids and versions come back."""
    return session.call("group_poll", "/api/group/getlg/v4", {}, method="GET")


def group_call(session: Session, group_ids: Sequence[str]) -> Call:
    versions = {bare(id_): 0 for id_ in group_ids}
    return session.call("group", "/api/group/getmg-v2", {"gridVerMap": _json(versions)})


def create_group_call(session: Session, name: str, members: Sequence[str], client_id: int) -> Call:
    fields: dict[str, Any] = {
        "clientId": client_id,
        "gname": name,
        "gdesc": None,
        "members": list(members),
        "membersTypes": [-1] * len(members),
        "nameChanged": 1,
        "createLink": 1,
        "clientLang": session.device.language,
        "imei": session.device.imei,
        "zsource": 601,
    }
    return session.upload("group", "/api/group/create/v2", fields)


_MEMBER_PATHS: Final = {
    "add": "/api/group/invite/v2",
    "remove": "/api/group/kickout",
    "promote": "/api/group/admins/add",
    "demote": "/api/group/admins/remove",
}


def members_call(session: Session, group_id: str, action: str, members: Sequence[str]) -> Call:
    """`action`: `add`, `remove`, `promote`, `demote`."""
    fields: dict[str, Any] = {"grid": bare(group_id), "members": list(members), "imei": session.device.imei}
    if action == "add":
        fields |= {"memberTypes": [-1] * len(members), "clientLang": session.device.language}
    method = "GET" if action in ("promote", "demote") else "POST"
    return session.call("group", _MEMBER_PATHS[action], fields, method=method)


def rename_call(session: Session, group_id: str, name: str) -> Call:
    fields = {"grid": bare(group_id), "gname": name, "imei": session.device.imei}
    return session.call("group", "/api/group/updateinfo", fields)


def leave_call(session: Session, group_id: str) -> Call:
    device = session.device
    fields = {"grids": [bare(group_id)], "imei": device.imei, "silent": 0, "language": device.language}
    return session.call("group", "/api/group/leave", fields)


def join_requests_call(session: Session, group_id: str) -> Call:
    fields = {"grid": bare(group_id), "imei": session.device.imei}
    return session.call("group", "/api/group/pending-mems/list", fields, method="GET")


def review_call(session: Session, group_id: str, members: Sequence[str], *, approve: bool) -> Call:
    fields = {"grid": bare(group_id), "members": list(members), "isApprove": 1 if approve else 0}
    return session.call("group", "/api/group/pending-mems/review", fields, method="GET")


# -- people --------------------------------------------------------------------------------------------------


def friends_call(session: Session, page: int, count: int) -> Call:
    """Pages are counted from 1."""
    fields = {
        "incInvalid": 1,
        "page": page,
        "count": count,
        "avatar_size": 120,
        "actiontime": 0,
        "imei": session.device.imei,
    }
    return session.call("profile", "/api/social/friend/getfriends", fields, method="GET")


def block_call(session: Session, user_id: str, *, blocked: bool) -> Call:
    action = "block" if blocked else "unblock"
    return session.call("friend", f"/api/friend/{action}", {"fid": user_id, "imei": session.device.imei})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

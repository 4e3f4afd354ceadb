"""Requests of the directory that `requests.py` does not have: profiles, members, settings, links. Pure.

As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (the files of `src/apis` named like the operations).
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from .calls import Call, Session
from .people import bare, is_group

_CARD: Final = 6
# Settings that are changed as a whole: those that are not given are turned off.
_SETTINGS: Final = (
    *("blockName", "signAdminMsg", "setTopicOnly", "enableMsgHistory", "joinAppr", "lockCreatePost"),
    *("lockCreatePoll", "lockSendMsg", "lockViewMember"),
)


def profiles_call(session: Session, user_ids: Sequence[str]) -> Call:
    """`changed_profiles` by user id; those that do not exist are left out."""
    fields = {
        "phonebook_version": 0,
        "friend_pversion_map": [f"{id_}_0" for id_ in user_ids],
        "avatar_size": 120,
        "language": session.device.language,
        "show_online_status": 1,
        "imei": session.device.imei,
    }
    return session.call("profile", "/api/social/friend/getprofiles/v2", fields)


def me_call(session: Session) -> Call:
    """`profile` of the account itself."""
    call = session.call("profile", "/api/social/profile/me-v2", {}, method="GET")
    bare = {name: value for name, value in call.query.items() if name != "params"}
    return attrs.evolve(call, query=bare)


def members_info_call(session: Session, user_ids: Sequence[str]) -> Call:
    """`profiles` of members of groups, friends or not, by user id."""
    fields = {"friend_pversion_map": [f"{id_}_0" for id_ in user_ids]}
    return session.call("profile", "/api/social/group/members", fields, method="GET")


def find_call(session: Session, phone: str) -> Call:
    """`phone`: digits, with the country code."""
    device = session.device
    fields = {
        "phone": phone,
        "avatar_size": 240,
        "language": device.language,
        "imei": device.imei,
        "reqSrc": 40,
    }
    return session.call("friend", "/api/friend/profile/get", fields, method="GET")


def qr_call(session: Session, user_id: str) -> Call:
    return session.call("friend", "/api/friend/mget-qr", {"fids": [user_id]})


def picture_call(session: Session, group_id: str, now_ms: int) -> Call:
    """The picture of a group: the body is a form with it. 1080 stands for a size that is not known."""
    minute = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).strftime("%H:%M %d/%m/%Y")
    fields = {
        "grid": bare(group_id),
        "avatarSize": 120,
        "clientId": f"g{bare(group_id)}{minute}",
        "imei": session.device.imei,
        "originWidth": 1080,
        "originHeight": 1080,
    }
    return session.upload("file", "/api/group/upavatar", fields)


def card_call(session: Session, conversation_id: str, card: Mapping[str, str], client_id: int) -> Call:
    """A person's card: `contactUid`, `qrCodeUrl`, `phone`."""
    fields: dict[str, Any] = {
        "ttl": 0,
        "msgType": _CARD,
        "clientId": str(client_id),
        "msgInfo": msgspec.json.encode(dict(card)).decode(),
    }
    if is_group(conversation_id):
        fields |= {"grid": bare(conversation_id), "visibility": 0}
        return session.call("file", "/api/group/forward", fields)
    fields |= {"toId": conversation_id, "imei": session.device.imei}
    return session.call("file", "/api/message/forward", fields)


def settings_call(session: Session, group_id: str, settings: Mapping[str, Any]) -> Call:
    """Change the settings of a group; `settings` has them all."""
    fields: dict[str, Any] = {name: 1 if settings.get(name) else 0 for name in _SETTINGS}
    fields |= {"bannFeature": 0, "dirtyMedia": 0, "banDuration": 0, "blocked_members": []}
    fields |= {"grid": bare(group_id), "imei": session.device.imei}
    return session.call("group", "/api/group/setting/update", fields, method="GET")


def link_call(session: Session, group_id: str) -> Call:
    fields = {"grid": bare(group_id), "imei": session.device.imei}
    return session.call("group", "/api/group/link/detail", fields, method="GET")


def unread_call(session: Session, conversation_id: str, now_ms: int) -> Call:
    marked = {"id": bare(conversation_id), "cliMsgId": str(now_ms), "fromUid": "0", "ts": now_ms}
    names = ("convsGroup", "convsUser") if is_group(conversation_id) else ("convsUser", "convsGroup")
    told = {names[0]: [marked], names[1]: [], "imei": session.device.imei}
    fields = {"param": msgspec.json.encode(told).decode()}
    return session.call("conversation", "/api/conv/addUnreadMark", fields)

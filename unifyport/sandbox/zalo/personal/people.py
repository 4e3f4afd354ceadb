"""Friends, profiles, blocking, and a user's own view of conversations: muted and pinned ones."""

from typing import Any

import msgspec

from unifyport.protocols.zalo_frames import Command

from .calls import Asked, Rule
from .world import Refused, User, World, invalid


class People:
    def __init__(self, world: World) -> None:
        self._world = world

    # -- changes, by web clients and by orders ---------------------------------------------------------------

    def befriend(self, one: User, other: User) -> None:
        for user, friend in ((one, other), (other, one)):
            user.friends.add(friend)
            user.requests.pop(friend, None)
            _push(user, "add", friend.id)

    def ask(self, sender: User, to: User, message: str) -> None:
        """Both sides are told, and each twice: as `req` and as `req_v2`."""
        to.requests[sender] = message
        data = {"toUid": to.id, "fromUid": sender.id, "src": 30, "message": message}
        for user in (to, sender):
            for act in ("req", "req_v2"):
                _push(user, act, _json(data))

    # -- requests --------------------------------------------------------------------------------------------

    def friends(self, asked: Asked) -> list[Any]:
        page, count = asked.number("page"), asked.number("count")
        if page < 1 or count < 1:
            raise invalid("page")
        found = sorted(asked.session.user.friends, key=lambda user: user.id)
        return [user.described() for user in found[(page - 1) * count : page * count]]

    def profiles(self, asked: Asked) -> dict[str, Any]:
        users = self._versions(asked)
        return {"changed_profiles": {user.id: user.described() for user in users}, "unchanged_profiles": {}}

    def members(self, asked: Asked) -> dict[str, Any]:
        users = self._versions(asked)
        found = {
            user.id: {"id": user.id, "displayName": user.name, "zaloName": user.name, "avatar": user.picture}
            for user in users
        }
        return {"profiles": found, "unchangeds_profile": []}

    def me(self, asked: Asked) -> dict[str, Any]:
        return {"profile": asked.session.user.described()}

    def accept(self, asked: Asked) -> dict[str, Any]:
        user, other = asked.session.user, self._friend(asked)
        if other not in user.requests:
            raise invalid("fid")
        self.befriend(user, other)
        return {}

    def reject(self, asked: Asked) -> dict[str, Any]:
        user, other = asked.session.user, self._friend(asked)
        if user.requests.pop(other, None) is None:
            raise invalid("fid")
        data = _json({"toUid": user.id, "fromUid": other.id})
        for each in (user, other):
            _push(each, "reject", data)
        return {}

    def request(self, asked: Asked) -> dict[str, Any]:
        other = self._world.users.get(asked.text("toid"))
        if other is None:
            raise invalid("toid")
        self.ask(asked.session.user, other, asked.maybe("msg"))
        return {}

    def remove(self, asked: Asked) -> dict[str, Any]:
        user, other = asked.session.user, self._friend(asked)
        for one, friend in ((user, other), (other, user)):
            one.friends.discard(friend)
            _push(one, "remove", friend.id)
        return {}

    def block(self, asked: Asked) -> dict[str, Any]:
        user, other = asked.session.user, self._friend(asked)
        user.blocked.add(other)
        _push(user, "block", other.id)
        return {}

    def unblock(self, asked: Asked) -> dict[str, Any]:
        user, other = asked.session.user, self._friend(asked)
        user.blocked.discard(other)
        _push(user, "unblock", other.id)
        return {}

    def mute(self, asked: Asked) -> dict[str, Any]:
        user, thread = asked.session.user, asked.text("toid")
        asked.number("startTime")
        match asked.number("action"):
            case 1:
                user.muted[thread] = asked.number("duration")
            case 3:
                user.muted.pop(thread, None)
            case _:
                raise invalid("action")
        return {}

    def pin(self, asked: Asked) -> dict[str, Any]:
        user, threads = asked.session.user, asked.ids("conversations")
        if not all(thread[0] in "ug" and thread[1:].isdigit() for thread in threads):
            raise invalid("conversations")
        if asked.number("actionType") == 1:
            user.pinned |= set(threads)
        else:
            user.pinned -= set(threads)
        return {}

    def mark_unread(self, asked: Asked) -> dict[str, Any]:
        told = asked.inner("param")
        for each in [*told["convsUser"], *told["convsGroup"]]:
            asked.session.user.unread.add(str(each["id"]))
        return {"data": _json({"updateId": 1}), "status": 0}

    def unmark_unread(self, asked: Asked) -> dict[str, Any]:
        told = asked.inner("param")
        asked.session.user.unread -= {str(each) for each in [*told["convsUser"], *told["convsGroup"]]}
        return {"data": _json({"updateId": 2}), "status": 0}

    def by_phone(self, asked: Asked) -> dict[str, Any]:
        """Numbers are written with their country's code and without a plus sign."""
        asked.number("reqSrc")
        for user in self._world.users.values():
            if user.phone == asked.text("phone"):
                names = {"display_name": user.name, "zalo_name": user.name}
                return {"uid": user.id, "avatar": user.picture, "gender": 0, **names}
        raise Refused(216, "there is no such user")

    def qr(self, asked: Asked) -> dict[str, Any]:
        return {id_: f"https://qr-talk.zdn.vn/{id_}.jpg" for id_ in asked.ids("fids")}

    def _friend(self, asked: Asked) -> User:
        found = self._world.users.get(asked.text("fid"))
        if found is None:
            raise invalid("fid")
        return found

    def _versions(self, asked: Asked) -> list[User]:
        """The users of `<id>_<version>`; those that do not exist are left out."""
        ids = [each.partition("_")[0] for each in asked.ids("friend_pversion_map")]
        return [user for id_ in ids if (user := self._world.users.get(id_)) is not None]


def _push(user: User, act: str, data: str) -> None:
    """`data`: a user's id, or JSON."""
    user.push(Command.CONTROLS, {"controls": [{"content": {"act_type": "fr", "act": act, "data": data}}]})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


CALLS = {
    Rule("GET", "profile", "/api/social/friend/getfriends"): People.friends,
    Rule("POST", "profile", "/api/social/friend/getprofiles/v2"): People.profiles,
    Rule("GET", "profile", "/api/social/group/members"): People.members,
    Rule("GET", "profile", "/api/social/profile/me-v2"): People.me,
    Rule("POST", "friend", "/api/friend/accept"): People.accept,
    Rule("POST", "friend", "/api/friend/reject"): People.reject,
    Rule("POST", "friend", "/api/friend/sendreq"): People.request,
    Rule("POST", "friend", "/api/friend/remove"): People.remove,
    Rule("POST", "friend", "/api/friend/block"): People.block,
    Rule("POST", "friend", "/api/friend/unblock"): People.unblock,
    Rule("POST", "profile", "/api/social/profile/setmute"): People.mute,
    Rule("POST", "conversation", "/api/pinconvers/updatev2"): People.pin,
    Rule("POST", "conversation", "/api/conv/addUnreadMark"): People.mark_unread,
    Rule("POST", "conversation", "/api/conv/removeUnreadMark"): People.unmark_unread,
    Rule("GET", "friend", "/api/friend/profile/get"): People.by_phone,
    Rule("POST", "friend", "/api/friend/mget-qr"): People.qr,
}

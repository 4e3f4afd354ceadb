"""Groups: who is in them, who may change them, and the controls by which members learn of changes."""

import hashlib
import os
from typing import Any

import msgspec

from unifyport.protocols.zalo_frames import Command

from .calls import Asked, Rule
from .world import Group, Refused, User, World, invalid

NOT_A_MEMBER, NOT_ALLOWED, NOT_WAITING = 165, 166, 170

_SETTINGS = (
    *("blockName", "signAdminMsg", "setTopicOnly", "enableMsgHistory", "joinAppr", "lockCreatePost"),
    *("lockCreatePoll", "lockSendMsg", "lockViewMember"),
)


class Groups:
    def __init__(self, world: World) -> None:
        self._world = world

    # -- changes, by web clients and by orders ---------------------------------------------------------------

    def add(self, group: Group, users: list[User], by: User) -> None:
        added = [user for user in users if user not in group.members]
        group.members += added
        group.waiting = [user for user in group.waiting if user not in added]
        if added:
            self.tell(group, "join", by, added)

    def remove(self, group: Group, users: list[User], by: User) -> None:
        """The removed members are told, too. A user who removes only themselves leaves."""
        removed = [user for user in users if user in group.members]
        if not removed:
            return
        told = list(group.members)
        group.members = [member for member in group.members if member not in removed]
        group.admins -= set(removed)
        self.tell(group, "leave" if removed == [by] else "remove_member", by, removed, told)

    def rename(self, group: Group, name: str, by: User) -> None:
        group.name = name
        self.tell(group, "update", by, [])

    def promote(self, group: Group, users: list[User], by: User, *, admin: bool) -> None:
        if admin:
            group.admins |= set(users)
        else:
            group.admins -= set(users)
        self.tell(group, "add_admin" if admin else "remove_admin", by, users)

    def ask_to_join(self, group: Group, user: User) -> None:
        """The administrators are told."""
        if user not in group.waiting:
            group.waiting.append(user)
        data = {"uids": [user.id], "totalPending": len(group.waiting), "groupId": group.id}
        data["time"] = str(self._world.now())
        for member in group.members:
            if group.may_administer(member):
                self._push(member, "join_request", data)

    def enable_link(self, group: Group, by: User) -> None:
        group.link = f"https://zalo.me/g/{os.urandom(4).hex()}"
        self.tell(group, "new_link", by, [])

    def tell(
        self, group: Group, act: str, by: User, users: list[User], told: list[User] | None = None
    ) -> None:
        group.version += 1
        members = [
            {"id": user.id, "dName": user.name, "avatar": user.picture, "type": 1, "avatar_25": ""}
            for user in users
        ]
        data = {
            "subType": 1,
            "groupId": group.id,
            "creatorId": group.owner.id,
            "groupName": group.name,
            "sourceId": by.id,
            "updateMembers": members,
            "time": str(self._world.now()),
            "version": str(group.version),
            "groupType": 1,
        }
        for member in told or group.members:
            self._push(member, act, data)
            if act == "join" and any(user is member for user in users):
                self._push(member, "join_reject", data)  # Zalo tells both

    def _push(self, user: User, act: str, data: dict[str, Any]) -> None:
        content = {"act_type": "group", "act": act, "data": msgspec.json.encode(data).decode()}
        user.push(Command.CONTROLS, {"controls": [{"content": content}]})

    # -- requests --------------------------------------------------------------------------------------------

    def create(self, asked: Asked) -> dict[str, Any]:
        user = asked.session.user
        asked.number("clientId")
        members = self._users(asked)
        group = self._world.add_group(asked.text("gname"), user, members)
        self.tell(group, "join", user, members)
        ids = [member.id for member in members]
        return {
            "groupId": group.id,
            "groupType": 1,
            "sucessMembers": ids,
            "errorMembers": [],
            "error_data": {},
        }

    def versions(self, asked: Asked) -> dict[str, Any]:
        found = self._world.groups_of(asked.session.user)
        return {"version": "1", "gridVerMap": {group.id: str(group.version) for group in found}}

    def info(self, asked: Asked) -> dict[str, Any]:
        wanted = [self._world.groups.get(id_) for id_ in asked.inner("gridVerMap")]
        mine = [group for group in wanted if group is not None and asked.session.user in group.members]
        gone = [id_ for id_ in asked.inner("gridVerMap") if id_ not in {group.id for group in mine}]
        found = {group.id: group.described() for group in mine}
        return {"gridInfoMap": found, "removedsGroup": gone, "unchangedsGroup": []}

    def invite(self, asked: Asked) -> dict[str, Any]:
        self.add(self._group(asked), self._users(asked), asked.session.user)
        return {"errorMembers": [], "error_data": {}}

    def kick(self, asked: Asked) -> dict[str, Any]:
        group, users = self._group(asked, administered=True), self._users(asked)
        strangers = [user.id for user in users if user not in group.members]
        if len(strangers) == len(users):
            raise Refused(NOT_A_MEMBER, "not a member")
        self.remove(group, users, asked.session.user)
        return {"errorMembers": strangers}

    def add_admins(self, asked: Asked) -> dict[str, Any]:
        self.promote(self._owned(asked), self._users(asked), asked.session.user, admin=True)
        return {}

    def remove_admins(self, asked: Asked) -> dict[str, Any]:
        self.promote(self._owned(asked), self._users(asked), asked.session.user, admin=False)
        return {}

    def change_name(self, asked: Asked) -> dict[str, Any]:
        self.rename(self._group(asked), asked.text("gname"), asked.session.user)
        return {"status": 0}

    def change_picture(self, asked: Asked) -> str:
        """The file of the form is the picture; its name and type are not looked at."""
        group = self._group(asked)
        asked.number("avatarSize"), asked.number("originWidth"), asked.number("originHeight")
        if not asked.file or not asked.text("clientId").startswith(f"g{group.id}"):
            raise invalid("clientId")
        digest = hashlib.sha256(asked.file).hexdigest()
        group.picture = f"https://s120-ava-grp-talk.zadn.vn/{digest}.jpg"
        self.tell(group, "update_avatar", asked.session.user, [])
        return ""

    def leave(self, asked: Asked) -> dict[str, Any]:
        user = asked.session.user
        for id_ in asked.ids("grids"):
            group = self._world.groups.get(id_)
            if group is None or user not in group.members:
                raise Refused(NOT_A_MEMBER, "not a member")
            self.remove(group, [user], user)
        return {"memberError": []}

    def pending(self, asked: Asked) -> dict[str, Any]:
        group = self._group(asked, administered=True)
        found = [{"uid": user.id, "dpn": user.name, "avatar": user.picture} for user in group.waiting]
        return {"time": self._world.now(), "users": found}

    def review(self, asked: Asked) -> dict[str, Any]:
        group = self._group(asked, administered=True)
        answer = {}
        for user in self._users(asked):
            if user not in group.waiting:
                answer[user.id] = NOT_WAITING
                continue
            group.waiting.remove(user)
            answer[user.id] = 0
            if asked.number("isApprove"):
                self.add(group, [user], asked.session.user)
        return answer

    def settings(self, asked: Asked) -> dict[str, Any]:
        group = self._group(asked, administered=True)
        if asked.fields.get("blocked_members") != []:
            raise invalid("blocked_members")
        group.setting |= {name: asked.number(name) for name in _SETTINGS}
        self.tell(group, "update_setting", asked.session.user, [])
        return {}

    def link(self, asked: Asked) -> dict[str, Any]:
        """Without one, `link` is missing."""
        group = self._group(asked)
        if not group.link:
            return {"enabled": 0, "expiration_date": 0}
        return {"enabled": 1, "expiration_date": -1, "link": group.link}

    def new_link(self, asked: Asked) -> dict[str, Any]:
        group = self._group(asked, administered=True)
        self.enable_link(group, asked.session.user)
        return self.link(asked)

    def _group(self, asked: Asked, *, administered: bool = False) -> Group:
        group = self._world.groups.get(asked.text("grid"))
        if group is None:
            raise invalid("grid")
        if asked.session.user not in group.members:
            raise Refused(NOT_A_MEMBER, "not a member")
        if administered and not group.may_administer(asked.session.user):
            raise Refused(NOT_ALLOWED, "not allowed")
        return group

    def _owned(self, asked: Asked) -> Group:
        group = self._group(asked)
        if group.owner is not asked.session.user:
            raise Refused(NOT_ALLOWED, "not allowed")
        return group

    def _users(self, asked: Asked) -> list[User]:
        found = [self._world.users.get(id_) for id_ in asked.ids("members")]
        if any(user is None for user in found):
            raise invalid("members")
        return [user for user in found if user is not None]


CALLS = {
    Rule("UPLOAD", "group", "/api/group/create/v2"): Groups.create,
    Rule("GET", "group_poll", "/api/group/getlg/v4"): Groups.versions,
    Rule("POST", "group", "/api/group/getmg-v2"): Groups.info,
    Rule("POST", "group", "/api/group/invite/v2"): Groups.invite,
    Rule("POST", "group", "/api/group/kickout"): Groups.kick,
    Rule("GET", "group", "/api/group/admins/add"): Groups.add_admins,
    Rule("GET", "group", "/api/group/admins/remove"): Groups.remove_admins,
    Rule("POST", "group", "/api/group/updateinfo"): Groups.change_name,
    Rule("UPLOAD", "file", "/api/group/upavatar"): Groups.change_picture,
    Rule("POST", "group", "/api/group/leave"): Groups.leave,
    Rule("GET", "group", "/api/group/setting/update"): Groups.settings,
    Rule("GET", "group", "/api/group/link/detail"): Groups.link,
    Rule("GET", "group", "/api/group/link/new"): Groups.new_link,
    Rule("GET", "group", "/api/group/pending-mems/list"): Groups.pending,
    Rule("GET", "group", "/api/group/pending-mems/review"): Groups.review,
}

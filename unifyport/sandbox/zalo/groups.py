"""Groups of the played Official Account API (GMF)."""

from collections.abc import Callable
from typing import Any

import attrs


class OfficialError(Exception):
    """`{"error", "message"}` with HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@attrs.define(eq=False)
class Group:
    id: str
    name: str = "Group"
    description: str = ""
    members: set[str] = attrs.field(factory=set)
    admins: set[str] = attrs.field(factory=set)
    waiting: set[str] = attrs.field(factory=set)
    join_appr: bool = False

    def described(self) -> dict[str, Any]:
        return {
            "group_id": self.id,
            "name": self.name,
            "avatar": "",
            "group_link": f"https://zalo.me/g/{self.id}",
            "group_description": self.description,
            "total_member": len(self.members),
        }


Groups = dict[str, Group]


def _group(groups: Groups, told: dict[str, Any]) -> Group:
    if told.get("group_id") not in groups:
        raise OfficialError(-201, "group_id is invalid")
    return groups[told["group_id"]]


def _get(groups: Groups, told: dict[str, Any]) -> dict[str, Any]:
    group = _group(groups, told)
    return {"group_info": group.described(), "group_setting": {"join_appr": group.join_appr}}


def _page(found: list[Any], told: dict[str, Any], name: str) -> dict[str, Any]:
    offset, count = int(told.get("offset", 0)), int(told.get("count", 5))
    if not 0 < count <= 50:
        raise OfficialError(-201, "count is invalid")
    return {name: found[offset : offset + count], "total": len(found)}


def _list(groups: Groups, told: dict[str, Any]) -> dict[str, Any]:
    return _page([group.described() for group in groups.values()], told, "groups")


def _people(field: str) -> Callable[[Groups, dict[str, Any]], dict[str, Any]]:
    def people(groups: Groups, told: dict[str, Any]) -> dict[str, Any]:
        ids = sorted(getattr(_group(groups, told), field))
        return _page([{"user_id": id_, "name": f"Customer {id_}"} for id_ in ids], told, "members")

    return people


def _move(source: str | None, target: str | None) -> Callable[[Groups, dict[str, Any]], dict[str, Any]]:
    """Take members out of one of a group's sets and put them into another."""

    def move(groups: Groups, told: dict[str, Any]) -> dict[str, Any]:
        group, ids = _group(groups, told), set(told["member_user_ids"])
        if source is not None and not ids <= getattr(group, source):
            raise OfficialError(-201, "member_user_ids is invalid")
        if source is not None:
            getattr(group, source).difference_update(ids)
        if target is not None:
            getattr(group, target).update(ids)
        return {}

    return move


def _update(groups: Groups, told: dict[str, Any]) -> dict[str, Any]:
    group = _group(groups, told)
    group.name = told.get("group_name", group.name)
    group.description = told.get("group_description", group.description)
    group.join_appr = told.get("join_appr", group.join_appr)
    return group.described()


GROUP_CALLS: dict[str, Callable[[Groups, dict[str, Any]], Any]] = {
    "group/getgroup": _get,
    "group/getgroupsofoa": _list,
    "group/listmember": _people("members"),
    "group/listpendinginvite": _people("waiting"),
    "group/invite": _move(None, "members"),
    "group/removemembers": _move("members", None),
    "group/addadmins": _move(None, "admins"),
    "group/removeadmins": _move("admins", None),
    "group/acceptpendinginvite": _move("waiting", "members"),
    "group/rejectpendinginvite": _move("waiting", None),
    "group/updateinfo": _update,
}

"""The commands and look-ups about groups, and the list of blocked contacts."""

from typing import Literal

from unifyport.model import directory
from unifyport.model.times import rfc3339
from unifyport.protocols.binary_node import LID, PHONE, Jid, MalformedNode, Node
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
)
from unifyport.providers.contract.errors import Rejected, Transient

from . import groups, people
from .addresses import phone_of, read_jid, read_recipient
from .link import DeviceLink
from .records import Draft
from .requests import children
from .stanzas import time_of

PICTURES = "w:profile:picture"  # the namespace of requests
_INVITE_URL = "https://chat.whatsapp.com/"


class GroupCalls:
    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self._ask = link.requests.ask

    # -- look-ups -------------------------------------------------------------------------------------------

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        answer = await self._ask(groups.GROUPS, "get", groups.ask_for_groups(), to=groups.SERVER)
        found = []
        for node in children(answer, "groups"):
            try:
                found.append(groups.read_group(node))
            except MalformedNode:
                continue
        ordered = sorted(found, key=lambda info: str(info.id))
        rest = [info for info in ordered if after is None or str(info.id) > after]
        page = rest[:limit]
        following = str(page[-1].id) if len(rest) > limit else None
        return directory.Page([info.summary() for info in page], following)

    async def get(self, group_id: str) -> directory.Group:
        return (await self._link.groups.refresh(_group(group_id))).summary()

    async def list_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        chat = _jid(conversation_id, CONVERSATION_NOT_FOUND)
        if not chat.is_group:
            who = await people.person(Draft(self._link.records), chat)
            member = directory.ConversationMember(peer_id=str(who.id), display_name="", role="member")
            return directory.Page([member])
        try:
            members = (await self._link.groups.refresh(chat)).people()
        except Rejected as refused:
            if refused.reason == GROUP_NOT_FOUND:
                raise Rejected(CONVERSATION_NOT_FOUND) from None
            raise
        start = int(after) if after is not None and after.isdigit() else 0
        page = members[start : start + limit]
        more = start + limit < len(members)
        return directory.Page(page, str(start + limit) if more else None)

    async def list_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        answer = await self._group_ask(group_id, "get", Node("membership_approval_requests"))
        found = []
        for node in children(answer, "membership_approval_requests"):
            jid = read_jid(node.get("jid"))
            if jid is None:
                continue
            phone = jid if jid.server == PHONE else read_jid(node.get("phone_number"))
            at = time_of(node, "request_time")
            found.append(
                directory.GroupJoinRequest(
                    id=str(jid),
                    phone=phone_of(phone) or None,
                    lid=str(jid) if jid.server == LID else None,
                    requested_at=rfc3339(at) if at else None,
                )
            )
        return found

    async def invite_code(self, group_id: str) -> directory.GroupInviteCode:
        answer = await self._group_ask(group_id, "get", Node("invite"))
        invite = answer.child("invite")
        code = invite.get("code") if invite is not None else ""
        if not code:
            raise Transient("malformed_answer")
        return directory.GroupInviteCode(invite_url=_INVITE_URL + code, invite_code=code)

    async def blocklist(self) -> directory.ContactBlocklist:
        answer = await self._ask("blocklist", "get")
        found = answer.child("list")
        ids = [item.get("jid") for item in (found.children if found is not None else ())]
        hash_ = found.get("dhash") if found is not None else ""
        return directory.ContactBlocklist(blocklist=[id_ for id_ in ids if id_], dhash=hash_ or None)

    # -- commands -------------------------------------------------------------------------------------------

    async def create(self, name: str, members: list[str]) -> str:
        people_ = [_jid(member, CONTACT_NOT_FOUND) for member in members]
        answer = await self._ask(groups.GROUPS, "set", groups.create(name, people_), to=groups.SERVER)
        try:
            info = groups.read_group(groups.first_group(answer))
        except MalformedNode:
            raise Transient("malformed_answer", maybe_applied=True) from None
        return str(info.id)

    async def leave(self, group_id: str) -> None:
        group = _group(group_id)
        await self._ask(groups.GROUPS, "set", groups.leave(group), to=groups.SERVER, missing=GROUP_NOT_FOUND)
        self._link.groups.forget(group)

    async def change_member(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        member = await self._member(_group(group_id), _jid(member_id, CONTACT_NOT_FOUND))
        answer = await self._group_ask(group_id, "set", groups.change_members(action, [member]))
        if refused := groups.refused_members(answer, action):
            code = next(iter(refused.values()))
            reason = {403: "member_privacy", 404: CONTACT_NOT_FOUND, 409: "already_member"}.get(code)
            raise Rejected(
                reason or "refused", f"WhatsApp refused to {action} the member ({code})", code=code
            )
        self._link.groups.forget(_group(group_id))

    async def set_picture(self, group_id: str, picture: directory.Picture) -> None:
        """https://github.com/tulir/whatsmeow (`group.go`, `SetGroupPhoto`): a JPEG picture."""
        group = _group(group_id)
        if picture.mime_type != "image/jpeg":
            raise Rejected("picture_not_jpeg", "WhatsApp takes a JPEG picture, and no other")
        content = Node("picture", {"type": "image"}, picture.content)
        await self._ask(PICTURES, "set", content, target=str(group), missing=GROUP_NOT_FOUND)

    async def change_info(self, group_id: str, name: str | None, description: str | None) -> None:
        if name is not None:
            await self._group_ask(group_id, "set", groups.set_subject(name))
        if description is not None:
            info = await self._link.groups.refresh(_group(group_id))
            await self._group_ask(group_id, "set", groups.set_description(description, info.description_id))
        self._link.groups.forget(_group(group_id))

    async def decide(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        members = [_jid(member, CONTACT_NOT_FOUND) for member in member_ids]
        await self._group_ask(group_id, "set", groups.decide(action, members))

    async def set_approval(self, group_id: str, enabled: bool) -> None:
        await self._group_ask(group_id, "set", groups.set_approval(enabled))

    async def set_blocked(self, contact_id: str, blocked: bool) -> None:
        contact = _jid(contact_id, CONTACT_NOT_FOUND)
        action = "block" if blocked else "unblock"
        item = Node("item", {"action": action, "jid": str(contact)})
        await self._ask("blocklist", "set", item, missing=CONTACT_NOT_FOUND)

    async def _group_ask(self, group_id: str, kind: str, *content: Node) -> Node:
        return await self._ask(
            groups.GROUPS, kind, *content, to=str(_group(group_id)), missing=GROUP_NOT_FOUND
        )

    async def _member(self, group: Jid, person: Jid) -> Jid:
        """A person by the kind of id that the group uses."""
        info = await self._link.groups.get(group)
        who = await people.person(Draft(self._link.records), person)
        return (who.lid if info.by_lid else who.phone) or person


def _jid(text: str, missing: str) -> Jid:
    try:
        return read_recipient(text)
    except ValueError:
        raise Rejected(missing) from None


def _group(text: str) -> Jid:
    jid = _jid(text, GROUP_NOT_FOUND)
    if not jid.is_group:
        raise Rejected(GROUP_NOT_FOUND)
    return jid

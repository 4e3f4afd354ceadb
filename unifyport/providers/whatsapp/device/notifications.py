"""`<notification>` and `<call>` stanzas.

type             what becomes of it
-------------    ---------------------------------------------------------------------------------------
encrypt          few prekeys: upload now; an identity changed: end its sessions
devices          ask for that person's devices again
account_sync     the same for the account's own devices
newsletter       its messages, on request of the account (`posts.py`)
w:gp2            `group.updated`, `group.join_request`; the group is asked for again
privacy_token    a person's trusted-contact token
mediaretry       the answer of a phone that was asked to upload a file again
server_sync      settings of the account that this gateway does not keep
any other        `provider.event` under that name
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

from unifyport.model.inbound import (
    Conversation,
    GroupChanged,
    JoinRequested,
    PlatformEvent,
    ProviderEvent,
    dedupe_key,
)
from unifyport.protocols.binary_node import Jid, Node

from . import people
from .addresses import is_person, plain, read_jid
from .devices import Devices
from .group_cache import GroupCache
from .groups import changes_of, read_members
from .keys import DeviceKeys
from .outcomes import Outcome
from .posts import NEWSLETTERS, OnRequest, newsletter_events
from .prekeys import PreKeys
from .records import Draft
from .stanzas import ack, time_of
from .tokens import Tokens

_SILENT = frozenset({"server_sync", "link_code_companion_reg", "psa", "hosted", "server"})


class EndsSessions(Protocol):
    async def end_sessions(self, person: Jid) -> None:
        """A person's phone was set up anew: messages need new sessions, and groups our key again."""


class Notifications:
    def __init__(
        self,
        keys: DeviceKeys,
        *,
        devices: Devices,
        groups: GroupCache,
        prekeys: PreKeys,
        tokens: Tokens,
        sessions: EndsSessions,
        on_request: OnRequest,
        media_answer: Callable[[Node], None],
    ) -> None:
        self._keys = keys
        self._devices = devices
        self._groups = groups
        self._prekeys = prekeys
        self._tokens = tokens
        self._sessions = sessions
        self._on_request = on_request
        self._media_answer = media_answer

    async def read(self, draft: Draft, node: Node) -> Outcome:
        """Raises `MalformedNode`."""
        outcome = Outcome()
        handler = {
            "encrypt": self._encrypt,
            "devices": self._changed_devices,
            "account_sync": self._account,
            "w:gp2": self._group,
            "privacy_token": self._token,
            "mediaretry": self._media,
            "newsletter": self._newsletter,
        }.get(node.get("type"))
        if handler is not None:
            await handler(draft, node, outcome)
        elif node.get("type") not in _SILENT:
            outcome.events.append(await self._other(draft, node))
        outcome.replies.append(ack(node, self._keys.me))
        return outcome

    async def _encrypt(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        source = node.jid("from")
        count = node.child("count")
        if count is not None and (source is None or not source.user):
            if self._prekeys.told_count(count.number("value")):
                outcome.later.append(self._prekeys.keep_up)
        elif node.child("identity") is not None and source is not None and is_person(plain(source)):
            person = plain(source)
            if person.device == 0 and not self._keys.is_mine(person):
                outcome.later.append(functools.partial(self._sessions.end_sessions, person.bare))

    async def _changed_devices(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        person, lid = read_jid(node.get("from")), read_jid(node.get("lid"))
        for jid in (person, lid):
            if jid is not None:
                self._devices.forget(jid)
                other = await people.person(draft, jid)
                for each in (other.phone, other.lid):
                    if each is not None:
                        self._devices.forget(each)
        await people.learn(draft, person, lid)

    async def _account(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        if node.child("devices") is not None:
            for jid in (self._keys.me, self._keys.my_lid):
                if jid is not None:
                    self._devices.forget(jid)

    async def _token(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        person = read_jid(node.get("sender_lid")) or read_jid(node.get("from"))
        tokens = node.child("tokens")
        for token in tokens.children if tokens is not None else ():
            if person is not None and token.get("type") == "trusted_contact":
                await self._tokens.take(draft, person, token.bytes_of() or b"", token.number("t"))

    async def _media(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        self._media_answer(node)

    async def _newsletter(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        if self._on_request.allows(NEWSLETTERS):
            outcome.events += newsletter_events(node, self._keys.me.user)

    async def _group(self, draft: Draft, node: Node, outcome: Outcome) -> None:
        group = node.jid("from")
        if group is None or not group.is_group:
            return
        self._groups.forget(group)
        for child in node.children:
            for member in read_members(child):
                await people.learn(draft, member.jid, member.other)
        await people.learn(draft, read_jid(node.get("participant")), read_jid(node.get("participant_pn")))
        actor = read_jid(node.get("participant"))
        who = await people.person(draft, actor) if actor is not None and is_person(actor) else None
        info = self._groups.peek(group)
        chat = Conversation(str(group), "group", info.subject if info is not None else "")
        at = time_of(node)
        key = dedupe_key("whatsapp", self._keys.me.user, "group", str(group), node.get("id"))
        changes = await self._with_people(draft, changes_of(node))
        request = node.child("created_membership_requests") or node.child("membership_approval_request")
        if changes:
            outcome.events.append(GroupChanged(key, chat, str(who.id) if who else "", changes, at))
        elif request is not None and who is not None:
            method = request.get("request_method")[:64]
            outcome.events.append(JoinRequested(key, chat, str(who.id), method, at))
        else:
            name = node.children[0].tag if node.children else "changed"
            sender = who.sender(node.get("notify")[:256]) if who is not None else None
            outcome.events.append(PlatformEvent(key, f"group_{name}"[:64], at, chat, sender))

    async def _with_people(self, draft: Draft, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Changes whose members are named as senders are in events."""
        for change in changes:
            if "member_ids" in change:
                jids = [Jid.parse(id_) for id_ in change["member_ids"]]
                change["member_ids"] = [
                    str((await people.person(draft, jid)).id) if is_person(jid) else str(jid) for jid in jids
                ]
        return changes

    async def _other(self, draft: Draft, node: Node) -> ProviderEvent:
        kind = node.get("type")[:64] or "notification"
        key = dedupe_key("whatsapp", self._keys.me.user, "notification", kind, node.get("id"))
        event = PlatformEvent(key, kind.replace(":", "_"), time_of(node) or None)
        person = read_jid(node.get("from"))
        if person is not None and person.user and is_person(person):
            found = await people.person(draft, person)
            event.conversation, event.sender = found.conversation(), found.sender()
        changed = [child.tag[:64] for child in node.children[:8]]
        event.details = {"changes": changed} if changed else {}
        return event

    async def call(self, draft: Draft, node: Node) -> Outcome:
        """An incoming call, and how it went on. Raises `MalformedNode`."""
        outcome = Outcome(replies=[ack(node, self._keys.me)])
        source = read_jid(node.get("from"))
        if source is None or not node.children:
            return outcome
        child = node.children[0]
        creator = read_jid(child.get("call-creator")) or source
        if is_person(creator):
            await people.learn(draft, creator, read_jid(child.get("caller_pn")))
            who = await people.person(draft, creator)
            call_id = child.get("call-id")[:128]
            key = dedupe_key("whatsapp", self._keys.me.user, "call", call_id, child.tag, node.get("id"))
            event = PlatformEvent(key, "call", time_of(node) or None, who.conversation(), who.sender())
            video = child.child("video") is not None
            event.details = {"call_id": call_id, "state": child.tag, "video": video}
            outcome.events.append(event)
        return outcome

"""What is known of groups: asked for once, kept in memory, and changed or dropped by notifications."""

from collections import OrderedDict

from unifyport.protocols.binary_node import Jid, MalformedNode
from unifyport.providers.contract.capabilities import GROUP_NOT_FOUND
from unifyport.providers.contract.errors import Rejected, Transient

from . import people
from .groups import GROUPS, GroupInfo, ask_for_group, first_group, read_group
from .records import Draft, Records
from .requests import Requests

_KEPT = 256


class GroupCache:
    def __init__(self, records: Records, requests: Requests) -> None:
        self._records = records
        self._requests = requests
        self._known: OrderedDict[Jid, GroupInfo] = OrderedDict()

    async def get(self, group: Jid) -> GroupInfo:
        """Raises `Rejected(GROUP_NOT_FOUND)`, `Rejected("not_a_member")` and `Transient`."""
        known = self._known.get(group)
        if known is None:
            return await self.refresh(group)
        self._known.move_to_end(group)
        return known

    async def refresh(self, group: Jid) -> GroupInfo:
        try:
            answer = await self._requests.ask(
                GROUPS, "get", ask_for_group(), to=str(group), missing=GROUP_NOT_FOUND
            )
            info = read_group(first_group(answer))
        except Rejected as refused:
            if refused.reason in ("not_allowed", "not_authorized"):
                raise Rejected("not_a_member", "the account is not a member of this group") from None
            raise
        except MalformedNode:
            raise Transient("malformed_answer") from None
        await self.take(info)
        return info

    async def take(self, info: GroupInfo) -> None:
        """A group as the platform has just described it."""
        self._known[info.id] = info
        self._known.move_to_end(info.id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        async with self._records.lock:
            draft = Draft(self._records)
            for member in info.members:
                await people.learn(draft, member.jid, member.other)
            if draft.changes:
                await self._records.commit(draft.changes)

    def peek(self, group: Jid) -> GroupInfo | None:
        """What is known without asking."""
        return self._known.get(group)

    def forget(self, group: Jid) -> None:
        self._known.pop(group, None)

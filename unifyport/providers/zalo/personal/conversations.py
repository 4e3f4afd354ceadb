"""The account's own view of its conversations, and its contacts.

Zalo has no list of conversations: it is made of the groups and the friends, by their ids. A page's cursor is
the last id of the page before.
"""

from unifyport.model import directory
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    BlocksContacts,
    ListsContacts,
    ListsConversationMembers,
    ListsConversations,
    MarksUnread,
    MutesConversations,
    PinsConversations,
    ReadsContacts,
    ReadsConversations,
    UnblocksContacts,
    UnmutesConversations,
    UnpinsConversations,
)
from unifyport.providers.contract.errors import Rejected

from . import lists, lookups, requests
from .lists import HasSends, check
from .people import is_group


class Conversations(
    ListsConversations,
    ReadsConversations,
    ListsConversationMembers,
    MarksUnread,
    MutesConversations,
    UnmutesConversations,
    PinsConversations,
    UnpinsConversations,
    ListsContacts,
    ReadsContacts,
    BlocksContacts,
    UnblocksContacts,
    HasSends,
):
    # -- conversations --------------------------------------------------------------------------------------

    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        if label_id is not None:
            raise Rejected("no_labels", "conversations of Zalo have no labels here")
        sends = await self._sends()
        groups = await lists.group_ids(sends) if not types or "group" in types else []
        friends = await lists.friends(sends) if not types or "user" in types else {}
        page, following = lists.page(sorted([*friends, *groups]), after, limit)
        known = await lists.groups(sends, [id_ for id_ in page if is_group(id_)])
        shown = [
            lists.conversation_of_user(friends[id_])
            if id_ in friends
            else lists.conversation_of_group(known[id_])
            for id_ in page
            if id_ in friends or id_ in known
        ]
        return directory.Page(shown, following)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        if is_group(conversation_id):
            group = await lists.group(sends, conversation_id, CONVERSATION_NOT_FOUND)
            return lists.conversation_of_group(group)
        return lists.conversation_of_user(await lists.user(sends, conversation_id, CONVERSATION_NOT_FOUND))

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        if not is_group(conversation_id):
            user = await lists.user(sends, conversation_id, CONVERSATION_NOT_FOUND)
            return directory.Page(
                [directory.ConversationMember(user.id, user.name, user.avatar, role="member")]
            )
        group = await lists.group(sends, conversation_id, CONVERSATION_NOT_FOUND)
        page, following = lists.page(sorted(group.member_ids), after, limit)
        names = await lists.members(sends, page)
        members = [
            directory.ConversationMember(
                id_,
                names[id_].name if id_ in names else "",
                names[id_].avatar if id_ in names else "",
                role=group.role_of(id_),
            )
            for id_ in page
        ]
        return directory.Page(members, following)

    async def mark_conversation_unread(self, conversation_id: str) -> None:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        await sends.change(lookups.unread_call(sends.session, conversation_id, sends.now_ms()))

    async def mute_conversation(self, conversation_id: str, until: int | None) -> None:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        now = sends.now_ms() // 1000
        seconds = -1 if until is None else max(until - now, 1)
        await sends.change(requests.mute_call(sends.session, conversation_id, seconds=seconds, now=now))

    async def unmute_conversation(self, conversation_id: str) -> None:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        now = sends.now_ms() // 1000
        await sends.change(requests.mute_call(sends.session, conversation_id, seconds=None, now=now))

    async def pin_conversation(self, conversation_id: str) -> None:
        await self._pin(conversation_id, pinned=True)

    async def unpin_conversation(self, conversation_id: str) -> None:
        await self._pin(conversation_id, pinned=False)

    async def _pin(self, conversation_id: str, *, pinned: bool) -> None:
        sends = await self._sends()
        check(conversation_id, CONVERSATION_NOT_FOUND)
        await sends.change(requests.pin_call(sends.session, conversation_id, pinned=pinned))

    # -- contacts -------------------------------------------------------------------------------------------

    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """The friends."""
        wanted = (q or "").casefold()
        friends = await lists.friends(await self._sends())
        ids = sorted(id_ for id_, user in friends.items() if wanted in user.name.casefold())
        page, following = lists.page(ids, after, limit)
        return directory.Page([lists.contact(friends[id_]) for id_ in page], following)

    async def get_contact(self, contact_id: str) -> directory.Contact:
        sends = await self._sends()
        check(contact_id, CONTACT_NOT_FOUND, group=False)
        return lists.contact(await lists.user(sends, contact_id, CONTACT_NOT_FOUND))

    async def block_contact(self, contact_id: str) -> None:
        await self._block(contact_id, blocked=True)

    async def unblock_contact(self, contact_id: str) -> None:
        await self._block(contact_id, blocked=False)

    async def _block(self, contact_id: str, *, blocked: bool) -> None:
        sends = await self._sends()
        check(contact_id, CONTACT_NOT_FOUND, group=False)
        await sends.change(requests.block_call(sends.session, contact_id, blocked=blocked))

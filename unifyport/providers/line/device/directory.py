"""The commands and look-ups about chats, contacts and groups."""

from unifyport.model import directory
from unifyport.model.times import rfc3339
from unifyport.providers.contract.capabilities import (
    CONTACT_NOT_FOUND,
    CONVERSATION_NOT_FOUND,
    GROUP_NOT_FOUND,
)
from unifyport.providers.contract.errors import Rejected

from . import call_structures as of
from . import structures as line
from .chats import id_of, name_of, picture_of, time_of
from .echoes import Echoes
from .people import AT_A_TIME, FOUND_BY_USER, People, shown_name
from .talk import Talk

MOST_LOOKED_UP = 1000  # contacts, for one page of those whose name has a word
_MISSING = ("not_found", "invalid_argument", "invalid_recipient", "not_a_member")


class Directory:
    """Look-ups of one connection. `picture_url`: where profile pictures are."""

    def __init__(self, talk: Talk, people: People, echoes: Echoes, picture_url: str) -> None:
        self._talk = talk
        self._people = people
        self._echoes = echoes
        self._picture_url = picture_url

    # -- contacts -------------------------------------------------------------------------------------------

    async def list_contacts(
        self, q: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """Contacts by their mid. `q`: a part of a name, in any case.

        At most `MOST_LOOKED_UP` contacts are looked up at a time: a page can be short with more to come.
        """
        mids = sorted(await self._talk.read("getAllContactIds", of.ReasonArguments(FOUND_BY_USER)))
        blocked = set(await self._blocked())
        rest = [mid for mid in mids if after is None or mid > after]
        found: list[directory.Contact] = []
        looked_up = rest[:MOST_LOOKED_UP]
        for start in range(0, len(looked_up), AT_A_TIME):
            part = looked_up[start : start + AT_A_TIME]
            answer = await self._talk.read("getContacts", of.ContactsArguments(tuple(part)))
            known = {one.mid: self._contact(one, blocked) for one in answer}
            shown = [known[mid] for mid in part if mid in known]
            found += [one for one in shown if q is None or q.casefold() in one.display_name.casefold()]
            if len(found) > limit:
                return directory.Page(found[:limit], found[limit - 1].id)
        return directory.Page(found, looked_up[-1] if len(rest) > len(looked_up) else None)

    async def get_contact(self, contact_id: str) -> directory.Contact:
        mid = _mid(contact_id, CONTACT_NOT_FOUND, "u")
        try:
            found = await self._talk.read("getContact", of.ContactArguments(mid))
        except Rejected as refused:
            raise _missing(refused, CONTACT_NOT_FOUND) from None
        return self._contact(found, set(await self._blocked()))

    async def blocklist(self) -> directory.ContactBlocklist:
        return directory.ContactBlocklist(sorted(await self._blocked()))

    async def set_blocked(self, contact_id: str, blocked: bool) -> None:
        mid = _mid(contact_id, CONTACT_NOT_FOUND, "u")
        number = await self._echoes.number()
        try:
            await self._talk.write(
                "blockContact" if blocked else "unblockContact", of.BlockContactArguments(number, mid)
            )
        except Rejected as refused:
            raise _missing(refused, CONTACT_NOT_FOUND) from None

    async def _blocked(self) -> tuple[str, ...]:
        found: tuple[str, ...] = await self._talk.read(
            "getBlockedContactIds", of.ReasonArguments(FOUND_BY_USER)
        )
        return found

    def _contact(self, contact: line.Contact, blocked: set[str]) -> directory.Contact:
        mid = contact.mid or ""
        return directory.Contact(
            id=mid,
            conversation_id=mid,
            display_name=shown_name(contact),
            provider_user_id=mid,
            avatar_url=picture_of(contact.picture_path, self._picture_url),
            is_blocked=mid in blocked,
            extra={"status_message": name_of(contact.status_message)} if contact.status_message else None,
        )

    # -- groups ---------------------------------------------------------------------------------------------

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        arguments = of.GetAllChatMidsArguments(of.GetAllChatMidsRequest(), FOUND_BY_USER)
        known = await self._talk.read("getAllChatMids", arguments)
        mids = sorted(mid for mid in known.members or () if after is None or mid > after)
        page = mids[:limit]
        groups = [self._group(chat) for chat in await self._chats(page)]
        return directory.Page(groups, page[-1] if len(mids) > limit else None)

    async def get_group(self, group_id: str) -> directory.Group:
        return self._group(await self._chat(_mid(group_id, GROUP_NOT_FOUND, "cr"), GROUP_NOT_FOUND))

    async def list_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        mid = _mid(conversation_id, CONVERSATION_NOT_FOUND, "ucr")
        if mid.startswith("u"):
            names = await self._people.names_of([mid])
            return directory.Page([directory.ConversationMember(mid, names.get(mid, ""), role="member")])
        chat = await self._chat(mid, CONVERSATION_NOT_FOUND)
        group = chat.extra.group if chat.extra is not None else None
        members = dict(group.members or {}) if group is not None else {}
        owner = group.creator if group is not None else None
        mids = sorted(one for one in members if after is None or one > after)
        page = mids[:limit]
        names = await self._people.names_of(page)
        shown = [
            directory.ConversationMember(
                one,
                names.get(one, ""),
                role="owner" if one == owner else "member",
                joined_at=_time(members[one]),
            )
            for one in page
        ]
        return directory.Page(shown, page[-1] if len(mids) > limit else None)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        mid = _mid(conversation_id, CONVERSATION_NOT_FOUND, "ucr")
        if mid.startswith("u"):
            try:
                found = await self._talk.read("getContact", of.ContactArguments(mid))
            except Rejected as refused:
                raise _missing(refused, CONVERSATION_NOT_FOUND) from None
            picture = picture_of(found.picture_path, self._picture_url)
            return directory.Conversation(mid, "user", shown_name(found), picture)
        chat = await self._chat(mid, CONVERSATION_NOT_FOUND)
        group = self._group(chat)
        return directory.Conversation(
            mid,
            "group",
            group.name,
            group.avatar_url,
            is_muted=bool(chat.muted),
            created_at=group.created_at,
            members_count=group.member_count,
        )

    async def _chats(self, mids: list[str]) -> tuple[line.Chat, ...]:
        if not mids:
            return ()
        arguments = of.GetChatsArguments(of.GetChatsRequest(tuple(mids)), FOUND_BY_USER)
        found = await self._talk.read("getChats", arguments)
        return found.chats or ()

    async def _chat(self, mid: str, missing: str) -> line.Chat:
        try:
            found = await self._chats([mid])
        except Rejected as refused:
            raise _missing(refused, missing) from None
        if not found:
            raise Rejected(missing)
        return found[0]

    def _group(self, chat: line.Chat) -> directory.Group:
        mid = chat.mid or ""
        group = chat.extra.group if chat.extra is not None else None
        members = len(group.members) if group is not None and group.members else None
        return directory.Group(
            id=mid,
            conversation_id=mid,
            name=name_of(chat.name),
            avatar_url=picture_of(chat.picture_path, self._picture_url),
            created_at=_time(chat.created),
            member_count=members,
        )


def _time(value: int | None) -> str | None:
    """A time of the platform (unix ms); None where there is none."""
    at = time_of(value)
    return rfc3339(at) if at else None


def _mid(text: str, missing: str, prefixes: str) -> str:
    """Raises `Rejected(missing)`."""
    try:
        mid = id_of(text)
    except ValueError:
        raise Rejected(missing) from None
    if mid[0] not in prefixes:
        raise Rejected(missing)
    return mid


def _missing(refused: Rejected, reason: str) -> Rejected:
    return Rejected(reason, code=refused.code) if refused.reason in _MISSING else refused

"""Which conversations have ever been encrypted: nothing goes to them by the older calls, which are not.

A mark is made by the first message or change of a key that X gives of a conversation, whether it can be read
or not, and is durable with it. Beyond `MOST` conversations one mark stands for all of them: then the account
writes nothing without encryption. What was there before the account came is asked for before the first
message without encryption.

record                            holds
------------------------------    ---------------------------------------------
("encrypted", conversation)       a mark; the name is that of `xchat/ids.py`
("encrypted", b"*")               there are too many to tell: all are encrypted
"""

from collections.abc import Iterable
from typing import Final

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.session import Session
from unifyport.providers.recent import Recent
from unifyport.providers.records import scan_all

from ..xchat.heads import Head, Unreadable, read_item
from ..xchat.ids import conversation_of
from .errors import NOT_FOUND
from .shapes import ConversationPage
from .transport import NEWEST, WebTransport

ENCRYPTED: Final = "encrypted"
MOST: Final = 10_000
_ALL: Final = "*"
_REMEMBERED: Final = 2048


class Encrypted:
    """The marks of one account. `me`: the id of its user. `load` comes first."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._marks: set[str] = set()
        self._asked: Recent[str, bool] = Recent(_REMEMBERED)

    async def load(self, session: Session) -> None:
        self._marks = {key.decode() for key, _ in await scan_all(session, ENCRYPTED)}

    def __contains__(self, conversation: str) -> bool:
        return conversation in self._marks or _ALL in self._marks

    async def is_known(self, conversation: str, transport: WebTransport, session: Session) -> bool:
        """Whether a conversation is marked, or X has an encrypted event of it; X is asked once, if at all.

        Raises failure classes: of any other refusal than that there is no such conversation nobody knows
        what it hides.
        """
        if conversation in self or self._asked.get(conversation):
            return conversation in self
        try:
            page = await transport.page(conversation, NEWEST)
        except Rejected as refused:
            if refused.reason not in (CONVERSATION_NOT_FOUND, NOT_FOUND):
                raise
            page = ConversationPage()
        events = [*page.encoded_message_events, *page.missing_conversation_key_change_events]
        if marks := self.mark(events):
            await session.commit(marks)
        self._asked.put(conversation, True)
        return conversation in self

    def mark(self, encoded: Iterable[str]) -> list[SessionChange]:
        """Remember the conversations of encoded events. Returns the new marks, to be committed with the
        events; a caller that does not commit them must call `load` before the next events.
        """
        found: list[SessionChange] = []
        for each in encoded:
            conversation = self._conversation(each)
            if conversation is None or conversation in self:
                continue
            name = conversation if len(self._marks) < MOST else _ALL
            self._marks.add(name)
            found.append(SessionChange(ENCRYPTED, name.encode(), b"1"))
        return found

    def _conversation(self, encoded: str) -> str | None:
        try:
            head = read_item(encoded, self._me).head
        except Unreadable:
            return None
        return conversation_of(self._me, head.conversation) if _is_encrypted(head) else None


def _is_encrypted(head: Head) -> bool:
    return head.kind == "key_change" or (head.kind == "message" and head.version is not None)

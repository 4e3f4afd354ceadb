"""What later calls need of an event, and no receiver may see: reply tokens, read tokens, quote tokens; and
who has blocked the account. Records of the session, which are committed with the event.

    name                    key                value
    line.reply              conversation id    the newest reply token, its time, whether it came again
    line.read               conversation id    the read token of the newest message
    line.message.<period>   message id         its quote token and its read token
    line.gone               conversation id    when the user blocked the account, or it was put out of a group
    line.back               conversation id    when it became a friend, or a member, again

A reply token answers one event, once, and within about a minute
(https://developers.line.biz/en/reference/messaging-api/#send-reply-message). Quote and read tokens do not
expire; they are kept for two to three periods of 30 days, and a message that is older cannot be quoted.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator

import msgspec

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import MAX_KEY, MAX_PAGE, Session

from .shapes import Head, MessageHead

REPLY, READ, MESSAGE = "line.reply", "line.read", "line.message"
GONE, BACK = "line.gone", "line.back"
_PRESENCE = {"unfollow": GONE, "leave": GONE, "follow": BACK, "join": BACK}  # by type of event
FRESH_MS = 50_000
PERIOD_MS = 30 * 86_400_000
KEPT_PERIODS = 3
_FORGOTTEN_PERIODS = 24  # before those that are kept: after two years away nothing older is left
_LONGEST = 8192  # bytes of a record; LINE's tokens have some hundred characters
_MOST_USED = 10_000  # reply tokens that are remembered as used


class ReplyToken(msgspec.Struct, array_like=True):
    """`at`: when its event happened, by LINE's clock; of a redelivery that says nothing about its age."""

    token: str
    at: int
    redelivered: bool = False


class MessageTokens(msgspec.Struct, array_like=True):
    quote: str = ""
    read: str = ""


def state_of(head: Head, conversation_id: str, message: MessageHead | None) -> list[SessionChange]:
    """The records that an event makes."""
    return [
        change
        for change in _changes(head, conversation_id, message)
        if len(change.key) <= MAX_KEY and change.value is not None and len(change.value) <= _LONGEST
    ]


def _changes(head: Head, conversation_id: str, message: MessageHead | None) -> Iterator[SessionChange]:
    if head.reply_token:
        token = ReplyToken(head.reply_token, head.timestamp, head.delivery_context.is_redelivery)
        yield _change(REPLY, conversation_id, token)
    if head.type in _PRESENCE:
        yield _change(_PRESENCE[head.type], conversation_id, head.timestamp)
    if message is None:
        return
    if message.mark_as_read_token:
        yield _change(READ, conversation_id, message.mark_as_read_token)
    if message.mark_as_read_token or message.quote_token:
        yield message_record(
            message.id, head.timestamp, MessageTokens(message.quote_token, message.mark_as_read_token)
        )


def message_record(message_id: str, at: int, tokens: MessageTokens) -> SessionChange:
    return _change(_period_name(at // PERIOD_MS), message_id, tokens)


def _change(name: str, key: str, value: object) -> SessionChange:
    return SessionChange(name, key.encode(), msgspec.json.encode(value))


def _period_name(period: int) -> str:
    return f"{MESSAGE}.{period}"


class Tokens:
    """Reads the records. Every method raises as `Session.get` does. `clock`: unix ms."""

    def __init__(self, session: Session, clock: Callable[[], int]) -> None:
        self._session = session
        self._clock = clock
        self._used: OrderedDict[str, None] = OrderedDict()

    async def reply_token(self, conversation_id: str) -> str:
        """A reply token of the conversation that is fresh and was not used; empty if there is none.

        A token that came again may be used up or too old; LINE then says so.
        """
        record = await self._session.get(REPLY, conversation_id.encode())
        if record is None:
            return ""
        found = msgspec.json.decode(record, type=ReplyToken)
        fresh = found.redelivered or self._clock() - found.at <= FRESH_MS
        return found.token if fresh and found.token not in self._used else ""

    def use(self, reply_token: str) -> None:
        """It goes out now, and never again by this connection."""
        self._used[reply_token] = None
        if len(self._used) > _MOST_USED:
            self._used.popitem(last=False)

    def give_back(self, reply_token: str) -> None:
        """LINE has not taken it."""
        self._used.pop(reply_token, None)

    async def read_token(self, conversation_id: str, message_id: str | None) -> str:
        """The read token of a message, or of the newest one; empty if none is known."""
        if message_id is not None:
            return (await self.of_message(message_id)).read
        record = await self._session.get(READ, conversation_id.encode())
        return "" if record is None else msgspec.json.decode(record, type=str)

    async def of_message(self, message_id: str) -> MessageTokens:
        key, period = message_id.encode(), self._clock() // PERIOD_MS
        if len(key) <= MAX_KEY:
            for number in range(KEPT_PERIODS):
                record = await self._session.get(_period_name(period - number), key)
                if record is not None:
                    return msgspec.json.decode(record, type=MessageTokens)
        return MessageTokens()

    async def seems_gone(self, conversation_id: str) -> bool:
        """Whether the user blocked the account, or it left the group, and nothing was heard of them since."""
        key = conversation_id.encode()
        gone = await self._session.get(GONE, key)
        if gone is None:
            return False
        back, reply = await self._session.get(BACK, key), await self._session.get(REPLY, key)
        last = 0 if reply is None else msgspec.json.decode(reply, type=ReplyToken).at
        return max(last, 0 if back is None else _time(back)) < _time(gone)

    async def forget_old(self) -> None:
        """Delete the tokens of messages of periods that are over. Raises `SessionLost`."""
        newest = self._clock() // PERIOD_MS - KEPT_PERIODS
        for period in range(newest, newest - _FORGOTTEN_PERIODS, -1):
            name = _period_name(period)
            while rows := await self._session.scan(name, limit=MAX_PAGE):
                await self._session.commit([SessionChange(name, key, None) for key, _ in rows])


def _time(record: bytes) -> int:
    return msgspec.json.decode(record, type=int)

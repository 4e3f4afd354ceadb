"""Push messages, each under one retry key, so that a lost answer is settled by asking again.

LINE carries out a push once, however often it comes under the same `X-Line-Retry-Key` within 24 hours, and
answers 409 with the ids of its messages to all that follow
(https://developers.line.biz/en/docs/messaging-api/retrying-api-request/). The key is the `client_ref` of
the command. Before its first byte the whole request is a record of the session, in the unit that marks the
command as `sending`:

    line.push   retry key   the body of the request, the conversation, when it began

The record is deleted when the answer is known: before the caller hears of a refusal, as what was refused
must never go out later, and soon after an acceptance. What is left belongs to a command whose outcome is
`unknown`, also after a kill; `settling.py` asks for it.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator

import msgspec
import trio

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.providers.contract.errors import ChannelError, Rejected, SessionLost, Transient
from unifyport.providers.contract.session import MAX_CHANGES, Session
from unifyport.providers.http import decode

from .api import LineApi
from .errors import QUOTA_EXHAUSTED, refusal
from .quota import explain_limit
from .tokens import MessageTokens, message_record

RECORD = "line.push"
RETRY_KEY = "x-line-retry-key"
ASK_SECONDS = 8.0  # one request
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
_LONGEST_ID = 64
_NAMESPACE = uuid.UUID("5b1c86a1-5f0b-4d0c-9b4c-2f3b1a7a53c9")
# Retry keys of this process whose push is in progress, or whose record is about to be deleted.
in_progress: set[str] = set()


class SentMessage(msgspec.Struct, rename="camel"):
    id: str
    quote_token: str = ""


class Accepted(msgspec.Struct, rename="camel"):
    """The answer to a reply or a push; also to a push which was accepted before (409)."""

    sent_messages: list[SentMessage]


class Push(msgspec.Struct):
    """A record. `at`: unix ms."""

    body: msgspec.Raw
    conversation_id: str
    conversation_type: str
    at: int


def retry_key(message: OutboundMessage) -> str:
    """A UUID, the same for each try of a command."""
    return str(uuid.uuid5(_NAMESPACE, message.client_ref) if message.client_ref else uuid.uuid4())


def read_accepted(body: bytes) -> list[SentMessage]:
    """Raises `Transient` with `maybe_applied` for an answer without the ids of the messages."""
    accepted: Accepted = decode(body, Accepted)
    if not accepted.sent_messages:
        raise Transient("malformed_answer", maybe_applied=True)
    return accepted.sent_messages


def says_not_sent(error: ChannelError) -> bool:
    """Whether an answer says that a push was not carried out, and an earlier one under its key neither.

    Had that been accepted, the answer were 409. A limit may come before LINE looks for the key.
    """
    return isinstance(error, Rejected) and error.reason != QUOTA_EXHAUSTED


def deletion(key: str) -> SessionChange:
    return SessionChange(RECORD, key.encode(), None)


class Pushes:
    """The pushes of one connection. `clock`: unix ms. `lost` is set when one has ended without an answer."""

    def __init__(self, api: LineApi, session: Session, clock: Callable[[], int]) -> None:
        self.lost = trio.Event()
        self._api = api
        self._session = session
        self._clock = clock
        self._changed = trio.Event()
        self._changes: list[SessionChange] = []  # to be made durable soon
        self._settled: list[str] = []  # keys whose deletion is among them
        self._flushing = True

    async def push(
        self, message: OutboundMessage, key: str, body: bytes, *, marked: bool = False
    ) -> list[SentMessage]:
        """Push, and ask again until the answer is known. `marked`: the command is marked as being sent.

        Raises failure classes, after the mark without `maybe_applied`. Cancelled after the mark: it may have
        been applied, and `Settling` goes on with it.
        """
        in_progress.add(key)
        try:
            await self._begin(message, key, body, marked=marked)
            sent = await self._ask_until_known(key, body)
        except BaseException:
            in_progress.discard(key)
            self.lost.set()
            raise
        self._changes += [deletion(key), *self.quotable(sent)]
        self._settled.append(key)
        if not self._flushing:  # the connection has ended: the next one finds the record
            in_progress.discard(key)
        self._changed.set()
        return sent

    async def _begin(self, message: OutboundMessage, key: str, body: bytes, *, marked: bool) -> None:
        """Make the record durable, and mark the command. Raises as `Session.sending`.

        Cancelled before the mark: nothing may be sent, so the record is deleted ahead of what is recorded of
        the command.
        """
        push = Push(msgspec.Raw(body), message.conversation_id, message.conversation_type, self._clock())
        record = SessionChange(RECORD, key.encode(), msgspec.json.encode(push))
        if marked:
            await self._session.commit([record])
            return
        try:
            await self._session.sending(message, [record], client_ref=key)
        except trio.Cancelled:
            with contextlib.suppress(SessionLost):
                await self._session.commit([deletion(key)])  # is handed over at once, then cancelled again
            raise

    async def _ask_until_known(self, key: str, body: bytes) -> list[SentMessage]:
        pause, lost = FIRST_PAUSE, False
        while True:
            try:
                return await self.ask(key, body)
            except ChannelError as error:
                if says_not_sent(error) or not (lost or error.maybe_applied):
                    await self._session.commit([deletion(key)])
                    raise
                lost = True
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def ask(self, key: str, body: bytes) -> list[SentMessage]:
        """One request under a key."""
        headers = {"content-type": "application/json", RETRY_KEY: key}
        url = f"{self._api.url}/v2/bot/message/push"
        answer: Response = await self._api.http.request(
            "POST", url, body=body, headers=headers, timeout=ASK_SECONDS
        )
        if answer.status in (200, 409):
            return read_accepted(answer.body)
        if answer.status == 429:
            raise await explain_limit(self._api, answer)
        raise refusal(answer) or Transient(f"http_{answer.status}", maybe_applied=True)

    def quotable(self, sent: list[SentMessage]) -> list[SessionChange]:
        """The records by which later messages quote these."""
        return list(self._quotable(sent))

    def _quotable(self, sent: list[SentMessage]) -> Iterator[SessionChange]:
        now = self._clock()
        for each in sent:
            if each.quote_token and each.id.isalnum() and len(each.id) <= _LONGEST_ID:
                yield message_record(each.id, now, MessageTokens(quote=each.quote_token))

    def keep_soon(self, changes: list[SessionChange]) -> None:
        """Make changes durable without waiting; a kill in this moment loses them."""
        self._changes += changes
        self._changed.set()

    async def flush(self) -> None:
        """Make changes durable as they come, many at a time, until cancelled. Raises `SessionLost`."""
        try:
            while True:
                await self._changed.wait()
                self._changed = trio.Event()
                while self._changes:
                    changes, self._changes = self._changes[:MAX_CHANGES], self._changes[MAX_CHANGES:]
                    await self._session.commit(changes)
                settled, self._settled = self._settled, []
                in_progress.difference_update(settled)
        finally:
            self._flushing = False
            in_progress.difference_update(self._settled)

"""The normalizer turns provider events into public events, in their order.

It is partitioned by account, so that the order of an account is kept and a crash affects one partition. Each
provider event has its own `try`: one that cannot be normalised is replaced *in place* by a quarantine row,
and its dedupe key and the session changes of its unit are kept. So a bad event neither stops nor reorders
others.
"""

import functools
import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from supervisors import Slices
from unifyport.model.aliases import Alias, AliasChanges
from unifyport.model.event import Event, EventType, encode_body
from unifyport.model.fitting import fit
from unifyport.model.inbound import (
    Attachment,
    Content,
    Conversation,
    ConversationMoved,
    MessageEdited,
    MessageReceived,
    MoveReason,
    ProviderEvent,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
    deleted_ids,
    edit_of,
    files_of,
    message_key,
)
from unifyport.model.message import Answer, CommandState
from unifyport.model.normalize import Standard, announce, normalize, raw_of
from unifyport.model.unit import CommandResolution, Edit, Item, Original, Quarantined, Unit
from unifyport.process.clock import Clock
from unifyport.storage.contract import Result, Write

from .actor import Actor, Job, Stickiness
from .conversation_ids import ConversationIds
from .mailbox import Mailbox
from .reply import Failed
from .writer import Writer

log = logging.getLogger("unifyport.normalizer")

_MOST_KINDS, _LONGEST_KIND = 256, 64  # unsupported kinds that are counted by name; platforms choose the names

# account id, provider, file, key of its message -> URL, or "" for none
MediaLink = Callable[[str, str, Attachment, bytes], str]
# account id, provider, conversation id, message id -> reply token, or "" for none
ReplyToken = Callable[[str, str, str, str], str]


def no_reply_token(*message: str) -> str:
    return ""


class Normalizer(Actor[Unit, Result]):
    """One partition.

    `event_id` makes ids, `lane_key` is the key of the hash that gives lanes, `link` makes URLs of files, and
    `reply_token` makes reply tokens. `clock`: for events whose platform says no time.
    """

    def __init__(
        self,
        writer: Writer,
        event_id: Callable[[], str],
        lane_key: bytes,
        link: MediaLink,
        reply_token: ReplyToken = no_reply_token,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._writer = writer
        self._event_id = event_id
        self._lane_key = lane_key
        self._link = link
        self._reply_token = reply_token
        self._clock = clock if clock is not None else Clock()
        self.conversations = ConversationIds(writer.store)
        self._sticky = Stickiness()
        self.quarantined = 0
        self.events: Counter[int] = Counter()  # by kind; repeats included
        self.unsupported: Counter[tuple[str, str]] = Counter()  # messages by provider and kind

    def key_of(self, work: Unit) -> int:
        return work.account_no

    async def handle(self, batch: list[Job[Unit, Result]]) -> None:
        await self.conversations.load(job.work for job in batch)
        slices = Slices()
        for job in batch:
            unit = job.work
            if self._sticky.refuses(unit.account_no, unit.generation):
                job.reply.answer(Failed("generation_failed"))
                continue
            await self.fill(unit, slices)
            await self._writer.mailbox.put(_as_write(job), job.size)
            job.handed_on = True

    def failed(self, job: Job[Unit, Result]) -> None:
        self._sticky.fail(job.work.account_no, job.work.generation)
        self.conversations.forget(job.work.account_no)

    async def fill(self, unit: Unit, slices: Slices) -> None:
        """Set `unit.items` from its provider events and announcements. Cancelled: some are missing."""
        unit.items = []
        for each in unit.provider_events:
            unit.items.append(self._make_item(unit, each))
            await slices.pause()
        for announcement in unit.announcements:
            event, _ = self._make_event(unit, announce(announcement))
            event.expires_at = announcement.expires_at
            unit.items.append(Item(dedupe_key("gateway", event.id), [event]))

    def _make_item(self, unit: Unit, event: ProviderEvent) -> Item:
        item = Item(event.key, settles=_read_resolution(event))
        if isinstance(event, Unparsed):
            item.quarantined = Quarantined(event.reason, event.raw)
        try:
            now = self._clock.now_ms()
            item.aliases = self.conversations.resolve(unit, event, self._clock.steady_ms())
            for moved in _moves_of(event, item.aliases, now):
                self._add_event(unit, item, moved)
            for message_id, attachment in files_of(event):
                key = _message_key(event, message_id)
                attachment.url = self._link(unit.account_id, unit.provider, attachment, key)
                if attachment.url and isinstance(event, MessageReceived | MessageEdited):
                    item.files.append(attachment.url)
            for standard in normalize(event, now):
                self._add_event(unit, item, self._add_reply_token(unit, standard))
            item.edit = _edit(event, item)
            self._count_unsupported(unit, event)
        except Exception as error:
            log.exception("account %s: an event could not be normalised, quarantined", unit.account_id)
            item.quarantined = Quarantined(f"normalizer: {type(error).__name__}", raw_of(event))
            item.events, item.originals, item.files = [], [], []
        item.erases = _erased_by(event)
        if item.quarantined is not None:
            self.quarantined += 1
            log.warning("account %s: quarantined (%s)", unit.account_id, item.quarantined.reason)
        return item

    def _add_event(self, unit: Unit, item: Item, standard: Standard) -> None:
        event, original = self._make_event(unit, standard)
        item.events.append(event)
        if original is not None:
            message = message_key(standard.conversation_id, standard.message_id)
            item.originals.append(Original(event.id, message, original))

    def _count_unsupported(self, unit: Unit, event: ProviderEvent) -> None:
        """Count a message of a kind that no parser knows, and log the first one of each kind."""
        content = getattr(event, "content", None)
        if not isinstance(content, Content) or not content.unsupported:
            return
        kind = unit.provider, content.kind[:_LONGEST_KIND]
        if kind not in self.unsupported and len(self.unsupported) >= _MOST_KINDS:
            kind = unit.provider, "other"
        self.unsupported[kind] += 1
        if self.unsupported[kind] == 1:
            log.warning("%s: messages of an unknown kind arrive: %r", *kind)

    def _add_reply_token(self, unit: Unit, standard: Standard) -> Standard:
        """Give an incoming message its reply token, if the channel can quote."""
        if standard.type is EventType.MESSAGE_RECEIVED:
            message, conversation = standard.data["message"], standard.conversation_id
            token = self._reply_token(unit.account_id, unit.provider, conversation, message["id"])
            if token:
                message["reply_token"] = token
        return standard

    def _make_event(self, unit: Unit, standard: Standard) -> tuple[Event, bytes | None]:
        """The event; and what came in, if the event does not hold all of it."""
        event_id = self._event_id()
        encode = functools.partial(
            _encode, event_id, standard, provider=unit.provider, account_id=unit.account_id
        )
        fitted = fit(standard.data, standard.provider_data, encode)
        kind = EventType(standard.type).number
        self.events[kind] += 1
        lane = self.lane(unit.account_id, standard.lane_id)
        return Event(event_id, kind, lane, standard.occurred_at, fitted.body), fitted.original

    def lane(self, account_id: str, conversation_id: str) -> int:
        """The lane of a conversation; with an empty id, of the account itself."""
        digest = hashlib.blake2b(digest_size=8, key=self._lane_key)
        digest.update(account_id.encode() + b"\0" + conversation_id.encode())
        return int.from_bytes(digest.digest(), signed=True)


def _encode(
    event_id: str, standard: Standard, data: dict[str, Any], *, provider: str, account_id: str
) -> bytes:
    return encode_body(
        event_id,
        standard.type,
        provider=provider,
        account_id=account_id,
        occurred_at=standard.occurred_at,
        data=data,
        sender=standard.sender,
    )


def _moves_of(event: ProviderEvent, changes: AliasChanges | None, at: int) -> list[Standard]:
    """Two conversations that turned out to be one: `conversation.updated` before the event that shows it."""
    conversation: Conversation | None = getattr(event, "conversation", None)
    if changes is None or conversation is None or isinstance(event, ConversationMoved):
        return []
    reason = MoveReason.PLATFORM_ALIAS
    return [
        standard
        for previous, _ in changes.moved
        for standard in normalize(
            ConversationMoved(event.key, attrs.evolve(conversation), previous, reason, str(reason), at)
        )
    ]


def _message_key(event: ProviderEvent, message_id: str) -> bytes:
    conversation: Conversation | None = getattr(event, "conversation", None)
    return message_key("" if conversation is None else conversation.id, message_id)


def _edit(event: ProviderEvent, item: Item) -> Edit | None:
    """What the last event of the item shows, if that is an edit."""
    edit = edit_of(event)
    if edit is None:
        return None
    message_id, at, number = edit
    return Edit(item.events[-1].id, _message_key(event, message_id), at, number)


def _erased_by(event: ProviderEvent) -> list[bytes]:
    """The keys of the messages that an event takes back: under the id of their conversation, and under the
    one that it had first.
    """
    conversation: Conversation | None = getattr(event, "conversation", None)
    if conversation is None:
        return []
    known = dict.fromkeys((conversation.id, conversation.lane or conversation.id))
    return [message_key(each, id_) for id_ in deleted_ids(event) for each in known]


def _read_resolution(event: ProviderEvent) -> CommandResolution | None:
    """The outcome that a receipt gives the send that it names; it replaces an `unknown` one."""
    if not isinstance(event, StatusChanged) or not event.client_ref:
        return None
    failed = event.status is Status.FAILED
    answer = Answer(
        CommandState.REJECTED if failed else CommandState.SENT,
        event.message_ids[-1],
        code="failed" if failed else "",
    )
    return CommandResolution(event.client_ref, answer.state, msgspec.json.encode(answer.as_dict()))


def _as_write(job: Job[Unit, Result]) -> Job[Write, Result]:
    return Job(job.work, job.reply, job.size)


class Normalizers:
    """The partitions; all units of accounts enter the road through `commit`."""

    def __init__(self, partitions: list[Normalizer]) -> None:
        self.partitions = partitions

    async def commit(self, unit: Unit, size: int = 0) -> Result | Failed:
        """Send a unit down the road and wait until it is durable or refused."""
        return await self.partitions[unit.account_no % len(self.partitions)].submit(unit, size)

    def put_nowait(self, job: Job[Unit, Result]) -> bool:
        """Put a unit on the road without waiting, to be answered to `job.reply`; False when it is full."""
        return self._mailbox_of(job).put_nowait(job, job.size)

    async def put(self, job: Job[Unit, Result]) -> None:
        """As `put_nowait`, waiting for room. Cancelled: the unit was not put."""
        await self._mailbox_of(job).put(job, job.size)

    def _mailbox_of(self, job: Job[Unit, Result]) -> Mailbox[Job[Unit, Result]]:
        return self.partitions[job.work.account_no % len(self.partitions)].mailbox

    def lane(self, account_id: str, conversation_id: str) -> int:
        return self.partitions[0].lane(account_id, conversation_id)

    async def find_alias(self, account_no: int, conversation_id: str) -> Alias | None:
        """The row of a conversation's id, if the conversation has several. Raises `StoreUnavailable`."""
        partition = self.partitions[account_no % len(self.partitions)]
        return await partition.conversations.find(account_no, conversation_id)

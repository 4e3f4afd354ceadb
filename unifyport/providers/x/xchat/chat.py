"""XChat of one account, over the transport of its connection.

    login       own = await vault.unlock_with(…), unlock(…) or import_keys(…);  session.commit([own.change])
    connecting  chat = await XChat.load(transport, session, me, clock)
    receiving   opened = await chat.open_events([base64, …])
                await link.deliver(Batch(opened.events, opened.changes))
    commands    await chat.sending.send(message), chat.changing.react(…), …

Without keys (`ready` is False) messages are shown as encrypted once their signatures hold, and nothing can be
sent. A task that opens events delivers what it got before it opens more; several may do so at once.
"""

from collections.abc import Iterable, Sequence

import attrs
import msgspec

from unifyport.model.inbound import ProviderEvent
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.session import Session
from unifyport.providers.records import scan_pages

from . import files
from .changing import Changing
from .contents import FileHandle
from .conversation_keys import ConversationKeys
from .heads import Head
from .making import Making
from .opening import Opening
from .public_keys import PublicKeys
from .reading import Reading
from .records import MESSAGE, OWN, REACTION, SENT, SEQUENCE, Draft, Message, Sent, message_place
from .senders_keys import SendersKeys, Sources
from .sending import Handing, Sending
from .transport import ChatTransport
from .vault import OwnKeys

KEPT_MS = 30 * 86_400_000  # messages that later events and commands may name
MOST_KEPT = 10_000
_PAGE = 100
SENT_MS = 86_400_000  # sends whose report has not come


@attrs.define
class Opened:
    """`events` and `changes` are to be committed in one batch. `heads`: of each encoded event, in order; None
    where it could not be read.
    """

    events: list[ProviderEvent] = attrs.field(factory=list)
    changes: list[SessionChange] = attrs.field(factory=list)
    heads: list[Head | None] = attrs.field(factory=list)


class XChat:
    """`me`: the id of the account's user. Made by `load`."""

    def __init__(
        self, transport: ChatTransport, session: Session, me: str, *, clock: Clock, own: OwnKeys | None
    ) -> None:
        self._transport = transport
        self._session = session
        self._clock = clock
        self._keys = ConversationKeys(session)
        self._public = PublicKeys(transport)
        self._opening = Opening(transport, me, own, public=self._public, keys=self._keys)
        self._reading = Reading(me, clock, ready=own is not None)
        self._commands: tuple[Sending, Changing, SendersKeys] | None = None
        if own is not None:
            making = Making(own)
            handing = Handing(transport, session, me, clock)
            sources = Sources(transport, session, own, self._public, self._keys, self._opening)
            keys = SendersKeys(sources, making)
            self._commands = Sending(handing, making, keys), Changing(handing, making, keys), keys

    @classmethod
    async def load(cls, transport: ChatTransport, session: Session, me: str, clock: Clock) -> "XChat":
        """With the keys that the session holds, if they are of this user. Makes no call."""
        stored = await session.get(*OWN)
        own = None if stored is None else msgspec.msgpack.decode(stored, type=OwnKeys)
        if own is not None and own.user_id != me:
            own = None
        return cls(transport, session, me, clock=clock, own=own)

    @property
    def ready(self) -> bool:
        """Whether the account has its keys."""
        return self._commands is not None

    @property
    def sending(self) -> Sending:
        """Raises `Rejected("xchat_locked")` without keys; so do the next two."""
        return self._unlocked()[0]

    @property
    def changing(self) -> Changing:
        return self._unlocked()[1]

    async def reachable(self, conversation: str) -> bool:
        """Whether messages to a conversation (as in signatures) can be encrypted. Raises failure classes."""
        return self._commands is not None and await self._commands[2].reachable(conversation)

    def _unlocked(self) -> tuple[Sending, Changing, SendersKeys]:
        if self._commands is None:
            raise Rejected("xchat_locked", "the account has not given its passcode of XChat, or has none")
        return self._commands

    # -- receiving ------------------------------------------------------------------------------------------

    async def open_events(self, encoded: Sequence[str], *, keys: Sequence[str] = ()) -> Opened:
        """What encoded events (base64 of Thrift `MessageEvent`, at most `MOST_EVENTS`) say, in order.

        `keys`: events of key changes that came beside them. What cannot be verified becomes `Unparsed` with
        its reason, under a key of its own. Asks the transport for keys that are not known, once for each.
        Raises failure classes of the transport; then nothing was read.
        """
        draft, opened = Draft(self._session), Opened()
        for result in await self._opening.open(encoded, keys, draft):
            opened.events += await self._reading.events_of(result, draft)
            opened.heads.append(None if result.item is None else result.item.head)
        opened.changes = draft.changes
        return opened

    async def sweep(self) -> None:
        """Forget old messages, those over `MOST_KEPT`, what belongs to none, and sends never reported. Called
        hourly.
        """
        if self._clock.in_doubt:
            return
        now = self._clock.now_ms()
        async for page in scan_pages(self._session, SENT, limit=_PAGE):
            await self._forget(
                SessionChange(SENT, key, None)
                for key, value in page
                if msgspec.msgpack.decode(value, type=Sent).at < now - SENT_MS
            )
        kept: list[tuple[int, int, bytes]] = []  # time, sequence id and key: the messages are large
        async for page in scan_pages(self._session, MESSAGE, limit=_PAGE):
            for key, value in page:
                message = msgspec.msgpack.decode(value, type=Message)
                kept.append((message.at, message.sequence, key))
        kept.sort()
        over = max(len(kept) - MOST_KEPT, 0)
        old = [key for place, (at, _, key) in enumerate(kept) if place < over or at < now - KEPT_MS]
        for start in range(0, len(old), _PAGE):
            await self._forget(SessionChange(MESSAGE, key, None) for key in old[start : start + _PAGE])
        alive = {key for _, _, key in kept}.difference(old)
        async for page in scan_pages(self._session, SEQUENCE, limit=_PAGE):
            ids = [(key, message_place(key.partition(b"\0")[0].decode(), id_.decode())) for key, id_ in page]
            await self._forget_orphans(SEQUENCE, ids, alive)
        async for page in scan_pages(self._session, REACTION, limit=_PAGE):
            await self._forget_orphans(REACTION, [(key, key) for key, _ in page], alive)

    async def _forget_orphans(self, name: str, records: list[tuple[bytes, bytes]], alive: set[bytes]) -> None:
        """`records`: the key of each, and that of its message, which may have come meanwhile."""
        await self._forget(
            [
                SessionChange(name, key, None)
                for key, message in records
                if message not in alive and await self._session.get(MESSAGE, message) is None
            ]
        )

    async def _forget(self, changes: Iterable[SessionChange]) -> None:
        if found := list(changes):
            await self._session.commit(found)

    async def download(self, file: FileHandle, sink: Sink, limit: int) -> None:
        """Decrypt a file into `sink`. Raises failure classes."""
        key = await self._keys.get(file.conversation, file.version, Draft(self._session))
        if key is None:
            raise Rejected("media_not_found", "the account has no key of the file")
        await files.download(self._transport, file, key, sink, limit)

"""Use cases of sends: accepting a message, fetching its file, handing it to the account, and its outcome."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import msgspec
import trio

from actors.account.execution import NOT_RUNNING
from actors.account.lanes import NotPrepared, Place, Prepare
from actors.accounts import Accounts, NoSuchAccount
from unifyport.config.settings import Settings
from unifyport.files.outgoing import FileRefused, OutgoingFile, OutgoingFiles
from unifyport.links.reply_tokens import InvalidReplyToken, ReplyTokens, is_token
from unifyport.model.account import Account
from unifyport.model.aliases import Alias
from unifyport.model.ids import new_id
from unifyport.model.message import (
    Answer,
    CommandState,
    OutboundFile,
    OutboundMedia,
    OutboundMessage,
    OutboundText,
    SendCommand,
)
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import SEND_REPLY, capability_to_send
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import COMMON_FIELDS, find_unknown
from unifyport.providers.registry import Registry
from unifyport.storage.contract import AcceptCommand, CommandRecord, Store

from .errors import (
    INVALID_REPLY_TOKEN,
    INVALID_REQUEST,
    UNSUPPORTED,
    UNSUPPORTED_MESSAGE,
    UseCaseError,
    invalid,
    not_found,
)
from .fields import check_id, require_conversation_type
from .lookup import AccountLookup
from .outcomes import INVALID_MEDIA, failed
from .platform import DEADLINE_MS
from .remarks import Remarks
from .repeats import IdempotencyKey, Repeats
from .writes import NotKnownYet

FETCH_SECONDS = 15.0  # of the 25 that a send may take
MAX_PROVIDER_DATA = 65_536  # bytes of JSON
MAX_NUMBER = 2**53 - 1  # the largest integer that every JSON library reads exactly


@attrs.frozen
class FileSource:
    """Where the file of a message is: behind a URL or, with `uploaded`, an upload's key. `field` named it.

    `name`: the name that the caller gives the file; empty: the file's own. `part`: its key in the message's
    `files`; empty: it is the message's own file. `limit`: bytes that it may have.
    """

    field: str
    value: str
    uploaded: bool = False
    name: str = ""
    part: str = ""
    limit: int = 0


@attrs.frozen
class Quote:
    """The message that a reply quotes.

    `value`: a reply token or the platform's id of the message, which may be a number; or an object with one
    of them, `reply_token` or `message_id`. `field` named it.
    """

    field: str
    value: object


@attrs.frozen
class SentMessage:
    """A message that the platform has accepted. `reply_token` is empty if it cannot be quoted."""

    command_id: str
    account_id: str
    message_id: str
    provider_ref: str
    reply_token: str


@attrs.frozen
class SendOutcome:
    """What is known of a send; `answer` is None until there is an outcome."""

    command_id: str
    account_id: str
    state: CommandState
    answer: Answer | None


@attrs.frozen(kw_only=True)
class SendUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _store: Store
    _registry: Registry
    _accounts: Accounts
    _lookup: AccountLookup
    _repeats: Repeats
    _reply_tokens: ReplyTokens
    _files: OutgoingFiles
    _link_of_upload: Callable[[str], str]  # file key -> URL
    _settings: Callable[[], Settings]
    _clock: Clock
    _find_alias: Callable[[int, str], Awaitable[Alias | None]]  # account number, conversation id

    async def send(
        self,
        account_id: str,
        message: OutboundMessage,
        *,
        message_type: str,
        source: FileSource | None = None,
        quote: Quote | None = None,
        key: IdempotencyKey | None = None,
        remarks: Remarks | None = None,
    ) -> SentMessage:
        """Send a message and wait for what the platform says, within `DEADLINE_MS`.

        `message_type` is what the caller calls it; `remarks` are added to. Cancelled: a send that the account
        has goes on.
        """
        remarks = Remarks() if remarks is None else remarks
        account, connection = await self._lookup.find_bound(account_id)
        self._remark(remarks, account.provider, connection, message)
        self._require_support(
            provider=account.provider,
            connection=connection,
            message=message,
            message_type=message_type,
            quoting=quote is not None,
        )
        given = message.conversation_id
        message.conversation_id = await self._current_id(account.no, connection, given)
        if message.conversation_id != given and connection.canonical(given) != message.conversation_id:
            remarks.aliased("to.id", f"the conversation is {message.conversation_id} now")
        if quote is not None:
            to = message.conversation_id
            message.reply_to_message_id = await self._read_quote(account, connection, to, quote)
        source = self._name_by_url(connection, message, source)
        command_id = new_id("cmd")
        message.client_ref = command_id
        deadline, now = self._clock.steady_ms() + DEADLINE_MS, self._clock.now_ms()
        command = SendCommand(command_id, account.id, message, deadline=deadline, created_at=now)
        try:
            rendered = connection.check(message)
        except Rejected as rejected:
            text = rejected.detail or rejected.reason
            raise UseCaseError(INVALID_REQUEST, text, reason=rejected.reason) from None
        remarks.settle()
        sources = self._sources(connection, message, source)
        prepare = self._preparing(sources) if sources else None
        accept = AcceptCommand(account.no, command, msgspec.json.encode(command))
        message.rendered = rendered
        known: CommandRecord | Answer | None = None if key is None else await self._repeats.find(key)
        if known is None:
            known = await self._send_first(accept, prepare, key)
        if isinstance(known, Answer):
            return self._sent(account, message, command_id, known)
        assert key is not None, "only a send under a key can be a repeat"
        key.on_repeat()
        return self._sent(account, message, known.id, await self._repeats.join(known))

    async def read_outcome(self, command_id: str) -> SendOutcome:
        """What became of a send."""
        record = await self._store.command(command_id)
        if record is None:
            raise not_found("command")
        answer = msgspec.json.decode(record.answer, type=Answer) if record.answer is not None else None
        return SendOutcome(record.id, record.account_id, record.state, answer)

    # -- before it is on record ------------------------------------------------------------------------------

    def _remark(
        self, remarks: Remarks, provider: str, connection: ConnectionSpec, message: OutboundMessage
    ) -> None:
        """Remark on what the connection makes nothing of."""
        if message.provider_data:
            known = {field.name for field in (*COMMON_FIELDS, *connection.provider_data)}
            elsewhere = self._registry.provider_fields - known
            for name in message.provider_data:
                if name in elsewhere:
                    remarks.no_effect(f"provider_data.{name}", f"has no effect for {provider}")
                elif name not in known:
                    remarks.unknown(f"provider_data.{name}", known)
            for field in connection.provider_data:
                given = message.provider_data.get(field.name)
                if given is not None and field.names is not None:
                    for path, names in find_unknown(f"provider_data.{field.name}", given, field.names):
                        remarks.unknown(path, names.keys(), passed_on=True)
        if message.mentions and not connection.mentions:
            place = "provider_data.mentions" if "mentions" in message.provider_data else "mentions"
            remarks.no_effect(place, f"has no effect for {provider}")

    def _require_support(
        self,
        *,
        provider: str,
        connection: ConnectionSpec,
        message: OutboundMessage,
        message_type: str,
        quoting: bool,
    ) -> None:
        connector = self._registry.connector(connection)
        if not capability_to_send(message).is_declared_by(connector):
            raise UseCaseError(UNSUPPORTED_MESSAGE, f"{provider} cannot send {message_type} here")
        require_conversation_type(connection, provider, message.conversation_type)
        if quoting and not SEND_REPLY.is_declared_by(connector):
            raise UseCaseError(UNSUPPORTED, f"quoted replies are not supported for {provider}")
        message.provider_data = _known_fields(connection, message)

    async def _current_id(self, account_no: int, connection: ConnectionSpec, conversation_id: str) -> str:
        """The id under which events show the conversation, if the platform gave it another one."""
        alias = await self._find_alias(account_no, connection.canonical(conversation_id))
        return conversation_id if alias is None else alias.canonical

    async def _read_quote(
        self, account: Account, connection: ConnectionSpec, conversation_id: str, quote: Quote
    ) -> str:
        """The platform's id of the message that is quoted."""
        field, value = quote.field, quote.value
        if isinstance(value, dict):
            token, message_id = value.get("reply_token"), value.get("message_id")
        elif isinstance(value, str) and is_token(value):
            token, message_id = value, None
        else:
            token, message_id = None, value
        if token is not None:
            return await self._read_token(account, connection, conversation_id, Quote(field, token))
        if isinstance(message_id, int) and 0 < message_id <= MAX_NUMBER and message_id is not True:
            return str(message_id)
        if not isinstance(message_id, str):
            raise invalid(field, "must be a reply token or a message id, or an object with one of them")
        return check_id(field, message_id)

    async def _read_token(
        self, account: Account, connection: ConnectionSpec, conversation_id: str, quote: Quote
    ) -> str:
        """A token serves for the conversation that it was given out for, also after its id has changed."""
        try:
            given_for, message_id = self._reply_tokens.read(account.id, str(quote.value))
            given_for = await self._current_id(account.no, connection, given_for)
        except InvalidReplyToken:
            given_for = None
        if given_for is None or connection.canonical(given_for) != connection.canonical(conversation_id):
            text = "not a token of this account and conversation"
            raise UseCaseError(INVALID_REPLY_TOKEN, text, field=quote.field)
        return message_id

    def _name_by_url(
        self, connection: ConnectionSpec, message: OutboundMessage, source: FileSource | None
    ) -> FileSource | None:
        """What is left to be fetched or found: nothing, if the platform fetches the file by its URL."""
        if source is None or not connection.takes_urls or not isinstance(message, OutboundMedia):
            return source
        message.name = source.name
        message.url = self._link_of_upload(source.value) if source.uploaded else source.value
        return source if source.uploaded else None

    def _reserve(self, command: SendCommand) -> Place:
        """Its place in the order of the conversation. Raises `UseCaseError` where there is none in time."""
        try:
            place = self._accounts.reserve(command)
        except NoSuchAccount:
            place = NOT_RUNNING
        if isinstance(place, Answer):
            raise failed(place, "sent")
        return place

    async def _send_first(
        self, accept: AcceptCommand, prepare: Prepare | None, key: IdempotencyKey | None
    ) -> Answer | CommandRecord:
        """The outcome of a send, or the record of the first one if it turns out to be a repeat."""
        if key is None:
            return await self._carry_out(accept, prepare)
        accept.key, accept.body_hash = key.value, key.body_hash
        with self._repeats.under_way(accept.command.id):
            return await self._carry_out(accept, prepare, on_record=lambda: self._repeats.recorded(key))

    async def _carry_out(
        self, accept: AcceptCommand, prepare: Prepare | None, on_record: Callable[[], None] = lambda: None
    ) -> Answer | CommandRecord:
        """Record a send and have it done. One that can begin at once is recorded as `sending`."""
        command = accept.command
        place: Place | None = None
        recorded: CommandState | CommandRecord | None = None
        try:
            place = self._reserve(command)
            if prepare is None:
                accept.begin = self._accounts.reserve_all(command, place)
            recorded = await self._accept(accept)
        finally:
            on_record()
            if place is not None and not isinstance(recorded, CommandState):
                await self._accounts.release(command, place)
        if isinstance(recorded, CommandRecord):
            return recorded
        begins = recorded is CommandState.SENDING
        return await self._accounts.carry_out(place, command, prepare, begins=begins)

    async def _accept(self, accept: AcceptCommand) -> CommandState | CommandRecord:
        """Record a send, as `Repeats.accept`. If that may happen later, it is recorded as `not_sent` then."""
        try:
            return await self._repeats.accept(accept)
        except (NotKnownYet, trio.Cancelled):
            await self._accounts.record_dropped(accept.command)
            raise

    # -- once it is on record --------------------------------------------------------------------------------

    def _sources(
        self, connection: ConnectionSpec, message: OutboundMessage, source: FileSource | None
    ) -> list[FileSource]:
        """Where the files of a message are: its own, and those that `provider_data` names."""

        def limit(kind: str) -> int:
            largest = self._settings().media.max_file
            return min(connection.max_upload.get(kind, largest), largest)

        named = connection.named_files(message) if message.provider_data else ()
        found = [
            FileSource(f"provider_data.{f.field}", f.value, f.uploaded, f.name, f.part, limit(f.kind))
            for f in named
        ]
        if source is not None and isinstance(message, OutboundMedia):
            found.append(attrs.evolve(source, limit=limit(message.type)))
        return found

    def _preparing(self, sources: list[FileSource]) -> Prepare:
        """Fetches the files at the turn of their message. Raises `NotPrepared`."""

        @contextlib.asynccontextmanager
        async def prepare(command: SendCommand) -> AsyncIterator[SendCommand]:
            message = command.message
            until = trio.current_time() + FETCH_SECONDS
            async with contextlib.AsyncExitStack() as held:
                for source in sources:
                    left = max(0.0, until - trio.current_time())
                    try:
                        file = await self._file_of(command.account_id, source, left, held)
                    except FileRefused as refused:
                        code = "disk" if refused.reason == "disk" else INVALID_MEDIA
                        text = f"{source.field}: {refused}"
                        raise NotPrepared(Answer(CommandState.NOT_SENT, code=code, message=text)) from None
                    message = _with_file(message, source.part, file)
                yield attrs.evolve(command, message=message)

        return prepare

    async def _file_of(
        self, account_id: str, source: FileSource, seconds: float, held: contextlib.AsyncExitStack
    ) -> OutgoingFile:
        """The file, which is on the disk as long as `held` is open. Raises `FileRefused`."""
        if source.uploaded:
            return await self._files.of_key(source.value, source.limit, name=source.name)
        fetching = self._files.of_url(account_id, source.value, source.limit, seconds, name=source.name)
        return await held.enter_async_context(fetching)

    def _sent(
        self, account: Account, message: OutboundMessage, command_id: str, answer: Answer
    ) -> SentMessage:
        """Raises `UseCaseError` for any outcome but `sent`."""
        if answer.state is not CommandState.SENT:
            raise failed(answer, "sent", command_id)
        token = self._reply_tokens.token(
            account.id, account.provider, message.conversation_id, answer.message_id
        )
        return SentMessage(command_id, account.id, answer.message_id, answer.provider_ref, token)


def _with_file(message: OutboundMessage, part: str, file: OutgoingFile) -> OutboundMessage:
    """The message with one more of its files."""
    if part:
        found = OutboundFile(file.path, file.name, file.mime_type, file.size)
        return attrs.evolve(message, files={**message.files, part: found})
    assert isinstance(message, OutboundMedia)
    return attrs.evolve(
        message, path=file.path, name=file.name, mime_type=file.mime_type, size=file.size, rendered=None
    )


def _known_fields(connection: ConnectionSpec, message: OutboundMessage) -> dict[str, Any]:
    """The fields of `provider_data` that the connection understands. Raises `UseCaseError`."""
    given = message.provider_data
    known = [field for field in connection.provider_data if given.get(field.name) is not None]
    for field in known:
        if not field.accepts(given[field.name]):
            raise invalid(f"provider_data.{field.name}", f"must be: {' or '.join(field.kinds)}")
    if isinstance(message, OutboundText) and not message.text and not any(field.content for field in known):
        raise invalid("message.text", "is required for a text message")
    fields = {field.name: given[field.name] for field in known}
    if len(msgspec.json.encode(fields)) > MAX_PROVIDER_DATA:
        raise invalid("provider_data", f"must be at most {MAX_PROVIDER_DATA} bytes")
    return fields

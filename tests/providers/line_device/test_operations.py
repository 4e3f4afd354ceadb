"""Operations and messages -> provider events; keys of sealed messages; revisions; refusals."""

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from attrs import evolve
from hypothesis import given

from unifyport.model.inbound import (
    ConversationChanged,
    ConversationRemoved,
    GroupChanged,
    Ignored,
    MessageDeleted,
    MessageReceived,
    PlatformEvent,
    ReactionChanged,
    Status,
    StatusChanged,
    Unparsed,
)
from unifyport.protocols.letter_sealing import keys, messages
from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed
from unifyport.protocols.thrift import EMPTY, Encoding, Raw, Type, decode, encode
from unifyport.protocols.thrift import Malformed as MalformedThrift
from unifyport.providers.contract.counts import Counts
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.line.device import errors, kinds, sealing
from unifyport.providers.line.device.calls import CALLS
from unifyport.providers.line.device.files import FileHandle
from unifyport.providers.line.device.opening import Opener
from unifyport.providers.line.device.operations import NAMES, READERS, SILENT, read_operation
from unifyport.providers.line.device.revisions import Revisions, after
from unifyport.providers.line.device.structures import (
    Events,
    FullSync,
    Location,
    Message,
    Operation,
    Operations,
    SyncAnswer,
    TalkException,
)

WE, AN, GROUP = "u" + "0" * 32, "u" + "a" * 32, "c" + "c" * 32
BIG = "618946633287860670"  # above 2^53
AT = 1_700_000_000_000


def _message(**fields: Any) -> Message:
    known: dict[str, Any] = {"sender": AN, "to": WE, "to_type": 0, "id": BIG, "created": AT, "text": "123"}
    return Message(**known | fields)


def _operation(number: int, *params: str | None, message: Message | None = None) -> Operation:
    named: dict[str, Any] = dict(zip(("param1", "param2", "param3"), params, strict=False))
    return Operation(revision=7, created=AT, type=number, message=message, **named)


def test_a_line_that_line_writes_into_a_chat_is_the_same_in_history() -> None:
    """An operation that stands for a message of history has no revision."""
    lines = [_message(id=str(number), content_type=kinds.CHAT_EVENT) for number in (1, 2)]
    live = [read_operation(_operation(26, message=line), WE) for line in lines]
    history = [read_operation(Operation(type=26, created=AT, message=line), WE) for line in lines]
    assert [event.key for event in live] == [event.key for event in history]
    assert live[0].key != live[1].key


def test_what_cannot_be_read_of_history_has_a_key_of_its_own() -> None:
    broken = [_message(id=number) for number in ("not a number \0", "\0")]
    read = [read_operation(Operation(type=26, created=AT, message=message), WE) for message in broken]
    assert {type(event) for event in read} == {Unparsed}
    assert read[0].key != read[1].key


class _WithoutKeys:
    """A keyring whose questions LINE answers like this."""

    def __init__(self, failure: ChannelError) -> None:
        self.failure = failure

    async def for_opening(self, need: object, chat: str) -> object:
        raise self.failure


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("malformed_answer", True),
        ("call_refused_6", True),
        ("platform_error_20", True),
        ("connection_lost", False),
    ],
)
async def test_a_key_that_is_answered_without_one_holds_up_no_other_message(reason: str, told: bool) -> None:
    keyring: Any = _WithoutKeys(Transient(reason))
    chunks = (bytes(16), bytes(32), bytes(12), b"\0\0\0\1", b"\0\0\0\2")
    sealed = _message(text=None, chunks=chunks, metadata={"e2eeVersion": "2"})
    opener = Opener(keyring, WE, Counts("line"))
    if not told:
        with pytest.raises(Transient, match=reason):
            await opener.content(sealed)
        return
    assert (await opener.content(sealed)).kind == "undecryptable"


def _read(number: int, *params: str | None, message: Message | None = None) -> Any:
    return read_operation(_operation(number, *params, message=message), WE)


def test_a_message_between_users() -> None:
    event = _read(26, message=_message())
    assert isinstance(event, MessageReceived)
    assert (event.conversation.id, event.conversation.type, event.sender.id) == (AN, "user", AN)
    assert (event.content.id, event.content.text, event.content.type) == (BIG, "123", "text")
    assert event.sent_at == AT
    assert event.provider_data is not None
    assert event.provider_data.item["message"]["id"] == BIG


def test_a_message_of_a_group() -> None:
    event = _read(26, message=_message(to=GROUP, to_type=2))
    assert (event.conversation.id, event.conversation.type, event.sender.id) == (GROUP, "group", AN)


def test_what_the_owner_wrote_elsewhere() -> None:
    event = _read(25, message=_message(sender=WE, to=AN))
    assert isinstance(event, PlatformEvent)
    assert (event.name, event.direction, event.conversation and event.conversation.id) == (
        "message_echo",
        "outbound",
        AN,
    )


def test_a_message_has_one_key_wherever_it_comes_from() -> None:
    first = read_operation(evolve(_operation(26, message=_message()), revision=1), WE)
    again = read_operation(evolve(_operation(26, message=_message()), revision=2), WE)
    assert first.key == again.key
    assert read_operation(_operation(26, message=_message(id="5")), WE).key != first.key


def test_a_reply() -> None:
    event = _read(26, message=_message(related_id="77", relation=3))
    assert event.content.reply_to_message_id == "77"
    assert _read(26, message=_message(related_id="77", relation=0)).content.reply_to_message_id is None


def test_receipts() -> None:
    event = _read(55, AN, AN, BIG)
    assert isinstance(event, StatusChanged)
    assert (event.conversation.id, event.message_ids, event.status) == (AN, [BIG], Status.READ)
    assert event.participant is None
    assert _read(55, GROUP, AN, BIG).participant.id == AN


def test_unsent_messages() -> None:
    event = _read(65, AN, BIG)
    assert isinstance(event, MessageDeleted)
    assert (event.conversation.id, event.message_id) == (AN, BIG)
    own = _read(64, AN, BIG)
    assert (own.name, own.details) == ("message_echo", {"change": "deleted", "target_message_id": BIG})


@pytest.mark.parametrize(
    ("chat", "third", "actor"),
    [(AN, AN, AN), (AN, WE, AN), (AN, None, AN), (GROUP, AN, AN), (AN, AN.upper(), AN)],
)
def test_reactions(chat: str, third: str | None, actor: str) -> None:
    body = msgspec.json.encode({"chatMid": chat, "curr": {"predefinedReactionType": 3}}).decode()
    event = _read(140, BIG, body, third)
    assert isinstance(event, ReactionChanged)
    assert (event.sender.id, event.target_message_id, event.emoji) == (actor, BIG, "❤️")


def test_an_actor_that_is_not_told_is_not_invented() -> None:
    body = msgspec.json.encode({"chatMid": GROUP, "curr": {"predefinedReactionType": "2"}}).decode()
    event = _read(140, BIG, body, WE)
    assert isinstance(event, PlatformEvent)
    assert event.details == {"target_message_id": BIG, "reaction": "👍"}


@pytest.mark.parametrize(
    ("current", "emoji"),
    [(None, ""), ({"paidReactionType": {"productId": "1"}}, "⭐"), ({"predefinedReactionType": 99}, "⭐")],
)
def test_reactions_that_are_taken_back_or_bought(current: Any, emoji: str) -> None:
    body = msgspec.json.encode({"chatMid": AN, "curr": current}).decode()
    assert _read(140, BIG, body, AN).emoji == emoji
    own = _read(139, BIG, body)
    assert own.details == {"change": "reaction", "target_message_id": BIG, "reaction": emoji}


@pytest.mark.parametrize(
    ("number", "params", "kind", "member", "actor"),
    [
        (130, (GROUP, AN), "member_added", AN, AN),
        (60, (GROUP, AN), "member_added", AN, AN),
        (128, (GROUP, AN), "member_removed", AN, AN),
        (61, (GROUP, AN), "member_removed", AN, AN),
        (133, (GROUP, "u1", AN), "member_removed", AN, "u1"),
        (132, (GROUP, AN), "member_removed", AN, WE),
        (129, (GROUP,), "member_added", WE, WE),
        (127, (GROUP,), "member_removed", WE, WE),
    ],
)
def test_members(number: int, params: tuple[str, ...], kind: str, member: str, actor: str) -> None:
    event = _read(number, *params)
    assert isinstance(event, GroupChanged)
    assert (event.conversation.id, event.actor_id) == (GROUP, actor)
    assert event.changes == [{"kind": kind, "member_ids": [member]}]


def test_the_accounts_own_list_of_chats() -> None:
    assert isinstance(_read(40, AN, BIG), ConversationChanged)
    assert isinstance(_read(41, AN), ConversationRemoved)


@pytest.mark.parametrize("number", sorted(SILENT))
def test_operations_without_an_event(number: int) -> None:
    assert isinstance(_read(number), Ignored)


def test_an_unknown_operation_is_reported() -> None:
    event = _read(9999, "a", "b")
    assert isinstance(event, PlatformEvent)
    assert event.name == "operation_9999"
    assert event.provider_data is not None
    assert event.provider_data.item["param1"] == "a"
    assert _read(122, GROUP, AN).name == NAMES[122]


_ANY = (
    st.none() | st.text(max_size=5) | st.sampled_from([AN, GROUP, BIG, "[]", '{"chatMid":7}', '{"curr":[]}'])
)


@given(
    number=st.sampled_from([*READERS, *NAMES, -5, 10_000]) | st.none(),
    params=st.tuples(_ANY, _ANY, _ANY),
    message=st.none()
    | st.builds(
        Message,
        sender=_ANY,
        to=_ANY,
        to_type=st.none() | st.integers(-1, 9),
        id=_ANY,
        created=st.none() | st.integers(-(2**63), 2**63 - 1),
        text=_ANY,
        content_type=st.none() | st.integers(-1, 30),
        metadata=st.none()
        | st.dictionaries(
            st.sampled_from(["MENTION", "REPLACE", "STKID", "OID", "SID", "FILE_SIZE", "DURATION", "vCard"]),
            st.text(),
        ),
        chunks=st.none() | st.lists(st.binary(max_size=4), max_size=6).map(tuple),
        location=st.none()
        | st.builds(Location, latitude=st.none() | st.floats(), longitude=st.none() | st.floats()),
        unknown=st.just(EMPTY) | st.just({99: Raw(Type.I64, 2**63 - 1)}),
    ),
)
def test_any_operation(number: int | None, params: tuple[str | None, ...], message: Message | None) -> None:
    named: dict[str, Any] = dict(zip(("param1", "param2", "param3"), params, strict=True))
    operation = Operation(revision=7, created=-1, type=number, message=message, **named)
    event = read_operation(operation, WE)
    if isinstance(event, MessageReceived):
        assert event.content.text or event.content.attachments
    if isinstance(event, Unparsed):
        msgspec.json.decode(event.raw)


# --- content


def test_mentions_and_emojis_count_code_points() -> None:
    metadata = {
        "MENTION": '{"MENTIONEES":[{"S":"2","E":"5","M":"u1"},{"S":6,"E":9,"A":"1"},'
        '{"S":"x"},7,{"S":9,"E":2}]}',
        "REPLACE": '{"sticon":{"resources":[{"S":0,"E":2,"productId":"p","sticonId":"s"}]}}',
    }
    content = kinds.content_of(_message(text="😀@An @all", metadata=metadata), None)
    assert content.entities == [
        {"type": "text_mention", "offset": 1, "length": 3, "user": {"id": "u1"}},
        {"type": "mention", "offset": 5, "length": 3},
        {"type": "custom_emoji", "offset": 0, "length": 1, "product_id": "p", "emoji_id": "s"},
    ]


def test_a_sealed_file() -> None:
    metadata = {"SID": "emi", "OID": "abc-1", "FILE_SIZE": "132"}
    message = _message(text=None, content_type=1, metadata=metadata, chunks=(b"",))
    opened = {"keyMaterial": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "fileName": "a.jpg"}
    (file,) = kinds.content_of(message, opened).attachments
    assert (file.type, file.title, file.size) == ("image", "a.jpg", 100)
    handle = FileHandle.load(file.handle)
    assert handle.path == "/r/talk/emi/abc-1"
    assert handle.key_material == bytes(32)
    assert "AAAA" not in repr(file)
    without = kinds.content_of(message, {})
    assert (without.attachments, without.text) == ([], "[image without a key]")


@pytest.mark.parametrize("oid", ["../x", "a/b", "", "a b", "é", "x" * 300])
def test_a_path_is_made_of_ids_only(oid: str) -> None:
    with pytest.raises(ValueError):
        _ = FileHandle(message_id="1", space="emi", oid=oid, key_material=bytes(32)).path
    with pytest.raises(ValueError):
        _ = FileHandle(message_id=oid).path
    with pytest.raises(ValueError):
        _ = FileHandle(message_id="1", space="x", oid="1", key_material=bytes(32)).path


def test_a_plain_file() -> None:
    (file,) = kinds.content_of(
        _message(text=None, content_type=3, metadata={"DURATION": "1919"}), None
    ).attachments
    assert (file.type, file.duration_ms) == ("audio", 1919)
    assert FileHandle.load(file.handle).path == f"/r/talk/m/{BIG}"


def test_places_stickers_and_contacts() -> None:
    plain = kinds.content_of(
        _message(content_type=15, location=Location("Sky", "Tokyo", 35.68, 139.76)), None
    )
    opened = {"location": {"title": "Sky", "address": "Tokyo", "latitude": 35.68, "longitude": 139.76}}
    sealed = kinds.content_of(_message(content_type=15, chunks=(b"",)), opened)
    assert plain.fields == {**sealed.fields, "sealed": False}
    assert plain.text == sealed.text == "Sky\nTokyo\n35.680000,139.760000"
    nowhere = kinds.content_of(_message(content_type=15, location=Location(latitude=99.0)), None)
    assert "location" not in nowhere.fields
    sticker = kinds.content_of(
        _message(text=None, content_type=7, metadata={"STKID": "5", "STKTXT": "[hi]"}), None
    )
    assert (sticker.text, sticker.fields["sticker"]) == ("[hi]", {"sticker_id": "5"})
    contact = kinds.content_of(_message(content_type=13, metadata={"mid": AN, "displayName": "An"}), None)
    assert contact.fields["contacts"] == [{"display_name": "An", "user_id": AN}]


def test_what_no_row_knows_is_said() -> None:
    content = kinds.content_of(_message(content_type=99), None)
    assert (content.type, content.text, content.unsupported) == ("unknown", "[unsupported: 99]", True)
    given_up = kinds.undecryptable(_message(), "no_key")
    assert (given_up.type, given_up.kind) == ("unknown", "undecryptable")
    assert given_up.text


# --- sealed messages

OURS, THEIRS, OF_GROUP = keys.generate(11), keys.generate(22), keys.generate(33)


def _sealed(address: messages.Address, pair: messages.Keys, to_type: int) -> Message:
    chunks, metadata = sealing.seal_message({"text": "123"}, address, pair)
    return _message(
        sender=address.sender, to=address.to, to_type=to_type, text=None, chunks=chunks, metadata=metadata
    )


def test_the_keys_of_a_message_between_users() -> None:
    received = _sealed(messages.Address(AN, WE, 0), messages.keys_to_user(THEIRS, OURS.public), 0)
    need = sealing.need_of(received, WE)
    assert (need.own_key_id, need.group_key_id, need.peer) == (11, None, sealing.UserKey(AN, 22))
    assert sealing.open_message(need, OURS, THEIRS.public) == {"text": "123"}
    echo = _sealed(messages.Address(WE, AN, 0), messages.keys_to_user(OURS, THEIRS.public), 0)
    need = sealing.need_of(echo, WE)
    assert (need.own_key_id, need.group_key_id, need.peer) == (11, None, sealing.UserKey(AN, 22))
    assert sealing.open_message(need, OURS, THEIRS.public) == {"text": "123"}


def test_the_keys_of_a_message_of_a_group() -> None:
    received = _sealed(messages.Address(AN, GROUP, 0), messages.keys_in_group(OF_GROUP, THEIRS.public), 2)
    need = sealing.need_of(received, WE)
    assert (need.own_key_id, need.group_key_id, need.peer) == (None, 33, sealing.UserKey(AN, 22))
    assert sealing.open_message(need, OF_GROUP, THEIRS.public) == {"text": "123"}
    with pytest.raises(BadSeal):
        sealing.open_message(need, evolve(OF_GROUP, key_id=34), THEIRS.public)


@pytest.mark.parametrize(
    "message",
    [
        _message(chunks=(b"",)),
        evolve(
            _sealed(messages.Address(AN, WE, 0), messages.keys_to_user(THEIRS, OURS.public), 0), sender=None
        ),
        evolve(
            _sealed(messages.Address(AN, WE, 0), messages.keys_to_user(THEIRS, OURS.public), 0),
            metadata={"e2eeVersion": "9"},
        ),
    ],
    ids=["chunks", "sender", "version"],
)
def test_messages_that_no_key_opens(message: Message) -> None:
    with pytest.raises(Malformed):
        sealing.need_of(message, WE)


# --- revisions


def _page(*revisions: int | None, more: bool = False) -> SyncAnswer:
    found = tuple(Operation(revision=one, type=26) for one in revisions)
    return SyncAnswer(Operations(found, more, Events(50), Events(60)))


def test_revisions_only_grow() -> None:
    page = after(Revisions(5, 55, 1), _page(4, 5, 7, 6, more=True))
    assert [one.revision for one in page.operations] == [6, 7]
    assert page.revisions == Revisions(7, 55, 60)
    assert page.more
    assert Revisions.load(page.revisions.dump()) == page.revisions


def test_an_answer_that_moves_nothing_is_not_asked_again_at_once() -> None:
    page = after(Revisions(7, 50, 60), _page(7, 6, more=True))
    assert (page.operations, page.revisions, page.more) == ([], Revisions(7, 50, 60), False)
    assert not after(Revisions(7), SyncAnswer()).more


def test_a_message_without_a_revision_is_not_lost() -> None:
    alone = SyncAnswer(
        Operations((Operation(revision=-1, message=_message()), Operation(revision=-1, type=62)))
    )
    assert [one.message for one in after(Revisions(7), alone).operations] == [_message()]


def test_a_full_sync_is_a_gap() -> None:
    page = after(Revisions(7, 1, 2), SyncAnswer(full_sync=FullSync(frozenset({1}), 100)))
    assert (page.gap, page.revisions) == (True, Revisions(100, 1, 2))
    back = after(Revisions(7, 1, 2), SyncAnswer(full_sync=FullSync(None, 3)))
    assert back.revisions.operation == 7


# --- calls and refusals


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: call.name)
@pytest.mark.parametrize("encoding", list(Encoding), ids=lambda one: one.value)
def test_every_call_can_be_written_and_read(call: Any, encoding: Encoding) -> None:
    assert decode(call.arguments, encode(call.arguments(), encoding), encoding) == call.arguments()
    refused = call.result(error=TalkException(8, "x"))
    assert decode(call.result, encode(refused, encoding), encoding) == refused


@given(data=st.binary(max_size=60))
def test_any_answer(data: bytes) -> None:
    for call in CALLS.values():
        try:
            decode(call.result, data, Encoding.COMPACT)
        except MalformedThrift:
            continue


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (8, LoggedOut),
        (14, LoggedOut),
        (107, LoggedOut),
        (119, LoggedOut),
        (15, Transient),
        (101, Transient),
        (4, RateLimited),
        (35, RateLimited),
        (10, Rejected),
        (38, Rejected),
        (9999, Rejected),
        (None, Rejected),
    ],
)
def test_refusals(code: int | None, failure: type[ChannelError]) -> None:
    found = errors.failure_of(TalkException(code, "reason " * 100))
    assert type(found) is failure
    assert not found.maybe_applied


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        (82, "seal_again"),
        (83, "own_key"),
        (84, "peer_key"),
        (99, "group_key"),
        (98, "plain"),
        (8, None),
        (None, None),
    ],
)
def test_what_a_refusal_asks_of_the_keys(code: int | None, decision: str | None) -> None:
    found = errors.key_decision(TalkException(code))
    assert (found.value if found else None) == decision

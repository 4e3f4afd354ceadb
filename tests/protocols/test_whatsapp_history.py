"""History blobs: what is taken of them, in whatever pieces they come, within their limits."""

import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.whatsapp import wire
from unifyport.protocols.whatsapp.history import (
    HistoryReader,
    MalformedHistory,
    MessageSecret,
    Part,
    Salt,
    read_mappings,
)
from unifyport.protocols.whatsapp.history_pb2 import (
    Conversation,
    HistorySync,
    HistorySyncMsg,
    PhoneNumberToLIDMapping,
    Pushname,
    WebMessageInfo,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import (
    LIDMigrationMappingSyncPayload,
    Message,
    MessageContextInfo,
    MessageKey,
)

SECRET = b"s" * 32


def message(identifier: str, *, secret: bytes = b"", inner: bytes = b"", **key: Any) -> HistorySyncMsg:
    content = Message(conversation="a text that is not taken")
    if inner:
        content.messageContextInfo.CopyFrom(MessageContextInfo(messageSecret=inner))
    info = WebMessageInfo(key=MessageKey(ID=identifier, **key), message=content, messageTimestamp=7)
    if secret:
        info.messageSecret = secret
    return HistorySyncMsg(message=info)


HISTORY = HistorySync(
    syncType="INITIAL_BOOTSTRAP",
    conversations=[
        Conversation(
            ID="104@lid",
            pnJID="15550001@s.whatsapp.net",
            ephemeralExpiration=86400,
            tcToken=b"token",
            tcTokenTimestamp=5,
            messages=[
                message("A", remoteJID="104@lid", secret=SECRET),
                message("B", fromMe=True, inner=SECRET),
                message("C", remoteJID="104@lid"),
            ],
        ),
        Conversation(ID="1-2@g.us", messages=[message("D", participant="7@lid", secret=SECRET)]),
    ],
    pushnames=[Pushname(ID="104@lid", pushname="Mai")],
    phoneNumberToLidMappings=[PhoneNumberToLIDMapping(pnJID="15550001@s.whatsapp.net", lidJID="104@lid")],
    nctSalt=b"salt",
)
BLOB = zlib.compress(HISTORY.SerializeToString())


def parts(reader: HistoryReader, pieces: Iterable[bytes]) -> list[Part]:
    found = [part for piece in pieces for part in reader.feed(piece)]
    reader.finish()
    return found


def expected() -> list[Part]:
    first, second = (Conversation.FromString(each.SerializeToString()) for each in HISTORY.conversations)
    first.ClearField("messages")
    second.ClearField("messages")
    return [
        first,
        MessageSecret("104@lid", "A", False, "", 7, SECRET),
        MessageSecret("104@lid", "B", True, "", 7, SECRET),
        second,
        MessageSecret("1-2@g.us", "D", False, "7@lid", 7, SECRET),
        HISTORY.pushnames[0],
        HISTORY.phoneNumberToLidMappings[0],
        Salt(b"salt"),
    ]


@given(cuts=st.lists(st.integers(0, len(BLOB)), max_size=6))
@settings(deadline=None)
def test_a_blob_is_read_in_whatever_pieces(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BLOB)]
    pieces = [BLOB[start:end] for start, end in itertools.pairwise(edges)]
    assert parts(HistoryReader(), pieces) == expected()
    assert parts(HistoryReader(), (BLOB[at : at + 1] for at in range(len(BLOB)))) == expected()


def test_secrets_are_not_shown() -> None:
    assert "ssss" not in repr(expected()[1])
    assert "salt" not in repr(Salt(b"salt"))


def test_a_damaged_conversation_costs_only_itself() -> None:
    bad = b"\x12\x04\x0a\x02\xff\xfe"  # an ID that is not UTF-8
    truncated = b"\x12\x03\x12\x7f\x00"  # a message longer than its conversation
    reader = HistoryReader()
    assert parts(reader, [zlib.compress(bad + truncated + HISTORY.SerializeToString())]) == expected()
    assert reader.skipped == 2


def test_a_damaged_message_costs_only_its_secret() -> None:
    conversation = (
        b"\x0a\x07104@lid" + b"\x12\x03\x0a\x01\xff" + b"\x12" + _sized(message("A", secret=SECRET))
    )
    blob = zlib.compress(b"\x12" + bytes((len(conversation),)) + conversation)
    assert parts(HistoryReader(), [blob]) == [
        Conversation(ID="104@lid"),
        MessageSecret("104@lid", "A", False, "", 7, SECRET),
    ]


def _sized(inner: HistorySyncMsg) -> bytes:
    body = inner.SerializeToString()
    return bytes((len(body),)) + body


def test_a_conversation_beyond_the_limit_is_passed_over() -> None:
    large = Conversation(ID="large", messages=[message("A", secret=b"x" * 2000)])
    whole = HistorySync(conversations=[large]).SerializeToString() + HISTORY.SerializeToString()
    reader = HistoryReader(max_record=1000)
    blob = zlib.compress(whole)
    assert parts(reader, (blob[at : at + 1] for at in range(len(blob)))) == expected()
    assert reader.skipped == 1


def test_a_blob_that_inflates_to_too_much_is_refused() -> None:
    bomb = zlib.compress(b"\x12\xff\xff\xff\xff\x07" + bytes(20 << 20))
    reader = HistoryReader(max_history=10 << 20)
    with pytest.raises(MalformedHistory, match="too large"):
        list(reader.feed(bomb))


def test_a_large_blob_is_not_held_whole() -> None:
    conversation = Conversation(
        ID="104@lid", messages=[message(str(at), secret=SECRET) for at in range(1000)]
    )
    blob = zlib.compress(HistorySync(conversations=[conversation] * 40).SerializeToString())
    reader = HistoryReader()
    tracemalloc.start()
    count = sum(1 for _ in reader.feed(blob))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40 * 1001
    assert peak < 1 << 20  # it inflates to 2.8 MiB


@pytest.mark.parametrize("blob", [b"", BLOB[:-1], BLOB[:20], zlib.compress(HISTORY.SerializeToString()[:-1])])
def test_a_truncated_blob_is_an_error(blob: bytes) -> None:
    with pytest.raises(MalformedHistory):
        parts(HistoryReader(), [blob])


@given(data=st.binary(max_size=200))
@settings(deadline=None)
def test_whatever_the_phone_sends_is_read_or_an_error(data: bytes) -> None:
    for blob in (data, zlib.compress(data), zlib.compress(b"\x12" + bytes((len(data) % 128,)) + data)):
        try:
            parts(HistoryReader(), [blob])
        except MalformedHistory:
            continue


@given(data=st.binary(max_size=60))
def test_records_are_read_or_an_error(data: bytes) -> None:
    try:
        found = list(wire.records(data))
    except wire.MalformedRecord:
        return
    assert b"".join(data[at:end] for _, at, _, end in found) == data


def mapping(*pairs: tuple[int, int, int]) -> bytes:
    payload = LIDMigrationMappingSyncPayload(chatDbMigrationTimestamp=1)
    for phone, assigned, latest in pairs:
        payload.pnToLidMappings.add(pn=phone, assignedLid=assigned, latestLid=latest)
    return gzip.compress(payload.SerializeToString())


def test_a_mapping_names_the_latest_lid_of_each_number() -> None:
    assert list(read_mappings(mapping((15550001, 104, 0), (15550002, 205, 206), (0, 1, 1)))) == [
        (15550001, 104),
        (15550002, 206),
    ]


@pytest.mark.parametrize(
    "packed",
    [b"", b"x", mapping((1, 2, 3))[:-1], gzip.compress(b"\x0a\x05x"), gzip.compress(bytes(9 << 20))],
    ids=["empty", "no gzip", "cut off", "no mapping", "too long"],
)
def test_a_damaged_mapping_is_an_error(packed: bytes) -> None:
    with pytest.raises(MalformedHistory):
        list(read_mappings(packed))

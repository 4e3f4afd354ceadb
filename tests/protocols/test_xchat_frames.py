"""Messages of XChat's socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.protocols import thrift
from unifyport.protocols.xchat import (
    KEEP_ALIVE,
    MAX_FRAME,
    EventBatch,
    Frame,
    MessageEvent,
    decode64,
    decode_event,
    decode_frame,
    encode_frame,
)

ONE, TWO = MessageEvent("1", "a", "111", "111:222"), MessageEvent("2", "b", "222", "111:222")


def test_the_keep_alive_of_the_web_application() -> None:
    """A structure in a structure: https://github.com/mautrix/twitter, `websocket.go`."""
    assert encode_frame(KEEP_ALIVE) == bytes.fromhex("0c0002 0c0002 00 00 00".replace(" ", ""))


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        (Frame(message_event=ONE), (ONE,)),
        (Frame(batch=EventBatch((ONE, TWO))), (ONE, TWO)),
        (Frame(message_event=TWO, batch=EventBatch((ONE,))), (TWO, ONE)),
        (Frame(), ()),
    ],
)
def test_a_frame_holds_events_in_their_order(frame: Frame, events: tuple[MessageEvent, ...]) -> None:
    assert decode_frame(encode_frame(frame)).events == events


def test_an_unknown_instruction_is_kept() -> None:
    """`switchToHybridPullInstruction`, which no structure here declares."""
    data = bytes.fromhex("0c00020c00050b00010000000178000000")
    frame = decode_frame(data)
    assert frame.instruction is not None
    assert frame.instruction.pull_messages is None
    assert encode_frame(frame) == data


def test_a_frame_above_the_limit_is_not_read() -> None:
    with pytest.raises(thrift.TooLarge):
        decode_frame(bytes(MAX_FRAME + 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_malformed(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except thrift.ThriftError:
        return
    assert decode_frame(encode_frame(frame)).events == frame.events


@given(st.text(max_size=200))
def test_any_text_is_an_event_or_malformed(text: str) -> None:
    try:
        decode_event(text)
    except thrift.ThriftError:
        return
    assert decode64(MessageEvent, text) == decode_event(text)

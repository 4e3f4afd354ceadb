"""Ids, durations, masks, transitions, bodies."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.duration import parse_duration
from unifyport.model.event import ALL_MASK, EventType, GatewayEventType, encode_body, mask_of, name_of
from unifyport.model.ids import EventIds, new_id
from unifyport.model.inbound import Conversation, Sender, Status, StatusChanged, dedupe_key
from unifyport.model.normalize import normalize
from unifyport.model.parts import address
from unifyport.model.runtime_status import TRANSITIONS, RuntimeStatus, Trigger, UnknownTransition, next_status
from unifyport.model.webhook import standard_key


def test_ids_are_unique_and_prefixed() -> None:
    made = {new_id("acct") for _ in range(1000)}
    assert len(made) == 1000
    assert all(id_.startswith("acct_") and len(id_) == 29 for id_ in made)


@given(st.lists(st.integers(0, 2**47), min_size=1, max_size=50))
def test_event_ids_increase_whatever_the_clock_does(times: list[int]) -> None:
    clock = iter(times)
    ids = EventIds(lambda: next(clock))
    made = [ids() for _ in times]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    after_restart = EventIds(lambda: 0, made[-1])()
    assert after_restart > made[-1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("250ms", 0.25), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5x", "s", "-5s", "5 s", 5, None, True])
def test_what_is_not_a_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_event_numbers_are_for_ever() -> None:
    assert [name.number for name in EventType] == [*range(19), 48]
    assert [name.number for name in GatewayEventType] == [32, 33, 34, 35]
    assert EventType.MESSAGE_RECEIVED.number == 0
    assert name_of(6) == "message.status.updated"


def test_masks() -> None:
    assert mask_of([]) == mask_of(["*"]) == ALL_MASK
    assert mask_of(["message.received", "message.updated"]) == 0b11
    assert ALL_MASK == (1 << 32) - 1  # as masks are stored since the first version
    assert not ALL_MASK >> EventType.PROVIDER_EVENT.number & 1
    assert mask_of(["*", "provider.event"]) == ALL_MASK | 1 << 48
    assert mask_of(["provider.event"]) == 1 << 48
    assert not any(ALL_MASK >> name.number & 1 for name in GatewayEventType)
    with pytest.raises(ValueError, match=r"'message\.recieved'"):
        mask_of(["message.received", "message.recieved"])
    with pytest.raises(ValueError, match="gateway"):
        mask_of(["gateway.endpoint.failing"])


def test_body_holds_both_forms() -> None:
    body = encode_body(
        "evt_1",
        EventType.MESSAGE_RECEIVED,
        provider="telegram",
        account_id="acct_1",
        occurred_at=1_780_790_400_999,
        data={"message": {"id": "5", "text": "hi", "entities": []}, "x": 1},
        sender="7",
    )
    assert msgspec.json.decode(body) == {
        "id": "evt_1",
        "type": "message.received",
        "event": "message.received",
        "event_id": "evt_1",
        "provider": "telegram",
        "account_id": "acct_1",
        "occurred_at": "2026-06-07T00:00:00Z",
        "timestamp": 1_780_790_400,
        "from": "7",
        "text": "hi",
        "message_id": "5",
        "x": 1,
        "data": {"message": {"id": "5", "text": "hi", "entities": []}, "x": 1},
    }


def test_a_status_gives_the_specific_event_then_the_general_one() -> None:
    event = StatusChanged(b"k", Conversation("c", "user"), ["a", "b"], Status.READ, 1_780_790_640_000)
    read, *general = normalize(event)
    assert read.type == "message.read"
    assert read.data["message"] == {"id": "b", "ids": ["a", "b"], "read_at": "2026-06-07T00:04:00Z"}
    assert read.data["read_at"] == "2026-06-07T00:04:00Z"
    assert [(s.type, s.data["message"]["id"], s.data["message"]["status"]) for s in general] == [
        ("message.status.updated", "a", "read"),
        ("message.status.updated", "b", "read"),
    ]
    event.status = Status.SENT
    assert [s.type for s in normalize(event)] == ["message.status.updated"] * 2


def test_addresses_and_keys() -> None:
    assert address(Sender("6590000001@s.whatsapp.net")) == "+6590000001"
    assert address(Sender("6590000001", phone="+6590000001")) == "+6590000001"
    assert address(Sender("7")) == "7"
    assert dedupe_key("ab", "c") != dedupe_key("a", "bc")
    assert len(dedupe_key("a")) == 16


@pytest.mark.parametrize(
    ("status", "trigger", "after"),
    [
        ("unknown", "START", "starting"),
        ("starting", "CONNECTED", "running"),
        ("running", "LINK_LOST", "reconnecting"),
        ("reconnecting", "START", "reconnecting"),
        ("reconnecting", "CONNECTED", "running"),
        ("reconnecting", "EXHAUSTED", "disconnected"),
        ("reconnecting", "CRASH_PARKED", "error"),
        ("running", "LOGIN_LOST", "disconnected"),
        ("running", "STOP", "stopping"),
        ("stopping", "STOPPED", "stopped"),
        ("stopping", "STUCK", "error"),
        ("stopped", "START", "starting"),
    ],
)
def test_runtime_status(status: str, trigger: str, after: str) -> None:
    assert next_status(RuntimeStatus(status), Trigger[trigger]).value == after


def test_a_trigger_that_cannot_happen_is_a_bug() -> None:
    for status in RuntimeStatus:
        for trigger in Trigger:
            if (status, trigger) not in TRANSITIONS:
                with pytest.raises(UnknownTransition):
                    next_status(status, trigger)
    assert (RuntimeStatus.STOPPED, Trigger.CONNECTED) not in TRANSITIONS


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("plain", b"plain"),
        ("whsec_c2VjcmV0", b"secret"),
        ("whsec_c2VjcmV0cw==", b"secrets"),
        ("whsec_c2VjcmV0cw", b"secrets"),
    ],
)
def test_a_secret_is_the_key_that_the_libraries_make_of_it(secret: str, key: bytes) -> None:
    assert standard_key(secret) == key


@pytest.mark.parametrize("secret", ["whsec_", "whsec_==", "whsec_not base64", "whsec_geheimnis-mit-ü"])
def test_a_secret_that_gives_no_key_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        standard_key(secret)

"""Zalo's frames, payloads and parameters: vectors, both roles, and wrong input.

The vectors are written on Node's `crypto` by the recipe of zca-js, which itself judges both roles in
`tests/interop/test_zalo_personal*.py`.
"""

import contextlib
import gzip
import json
import zlib
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.zalo_frames import (
    Command,
    Encrypt,
    Frame,
    LoginCipher,
    SessionCipher,
    ZaloProtocolError,
    key_of,
    open_payload,
    read_frame,
    seal_payload,
    sign,
    write_frame,
)
from unifyport.protocols.zalo_frames.frames import key_frame, old_frame, ping_frame
from unifyport.protocols.zalo_frames.signatures import is_signed

VECTORS = json.loads((Path(__file__).parent / "vectors" / "zalo_frames.json").read_text())
PAYLOADS, LOGIN, SESSION = VECTORS["payloads"], VECTORS["login"], VECTORS["session"]
KEY, NONCES = bytes(range(16)), bytes(range(32))
MIB = 1024 * 1024


def refused(reason: str) -> contextlib.AbstractContextManager[object]:
    return pytest.raises(ZaloProtocolError, match=f"^{reason}$")


def body(mode: int, data: object) -> bytes:
    return json.dumps({"encrypt": mode, "data": data}).encode()


# -- frames --------------------------------------------------------------------------------------------------


def test_a_frame_has_version_command_and_sub_command() -> None:
    assert write_frame(Frame(Command.GROUP_MESSAGES, 0, b"{}")) == b"\x01\x09\x02\x00{}"
    assert read_frame(b"\x01\x09\x02\x00{}") == Frame(Command.GROUP_MESSAGES, 0, b"{}")
    assert read_frame(b"\x02\xff\xff\x07") == Frame(0xFFFF, 7, b"", 2)


def test_what_a_client_writes() -> None:
    ping, old = read_frame(ping_frame(1)), read_frame(old_frame(Command.OLD_USER_MESSAGES, "9", 3))
    assert (ping.command, ping.sub_command, json.loads(ping.body)) == (2, 1, {"eventId": 1})
    assert (old.command, old.sub_command) == (510, 1)
    assert json.loads(old.body) == {"first": True, "lastId": "9", "preIds": [], "req_id": "req_3"}


def test_frames_of_wrong_sizes_and_numbers_are_refused() -> None:
    for short in (b"", b"\x01\x02\x00"):
        with refused("short_frame"):
            read_frame(short)
    with refused("large_frame"):
        read_frame(bytes(11), limit=10)
    with refused("large_frame"):
        write_frame(Frame(1, 1, bytes(8 * MIB)))
    for frame in (Frame(1 << 16, 0), Frame(-1, 0), Frame(1, 256), Frame(1, 1, version=300)):
        with refused("header"):
            write_frame(frame)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_first_frame_has_the_key(size: int) -> None:
    assert key_of(read_frame(key_frame(bytes(size)))) == bytes(size)


def test_a_frame_without_a_key_that_can_be_used() -> None:
    assert key_of(Frame(Command.PING, 1, b'{"key": "AAAA"}')) is None
    assert key_of(Frame(Command.KEY, 0, b"{}")) is None
    for wrong in (b"", b"{}", b'{"key": 1}', b'{"key": "?"}', b'{"key": "\xff"}', b'{"key":"\xc3\xa9"}'):
        with refused("key_frame"):
            key_of(Frame(Command.KEY, 1, wrong))
    with refused("key_size"):
        key_of(Frame(Command.KEY, 1, b'{"key": "AAAA"}'))


# -- payloads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAYLOADS["bodies"])
def test_payloads_of_another_implementation_are_read(name: str) -> None:
    text = open_payload(PAYLOADS["bodies"][name].encode(), KEY)
    assert text.decode() == PAYLOADS["text"]
    assert msgspec.json.decode(text)["data"]["msgs"][0]["ownerId"] == 9_007_199_254_740_993


def test_sealing_gives_the_bytes_of_another_implementation() -> None:
    nonces = bytes(range(0xA0, 0xC0))
    ours = json.loads(seal_payload(PAYLOADS["text"].encode(), Encrypt.SEALED, KEY, nonces))
    assert ours == json.loads(PAYLOADS["bodies"]["sealed_percent"])


@given(text=st.text(max_size=200), mode=st.sampled_from(Encrypt))
def test_what_a_server_seals_a_client_opens(text: str, mode: Encrypt) -> None:
    document = json.dumps({"text": text}).encode()
    assert open_payload(seal_payload(document, mode, KEY, NONCES), KEY) == document


def test_a_plain_payload_may_be_an_object() -> None:
    assert json.loads(open_payload(body(0, {"msgs": []}), None)) == {"msgs": []}


def test_a_payload_that_inflates_to_too_much_is_refused() -> None:
    for packed in (zlib.compress(bytes(64 * MIB)), gzip.compress(bytes(64 * MIB))):
        with refused("large_payload"):
            open_payload(body(1, b64encode(packed).decode()), None, limit=MIB)
    exactly = b64encode(zlib.compress(bytes(MIB))).decode()
    assert len(open_payload(body(1, exactly), None, limit=MIB)) == MIB
    with refused("large_payload"):
        open_payload(body(0, "x" * 11), None, limit=10)


def test_what_is_cut_or_changed_is_refused() -> None:
    packed = zlib.compress(b"text" * 100)
    for wrong in (packed[:-1], packed[:-4] + bytes(4), b"", b"no zlib"):
        with refused("compression"):
            open_payload(body(1, b64encode(wrong).decode()), None)
    sealed = json.loads(seal_payload(b"{}", Encrypt.SEALED, KEY, NONCES))
    with refused("payload_tag"):
        open_payload(json.dumps(sealed).encode(), bytes(16))
    with refused("missing_key"):
        open_payload(json.dumps(sealed).encode(), None)
    with refused("short_payload"):
        open_payload(body(3, b64encode(bytes(47)).decode()), KEY)
    with refused("missing_key"):
        seal_payload(b"{}", Encrypt.SEALED, KEY, b"")


@pytest.mark.parametrize("place", [0, 16, 32, -1])
def test_each_part_of_a_sealed_payload_is_authenticated(place: int) -> None:
    data = bytearray(b64decode(json.loads(PAYLOADS["bodies"]["sealed"])["data"]))
    data[place] ^= 1
    with refused("payload_tag"):
        open_payload(body(3, b64encode(data).decode()), KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"{}",
        b'{"encrypt": 4, "data": ""}',
        b'{"encrypt": -1, "data": ""}',
        b'{"encrypt": "1", "data": ""}',
        b'{"encrypt": 1}',
        b'{"encrypt": 1, "data": {}}',
        b'{"encrypt": 1, "data": null}',
        b'{"encrypt": 0, "data": "\xff"}',
        b'{"encrypt": 0, "data": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_an_envelope_of_another_shape_is_refused(wrong: bytes) -> None:
    with refused("envelope"):
        open_payload(wrong, KEY)


def test_base64_of_another_alphabet_is_refused() -> None:
    for mode, text in ((1, "eJw_"), (1, "eJ w"), (2, "%zz"), (3, "é")):
        with refused("base64"):
            open_payload(body(mode, text), KEY)


# -- parameters and signatures -------------------------------------------------------------------------------


def test_parameters_of_another_implementation() -> None:
    cipher = SessionCipher.of(SESSION["secret"])
    assert cipher.open(SESSION["params"]).decode() == SESSION["document"]
    assert cipher.open(quote(SESSION["params"], safe="")).decode() == SESSION["document"]
    assert cipher.seal(SESSION["document"].encode()) == SESSION["params"]


def test_the_request_for_the_login_info_of_another_implementation() -> None:
    fields = LOGIN["fields"]
    ours = LoginCipher.new(LOGIN["type"], LOGIN["imei"], LOGIN["launched_ms"], fields["zcid_ext"])
    assert (ours.zcid, ours.enc_ver) == (fields["zcid"], fields["enc_ver"])
    assert ours.cipher == SessionCipher(LOGIN["key"].encode())
    assert ours.cipher.seal(LOGIN["document"].encode()) == fields["params"]
    assert sign("getlogininfo", fields) == LOGIN["signkey"]
    assert sign("getserverinfo", LOGIN["server"]) == LOGIN["server_signkey"]
    theirs = LoginCipher.received(fields["zcid"], fields["zcid_ext"])
    assert theirs == ours
    assert theirs.device() == f"30,{LOGIN['imei']},1780790400000"


def test_a_signature_of_other_values_is_refused() -> None:
    assert is_signed("getlogininfo", LOGIN["fields"], LOGIN["signkey"])
    assert not is_signed("getserverinfo", LOGIN["fields"], LOGIN["signkey"])
    assert not is_signed("getlogininfo", {**LOGIN["fields"], "type": 31}, LOGIN["signkey"])
    assert not is_signed("getlogininfo", LOGIN["fields"], "é")


def test_parameters_that_are_none_are_refused() -> None:
    cipher = SessionCipher(KEY)
    for reason, text in (("base64", "!"), ("blocks", ""), ("blocks", "AAAA"), ("base64", "%ff")):
        with refused(reason):
            cipher.open(text)
    with refused("padding"):
        SessionCipher(bytes(16)).open(SESSION["params"])
    with refused("large_parameters"):
        cipher.open("A" * 11, limit=10)
    for secret, reason in (("AAAA", "key_size"), ("?", "base64")):
        with refused(reason):
            SessionCipher.of(secret)
    for zcid, ext in (("", "aa"), ("AB" * 31, "aa"), ("G" * 64, "aa"), ("AB" * 600, "aa")):
        with refused("zcid"):
            LoginCipher.received(zcid, ext)
    for ext in ("", "zz", "a" * 65):
        with refused("zcid_ext"):
            LoginCipher.received("AB" * 32, ext)
    with refused("zcid"):
        LoginCipher.received("AB" * 33, "aa").device()


def test_no_secret_is_shown() -> None:
    assert LOGIN["key"] not in repr(LoginCipher.received(LOGIN["fields"]["zcid"], "aa"))
    assert repr(SessionCipher(KEY)) == "SessionCipher()"


# -- anything ------------------------------------------------------------------------------------------------

ANY_TEXT = st.text(max_size=60) | st.binary(max_size=60).map(lambda data: b64encode(data).decode())


@settings(max_examples=400, deadline=None)
@given(
    message=st.binary(max_size=80)
    | st.builds(lambda mode, data: b"\1\xf5\1\0" + body(mode, data), st.integers(-1, 5), ANY_TEXT)
)
def test_any_message_is_read_or_refused(message: bytes) -> None:
    with contextlib.suppress(ZaloProtocolError):
        frame = read_frame(message)
        key_of(frame)
        open_payload(frame.body, KEY)


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT, zcid=ANY_TEXT, ext=ANY_TEXT)
def test_any_parameters_are_read_or_refused(text: str, zcid: str, ext: str) -> None:
    for attempt in (
        lambda: SessionCipher(KEY).open(text),
        lambda: SessionCipher.of(text),
        lambda: LoginCipher.received(zcid, ext).device(),
    ):
        with contextlib.suppress(ZaloProtocolError):
            attempt()

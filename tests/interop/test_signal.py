"""Sessions and sender keys against Signal's own library, and sessions against PyPI's `DoubleRatchet`.

The first judge is npm `@signalapp/libsignal-client` 0.72.1, the newest release that agrees on sessions by
X3DH, as WhatsApp's devices do; later ones ask for a Kyber key in each bundle.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.interop import judges, peers
from unifyport.protocols.curve import sign, verify
from unifyport.protocols.signal.ciphers import decrypt_cbc, derive, encrypt_cbc, group_keys
from unifyport.protocols.signal.errors import BadMac, BadSignature, Duplicate
from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage, SenderKeyDistribution, SenderKeyMessage
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sender_keys import SenderKeys, encrypt_group
from unifyport.protocols.signal.sessions import decrypt, decrypt_prekey_message, encrypt, start_session

pytestmark = pytest.mark.interop


class Judge(judges.Judge):
    """The other device, in a process of its own."""

    def bundle(self, prekey_id: int | None = 31) -> Bundle:
        answer = self.ask("bundle", prekey_id=prekey_id, signed_prekey_id=9)
        keys = {"identity", "signed_prekey", "signature", "prekey"}
        fields: dict[str, Any] = {
            name: bytes.fromhex(value) if name in keys else value for name, value in answer.items()
        }
        return Bundle(**fields)


@pytest.fixture(scope="module")
def program() -> Path:
    return peers.node(peers.HERE / "signal") / "judge.cjs"


@pytest.fixture
def judge(program: Path) -> Iterator[Judge]:
    with judges.running(Judge, peers.node_program(), str(program)) as running:
        yield running


class Device:
    """Our side: what a connector keeps of it."""

    def __init__(self) -> None:
        self.identity = Identity.create()
        self.signed_prekey = SignedPreKey.create(5, self.identity)
        self.prekey = PreKey.create(77)
        self.record = Record()

    def bundle(self) -> dict[str, Any]:
        bundle = Bundle(
            self.identity.registration_id,
            self.identity.key_pair.public,
            self.signed_prekey.id,
            self.signed_prekey.key_pair.public,
            self.signed_prekey.signature,
            self.prekey.id,
            self.prekey.key_pair.public,
        )
        return attrs.asdict(bundle)

    def encrypt(self, plaintext: bytes) -> dict[str, Any]:
        encrypted = encrypt(self.record, plaintext, self.identity)
        self.record = Record.decode(encrypted.record.encode())
        return {"type": encrypted.type, "body": encrypted.body}

    def decrypt(self, message: dict[str, Any]) -> bytes:
        body = bytes.fromhex(message["body"])
        if message["type"] == "msg":
            decrypted = decrypt(self.record, body, self.identity)
        else:
            decrypted = decrypt_prekey_message(
                self.record,
                PreKeyMessage.parse(body),
                self.identity,
                signed_prekey=self.signed_prekey,
                prekey=self.prekey,
            )
        self.record = Record.decode(decrypted.record.encode())
        return decrypted.plaintext


def begin(judge: Judge, device: Device, *, ours: bool) -> None:
    """A session that one side begins and the other answers in."""
    if ours:
        device.record = start_session(device.record, judge.bundle(), device.identity)
        sent = device.encrypt(b"first")
        assert sent["type"] == "pkmsg"
        answer = judge.ask("decrypt", **sent)
        assert answer == {"plaintext": b"first".hex(), "prekeys": []}  # the one-time prekey is used up
        assert device.decrypt(judge.ask("encrypt", plaintext=b"answer")) == b"answer"
    else:
        assert judge.ask("start", **device.bundle()) == {}
        first = judge.ask("encrypt", plaintext=b"first")
        assert first["type"] == "pkmsg"
        assert device.decrypt(first) == b"first"
        assert judge.ask("decrypt", **device.encrypt(b"answer"))["plaintext"] == b"answer".hex()


@pytest.mark.parametrize("ours", [True, False], ids=["we begin", "the judge begins"])
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_read_each_other_in_any_order(judge: Judge, ours: bool, seed: int) -> None:
    device, chance = Device(), random.Random(seed)
    begin(judge, device, ours=ours)
    to_judge: list[tuple[bytes, dict[str, Any]]] = []
    to_us: list[tuple[bytes, dict[str, Any]]] = []
    for number in range(150):
        plaintext = bytes([number]) * chance.randrange(1, 400)
        if chance.random() < 0.5:
            to_judge.append((plaintext, device.encrypt(plaintext)))
        else:
            to_us.append((plaintext, judge.ask("encrypt", plaintext=plaintext)))
        while to_judge and chance.random() < 0.4:
            plaintext, sent = to_judge.pop(chance.randrange(len(to_judge)))
            assert judge.ask("decrypt", **sent)["plaintext"] == plaintext.hex()
        while to_us and chance.random() < 0.4:
            plaintext, sent = to_us.pop(chance.randrange(len(to_us)))
            assert device.decrypt(sent) == plaintext


def test_a_burst_is_read_backwards(judge: Judge) -> None:
    device = Device()
    begin(judge, device, ours=True)
    ours = [device.encrypt(b"%d" % number) for number in range(200)]
    theirs = [judge.ask("encrypt", plaintext=b"%d" % number) for number in range(200)]
    for number in reversed(range(200)):
        assert judge.ask("decrypt", **ours[number])["plaintext"] == (b"%d" % number).hex()
        assert device.decrypt(theirs[number]) == b"%d" % number
    with pytest.raises(Duplicate):
        device.decrypt(theirs[7])
    assert judge.ask("decrypt", **ours[7])["error"] == "DuplicatedMessage"


def test_prekey_messages_go_on_until_an_answer_and_arrive_in_any_order(judge: Judge) -> None:
    device = Device()
    assert judge.ask("start", **device.bundle()) == {}
    sent = [judge.ask("encrypt", plaintext=b"%d" % number) for number in range(5)]
    assert {message["type"] for message in sent} == {"pkmsg"}
    for number in (3, 0, 4, 1, 2):
        assert device.decrypt(sent[number]) == b"%d" % number
    assert device.encrypt(b"")["type"] == "msg"


def test_a_session_without_a_one_time_prekey(judge: Judge) -> None:
    device = Device()
    device.record = start_session(device.record, judge.bundle(prekey_id=None), device.identity)
    assert judge.ask("decrypt", **device.encrypt(b"none left"))["plaintext"] == b"none left".hex()
    assert device.decrypt(judge.ask("encrypt", plaintext=b"back")) == b"back"


def test_sessions_that_cross_converge(judge: Judge) -> None:
    device = Device()
    device.record = start_session(device.record, judge.bundle(), device.identity)
    ours = device.encrypt(b"ours")
    assert judge.ask("start", **device.bundle()) == {}
    theirs = judge.ask("encrypt", plaintext=b"theirs")
    assert device.decrypt(theirs) == b"theirs"
    assert judge.ask("decrypt", **ours)["plaintext"] == b"ours".hex()
    for number in range(10):
        assert judge.ask("decrypt", **device.encrypt(b"%d" % number))["plaintext"] == (b"%d" % number).hex()
        assert device.decrypt(judge.ask("encrypt", plaintext=b"%d" % number)) == b"%d" % number


def test_a_session_is_renewed_and_the_former_one_is_still_read(judge: Judge) -> None:
    device = Device()
    begin(judge, device, ours=False)
    late = judge.ask("encrypt", plaintext=b"late")
    device.record = start_session(device.record.archive(), judge.bundle(), device.identity)
    assert judge.ask("decrypt", **device.encrypt(b"anew"))["plaintext"] == b"anew".hex()
    assert device.decrypt(late) == b"late"
    assert device.decrypt(judge.ask("encrypt", plaintext=b"again")) == b"again"


def test_a_forged_signed_prekey_is_refused_by_both(judge: Judge) -> None:
    device = Device()
    bundle = judge.bundle()
    forged = attrs.evolve(bundle, signed_prekey=Identity.create().key_pair.public)
    with pytest.raises(BadSignature):
        start_session(device.record, forged, device.identity)
    start_session(device.record, bundle, device.identity)
    fields = device.bundle()
    assert judge.ask("start", **{**fields, "signed_prekey": Identity.create().key_pair.public})["error"]
    assert judge.ask("start", **fields) == {}


def test_a_damaged_message_changes_nothing_at_either_side(judge: Judge) -> None:
    device = Device()
    begin(judge, device, ours=True)
    sent, received = device.encrypt(b"ours"), judge.ask("encrypt", plaintext=b"theirs")
    damaged = bytearray(sent["body"])
    damaged[-9] ^= 1
    assert judge.ask("decrypt", type="msg", body=bytes(damaged))["error"]
    assert judge.ask("decrypt", **sent)["plaintext"] == b"ours".hex()
    damaged = bytearray.fromhex(received["body"])
    damaged[-9] ^= 1
    with pytest.raises(BadMac):
        device.decrypt({"type": "msg", "body": damaged.hex()})
    assert device.decrypt(received) == b"theirs"


def test_signatures_and_key_derivation_agree(judge: Judge) -> None:
    identity, other = Identity.create(), judge.bundle().identity
    for number in range(10):
        message = bytes([number]) * number
        signature = sign(identity.key_pair.private, message)
        fields = {"public": identity.key_pair.public, "message": message}
        assert judge.ask("verify", signature=signature, **fields) == {"valid": True}
        assert judge.ask("verify", signature=bytes(64), **fields) == {"valid": False}
        theirs = bytes.fromhex(judge.ask("sign", message=message)["signature"])
        assert verify(other, message, theirs)
        assert not verify(other, message + b"x", theirs)
    derived = judge.ask("hkdf", length=80, secret=b"secret", info=b"WhisperMessageKeys", salt=bytes(32))
    assert derived["derived"] == derive(b"secret", b"WhisperMessageKeys", 80).hex()


def test_the_judge_reads_our_sender_key_from_where_it_was_given(judge: Judge) -> None:
    keys = SenderKeys().create()
    _, keys = encrypt_group(keys, b"before the judge joined")
    given = SenderKeyDistribution.parse(keys.distribution())
    judge.ask("accept", **attrs.asdict(given))
    sent = []
    for number in range(20):
        body, keys = encrypt_group(keys, b"%d" % number)
        sent.append(SenderKeyMessage.parse(body))
    for number in (19, 0, 7, 6, 18):
        message = sent[number]
        answer = judge.ask(
            "decrypt_group",
            id=message.id,
            iteration=message.iteration,
            ciphertext=message.ciphertext,
            signing_private=keys.states[0].signing_private,
        )
        assert answer == {"plaintext": (b"%d" % number).hex()}


def test_we_read_the_judge_s_sender_key(judge: Judge) -> None:
    given = judge.ask("distribute")
    distribution = SenderKeyDistribution(
        given["id"],
        given["iteration"],
        bytes.fromhex(given["chain_key"]),
        bytes.fromhex(given["signing_key"]),
    )
    chain = SenderKeys().accept(distribution.encode()).states[0].chain
    sent = [judge.ask("encrypt_group", plaintext=b"%d" % number) for number in range(20)]
    for number in (19, 0, 7, 6, 18):
        message = sent[number]
        body = bytes.fromhex(message["body"])
        assert verify(distribution.signing_key, body[:-64], body[-64:])
        seed, chain = chain.take(message["iteration"])
        key, iv = group_keys(seed)
        assert decrypt_cbc(key, iv, bytes.fromhex(message["ciphertext"])) == b"%d" % number
        assert encrypt_cbc(key, iv, b"%d" % number).hex() == message["ciphertext"]


@pytest.fixture
def second() -> Iterator[Judge]:
    """A second opinion: PyPI's `X3DH` and `DoubleRatchet`."""
    interpreter = peers.python(peers.HERE / "python" / "double_ratchet.in")
    with judges.running(
        Judge, str(interpreter), str(peers.HERE / "python" / "double_ratchet_judge.py")
    ) as running:
        yield running


@pytest.mark.parametrize("ours", [True, False], ids=["we begin", "the judge begins"])
def test_a_second_opinion_on_agreement_and_ratchet(second: Judge, ours: bool) -> None:
    device, chance = Device(), random.Random(3)
    if ours:
        given = {name: bytes.fromhex(value) for name, value in second.ask("bundle").items()}
        bundle = Bundle(
            1, given["identity"], 9, given["signed_prekey"], given["signature"], 31, given["prekey"]
        )
        device.record = start_session(device.record, bundle, device.identity)
        first = device.encrypt(b"first")
        assert second.ask("accept", body=first["body"]) == {"plaintext": b"first".hex()}
    else:
        names = ("identity", "signed_prekey", "signature", "prekey")
        bundle_ = device.bundle()
        body = second.ask("start", plaintext=b"first", **{name: bundle_[name] for name in names})["body"]
        assert device.decrypt({"type": "pkmsg", "body": body}) == b"first"
        assert second.ask("decrypt", **sent_by(device, b"answer")) == {"plaintext": b"answer".hex()}
    assert device.decrypt({"type": "msg", **second.ask("encrypt", plaintext=b"hi")}) == b"hi"
    for turn in range(12):
        ours_, theirs = range(chance.randrange(1, 9)), range(chance.randrange(1, 9))
        to_judge = [(b"%d %d" % (turn, each), sent_by(device, b"%d %d" % (turn, each))) for each in ours_]
        to_us = [
            (b"%d %d" % (turn, each), second.ask("encrypt", plaintext=b"%d %d" % (turn, each)))
            for each in theirs
        ]
        chance.shuffle(to_judge)
        chance.shuffle(to_us)
        for plaintext, sent in to_judge:
            assert second.ask("decrypt", **sent) == {"plaintext": plaintext.hex()}
        for plaintext, sent in to_us:
            assert device.decrypt({"type": "msg", **sent}) == plaintext


def sent_by(device: Device, plaintext: bytes) -> dict[str, Any]:
    sent = device.encrypt(plaintext)
    assert sent["type"] == "msg"
    return {"body": sent["body"]}

"""Linking a device by QR code and by a typed code, both sides, and everything that must not link."""

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.curve import KeyPair, sign
from unifyport.protocols.whatsapp import link_code
from unifyport.protocols.whatsapp.login_pb2 import (
    HOSTED,
    ADVDeviceIdentity,
    ADVSignedDeviceIdentity,
    ADVSignedDeviceIdentityHMAC,
    ClientPayload,
    DeviceProps,
)
from unifyport.protocols.whatsapp.pairing import (
    PairingRefused,
    accept_pairing,
    client_type,
    is_signed_by_device,
    offer_pairing,
    qr_text,
    read_qr,
)
from unifyport.protocols.whatsapp.payload import Appearance, Registration, login_payload, registration_payload

PHONE = KeyPair.from_private(b"p" * 32)
DEVICE = KeyPair.from_private(b"d" * 32)
SECRET = b"a" * 32
DETAILS = ADVDeviceIdentity(rawID=1, timestamp=2, keyIndex=3)


def offer() -> bytes:
    return offer_pairing(PHONE, adv_secret=SECRET, identity=DEVICE.public, details=DETAILS)


def sealed_again(signed: ADVSignedDeviceIdentity) -> bytes:
    """With a right HMAC, which takes the secret in the QR code."""
    body = signed.SerializeToString()
    mac = hmac.digest(SECRET, body, "sha256")
    return ADVSignedDeviceIdentityHMAC(details=body, HMAC=mac).SerializeToString()


def signed() -> ADVSignedDeviceIdentity:
    return ADVSignedDeviceIdentity.FromString(ADVSignedDeviceIdentityHMAC.FromString(offer()).details)


# -- QR


def test_a_qr_code_carries_the_keys_of_the_device() -> None:
    text = qr_text("2@ref", noise=b"n" * 32, identity=b"i" * 32, adv_secret=SECRET, browser="FIREFOX")
    assert text.startswith("https://wa.me/settings/linked_devices#2@ref,")
    assert text.endswith(",3")
    scanned = read_qr(text)
    assert (scanned.ref, scanned.noise, scanned.identity) == ("2@ref", b"n" * 32, b"i" * 32)
    assert scanned.adv_secret == SECRET
    assert read_qr(text.rpartition("#")[2]) == scanned  # the form without an address, of older clients
    assert client_type("NO_SUCH_BROWSER") == "9"
    with pytest.raises(ValueError, match="not enough"):
        read_qr("2@ref,only")


def test_a_device_accepts_the_identity_that_its_phone_signed() -> None:
    paired = accept_pairing(offer(), adv_secret=SECRET, identity=DEVICE)
    assert (paired.key_index, paired.account_key) == (3, PHONE.public)
    assert is_signed_by_device(paired.reply, account_key=PHONE.public, identity=DEVICE.public)
    assert not is_signed_by_device(paired.reply, account_key=DEVICE.public, identity=DEVICE.public)
    assert not is_signed_by_device(offer(), account_key=PHONE.public, identity=DEVICE.public)
    assert not ADVSignedDeviceIdentity.FromString(paired.reply).HasField("accountSignatureKey")
    assert ADVSignedDeviceIdentity.FromString(paired.account).accountSignatureKey == PHONE.public


def test_a_device_that_a_business_hosts_is_signed_with_another_prefix() -> None:
    body = ADVDeviceIdentity(keyIndex=1, deviceType=HOSTED).SerializeToString()
    whole = ADVSignedDeviceIdentity(
        details=body,
        accountSignatureKey=PHONE.public,
        accountSignature=sign(PHONE.private, b"\x06\x05" + body + DEVICE.public),
    ).SerializeToString()
    mac = hmac.digest(SECRET, b"\x06\x05" + whole, "sha256")
    message = ADVSignedDeviceIdentityHMAC(details=whole, HMAC=mac, accountType=HOSTED).SerializeToString()
    assert accept_pairing(message, adv_secret=SECRET, identity=DEVICE).key_index == 1


@pytest.mark.parametrize("field", ["accountSignature", "accountSignatureKey", "details"])
def test_an_identity_that_the_phone_did_not_sign_is_refused(field: str) -> None:
    wrong = signed()
    value = getattr(wrong, field)
    setattr(wrong, field, value[:-1] + bytes((value[-1] ^ 1,)))
    with pytest.raises(PairingRefused) as refused:
        accept_pairing(sealed_again(wrong), adv_secret=SECRET, identity=DEVICE)
    assert (refused.value.text, refused.value.code) == ("signature-mismatch", 401)


def test_an_identity_for_another_device_is_refused() -> None:
    with pytest.raises(PairingRefused, match="signature-mismatch"):
        accept_pairing(offer(), adv_secret=SECRET, identity=PHONE)


def test_a_platform_that_did_not_see_the_qr_code_cannot_link() -> None:
    with pytest.raises(PairingRefused, match="hmac-mismatch"):
        accept_pairing(offer(), adv_secret=b"b" * 32, identity=DEVICE)


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_no_changed_identity_links(data: st.DataObject) -> None:
    wrong = bytearray(offer())
    at, mask = data.draw(st.integers(0, len(wrong) - 1)), data.draw(st.integers(1, 255))
    wrong[at] ^= mask
    try:
        paired = accept_pairing(bytes(wrong), adv_secret=SECRET, identity=DEVICE)
    except PairingRefused:
        return
    assert paired.account_key == PHONE.public  # only an unknown field changed


# -- code


def test_phone_and_device_agree_by_a_typed_code() -> None:
    companion = link_code.Companion.start()
    assert len(companion.code) == 8
    assert set(companion.code) <= set(link_code.ALPHABET)
    assert companion.code not in repr(companion)
    primary = link_code.Primary.answer(companion.code, companion.hello, PHONE)
    bundle, secret = companion.finish(primary.hello, PHONE.public, DEVICE)
    assert primary.finish(bundle, DEVICE.public) == secret
    accept_pairing(
        offer_pairing(PHONE, adv_secret=secret, identity=DEVICE.public, details=DETAILS),
        adv_secret=secret,
        identity=DEVICE,
    )
    with pytest.raises(link_code.LinkCodeError, match="other identity"):
        primary.finish(bundle, PHONE.public)
    with pytest.raises(link_code.LinkCodeError):
        primary.finish(bundle[:-1], DEVICE.public)
    with pytest.raises(link_code.LinkCodeError):
        primary.finish(b"", DEVICE.public)


def test_another_code_does_not_link() -> None:
    companion = link_code.Companion.start()
    primary = link_code.Primary.answer(link_code.new_code(), companion.hello, PHONE)
    bundle, _ = companion.finish(primary.hello, PHONE.public, DEVICE)
    with pytest.raises(link_code.LinkCodeError, match="another code"):
        primary.finish(bundle, DEVICE.public)


@pytest.mark.parametrize("hello", [b"", bytes(79), bytes(81)])
def test_a_wrapped_key_has_its_length(hello: bytes) -> None:
    companion = link_code.Companion.start()
    with pytest.raises(link_code.LinkCodeError, match="80 bytes"):
        companion.finish(hello, PHONE.public, DEVICE)


def test_an_identity_of_low_order_is_refused() -> None:
    companion = link_code.Companion.start()
    with pytest.raises(link_code.LinkCodeError, match="cannot be used"):
        companion.finish(companion.hello, bytes(32), DEVICE)


# -- payload

APPEARANCE = Appearance((2, 3000, 1045649367))


def test_a_new_device_tells_its_keys() -> None:
    registration = Registration(0x1234, DEVICE.public, 1, PHONE.public, b"s" * 64)
    payload = ClientPayload.FromString(registration_payload(APPEARANCE, registration))
    data = payload.devicePairingData
    assert (data.eRegid, data.eKeytype, data.eSkeyID) == (b"\0\0\x12\x34", b"\x05", b"\0\0\1")
    props = DeviceProps.FromString(data.deviceProps)
    assert (props.os, props.platformType) == ("Ubuntu", DeviceProps.CHROME)
    assert not payload.HasField("username")
    with pytest.raises(ValueError, match="NO_SUCH"):
        registration_payload(Appearance((2, 0, 0), browser="NO_SUCH"), registration)


def test_a_login_is_the_same_each_time_but_for_its_count() -> None:
    device = Jid("15550001", "s.whatsapp.net", 7)
    first, again, second = (login_payload(APPEARANCE, device, logins=logins) for logins in (0, 0, 1))
    assert first == again
    payload = ClientPayload.FromString(second)
    assert (payload.username, payload.device, payload.lc) == (15550001, 7, 2)
    assert not payload.userAgent.HasField("phoneID")
    payload.lc = 1
    assert payload.SerializeToString() == first

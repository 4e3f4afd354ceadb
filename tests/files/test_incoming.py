"""Links of files that customers send: the handle that is sealed into them, and what it is kept out of."""

import base64
import logging
import os
from pathlib import Path

import msgspec
import pytest

from tests.harness import endpoint, gateway, receiver, settings_of
from tests.reference.serving import CHANNEL, REGISTRY, declared, reference_platform
from unifyport.config.settings import Media
from unifyport.config.settings.values import Size
from unifyport.files.media_links import MAX_LINK, MediaLinks, MediaUnavailable, Missing
from unifyport.model.inbound import (
    MAX_HANDLE,
    Attachment,
    Content,
    Conversation,
    MessageReceived,
    Sender,
)
from unifyport.model.message import FetchMedia
from unifyport.model.normalize import normalize
from unifyport.process.clock import Clock
from unifyport.storage.sealing import KeyRing

BASE, ACCOUNT = "https://gateway.example", "acct_1"
NOW = 1_780_000_000_000
KEY = KeyRing.new_key()
HANDLE = b"a media key, a path"


def links(keys: str = KEY, now: int = NOW) -> MediaLinks:
    return MediaLinks(
        KeyRing.parse(keys), BASE, Media(), registry=REGISTRY, clock=Clock.without_steps(lambda: now)
    )


def token_of(attachment: Attachment, made: MediaLinks | None = None) -> str:
    return (made or links()).link(ACCOUNT, CHANNEL, attachment).removeprefix(f"{BASE}/media/")


def missing(token: str, at: MediaLinks | None = None) -> Missing:
    with pytest.raises(MediaUnavailable) as caught:
        (at or links()).read(token)
    return caught.value.missing


def test_a_link_gives_the_handle_back_as_it_was() -> None:
    for handle in (HANDLE, b"\0", b"{", os.urandom(MAX_HANDLE)):
        token = token_of(Attachment("image", "public", "a.png", "image/png", 5, handle=handle))
        account_id, reference = links().read(token)  # as after a restart: another object, the same keys
        assert (account_id, reference.handle) == (ACCOUNT, handle)
        assert (reference.title, reference.mime_type, reference.size) == ("a.png", "image/png", 5)


def test_without_a_handle_it_is_the_public_id() -> None:
    assert links().read(token_of(Attachment("image", "AgAC-é")))[1].handle == "AgAC-é".encode()


def test_a_link_outlives_a_rotation_of_keys_and_expires() -> None:
    token = token_of(Attachment("image", "public", handle=HANDLE))
    assert links(f"{KEY}\n{KeyRing.new_key()}").read(token)[1].handle == HANDLE
    assert missing(token, links(KeyRing.new_key())) is Missing.NO_LINK
    later = NOW + int(Media().link_lifetime * 1000) + 1
    assert missing(token, links(now=later)) is Missing.GONE


def test_a_link_reveals_nothing() -> None:
    token = token_of(Attachment("image", "public-id", "invoice.pdf", handle=HANDLE))
    text = token.partition(".")[2]
    sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for secret in (b"public-id", HANDLE, b"invoice"):
        assert secret not in sealed
        assert secret.decode() not in token
    assert token != token_of(Attachment("image", "public-id", "invoice.pdf", handle=HANDLE))


def test_a_changed_link_is_no_link() -> None:
    token = token_of(Attachment("image", "public", handle=HANDLE))
    account_id, _, text = token.partition(".")
    for position in range(len(text) - 1):  # the last letter also has bits that mean nothing
        other = "B" if text[position] == "A" else "A"
        assert missing(f"{account_id}.{text[:position]}{other}{text[position + 1 :]}") is Missing.NO_LINK
    for changed in (f"acct_2.{text}", text, f"{account_id}.", f"{account_id}.{text[:-8]}", f"{token}AAAA"):
        assert missing(changed) is Missing.NO_LINK


def test_what_is_sealed_for_another_purpose_or_unknown_is_no_link() -> None:
    ring = KeyRing.parse(KEY)
    for purpose, plain in (("cursor", b"{}"), ("media", b"{}"), ("media", b"\x91\x01"), ("media", b"")):
        assert missing(f"{ACCOUNT}.{ring.seal_text(purpose, plain, context=ACCOUNT)}") is Missing.NO_LINK


def test_links_made_before_handles_work() -> None:
    old = {"file_id": "AgAC", "expires_at": NOW + 1, "mime_type": "image/png", "title": "a", "size": None}
    token = KeyRing.parse(KEY).seal_text("media", msgspec.json.encode(old), context=ACCOUNT)
    account_id, reference = links().read(f"{ACCOUNT}.{token}")
    assert (account_id, reference.handle, reference.title) == (ACCOUNT, b"AgAC", "a")
    assert missing(f"{ACCOUNT}.{token}", links(now=NOW + 2)) is Missing.GONE


def test_a_link_has_a_longest_form() -> None:
    wide = "\U0001f600" * 10_000
    longest = Attachment("image", "public", wide, wide, 2**40, handle=os.urandom(MAX_HANDLE))
    url = MediaLinks(
        KeyRing.parse(KEY),
        "",
        Media(max_file=Size(2**50)),
        registry=REGISTRY,
        clock=Clock.without_steps(lambda: NOW),
    ).link(ACCOUNT, CHANNEL, longest)
    assert 0 < len(url) <= MAX_LINK
    assert len(token_of(Attachment("image", "public", handle=bytes(300)))) < 700


def test_a_handle_that_is_too_long_has_no_link(caplog: pytest.LogCaptureFixture) -> None:
    handle = b"secret" * MAX_HANDLE
    assert token_of(Attachment("image", "public", handle=handle[: MAX_HANDLE + 1])) == ""
    assert token_of(Attachment("image", "p" * (MAX_HANDLE + 1))) == ""
    assert "no link" in caplog.text
    assert "secret" not in caplog.text


def test_no_event_and_no_text_of_an_object_has_the_handle() -> None:
    attachment = Attachment("image", "public", url="https://link", handle=HANDLE)
    content = Content("m", "image", attachments=[attachment])
    event = MessageReceived(b"k", Conversation("c", "user"), Sender("s"), content, NOW)
    [standard, *_] = normalize(event)
    assert standard.data["message"]["attachments"] == [
        {"type": "image", "url": "https://link", "metadata": {"provider_file_id": "public"}}
    ]
    reference = links().read(token_of(attachment))[1]
    for shown in (standard, event, FetchMedia(HANDLE, "path", 1, 1), reference):
        assert "a media key" not in repr(shown)


async def test_the_platform_gives_a_file_for_its_handle_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with reference_platform() as everything, receiver() as inbox:
        settings = settings_of(tmp_path, declared(everything) + endpoint(inbox.url), registry=REGISTRY)
        platform = everything.platform
        file, long, refused = (platform.keep(content) for content in (b"a picture", b"another", b"a third"))
        platform.keys[long] = "media-key-" + "k" * 3000
        keys = [platform.keys[each] for each in (file, long, refused)]
        channels = [*REGISTRY.channels.values()]
        async with gateway(settings, channels) as api:
            await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
            for each in (file, long, refused):
                platform.write("", kind="image", file=each, size=len(platform.files[each]))
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            attachments = [e["data"]["message"]["attachments"][0] for e in inbox.of("message.received")]
            assert [a["metadata"] for a in attachments] == [
                {"provider_file_id": each} for each in (file, long, refused)
            ]
            urls = [attachment["url"].removeprefix(str(api.http.base_url)) for attachment in attachments]
            assert (await api.http.get(urls[1])).content == b"another"
            platform.keys[refused] = "media-key-another"
            answer = await api.http.get(urls[2])
            assert (answer.status_code, answer.json()["error"]["message"]) == (410, "media_not_found")
            shown = [answer.text, (await api.http.get("/metrics")).text]
            shown += [
                (await api("GET", path)).text for path in ("/v1/events", "/v1/accounts", "/v1/messages")
            ]
        async with gateway(settings, channels) as api:  # after a restart
            await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
            assert (await api.http.get(urls[0])).content == b"a picture"
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    shown += [msgspec.json.encode(inbox.deliveries).decode(), caplog.text, stored.decode("latin-1")]
    assert "media_not_found" in shown[0]
    for key in (*keys, "media-key-"):
        assert not [text for text in shown if key in text]

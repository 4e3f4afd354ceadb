"""Albums: files that the gateway uploads, beside those that Telegram has or fetches."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from tests.api.test_telegram_sends import World, world
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.telegram.bot.albums import render_album
from unifyport.sandbox.serving import listen, new_app

__all__ = ["world"]
HTTPS = "https://files.example/a.jpg"


@contextlib.asynccontextmanager
async def files(contents: dict[str, bytes]) -> AsyncIterator[str]:
    """A web server with these files; its base URL."""
    app = new_app("files")

    async def serve(name: str) -> Any:
        await trio.lowlevel.checkpoint()
        return (contents[name], 200) if name in contents else (b"", 404)

    app.add_url_rule("/<name>", "serve", serve, methods=["GET"])
    async with trio.open_nursery() as nursery:
        yield await nursery.start(listen, app, "127.0.0.1", 0)
        nursery.cancel_scope.cancel()


async def upload(world: World, name: str, content: bytes, kind: str) -> str:
    answer = await world.api("POST", "/v1/media", files={"file": (name, content, kind)})
    return str(answer.json()["data"]["file_key"])


def content_of(world: World, message: dict[str, Any], kind: str) -> bytes:
    file = message[kind][-1] if kind == "photo" else message[kind]
    return world.platform.telegram.files[file["file_id"]]


async def test_uploads_fetched_files_and_files_of_telegram_in_one_album(world: World) -> None:
    key = await upload(world, "a.jpg", b"uploaded", "image/jpeg")
    async with files({"b.mp4": b"fetched"}) as base:
        album = [
            {"type": "photo", "file_key": key},
            {"type": "video", "url": f"{base}/b.mp4", "caption": "two", "width": 640, "duration": 9},
            {"type": "photo", "media": HTTPS},
        ]
        answer = await world.send(text="one", provider_data={"album": album, "disable_notification": True})
    assert answer.status_code == 200, answer.text
    photo, video, other = [*world.bot.sent][-3:]
    assert content_of(world, photo, "photo") == b"uploaded"
    assert content_of(world, video, "video") == b"fetched"
    assert content_of(world, other, "photo") == b""
    assert (photo["caption"], video["caption"], "caption" in other) == ("one", "two", False)
    assert (video["video"]["width"], video["video"]["duration"]) == (640, 9)
    assert (video["video"]["file_name"], video["disable_notification"]) == ("b.mp4", "true")
    assert len({message["media_group_id"] for message in (photo, video, other)}) == 1
    data = answer.json()["data"]
    ids = [str(message["message_id"]) for message in (photo, video, other)]
    assert (data["message_id"], data["provider_ref"]) == (ids[0], ",".join(ids))
    number = video["message_id"]
    for place in (ids[1], number, {"message_id": ids[1]}, {"message_id": number}):
        for more in ({"reply_to": place}, {"provider_data": {"reply_to": place}}):
            assert (await world.send(text="x", **more)).status_code == 200, more
            assert [*world.bot.sent][-1]["reply_to_message"]["message_id"] == number


async def test_an_album_as_a_reply_with_marks_and_names(world: World) -> None:
    key = await upload(world, "a.pdf", b"%PDF", "application/pdf")
    marks = [{"type": "bold", "offset": 2, "length": 3}]
    album = [
        {"type": "document", "file_key": key, "name": "offer.pdf"},
        {"type": "document", "file_key": key, "caption": "😀 two", "caption_entities": marks},
    ]
    quoted = world.inbox.of("message.received")[0]["message_id"]
    data = {"album": album, "entities": marks}
    answer = await world.send(text="😀 one", reply_to=quoted, provider_data=data)
    assert answer.status_code == 200, answer.text
    first, second = [*world.bot.sent][-2:]
    assert first["document"]["file_name"] == "offer.pdf"
    in_utf16 = [{"type": "bold", "offset": 3, "length": 3}]
    assert first["caption_entities"] == second["caption_entities"] == in_utf16
    assert first["reply_to_message"]["text"] == "hello"


async def test_a_file_of_an_album_that_cannot_be_had_sends_nothing(world: World) -> None:
    key = await upload(world, "a.jpg", b"uploaded", "image/jpeg")
    good = {"type": "photo", "file_key": key}
    async with files({}) as base:
        wrong = [
            ({"type": "photo", "url": f"{base}/no.jpg"}, "url"),
            ({"type": "photo", "file_key": "file_" + "0" * 24}, "file_key"),
        ]
        for item, field in wrong:
            text = await world.refused(provider_data={"album": [good, item]})
            assert f"provider_data.album[1].{field}: " in text
    assert not world.bot.sent


async def test_a_photo_of_an_album_has_the_limit_of_a_photo(world: World) -> None:
    large = b"x" * (10 * 1024 * 1024 + 1)
    key = await upload(world, "a.jpg", large, "image/jpeg")
    album = [{"type": "photo", "file_key": key}, {"type": "photo", "media": HTTPS}]
    assert "at most 10485760 bytes" in await world.refused(provider_data={"album": album})
    documents = [{"type": "document", "file_key": key}] * 2
    assert (await world.send(provider_data={"album": documents})).status_code == 200


async def test_a_live_photo_has_two_files(world: World) -> None:
    video = await upload(world, "a.mp4", b"moves", "video/mp4")
    photo = await upload(world, "a.jpg", b"stands", "image/jpeg")
    live = {"type": "live_photo", "file_key": video, "photo_file_key": photo}
    album = [live, {"type": "photo", "media": HTTPS}]
    assert (await world.send(provider_data={"album": album})).status_code == 200
    sent = world.bot.sent[-2]
    assert content_of(world, sent, "live_photo") == b"moves"
    [picture] = sent["live_photo"]["photo"]
    assert world.platform.telegram.files[picture["file_id"]] == b"stands"


PHOTO = {"type": "photo", "media": HTTPS}
REFUSED: list[tuple[list[Any], str]] = [
    ([PHOTO], "album: must have 2 to 10 files"),
    ([PHOTO] * 11, "album: must have 2 to 10 files"),
    ([PHOTO, "photo"], "album[1].type:"),
    ([PHOTO, {"type": ["photo"]}], "album[1].type:"),
    ([PHOTO, {"type": "animation", "media": "x"}], "album[1].type:"),
    ([PHOTO, {"type": "photo"}], "album[1].media: needs one of media, file_key, url"),
    ([PHOTO, {**PHOTO, "file_key": "k"}], "album[1].file_key: needs one of"),
    ([PHOTO, {"type": "photo", "media": "attach://x"}], "album[1].media:"),
    ([PHOTO, {"type": "photo", "media": True}], "album[1].media:"),
    ([PHOTO, {"type": "photo", "media": "http://a.example/a.jpg"}], "album[1].media:"),
    ([PHOTO, {"type": "photo", "url": "ftp://a.example"}], "album[1].url:"),
    ([PHOTO, {"type": "photo", "url": 5}], "album[1].url:"),
    ([PHOTO, {"type": "photo", "file_key": ""}], "album[1].file_key:"),
    ([PHOTO, {**PHOTO, "has_spoiler": 1}], "album[1].has_spoiler: must be: boolean"),
    ([PHOTO, {"type": "video", "media": "x", "width": True}], "album[1].width: must be: integer"),
    ([PHOTO, {**PHOTO, "captoin": "x"}], "album[1].captoin: has no effect on photo"),
    ([PHOTO, {**PHOTO, "performer": "x"}], "album[1].performer: has no effect on photo"),
    ([PHOTO, {**PHOTO, "name": "x" * 1001}], "album[1].name:"),
    ([PHOTO, {**PHOTO, "caption": "x" * 1025}], "album[1].caption:"),
    ([PHOTO, {**PHOTO, "caption": 5}], "album[1].caption:"),
    ([PHOTO, {**PHOTO, "parse_mode": "HTML"}], "album[1].parse_mode: there is no caption"),
    ([PHOTO, {**PHOTO, "caption": "x", "parse_mode": "BB"}], "parse_mode is Markdown"),
    (
        [PHOTO, {**PHOTO, "caption": "x", "caption_entities": [{"type": "bold", "offset": 0, "length": 2}]}],
        "album[1].caption_entities[0]:",
    ),
    ([PHOTO, {"type": "audio", "media": "x"}], "album: audio and documents are not mixed"),
    ([{"type": "document", "media": "x"}, {"type": "audio", "media": "x"}], "album: audio and documents"),
    ([PHOTO, {"type": "live_photo", "media": HTTPS, "photo": "x"}], "album[1].media: must be a file_id"),
    ([PHOTO, {"type": "live_photo", "media": "x"}], "album[1].photo: needs one of photo, photo_file_key"),
]


@pytest.mark.parametrize(("album", "words"), REFUSED)
def test_what_telegram_would_refuse(album: list[Any], words: str) -> None:
    with pytest.raises(Rejected) as caught:
        render_album(album, "", {})
    assert words in caught.value.detail


async def test_options_that_have_no_effect_are_refused(world: World) -> None:
    album = [PHOTO, PHOTO]
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("", {"album": album, "parse_mode": "HTML"}, "parse_mode: there is no message.text"),
        ("x", {"album": [{**PHOTO, "caption": "y"}, PHOTO]}, "album[0].caption: there is a message.text"),
        ("x", {"album": album, "send_as": "sticker"}, "send_as: has no effect"),
        ("", {"dice": {}, "parse_mode": "HTML"}, "parse_mode: has no effect"),
        ("", {"dice": {}, "entities": []}, "entities: has no effect"),
        ("x", {"send_as": "voice"}, "send_as: has no effect"),
    ]
    for text, data, words in refused:
        assert f"provider_data.{words}" in await world.refused(text=text, provider_data=data)
    html = {"album": album, "parse_mode": "HTML"}
    assert (await world.send(text="<b>x</b>", provider_data=html)).status_code == 200
    assert world.bot.sent[-2]["caption"] == "<b>x</b>"
    assert not [sent for sent in world.bot.sent if "dice" in sent]

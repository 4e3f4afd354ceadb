"""Files on their way out: by URL and by upload, on every channel that sends any;
and all that may be wrong with one.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from quart import Response

from tests.harness import (
    CUSTOMER,
    Client,
    Platform,
    account,
    free_port,
    gateway,
    public,
    sandbox,
    settings_of,
    whatsapp,
)
from tests.reference.platform import ReferencePlatform
from tests.reference.serving import REGISTRY, declared, reference_platform
from unifyport.config.settings import Settings
from unifyport.sandbox.serving import listen, new_app

CONTENT = bytes(range(256)) * 300
TELEGRAM_FIELDS = {
    "image": "photo",
    "video": "video",
    "audio": "audio",
    "document": "document",
    "file": "document",
}


class FileServer:
    """Somebody's files. `/large` is that, `/slow` never begins, `/moved` leads to metadata."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""
        self._app = new_app("files")
        self._app.add_url_rule("/<path:name>", "file", self._file, methods=["GET"])

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            self.url = await nursery.start(listen, self._app, "127.0.0.1", 0)
            task_status.started()

    async def _file(self, name: str) -> Response:
        await trio.lowlevel.checkpoint()
        self.requests += 1
        match name:
            case "large":
                return Response(self._long(), 200, content_type="image/png")
            case "slow":
                await trio.sleep_forever()
            case "missing":
                return Response(b"", 404)
            case "badly-moved":
                return Response(b"", 302, {"location": "http://["})
            case "empty":
                return Response(b"", 200)
            case "moved":
                return Response(b"", 302, {"location": "http://169.254.169.254/latest"})
            case "download":
                named = "attachment; filename*=UTF-8''b%C3%A1o%20gi%C3%A1%E2%80%AE.pdf"
                return Response(CONTENT, 200, {"content-disposition": named}, content_type="application/x")
        return Response(CONTENT, 200, content_type="image/png" if name.endswith("png") else "application/pdf")

    async def _long(self) -> AsyncIterator[bytes]:
        for _ in range(512):
            await trio.lowlevel.checkpoint()
            yield bytes(65536)


@attrs.define
class World:
    api: Client
    platform: Platform
    reference: ReferencePlatform
    files: FileServer
    accounts: dict[str, str]  # name -> id
    settings: Settings

    async def send(self, name: str, message: dict[str, Any], **more: Any) -> httpx.Response:
        to = more.pop("to", {"bot": "7", "shop": CUSTOMER, "everything": "chat-1"}[name])
        body = {"account_id": self.accounts[name], "to": {"id": to, "type": "user"}, "message": message}
        headers = more.pop("headers", {})
        return await self.api("POST", "/v1/messages", body | more, headers=headers)

    async def upload(self, content: bytes, name: str = "a.png", **more: Any) -> httpx.Response:
        return await self.api("POST", "/v1/media", files={"file": (name, content)}, **more)

    async def key(self, content: bytes = CONTENT, name: str = "a.png") -> str:
        return str((await self.upload(content, name)).json()["data"]["file_key"])

    @property
    def lying(self) -> list[str]:
        """The files that lie in the directory of what goes out."""
        directory = self.settings.media_directory / "out"
        return sorted(os.listdir(directory)) if directory.exists() else []


@contextlib.asynccontextmanager
async def a_world(directory: Path, media: str = "") -> AsyncIterator[World]:
    async with (
        sandbox(REGISTRY) as platform,
        reference_platform() as everything,
        trio.open_nursery() as nursery,
    ):
        files = FileServer()
        await nursery.start(files.run)
        more = account() + whatsapp() + platform.sandbox.config() + declared(everything) + media
        permitted = 'media_allow = ["127.0.0.1/32"]\n'
        settings = settings_of(directory, more, registry=REGISTRY, security=permitted, **public(free_port()))
        async with gateway(settings, list(REGISTRY.channels.values())) as api:
            found = await api.until(
                lambda all_: all(a["runtime_status"] == "running" for a in all_), "/v1/accounts"
            )
            [shop] = [each for each in found if each["name"] == "shop"]
            await platform.connect(shop["ingress_url"])
            await platform.write("hello", 7)
            await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
            await api.until(lambda page: len(page["items"]) == 2, "/v1/events?type=message.received")
            accounts = {each["name"]: each["id"] for each in found}
            yield World(api, platform, everything.platform, files, accounts, settings)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


# -- every type, on every channel ----------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["url", "file_url", "file_key"])
async def test_telegram_gets_the_bytes(world: World, source: str) -> None:
    place = await world.key() if source == "file_key" else f"{world.files.url}/a.png"
    for number, (kind, field) in enumerate(TELEGRAM_FIELDS.items()):
        sent = await world.send("bot", {"type": kind, source: place, "caption": "look"})
        assert sent.status_code == 200, sent.text
        message = (await world.platform.sent())[number]
        file = message[field][0] if field == "photo" else message[field]
        assert world.platform.telegram.files[file["file_id"]] == CONTENT
        assert message["caption"] == "look"
        assert field == "photo" or file["file_name"] == "a.png"
        assert sent.json()["data"]["message_id"] == str(message["message_id"])


async def test_whatsapp_gets_the_bytes(world: World) -> None:
    for number, kind in enumerate(("image", "video", "document", "file")):
        message = {"type": kind, "url": f"{world.files.url}/list.pdf", "caption": "look"}
        sent = await world.send("shop", message)
        assert sent.status_code == 200, sent.text
        got = (await world.platform.sent("whatsapp"))[number]
        assert got["type"] == ("document" if kind == "file" else kind)
        content = got[got["type"]]
        file = world.platform.cloud.media[content["id"]]
        assert (file.content, file.mime_type) == (CONTENT, "application/pdf")
        assert content["caption"] == "look"
        assert content.get("filename") == ("list.pdf" if got["type"] == "document" else None)


async def test_a_file_is_called_as_the_caller_or_its_server_says(world: World) -> None:
    url = f"{world.files.url}/download"
    for source in ({"url": url}, {"url": url, "name": "Báo giá 5/2026.pdf"}, {"file_key": await world.key()}):
        assert (await world.send("shop", {"type": "document", **source})).status_code == 200
    named = {"file_key": await world.key(), "name": "hình\r\n👨\u200d👩.png"}
    assert (await world.send("bot", {"type": "document", **named})).status_code == 200
    sent = [message["document"]["filename"] for message in await world.platform.sent("whatsapp")]
    assert sent == ["báo giá_.pdf", "Báo giá 5_2026.pdf", "a.png"]
    [message] = await world.platform.sent()
    assert message["document"]["file_name"] == "hình_👨\u200d👩.png"


async def test_a_recording_in_the_form_of_a_json_string(world: World) -> None:
    recording = json.dumps({"url": f"{world.files.url}/a.ogg", "seconds": 3, "waveform": "AAA="})
    for field in ("url", "text"):
        assert (await world.send("shop", {"type": "audio", field: recording})).status_code == 200
        assert (await world.send("bot", {"type": "audio", field: recording})).status_code == 200
    assert [m["audio"]["voice"] for m in await world.platform.sent("whatsapp")] == [True, True]
    assert [m["duration"] for m in await world.platform.sent()] == ["3", "3"]
    assert all("caption" not in message for message in await world.platform.sent())
    broken = await world.send("bot", {"type": "audio", "url": '{"seconds": 3}'})
    assert error_of(broken)[:2] == (400, "invalid_request")


async def test_whatsapp_quotes_with_a_file(world: World) -> None:
    [event] = [
        e
        for e in (await world.api.data("GET", "/v1/events?type=message.received"))["items"]
        if e["account_id"] == world.accounts["shop"]
    ]
    token = event["data"]["message"]["reply_token"]
    sent = await world.send(
        "shop", {"type": "image", "url": f"{world.files.url}/a.png"}, reply_to={"reply_token": token}
    )
    assert sent.status_code == 200, sent.text
    [message] = await world.platform.sent("whatsapp")
    assert message["context"] == {"message_id": event["message_id"]}


CARD = {
    "name": "Mei; Tan",
    "phones": [{"number": "+65 9000 0001", "type": "WORK"}, {"number": "+6590000002"}],
    "emails": [{"address": "mei@shop.example"}],
    "organization": "Shop",
    "title": "Owner",
}


async def test_contact_cards(world: World) -> None:
    message = {"type": "contact", "contacts": [CARD]}
    for name in ("bot", "shop", "everything"):
        assert (await world.send(name, message)).status_code == 200
    [to_telegram] = await world.platform.sent()
    assert to_telegram["contact"]["phone_number"] == "+65 9000 0001"
    lines = to_telegram["contact"]["vcard"].split("\r\n")
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:3.0"]
    assert "FN:Mei\\; Tan" in lines
    assert "TEL;TYPE=WORK:+65 9000 0001" in lines
    [to_whatsapp] = await world.platform.sent("whatsapp")
    assert to_whatsapp["contacts"] == [
        {
            "name": {"formatted_name": "Mei; Tan", "first_name": "Mei; Tan"},
            "phones": [{"phone": "+65 9000 0001", "type": "WORK"}, {"phone": "+6590000002"}],
            "emails": [{"email": "mei@shop.example"}],
            "org": {"company": "Shop", "title": "Owner"},
        }
    ]
    two = await world.send("bot", {"type": "contact", "contacts": [CARD, CARD]})
    assert error_of(two)[:2] == (400, "invalid_request")


async def test_mentions_go_where_there_are_any_and_are_ignored_elsewhere(world: World) -> None:
    text, mentions = "hello {{@person-1}}", [{"id": "person-1"}]
    for name in ("bot", "shop", "everything"):
        assert (await world.send(name, {"type": "text", "text": text}, mentions=mentions)).status_code == 200
    older = await world.send(
        "everything", {"type": "text", "text": text}, provider_data={"mentions": ["person-2"]}
    )
    assert older.status_code == 200
    assert [sent["mentions"] for sent in world.reference.sent] == [["person-1"], ["person-2"]]
    assert [m["text"] for m in await world.platform.sent()] == [text]
    assert [m["text"]["body"] for m in await world.platform.sent("whatsapp")] == [text]
    wrong = await world.send("bot", {"type": "text", "text": "x"}, mentions=[{"id": ""}])
    assert error_of(wrong)[2].startswith("mentions[0].id")


async def test_a_reaction_on_whatsapp(world: World) -> None:
    target = {"account_id": world.accounts["shop"], "conversation_id": CUSTOMER, "message_id": "wamid.1"}
    done = await world.api("POST", "/v1/messages/reaction", {**target, "emoji": "👍"})
    assert done.status_code == 200, done.text
    [message] = await world.platform.sent("whatsapp")
    assert message["reaction"] == {"message_id": "wamid.1", "emoji": "👍"}


async def test_a_file_that_comes_in_can_be_read_and_sent_on(world: World) -> None:
    """The link of an attachment is as good as any other URL, for whoever is permitted to fetch from here."""
    file = world.reference.keep(CONTENT)
    world.reference.write("look", file=file, kind="image", size=len(CONTENT))
    path = f"/v1/events?type=message.received&account_id={world.accounts['everything']}"
    [event] = (await world.api.until(lambda page: page["items"], path))["items"]
    [attachment] = event["data"]["message"]["attachments"]
    assert (attachment["type"], attachment["size"]) == ("image", len(CONTENT))
    assert (await world.api("GET", httpx.URL(attachment["url"]).path)).content == CONTENT
    sent = await world.send("everything", {"type": "image", "url": attachment["url"]})
    assert sent.status_code == 200, sent.text
    assert world.reference.files[world.reference.sent[-1]["file"]] == CONTENT


# -- what may be wrong ---------------------------------------------------------------------------------------


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "image"}, "message.url"),
    ({"type": "image", "url": ""}, "message.url"),
    ({"type": "image", "url": "ftp://files.example/a"}, "message.url"),
    ({"type": "image", "url": "https://☃.example/a"}, "message.url"),
    ({"type": "image", "url": "FILES/a", "name": " .. "}, "message.name"),
    ({"type": "image", "url": "not a url"}, "message.url"),
    ({"type": "image", "file_url": "https://x.example/" + "a" * 5000}, "message.file_url"),
    ({"type": "image", "url": "http://169.254.169.254/latest"}, "message.url"),
    ({"type": "image", "url": "http://10.0.0.1/a"}, "message.url"),
    ({"type": "image", "url": "FILES/missing"}, "message.url"),
    ({"type": "image", "url": "FILES/moved"}, "message.url"),
    ({"type": "image", "url": "FILES/badly-moved"}, "message.url"),
    ({"type": "image", "url": "FILES/empty"}, "message.url"),
    ({"type": "audio", "url": '{"url": "FILES/a", "seconds": -5}'}, "message.url"),
    ({"type": "audio", "text": '{"url": "FILES/a", "seconds": 1e30}'}, "message.text"),
    ({"type": "image", "url": "FILES/large"}, "message.url"),
    ({"type": "image", "url": "http://127.0.0.1:1/secret"}, "message.url"),
    ({"type": "image", "file_key": "file_000000000000000000000000"}, "message.file_key"),
    ({"type": "image", "file_key": "../../etc/passwd"}, "message.file_key"),
    ({"type": "contact"}, "message.contacts"),
    ({"type": "contact", "contacts": []}, "message.contacts"),
    ({"type": "contact", "contacts": [{"name": " "}]}, "message.contacts[0].name"),
    ({"type": "contact", "contacts": [{"name": "a", "phones": [{"number": ""}]}]}, "message.contacts[0]"),
    ({"type": "text", "text": "x" * 70_000}, "message.text"),
]


async def test_a_message_that_cannot_be_sent_is_refused_and_leaves_nothing(world: World) -> None:
    for number, (written, field) in enumerate(REFUSED):
        message = {
            k: v.replace("FILES", world.files.url) if isinstance(v, str) else v for k, v in written.items()
        }
        for headers in ({}, {"Idempotency-Key": f"k{number}"}, {"Idempotency-Key": f"k{number}"}):
            response = await world.send("bot", message, headers=headers)
            status, code, text = error_of(response)
            assert (status, code) == (400, "invalid_request"), message
            assert text.startswith(field), message
            blocked = any(part in written.get("url", "") for part in ("169.254", "10.0.0.1", "/moved"))
            assert ("[security] media_allow can permit it" in text) == blocked, message
            assert "secret" not in response.text
    assert await world.platform.sent() == []
    assert world.lying == []


async def test_a_file_that_is_too_large_for_the_channel(world: World) -> None:
    key = await world.key(bytes(11 * 1024 * 1024), "photo.jpg")
    refused = error_of(await world.send("bot", {"type": "image", "file_key": key}))
    assert refused[:2] == (400, "invalid_request")
    assert refused[2] == f"message.file_key: a file may have at most {10 * 1024 * 1024} bytes here"
    assert (await world.send("bot", {"type": "document", "file_key": key})).status_code == 200


async def test_what_a_channel_cannot_send(world: World) -> None:
    long = {"type": "image", "url": f"{world.files.url}/a.png", "caption": "x" * 1025}
    assert error_of(await world.send("bot", long))[:2] == (400, "invalid_request")
    audio = {"type": "audio", "url": f"{world.files.url}/a.ogg", "caption": "x"}
    assert error_of(await world.send("shop", audio))[:2] == (400, "invalid_request")
    assert world.files.requests == 0


async def test_the_platform_fails_in_the_middle_of_a_file(world: World) -> None:
    await world.platform.post("faults", {"kind": "lost_answer", "method": "sendPhoto", "count": 1})
    response = await world.send("bot", {"type": "image", "url": f"{world.files.url}/a.png"})
    assert (response.status_code, response.json()["error"]["outcome"]) == (500, "unknown")
    await world.platform.whatsapp("faults", {"kind": "lost_answer", "method": "media", "count": 1})
    response = await world.send("shop", {"type": "image", "url": f"{world.files.url}/a.png"})
    assert response.json()["error"]["outcome"] == "not_sent"  # what was lost is a file, not a message
    assert world.lying == []


async def test_many_repeats_fetch_once(world: World) -> None:
    answers: list[httpx.Response] = []

    async def one() -> None:
        message = {"type": "image", "url": f"{world.files.url}/a.png"}
        answers.append(await world.send("bot", message, headers={"Idempotency-Key": "k"}))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(one)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["message_id"] for answer in answers}) == 1
    assert world.files.requests == 1
    assert len(await world.platform.sent()) == 1
    assert world.lying == []


async def test_slow_files_are_given_up_and_let_go_of_their_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unifyport.gateway.sends.FETCH_SECONDS", 0.5)
    answers: list[httpx.Response] = []

    async def one(number: int) -> None:
        message = {"type": "image", "url": f"{world.files.url}/slow"}
        answers.append(await world.send("bot", message, headers={"Idempotency-Key": f"k{number}"}))

    async with trio.open_nursery() as nursery:
        for number in range(12):  # more than there are places for
            nursery.start_soon(one, number)
    assert {answer.status_code for answer in answers} == {400}
    commands = [answer.json()["error"]["command_id"] for answer in answers]
    for command in commands:
        assert (await world.api.data("GET", f"/v1/commands/{command}"))["outcome"] == "not_sent"
    again = await world.send("bot", {"type": "text", "text": "x"}, headers={"Idempotency-Key": "k3"})
    assert again.status_code == 200


async def test_a_body_that_is_nested_too_deeply(world: World) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    for headers in ({}, {"Idempotency-Key": "k"}):
        response = await world.send("bot", {"type": "text", "text": "x"}, provider_data=deep, headers=headers)
        assert error_of(response)[:2] == (400, "invalid_request")


async def test_a_slow_file_holds_up_its_own_conversation_only(world: World) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.send, "everything", {"type": "image", "url": f"{world.files.url}/slow"})
        while not world.files.requests:
            await trio.lowlevel.checkpoint()
        with trio.fail_after(5):
            other = await world.send("everything", {"type": "text", "text": "x"}, to="chat-2")
            assert other.status_code == 200
        nursery.cancel_scope.cancel()


# -- uploads -------------------------------------------------------------------------------------------------


@pytest.mark.front
async def test_an_upload_may_be_sent_more_than_once(world: World) -> None:
    response = await world.upload(CONTENT, "../Preis liste.pdf", headers={"X-Request-Id": "order-1"})
    assert response.status_code == 201
    body = response.json()
    assert body["client_request_id"] == "order-1"
    assert response.headers["x-request-id"] == body["request_id"]
    data = body["data"]
    assert (data["name"], data["mime_type"], data["size"]) == (
        "Preis liste.pdf",
        "application/pdf",
        len(CONTENT),
    )
    for _ in range(2):
        sent = await world.send("everything", {"type": "document", "file_key": data["file_key"]})
        assert sent.status_code == 200
    assert [world.reference.files[message["file"]] for message in world.reference.sent] == [CONTENT] * 2
    assert [message["name"] for message in world.reference.sent] == ["Preis liste.pdf"] * 2


@pytest.mark.front
async def test_a_large_upload_comes_whole(world: World) -> None:
    content = os.urandom(1024) * 20_000
    key = await world.key(content, "big.bin")
    await world.send("everything", {"type": "document", "file_key": key})
    [message] = world.reference.sent
    kept = world.reference.files[message["file"]]
    assert hashlib.sha256(kept).digest() == hashlib.sha256(content).digest()


async def test_an_empty_file_is_a_file(world: World) -> None:
    assert (await world.upload(b"", "empty.txt")).json()["data"]["size"] == 0


BOUNDARY = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        (BOUNDARY, b"", 400),
        (BOUNDARY, b"nonsense", 400),
        (BOUNDARY, b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', 400),
        (BOUNDARY, b'--x\r\ncontent-disposition: form-data; name="a"; filename="f"\r\n\r\nno end', 400),
        (
            BOUNDARY,
            b'--x\r\ncontent-disposition: form-data; name="a"; filename="f"\r\n\r\n1\r\n'
            b'--x\r\ncontent-disposition: form-data; name="b"; filename="g"\r\n\r\n2\r\n--x--\r\n',
            400,
        ),
    ],
)
@pytest.mark.front
async def test_what_is_no_upload(world: World, content_type: str, body: bytes, status: int) -> None:
    response = await world.api("POST", "/v1/media", content=body, headers={"content-type": content_type})
    assert error_of(response)[:2] == (status, "invalid_request")
    assert world.lying == []


async def test_an_upload_needs_a_key(world: World) -> None:
    nobody = Client(str(world.api.http.base_url), key=None)
    response = await nobody("POST", "/v1/media", files={"file": ("a", b"x")})
    assert error_of(response)[:2] == (401, "missing_api_key")
    assert world.lying == []


async def test_limits_of_uploads(tmp_path: Path) -> None:
    limits = '[media]\nmax_file = 100000\nmax_uploads = 150000\nupload_lifetime = "2s"\n'
    async with a_world(tmp_path, limits) as world:
        too_large = await world.upload(bytes(100_001))
        assert error_of(too_large)[:2] == (413, "invalid_request")
        assert (await world.upload(bytes(100_000))).status_code == 201
        assert error_of(await world.upload(bytes(60_000)))[:2] == (409, "media_quota_exceeded")
        assert (await world.upload(bytes(50_000))).status_code == 201
        assert error_of(await world.upload(b"x"))[:2] == (409, "media_quota_exceeded")
        assert len(world.lying) == 4


async def test_an_upload_that_is_cut_off_leaves_nothing(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="a"; filename="f"\r\n\r\n'
        while True:
            yield bytes(1000)
            await trio.sleep(0)

    async def upload() -> None:
        await world.api("POST", "/v1/media", content=endless(), headers={"content-type": BOUNDARY})

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            while not world.lying:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        while world.lying:
            await trio.lowlevel.checkpoint()

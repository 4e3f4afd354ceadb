"""HTTP of connectors, against a platform on loopback that answers by a script."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from tests.providers.platform import answer, context, scripted
from unifyport.model.message import OutboundMedia
from unifyport.net.clients import Response
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.http import HttpApi, collect_pages, new_form, nothing_applied, origin_of

CONTENT = b"the bytes of a file" * 1000


class Shape(msgspec.Struct):
    id: str


@pytest.fixture
async def api() -> Any:
    made = HttpApi(context(), parallel_sends=4, headers={"x-app": "1"})
    yield made
    await made.aclose()


async def failure(call: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await call
    return caught.value


async def test_a_json_answer(api: HttpApi) -> None:
    async with scripted(answer({"id": "1", "more": 2})) as platform:
        assert (await api.call("POST", f"{platform.url}/x", Shape, json={"a": 1})).id == "1"
    [request] = platform.requests
    assert (request.line, request.body) == ("POST /x HTTP/1.1", b'{"a":1}')
    assert (request.headers["content-type"], request.headers["x-app"]) == ("application/json", "1")


async def test_a_refused_connection_was_not_applied(api: HttpApi) -> None:
    async with scripted() as platform:
        url = platform.url
    error = await failure(api.call("POST", url, Shape, json={}))
    assert (type(error), error.reason, error.maybe_applied) == (Transient, "connect_error", False)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (b"", "read_error"),
        (answer(b'{"id": ', length=500), "read_error"),
        (b"this is not HTTP\r\n\r\n", "remote_protocol_error"),
        (answer(b"<html>"), "malformed_answer"),
        (answer({"id": 5}), "malformed_answer"),
        (answer({}), "malformed_answer"),
        (answer(b""), "malformed_answer"),
        (answer(b"oops", 503), "http_503"),
    ],
)
async def test_an_answer_that_says_nothing(api: HttpApi, step: bytes, reason: str) -> None:
    async with scripted(step) as platform:
        error = await failure(api.call("POST", f"{platform.url}/secret-token", Shape, json={}))
    assert (type(error), error.reason, error.maybe_applied) == (Transient, reason, True)


async def test_an_upload_that_fails_has_applied_nothing(api: HttpApi) -> None:
    async with scripted(b"") as platform:
        with pytest.raises(Transient) as caught, nothing_applied():
            await api.request("POST", platform.url)
    assert not caught.value.maybe_applied
    with pytest.raises(RateLimited), nothing_applied():
        raise RateLimited(1.0)


async def test_silence(api: HttpApi, autojump_clock: trio.testing.MockClock) -> None:
    async with scripted(lambda _: trio.sleep_forever()) as platform:
        error = await failure(api.request("POST", platform.url, timeout=20))
    assert (error.reason, error.maybe_applied) == ("timeout", True)


async def test_the_connector_says_what_a_refusal_is(api: HttpApi) -> None:
    def refused(response: Response) -> ChannelError | None:
        return LoggedOut("gone") if response.status == 401 else None

    async with scripted(answer(b"x", 401), answer({"id": "1"}, 202), answer(b"x", 404)) as platform:
        assert isinstance(await failure(api.call("GET", platform.url, Shape, refused=refused)), LoggedOut)
        assert (await api.call("GET", platform.url, Shape, refused=refused)).id == "1"
        error = await failure(api.call("GET", platform.url, Shape))
    assert (error.reason, error.maybe_applied) == ("http_404", False)


async def test_a_form(api: HttpApi, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    message = OutboundMedia(
        conversation_id="c",
        conversation_type="user",
        client_ref="r",
        type="image",
        path=str(path),
        size=len(CONTENT),
        mime_type="image/png",
    )
    async with scripted(answer({"id": "1"})) as platform:
        await api.call("POST", platform.url, Shape, body=new_form(message, {"chat": "c"}, "photo"))
    [request] = platform.requests
    assert CONTENT in request.body
    assert b'name="photo"; filename="image"' in request.body
    assert b'name="chat"\r\n\r\nc\r\n' in request.body


DIGEST = hashlib.sha256(CONTENT).hexdigest()


async def downloaded(api: HttpApi, step: bytes, **options: Any) -> tuple[str, bool, bytes]:
    """The failure's reason (or ""), whether another try may help, and the bytes that came."""
    got = bytearray()

    async def sink(chunk: bytes) -> None:
        got.extend(chunk)
        await trio.lowlevel.checkpoint()

    async with scripted(step) as platform:
        try:
            length = await api.download(platform.url, sink, **{"limit": len(CONTENT), **options})
        except (Rejected, Transient) as error:
            return error.reason, isinstance(error, Transient), bytes(got)
    assert length == len(got)
    return "", False, bytes(got)


async def test_a_download(api: HttpApi) -> None:
    assert await downloaded(api, answer(CONTENT)) == ("", False, CONTENT)
    known = {"size": len(CONTENT), "sha256": DIGEST.upper()}
    assert await downloaded(api, answer(CONTENT), **known) == ("", False, CONTENT)


async def test_credentials_in_headers_go_to_configured_origins_only(api: HttpApi) -> None:
    async def sink(chunk: bytes) -> None: ...

    async with scripted(answer(b"x"), answer(b"x"), answer(b"x")) as platform:
        await api.download(platform.url, sink, limit=10)
        await api.download(platform.url, sink, limit=10, authorized=False)
        await api.request("GET", platform.url, authorized=False)
    assert ["x-app" in request.headers for request in platform.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("step", "options", "reason", "transient"),
    [
        (answer(CONTENT), {"limit": len(CONTENT) - 1}, "too_large", False),
        (b"", {"limit": 10, "size": 11}, "too_large", False),  # nothing is asked for
        (answer(b"", 404), {}, "media_not_found", False),
        (answer(b"", 410), {}, "media_not_found", False),
        (answer(b"", 410), {"gone": (404,)}, "media_http_410", True),
        (answer(b"", 500), {}, "media_http_500", True),
        (answer(b"", 302), {}, "media_http_302", True),
        (answer(CONTENT), {"size": 5}, "media_damaged", True),
        (answer(CONTENT[:-1] + b"!"), {"sha256": DIGEST}, "media_damaged", True),
        (answer(CONTENT), {"sha256": "\u00e9"}, "media_damaged", True),
        (answer(CONTENT[:50], length=len(CONTENT)), {}, "read_error", True),
    ],
)
async def test_a_download_that_fails(
    api: HttpApi, step: bytes, options: dict[str, Any], reason: str, transient: bool
) -> None:
    assert (await downloaded(api, step, **options))[:2] == (reason, transient)


async def pages_of(cursors: dict[str | None, str | None]) -> list[str]:
    async def fetch(after: str | None) -> tuple[list[str], str | None]:
        await trio.lowlevel.checkpoint()
        return [f"after {after}"], cursors[after]

    return await collect_pages(fetch, pages=3)


async def test_pages() -> None:
    assert await pages_of({None: ""}) == ["after None"]
    assert await pages_of({None: "a", "a": "b", "b": None}) == ["after None", "after a", "after b"]
    for endless in ({None: "a", "a": "a"}, {None: "a", "a": "b", "b": "c", "c": None}):
        with pytest.raises(Transient, match="endless_list"):
            await pages_of(endless)  # type: ignore[arg-type]


def test_origins() -> None:
    assert (
        origin_of("https://a.example/x")
        == origin_of("https://a.example/y?z")
        != origin_of("http://a.example/")
    )
    assert origin_of("https://[") == ("", None, None)


@pytest.mark.parametrize(
    ("told", "kept"), [(5.0, 5.0), (-1.0, 1.0), (0.0, 1.0), (1e300, 86_400.0), (float("nan"), 1.0)]
)
def test_the_wait_of_a_platform_is_bounded(told: float, kept: float) -> None:
    error = RateLimited(told, "slow_mode", scope="conversation")
    assert (error.retry_after, error.scope) == (kept, "conversation")
    again = copy.copy(error)
    assert (again.retry_after, again.reason, again.scope, str(again)) == (
        kept,
        "slow_mode",
        "conversation",
        "slow_mode",
    )

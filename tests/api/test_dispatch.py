"""The dispatcher without a server: the router, requests as values, and which file imports the framework."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing

from tests.harness import KEY, gateway, settings_of
from unifyport import api
from unifyport.api.app import ROUTES, Front, new_router
from unifyport.api.http.cursors import Cursors
from unifyport.api.http.dispatch import Dispatcher
from unifyport.api.http.doors import Audience, Door, audience_of
from unifyport.api.http.errors import LONGEST_OVERLOAD_WAIT
from unifyport.api.http.messages import BodyTooSlow, BytesBody, FilePart, Headers, Request, Response
from unifyport.api.http.paths import decode_path, parse_query
from unifyport.api.http.router import Match, Mismatch, Router
from unifyport.api.http.routing import Call, Route
from unifyport.api.routes import account_runtime
from unifyport.gateway.gateway import Gateway
from unifyport.storage.sealing import KeyRing

CUSTOMERS = Door(frozenset({Audience.CUSTOMERS, Audience.RECEIVERS}))
ADAPTER = Path("http/quart_app.py")

PATHS = [
    ("/v1/accounts", "/v1/accounts"),
    ("/v1/accounts/a%2Fb", "/v1/accounts/a/b"),
    ("/v1/%61ccounts", "/v1/accounts"),
    ("/v1/accounts/%C3%A9", "/v1/accounts/\u00e9"),
    ("/v1/accounts/%ff", "/v1/accounts/\ufffd"),
    ("/v1//accounts/", "/v1//accounts/"),
    ("//metrics", "/metrics"),
    ("/%2F/metrics", "/metrics"),
    ("http://host/metrics", "/metrics"),
    ("http://host", "/"),
    ("http://[", "/"),
    ("*", "/*"),
    ("", "/"),
]


@pytest.mark.parametrize(("target", "path"), PATHS)
def test_a_path_is_decoded_in_one_way(target: str, path: str) -> None:
    assert decode_path(target) == path


@pytest.mark.parametrize("target", ["/metrics", "//metrics", "/%6detrics", "/metrics/", "http://h/metrics"])
def test_no_spelling_of_a_path_passes_a_door_that_another_does_not(target: str) -> None:
    assert audience_of(decode_path(target)) is Audience.OPERATORS
    assert not CUSTOMERS.admits(decode_path(target))


@pytest.mark.parametrize(
    "path", ["/qr/x.png", "/media/x", "/login/acct_1.x", "/oauth/callback", "/oauth/callback/"]
)
def test_public_links_are_of_receivers(path: str) -> None:
    assert audience_of(path) is Audience.RECEIVERS


def test_a_query_is_decoded_and_its_last_values_count() -> None:
    assert parse_query(b"") == {}
    assert parse_query(b"a=1&a=2&b&c=%C3%A9+x&d=%ff") == {"a": "2", "b": "", "c": "\u00e9 x", "d": "%FF"}


ROUTER = new_router((*ROUTES, account_runtime.UNKNOWN_ACTION))
FOUND = [
    ("GET", "/v1/workspace", "getWorkspace", {}),
    ("HEAD", "/v1/workspace", "getWorkspace", {}),
    ("GET", "/v1/workspace/", "getWorkspace", {}),
    ("GET", "/v1/accounts/a", "getAccount", {"account_id": "a"}),
    ("GET", "/v1/accounts/a\nb", "getAccount", {"account_id": "a\nb"}),
    ("GET", "/v1/events/stream", "streamEvents", {}),
    ("GET", "/v1/events/evt_1", "getEvent", {"event_id": "evt_1"}),
    ("POST", "/v1/accounts/a/runtime/start", "startAccountRuntime", {"account_id": "a"}),
    (
        "POST",
        "/v1/accounts/a/auth/dance",
        "unsupportedAction",
        {"account_id": "a", "group": "auth", "action": "dance"},
    ),
]


@pytest.mark.parametrize(("method", "path", "operation", "values"), FOUND)
def test_what_a_path_leads_to(method: str, path: str, operation: str, values: dict[str, str]) -> None:
    found = ROUTER.match(method, path)
    assert isinstance(found, Match)
    assert isinstance(found.target, Route)
    assert (found.target.operation_id, found.values) == (operation, values)


NOT_FOUND = [
    ("GET", "/v1/workspace//", set()),
    ("GET", "/v1//workspace", set()),
    ("GET", "/v1/accounts/a/b/c", set()),
    ("POST", "/v1/accounts/a/dance/now", set()),
    ("GET", "/", set()),
    ("GET", "", set()),
    ("POST", "/v1/workspace", {"GET", "HEAD", "PATCH"}),
    ("OPTIONS", "/v1/workspace", {"GET", "HEAD", "PATCH"}),
    ("PUT", "/v1/accounts/a/", {"GET", "HEAD", "PATCH", "DELETE"}),
    ("GET", "/v1/accounts/a/runtime/start", {"POST"}),
    ("HEAD", "/v1/media", {"POST"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), NOT_FOUND)
def test_what_leads_nowhere_names_the_methods_that_there_are(
    method: str, path: str, allowed: set[str]
) -> None:
    assert ROUTER.match(method, path) == Mismatch(frozenset(allowed))


def test_every_route_is_found_by_each_of_its_paths() -> None:
    aliases = 0
    for route in ROUTES:
        for path in (route.path, *route.aliases):
            found = ROUTER.match(route.method, path.replace("{", "").replace("}", ""))
            assert isinstance(found, Match)
            assert found.target is route
            aliases += path != route.path
    assert aliases


def test_text_goes_before_names_and_a_wrong_method_does_not_end_the_search() -> None:
    router = Router[str]()
    router.add("GET", "/a/fixed", "text")
    router.add("GET", "/a/{name}", "name")
    router.add("POST", "/a/{name}", "post")
    assert router.match("GET", "/a/fixed") == Match("text", {})
    assert router.match("POST", "/a/fixed") == Match("post", {"name": "fixed"})
    assert router.match("PUT", "/a/fixed") == Mismatch(frozenset({"GET", "HEAD", "POST"}))
    with pytest.raises(ValueError, match="two targets"):
        router.add("GET", "/a/{other}", "again")


def test_headers_are_found_in_any_case_and_may_be_repeated() -> None:
    headers = Headers.from_wire([(b"X-Api-Key", b"one"), (b"x-api-key", b"two"), (b"a", b"\xe9")])
    assert headers.get("X-API-Key") == "one"
    assert headers.get_all("x-Api-key") == ["one", "two"]
    assert headers.get("missing", "no") == "no"
    assert "A" in headers
    assert "b" not in headers
    headers.set("X-Api-Key", "three")
    assert list(headers) == [("a", "\u00e9"), ("x-api-key", "three")]
    with pytest.raises(ValueError, match="line break"):
        headers.add("a", "b\r\nset-cookie: c")


async def test_a_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    for offset, length, expected in ((0, 10, b"0123456789"), (3, 4, b"3456"), (8, 10, b"89"), (2, 0, b"")):
        part = FilePart(path.open("rb"), offset, length)
        assert b"".join([chunk async for chunk in part.chunks()]) == expected
        assert part.file.closed


def ask(
    method: str, target: str, body: bytes = b"", *, door: Door = CUSTOMERS, query: bytes = b"", **more: str
) -> Request:
    fields = {"x_api_key": KEY, "content_type": "application/json", **more}
    headers = Headers((name.replace("_", "-"), value) for name, value in fields.items())
    return Request(method, target, door, headers=headers, query=query, body=BytesBody(body))


def content(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    assert response.headers.get("content-type") == "application/json"
    value = msgspec.json.decode(response.body)
    assert value["request_id"] == response.headers.get("x-request-id")
    return value


@pytest.fixture
async def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The front of a gateway that runs; requests are given to it as values."""
    fronts: list[Front] = []

    class Kept(Front):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            fronts.append(self)

    monkeypatch.setattr("unifyport.server.Front", Kept)
    async with gateway(settings_of(tmp_path)):
        yield fronts[0]


REFUSED = [
    (ask("GET", "/v1/nothing"), 404, "not_found"),
    (ask("GET", "/metrics"), 404, "not_found"),  # not by this door
    (ask("GET", "//metrics"), 404, "not_found"),
    (ask("GET", "/v1/workspace", x_api_key=""), 401, "missing_api_key"),
    (ask("POST", "/v1/accounts", b"{", x_api_key="wrong"), 401, "invalid_api_key"),  # before the body
    (ask("POST", "/v1/accounts"), 400, "invalid_request"),
    (ask("POST", "/v1/accounts", b"{}", content_type="text/plain"), 415, "invalid_request"),
    (ask("POST", "/v1/accounts", b"[" * 65), 400, "invalid_request"),
    (ask("POST", "/v1/accounts", b"{"), 400, "invalid_request"),
    (ask("POST", "/v1/accounts", b" " * (1024 * 1024 + 1)), 413, "invalid_request"),
    (ask("GET", "/v1/events", query=b"limit=0"), 400, "invalid_request"),
    (ask("GET", "/media/x"), 404, "not_found"),
    (ask("POST", "/v1/accounts/a/auth/dance"), 400, "unsupported_action"),
]


async def test_requests_as_values(front: Front) -> None:
    answered = await front.dispatch(ask("GET", "/v1/workspace/", x_request_id="order-42"))
    assert answered.status == 200
    assert content(answered)["client_request_id"] == "order-42"
    owner = Door(frozenset(Audience), owner=True)
    assert (await front.dispatch(ask("HEAD", "/v1/accounts", door=owner, x_api_key=""))).status == 200
    metrics = await front.dispatch(ask("GET", "/metrics", door=owner))
    assert metrics.headers.get("content-type").startswith("text/plain")
    for request, status, code in REFUSED:
        refused = await front.dispatch(request)
        assert (refused.status, content(refused)["error"]["code"]) == (status, code), request.target
    wrong = await front.dispatch(ask("DELETE", "/v1/workspace"))
    assert (wrong.status, wrong.headers.get("allow")) == (405, "GET, HEAD, PATCH")


async def test_limits_of_a_body_are_the_routes(front: Front) -> None:
    seen: list[tuple[int, float]] = []

    class Watched:
        async def read(self, limit: int, seconds: float) -> bytes:
            seen.append((limit, seconds))
            return b"{}"

    async def handler(call: Call) -> None:
        await trio.lowlevel.checkpoint()

    row = ("op", "POST", "/small", handler, "Tag", "summary", "op_failed")
    route = Route(*row, None, dict, public=True, success=204, max_body=10, body_seconds=0.5)  # type: ignore[arg-type]
    dispatcher = dispatcher_of(front._gateway, route)
    request = Request("POST", "/small", CUSTOMERS, headers=Headers([("content-type", "application/json")]))
    answer = await dispatcher.dispatch(attrs.evolve(request, body=Watched()))
    assert (answer.status, answer.body, seen) == (204, b"", [(10, 0.5)])
    assert "content-type" not in answer.headers
    for body, status in ((BytesBody(b"{}" + b" " * 9), 413), (Failing(BodyTooSlow()), 408)):
        assert (await dispatcher.dispatch(attrs.evolve(request, body=body))).status == status


async def test_a_read_ends_with_its_caller_and_a_change_is_finished(front: Front) -> None:
    done: list[str] = []

    async def handler(call: Call) -> None:
        await trio.sleep(0.05)
        done.append(call.path["name"])

    for method in ("GET", "POST"):
        row = (method, method, "/do/{name}", handler, "Tag", "summary", "op_failed")
        dispatcher = dispatcher_of(front._gateway, Route(*row, public=True, success=204))  # type: ignore[arg-type]
        with trio.move_on_after(0.01) as scope:
            await dispatcher.dispatch(Request(method, f"/do/{method}", CUSTOMERS))
        assert scope.cancelled_caught == (method == "GET")
    assert done == ["POST"]


@pytest.mark.parametrize("crowded", [False, True])
async def test_with_too_many_in_work_a_request_is_not_looked_at(
    front: Front, monkeypatch: pytest.MonkeyPatch, crowded: bool
) -> None:
    monkeypatch.setattr("unifyport.api.http.dispatch.MOST_IN_WORK", 3)
    monkeypatch.setattr("unifyport.api.http.dispatch.MOST_IN_A_CROWD", 2)
    free, entered = trio.Event(), list[str]()

    async def handler(call: Call) -> None:
        entered.append(call.path["place"])
        await free.wait()

    row = ("op", "POST", "/do/{place}", handler, "Tag", "summary", "op_failed")
    route = Route(*row, success=204)  # type: ignore[arg-type]
    dispatcher = dispatcher_of(front._gateway, route, crowded=lambda: crowded)
    places = ["a", "b"] if crowded else ["a", "b", "c"]
    async with trio.open_nursery() as nursery:
        for place in places:
            nursery.start_soon(dispatcher.dispatch, ask("POST", f"/do/{place}"))
        while len(entered) < len(places):  # keys are read in a thread
            await trio.testing.wait_all_tasks_blocked(0.001)
        refused = await dispatcher.dispatch(ask("POST", "/do/x"))
        assert (refused.status, content(refused)["error"]["code"]) == (503, "op_failed")
        assert 1 <= int(refused.headers.get("retry-after")) <= LONGEST_OVERLOAD_WAIT
        wrong = await dispatcher.dispatch(ask("POST", "/do/x", x_api_key="wrong"))
        assert wrong.status == 401
        assert dispatcher.refuse("POST", "/do/x", ask("POST", "/do/x", x_api_key="wrong").headers) is None
        assert dispatcher.refuse("GET", "/do/x", ask("POST", "/do/x").headers) is None
        by_head = dispatcher.refuse("POST", "/do/x", ask("POST", "/do/x").headers)
        assert by_head is not None
        assert (by_head.status, content(by_head)["error"]["code"]) == (503, "op_failed")
        free.set()
    assert dispatcher.refuse("POST", "/do/y", ask("POST", "/do/y").headers) is None
    assert (await dispatcher.dispatch(ask("POST", "/do/y"))).status == 204
    assert sorted(entered) == [*places, "y"]


@attrs.frozen
class Failing:
    error: Exception

    async def read(self, limit: int, seconds: float) -> bytes:
        raise self.error


def dispatcher_of(house: Gateway, route: Route, crowded: Callable[[], bool] = lambda: False) -> Dispatcher:
    cursors = Cursors(KeyRing.parse(KeyRing.new_key()))
    return Dispatcher(house, cursors, new_router([route]), observe=lambda *_: None, crowded=crowded)


def test_one_file_of_the_api_knows_the_framework() -> None:
    root = Path(api.__file__).parent
    knowing = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            if any(name.partition(".")[0] in ("quart", "quart_trio", "werkzeug") for name in names):
                knowing.add(path.relative_to(root))
    assert knowing == {ADAPTER}


def test_a_query_may_have_any_bytes() -> None:
    assert parse_query(b"q=%ff&cursor=\xff\xfe&limit=2") == {"q": "%FF", "cursor": "\xff\xfe", "limit": "2"}
    assert parse_query(b"q=%C3%A9") == {"q": "é"}

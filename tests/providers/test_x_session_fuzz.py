"""Whatever a session of X is given is read or refused: exports, cookies, answers, events of the inbox."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.net.clients import Response
from unifyport.process.clock import Clock
from unifyport.providers import cookies
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.x.session import answers, catch_up, client, imported, queries
from unifyport.providers.x.session.errors import codes_of, failure_of
from unifyport.providers.x.session.shapes import ConversationPage, InboxPage, Item, UserKeys, read
from unifyport.providers.x.session.transport import _is_path

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["auth_token", "ct0", "twid", "guest_id", "name", "value", "cookies", "x"])


@given(st.binary(max_size=300) | st.dictionaries(NAMES, VALUES).map(lambda value: json.dumps(value).encode()))
def test_any_export_is_read_or_refused(data: bytes) -> None:
    try:
        found = imported.read_export(data)
    except Rejected:
        return
    line = cookies.header(found.jar, "https://api.x.com/graphql")
    assert "auth_token=" in line
    assert not set(line) & {"\r", "\n"}
    assert not cookies.header(found.jar, "https://example.com/")


@given(st.lists(st.text(max_size=80) | NAMES.map(lambda name: f"{name}=1; Domain=evil.example"), max_size=6))
def test_any_cookie_of_an_answer_is_taken_or_left_out(headers: list[str]) -> None:
    jar = cookies.new_jar()
    cookies.accept(jar, "https://x.com/", headers, domains=client.DOMAINS)
    imported.share(jar)
    assert not set(cookies.header(jar, "https://x.com/")) & {"\r", "\n"}
    assert all(cookie.domain.endswith("x.com") for cookie in jar)


@given(
    st.integers(100, 599), VALUES | st.builds(lambda code: {"errors": [{"code": code}]}, st.integers(0, 500))
)
def test_any_answer_is_a_grant_or_a_failure_class(status: int, value: Any) -> None:
    answer = Response(status, {}, json.dumps(value).encode())
    failure = failure_of(answer, Clock())
    assert isinstance(failure, ChannelError) or (failure is None and status < 300)


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (401, {"errors": [{"code": 32}]}, LoggedOut, "session_expired"),
        (403, {"errors": [{"code": 326}]}, LoggedOut, "account_locked"),
        (403, {"errors": [{"code": 64}]}, LoggedOut, "account_suspended"),
        (200, {"errors": [{"code": 141}]}, LoggedOut, "account_not_active"),
        (200, {"data": None, "errors": [{"extensions": {"code": 88}}]}, RateLimited, "rate_limited"),
        (403, {"errors": [{"code": 353}]}, Transient, "csrf_mismatch"),
        (404, {}, Transient, "unknown_endpoint"),
        (503, {}, Transient, "http_503"),
        (404, {"errors": [{"code": 279}]}, Rejected, "conversation_not_found"),
        (200, {"errors": [{"message": "no code"}]}, Rejected, "refused_by_x"),
    ],
)
def test_codes_decide(status: int, body: dict[str, Any], kind: type[ChannelError], reason: str) -> None:
    failure = failure_of(Response(status, {}, json.dumps(body).encode()), Clock())
    assert type(failure) is kind
    assert failure.reason == reason


def test_errors_beside_data_are_notes() -> None:
    answer = Response(200, {}, b'{"data": {"a": 1}, "errors": [{"code": 88}]}')
    assert codes_of(answer) == []
    assert failure_of(answer, Clock()) is None


@given(VALUES)
def test_any_part_of_an_answer_has_its_shape_or_is_malformed(value: Any) -> None:
    for shape in (ConversationPage, InboxPage, Item, UserKeys):
        with contextlib.suppress(Transient):
            assert isinstance(read(value, shape), shape)


@given(VALUES)
def test_any_member_of_an_answer_is_an_object_or_malformed(value: Any) -> None:
    data = {"member": value}
    if isinstance(value, dict | None):
        assert answers.object_in(data, "member") == (value or {})
        return
    with pytest.raises(Transient, match="malformed_answer"):
        answers.object_in(data, "member")


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_events_of_the_inbox_have_an_order(events: list[str]) -> None:
    assert sorted(catch_up.in_order(events)) == sorted(set(events))


@given(st.text(max_size=60))
def test_configured_query_ids_take_the_place_of_the_known_ones(odd: str) -> None:
    found = queries.ids_of(f"SendMessageMutation=new_Id-1,{odd}")
    assert found["SendMessageMutation"] == "new_Id-1" or "SendMessageMutation=" in odd
    assert found["GetPublicKeys"] or odd


@pytest.mark.parametrize(
    "path",
    [
        *("", "//evil.example/?a", "https://evil.example/?", "/a", "/a b\n?", None, "@e?"),
        *("/../../i/x?a", "/x/..?a", "/%2e%2e/x?a", "/x?y#z", "/x#y?z", "/\\evil.example?a", "/x?a\n"),
    ],
)
def test_an_upload_goes_to_the_file_host_alone(path: object) -> None:
    assert not _is_path(path)
    assert _is_path("/xchat_media/1:2/abc?resumeId=5")

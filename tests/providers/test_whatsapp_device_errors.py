"""The platform's refusals as failure classes."""

import pytest

from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.errors import (
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)
from unifyport.providers.whatsapp.device.errors import (
    login_failure,
    message_refusal,
    request_refusal,
    stream_failure,
)


@pytest.mark.parametrize(
    ("attributes", "kind", "reason"),
    [
        ({"reason": "401", "location": "rva"}, LoggedOut, "logged_out"),
        ({"reason": "403", "logout_message_header": "…"}, LoggedOut, "account_locked"),
        ({"reason": "406"}, LoggedOut, "banned"),
        ({"reason": "402", "code": "101", "expire": "3600"}, RateLimited, "temporarily_banned"),
        ({"reason": "405"}, RateLimited, "client_outdated"),
        ({"reason": "409"}, Transient, "bad_user_agent"),
        ({"reason": "503"}, Transient, "server_unavailable"),
        ({"reason": "999"}, Transient, "login_refused_999"),
        ({}, Transient, "login_refused_0"),
    ],
)
def test_failures_of_a_login(attributes: dict[str, str], kind: type[ChannelError], reason: str) -> None:
    failure = login_failure(Node("failure", attributes))
    assert (type(failure), failure.reason) == (kind, reason)


def test_the_end_of_a_temporary_ban() -> None:
    failure = login_failure(Node("failure", {"reason": "402", "expire": "3600"}))
    assert isinstance(failure, RateLimited)
    assert failure.retry_after == 3600


@pytest.mark.parametrize(
    ("code", "conflict", "kind", "reason"),
    [
        ("515", "", RateLimited, "restart_required"),
        ("401", "device_removed", LoggedOut, "logged_out"),
        ("401", "", LoggedOut, "logged_out"),
        ("", "replaced", Conflict, "connection_replaced"),
        ("503", "", Transient, "server_unavailable"),
        ("500", "", Transient, "stream_error_500"),
        ("", "", Transient, "stream_error"),
    ],
)
def test_errors_of_a_stream(code: str, conflict: str, kind: type[ChannelError], reason: str) -> None:
    content = [Node("conflict", {"type": conflict})] if conflict else None
    failure = stream_failure(Node("stream:error", {"code": code} if code else {}, content))
    assert (type(failure), failure.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("code", "group", "kind", "reason"),
    [
        (400, False, Rejected, "wrong_addressing"),
        (403, True, Rejected, "not_a_member"),
        (403, False, Rejected, "refused"),
        (404, False, Rejected, "conversation_not_found"),
        (421, True, Rejected, "wrong_addressing"),
        (429, False, RateLimited, "rate_limited"),
        (463, False, Rejected, "contact_not_reachable"),
        (479, True, Rejected, "wrong_addressing"),
        (500, False, Rejected, "refused"),
    ],
)
def test_refused_messages(code: int, group: bool, kind: type[ChannelError], reason: str) -> None:
    """Nobody got such a message: it certainly was not applied."""
    failure = message_refusal(code, group=group)
    assert (type(failure), failure.reason) == (kind, reason)
    assert not failure.maybe_applied
    if isinstance(failure, Rejected):
        assert failure.code == str(code)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("404", Rejected, "group_not_found"),
        ("401", Rejected, "not_authorized"),
        ("403", Rejected, "not_allowed"),
        ("429", Transient, "rate_overlimit"),
        ("503", Transient, "request_failed_503"),
    ],
)
def test_refused_requests(code: str, kind: type[ChannelError], reason: str) -> None:
    answer = Node("iq", {"type": "error"}, [Node("error", {"code": code, "text": "…"})])
    failure = request_refusal(answer, "group_not_found")
    assert (type(failure), failure.reason) == (kind, reason)
    assert not failure.maybe_applied

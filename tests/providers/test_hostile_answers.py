"""Answers that no platform gives, such as those of a proxy between, to the login of each connection.

They end no login: whatever is not the platform's own word says nothing about credentials, and a login that
ended by mistake would need a human.
"""

from typing import Any

import attrs
import pytest

from tests.providers.platform import Step, answer, context, scripted
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.errors import ChannelError, LoggedOut
from unifyport.providers.registry import standard

HTML = b"<html>\xe9</html>"
ANSWERS: dict[str, Step] = {
    "html": answer(HTML),
    "truncated": answer(b'{"trunc', length=400),
    "redirect": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "list": answer(b"[]"),
    "null": answer(b"null"),
    "empty": answer(b"{}"),
    "wrong_types": answer(
        b'{"ok":true,"error":"x","code":[],"result":5,"data":7,"access_token":{},"userId":1}'
    ),
    "deep": answer(b"[" * 100_000),
    "header": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "no_http": b"garbage\r\n\r\n",
    "refused_by_a_proxy": answer(HTML, 403),
    "odd_code": answer(b'{"errors":[{"code":"\xc2\xb2","message":5}]}', 403),
    "not_utf8": answer(b'{"error":"\xff\xfe"}', 403),
    "unknown_path": answer(HTML, 404),
    "reset": b"",
}
CREDENTIALS: dict[str, tuple[str, int, dict[str, str]]] = {  # channel, place of the connection, credentials
    "line": ("line", 0, {"channel_id": "1656789012", "channel_secret": "0" * 32}),
    "zalo_official": (
        "zalo",
        1,
        {"app_id": "1", "app_secret": "s", "oa_secret": "o", "refresh_token": "r"},
    ),
    "tiktok": ("tiktok", 0, {"client_key": "k", "client_secret": "s", "refresh_token": "r"}),
    "x": (
        "x",
        0,
        {"client_id": "c", "client_secret": "s", "bearer_token": "b", "consumer_secret": "q"}
        | {"refresh_token": "r"},
    ),
}


def _endpoints(channel: str, url: str) -> Any:
    """The channel's, with each URL of its API at `url`."""
    endpoints = standard().channels[channel].endpoints
    of_api = ("api_url", "data_api_url", "openapi_url", "oauth_url")
    names = [name for name in of_api if hasattr(endpoints(), name)]
    return endpoints(**dict.fromkeys(names, url))


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("given", ANSWERS)
async def test_no_login_ends(name: str, given: str) -> None:
    channel, place, credentials = CREDENTIALS[name]
    spec: ConnectionSpec = standard().channels[channel].connections[place]
    async with scripted(*[ANSWERS[given]] * 20) as platform:
        connector = spec.connector()(
            attrs.evolve(context(None, **credentials), endpoints=_endpoints(channel, platform.url))
        )
        try:
            with pytest.raises(ChannelError) as raised:
                await connector.login()
        finally:
            await connector.aclose()
    assert not isinstance(raised.value, LoggedOut), raised.value.reason
    assert platform.requests

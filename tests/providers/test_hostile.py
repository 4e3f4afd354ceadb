"""Every field of every documented report, replaced by what no platform should send.

Each parser must make events of it that can be shown: none raises, all are JSON and UTF-8.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest

from tests.providers.documentation import LINE, TIKTOK, ZALO, X
from unifyport.model.inbound import ProviderEvent, Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.contract.errors import Transient
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.line.messaging.parse import parse_webhook as line
from unifyport.providers.tiktok.business.parse import parse_webhook as tiktok
from unifyport.providers.x.api.catch_up import read_page
from unifyport.providers.x.api.parse import parse_activity, parse_page
from unifyport.providers.zalo.bot.parse import parse_webhook as zalo_bot
from unifyport.providers.zalo.official.parse import parse_webhook as zalo_official

AT, ME = 1_780_790_400_000, "1111111111111111111"
HOSTILE = [
    *(b"1e308", b"-1", b"true", b"null", b"[]", b"{}", b'""', b"[{}]", b"[null]", b"1.5", b"9" * 30),
    *(b'"\\ud83d"', b'["\\udc00\\ud800"]', b'"\xff\xfe"', b'{"id":"\xff"}', b'"\\u0000"', b'"\xc2\xb2"'),
    *(b"253402300800000", b'"999999999999999"', b'"0001-01-01T00:00:00+14:00"', b'"NaN"', b'"1e308"'),
    b'"' + b"a" * 20_000 + b'"',
]
MARK = "@@"


def _activity(event_type: str, payload: Any) -> Any:
    return {"data": {"filter": {"user_id": ME}, "event_type": event_type, "payload": payload}}


def _of_line() -> Iterator[Any]:
    message = LINE["event"]["message"]
    yield from ({"destination": "U1", "events": [event]} for event in LINE["event"].values())
    for said in [*LINE["message"].values(), *LINE["variant"].values()]:
        yield {"destination": "U1", "events": [{**message, "message": said}]}


def _of_tiktok() -> Iterator[Any]:
    head = {"client_key": "app", "create_time": AT // 1000, "user_openid": "business"}
    contents = list(TIKTOK["event"].items())
    contents += [
        ("im_receive_msg", {**TIKTOK["head"], "type": kind, **fields})
        for kind, fields in TIKTOK["message"].items()
    ]
    yield from ({**head, "event": event, "content": content} for event, content in contents)


def _of_x() -> Iterator[Any]:
    yield from (_activity(event_type, payload) for event_type, payload in X["payload"].items())
    for said in X["content"].values():
        payload = copy.deepcopy(X["payload"]["dm.received"])
        payload["direct_message_events"][0]["message_create"]["message_data"] = said
        yield _activity("dm.received", payload)
    yield X["older"]


def _parse_page(raw: bytes, me: str) -> list[ProviderEvent]:
    try:
        return parse_page(read_page(raw), me)
    except Transient:  # of a page that is none
        return []


def _events(
    parse: Callable[[bytes, str], Iterable[Addressed]],
) -> Callable[[bytes, str], list[ProviderEvent]]:
    return lambda raw, identity: [addressed.event for addressed in parse(raw, identity)]


PLATFORMS: dict[str, tuple[Callable[[bytes, str], list[ProviderEvent]], list[Any]]] = {
    "line": (_events(line), list(_of_line())),
    "tiktok": (_events(tiktok), list(_of_tiktok())),
    "zalo_bot": (_events(zalo_bot), [*ZALO["bot"]["event"].values(), *ZALO["bot"]["event_seen"].values()]),
    "zalo_official": (_events(zalo_official), list(ZALO["official"]["event"].values())),
    "x": (_events(parse_activity), list(_of_x())),
    "x_history": (_parse_page, [{"data": [e], "includes": X["includes"]} for e in X["dm_event"].values()]),
}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from _paths(each, (*path, name))


def _with_mark(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return MARK
    changed = copy.copy(value)
    changed[path[0]] = _with_mark(value[path[0]], path[1:])
    return changed


def _bodies(name: str, report: Any) -> Iterator[bytes]:
    mark = json.dumps(MARK).encode()
    for path in _paths(report):
        changed = _with_mark(report, path)
        for hostile in HOSTILE:
            if name == "tiktok" and isinstance(changed["content"], dict):  # JSON in a string
                inner = json.dumps(changed["content"]).encode().replace(mark, hostile)
                whole = json.dumps({**changed, "content": "@content"}).encode().replace(mark, hostile)
                escaped = inner.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
                yield whole.replace(b'"@content"', b'"' + escaped + b'"')
            else:
                yield json.dumps(changed).encode().replace(mark, hostile)


@pytest.mark.parametrize("name", PLATFORMS)
def test_no_field_makes_an_event_that_cannot_be_shown(name: str) -> None:
    parse, reports = PLATFORMS[name]
    for report in reports:
        for body in _bodies(name, report):
            for event in parse(body, ME):
                assert len(event.key) == 16
                for standard in normalize(event, AT):
                    item = standard.provider_data.item if standard.provider_data is not None else None
                    json.dumps([standard.data, item], ensure_ascii=False, allow_nan=False).encode()
                    msgspec.json.encode(standard.data)


@pytest.mark.parametrize("items", [b"{},", b"1,"])
def test_a_list_of_hundreds_of_thousands_is_one_item(items: bytes) -> None:
    many = items * (1024 * 1024 // len(items) - 100)
    head = b'{"data":{"event_type":"dm.received","payload":{"direct_message_events":['
    [addressed] = parse_activity(head + many + b"1]}}}", ME)
    assert isinstance(addressed.event, Unparsed)


def test_a_page_is_no_larger_than_x_makes_them() -> None:
    with pytest.raises(Transient):
        read_page(b'{"data":[' + b"{}," * 1000 + b"{}]}")
    assert len(read_page(b'{"data":[' + b"{}," * 99 + b"{}]}").data) == 100

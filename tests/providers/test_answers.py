"""Answers of platforms in shapes that no documentation has: a connector raises a failure class, nothing else.

Any other exception would be a bug of ours, and a send that met it would be of unknown outcome.
"""

import contextlib
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.account.memory_session import MemorySession
from tests.providers.altered import altered
from tests.providers.platform import Platform, answer, context, scripted
from unifyport.model.message import OutboundMedia, OutboundText
from unifyport.providers.contract.capabilities import Target
from unifyport.providers.contract.errors import ChannelError, RateLimited, Rejected
from unifyport.providers.http import decode
from unifyport.providers.telegram import Endpoints as BotEndpoints
from unifyport.providers.telegram.bot.connector import BotConnector
from unifyport.providers.whatsapp import Endpoints as CloudEndpoints
from unifyport.providers.whatsapp.cloud.connector import CloudConnector
from unifyport.providers.whatsapp.cloud.template_checks import TemplateChecks
from unifyport.providers.whatsapp.cloud.templates import Listing, Page, Template, check_fits, read_page, shown
from unifyport.sandbox.whatsapp.contents import TEMPLATES

NUMBER = "106540352242922"
PARCEL = {"name": "parcel", "language": {"code": "en"}, "components": [{"type": "body", "parameters": []}]}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


# -- templates -----------------------------------------------------------------------------------------------


def page_of(body: bytes) -> Page:
    return read_page(decode(body, Listing))


def use(page: Page) -> None:
    """What a listing and a send do with a page. Raises `Rejected`."""
    for template in page.templates:
        shown(template)
        check_fits(template, PARCEL)


@pytest.mark.parametrize("template", TEMPLATES, ids=[str(each["name"]) for each in TEMPLATES])
def test_templates_of_any_shape(template: Any) -> None:
    neighbour = {"name": "good", "language": "en"}
    for odd in altered(template):
        page = page_of(encoded({"data": [odd, neighbour]}))
        assert page.templates[-1] == Template("good", "en")  # it is not lost for the other's shape
        with contextlib.suppress(Rejected):
            use(page)


@pytest.mark.parametrize("buttons", [None, ["x"], "x", [None], [[]], {}, [{"type": 1}], [{"url": {}}]])
def test_buttons_of_another_shape(buttons: Any) -> None:
    parts = [{"type": "BODY", "text": "Hi"}, {"type": "BUTTONS", "buttons": buttons}]
    odd = {"name": "parcel", "language": "en", "status": "APPROVED", "components": parts}
    [template] = page_of(encoded({"data": [odd]})).templates
    assert [part["type"] for part in shown(template).components] == ["BODY", "BUTTONS"]
    check_fits(template, PARCEL)


def test_paging_of_another_shape() -> None:
    listing = {"data": [], "paging": {"cursors": {"after": "a", "before": "b"}, "next": "https://x.example"}}
    assert page_of(encoded(listing)).after == "a"
    for odd in altered(listing):
        with contextlib.suppress(ChannelError):
            use(page_of(encoded(odd)))


names = st.sampled_from(
    "data paging cursors after next name language status category parameter_format components".split()
    + "type format text buttons url".split()
)
words = st.sampled_from(
    ["HEADER", "BODY", "BUTTONS", "IMAGE", "URL", "APPROVED", "NAMED", "{{1}}", "parcel", "en"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=24,
)


@given(values | st.fixed_dictionaries({"data": st.lists(values, max_size=3), "paging": values}))
def test_answers_about_templates_never_raise_anything_else(value: Any) -> None:
    with contextlib.suppress(ChannelError):
        use(page_of(encoded(value)))


class Lists:
    """Pages of a list of templates, which are asked for by cursor."""

    def __init__(self, pages: list[Any], *, repeats: bool = False) -> None:
        self._pages, self._repeats = pages, repeats
        self.queries: list[dict[str, Any]] = []

    async def page(self, query: dict[str, Any]) -> Page:
        self.queries.append(query)
        place = int(query.get("after", 0))
        after = 0 if self._repeats else place + 1
        more = {"paging": {"cursors": {"after": str(after)}, "next": "https://x.example"}}
        last = place + 1 == len(self._pages) and not self._repeats
        return page_of(encoded({"data": self._pages[place], **({} if last else more)}))


OTHERS = [{"name": f"parcel_{n}", "language": "en"} for n in range(3)]
MINE = {"name": "parcel", "language": "en", "status": "APPROVED", "components": []}


async def test_a_template_is_found_on_a_later_page() -> None:
    lists = Lists([OTHERS, OTHERS, [*OTHERS, MINE]])
    await TemplateChecks(lists.page).check(PARCEL)
    assert [query.get("after") for query in lists.queries] == [None, "1", "2"]
    assert all(query["name"] == "parcel" for query in lists.queries)


async def test_only_after_the_last_page_there_is_no_such_template() -> None:
    lists = Lists([OTHERS, OTHERS])
    with pytest.raises(Rejected, match="template_not_found"):
        await TemplateChecks(lists.page).check(PARCEL)
    assert len(lists.queries) == 2


@pytest.mark.parametrize(
    ("pages", "repeats", "asked"),
    [([OTHERS] * 500, False, 10), ([OTHERS], True, 2), ([["x"], OTHERS], False, 2)],
    ids=["longer than is read", "a cursor that repeats", "a template that cannot be read"],
)
async def test_where_the_list_is_not_known_whole_meta_decides(pages: Any, repeats: bool, asked: int) -> None:
    lists = Lists(pages, repeats=repeats)
    await TemplateChecks(lists.page).check(PARCEL)
    assert len(lists.queries) == asked


# -- all other answers ---------------------------------------------------------------------------------------

NOT_JSON = [
    b"",
    b"<html>",
    b'{"x":' + b"[" * 100_000,
    b'{"ok": true, "id": "\xff", "error": {"message": "\xff"}}',
]
TEXT = OutboundText("6590000001", "user", "hi")
FILE = OutboundMedia("6590000001", "user", "", type="image", name="a.png", mime_type="image/png", size=1)
TARGET = Target("6590000001", "7")

UPLOADED, SENT = {"id": "1"}, {"messages": [{"id": "wamid.1"}]}
MARKED = {"success": True}
MEDIA = {"url": "", "sha256": "ab" * 32, "file_size": 1, "mime_type": "image/png"}
GRAPH_ERROR = {"error": {"code": 131000, "message": "no", "error_data": {"details": "why"}}}
LISTED = {"data": [TEMPLATES[0]], "paging": {"cursors": {"after": "a"}}}
TEMPLATE = attrs.evolve(
    TEXT, text="", provider_data={"template": {"name": "hello_world", "language": "en_US"}}
)


def ok(result: Any, **more: Any) -> dict[str, Any]:
    return {"ok": True, "result": result, **more}


CHAT = {"id": -1, "type": "group", "title": "Shop", "is_forum": True, "linked_chat_id": 5}
USER = {"id": 1, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}
TOLD = {"retry_after": 3, "migrate_to_chat_id": -100}
BOT_ERROR = {"ok": False, "error_code": 429, "description": "no", "parameters": TOLD}


async def into_nothing(chunk: bytes) -> None:
    pass


# What a connector is asked for, and the answers of the platform that it needs for it.
CLOUD: dict[str, tuple[Any, list[Any]]] = {
    "login": (
        lambda c: c.login(),
        [{"id": NUMBER, "display_phone_number": "+65 9", "verified_name": "Shop"}],
    ),
    "send a text": (lambda c: c.send_text(TEXT), [SENT]),
    "be refused": (lambda c: c.send_text(TEXT), [GRAPH_ERROR]),
    "be refused at login": (lambda c: c.login(), [GRAPH_ERROR]),
    "send a file": (lambda c: c.send_file(FILE), [UPLOADED, SENT]),
    "send a template": (lambda c: c.send_text(TEMPLATE), [LISTED, SENT]),
    "list templates": (lambda c: c.list_message_templates(None, 5), [LISTED]),
    "react": (lambda c: c.react_to_message(TARGET, "x"), [SENT]),
    "mark as read": (lambda c: c.mark_read("6590000001", "wamid.1"), [MARKED]),
    "download": (lambda c: c.download(b"1", into_nothing, 10), [MEDIA]),
}
BOT: dict[str, tuple[Any, list[Any]]] = {
    "login": (lambda c: c.login(), [ok(USER)]),
    "send a text": (lambda c: c.send_text(TEXT), [ok({"message_id": 1})]),
    "be refused": (lambda c: c.send_text(TEXT), [BOT_ERROR]),
    "be refused at login": (lambda c: c.login(), [BOT_ERROR]),
    "send a file": (lambda c: c.send_file(FILE), [ok({"message_id": 1})]),
    "react": (lambda c: c.react_to_message(TARGET, "x"), [ok(True)]),
    "edit": (lambda c: c.edit_message(TARGET, "x"), [ok(True)]),
    "read a chat": (lambda c: c.get_conversation("-1"), [ok(CHAT), ok(3)]),
    "list members": (
        lambda c: c.list_conversation_members("-1", None, 5),
        [ok(CHAT), ok([{"status": "creator", "user": USER, "custom_title": "x"}])],
    ),
    "download": (lambda c: c.download(b"1", into_nothing, 10), [ok({"file_path": "a", "file_size": 1})]),
}


class Recorded(MemorySession):
    """A session whose sends are on record."""

    async def sending(self, message: Any, changes: Any = (), *, client_ref: Any = None) -> None:
        pass


@contextlib.asynccontextmanager
async def asking(kind: type[Any], platform: Platform) -> AsyncIterator[Any]:
    secrets = {"phone_number_id": NUMBER, "access_token": "t", "token": "1:a", "business_account_id": "1"}
    cloud = CloudEndpoints(graph_api_url=platform.url, media_url=platform.url)
    endpoints = cloud if kind is CloudConnector else BotEndpoints(bot_api_url=platform.url)
    connector = kind(attrs.evolve(context(Recorded({}), **secrets), endpoints=endpoints))
    try:
        yield connector
    finally:
        await connector.aclose()


ROWS = [
    (kind, *row) for kind, table in ((CloudConnector, CLOUD), (BotConnector, BOT)) for row in table.items()
]


@pytest.mark.parametrize(("kind", "what", "row"), ROWS, ids=[f"{row[0].__name__}: {row[1]}" for row in ROWS])
async def test_a_malformed_answer_is_a_failure_class(
    kind: type[Any], what: str, row: tuple[Any, list[Any]], tmp_path: Path
) -> None:
    ask, answers = row
    FILE.path = str(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(b"x")
    good = [encoded(each) for each in answers]
    tried = 0
    async with scripted() as platform:
        for place, each in enumerate(answers):
            for odd in [*NOT_JSON, *map(encoded, altered(each))]:
                for status in (200, 400, 401):
                    script = [*good[:place], odd, *good[place + 1 :]]
                    platform.script = [answer(body, status if body is odd else 200) for body in script]
                    platform.script += [answer(b"x", 404)] * 4
                    async with asking(kind, platform) as connector:
                        with contextlib.suppress(ChannelError):
                            await ask(connector)
                    tried += 1
    assert tried > 100


@pytest.mark.parametrize("told", ["5", -1, 0, 1e15, 1e308, None, [], {"x": 1}])
@pytest.mark.parametrize("name", ["retry_after", "migrate_to_chat_id", "error_code"])
async def test_a_limit_is_a_limit_whatever_its_numbers_are(name: str, told: Any) -> None:
    error: Any = copy.deepcopy(BOT_ERROR)
    del error["parameters"]["migrate_to_chat_id"]
    if name == "retry_after":
        error["parameters"][name] = told
    elif isinstance(told, int):
        told = str(told)  # another code is another error, and another chat is where it goes on
    if name == "error_code":
        error[name] = told
    elif name == "migrate_to_chat_id":
        error["parameters"][name] = told
    async with scripted() as platform:
        platform.script = [answer(encoded(error), 429)]
        async with asking(BotConnector, platform) as connector:
            with pytest.raises(RateLimited) as caught:
                await connector.send_text(TEXT)
    assert 1 <= caught.value.retry_after <= 86_400
    assert not caught.value.maybe_applied

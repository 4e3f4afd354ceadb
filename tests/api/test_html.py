"""Pages with texts from outside: whatever those say, the page has the same elements, and shows them."""

from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.test_texts import HOSTILE
from unifyport.api.http.docs_page import page
from unifyport.api.routes.login_pages import _passkey_page
from unifyport.model.auth import PasskeyPage

MARKUP = HOSTILE.map(lambda text: text.encode("utf-8", "replace").decode()) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</textarea><b>",
        "{{ 7 * 7 }}",
        "<!--",
        "&lt;",
    ]
)


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Any]] = []
        self.texts = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.texts += data


def passkey(origin: str, challenge: str) -> Reader:
    shown = PasskeyPage(origin, {"challenge": challenge, "rpId": origin})
    response = _passkey_page(HTTPStatus.OK, shown, "")
    assert isinstance(response.body, bytes)
    return Reader(response.body.decode())


@given(MARKUP, MARKUP)
def test_the_page_of_a_passkey(origin: str, challenge: str) -> None:
    plain, hostile = passkey("a", "b"), passkey(origin, challenge)
    assert hostile.tags == plain.tags
    shown = hostile.texts.replace("\r\n", "\n").replace("\r", "\n")
    assert challenge.replace("\r\n", "\n").replace("\r", "\n") in shown


def reference(text: str) -> Reader:
    document = {
        "info": {"title": text, "version": "1", "description": text},
        "tags": [],
        "paths": {},
        "components": {"schemas": {}},
    }
    return Reader(page(document)[0])


@settings(max_examples=20)
@given(MARKUP)
def test_the_page_of_the_document(text: str) -> None:
    assert reference(text).tags == reference("a").tags

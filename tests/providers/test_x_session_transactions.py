"""Transaction ids of X's web application: computed of its page, or said to be missing."""

import base64

import pytest

from unifyport.providers.contract.errors import Transient
from unifyport.providers.x.session.transactions import Transactions, installed

CURVE = "M 10,30 C" + " C".join(
    " ".join(str((row * 7 + step * 13) % 255) for step in range(11)) for row in range(16)
)
FRAMES = "".join(
    f'<svg id="loading-x-anim-{number}"><g><path d="M0"/><path d="{CURVE}"/></g></svg>' for number in range(4)
)
PAGE = (
    f'<html><meta name="twitter-site-verification" content="{base64.b64encode(bytes(range(48))).decode()}"/>'
    f'{FRAMES}<script>{{1:"y",20113:"ondemand.s"}}[e]+{{1:"x",20113:"abcdef01"}}</script></html>'
).encode()
SCRIPT = b"(a[2], 16) (b[12], 16) (c[14], 16) (d[7], 16)"
MISSING = base64.b64encode(b"e:").decode().rstrip("=")


@pytest.mark.skipif(not installed(), reason="needs the extra `x`")
async def test_an_id_is_computed_of_the_page_and_its_script() -> None:
    asked: list[str] = []

    async def fetch(path: str) -> bytes:
        asked.append(path)
        return PAGE if path == "/home" else SCRIPT

    transactions = Transactions(fetch)
    made = {await transactions.id_for("POST", f"/graphql/{number}/Send") for number in range(3)}
    assert len(made) == 3
    assert all(len(base64.b64decode(each + "==")) == 70 for each in made)
    assert asked == ["/home", "/responsive-web/client-web/ondemand.s.abcdef01a.js"]


@pytest.mark.parametrize(
    "page", [b"", b"<html></html>", b"\xff" * 100, PAGE.replace(b"ondemand.s", b"//evil")]
)
async def test_a_page_that_cannot_be_read_costs_only_the_ids(page: bytes) -> None:
    asked: list[str] = []

    async def fetch(path: str) -> bytes:
        asked.append(path)
        return page

    transactions = Transactions(fetch)
    assert await transactions.id_for("GET", "/a") == await transactions.id_for("GET", "/b") == MISSING
    assert all(path == "/home" for path in asked)
    assert len(asked) <= 1


async def test_a_page_that_is_refused_costs_only_the_ids() -> None:
    async def fetch(path: str) -> bytes:
        raise Transient("http_403")

    assert await Transactions(fetch).id_for("GET", "/a") == MISSING

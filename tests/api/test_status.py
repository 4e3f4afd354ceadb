"""`GET /v1/status`: what is asked for by words, by problems and by pages."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.harness import Client, account, free_port, gateway, public, sandbox, settings_of, whatsapp

BOTS = {f"bot-{number}": f"{5000 + number}:token" for number in range(4)}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    """Four bots and two phone numbers, of which `bad` has a wrong token."""
    async with sandbox() as platform:
        declared = "".join(account(name, token) for name, token in BOTS.items()) + whatsapp()
        declared += whatsapp("bad", "222222", access_token="wrong-token")
        settings = settings_of(tmp_path, declared + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as client:
            await client.until(lambda found: found["counts"].get("running") == 5, "/v1/status")
            await client.until(lambda found: found["problems"] == 1, "/v1/status")
            yield client


async def ask(api: Client, **query: str) -> Any:
    return await api.data("GET", f"/v1/status?{urlencode(query)}")


def names(found: Any) -> list[str]:
    return [each["name"] for each in found["accounts"]]


async def test_words_are_of_the_id_the_name_the_provider_or_the_status(api: Client) -> None:
    whole = await api.data("GET", "/v1/status")
    assert names(whole) == ["bad", "bot-0", "bot-1", "bot-2", "bot-3", "shop"]  # problems first
    assert (whole["matching"], whole["has_more"], whole["next_cursor"]) == (6, False, "")
    for words, expected in {
        "SHOP": ["shop"],
        "whatsapp": ["bad", "shop"],
        "bot-1": ["bot-1"],
        whole["accounts"][0]["id"]: ["bad"],
        whole["accounts"][0]["runtime_status"]: ["bad"],
        "nothing of this kind": [],
    }.items():
        found = await ask(api, q=words)
        assert (names(found), found["matching"]) == (expected, len(expected)), words
        assert (found["counts"], found["problems"]) == (whole["counts"], 1)  # of all accounts


async def test_problems_alone(api: Client) -> None:
    found = await api.data("GET", "/v1/status?problems=true")
    [bad] = found["accounts"]
    assert (bad["name"], bad["problem"], bad["last_error"]) == ("bad", True, "invalid_credentials")
    assert (bad["action"] != "", found["matching"], sum(found["counts"].values())) == (True, 1, 6)
    assert names(await api.data("GET", "/v1/status?problems=true&q=shop")) == []
    for no_filter in ("false", ""):
        assert len((await api.data("GET", f"/v1/status?problems={no_filter}"))["accounts"]) == 6


async def test_pages_end_where_the_accounts_end(api: Client) -> None:
    seen, sizes, cursor = list[str](), list[int](), ""
    while True:
        found = await ask(api, limit="4", cursor=cursor)
        seen += names(found)
        sizes.append(len(found["accounts"]))
        assert (found["matching"], found["has_more"]) == (6, bool(found["next_cursor"]))
        if not (cursor := found["next_cursor"]):
            break
    assert (sizes, seen) == ([4, 2], ["bad", "bot-0", "bot-1", "bot-2", "bot-3", "shop"])


async def test_what_cannot_be_asked_for_is_refused_by_name(api: Client) -> None:
    first = (await api.data("GET", "/v1/status?limit=1&q=bot"))["next_cursor"]
    for field, query in (
        ("problems", "problems=yes"),
        ("limit", "limit=0"),
        ("limit", "limit=-1"),
        ("limit", "limit=many"),
        ("cursor", "cursor=v1.AAAA"),
        ("cursor", f"limit=1&cursor={first}"),  # of another question
        ("cursor", f"limit=1&q=bot&problems=true&cursor={first}"),
    ):
        refused = await api("GET", f"/v1/status?{query}")
        assert (refused.status_code, field in refused.json()["error"]["message"]) == (400, True), refused.text

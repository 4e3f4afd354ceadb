"""`unifyport status`: what it asks for and prints."""

from typing import Any

import pytest

from unifyport.cli.status import _print, _read


class Pages:
    """Answers as `GET /v1/status` of so many accounts."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self.asked: list[tuple[str, str]] = []

    def request(self, method: str, path: str, *, params: dict[str, str]) -> Any:
        self.asked.append((params["limit"], params["cursor"]))
        begin = int(params["cursor"] or 0)
        end = min(self._accounts, begin + int(params["limit"]))
        found = [{"id": f"acct_{no}"} for no in range(begin, end)]
        return {"accounts": found, "next_cursor": str(end) if end < self._accounts else ""}


@pytest.mark.parametrize(
    ("accounts", "limit", "shown", "pages"),
    [(300, 1000, 300, 1), (300, 250, 250, 1), (1200, 1100, 1100, 2), (0, 1000, 0, 1), (2000, 2000, 2000, 2)],
)
def test_as_many_pages_as_it_takes(accounts: int, limit: int, shown: int, pages: int) -> None:
    server: Any = Pages(accounts)
    found = _read(server, {}, limit)
    assert [each["id"] for each in found["accounts"]] == [f"acct_{no}" for no in range(shown)]
    assert len(server.asked) == pages


def test_an_endpoint_that_is_not_well_is_shown_with_its_last_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint = {"id": "we_1", "name": "crm", "status": "active", "reason": "", "breaker_open": True}
    unresolved = {
        **endpoint,
        "id": "we_2",
        "name": "",
        "last_error": "name_not_resolved",
        "breaker_open": False,
    }
    failing = {**endpoint, "failing_since": "2026-01-01T00:00:00Z", "last_error": "http_502"}
    found = {"ready": True, "counts": {}, "problems": 0, "accounts": [], "matching": 0, "endpoint_count": 2}
    _print({**found, "endpoint_problems": 2, "endpoints": [failing, unresolved]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "webhook endpoint crm: active (failing since 2026-01-01T00:00:00Z, last error http_502, breaker open)"
    )
    assert lines[3] == "webhook endpoint we_2: active (last error name_not_resolved)"

"""How often refused calls of platforms are logged, and what is remembered for that."""

from http import HTTPStatus
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from unifyport.api.ingress import SILENCE_SECONDS, IngressFront, _Answer

REFUSED = _Answer(HTTPStatus.UNAUTHORIZED, check="the signature does not match")


class Accounts:
    """Has every account."""

    def runs(self, account_id: str) -> bool:
        return True

    def account_name(self, account_id: str) -> str:
        return account_id.upper()


async def test_a_line_a_minute_for_each_account_and_nothing_is_kept_of_the_others(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    accounts: Any = Accounts()
    front = IngressFront(accounts)
    for number in range(1000):
        front._log_refusal("whatsapp", f"acct_{number}", REFUSED)
        front._log_refusal("whatsapp", f"acct_{number}", REFUSED)
    assert len(caplog.records) == 1000
    await trio.sleep(SILENCE_SECONDS / 2)
    front._log_refusal("whatsapp", "acct_late", REFUSED)
    await trio.sleep(SILENCE_SECONDS / 2)
    front._log_refusal("whatsapp", "acct_7", REFUSED)
    assert [record.getMessage() for record in caplog.records[1000:]] == [
        "ingress refused for account 'ACCT_LATE': the signature does not match",
        "ingress refused for account 'ACCT_7': the signature does not match",
    ]
    assert list(front._logged) == ["acct_late", "acct_7"]

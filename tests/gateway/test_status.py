"""`StatusUseCases` over many accounts and endpoints that are not well."""

from typing import Any

import attrs

from supervisors import ChildState, Desired, Phase
from unifyport.gateway.status import StatusUseCases
from unifyport.model.account import Account
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process.clock import Clock

DAY = 86_400_000


@attrs.define
class View:
    status: RuntimeStatus = RuntimeStatus.RUNNING
    reason: str = ""


@attrs.define
class Actor:
    row: Account
    view: View = attrs.field(factory=View)
    interactive: bool = False
    calls: None = None


class Accounts(list[Actor]):
    def state(self, account_id: str) -> ChildState:
        return ChildState(account_id, Phase.RUNNING, 0, Desired.RUNNING, 1, 0, 1, None, None, None, ())


@attrs.define
class Endpoint:
    endpoint: WebhookEndpoint
    last_error: str
    breaker_open: bool = False


def status_of(accounts: Any, endpoints: Any, clock: Clock | None = None) -> StatusUseCases:
    return StatusUseCases(accounts, endpoints, lambda: None, clock or Clock())


async def test_pages_have_every_account_once_problems_first() -> None:
    accounts = Accounts()
    for no in range(300):
        row = Account(f"acct_{no}", f"bot {no}", "telegram", "telegram", "global", "token", no=no)
        status = RuntimeStatus.DISCONNECTED if no % 100 == 99 else RuntimeStatus.RUNNING
        accounts.append(Actor(row, View(status)))
    use_cases, shown, after = status_of(accounts, []), list[str](), None
    for size in (200, 100):
        page = await use_cases.read("", 200, after=after)
        assert (len(page.accounts), page.matching, page.problems) == (size, 300, 3)
        shown += [each.id for each in page.accounts]
        after = page.last
    assert after is None
    assert shown[:4] == ["acct_99", "acct_199", "acct_299", "acct_0"]
    assert (len(shown), len(set(shown))) == (300, 300)
    few = await use_cases.read("", 3)
    assert few.last == (False, 299)
    assert (await use_cases.read("", 1, after=few.last)).accounts[0].id == "acct_0"


async def test_a_failing_endpoint_says_since_when_by_the_wall_clock_and_with_what() -> None:
    """It is stored by the steady clock, which does not follow a step."""
    wall, elapsed = [10 * DAY], [0]
    clock = Clock(lambda: wall[0], lambda: elapsed[0])
    failing = WebhookEndpoint("we_1", "https://x.example", name="crm", failing_since=clock.steady_ms())
    wall[0] += 400 * DAY
    clock.check()
    well = WebhookEndpoint("we_2", "https://y.example")
    found = await status_of(
        Accounts(), [Endpoint(failing, "http_502"), Endpoint(well, "http_404")], clock
    ).read("", 5)
    [shown] = found.endpoints
    assert (shown.id, shown.failing_since, shown.last_error) == ("we_1", 410 * DAY, "http_502")
    assert (found.endpoint_count, found.endpoint_problems) == (2, 1)

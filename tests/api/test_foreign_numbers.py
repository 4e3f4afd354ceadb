"""Answers of every platform with one number set to another: no bug, no endless wait, and the way back."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trio
from quart import Response, request

from tests.api.tiktok_world import tiktok
from tests.api.x_world import x_account
from tests.harness import Client, account, free_port, gateway, public, sandbox, settings_of, whatsapp
from tests.line_world import line
from tests.providers.test_foreign_numbers import MARK, with_number
from tests.zalo import CUSTOMER, USER, bot_account, official_account
from unifyport.sandbox.http import HttpPlatform

NUMBERS = ["-1", "0", "1e15", "1e308", "NaN", '"soon"']
ROUNDS = 2
PATIENCE = 0.7  # seconds
CUSTOMERS = {
    "bot": "1",
    "shop": "6590000001",
    "line": "U" + "1" * 32,
    "tiktok": "c1",
    "x": "2",
    "zalo bot": USER,
    "zalo": CUSTOMER,
}


class Numbers:
    """Sets one number of each JSON answer to `number`: of the next answer of a path, the next one of it."""

    def __init__(self) -> None:
        self.number = ""
        self.changed: Counter[str] = Counter()
        self._turn: Counter[str] = Counter()

    async def change(self, response: Response) -> Response:
        if not self.number or "json" not in (response.content_type or ""):
            await trio.lowlevel.checkpoint()
            return response
        answers = [*with_number(json.loads(await response.get_data(as_text=True) or "null"))]
        if answers:
            place = f"{request.method} {request.path}"
            text = json.dumps(answers[self._turn[place] % len(answers)]).replace(f'"{MARK}"', self.number)
            self._turn[place] += 1
            self.changed[request.host] += 1
            response.set_data(text)
        return response


def accounts() -> str:
    return (
        account() + whatsapp() + line() + tiktok("tiktok") + x_account() + bot_account(name="zalo bot")
    ) + official_account("zalo")


async def ask(api: Client, each: dict[str, Any]) -> None:
    """What makes an account ask its platform; what an account that is down would wait for is left."""
    path = f"/v1/accounts/{each['id']}"
    to = {"type": "user", "id": CUSTOMERS[each["name"]]}
    body = {"account_id": each["id"], "to": to, "message": {"type": "text", "text": "x"}}
    for method, url, given in (
        ("POST", "/v1/messages", body),
        ("GET", f"{path}/contacts", None),
        ("POST", f"{path}/runtime/reset", None),
        ("POST", f"{path}/runtime/reconnect", None),
    ):
        with trio.move_on_after(PATIENCE):
            answer = await api(method, url, given)
            code = answer.json().get("error", {}).get("code", "")
            assert code != "internal_error", answer.text


async def observe(api: Client, each: dict[str, Any], began: datetime) -> None:
    """What an operator reads of an account."""
    path = f"/v1/accounts/{each['id']}"
    runtime = await api.data("GET", f"{path}/runtime")
    bugs = [failure for failure in runtime["recent_failures"] if failure["kind"] == "bug"]
    assert not bugs, (each["name"], bugs)
    if "next_retry_at" in runtime:
        retry = datetime.fromisoformat(runtime["next_retry_at"])
        assert retry <= began + timedelta(days=1, minutes=5), each["name"]
    assert (await api.data("GET", f"{path}/explain"))["why"] is not None
    await api.data("GET", f"{path}/auth")


async def test_no_number_of_an_answer_breaks_anything(tmp_path: Path) -> None:
    numbers, began = Numbers(), datetime.now(UTC)
    async with sandbox() as platform:
        for each in platform.sandbox.platforms.values():
            if isinstance(each, HttpPlatform):  # MTProto has no JSON
                each.app.after_request(numbers.change)
        settings = settings_of(tmp_path, accounts() + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            known = await api.data("GET", "/v1/accounts")
            assert len(known) == 7
            for each in known:
                await is_running(api, each)
            for numbers.number in NUMBERS * ROUNDS:
                async with trio.open_nursery() as nursery:
                    for each in known:
                        nursery.start_soon(ask, api, each)
                for each in known:
                    await observe(api, each, began)
            assert len(numbers.changed) >= 5, numbers.changed
            await api.data("GET", "/v1/supervisors")
            assert (await api.http.get("/metrics")).status_code == 200
            numbers.number = ""
            for each, verb in itertools.product(known, ("reset", "start")):
                await api("POST", f"/v1/accounts/{each['id']}/runtime/{verb}")
            for each in known:
                await is_running(api, each)


async def is_running(api: Client, each: dict[str, Any]) -> None:
    path = f"/v1/accounts/{each['id']}/runtime"
    await api.until(lambda found: found["runtime_status"] == "running", path)

"""The whole gateway with a wall clock that is wrong, while it runs and between two runs."""

import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from tests.api.login_world import a_world
from tests.api.test_ingress import message, signed
from tests.harness import (
    Client,
    Platform,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    sandbox,
    settings_of,
    whatsapp,
)
from unifyport.cli import main
from unifyport.config.settings import Settings
from unifyport.delivery.signing import TIMESTAMP
from unifyport.model.times import rfc3339
from unifyport.process.clock import Clock, wall_clock_ms
from unifyport.server import Parts

DAY = 86_400_000
STEPS = [14 * DAY, -14 * DAY, 24 * 365 * DAY, -26 * 365 * DAY]
PATIENCE = '{ max_attempts = 50, schedule = ["1s"] }'


class Machine:
    """A machine whose wall clock is `ahead` ms ahead of the true time."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead
        self.parts = Parts(clock=Clock(lambda: wall_clock_ms() + self.ahead))


class Strict(Receiver):
    """Refuses a signature that is older or newer than five minutes, as receivers do."""

    def __init__(self) -> None:
        super().__init__(self._judge)
        self.refused = 0
        self.down = False

    def _judge(self, event: dict[str, Any]) -> int:
        self._news.set()  # `until` waits for refusals too
        self._news = trio.Event()
        if self.down:
            return 503
        signed_at = datetime.fromisoformat(self.headers[-1][TIMESTAMP.lower()]).timestamp()
        if abs(signed_at - time.time()) > 300:
            self.refused += 1
            return 401
        return 204


@contextlib.asynccontextmanager
async def strict() -> AsyncIterator[Strict]:
    inbox = Strict()
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: inbox.run(task_status=task_status))
        yield inbox
        nursery.cancel_scope.cancel()


async def write(api: Client, shop: str, name: str) -> int:
    body = message(name)
    answer = await api.http.post(f"/ingress/whatsapp/{shop}", content=body, headers=signed(body))
    return answer.status_code


async def send(api: Client, bot: str, key: str) -> Any:
    body = {"account_id": bot, "to": {"type": "user", "id": "1"}, "message": {"type": "text", "text": "x"}}
    answer = await api("POST", "/v1/messages", body, headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    return answer


def texts(inbox: Receiver) -> list[str]:
    return [event["data"]["message"]["text"] for event in inbox.of("message.received")]


def of(directory: Path, platform: Platform, inbox: Receiver) -> Settings:
    more = whatsapp() + account() + endpoint(inbox.url, retry=PATIENCE, events='["message.received"]')
    return settings_of(directory, more + platform.sandbox.config(), **public(free_port()))


async def begin(api: Client, platform: Platform) -> tuple[str, str]:
    shop, bot = [each["id"] for each in await api.data("GET", "/v1/accounts")]
    await api.until(lambda found: found["runtime_status"] == "running", f"/v1/accounts/{bot}/runtime")
    await platform.write("so that the bot may answer")
    return shop, bot


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_while_it_runs(tmp_path: Path, step: int) -> None:
    machine = Machine()
    async with sandbox() as platform, strict() as inbox:
        settings = of(tmp_path, platform, inbox)
        async with gateway(settings, parts=machine.parts) as api:
            shop, bot = await begin(api, platform)
            first = await send(api, bot, "k")
            await inbox.until(lambda: len(texts(inbox)) == 1, 4)

            machine.ahead = step
            ready = (await api.http.get("/readyz")).json()["data"]
            assert ready["status"] == "ready"
            assert "the clock was set" in ready["clock"]
            assert await write(api, shop, "while it is wrong") == 200
            again = await send(api, bot, "k")
            assert again.headers["idempotent-replayed"] == "true"
            assert again.json()["data"] == first.json()["data"]
            await inbox.until(lambda: inbox.refused)
            metrics = (await api.http.get("/metrics")).text
            assert "unifyport_clock_in_doubt 1.0" in metrics
            assert "unifyport_quarantined_total 0.0" in metrics
            [owed] = await api.data("GET", "/v1/webhook-endpoints")
            assert await dead_letters(api, owed["id"]) == []

            machine.ahead = 0
            await inbox.until(lambda: len(texts(inbox)) == 2)
            assert texts(inbox)[1] == "while it is wrong"
            assert (await api.data("POST", "/v1/clock/accept"))["in_doubt"] is False
            assert "clock" not in (await api.http.get("/readyz")).json()["data"]
            assert (await api.data("GET", "/v1/clock")) == {"in_doubt": False, "steps": 2}
            assert len(await platform.sent()) == 1


async def dead_letters(api: Client, endpoint_id: str) -> list[Any]:
    found = await api.data("GET", f"/v1/webhook-endpoints/{endpoint_id}/deliveries?status=dead")
    return list(found["items"])


@pytest.mark.parametrize("step", STEPS)
async def test_a_clock_that_is_wrong_at_start(tmp_path: Path, step: int) -> None:
    async with sandbox() as platform, strict() as inbox:
        settings, inbox.down = of(tmp_path, platform, inbox), True
        async with gateway(settings, parts=Machine().parts) as api:
            shop, bot = await begin(api, platform)
            first = await send(api, bot, "k")
            assert await write(api, shop, "before") == 200
            await inbox.until(lambda: inbox.attempts >= 2)

        machine = Machine(step)
        async with gateway(settings, parts=machine.parts) as api:
            shop, bot = await begin(api, platform)
            assert (await api.data("GET", "/v1/clock"))["in_doubt"] is (step not in STEPS[:1])
            again = await send(api, bot, "k")
            assert again.json()["data"] == first.json()["data"]
            if step != STEPS[0]:  # two weeks may be a long stop: then what is two weeks older is stale
                assert await write(api, shop, "while it is wrong") == 200
            inbox.down = False
            machine.ahead = 0
            expected = 3 + (step != STEPS[0])
            await inbox.until(lambda: len(texts(inbox)) == expected)
            assert "before" in texts(inbox)
            assert len(await platform.sent()) == 1
            [owed] = await api.data("GET", "/v1/webhook-endpoints")
            assert await dead_letters(api, owed["id"]) == []
            assert owed["expired"] == 0


async def test_a_code_and_a_key_do_not_expire_by_a_clock_that_is_wrong(tmp_path: Path) -> None:
    """Neither what a login shows nor an API key is past its expiry while the clock is in doubt."""
    machine, port = Machine(), free_port()
    async with a_world(tmp_path, parts=machine.parts, **public(port)) as world:
        api = world.api
        body = {"name": "short", "expires_at": rfc3339(wall_clock_ms() + DAY // 2)}
        short = Client(str(api.http.base_url), (await api.data("POST", "/v1/api-keys", body))["api_key"])
        id_ = await world.account("qrcode")
        shown = await world.step(id_, "qr/start")
        picture = shown["auth_payload"]["url"]
        await world.inbox.until(lambda: bool(world.of(id_, "account.auth.required")))
        [event] = world.of(id_, "account.auth.required")

        machine.ahead = DAY
        state = await api.data("GET", f"/v1/accounts/{id_}/auth")
        assert state["auth_payload"] == shown["auth_payload"]
        assert (await api.http.get(picture)).status_code == 200
        logged = await api.data("GET", f"/v1/events/{event['id']}")
        assert "auth_payload" in logged["data"]
        assert (await short("GET", "/v1/workspace")).status_code == 200
        made = await api("POST", "/v1/api-keys", {**body, "name": "made while the clock is wrong"})
        assert made.status_code == 201

        await api.data("POST", "/v1/clock/accept")
        assert "auth_payload" not in await api.data("GET", f"/v1/accounts/{id_}/auth")
        assert (await api.http.get(picture)).status_code == 404
        assert "auth_payload" not in (await api.data("GET", f"/v1/events/{event['id']}"))["data"]
        assert (await short("GET", "/v1/workspace")).status_code == 401


async def test_a_wait_that_a_clock_ahead_has_stored_is_a_day_at_most(tmp_path: Path) -> None:
    """And the operator's start ends it."""
    async with sandbox() as platform:
        settings = settings_of(tmp_path, account() + platform.sandbox.config())
        async with gateway(settings) as api:
            await api.until(lambda found: found[0]["runtime_status"] == "running", "/v1/accounts")
        with contextlib.closing(sqlite3.connect(tmp_path / "unifyport.db")) as db, db:
            db.execute("update account set not_before = ?", [wall_clock_ms() + 400 * DAY])
        async with gateway(settings) as api:
            [bot] = await api.data("GET", "/v1/accounts")
            path = f"/v1/accounts/{bot['id']}/runtime"
            found = await api.until(lambda runtime: runtime["phase"] == "deferred", path)
            assert rfc3339(wall_clock_ms()) < found["next_retry_at"] <= rfc3339(wall_clock_ms() + DAY)
            await api.data("POST", f"{path}/start")
            await api.until(lambda runtime: runtime["runtime_status"] == "running", path)


async def test_the_operator_accepts_the_clock_by_the_command_line(tmp_path: Path) -> None:
    machine = Machine()
    async with gateway(settings_of(tmp_path), parts=machine.parts):
        machine.ahead = DAY

        def run(*words: str) -> str:
            arguments = ["clock", *words, "-c", str(tmp_path / "unifyport.toml")]
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, result.output
            return result.output

        assert "in doubt: the clock was set 1d ahead" in await trio.to_thread.run_sync(run, "show")
        assert "not in doubt" in await trio.to_thread.run_sync(run, "accept")
        assert '"in_doubt": false' in await trio.to_thread.run_sync(run, "show", "--json")

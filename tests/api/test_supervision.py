"""Policies as operators write them, and what they see of an account that does not run."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.account.connection import Connection
from actors.account.explanation import _NEXT, ACTIONS, ACTIONS_IN_FILE, explain
from actors.writer import Writer
from supervisors import ChildState, Desired, Phase
from tests.harness import (
    TOKEN,
    Process,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
    write_config,
)
from unifyport.config.settings import load
from unifyport.model.account import Account, Origin
from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard

POLICIES = """
[supervision.policies.default]
backoff = { initial = "2s", max = "4m" }
max_restarts = 9
[supervision.providers.whatsapp]
max_restarts = 7
backoff = { max = "8m" }
max_concurrent_starts = 3
start_rate = "120/m"
"""


def test_policies_are_laid_over_one_another(tmp_path: Path) -> None:
    more = whatsapp() + 'supervision = { stable_after = "5s", backoff = { factor = 3.0 } }\n' + POLICIES
    settings = load(write_config(tmp_path, more=more), standard())
    supervision, [shop] = settings.supervision, settings.accounts
    default, channel = supervision.of("telegram"), supervision.of("whatsapp")
    own = supervision.of("whatsapp", shop.supervision)
    assert [(p.backoff.initial, p.backoff.factor, p.backoff.max) for p in (default, channel, own)] == [
        (2, 2, 240),
        (2, 2, 480),
        (2, 3, 480),
    ]
    assert [(p.max_restarts, p.stable_after) for p in (default, channel, own)] == [(9, 60), (7, 60), (7, 5)]
    assert (channel.max_concurrent_starts, channel.start_rate, default.max_concurrent_starts) == (3, 2.0, 20)


WRONG = [
    ("[supervision.providers.signal]\nmax_restarts = 1", "supervision.providers.signal: no such channel"),
    ('[supervision.providers.whatsapp]\nstart_rate = "fast"', "must be a rate"),
    ("[supervision.providers.whatsapp]\nmax_concurrent_starts = 0", "supervision.providers.whatsapp"),
    ('[supervision.providers.whatsapp]\nrestart = "sometimes"', "restart: must be one of"),
    ('[supervision.providers.whatsapp]\ncolour = "red"', ".colour: unknown key"),
    ('[supervision.policies.default]\nwindow = "10s"', "the back-off never makes"),
    ('[supervision.policies.default]\nbackoff = { initial = "1h", max = "2h" }', "the back-off never makes"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_impossible_policies_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Problems) as found:
        load(write_config(tmp_path, more=f"\n{text}\n"), standard())
    assert words in "; ".join(found.value.problems)


def test_an_account_has_no_admission_of_its_own(tmp_path: Path) -> None:
    more = account() + 'supervision = { start_rate = "1/s" }\n'
    with pytest.raises(Problems, match="for a channel, not for an account"):
        load(write_config(tmp_path, more=more), standard())


def test_every_phase_is_explained() -> None:
    assert set(_NEXT) == set(Phase)
    assert all(ACTIONS.values())
    assert ACTIONS_IN_FILE.keys() == ACTIONS.keys()


def test_an_account_of_the_file_is_never_to_be_changed_through_the_api() -> None:
    """Such a request is answered with 409."""
    account = Account("acct_1", "bot", "telegram", "telegram", "global", "token", origin=Origin.FILE)
    for reason in ACTIONS:
        state = ChildState("acct_1", Phase.TERMINAL, 0, Desired.RUNNING, 1, 0, 0, None, None, reason, ())
        assert "PATCH" not in explain(account, state, "", "")[2]
    left = explain(attrs.evolve(account, status="inactive"), state, "", "")
    assert left == (
        "its status is inactive",
        "nothing",
        "declare it in the configuration file again and reload",
    )


def test_an_account_that_stops_with_the_gateway_starts_with_it() -> None:
    row = Account("acct_1", "bot", "telegram", "telegram", "global", "token")
    state = ChildState("acct_1", Phase.STOPPED, 0, Desired.RUNNING, 1, 0, 1, None, None, None, ())
    assert explain(row, state, "", "")[1] == "it starts again with the gateway"
    by_operator = attrs.evolve(row, desired="stopped")
    state = attrs.evolve(state, desired=Desired.STOPPED)
    assert explain(by_operator, state, "", "")[1] == "nothing, until it is started"


@pytest.mark.parametrize(("interactive", "action"), [(True, "log it in"), (False, "give new credentials")])
def test_a_login_that_is_void_needs_a_human_whatever_the_word_is(interactive: bool, action: str) -> None:
    row = Account("acct_1", "a", "line", "line", "global", "token", terminal="session_revoked")
    state = ChildState(
        "acct_1",
        Phase.TERMINAL,
        0.0,
        Desired.RUNNING,
        incarnations=1,
        restarts_in_window=0,
        budget_left=1,
        next_retry_at=None,
        last=None,
        terminal="session_revoked",
        recent=(),
    )
    why, _, found = explain(row, state, "", "", interactive=interactive)
    assert why == "session_revoked"
    assert found.startswith(action)


async def explained(api: Any, account_id: str) -> tuple[str, str, str]:
    found = await api.data("GET", f"/v1/accounts/{account_id}/explain")
    return found["why"], found["next"], found["action"]


async def test_what_an_operator_sees_and_does(tmp_path: Path) -> None:
    quick = (
        '[supervision.policies.default]\nbackoff = { initial = "10ms", max = "10ms", jitter = 0.0 }\n'
        'max_restarts = 2\nwindow = "1h"\n'
    )
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp("bad", access_token="wrong") + account() + endpoint(inbox.url)
        more += platform.sandbox.config() + quick
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await inbox.until(lambda: len(inbox.of("account.auth.required")) == 1)
            bad, bot = (a["id"] for a in await api.data("GET", "/v1/accounts"))
            why, following, action = await explained(api, bad)
            assert (why, action) == ("invalid_credentials", ACTIONS_IN_FILE["invalid_credentials"])
            assert "change its credentials in the configuration file and reload" in action
            assert "logged in again" in following
            assert await explained(api, bot) == ("", "", "")
            runtime = await api.data("GET", f"/v1/accounts/{bot}/runtime")
            assert (runtime["phase"], runtime["desired"], runtime["budget_left"]) == ("running", "running", 2)
            assert runtime["recent_failures"] == []

            await platform.post("faults", {"kind": "error_500", "seconds": 600})
            await api.data("POST", f"/v1/accounts/{bot}/runtime/reconnect")
            with trio.fail_after(10):
                while (runtime := await api.data("GET", f"/v1/accounts/{bot}/runtime"))["phase"] != "parked":
                    await trio.lowlevel.checkpoint()
            assert runtime["runtime_status"] == "disconnected"
            assert (runtime["budget_left"], runtime["restarts_in_window"]) == (0, 3)
            assert {f["reason"] for f in runtime["recent_failures"]} == {"http_500"}
            assert {f["kind"] for f in runtime["recent_failures"]} == {"transient"}
            why, following, _ = await explained(api, bot)
            assert why == "http_500"
            assert runtime["next_retry_at"] in following

            await platform.http.delete("/sandbox/telegram/faults")
            reset = await api.data("POST", f"/v1/accounts/{bot}/runtime/reset")
            assert (reset["action"], reset["operation_status"]) == ("reset", "succeeded")
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            runtime = await api.data("GET", f"/v1/accounts/{bot}/runtime")
            assert (runtime["phase"], runtime["budget_left"]) == ("running", 2)

            await api.data("POST", f"/v1/accounts/{bot}/runtime/stop")
            assert await explained(api, bot) == (
                "an operator stopped it",
                "nothing, until it is started",
                "POST runtime/start",
            )
            missing = await api("GET", "/v1/accounts/acct_none/explain")
            assert missing.status_code == 404
            assert TOKEN not in str(runtime)


def is_in(phase: str, runtime: dict[str, Any]) -> bool:
    return bool(runtime["phase"] == phase)


async def test_what_a_restart_of_the_process_does_not_forget(tmp_path: Path) -> None:
    """A void login is not tried again, and a wait that the platform asked for goes on."""
    async with sandbox() as platform:
        more = whatsapp("void", access_token="wrong") + account() + platform.sandbox.config()
        port = free_port()
        config = write_config(tmp_path, more=more, **public(port))
        await platform.post("faults", {"kind": "rate_limit", "value": 600, "seconds": 600})
        runtimes: list[list[dict[str, Any]]] = []
        for _ in range(2):
            process = Process(config, port)
            await process.start()
            api = process.client
            ids = [known["id"] for known in await api.data("GET", "/v1/accounts")]
            for each, phase in zip(ids, ("terminal", "deferred"), strict=True):
                await api.until(partial(is_in, phase), f"/v1/accounts/{each}/runtime")
            runtimes.append([await api.data("GET", f"/v1/accounts/{each}/runtime") for each in ids])
            assert await process.stop() == 0
        (void, limited), (void_again, limited_again) = runtimes
        assert (void["terminal"], void_again["terminal"]) == ("invalid_credentials", "invalid_credentials")
        assert (void["incarnations"], void_again["incarnations"]) == (1, 0)
        assert (limited["incarnations"], limited_again["incarnations"]) == (1, 0)
        waits = [
            datetime.fromisoformat(runtime["next_retry_at"]).timestamp()
            for runtime in (limited, limited_again)
        ]
        assert abs(waits[0] - waits[1]) <= 1


async def test_the_supervision_tree(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [bot] = await api.data("GET", "/v1/accounts")
            storage, normalizers, services = await api.data("GET", "/v1/supervisors")
            assert (storage["id"], storage["phase"], "strategy" in storage) == ("storage", "running", False)
            assert normalizers["counts"] == {"running": len(normalizers["children"])}
            assert [child["id"] for child in services["children"]] == [
                "watchdog",
                "garbage",
                "keys",
                "clock",
                "retention",
                "eraser",
                "fetching",
                "deliveries",
                "accounts",
                "front",
            ]
            accounts = services["children"][-2]
            assert (accounts["strategy"], accounts["counts"]) == ("one_for_one", {"running": 1})
            assert [(c["id"], c["phase"], c["incarnations"]) for c in accounts["children"]] == [
                (bot["id"], "running", 1)
            ]
            await api.data("POST", f"/v1/accounts/{bot['id']}/runtime/stop")
            *_, services = await api.data("GET", "/v1/supervisors")
            assert services["children"][-2]["counts"] == {"stopped": 1}


async def test_starts_of_a_channel_wait_for_their_turn(tmp_path: Path) -> None:
    """One slot, a platform that answers slowly: one account starts, the others say that they wait."""
    one = "[supervision.providers.telegram]\nmax_concurrent_starts = 1\n"
    async with sandbox() as platform, receiver() as inbox:
        await platform.post("faults", {"kind": "delay", "method": "getMe", "value": 0.3, "seconds": 60})
        more = "".join(account(f"bot {n}", f"{n}:token") for n in range(1, 4))
        more += endpoint(inbox.url) + platform.sandbox.config() + one
        async with gateway(settings_of(tmp_path, more)) as api:
            accounts = await api.data("GET", "/v1/accounts")
            waiting = set()
            with trio.fail_after(10):
                while len(inbox.of("account.started")) < 3:
                    for known in accounts:
                        runtime = await api.data("GET", f"/v1/accounts/{known['id']}/runtime")
                        if runtime["phase"] == "waiting":
                            assert runtime["reason"] == "waiting_for_admission"
                            assert runtime["runtime_status"] == "starting"
                            waiting.add(known["id"])
            assert len(waiting) == 2
            await inbox.until(lambda: len(inbox.of("account.status.updated")) == 6)
            for known in accounts:
                events = [
                    e["data"]["runtime_status"]
                    for e in inbox.of("account.status.updated")
                    if e["account_id"] == known["id"]
                ]
                assert events == ["starting", "running"]  # waiting is no event of its own


PROBE = '[supervision.policies.default]\nprobe = { interval = "300ms", timeout = "200ms", failures = 2 }\n'


async def test_a_silent_account_is_probed_and_restarted_when_it_does_not_answer(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = account() + platform.sandbox.config() + PROBE

        def asked() -> int:
            return sum(call["method"] == "getMe" for call in platform.telegram.connections)

        async with gateway(settings_of(tmp_path, more)) as api:
            [bot] = await api.data("GET", "/v1/accounts")
            path = f"/v1/accounts/{bot['id']}/runtime"
            with trio.fail_after(20):
                while asked() < 4:  # its login, and three probes: nobody writes to it
                    await trio.lowlevel.checkpoint()
            well = await api.data("GET", path)
            assert (well["phase"], well["incarnations"], well["recent_failures"]) == ("running", 1, [])
            await platform.post("faults", {"kind": "delay", "method": "getMe", "value": 5, "count": 2})
            await api.until(lambda r: (r["phase"], r["incarnations"]) == ("running", 2), path, 20)
            again = await api.data("GET", path)
            assert [failure["reason"] for failure in again["recent_failures"]] == ["probe_failed"]
            assert again["budget_left"] == well["budget_left"] - 1
            await platform.post("faults", {"kind": "logout", "method": "getMe", "count": 1})
            await api.until(lambda r: r["phase"] == "terminal", path, 20)  # an answer, and a final one


async def test_no_more_accounts_than_max_children(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = account() + platform.sandbox.config() + "[supervision]\nmax_children = 2\n"
        async with gateway(settings_of(tmp_path, more)) as api:
            body = {"provider": "telegram", "provider_data": {"token": "5151:x"}}
            assert (await api("POST", "/v1/accounts", body)).status_code == 201
            body = {"provider": "telegram", "provider_data": {"token": "5252:x"}}
            refused = await api("POST", "/v1/accounts", body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (
                409,
                "workspace_account_quota_exceeded",
            )
            assert len(await api.data("GET", "/v1/accounts")) == 2


async def test_our_own_back_pressure_never_makes_a_probe_restart_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F18: the disk takes nothing, the account's reader waits for it,
    and what the platform says stays unread.
    """
    commit, held_up_since, gate = Writer._commit, Connection.held_up_since, trio.Event()
    void = 0

    async def gated(self: Writer, group: Any) -> None:
        await gate.wait()
        await commit(self, group)

    def counted(self: Connection, at: float) -> bool:
        nonlocal void
        void += (held := held_up_since(self, at))
        return held

    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config() + PROBE
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [bot] = await api.data("GET", "/v1/accounts")
            monkeypatch.setattr(Writer, "_commit", gated)
            monkeypatch.setattr(Connection, "held_up_since", counted)
            await platform.post("faults", {"kind": "delay", "method": "getMe", "value": 9, "seconds": 60})
            await platform.write("held up", 7)
            with trio.fail_after(20):
                while void < 4:  # twice as often as the policy above lets a probe fail
                    await trio.lowlevel.checkpoint()
            runtime = await api.data("GET", f"/v1/accounts/{bot['id']}/runtime")
            assert (runtime["phase"], runtime["incarnations"]) == ("running", 1)
            gate.set()
            await inbox.until(lambda: any(e["text"] == "held up" for e in inbox.of("message.received")))

"""The file read again while everything runs: what is declared follows it,
and what is not different does not notice.
"""

import contextlib
import ipaddress
import re
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from cryptography import x509

from actors.accounts import Accounts
from tests.harness import (
    KEY,
    Client,
    Platform,
    Process,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    receiver,
    sandbox,
    settings_of,
    write_config,
)
from tests.tls import Authority
from unifyport.config.reload import Reloader
from unifyport.net.guard import Address
from unifyport.server import Parts

Reload = Callable[..., Awaitable[Any]]
OTHER_KEY = "other_key_" + "o" * 32


@attrs.define
class House:
    directory: Path
    platform: Platform
    inbox: Receiver
    api: Client

    @property
    def rest(self) -> str:
        return endpoint(self.inbox.url) + self.platform.sandbox.config()

    def write(self, more: str, **sections: Any) -> None:
        write_config(self.directory, more=more, **sections)

    async def reload(self, more: str, **order: bool) -> Any:
        self.write(more)
        return await self.api.data("POST", "/v1/reload", order)

    async def account(self, name: str) -> Any:
        [found] = [each for each in await self.api.data("GET", "/v1/accounts") if each["name"] == name]
        return found

    async def runtime(self, name: str) -> Any:
        return await self.api.data("GET", f"/v1/accounts/{(await self.account(name))['id']}/runtime")

    async def until(self, name: str, status: str) -> Any:
        path = f"/v1/accounts/{(await self.account(name))['id']}/runtime"
        return await self.api.until(lambda runtime: runtime["runtime_status"] == status, path)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """One declared account and one endpoint, running."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            house = House(tmp_path, platform, inbox, api)
            await house.until("bot", "running")
            yield house


def differences(report: Any) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["name"], each["action"]) for each in report["differences"]]


async def test_the_same_file_changes_nothing(house: House) -> None:
    before = await house.runtime("bot")
    report = await house.reload(account() + house.rest)
    assert report == {
        "dry_run": False,
        "differences": [],
        "options": [],
        "needs_restart": [],
        "policies_changed": 0,
        "left": [],
    }
    after = await house.runtime("bot")
    assert (after["incarnations"], after["since"]) == (before["incarnations"], before["since"])


async def test_create_update_and_stop(house: House) -> None:
    before = await house.runtime("bot")
    await house.until("bot", "running")
    more = account() + account("second", "77:token") + house.rest
    report = await house.reload(more + f'[[api_keys]]\nname = "other"\nkey = "{OTHER_KEY}"\n')
    assert differences(report) == [("api_key", "other", "create"), ("account", "second", "create")]
    await house.until("second", "running")
    assert (await Client(str(house.api.http.base_url), OTHER_KEY)("GET", "/v1/workspace")).is_success
    assert (await house.runtime("bot"))["incarnations"] == before["incarnations"] == 1

    changed = account() + account("second", "77:other") + house.rest
    report = await house.reload(changed)  # and the other key has left
    assert (await Client(str(house.api.http.base_url), OTHER_KEY)("GET", "/v1/workspace")).status_code == 401
    assert differences(report) == [("api_key", "other", "remove"), ("account", "second", "update")]
    assert report["differences"][1]["fields"] == ["credentials"]
    await house.api.until(
        lambda r: (r["incarnations"], r["phase"]) == (2, "running"),
        f"/v1/accounts/{(await house.account('second'))['id']}/runtime",
    )
    assert (await Client(str(house.api.http.base_url), OTHER_KEY)("GET", "/v1/workspace")).status_code == 401

    report = await house.reload(account() + house.rest)
    assert (differences(report), report["left"]) == ([("account", "second", "stop")], ["account 'second'"])
    await house.until("second", "stopped")
    assert (await house.runtime("bot"))["incarnations"] == 1
    report = await house.reload(changed)  # and back again, with its login
    assert (differences(report), report["left"]) == ([("account", "second", "update")], [])
    assert report["differences"][0]["fields"] == ["status"]
    await house.until("second", "running")


async def test_endpoints_follow_the_file(house: House) -> None:
    async with receiver() as second:
        extra = endpoint(second.url, name="second", events='["message.received"]')
        await house.reload(account() + house.rest + extra)
        await house.platform.write("to both", 7)
        await second.until(lambda: bool(second.of("message.received")))
        await house.inbox.until(lambda: bool(house.inbox.of("message.received")))
        known = {e["name"]: e for e in await house.api.data("GET", "/v1/webhook-endpoints")}
        hook = f"/v1/webhook-endpoints/{known['second']['id']}"
        for change in (
            {"url": "https://other.example"},
            {"status": "inactive", "delivery": {"timeout": "5s"}},
        ):
            refused = await house.api("PATCH", hook, change)
            assert refused.json()["error"]["code"] == "update_webhook_endpoint_failed"
        await house.api.data(
            "PATCH", hook, {"status": "inactive"}
        )  # whoever declares it, operators may pause it
        assert (await house.reload(account() + house.rest + extra))["differences"] == []
        assert (await house.api.data("GET", hook))["status"] == "inactive"
        await house.api.data("PATCH", hook, {"status": "active", "delivery": {"resume": "now"}})
        report = await house.reload(account() + house.rest)
        assert differences(report) == [("webhook_endpoint", "second", "stop")]
        known = {e["name"]: e for e in await house.api.data("GET", "/v1/webhook-endpoints")}
        assert (known["receiver"]["status"], known["second"]["status"]) == ("active", "inactive")
        assert known["second"]["reason"] == "left_the_file"
        report = await house.reload(account() + house.rest + extra)  # and is back
        assert differences(report) == [("webhook_endpoint", "second", "update")]
        assert (await house.api.data("GET", hook))["status"] == "active"
        report = await house.reload(account() + house.rest, prune=True)
        assert differences(report) == [("webhook_endpoint", "second", "remove")]
        assert [e["name"] for e in await house.api.data("GET", "/v1/webhook-endpoints")] == ["receiver"]


async def test_a_policy_is_put_in_force_without_touching_what_runs(house: House) -> None:
    before = await house.runtime("bot")
    assert before["budget_left"] == 15
    report = await house.reload(
        account() + house.rest + "[supervision.policies.default]\nmax_restarts = 9\nstart_rate = '7/s'\n"
    )
    assert report["options"] == [
        "supervision.policies.default.max_restarts",
        "supervision.policies.default.start_rate",
    ]
    assert (report["policies_changed"], report["differences"]) == (1, [])
    after = await house.runtime("bot")
    assert (after["budget_left"], after["incarnations"], after["since"]) == (9, 1, before["since"])

    own = account() + "supervision = { max_restarts = 7 }\n" + house.rest
    report = await house.reload(own, dry_run=True)
    assert differences(report) == [("account", "bot", "update")]
    assert (await house.runtime("bot"))["budget_left"] == 9  # it was only compared
    report = await house.reload(own)
    assert report["differences"][0]["fields"] == ["supervision"]
    after = await house.runtime("bot")
    assert (after["budget_left"], after["incarnations"], after["since"]) == (7, 1, before["since"])


async def test_a_file_with_mistakes_changes_nothing_and_says_so(house: House) -> None:
    mistakes = (
        account("second", "77:token")
        + account("third", "no token")
        + endpoint("ftp://nowhere", name="wrong")
        + house.rest
        + '[supervision.providers.telegram]\nwindow = "soon"\n[supervision.providers.icq]\nmax_restarts = 1\n'
    )
    house.write(mistakes)
    response = await house.api("POST", "/v1/reload")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_configuration")
    assert error["message"].startswith("nothing was changed: ")
    for part in ('accounts "third".credentials.token', 'webhook_endpoints "wrong".url', "window", "icq"):
        assert any(part in problem for problem in error["problems"]), part
    assert [each["name"] for each in await house.api.data("GET", "/v1/accounts")] == ["bot"]
    assert (await house.runtime("bot"))["incarnations"] == 1
    metrics = (await house.api("GET", "/metrics")).text
    assert "unifyport_config_last_reload_successful 0.0" in metrics
    assert "unifyport_config_file_changed 1.0" in metrics
    await house.reload(account() + house.rest)
    metrics = (await house.api("GET", "/metrics")).text
    assert "unifyport_config_last_reload_successful 1.0" in metrics
    assert "unifyport_config_file_changed 0.0" in metrics


async def test_what_only_shows_against_the_running_state_changes_nothing_either(house: House) -> None:
    other = account("second", "77:token") + "[[accounts]]\nname = 'bot'\nprovider = 'whatsapp'\n"
    other += "credentials = { access_token = 'token', phone_number_id = '1', "
    other += "app_secret = 'secret', verify_token = 'verify' }\n"
    house.write(other + house.rest)
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    assert error["code"] == "invalid_configuration"
    assert "provider cannot be changed from telegram to whatsapp" in error["message"]

    house.write(account() + account("second", "77:token") + house.rest + "[supervision]\nmax_children = 2\n")
    api_made = {"provider": "telegram", "provider_data": {"token": "5151:x"}}
    assert (await house.api("POST", "/v1/accounts", api_made)).status_code == 201
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    assert "max_children" in error["message"]

    house.write(account() + endpoint("http://10.1.2.3/hook", name="private") + house.rest)
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    [problem] = error["problems"]
    assert re.search(r'unifyport\.toml:\d+ webhook_endpoints "private"\.url: the address is private', problem)
    assert problem.endswith('; [security] webhook_allow can permit it, got "http://10.1.2.3/…"')
    names = [each["name"] for each in await house.api.data("GET", "/v1/accounts")]
    assert (len(names), "second" in names) == (2, False)
    assert len(await house.api.data("GET", "/v1/webhook-endpoints")) == 1


async def test_a_name_that_leads_to_a_private_address_is_told_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`config check` looks up no name. A reload refuses it; `serve`, which waits for no name, logs it."""

    async def resolve(host: str) -> list[Address]:
        await trio.lowlevel.checkpoint()
        return [ipaddress.ip_address("10.1.2.3")]

    parts = Parts(new_resolver=lambda: resolve)
    hook = endpoint("https://crm.example/hook", name="crm")
    wanted = re.compile(
        r'unifyport\.toml:\d+ webhook_endpoints "crm"\.url: the address is private, local or reserved;'
        r' \[security\] webhook_allow can permit it, got "https://crm\.example/…"'
    )
    async with gateway(settings_of(tmp_path), parts=parts) as api:
        write_config(tmp_path, more=hook)
        [problem] = (await api("POST", "/v1/reload")).json()["error"]["problems"]
        assert wanted.search(problem)
    async with gateway(settings_of(tmp_path, hook), parts=parts):
        with trio.fail_after(10):
            while not wanted.search(caplog.text):
                await trio.lowlevel.checkpoint()


async def test_options_that_are_read_at_the_start_are_named(house: House) -> None:
    house.write(
        account() + house.rest + "[media]\nmax_file = '1MiB'\n[logging]\nlevel = 'info'\nrequests = false\n",
        server='public_url = "https://gateway.example"',
    )
    report = await house.api.data("POST", "/v1/reload")
    assert report["needs_restart"] == ["media.max_file", "server.public_url"]
    assert report["options"] == ["logging.requests"]
    again = await house.api.data("POST", "/v1/reload", {"dry_run": True})
    assert (again["needs_restart"], again["options"]) == (report["needs_restart"], [])


async def test_what_has_left_the_file_can_be_deleted(house: House) -> None:
    two = account("second", "77:token") + account("third", "78:token")
    await house.reload(account() + two + house.rest)
    second, third = await house.account("second"), await house.account("third")
    declared = await house.api("DELETE", f"/v1/accounts/{second['id']}")
    assert (declared.status_code, declared.json()["error"]["code"]) == (409, "declared_in_file")
    await house.reload(account() + house.rest)
    assert (await house.api("DELETE", f"/v1/accounts/{second['id']}")).status_code == 204
    report = await house.reload(account() + house.rest, prune=True)
    assert (differences(report), report["left"]) == ([("account", "third", "remove")], [])
    assert (await house.api("GET", f"/v1/accounts/{third['id']}")).status_code == 404
    assert [each["name"] for each in await house.api.data("GET", "/v1/accounts")] == ["bot"]


async def test_a_reload_that_was_cut_off_is_finished_by_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored, and not put in force: what a bug, or a commit of unknown outcome, leaves behind."""

    def fails(self: Accounts, row: Any, *, reconnect: bool) -> None:
        raise RuntimeError("a bug that the test ordered")

    with monkeypatch.context() as patched:
        patched.setattr(Accounts, "update", fails)
        house.write(account(token="4242:other-token") + house.rest)
        assert (await house.api("POST", "/v1/reload")).status_code == 500
    assert (await house.runtime("bot"))["incarnations"] == 1
    report = await house.api.data("POST", "/v1/reload")
    assert differences(report) == [("account", "bot", "update")]
    await house.api.until(
        lambda runtime: (runtime["incarnations"], runtime["phase"]) == (2, "running"),
        f"/v1/accounts/{(await house.account('bot'))['id']}/runtime",
    )
    assert (await house.api.data("POST", "/v1/reload"))["differences"] == []


async def test_many_reloads_and_changes_by_the_api_at_once(house: House) -> None:
    made = await house.api.data(
        "POST", "/v1/accounts", {"provider": "telegram", "provider_data": {"token": "5151:x"}, "name": "own"}
    )
    house.write(account() + account("second", "77:token") + house.rest)
    statuses: list[int] = []

    async def reload() -> None:
        statuses.append((await house.api("POST", "/v1/reload")).status_code)

    async def change() -> None:
        for number in range(5):
            body = {"metadata": {"number": str(number)}}
            statuses.append((await house.api("PATCH", f"/v1/accounts/{made['id']}", body)).status_code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        for _ in range(5):
            nursery.start_soon(reload)
    assert set(statuses) == {200}
    assert sorted(each["name"] for each in await house.api.data("GET", "/v1/accounts")) == [
        "bot",
        "own",
        "second",
    ]
    await house.until("second", "running")


async def test_a_body_with_mistakes(house: House) -> None:
    response = await house.api("POST", "/v1/reload", {"dry_run": "yes"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")


async def test_sighup_and_the_commands(tmp_path: Path) -> None:
    from tests.cli.test_commands import unifyport

    async with sandbox() as platform, receiver() as inbox:
        rest, port = endpoint(inbox.url) + platform.sandbox.config(), free_port()
        process = Process(write_config(tmp_path, port=port, more=account() + rest), port)
        await process.start()
        try:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)

            async def command(*arguments: str) -> Any:
                return await trio.to_thread.run_sync(lambda: unifyport(*arguments, cwd=tmp_path))

            async def logged(text: str) -> None:
                with trio.fail_after(20):
                    while text not in process.log.read_text():
                        await trio.sleep(0.02)  # a file has no event to wait for

            assert "nothing is different" in (await command("config", "diff", "--exit-code")).stdout
            write_config(tmp_path, port=port, more=account() + account("[b] shop", "77:token") + rest)
            diff = await command("config", "diff", "--exit-code")
            assert (diff.returncode, "+ account [b] shop: create" in diff.stdout) == (1, True)
            applied = await command("config", "apply")
            assert (applied.returncode, "+ account [b] shop: create" in applied.stdout) == (0, True)
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)

            write_config(tmp_path, port=port, more=account() + account("shop", "no token") + rest)
            os_kill(process, signal.SIGHUP)
            await logged("reload failed, nothing was changed")
            refused = await command("reload")
            assert (refused.returncode, "credentials.token" in refused.stderr) == (2, True)
            remote = await command("reload", "--url", f"http://127.0.0.1:{port}", "--api-key", KEY)
            assert (remote.returncode, "nothing was changed" in remote.stderr) == (2, True)

            write_config(tmp_path, port=port, more=account() + rest)
            os_kill(process, signal.SIGHUP)
            await logged("account '[b] shop': stop")
            reloaded = await command("reload", "--json")
            assert (reloaded.returncode, '"differences": []' in reloaded.stdout) == (0, True)
            assert "sandbox-token" not in process.log.read_text()
            assert await process.stop() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                await process.kill()


def os_kill(process: Process, number: signal.Signals) -> None:
    import os

    os.kill(process.pid, number)


async def test_a_crash_in_a_reload_by_signal_ends_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = trio.Event()

    async def crashes(self: Reloader, **order: bool) -> Any:
        called.set()
        raise RuntimeError("a bug that the test ordered")

    monkeypatch.setattr(Reloader, "reload", crashes)
    import os

    os.kill(os.getpid(), signal.SIGHUP)
    with trio.fail_after(5):
        await called.wait()
    with contextlib.suppress(httpx.TransportError):
        assert (await house.api("GET", "/readyz")).status_code == 200
    assert (await house.runtime("bot"))["phase"] == "running"


async def test_accounts_that_keep_changing_do_not_keep_a_reload_from_being_done(tmp_path: Path) -> None:
    """Every change of a status is a new version of a row;
    what a declaration holds is not what changes there.
    """
    crowd = "".join(account(f"bot {n}", f"{n}:token") for n in range(1, 9))
    policy = (
        '[supervision.policies.default]\nbackoff = { initial = "10ms", max = "20ms" }\nmax_restarts = 1000\n'
    )
    policy += 'window = "10m"\n'
    async with sandbox() as platform, receiver() as inbox:
        rest = endpoint(inbox.url) + platform.sandbox.config() + policy
        async with gateway(settings_of(tmp_path, crowd + rest)) as api:
            house = House(tmp_path, platform, inbox, api)
            fault = {"kind": "disconnect", "method": "getUpdates", "seconds": 60}
            await platform.post("faults", fault)
            for number in range(5):
                changed = crowd.replace("credentials", f'metadata = {{ n = "{number}" }}\ncredentials')
                report = await house.reload(changed + rest)
                assert [each["fields"] for each in report["differences"]] == [["metadata"]] * 8
            shown = await api.data("GET", "/v1/accounts")
            assert {each["metadata"]["n"] for each in shown} == {"4"}


async def test_renaming(house: House) -> None:
    """The new name is the same identity: it comes up once the old one is deleted."""
    await house.reload(account("renamed") + house.rest)
    path = f"/v1/accounts/{(await house.account('renamed'))['id']}/runtime"
    await house.api.until(lambda r: r.get("terminal") == "duplicate_provider_account", path)
    report = await house.reload(account("renamed") + house.rest, prune=True)
    assert differences(report) == [("account", "bot", "remove")]
    await house.until("renamed", "running")
    report = await house.reload(account("again") + house.rest, prune=True)
    assert differences(report) == [("account", "again", "create"), ("account", "renamed", "remove")]
    await house.until("again", "running")


async def test_an_account_of_the_api_moves_into_the_file(house: House) -> None:
    body = {"provider": "telegram", "provider_data": {"token": "5151:x"}}
    made = await house.api.data("POST", "/v1/accounts", body)
    await house.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{made['id']}")
    await house.reload(account() + account("mine", "5151:x") + house.rest)
    path = f"/v1/accounts/{(await house.account('mine'))['id']}/runtime"
    await house.api.until(lambda r: r.get("terminal") == "duplicate_provider_account", path)
    assert (await house.api("DELETE", f"/v1/accounts/{made['id']}")).status_code == 204
    await house.until("mine", "running")  # by itself


async def test_keys_are_renamed_swapped_and_rotated(house: House) -> None:
    def keys(**named: str) -> str:
        return "".join(f'[[api_keys]]\nname = "{name}"\nkey = "{key}"\n' for name, key in named.items())

    def found(report: Any) -> list[tuple[str, str, list[str]]]:
        return [(each["name"], each["action"], each["fields"]) for each in report["differences"]]

    one, two, three = (f"{letter}_key_" + letter * 32 for letter in "abc")
    rest = account() + house.rest
    await house.reload(rest + keys(first=one, second=two))
    assert found(await house.reload(rest + keys(renamed=one, second=two))) == [
        ("renamed", "update", ["name"])
    ]
    swapped = found(await house.reload(rest + keys(renamed=two, second=one)))
    assert sorted(swapped) == [("renamed", "update", ["name"]), ("second", "update", ["name"])]
    assert found(await house.reload(rest + keys(renamed=three, second=one))) == [
        ("renamed", "update", ["key"])
    ]
    url = str(house.api.http.base_url)
    assert [(await Client(url, key)("GET", "/v1/workspace")).status_code for key in (one, two, three)] == [
        200,
        401,
        200,
    ]
    house.write(rest + keys(first=one, second=one))
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    assert "another key has this value" in error["message"]
    assert one not in error["message"]


async def test_one_identity_is_declared_once(house: House) -> None:
    house.write(account() + account("twin", "4242:other") + house.rest)
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    [problem] = error["problems"]
    assert problem.endswith(""" accounts "twin".credentials: account 'bot' has the same identity""")


async def test_what_needs_a_restart_is_not_built_upon(house: House) -> None:
    hook = account("called", "77:token") + 'receive = "webhook"\n'
    house.write(account() + hook + house.rest, server='public_url = "https://gateway.example"')
    error = (await house.api("POST", "/v1/reload")).json()["error"]
    assert "a webhook needs server.public_url (as long as the server is not restarted)" in error["message"]
    [problem] = error["problems"]
    assert re.search(r'unifyport\.toml:\d+ accounts "called"\.receive: ', problem)


async def test_a_prune_while_somebody_deletes_the_same(house: House) -> None:
    crowd = "".join(account(f"bot {n}", f"{n}:token") for n in range(1, 6))
    await house.reload(account() + crowd + house.rest)
    for number in range(1, 6):
        await house.until(f"bot {number}", "running")
    await house.reload(account() + house.rest)
    ids = [each["id"] for each in await house.api.data("GET", "/v1/accounts") if each["name"] != "bot"]
    statuses: list[int] = []

    async def delete(account_id: str) -> None:
        statuses.append((await house.api("DELETE", f"/v1/accounts/{account_id}")).status_code)

    async with trio.open_nursery() as nursery:
        for account_id in ids:
            nursery.start_soon(delete, account_id)
        report = await house.reload(account() + house.rest, prune=True)
    assert set(statuses) <= {204, 404, 409}
    assert report["left"] == []
    assert [each["name"] for each in await house.api.data("GET", "/v1/accounts")] == ["bot"]


async def test_an_address_that_is_no_name(house: House) -> None:
    house.write(account() + house.rest + endpoint("https://a..b/hook", name="odd"))
    response = await house.api("POST", "/v1/reload")
    assert response.status_code in (200, 400)
    body = {"url": "https://" + "x" * 70 + ".example/", "status": "active"}
    assert (await house.api("POST", "/v1/webhook-endpoints", body)).status_code in (201, 400)


async def test_an_endpoint_keeps_its_debt_under_another_name_and_may_be_paused(house: House) -> None:
    await house.reload(account() + house.rest)
    [before] = await house.api.data("GET", "/v1/webhook-endpoints")
    renamed = endpoint(house.inbox.url, name="crm") + 'renamed_from = "receiver"\nstatus = "inactive"\n'
    report = await house.reload(account() + renamed + house.platform.sandbox.config())
    assert [(d["name"], d["action"]) for d in report["differences"]] == [("crm", "update")]
    [after] = await house.api.data("GET", "/v1/webhook-endpoints")
    assert (after["id"], after["name"], after["status"]) == (before["id"], "crm", "inactive")
    again = await house.reload(account() + renamed + house.platform.sandbox.config())
    assert again["differences"] == []


async def test_defaults_of_webhooks_are_in_force_at_once(house: House) -> None:
    await house.reload(account() + house.rest)
    more = '[webhooks]\ndelivery = { timeout = "3s" }\nretry_policy = { max_attempts = 7 }\n'
    report = await house.reload(more + account() + house.rest)
    assert set(report["options"]) == {"webhooks.delivery.timeout", "webhooks.retry_policy.max_attempts"}
    [shown] = await house.api.data("GET", "/v1/webhook-endpoints")
    assert (shown["delivery"]["timeout"], shown["retry_policy"]["max_attempts"]) == ("3s", 7)


async def test_a_secret_that_changes_in_the_file_leaves_the_old_one_signing(house: House) -> None:
    await house.reload(account() + house.rest)
    [before] = await house.api.data("GET", "/v1/webhook-endpoints")
    assert "previous_secret_until" not in before
    await house.reload(account() + house.rest.replace('signing_secret = "', 'signing_secret = "new-'))
    [after] = await house.api.data("GET", "/v1/webhook-endpoints")
    assert after["previous_secret_until"] > "2026"


async def test_an_unknown_option_of_an_endpoint_is_a_mistake_in_a_file(house: House) -> None:
    house.write(
        account() + house.rest.replace("subscribed_events", "delivery = { speed = 9 }\nsubscribed_events")
    )
    response = await house.api("POST", "/v1/reload", {})
    assert response.status_code == 400
    [problem] = response.json()["error"]["problems"]
    assert problem.endswith(' webhook_endpoints "receiver".delivery.speed: unknown key')


async def test_a_reload_reads_the_certificate_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("127.0.0.1")
    config = f'tls = {{ cert = "{cert.name}", key = "{key.name}" }}'
    async with gateway(settings_of(tmp_path, server=config)) as api:

        async def call(
            method: str, path: str, context: ssl.SSLContext, order: dict[str, bool] | None = None
        ) -> httpx.Response:
            async with httpx.AsyncClient(verify=context, trust_env=False) as client:
                url = str(api.http.base_url).rstrip("/") + path
                return await client.request(method, url, headers={"x-api-key": KEY}, json=order)

        old = ssl.create_default_context(cafile=authority.ca)
        renewed = Authority(tmp_path)
        old_key = key.read_bytes()
        renewed.issue("127.0.0.1")
        new_key = key.read_bytes()
        new = ssl.create_default_context(cafile=renewed.ca)

        key.write_bytes(old_key)  # the certificate was replaced, and its key not yet
        for dry_run in (True, False):
            refused = await call("POST", "/v1/reload", old, {"dry_run": dry_run})
            assert refused.status_code == 400, refused.text
            assert "server.tls" in refused.text
        metrics = (await call("GET", "/metrics", old)).text
        assert "\nunifyport_config_last_reload_successful 0.0\n" in metrics
        assert "\nunifyport_tls_certificate_rejected 1.0\n" in metrics

        key.write_bytes(new_key)
        assert (await call("POST", "/v1/reload", old, {})).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await call("GET", "/healthz", old)
        metrics = (await call("GET", "/metrics", new)).text
        expires_at = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc.timestamp()
        [shown] = re.findall(r"\nunifyport_tls_certificate_expires_at (\S+)\n", metrics)
        assert float(shown) == expires_at
        assert "\nunifyport_tls_certificate_rejected 0.0\n" in metrics
        assert "\nunifyport_config_last_reload_successful 1.0\n" in metrics

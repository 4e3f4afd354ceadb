"""Two things at once, on a disk that is slow: whatever wins,
what is shown is what is stored and what runs.
"""

import base64
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import (
    NUMBER,
    TOKEN,
    Client,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp_data,
)
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign
from unifyport.storage.sqlite.store import SqliteStore

from .test_ingress import message, signed

COMMIT = 0.03  # seconds


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = SqliteStore._commit

    def slowly(self: SqliteStore, writes: Any) -> Any:
        time.sleep(COMMIT)  # in the writer's thread
        return commit(self, writes)

    monkeypatch.setattr(SqliteStore, "_commit", slowly)


async def both(first: Any, second: Any) -> list[Any]:
    results: list[Any] = [None, None]

    async def run(index: int, work: Any) -> None:
        results[index] = await work

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, 0, first)
        nursery.start_soon(run, 1, second)
    return results


async def bot(api: Client) -> str:
    made = await api.data("POST", "/v1/accounts", {"provider": "telegram", "provider_data": {"token": TOKEN}})
    path = f"/v1/accounts/{made['id']}"
    await api.until(lambda a: a["runtime_status"] == "running", path)
    return path


@pytest.mark.parametrize("delay", [0.0, COMMIT / 2, COMMIT, COMMIT * 1.5])
@pytest.mark.parametrize("verb", ["runtime/stop", "auth/cancel"])
@pytest.mark.usefixtures("slow_disk")
async def test_a_change_does_not_undo_a_verb(tmp_path: Path, verb: str, delay: float) -> None:
    async with sandbox() as platform:
        settings = settings_of(tmp_path, platform.sandbox.config())
        async with gateway(settings) as api:
            path = await bot(api)

            async def change() -> Any:
                await trio.sleep(delay)
                return await api("PATCH", path, {"metadata": {"n": delay}})

            done, changed = await both(api("POST", f"{path}/{verb}"), change())
            assert (done.status_code, changed.status_code) == (200, 200)
            shown = await api.until(lambda a: a["runtime_status"] == "stopped", path)
            assert shown["metadata"] == {"n": delay}
            if verb == "auth/cancel":
                assert (await api.data("GET", f"{path}/auth"))["status"] == "pending_auth"
        async with gateway(settings) as api:  # and the disk says the same
            shown = await api.data("GET", path)
            assert shown["runtime_status"] in ("unknown", "stopped")


@pytest.mark.usefixtures("slow_disk")
async def test_new_credentials_while_the_old_ones_are_refused(tmp_path: Path) -> None:
    """What the old login came to says nothing about the new one."""
    async with sandbox() as platform:
        settings = settings_of(tmp_path, platform.sandbox.config())
        async with gateway(settings) as api:
            path = await bot(api)
            platform.telegram.bots[TOKEN].revoked = True
            fresh = {"provider_data": {"token": "77:new"}}
            for delay in (0.0, COMMIT / 2, COMMIT, COMMIT * 2):

                async def change(delay: float = delay) -> Any:
                    await trio.sleep(delay)
                    return await api("PATCH", path, fresh)

                _, changed = await both(api("POST", f"{path}/runtime/reconnect"), change())
                assert changed.status_code == 200
                await api.until(lambda a: a["runtime_status"] == "running", path)
                await api.until(lambda a: a["status"] == "authorized", f"{path}/auth")
                assert (await api.data("GET", path))["provider_account_ref"] == "77"
                old = await api("PATCH", path, {"provider_data": {"token": TOKEN}})
                assert old.status_code == 200


async def test_nobody_is_two_accounts(tmp_path: Path) -> None:
    """Six accounts are given one number at once: one gets it, and a message to it is one event."""
    async with sandbox() as platform, receiver() as inbox:
        more = endpoint(inbox.url, events='["message.received"]') + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            made = [
                await api.data(
                    "POST", "/v1/accounts", {"provider": "whatsapp", "provider_data": whatsapp_data(f"{n}")}
                )
                for n in range(111111, 111117)
            ]
            answers: list[int] = []

            async def take(account: dict[str, Any]) -> None:
                body = {"provider_data": whatsapp_data(NUMBER)}
                answers.append((await api("PATCH", f"/v1/accounts/{account['id']}", body)).status_code)

            async with trio.open_nursery() as nursery:
                for account in made:
                    nursery.start_soon(take, account)
            assert sorted(answers) == [200, 409, 409, 409, 409, 409]
            body = message("once")
            for account in made:  # the platform may call any of them: all are of one app
                response = await api.http.post(account["ingress_url"], content=body, headers=signed(body))
                assert response.status_code == 200
            await inbox.until(lambda: len(inbox.deliveries) >= 1)
            page = await api.data("GET", "/v1/events?type=message.received")
            assert len(page["items"]) == 1


class Disk:
    """A disk whose next commit waits until it is told to go on, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.of: str | None = None
        commit = SqliteStore._commit

        def commit_(store: SqliteStore, writes: Any) -> Any:
            if self.of is not None and any(type(write).__name__ == self.of for write in writes):
                self.held.set()
                self.go_on.wait(20)
            return commit(store, writes)

        monkeypatch.setattr(SqliteStore, "_commit", commit_)


async def test_a_write_that_was_answered_with_503_never_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a commit that hangs a create waits, is answered, and is taken back."""
    monkeypatch.setattr("unifyport.gateway.writes.WRITE_SECONDS", 0.2)
    disk = Disk(monkeypatch)
    async with gateway(settings_of(tmp_path)) as api:
        disk.of = "PutWorkspace"
        answers: dict[str, int] = {}

        async def call(name: str, *request: Any) -> None:
            answers[name] = (await api(*request)).status_code

        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                call, "workspace", "PATCH", "/v1/workspace", {"name": "Slow", "status": "active"}
            )
            await trio.to_thread.run_sync(disk.held.wait)
            await call("key", "POST", "/v1/api-keys", {"name": "never"})
            assert answers == {"key": 503}
            disk.go_on.set()
        assert answers["workspace"] == 200  # it was being committed: that is waited for
        assert (await api.data("GET", "/v1/workspace"))["name"] == "Slow"
        assert [key["name"] for key in await api.data("GET", "/v1/api-keys")] == ["test"]


async def test_a_delete_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = endpoint(inbox.url, events='["message.received"]') + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "whatsapp", "provider_data": whatsapp_data()}
            shop = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{shop['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            with monkeypatch.context() as broken:
                from unifyport.storage.contract import StoreUnavailable

                async def refuse(self: Any, write: Any) -> Any:
                    raise StoreUnavailable("a disk that the test has broken")

                broken.setattr("unifyport.gateway.writes.TimedWriter.write", refuse)
                assert (await api("DELETE", path)).status_code == 503
            await api.until(lambda a: a["runtime_status"] == "running", path)
            hello = message("still here")
            answer = await api.http.post(shop["ingress_url"], content=hello, headers=signed(hello))
            assert answer.status_code == 200
            await inbox.until(lambda: len(inbox.deliveries) == 1)
            first, second = await both(api("DELETE", path), api("DELETE", path))
            assert sorted([first.status_code, second.status_code]) in ([204, 404], [204, 409])
            again = await api.data("POST", "/v1/accounts", body)  # its number is free again
            assert again["id"] != shop["id"]


async def test_a_delete_that_nobody_waited_for_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commit hangs for longer than anybody waits: 503, and nothing is left of the account afterwards."""
    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}}
            path = f"/v1/accounts/{(await api.data('POST', '/v1/accounts', body))['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            monkeypatch.setattr("unifyport.gateway.writes.WRITE_SECONDS", 0.2)
            monkeypatch.setattr("actors.writer.IN_HAND_SECONDS", 0.2)
            disk = Disk(monkeypatch)
            disk.of = "DeleteAccount"
            assert (await api("DELETE", path)).status_code == 503
            assert (await api("DELETE", path)).status_code == 409  # that one is still under way
            disk.go_on.set()
            with trio.fail_after(10):
                while (await api("DELETE", path)).status_code != 404:
                    await trio.lowlevel.checkpoint()
                while not (again := await api("POST", "/v1/accounts", body)).is_success:
                    await trio.lowlevel.checkpoint()  # its identity is free again, soon
            path = f"/v1/accounts/{again.json()['data']['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)


async def test_files_end_with_their_account_and_keep_to_their_quota(tmp_path: Path) -> None:
    size = 90_000
    async with sandbox() as platform, receiver() as inbox:
        more = '[media]\nmax_bytes = "250000"\n' + endpoint(inbox.url) + platform.sandbox.config()
        settings = settings_of(tmp_path, more, **public(free_port()))
        async with gateway(settings) as api:
            body = {"provider": "whatsapp", "provider_data": whatsapp_data()}
            shop = await api.data("POST", "/v1/accounts", body)
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.connect(shop["ingress_url"])
            for number in range(6):
                content = base64.b64encode(bytes([number]) * size).decode()
                await platform.whatsapp("messages", {"media": {"type": "image", "content": content}})
            await inbox.until(lambda: len(inbox.of("message.received")) == 6)
            urls = [e["data"]["message"]["attachments"][0]["url"] for e in inbox.of("message.received")]
            statuses: list[tuple[int, int]] = []

            async def read(url: str) -> None:
                for _ in range(5):
                    response = await api.http.get(url)
                    statuses.append((response.status_code, len(response.content)))

            async with trio.open_nursery() as nursery:
                for url in urls:
                    nursery.start_soon(read, url)
            assert set(statuses) == {(200, size)}
            kept = [path for path in settings.media_directory.rglob("*") if path.is_file()]
            assert 0 < sum(path.stat().st_size for path in kept) <= 250_000
            assert (await api("DELETE", f"/v1/accounts/{shop['id']}")).status_code == 204
            assert (await api.http.get(urls[0])).status_code == 410
            assert not list(settings.media_directory.rglob("*"))


async def test_a_hidden_password_goes_to_no_other_proxy(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, security='proxy_allow = ["127.0.0.0/8"]')
    async with gateway(settings) as api:
        proxy = {"type": "http", "host": "127.0.0.1", "port": 9, "username": "u", "password": "hush-hush"}
        body = {
            "provider": "telegram",
            "provider_data": {"token": TOKEN},
            "proxy": proxy,
            "status": "inactive",
        }
        made = await api.data("POST", "/v1/accounts", body)
        path = f"/v1/accounts/{made['id']}"
        for change in ({"host": "127.0.0.2"}, {"port": 10}, {"username": "v"}, {"type": "socks5"}):
            response = await api("PATCH", path, {"proxy": {**made["proxy"], **change}})
            assert response.status_code == 400
            assert "password" in response.json()["error"]["message"]
        assert (await api.data("GET", path))["proxy"] == made["proxy"]


def test_the_signature_of_the_harness_is_the_products() -> None:
    body = message("x")
    assert signed(body)[SIGNATURE] == sign("app-secret-of-the-test", body)

"""Use cases without HTTP: on a store of their own, and in a gateway with the reference connector."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.writer import Writer
from supervisors import Incarnation
from tests.harness import gateway, settings_of
from tests.reference.serving import CHANNEL, REGISTRY, declared, reference_platform
from unifyport.api.app import Front
from unifyport.config.declared import hash_key, plan
from unifyport.gateway import errors as codes
from unifyport.gateway.account_fields import AccountFields
from unifyport.gateway.api_keys import INACTIVE, ApiKeyUseCases, NewSecret
from unifyport.gateway.errors import OperationFailure, UseCaseError
from unifyport.gateway.gateway import Gateway
from unifyport.gateway.logins import LoginUseCases
from unifyport.gateway.repeats import IdempotencyKey
from unifyport.gateway.runtime import Verb
from unifyport.gateway.workspace import WorkspaceUseCases
from unifyport.gateway.writes import TimedWriter
from unifyport.model.message import CommandState, OutboundText
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.process.clock import Clock, Moment
from unifyport.providers.contract.capabilities import GET_GROUP, GROUP_NOT_FOUND, LIST_BLOCKLIST
from unifyport.providers.registry import standard
from unifyport.storage.contract import ACTIVE, ApiKey, DeleteApiKey, StoreUnavailable
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore


def now_ms() -> int:
    return 1_700_000_000_000


@attrs.frozen
class Desk:
    """A store with its writer."""

    store: SqliteStore
    writes: TimedWriter


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = SqliteStore(tmp_path / "t.db", KeyRing.parse(KeyRing.new_key()), now_ms)
    store.open()
    writer = Writer(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, Incarnation(1, float("inf")))
        yield Desk(store, TimedWriter(writer))
        nursery.cancel_scope.cancel()
    store.close()


def keys_of(desk: Desk) -> ApiKeyUseCases:
    return ApiKeyUseCases(desk.store, desk.writes, trio.Lock(), Clock.without_steps(now_ms))


async def test_a_key_is_made_rotated_and_the_last_one_stays(desk: Desk) -> None:
    keys = keys_of(desk)
    made = await keys.create_key("backend", None)
    assert made.secret.startswith("dk_live")
    assert await desk.store.api_key(hash_key(made.secret)) == made.key
    rotated = await keys.rotate_key(made.key.id, "backend", None)
    assert await desk.store.api_key(hash_key(made.secret)) is None
    with pytest.raises(UseCaseError, match="last active key") as last:
        await keys.change_status(rotated.key.id, INACTIVE)
    assert last.value.code is OperationFailure.REFUSED
    with pytest.raises(UseCaseError) as missing:
        await keys.change_status("ak_other", INACTIVE)
    assert missing.value.code == codes.NOT_FOUND


async def test_a_change_of_a_key_undoes_no_other_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each changes what it is to change, whatever was read before."""
    keys = keys_of(desk)
    others = keys_of(desk)  # of another process
    made = await keys.create_key("backend", None)
    second = await keys.create_key("second", None)
    read, rotated = desk.store.api_keys, list[NewSecret]()

    async def read_late() -> list[ApiKey]:
        found = await read()
        monkeypatch.setattr(desk.store, "api_keys", read)
        rotated.append(await others.rotate_key(made.key.id, "renamed", None))
        return found

    monkeypatch.setattr(desk.store, "api_keys", read_late)
    changed = await keys.change_status(made.key.id, INACTIVE)
    assert (changed.name, changed.hash, changed.status) == ("renamed", rotated[0].key.hash, INACTIVE)
    assert await desk.store.api_key(hash_key(made.secret)) is None

    async def deactivated_late() -> list[ApiKey]:
        found = await read()
        monkeypatch.setattr(desk.store, "api_keys", read)
        await others.change_status(made.key.id, INACTIVE)
        return found

    await keys.change_status(made.key.id, ACTIVE)
    monkeypatch.setattr(desk.store, "api_keys", deactivated_late)
    with pytest.raises(UseCaseError, match="last active key"):
        await keys.change_status(second.key.id, INACTIVE)

    async def deleted_late() -> list[ApiKey]:
        found = await read()
        await desk.writes.write(DeleteApiKey(made.key.id))
        return found

    monkeypatch.setattr(desk.store, "api_keys", deleted_late)
    with pytest.raises(UseCaseError, match="no such API key"):
        await keys.change_status(made.key.id, ACTIVE)
    assert [key.id for key in await read()] == [second.key.id]  # it is not back


async def test_a_workspace_keeps_what_is_not_given(desk: Desk, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    workspace = WorkspaceUseCases(desk.store, desk.writes, lambda: settings)
    await workspace.update_workspace("Shop", "active", {"a": "b"})
    view = await workspace.update_workspace("Store", "active", None)
    assert (view.workspace.name, view.workspace.metadata, view.account_quota) == ("Store", {"a": "b"}, 0)
    named = attrs.evolve(settings, workspace=attrs.evolve(settings.workspace, name="File"))
    planned = await plan(named, standard(), desk.store, Moment(now_ms(), now_ms()))
    await workspace.update_workspace("Store", "closed", {"c": "d"})  # since the plan was made
    await desk.writes.write(planned.write)
    stored = await desk.store.workspace()
    assert (stored.name, stored.status, stored.metadata) == ("File", "closed", {"c": "d"})
    with pytest.raises(UseCaseError, match="name: must be 1 to 200 printable characters"):
        await workspace.update_workspace("", "active", None)


async def test_a_store_that_takes_no_writes_is_said_to_be_unavailable(desk: Desk, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    workspace = WorkspaceUseCases(desk.store, desk.writes, lambda: settings)
    desk.writes._writer.unavailable = "disk full"
    with pytest.raises(StoreUnavailable, match="disk full"):
        await workspace.update_workspace("Shop", "active", None)


# -- in a gateway --------------------------------------------------------------------------------------------


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Gateway, str]]:
    """The use cases of a gateway that runs, and an account that is online."""
    found: list[Gateway] = []

    class Kept(Front):
        def __init__(self, made: Gateway, *more: Any) -> None:
            super().__init__(made, *more)
            found.append(made)

    monkeypatch.setattr("unifyport.server.Front", Kept)
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(reference_platform())
        settings = settings_of(tmp_path, declared(running), registry=REGISTRY)
        api = await stack.enter_async_context(gateway(settings, list(REGISTRY.channels.values())))
        [account] = await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
        yield found[0], account["id"]


async def code_of(call: Callable[..., Any], *arguments: Any, **named: Any) -> str | OperationFailure:
    with pytest.raises(UseCaseError) as caught:
        await call(*arguments, **named)
    return caught.value.code


async def test_a_platform_is_asked(house: tuple[Gateway, str]) -> None:
    platform, account_id = house[0].platform, house[1]
    assert await platform.ask(account_id, LIST_BLOCKLIST) is not None
    assert await code_of(platform.ask, account_id, GET_GROUP, "none") == GROUP_NOT_FOUND
    assert await code_of(platform.ask, "acct_none", LIST_BLOCKLIST) == codes.NOT_FOUND


async def test_a_send_is_repeated_under_its_key(house: tuple[Gateway, str]) -> None:
    sends, account_id = house[0].sends, house[1]
    repeats: list[str] = []

    async def send(text: str, body: bytes) -> str:
        key = IdempotencyKey("order-1", body, lambda: repeats.append(text))
        message = OutboundText("chat-1", "user", text)
        return (await sends.send(account_id, message, message_type="text", key=key)).command_id

    first = await send("hello", b"1" * 32)
    assert (await send("again", b"1" * 32), repeats) == (first, ["again"])
    assert await code_of(send, "other", b"2" * 32) == codes.KEY_REUSED
    assert (await sends.read_outcome(first)).state is CommandState.SENT
    assert await code_of(sends.read_outcome, "cmd_none") == codes.NOT_FOUND


async def test_an_account_of_the_file_is_stopped_and_not_changed(house: tuple[Gateway, str]) -> None:
    gateway_, account_id = house
    stopped = await gateway_.runtime.act(account_id, Verb.STOP)
    assert (stopped.state, stopped.runtime_status) == ("succeeded", RuntimeStatus.STOPPED)
    change = AccountFields(name="other")
    assert await code_of(gateway_.accounts.update_account, account_id, change) == codes.DECLARED_IN_FILE
    assert (await gateway_.accounts.read_account(account_id)).account.channel == CHANNEL
    message = OutboundText("chat-1", "user", "hello")
    assert await code_of(gateway_.sends.send, account_id, message, message_type="text") == codes.NOT_BOUND


async def test_a_token_account_has_no_code_to_give(house: tuple[Gateway, str]) -> None:
    logins: LoginUseCases = house[0].logins
    assert await code_of(logins.start, house[1]) == codes.AUTHORIZED
    assert await code_of(logins.give_code, house[1], None) == codes.INVALID_REQUEST

"""Calls of a personal account of Telegram: waits, other data centres, and how a connection ends."""

import contextlib
import time
from collections.abc import Sequence

import pytest
import trio
import trio.testing
from telethon.tl import functions as F
from telethon.tl import types as T

from tests.providers.telegram_user import PHONE, Account, account
from tests.providers.tunnels import tunnel
from unifyport.model.proxy import Proxy
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import LoggedOut, RateLimited, Transient
from unifyport.providers.telegram.user.errors import RpcRejected
from unifyport.providers.telegram.user.records import AUTH
from unifyport.sandbox.telegram.user.cdn import CDN

METHOD = "messages.getHistory"
CHATS = ("6590000002", "6590000003")


def history(made: Account, phone: str) -> F.messages.GetHistoryRequest:
    person = made.platform.server.directory.by_phone(phone)
    assert person is not None
    peer = T.InputPeerUser(person.id, made.platform.server.directory.access_hash(made.person, person))
    return F.messages.GetHistoryRequest(peer, 0, None, 0, 1, 0, 0, 0)


async def test_a_wait_is_obeyed_for_one_method_and_chat_and_holds_up_no_other() -> None:
    async with account() as made:
        for phone in CHATS:
            made.platform.account(phone)
        made.platform.orders.obey({"do": "flood", "method": METHOD, "seconds": 1, "peer": CHATS[0]})
        ends: dict[str, float] = {}
        begun = time.monotonic()

        async def call(phone: str) -> None:
            await made.link.rpc.call(history(made, phone), peer=phone)
            ends[phone] = time.monotonic() - begun

        async with trio.open_nursery() as nursery:
            for phone in (*CHATS, CHATS[1]):
                nursery.start_soon(call, phone)
        assert ends[CHATS[1]] < 0.9
        assert 1 <= ends[CHATS[0]] < 3
        assert not made.platform.server.noise.early


async def test_a_wait_that_is_too_long_is_told_and_kept() -> None:
    async with account() as made:
        for phone in CHATS:
            made.platform.account(phone)
        made.platform.orders.obey({"do": "flood", "method": METHOD, "seconds": 100, "peer": CHATS[0]})
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                await made.link.rpc.call(history(made, CHATS[0]), peer=CHATS[0])
            assert 99 < caught.value.retry_after <= 100
            assert caught.value.scope == "conversation"
        assert not made.platform.server.noise.early  # only the first call left
        await made.link.rpc.call(history(made, CHATS[1]), peer=CHATS[1])
        await made.link.rpc.call(F.help.GetConfigRequest())


async def test_errors_of_the_server_are_tried_again_where_that_does_no_harm() -> None:
    async with account() as made:
        order = {"do": "error", "method": "help.getConfig", "code": 500, "name": "RPC_CALL_FAIL"}
        made.platform.orders.obey(order)
        await made.link.rpc.call(F.help.GetConfigRequest())
        made.platform.orders.obey(order)
        with pytest.raises(Transient) as caught:
            await made.link.rpc.call(F.help.GetConfigRequest(), repeatable=False)
        assert caught.value.maybe_applied
        made.platform.orders.obey({**order, "code": 400, "name": "LIMIT_INVALID"})
        with pytest.raises(RpcRejected) as refused:
            await made.link.rpc.call(F.help.GetConfigRequest())
        assert refused.value.name == "LIMIT_INVALID"


async def test_another_data_centre_gets_the_account_once() -> None:
    async with account() as made:
        for _ in range(3):
            await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        assert [seen.method for seen in made.platform.server.seen].count("auth.exportAuthorization") == 1
        assert (await made.link.records.get(AUTH, b"4")) is not None


async def test_a_connection_of_files_is_closed_if_the_own_one_ends_while_it_is_made() -> None:
    async with account() as made:
        session = made.link.records.session
        commit = session.commit

        async def slow(changes: Sequence[SessionChange]) -> None:
            if any(change.key == b"4" for change in changes):  # the account was brought there
                made.link.close()
                await trio.testing.wait_all_tasks_blocked()
            await commit(changes)

        session.commit = slow  # type: ignore[method-assign]
        with pytest.raises(Transient, match="connection_lost"):
            await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)


@pytest.mark.parametrize("wholly", [False, True])
async def test_another_data_centre_that_forgets_the_account_gets_it_again(wholly: bool) -> None:
    async with account() as made:
        await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        keys = made.platform.server.centres[4].authorizations
        [known] = keys.values()
        if wholly:
            keys.clear()
            known.close()
        else:
            known.refusal = (401, "AUTH_KEY_UNREGISTERED")
        with contextlib.suppress(Transient):  # its connection may be lost only while it is used
            await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        assert made.link.rpc.failure is None  # the account's own login stands


async def test_a_wait_for_the_export_of_the_account_holds_up_files_only() -> None:
    async with account() as made:
        made.platform.orders.obey({"do": "flood", "method": "auth.exportAuthorization", "seconds": 1267})
        with pytest.raises(RateLimited):
            await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        await made.link.rpc.call(F.help.GetConfigRequest())


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
async def test_a_clock_that_is_wrong_costs_nothing(skew: float) -> None:
    async with account(skew=skew) as made:
        await made.link.rpc.call(F.help.GetConfigRequest())
        assert abs(made.link.rpc.server_time() - time.time() - skew) < 5


async def test_any_call_that_is_refused_as_unknown_ends_the_login() -> None:
    async with account() as made:
        made.authorization.refusal = (401, "USER_DEACTIVATED_BAN")
        with pytest.raises(LoggedOut, match="user_deactivated_ban"):
            await made.link.rpc.call(F.help.GetConfigRequest())
        with trio.fail_after(5):
            await made.link.lost.wait()


async def test_a_call_whose_connection_is_lost_says_that_its_outcome_is_unknown() -> None:
    async with account() as made:
        made.platform.orders.obey({"do": "mute", "method": "help.getConfig"})

        async def cut() -> None:
            with trio.fail_after(10):
                while all(seen.method != "help.getConfig" for seen in made.platform.server.seen):
                    await trio.sleep(0.01)
            made.platform.orders.obey({"do": "cut"})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            with pytest.raises(Transient) as caught:
                await made.link.rpc.call(F.help.GetConfigRequest())
        assert caught.value.maybe_applied
        with pytest.raises(Transient):
            await made.link.rpc.call(F.help.GetConfigRequest())
        assert made.person.phone == PHONE


async def test_a_content_delivery_network_is_asked_without_a_login() -> None:
    async with account() as made:
        for _ in range(2):
            with pytest.raises(RpcRejected, match="file_token_invalid"):
                await made.link.rpc.call(F.upload.GetCdnFileRequest(b"x", 0, 4096), dc=CDN)
        methods = [seen.method for seen in made.platform.server.seen]
        assert "auth.exportAuthorization" not in methods
        assert len(made.platform.server.centres[CDN].authorizations) == 1


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_all_connections_of_an_account_go_through_its_proxy(kind: str) -> None:
    async with tunnel(kind) as found, account(proxy=Proxy(kind, "127.0.0.1", found.port)) as made:
        await made.link.rpc.call(F.help.GetConfigRequest(), dc=4)
        seen = {link.peer for link in made.platform.links}
        assert len(seen) == 2
        assert seen <= found.passed_on


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_without_its_proxy_an_account_does_not_connect(kind: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with account(proxy=Proxy(kind, "127.0.0.1", 1)):
            pass
    assert caught.group_contains(Transient, match="not_connected: proxy_error")

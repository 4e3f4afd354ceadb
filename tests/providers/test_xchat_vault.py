"""Passcodes and realms: what goes to them, how often, and what a realm that does not answer costs."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.providers.xchat_account import ME, Account, public
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.x.xchat import threads, vault
from unifyport.providers.x.xchat.transport import PublicKey
from unifyport.sandbox.x.chat.realm import Realms


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """A realm that takes connections and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", held
        for each in held:
            each.close()


async def _keys(realms: Realms) -> list[PublicKey]:
    account = await Account.new()
    key = account.people.people[ME].public
    found = public(account.state, key)
    config = vault.realm_config(realms.config(ME, key.version))
    return [PublicKey(ME, key.version, found.identity, found.signing, found.binding, config)]


async def test_a_realm_that_does_not_answer_ends_the_login_and_leaves_a_bounded_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vault, "UNLOCK_SECONDS", 0.2)
    with silent() as (url, held):
        realms = Realms()
        realms.url = url
        keys = await _keys(realms)
        for _ in range(threads.REALM_THREADS):
            with trio.fail_after(5), pytest.raises(Transient, match="realm_timeout"):
                await vault.unlock(keys, "7391", None)
        opened = len(held)
        assert opened
        with trio.fail_after(1), pytest.raises(Transient, match="realm_busy"):
            await vault.unlock(keys, "7391", None)
        assert len(held) == opened  # the last one asked nobody


@pytest.mark.parametrize("passcode", ["", " ", "0000", " 0000 "])
async def test_no_passcode_never_reaches_a_realm(passcode: str) -> None:
    with silent() as (url, held):
        realms = Realms()
        realms.url = url
        keys = await _keys(realms)
        assert vault.is_no_passcode(passcode)
        with pytest.raises(Rejected, match="no_passcode"):
            await vault.unlock(keys, passcode, None)
        for left in (3, 1, 0):
            with pytest.raises(Rejected, match="last_guesses"):
                await vault.unlock(keys, "7391", left)
        assert held == []


@pytest.mark.parametrize(
    "address",
    [
        "http://realm.example.com",
        "https://10.0.0.1",
        "http://192.168.0.1",
        "https://localhost",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://metadata.google.internal",
        "ftp://127.0.0.1",
        "https://169.254.169.254/latest",
        "",
        5,
        True,
        None,
    ],
)
def test_a_realm_is_asked_by_https_or_on_this_machine_only(address: Any) -> None:
    realms = Realms()
    realms.url = "http://127.0.0.1:1"
    good: dict[str, Any] = realms.config(ME, 1)
    assert vault.realm_config(good) is not None
    assert vault.realm_config(json.dumps(good)) is not None
    for bad in (
        {**good, "token_map": [{"key": "0" * 32, "value": {"token": "t", "address": address}}]},
        {**good, "key_store_token_map_json": json.dumps({"realms": [{"id": "0", "address": address}]})},
    ):
        assert vault.realm_config(bad) is None


@pytest.mark.parametrize(
    "value",
    [None, "", "null", "[]", "{", 7, {}, {"token_map": []}, {"token_map": [{}], "max_guess_count": 20}],
)
def test_what_names_no_realm(value: Any) -> None:
    assert vault.realm_config(value) is None


async def test_a_panic_of_the_library_is_a_refusal() -> None:
    from chat_xdk import Chat

    config = json.dumps({"token_map": [], "max_guess_count": 20})
    with pytest.raises((threads.CryptoError, ValueError)):
        await threads.at_realm(5, Chat(config).unlock, "7391")


@pytest.mark.parametrize("exported", ["", "AAAA", "!", "A" * 88])
async def test_exported_keys_that_are_none(exported: str) -> None:
    with pytest.raises(Rejected):
        await vault.import_keys(await _keys(Realms()), exported)

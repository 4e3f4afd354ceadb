"""Declared endpoints whose names do not resolve: the gateway starts without them, and tells."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.harness import endpoint, gateway, receiver, settings_of
from unifyport.gateway import endpoint_names
from unifyport.net.guard import Address
from unifyport.server import Parts


async def hang(host: str) -> Sequence[Address]:
    await trio.sleep_forever()
    raise AssertionError


async def test_a_gateway_is_ready_while_names_hang(tmp_path: Path) -> None:
    names = "".join(endpoint(f"https://hangs-{no}.example/", name=f"hangs-{no}") for no in range(10))
    async with receiver() as inbox:
        settings = settings_of(tmp_path, names + endpoint(inbox.url))
        with trio.fail_after(8):  # a start that waited for the names would take `VET_SECONDS`, which are ten
            async with gateway(settings, parts=Parts(new_resolver=lambda: hang)) as api:
                assert (await api("GET", "/readyz")).status_code == 200
                assert len(await api.data("GET", "/v1/webhook-endpoints")) == 11


async def test_a_name_without_an_address_is_a_state_of_its_endpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any event is owed; and it ends when the name has an address."""
    monkeypatch.setattr(endpoint_names, "LOOK_UP_SECONDS", 0.05)
    addresses: list[Address] = []

    async def resolve(host: str) -> Sequence[Address]:
        await trio.lowlevel.checkpoint()
        return addresses if host == "crm.example" else [ipaddress.ip_address("93.184.216.34")]

    hooks = endpoint("https://crm.example/", name="crm") + endpoint("https://good.example/", name="good")
    settings = settings_of(tmp_path, hooks)
    async with gateway(settings, parts=Parts(new_resolver=lambda: resolve)) as api:
        found = await api.until(lambda found: found["endpoints"], "/v1/status")
        [shown] = found["endpoints"]
        assert (shown["name"], shown["status"], shown["last_error"]) == ("crm", "active", "name_not_resolved")
        assert found["endpoint_problems"] == 1
        one = await api.data("GET", f"/v1/webhook-endpoints/{shown['id']}")
        assert one["runtime"]["last_error"] == "name_not_resolved"
        assert "endpoint 'crm': its host's name is not resolved" in caplog.text
        addresses.append(ipaddress.ip_address("93.184.216.34"))
        await api.until(lambda found: not found["endpoints"], "/v1/status")
        assert "last_error" not in (await api.data("GET", f"/v1/webhook-endpoints/{shown['id']}"))["runtime"]

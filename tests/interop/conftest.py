"""Clients of others that a test needs: built before the test, which is skipped where one cannot be built."""

import pytest

from . import device_peers, telegram_peers, zalo_peers


@pytest.fixture
def baileys() -> None:
    device_peers.build("baileys")


@pytest.fixture
def pyaileys() -> None:
    device_peers.build("pyaileys")


@pytest.fixture
def whatsmeow() -> None:
    device_peers.build("whatsmeow")


@pytest.fixture
def clients(request: pytest.FixtureRequest) -> None:
    """Those that the parameters `kind` and `pair` of the test name."""
    parameters = request.node.callspec.params
    for kind in {parameters.get("kind"), *parameters.get("pair", ())} - {None}:
        device_peers.build(kind)


@pytest.fixture
def zca_js() -> None:
    zalo_peers.build()


@pytest.fixture
def telegram_clients() -> None:
    for kind in telegram_peers.KINDS:
        telegram_peers.build(kind)

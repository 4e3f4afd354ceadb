"""Tests that are marked `front` run once for each HTTP server that a gateway can have.

`front("native")` on a test of a module that is marked: only with that one. A test in which anything opens an
address of another machine fails (`loopback.py`).
"""

import hypothesis
import pytest

from tests import harness, loopback
from tests.loopback import only_loopback as only_loopback  # for every test
from unifyport.process import redaction

loopback.install()
hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("untimed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (marker := metafunc.definition.get_closest_marker("front")) is not None:
        metafunc.fixturenames.insert(0, "http_server")  # before those that start a gateway
        metafunc.parametrize("http_server", marker.args or ["native", "hypercorn"], indirect=True)


@pytest.fixture(autouse=True)
def _no_owner_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of tests repeat, those of a gateway do not."""
    monkeypatch.setattr(redaction, "_gone", {})


@pytest.fixture
def http_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of the gateways of this test."""
    monkeypatch.setattr(harness, "front", request.param)
    return str(request.param)

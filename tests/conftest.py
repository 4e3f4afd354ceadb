"""Tests that are marked `front` run once for each HTTP server that a gateway can have.

`front("native")` on a test of a module that is marked: only with that one.
"""

import pytest

from tests import harness


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (marker := metafunc.definition.get_closest_marker("front")) is not None:
        metafunc.fixturenames.insert(0, "http_server")  # before those that start a gateway
        metafunc.parametrize("http_server", marker.args or ["native", "hypercorn"], indirect=True)


@pytest.fixture
def http_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of the gateways of this test."""
    monkeypatch.setattr(harness, "front", request.param)
    return str(request.param)

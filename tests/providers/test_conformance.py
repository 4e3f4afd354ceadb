"""What a connector declares is what it has: the classes of each registry, and classes that fail the check."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reference.device import reference
from unifyport.model.account import Identity
from unifyport.providers.contract.base import AnswersProbes, Channel, ConnectionSpec, Inbound, Link
from unifyport.providers.contract.capabilities import CAPABILITIES, SEND_TEXT, SendsText
from unifyport.providers.contract.conformance import NotAConnector, check_connector
from unifyport.providers.registry import Registry, standard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("registry", [standard(), Registry([reference()])], ids=["standard", "reference"])
def test_every_connector_is_what_it_declares(registry: Registry) -> None:
    registry.load_connectors()
    for channel in registry.channels.values():
        for spec in channel.connections:
            declared = registry.capabilities(spec)
            assert "send_text" in declared
            assert set(declared) <= set(CAPABILITIES)
            assert registry.connector(spec) is registry.connector(spec)


class Whole:
    def __init__(self, context: Any) -> None: ...
    async def login(self) -> Identity:
        return Identity("me")

    async def receive(self, link: Link) -> None: ...
    async def aclose(self) -> None: ...


class SameNameOnly(Whole):
    """It has a method of that name, and declares nothing."""

    async def send_text(self, message: Any) -> Any: ...


class NotAsync(Whole, SendsText):
    def send_text(self, message: Any) -> Any: ...


class OtherParameters(Whole, SendsText):
    async def send_text(self, text: str, to: str) -> Any: ...  # type: ignore[override]


class Abstract(Whole, SendsText, AnswersProbes):
    """It declares two things and has neither."""


class NoLogin:
    async def receive(self, link: Link) -> None: ...
    def aclose(self) -> None: ...


@pytest.mark.parametrize(
    ("connector", "faults"),
    [
        (NotAsync, "NotAsync.send_text must be async"),
        (OtherParameters, "OtherParameters.send_text must take (self, message), not (self, text, to)"),
        (Abstract, "Abstract.send_text is missing; Abstract.probe is missing"),
        (NoLogin, "NoLogin.login is missing; NoLogin.aclose must be async"),
    ],
)
def test_what_is_wrong_with_a_class_is_told_when_it_is_loaded(connector: Any, faults: str) -> None:
    channel = Channel("line", object, (ConnectionSpec("token", lambda: connector, (), Inbound.ACKED),))
    with pytest.raises(NotAConnector) as caught:
        Registry([channel]).load_connectors()
    assert str(caught.value) == faults


def test_a_method_of_the_same_name_declares_nothing() -> None:
    check_connector(SameNameOnly)
    assert not SEND_TEXT.is_declared_by(SameNameOnly)


def test_declarations_load_no_shell() -> None:
    script = (
        "import sys\n"
        "from unifyport.providers.registry import standard\n"
        "registry = standard()\n"
        "shells = [name for name in sys.modules if name.endswith('.connector')]\n"
        "assert not shells, shells\n"
        "assert 'httpx' not in sys.modules and 'trio' not in sys.modules\n"
        "registry.load_connectors()\n"
        "assert 'unifyport.providers.telegram.bot.connector' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

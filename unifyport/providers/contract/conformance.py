"""Checks that a connector class implements what it declares, when a registry loads it."""

import inspect
from collections.abc import Iterator

from .base import AnswersProbes, Connector
from .capabilities import CAPABILITIES, SendsFiles
from .login import Authorizes, ImportsSession, LogsOut

_REQUIRED = ("login", "receive", "aclose")


class NotAConnector(TypeError):
    """The class cannot be used as a connector; the text lists every fault."""


def check_connector(connector: type) -> None:
    """Raises `NotAConnector` if a method is missing, is not async, or has other parameters than declared."""
    faults = [*_faults(connector)]
    if faults:
        raise NotAConnector("; ".join(faults))


def _faults(connector: type) -> Iterator[str]:
    for name in _REQUIRED:
        yield from _compare(connector, name, getattr(Connector, name))
    for known in CAPABILITIES.values():
        if known.is_declared_by(connector):
            yield from _compare(connector, known.method_name, known.method)
    for declared in (AnswersProbes, Authorizes, ImportsSession, LogsOut, SendsFiles):
        if issubclass(connector, declared):
            [name] = declared.__abstractmethods__
            yield from _compare(connector, name, getattr(declared, name))


def _compare(connector: type, name: str, declared: object) -> Iterator[str]:
    where, method = f"{connector.__name__}.{name}", getattr(connector, name, None)
    if method is None or getattr(method, "__isabstractmethod__", False):
        yield f"{where} is missing"
        return
    if not inspect.iscoroutinefunction(method):
        yield f"{where} must be async"
        return
    expected, found = _parameters(declared), _parameters(method)
    if expected != found:
        yield f"{where} must take ({', '.join(expected)}), not ({', '.join(found)})"


def _parameters(method: object) -> list[str]:
    assert callable(method)
    return [
        str(parameter.replace(annotation=parameter.empty))
        for parameter in inspect.signature(method).parameters.values()
    ]

"""Loads the local platforms that the connections of channels declare.

A declaration names its platform by a string, `module:Class`, because channels are below the sandbox in the
import order, and the gateway never loads platforms. Only this module imports what such a string names.
"""

import importlib
from collections.abc import Callable, Iterable

import attrs

from unifyport.providers.contract.base import Channel

from .platform import Platform


class WrongDeclaration(Exception):
    """A declaration does not match its platform."""


def load_platforms(channels: Iterable[Channel]) -> dict[str, list[Platform]]:
    """New platforms by channel, in the order of declaration; connections that name the same one share it.

    Raises `WrongDeclaration`.
    """
    loaded = {channel.name: _platforms_of(channel) for channel in channels}
    names = [platform.name for platforms in loaded.values() for platform in platforms]
    for name in names:
        if names.count(name) > 1:
            raise WrongDeclaration(f"two platforms are called {name}")
    return {channel: platforms for channel, platforms in loaded.items() if platforms}


def _platforms_of(channel: Channel) -> list[Platform]:
    paths = dict.fromkeys(spec.sandbox for spec in channel.connections if spec.sandbox is not None)
    platforms = [_load(path) for path in paths]
    for platform in platforms:
        _check_endpoints(channel, platform)
    return platforms


def _load(path: str) -> Platform:
    module, _, name = path.partition(":")
    try:
        new_platform: Callable[[], Platform] = getattr(importlib.import_module(module), name)
    except (ValueError, ModuleNotFoundError, AttributeError) as error:
        raise WrongDeclaration(f"{path}: {error}") from error
    return new_platform()


def _check_endpoints(channel: Channel, platform: Platform) -> None:
    known = attrs.fields_dict(channel.endpoints)
    for protocol in platform.protocols:
        if not protocol.endpoints:
            raise WrongDeclaration(f"{platform.name}: {protocol.name} names no endpoint")
        for field in protocol.endpoints:
            if field not in known:
                raise WrongDeclaration(f"{channel.name}: there is no endpoint {field}")

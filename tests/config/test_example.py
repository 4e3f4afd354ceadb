"""`config/unifyport.example.toml` has every option, in force or as a comment, and all of it is read."""

import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest

from unifyport.config.settings import load
from unifyport.config.settings.values import Settings
from unifyport.model.webhook import DeliveryPolicy, RetryPolicy
from unifyport.providers.registry import standard

EXAMPLE = Path(__file__).parents[2] / "config" / "unifyport.example.toml"
REGISTRY = standard()
NOT_OF_THE_FILE = ("directory", "path", "paces", "apps", "secrets")
INSTANCES = {"supervision.providers": "whatsapp"}  # tables by name: one of them has every option
A_CHANNEL_HAS = ("max_concurrent_starts", "start_rate")  # and an account has not


def whole() -> str:
    """The example with every option in force that is a comment; an option that is given twice, once."""
    text = re.sub(r"^# (?=[a-z_.]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^\[webhooks\].*\ndelivery = .*\n", "[webhooks]\n", text, flags=re.MULTILINE)
    return text.replace(
        "[webhooks]\n",
        '[webhooks]\ndelivery.signatures = ["device"]\ndelivery.disable_after = "5d"\n',
    )


def options(kind: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of all options of a kind of settings; of a list, those of its items."""
    if get_origin(kind) in (Union, types.UnionType):
        for choice in get_args(kind):
            yield from options(choice, path)
    elif get_origin(kind) is list and attrs.has(get_args(kind)[0]):
        yield from options(get_args(kind)[0], path)
    elif get_origin(kind) is dict and path in INSTANCES:
        yield from options(get_args(kind)[1], f"{path}.{INSTANCES[path]}")
    elif attrs.has(kind):
        for name, inner in get_type_hints(kind).items():
            if path or name not in NOT_OF_THE_FILE:
                under = f"{path}.{name}".removeprefix(".")
                yield under
                yield from options(inner, under)


def given(value: Any, path: str = "") -> Iterator[str]:
    for items in value if isinstance(value, list) else [value]:
        if isinstance(items, dict):
            for name, inner in items.items():
                under = f"{path}.{name}".removeprefix(".")
                yield under
                yield from given(inner, under)


def test_it_has_every_option() -> None:
    wanted = {
        each
        for each in options(Settings)
        if not each.startswith("providers")
        and not each.endswith(tuple(f"accounts.supervision.{name}" for name in A_CHANNEL_HAS))
    }
    wanted |= {f"webhooks.delivery.{field.name}" for field in attrs.fields(DeliveryPolicy)}
    wanted |= {f"webhooks.retry_policy.{field.name}" for field in attrs.fields(RetryPolicy)}
    for name, channel in REGISTRY.channels.items():
        wanted |= {f"providers.{name}.{field.name}" for field in attrs.fields(channel.endpoints)}
        wanted |= {f"providers.{name}.{credential}" for credential in channel.app_credentials()}
    wanted |= {f"providers.telegram.pace.{name}" for name in ("account", "user", "group")}
    assert sorted(wanted - set(given(tomllib.loads(whole())))) == []


@pytest.mark.parametrize("comments", [True, False])
def test_all_of_it_is_read(tmp_path: Path, comments: bool) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(EXAMPLE.read_text() if comments else whole())
    settings = load(path, REGISTRY, secrets=False)
    assert [each.name for each in settings.accounts] == ["support-bot", "shop"]


def test_the_defaults_that_are_comments_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(whole())
    shown = load(path, REGISTRY, secrets=False)
    default = Settings(shown.security)
    assert shown.providers == {name: channel.endpoints() for name, channel in REGISTRY.channels.items()}
    assert attrs.evolve(shown.media, directory=None) == default.media
    for name in ("storage", "logging", "api", "metrics"):
        assert getattr(shown, name) == getattr(default, name)
    assert shown.supervision.policies == default.supervision.policies
    assert shown.supervision.max_children == default.supervision.max_children
    assert shown.webhooks.defaults.retries == default.webhooks.defaults.retries

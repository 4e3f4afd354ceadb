"""Durations and rates of the file have bounds, so that a time so far from now has a date."""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest

from tests.harness import account, gateway, settings_of, write_config
from unifyport.config.settings import load
from unifyport.config.settings.values import DeclaredAccount, Duration, Settings
from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard


def durations(kind: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of all durations in a kind of settings; lists are left out."""
    if kind is Duration:
        yield path
    elif get_origin(kind) in (Union, types.UnionType):
        for choice in get_args(kind):
            yield from durations(choice, path)
    elif get_origin(kind) is dict:
        yield from durations(get_args(kind)[1], f"{path}.telegram")
    elif attrs.has(kind):
        for name, inner in get_type_hints(kind).items():
            yield from durations(inner, f"{path}.{name}".removeprefix("."))


def test_too_long_ones_are_refused(tmp_path: Path) -> None:
    paths, own = list(durations(Settings)), list(durations(DeclaredAccount))
    assert {"storage.event_retention", "supervision.providers.telegram.probe.interval"} <= {*paths}
    path = write_config(tmp_path, more=account() + "".join(f'{each} = "99999999999d"\n' for each in own))
    path.write_text("".join(f'{each} = "99999999999d"\n' for each in paths) + path.read_text())
    with pytest.raises(Problems) as refused:
        load(path, standard())
    told = [str(each).partition(" ")[2] for each in refused.value.problems]
    said = 'must be at most 36500d, got "99999999999d"'
    assert sorted(told) == sorted(
        [f"{each}: {said}" for each in paths] + [f'accounts "bot".{each}: {said}' for each in own]
    )


async def test_a_time_that_is_as_far_as_it_may_be_is_shown(tmp_path: Path) -> None:
    policy = '[supervision.policies.default]\nmax_restarts = 0\npark_interval = "36500d"\n'
    nowhere = '[providers.telegram]\nbot_api_url = "http://127.0.0.1:9"\n'
    async with gateway(settings_of(tmp_path, account() + policy + nowhere)) as api:
        [bot] = await api.data("GET", "/v1/accounts")
        path = f"/v1/accounts/{bot['id']}"
        found = await api.until(lambda runtime: runtime["phase"] == "parked", f"{path}/runtime")
        assert found["next_retry_at"] > "2100"
        for each in ("/v1/status", "/v1/supervisors", f"{path}/explain", "/v1/accounts"):
            assert (await api("GET", each)).status_code == 200


@pytest.mark.parametrize("rate", ["0.1/h", f"0.{'0' * 330}5/h", f"{'9' * 400}/s", "2000000/s"])
def test_rates_without_measure_are_refused(tmp_path: Path, rate: str) -> None:
    more = f'[workspace]\nkey_rate = "{rate}"\n[supervision.policies.default]\nstart_rate = "{rate}"\n'
    with pytest.raises(Problems) as refused:
        load(write_config(tmp_path, more=more), standard())
    assert [re.search(r"\S+_rate: .* a?\s?rate", each) is not None for each in refused.value.problems] == [
        True
    ] * 2

"""Remarks on requests: how many there are, and what it costs to make them."""

import difflib
from typing import Any

import pytest

from unifyport.gateway.remarks import MOST, Remarks


@pytest.mark.parametrize("paths", [[f"data.x{n}" for n in range(5000)], ["list.x"] * 5000])
def test_names_are_compared_only_for_warnings_that_are_shown(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def counted(word: str, *more: Any) -> list[str]:
        compared.append(word)
        return []

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    remarks = Remarks()
    for path in paths:
        remarks.unknown(path, ["known"])
    expected = list(dict.fromkeys(paths))[:MOST]
    assert [warning.path for warning in remarks.warnings] == expected
    assert len(compared) == len(expected)

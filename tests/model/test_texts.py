"""Texts from outside as lines, and as strings of TOML."""

import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.texts import is_one_line, one_line, visible
from unifyport.model.toml_strings import toml_string

HOSTILE = st.text(
    st.characters() | st.sampled_from("\"\\'\n\r\t\x00\x1b\x7f\x85\u2028\u202e\u2066[]=#\U000e0041")
)
_ACTING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mei 👨\u200d👩 نامه\u200cای", "Mei 👨\u200d👩 نامه\u200cای"),
        ("\x1b[31m\r\nx", "\\u001b[31m\\u000d\\u000ax"),
        ("a\u202eb", "a\\u202eb"),
        ("\u200b\x9b\ud800\U000e0041", "\\u200b\\u009b\\ud800\\U000e0041"),
    ],
    ids=ascii,
)
def test_what_acts_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(HOSTILE)
def test_nothing_that_is_shown_acts(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert is_one_line(shown)
    assert one_line(shown, len(shown)) == shown
    for letter in shown:
        assert unicodedata.category(letter) not in _ACTING
        assert unicodedata.bidirectional(letter) not in _TURNING


@given(st.text(st.characters(exclude_categories=["Cs"])), HOSTILE)
def test_a_string_of_toml_is_read_as_it_was(text: str, hostile: str) -> None:
    assert tomllib.loads(f"a = {toml_string(text)}\nb = 1\n") == {"a": text, "b": 1}
    written = toml_string(hostile)
    assert is_one_line(written)
    found = tomllib.loads(f"a = {written}")
    assert len(found["a"]) == len(hostile)

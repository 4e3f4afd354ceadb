"""File names from outside: whole words and emoji stay, and nothing that could deceive or lead away."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.file_names import LONGEST_NAME, clean_name, safe_name

NAMES = {
    "/etc/passwd": "passwd",
    "..\\..\\a.txt": "a.txt",
    "..": "",
    "a\r\nb\x00.txt": "a_b_.txt",
    "x" * 300 + ".png": "x" * 146 + ".png",
    "x" * 149 + " y": "x" * 149,
    "Rechnung März.pdf": "Rechnung März.pdf",
    "báo giá số 5.pdf": "báo giá số 5.pdf",
    "نامه\u200cای.pdf": "نامه\u200cای.pdf",  # ZWNJ inside a word
    "क्\u200dष.pdf": "क्\u200dष.pdf",  # ZWJ after a virama
    "\u200dfamily 👨\u200d👩\u200d👧.png": "family 👨\u200d👩\u200d👧.png",
    "love ❤\ufe0f\u200d🔥.png": "love ❤\ufe0f\u200d🔥.png",
    "wave 👋🏽\u200d\u200d.png": "wave 👋🏽.png",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png": (
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png"
    ),
    "a\U000e0041b.png": "ab.png",  # a tag that is part of no flag
    "invoice\u202efdp.exe": "invoice_fdp.exe",
    "\u2067x\u2069.pdf": "_x_.pdf",
    "a\u200bb\ufeff\u00ad.pdf": "ab.pdf",
    'a"b<c>|d?*.pdf': "a_b_c_d_.pdf",
    "C:fakepath.txt": "C_fakepath.txt",
    "a\x1b[31mb.txt": "a_[31mb.txt",
    "a\ud800.txt": "a_.txt",
}


@pytest.mark.parametrize(("name", "clean"), NAMES.items(), ids=ascii)
def test_names(name: str, clean: str) -> None:
    assert clean_name(name) == clean


def test_a_slash_in_a_title_is_no_path() -> None:
    assert safe_name("Invoice 12/2026.pdf") == "Invoice 12_2026.pdf"
    assert safe_name("../a") == "_a"


@given(st.text(st.characters() | st.sampled_from('/\\."\u200c\u200d\u202e\ufe0f👨क् \x1b\U000e0067')))
def test_whatever_the_name_was(name: str) -> None:
    clean = clean_name(name)
    assert clean == clean_name(clean)
    assert len(clean) <= LONGEST_NAME
    assert clean == clean.strip(". ")
    assert not set('<>:"/\\|?*') & set(clean)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in clean)
    assert not any(unicodedata.bidirectional(letter) in _TURNING for letter in clean)
    assert "\u200d\u200d" not in clean


_TURNING = frozenset("LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())

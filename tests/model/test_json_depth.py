"""How deep JSON nests, against a scan that goes byte by byte."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model import json_depth
from unifyport.model.json_depth import too_deep


def reference(body: bytes, limit: int) -> bool:
    depth = place = 0
    in_string = False
    while place < len(body):
        byte, pair = body[place : place + 1], body[place : place + 2]
        place += 1
        if pair in (b"\\\\", b'\\"'):
            if pair == b'\\"' and not in_string:
                return False  # JSON ends here
            place += 1
        elif byte == b'"':
            in_string = not in_string
        elif not in_string and byte in b"{[":
            depth += 1
            if depth > limit:
                return True
        elif not in_string and byte in b"}]":
            depth -= 1
    return False


TEXTS = st.lists(
    st.sampled_from(
        [b'"', b"\\", b"[", b"{", b"]", b"}", b"[[[[[[", b"]]]]]]", b"x", b"\x01", b'\\"', b'""']
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=500)
@given(TEXTS, st.integers(0, 20), st.sampled_from([1, 3, 8, 64 * 1024]))
def test_depth_is_what_a_scan_byte_by_byte_finds(body: bytes, limit: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_depth, "_PIECE", piece)
        assert too_deep(body, limit) is reference(body, limit)


MB4 = 4 * 1024 * 1024
HOSTILE = {
    "backslashes": b"[" * 65 + b'"' + b"\\" * MB4,
    "escaped quotes": b"[]" * 65 + b'"' + b'\\"' * (MB4 // 2),
    "quotes": b"[]" * 65 + b'"' * MB4,
    "a string that does not end": b"[]" * 65 + b'"' + b"[" * MB4,
    "brackets": b"[]" * (MB4 // 2),
    "brackets at the limit": b"[" * 62 + b"[[]]" * (MB4 // 4),
    "brackets within and outside of strings": b'"["["]"]' * (MB4 // 8),
    "escaped quotes outside of strings": b"[]" * 65 + b'\\"["]' * (MB4 // 5),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_long(name: str) -> None:
    """CPU time, with room for a slow machine: a loop over bytes would take ten times as long."""
    began = time.process_time()
    too_deep(HOSTILE[name])
    assert time.process_time() - began < 0.3

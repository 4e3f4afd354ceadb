"""How deep JSON text nests and how many values it has, found without decoding it and without a Python loop
over its bytes.

Decoders recurse, and what is decoded is looked at value by value, so a body from outside is checked first. A
text with few brackets cannot be deep. Any other is reduced by passes that run in C, each linear in the length
of the text:

1. remove `\\\\`, mark `\\"`, then drop every byte that is neither a quote, a mark nor a bracket;
2. split at the quotes, 64 KiB at a time: every second part stands outside of strings;
3. pack the brackets, eight to a byte, and sum them up by a table.

Only step 3 is a loop in Python: one turn for eight brackets outside of strings. If there are too few brackets
to exceed the limit, they are only counted. Values are counted by steps 1 and 2, with the commas.
"""

MAX_DEPTH = 64  # of nested objects and lists
# Of one text of a platform: more than the largest one holds. Each object and each item costs a parser tens of
# microseconds, and a megabyte has room for 300,000 of them.
MAX_OBJECTS, MAX_COMMAS = 20_000, 60_000
MAX_VALUES = 20_000  # of a request: a thousand items, each with some fields

_PIECE = 64 * 1024  # bytes of reduced text that are split at a time
_MARK = b"\x01"  # stands for an escaped quote
_OPENING = (b"{", b",")  # a value, or a key, follows each; `[` counts as `{`
_BRACKETS = bytes.maketrans(b"[]", b"{}")
_DROPPED = bytes(byte for byte in range(256) if byte not in b'"{}[]' + _MARK)
_DROPPED_BESIDE_COMMAS = _DROPPED.replace(b",", b"")
_OTHER_MARKS = bytes.maketrans(_MARK, b" ")
_BITS = bytes.maketrans(b"{}", b"10")


def _sums() -> tuple[list[int], list[int]]:
    """For each byte of eight brackets, the first in the highest bit: the change of depth, and the peak."""
    changes, peaks = [], []
    for packed in range(256):
        depth = peak = 0
        for place in range(7, -1, -1):
            depth += 1 if packed >> place & 1 else -1
            peak = max(peak, depth)
        changes.append(depth)
        peaks.append(peak)
    return changes, peaks


_CHANGES, _PEAKS = _sums()


def too_deep(body: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether JSON nests deeper than `limit`. Never raises; text that is not JSON counts as not deep.

    The scan ends at an escaped quote outside of a string: from there on the text is not JSON.
    """
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    depth, in_string, text = 0, 0, _reduced(body)
    for start in range(0, len(text), _PIECE):
        parts = text[start : start + _PIECE].split(b'"')
        outside, mark, _ = b"".join(parts[in_string::2]).partition(_MARK)
        deepest, depth = _depths(outside, depth, limit)
        if deepest > limit:
            return True
        if mark:
            return False
        in_string ^= (len(parts) - 1) & 1
    return False


def too_many_parts(body: bytes) -> bool:
    """Whether a text may hold more objects or items than a platform ever sends. Counted in C, with those
    signs that stand inside of strings.
    """
    return body.count(b"{") > MAX_OBJECTS or body.count(b",") > MAX_COMMAS


def too_many_values(body: bytes, limit: int = MAX_VALUES) -> bool:
    """Whether JSON has more values than `limit`: each text, number, list and object inside of the outermost
    one counts, an empty list or object twice; keys do not.

    Never raises; text that is not JSON may count as either.
    """
    if sum(map(body.count, (b"{", b"[", b","))) <= limit:
        return False
    values, in_string, text = 0, 0, _reduced(body, _DROPPED_BESIDE_COMMAS)
    for start in range(0, len(text), _PIECE):
        parts = text[start : start + _PIECE].split(b'"')
        outside = b"".join(parts[in_string::2])
        values += sum(map(outside.count, _OPENING))
        if values > limit:
            return True
        in_string ^= (len(parts) - 1) & 1
    return False


def _reduced(body: bytes, dropped: bytes = _DROPPED) -> bytes:
    """Quotes, marks, and brackets as `{` and `}`, and with `_DROPPED_BESIDE_COMMAS` commas."""
    if b"\\" in body:
        if _MARK in body:
            body = body.translate(_OTHER_MARKS)
        body = body.replace(b"\\\\", b"").replace(b'\\"', _MARK)
        text = body.translate(_BRACKETS, dropped)
    else:
        text = body.translate(_BRACKETS, dropped + _MARK)
    return text.replace(b'""', b"")  # two quotes in a row cancel out, inside a string or outside


def _depths(brackets: bytes, depth: int, limit: int) -> tuple[int, int]:
    """(a depth above `limit` if one is reached, else a lower one; the depth at the end)."""
    opening = brackets.count(b"{")
    if depth + opening <= limit:
        return depth, depth + 2 * opening - len(brackets)
    size = -(-len(brackets) // 8)
    padding = size * 8 - len(brackets)
    digits = brackets.translate(_BITS).ljust(size * 8, b"0")
    near = limit - 8
    for packed in int(digits, 2).to_bytes(size):
        if depth > near and depth + _PEAKS[packed] > limit:
            return depth + _PEAKS[packed], depth
        depth += _CHANGES[packed]
    return depth, depth + padding

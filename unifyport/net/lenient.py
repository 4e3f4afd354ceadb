"""Heads of answers that break HTTP/1.1 as many receivers do, rewritten in the strict form.

Accepted, as curl accepts it: LF for CR LF, folded header lines, white space before the colon, control
characters in a value, lines whose name is no name (they are left out), a Content-Length repeated with the
same value, and one beside chunks, which is ignored (RFC 9112, sections 2.2, 5.1, 5.2, 6.3). The rewritten
head goes to the strict parser, which decides about everything else.

Pure: bytes in, bytes out. Only for answers: a request that is read in two ways is a security problem.
"""

import re

_BEGINNING = b"HTTP/1."
_ENDS = (b"\n\r\n", b"\n\n")
_LINE = re.compile(rb"\r?\n")
_BLANK = b" \t"
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = re.compile(rb"[\x01-\x08\x0b-\x1f\x7f]")  # NUL stays, and is refused

_Field = tuple[bytes, bytes, bytes]  # name, colon, value


def may_be_answer(data: bytes) -> bool:
    """Whether received bytes can begin an answer of HTTP/1."""
    data = data.lstrip(b"\r\n")[: len(_BEGINNING)]
    return _BEGINNING.startswith(data)


def split_head(data: bytes) -> tuple[bytes, bytes] | None:
    """The first head in received bytes, rewritten, and what follows it; None until the head is complete."""
    data = data.lstrip(b"\r\n")
    ends = [place + len(end) for end in _ENDS if (place := data.find(end)) >= 0]
    if not ends:
        return None
    return rewrite(data[: min(ends)].rstrip(b"\r\n")), data[min(ends) :]


def rewrite(head: bytes) -> bytes:
    """A head without its empty line -> the same in the strict form, with its empty line."""
    first, *lines = _LINE.split(head)
    fields: list[_Field] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not fields:
                return head  # a fold of nothing: refused
            name, colon, value = fields[-1]
            fields[-1] = name, colon, value + b" " + line.strip(_BLANK)
        else:
            name, colon, value = line.partition(b":")
            fields.append((name.rstrip(_BLANK), colon, value.strip(_BLANK)))
    # A line without a colon stays, and is refused.
    fields = [field for field in fields if _NAME.fullmatch(field[0]) or not field[1]]
    written = [name + colon + _CONTROLS.sub(b" ", value) for name, colon, value in _with_one_length(fields)]
    return b"\r\n".join([first, *written, b"", b""])


def _with_one_length(fields: list[_Field]) -> list[_Field]:
    lengths = [value for name, _, value in fields if name.lower() == b"content-length"]
    chunks = any(name.lower() == b"transfer-encoding" for name, _, _ in fields)
    values = {each.strip(_BLANK) for value in lengths for each in value.split(b",")}
    if not lengths or (not chunks and len(values) > 1):  # lengths that differ: the parser refuses them
        return fields
    others = [field for field in fields if field[0].lower() != b"content-length"]
    if chunks:  # where the answer ends is in doubt, so nothing may follow it on this connection
        return [*others, (b"connection", b":", b"close")]
    return [*others, (b"content-length", b":", values.pop())]

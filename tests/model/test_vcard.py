"""Cards, whatever their values: no value adds a line or a part, and each is read as it was written."""

import re

from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.message import Contact, Email, Phone
from unifyport.model.vcard import vcard

SIGNS = st.sampled_from("\\;,:\r\n\x00\x0b\x85\u2028\u202eBEGIN")
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]) | SIGNS)
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_text(value: str) -> str:
    """RFC 2426, section 5: what a reader makes of an escaped text."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def split(value: str) -> list[str]:
    """The parts of a structured value."""
    return [read_text(part) for part in re.findall(r"((?:[^\\;]|\\.)*)(?:;|\Z)", value)][:-1]


def as_it_is_read(value: str) -> str:
    return _CONTROLS.sub("", _BREAKS.sub("\n", value))


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_every_value_is_read_as_it_was_written(
    name: str, org: str, title: str, number: str, kind: str
) -> None:
    card = vcard(Contact(name, [Phone(number, kind)], [Email(number, kind)], org, title))
    lines = card.removesuffix("\r\n").split("\r\n")
    assert lines == card.splitlines()
    names = [line.partition(":")[0].partition(";")[0] for line in lines]
    assert names[:4] == ["BEGIN", "VERSION", "N", "FN"]
    assert names[-1] == "END"
    assert len(names) == 5 + bool(org) + bool(title) + 2 * bool(number)
    values = {line.partition(":")[0].partition(";")[0]: line.partition(":")[2] for line in lines}
    assert read_text(values["FN"]) == as_it_is_read(name)
    assert split(values["N"] + ";")[1] == as_it_is_read(name)
    assert split(values.get("ORG", "") + ";")[0] == as_it_is_read(org)
    assert read_text(values.get("TITLE", "")) == as_it_is_read(title)
    assert read_text(values.get("TEL", "")) == as_it_is_read(number)

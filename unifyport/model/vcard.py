"""Contact cards as vCards, version 3.0 (RFC 2426), which the apps of all platforms read.

Every value comes from outside: special characters are escaped, and no character of it ends a line or controls
a terminal.
"""

import re

import attrs

from .message import Contact

_SPECIAL = re.compile(r"[\\;,]")
_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")  # wherever some reader ends a line
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f]")


@attrs.define
class Card:
    """The lines of a card. Phones, e-mails, URLs and addresses are (value, type); a type may be empty."""

    formatted_name: str
    family: str = ""
    given: str = ""
    middle: str = ""
    prefix: str = ""
    suffix: str = ""
    organization: tuple[str, ...] = ()  # the company, then its departments
    title: str = ""
    phones: list[tuple[str, str]] = attrs.field(factory=list)
    emails: list[tuple[str, str]] = attrs.field(factory=list)
    urls: list[tuple[str, str]] = attrs.field(factory=list)
    # street, city, state, zip, country
    addresses: list[tuple[tuple[str, ...], str]] = attrs.field(factory=list)
    birthday: str = ""

    def lines(self) -> list[str]:
        """The lines, not folded, because not every app unfolds them."""
        name = (self.family, self.given, self.middle, self.prefix, self.suffix)
        found = ["BEGIN:VCARD", "VERSION:3.0", f"N:{_joined(name)}", f"FN:{_text(self.formatted_name)}"]
        if any(self.organization):
            found.append(f"ORG:{_joined(self.organization)}")
        if self.title:
            found.append(f"TITLE:{_text(self.title)}")
        for name_, values in (("TEL", self.phones), ("EMAIL", self.emails)):
            found += [f"{name_}{_type(kind)}:{_text(value)}" for value, kind in values if value]
        found += [f"URL{_type(kind)}:{_uri(value)}" for value, kind in self.urls if value]
        found += [f"ADR{_type(kind)}:;;{_joined(parts)}" for parts, kind in self.addresses if any(parts)]
        if self.birthday:
            found.append(f"BDAY:{_text(self.birthday)}")
        return [*found, "END:VCARD"]


def vcard(contact: Contact) -> str:
    """The card of an outbound contact. Lines end with CR LF."""
    card = Card(
        contact.name,
        given=contact.name,
        organization=(contact.organization,),
        title=contact.title,
        phones=[(phone.number, phone.type or "CELL") for phone in contact.phones],
        emails=[(mail.address, mail.type or "INTERNET") for mail in contact.emails],
    )
    return "\r\n".join((*card.lines(), ""))


def _joined(parts: tuple[str, ...]) -> str:
    return ";".join(_text(part) for part in parts)


def _text(value: str) -> str:
    """The value with special characters and line breaks escaped, without other control characters."""
    escaped = _SPECIAL.sub(lambda match: "\\" + match[0], value)
    return _CONTROL.sub("", _BREAK.sub(r"\\n", escaped))


def _uri(value: str) -> str:
    """The value without spaces and control characters. Readers split at a comma that is not escaped."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", "", value).replace(",", "\\,")


def _type(value: str) -> str:
    kind = re.sub(r"[^A-Za-z0-9-]", "", value).upper()
    return f";TYPE={kind or 'OTHER'}" if value else ""

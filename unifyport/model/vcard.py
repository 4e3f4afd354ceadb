"""Contact cards as vCards, version 3.0 (RFC 2426), which the apps of all platforms read."""

import re

from .message import Contact

_SPECIAL = re.compile(r"[\\;,]")


def vcard(contact: Contact) -> str:
    """The card. Lines end with CR LF; long lines are not folded, because not every app unfolds them."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{_text(contact.name)};;;", f"FN:{_text(contact.name)}"]
    if contact.organization:
        lines.append(f"ORG:{_text(contact.organization)}")
    if contact.title:
        lines.append(f"TITLE:{_text(contact.title)}")
    lines += [f"TEL;TYPE={_type(phone.type or 'CELL')}:{_text(phone.number)}" for phone in contact.phones]
    lines += [f"EMAIL;TYPE={_type(mail.type or 'INTERNET')}:{_text(mail.address)}" for mail in contact.emails]
    return "\r\n".join((*lines, "END:VCARD", ""))


def _text(value: str) -> str:
    """The value with special characters and line breaks escaped."""
    escaped = _SPECIAL.sub(lambda match: "\\" + match[0], value)
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _type(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", value).upper() or "OTHER"

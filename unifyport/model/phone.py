"""Phone numbers in one form, E.164: `+65 9000 0001`, `6590000001` and `006590000001` are `+6590000001`.

The country code must be there: a number of one country, without it, may be a valid number of another. Numbers
are checked for a country code that exists and for a possible length, not against the ranges in use, which
change too often to refuse a number for.
"""

import re

_LONGEST = 40  # characters as written; E.164 has at most 15 digits
_SEPARATORS = re.compile(r"[ ().\-/]")
_WRITTEN = re.compile(r"(?:\+|00)?([1-9][0-9]{4,17})", re.ASCII)


def to_e164(text: str) -> str:
    """Raises `ValueError`, whose text does not hold the number."""
    # Not at the top: it takes 0.1 s, and most gateways have no account with a phone number.
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        format_number,
        is_possible_number,
        parse,
    )

    written = _WRITTEN.fullmatch(_SEPARATORS.sub("", text)) if len(text) <= _LONGEST else None
    if written is None:
        raise ValueError("not a phone number with its country code")
    try:
        number = parse(f"+{written[1]}")
    except NumberParseException:
        raise ValueError("not a phone number with its country code") from None
    if not is_possible_number(number):
        raise ValueError("not a possible phone number")
    return format_number(number, PhoneNumberFormat.E164)


def is_phone(text: str) -> bool:
    """Whether `to_e164` reads it."""
    try:
        to_e164(text)
    except ValueError:
        return False
    return True

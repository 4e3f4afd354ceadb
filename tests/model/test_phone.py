"""Phone numbers: one form for each number, whatever is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.phone import is_phone, to_e164
from unifyport.providers.contract.base import PhoneCredential

SAME = {
    "+6590000001": [
        "6590000001",
        "006590000001",
        "+65 9000 0001",
        "+65-9000-0001",
        "(+65) 9000.0001",
        " 0065 9000/0001 ",
    ],
    "+442079460018": ["442079460018", "+44 (0)20 7946 0018"],
    "+12025550123": ["0012025550123", "1 (202) 555-0123"],
    "+390612345678": ["+39 06 1234 5678"],  # Italian numbers keep their zero
    "+4915112345678": ["4915112345678"],
}


@pytest.mark.parametrize(("number", "spellings"), SAME.items())
def test_all_spellings_are_one_number(number: str, spellings: list[str]) -> None:
    assert {to_e164(spelling) for spelling in (number, *spellings)} == {number}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "00",
        "0",
        "+65",
        "090000001",  # no country code
        "+0090000001",
        "++6590000001",
        "+65+90000001",
        "+6590000001,1",
        "+6590000001;ext=5",
        "tel:+6590000001",
        "+1800FLOWERS",
        "+999123456789",  # no such country code
        "+65900000",  # too short for its country
        "+659000000123456",
        "+" + "6" * 5000,
        "+6590000001\n",
        "+6590000001\0",
        "\u202a+6590000001\u202c",  # as it is copied from an address book
        "\uff0b6590000001",
        "+\u0666\u0665\u0669\u0660\u0660\u0660\u0660\u0660\u0660\u0661",
        "+65 9000 0001 or 1=1",
        "\ud800",
    ],
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        to_e164(text)
    assert not any(letter.isdigit() for letter in str(caught.value))
    assert not is_phone(text)
    assert not PhoneCredential("phone").accepts(text)
    assert PhoneCredential("phone").read({"phone": text}) is None


@given(st.text() | st.text("+0123456789 ()-./"))
def test_anything_else_is_a_number_or_a_value_error(text: str) -> None:
    try:
        number = to_e164(text)
    except ValueError:
        return
    assert number[0] == "+"
    assert number[1:].isascii()
    assert number[1:].isdigit()
    assert len(number) <= 18
    assert to_e164(number) == number


@pytest.mark.parametrize("value", [None, 6590000001, ["+6590000001"], b"+6590000001"])
def test_a_credential_is_a_text(value: object) -> None:
    assert not PhoneCredential("phone").accepts(value)
    assert PhoneCredential("phone").read({"phone": value}) is None
    assert PhoneCredential("phone").read({}) is None

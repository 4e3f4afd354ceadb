"""Contact cards, read by a library that nobody here wrote."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from unifyport.model.message import Contact, Email, Phone
from unifyport.model.vcard import vcard

from . import peers

pytestmark = pytest.mark.interop

JUDGE = Path(__file__).parent / "python" / "vcard_judge.py"
CARDS = [
    Contact("Mei"),
    Contact("Tan, Mei; the \\ second\nline", [Phone("+65 9000 0001", "work"), Phone("+6590000002")]),
    Contact(
        "Mei 👋", emails=[Email("mei@shop.example")], organization="Shop; Sons, Ltd", title="Owner, acting"
    ),
    Contact("x" * 300, [Phone("1;2,3", "CELL;evil:BEGIN")]),
]


async def read(card: str) -> Any:
    done = await trio.run_process([str(peers.python()), str(JUDGE)], stdin=card.encode(), capture_stdout=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("contact", CARDS, ids=range(len(CARDS)))
async def test_what_is_read_is_what_was_written(contact: Contact) -> None:
    found = await read(vcard(contact))
    assert found["name"] == contact.name
    assert [number for number, _ in found["phones"]] == [phone.number for phone in contact.phones]
    assert found["emails"] == [email.address for email in contact.emails]
    assert (found["organization"] or [""])[0] == contact.organization
    assert (found["title"] or "") == contact.title

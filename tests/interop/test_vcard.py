"""Contact cards, read by a library that this project did not write."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from tests.providers.documentation import WHATSAPP
from unifyport.model.message import Contact, Email, Phone
from unifyport.model.vcard import Card, vcard
from unifyport.providers.whatsapp.cloud import cards, shapes

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


CONTACT = WHATSAPP["message"]["contacts"]["contacts"][0]
HOSTILE = "D;x\nTEL:+666\r\nEMAIL:a@b\u2028URL:x\x85ADR:y\x0bBDAY:z\\n,"


async def read(card: str) -> Any:
    done = await trio.run_process(
        [str(peers.python()), str(JUDGE)], stdin=card.encode(), capture_stdout=True, env=peers.environment()
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("contact", CARDS, ids=range(len(CARDS)))
async def test_what_is_read_is_what_was_written(contact: Contact) -> None:
    found = await read(vcard(contact))
    assert found["name"] == contact.name
    assert [number for number, _ in found["phones"]] == [phone.number for phone in contact.phones]
    assert found["emails"] == [email.address for email in contact.emails]
    assert (found["organization"] or [""])[0] == contact.organization
    assert (found["title"] or "") == contact.title


async def test_a_customers_card_is_read_whole() -> None:
    found = await read(cards.vcard(msgspec.convert(CONTACT, shapes.Card)))
    assert (found["name"], found["names"]) == ("Mei Tan", ["Tan", "Mei"])
    assert found["phones"] == [["+65 9000 0001", ["CELL"]]]
    assert found["emails"] == ["mei@shop.example"]
    assert found["urls"] == ["https://shop.example/?a=1;b,2"]
    assert found["addresses"] == [["Road 1", "Singapore", "", "018989", "Singapore"]]
    assert (found["organization"], found["title"]) == (["Acme", "Sales"], "Owner")
    assert found["birthday"] == "1990-01-02"


async def test_no_value_becomes_a_line_of_its_own() -> None:
    card = Card(
        *(HOSTILE,) * 6,
        organization=(HOSTILE, HOSTILE),
        title=HOSTILE,
        phones=[(HOSTILE, HOSTILE)],
        emails=[(HOSTILE, "")],
        urls=[(HOSTILE, HOSTILE)],
        addresses=[((HOSTILE,) * 5, HOSTILE)],
        birthday=HOSTILE,
    )
    found = await read("\n".join(card.lines()))
    assert found["lines"] == sorted(
        ["n", "fn", "org", "title", "tel", "email", "url", "adr", "bday", "version"]
    )
    assert [len(found[name]) for name in ("phones", "emails", "urls", "addresses")] == [1, 1, 1, 1]
    assert found["name"].startswith("D;x\nTEL:+666\nEMAIL:a@b\nURL:x\nADR:y\nBDAY:z\\n,")

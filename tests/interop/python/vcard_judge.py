"""What vobject reads in a vCard: one on stdin, a JSON object on stdout."""

import json
import sys

import vobject

card = vobject.readOne(sys.stdin.buffer.read().decode())
found = {
    "name": card.fn.value,
    "phones": [[phone.value, phone.params.get("TYPE", [])] for phone in card.contents.get("tel", [])],
    "emails": [email.value for email in card.contents.get("email", [])],
    "organization": card.org.value if "org" in card.contents else None,
    "title": card.title.value if "title" in card.contents else None,
    "urls": [url.value for url in card.contents.get("url", [])],
    "addresses": [
        [a.value.street, a.value.city, a.value.region, a.value.code, a.value.country]
        for a in card.contents.get("adr", [])
    ],
    "birthday": card.bday.value if "bday" in card.contents else None,
    "names": [card.n.value.family, card.n.value.given],
    "lines": sorted(card.contents),
}
print(json.dumps(found))

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
}
print(json.dumps(found))

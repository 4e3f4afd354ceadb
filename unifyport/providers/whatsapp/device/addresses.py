"""Ids of people and groups, as callers write them and as events show them.

A person has a phone number (`6590000001@s.whatsapp.net`, PN) and an id that hides it (`1234@lid`, LID). The
id of a conversation with a person is the number where it is known, else the LID; the other one is an alias.
"""

import re

from unifyport.model.inbound import Identity
from unifyport.model.phone import to_e164
from unifyport.protocols.binary_node import GROUP, LID, PHONE, Jid, MalformedJid
from unifyport.protocols.binary_node.jid import HOSTED, HOSTED_LID, MAX_TEXT

SERVER = PHONE  # the server itself: the address of requests about no person and no group
STATUS = Jid("status", "broadcast")
_UNHOSTED = {HOSTED: PHONE, HOSTED_LID: LID}  # devices that a business runs at Meta are devices all the same
_NUMBER = re.compile(r"\+?([1-9][0-9]{4,19})", re.ASCII)
_USER = re.compile(r"[0-9]{1,32}(?:-[0-9]{1,20})?", re.ASCII)


def read_recipient(text: str) -> Jid:
    """The conversation that a caller names: a phone number, or an id. Raises `ValueError`.

    Digits are taken as they are; WhatsApp knows some numbers by other digits than those of E.164.
    """
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return Jid(number[1], PHONE)
    if "@" not in text:
        return Jid(to_e164(text).removeprefix("+"), PHONE)
    jid = Jid.parse(text) if len(text) <= 128 else Jid("", "")
    server = PHONE if jid.server == "c.us" else jid.server
    if server not in (PHONE, LID, GROUP) or not _USER.fullmatch(jid.user):
        raise ValueError("not a recipient")
    if server != GROUP and "-" in jid.user:
        raise ValueError("not a person")
    return Jid(jid.user, server)


def canonical(conversation_id: str) -> str:
    """The form of a conversation id that events use."""
    try:
        return str(read_recipient(conversation_id))
    except ValueError:
        return conversation_id


def read_jid(text: str) -> Jid | None:
    """An address in a stanza or a message; None if there is none that can be read."""
    try:
        return plain(Jid.parse(text)) if 0 < len(text.encode()) <= MAX_TEXT else None
    except MalformedJid:
        return None


def plain(jid: Jid) -> Jid:
    """The address of a hosted device as that of any other device."""
    return Jid(jid.user, _UNHOSTED.get(jid.server, jid.server), jid.device)


def is_person(jid: Jid) -> bool:
    return jid.server in (PHONE, LID)


def phone_of(jid: Jid | None) -> str:
    """E.164; empty if it is not a phone number."""
    return f"+{jid.user}" if jid is not None and jid.server == PHONE and jid.user else ""


def identities_of(*jids: Jid | None) -> list[Identity]:
    """`phone` and `lid` of one person, of the addresses that are known."""
    found = []
    for jid in jids:
        if jid is not None and jid.server == PHONE:
            found.append(Identity("phone", phone_of(jid)))
        elif jid is not None and jid.server == LID:
            found.append(Identity("lid", str(jid.bare)))
    return list(dict.fromkeys(found))

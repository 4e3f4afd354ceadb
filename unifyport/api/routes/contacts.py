"""Contacts of an account: the list, the blocklist, and notes."""

from typing import Any

from unifyport.gateway.errors import invalid
from unifyport.gateway.fields import check_id
from unifyport.model import directory
from unifyport.model.times import parse_rfc3339
from unifyport.providers.contract.capabilities import (
    BLOCK_CONTACT,
    CONTACT_NOT_FOUND,
    GET_CONTACT,
    LIST_BLOCKLIST,
    LIST_CONTACTS,
    SET_CONTACT_NOTE,
    UNBLOCK_CONTACT,
    Capability,
)

from .. import schemas
from ..http.errors import error
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call, Query
from .platform import ID, ask_for_page, ask_platform, required, route

MAX_NOTE = 4096
NO_CONTACT = error(CONTACT_NOT_FOUND)


async def list_contacts(call: Call) -> schemas.ContactListResult:
    since = call.query.get("updated_since") or None
    if since is not None:
        try:
            parse_rfc3339(since)
        except ValueError as wrong:
            raise invalid("updated_since", str(wrong)) from None
    return schemas.ContactListResult(
        *await ask_for_page(call, LIST_CONTACTS, call.query.get("q") or None, since)
    )


async def get_contact(call: Call) -> directory.Contact:
    contact_id = required(call.query, "contact_id")
    contact: directory.Contact = await ask_platform(call, GET_CONTACT, contact_id)
    return contact


async def list_blocklist(call: Call) -> directory.ContactBlocklist:
    found: directory.ContactBlocklist = await ask_platform(call, LIST_BLOCKLIST)
    return found


async def block_contact(call: Call) -> schemas.OkData:
    return await _act(call, BLOCK_CONTACT)


async def unblock_contact(call: Call) -> schemas.OkData:
    return await _act(call, UNBLOCK_CONTACT)


async def _act(call: Call, capability: Capability[..., Any]) -> schemas.OkData:
    contact_id = check_id("contact_id", call.body.contact_id)
    await ask_platform(call, capability, contact_id)
    return schemas.OkData()


async def set_note(call: Call) -> schemas.OkData:
    contact_id = check_id("contact_id", call.body.contact_id)
    if len(call.body.note) > MAX_NOTE:
        raise invalid("note", f"must be at most {MAX_NOTE} characters")
    await ask_platform(call, SET_CONTACT_NOTE, contact_id, call.body.note)
    return schemas.OkData()


_TAG = "Contacts"
_PATH = "/v1/accounts/{account_id}/contacts"

ROUTES = [
    route(
        _TAG,
        "listContacts",
        "GET",
        _PATH,
        list_contacts,
        "Whom the account knows",
        "list_contacts_failed",
        schemas.ContactListResult,
        query=(
            CURSOR,
            LIMIT,
            Query("q", description="a part of a name"),
            Query(
                "updated_since",
                description="RFC 3339; a platform that cannot tell returns everything",
                more={"format": "date-time"},
            ),
        ),
    ),
    route(
        _TAG,
        "getContact",
        "GET",
        f"{_PATH}/info",
        get_contact,
        "One contact",
        "get_contact_failed",
        directory.Contact,
        query=(Query("contact_id", required=True, more=ID),),
        errors=(NO_CONTACT,),
    ),
    route(
        _TAG,
        "listContactBlocklist",
        "GET",
        f"{_PATH}/blocklist",
        list_blocklist,
        "Whom the account has blocked",
        "list_blocklist_failed",
        directory.ContactBlocklist,
    ),
    route(
        _TAG,
        "blockContact",
        "POST",
        f"{_PATH}/block",
        block_contact,
        "Block a contact",
        "block_contact_failed",
        schemas.OkData,
        schemas.ContactIdRequest,
        errors=(NO_CONTACT,),
    ),
    route(
        _TAG,
        "unblockContact",
        "POST",
        f"{_PATH}/unblock",
        unblock_contact,
        "Unblock a contact",
        "unblock_contact_failed",
        schemas.OkData,
        schemas.ContactIdRequest,
        errors=(NO_CONTACT,),
    ),
    route(
        _TAG,
        "setContactNote",
        "POST",
        f"{_PATH}/note",
        set_note,
        "Note something about a contact; empty clears it",
        "set_contact_note_failed",
        schemas.OkData,
        schemas.ContactNoteRequest,
        errors=(NO_CONTACT,),
    ),
]

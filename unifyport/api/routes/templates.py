"""Templates of messages that a platform has approved."""

from unifyport.providers.contract.capabilities import LIST_MESSAGE_TEMPLATES

from .. import schemas
from ..http.paging import CURSOR, LIMIT
from ..http.routing import Call
from .platform import ask_for_page, route


async def list_templates(call: Call) -> schemas.MessageTemplateListResult:
    return schemas.MessageTemplateListResult(*await ask_for_page(call, LIST_MESSAGE_TEMPLATES))


ROUTES = [
    route(
        "Messages",
        "listMessageTemplates",
        "GET",
        "/v1/accounts/{account_id}/templates",
        list_templates,
        "Templates of messages that the platform has approved",
        "list_message_templates_failed",
        schemas.MessageTemplateListResult,
        query=(CURSOR, LIMIT),
        extension=True,
    )
]

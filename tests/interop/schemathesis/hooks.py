"""What a check takes for a failure and the contract does not: (check, operations, status, code, text of the
message), with the reason. Everything else that schemathesis finds is one.
"""

import json
import os
import re

import schemathesis
from schemathesis.core.failures import ServerError
from schemathesis.openapi.checks import RejectedPositiveData

EVERY = ".*"
ALLOWED = [
    # The contract's answer where a channel cannot do a thing.
    (ServerError, EVERY, 501, "unsupported_by_provider", ""),
    # What no schema can say: which mode an account has, what its channel sends, what a token was given out
    # for.
    (RejectedPositiveData, EVERY, 400, "unsupported_provider_auth_mode", ""),
    (RejectedPositiveData, "createAccount|updateAccount", 400, "auth_mode_phone_required", ""),
    (RejectedPositiveData, "sendMessage", 400, "unsupported_message_type|invalid_reply_token", ""),
    (RejectedPositiveData, "sendMessage|get.*|list.*", 400, "unsupported_conversation_type", ""),
    # Credentials have a shape by channel and mode; `provider_data` is a free object to the contract.
    (
        RejectedPositiveData,
        "createAccount|updateAccount",
        400,
        EVERY,
        r"^provider_data\.|^proxy|^receive|^provider: cannot",
    ),
    (RejectedPositiveData, "importAccountAuthSession", 400, EVERY, "^(session_url|proxy_config)"),
    # Files are named by one of three fields, by the message's type.
    (RejectedPositiveData, "sendMessage", 400, "invalid_request", r"^(message\.|provider_data\.)"),
    # The picture is fetched from the address.
    (RejectedPositiveData, "updateGroupInfo", 400, "invalid_request", "^avatar_url: "),
    # Their bodies may be left out by the contract, and nothing would come of that here.
    (
        RejectedPositiveData,
        "submitAccountAuth.*|importAccountAuthSession",
        400,
        "invalid_request",
        "is required",
    ),
    # No login waits for it now; a cursor was never given out; a time has passed.
    (
        RejectedPositiveData,
        "submitAccountAuth.*|checkAccountQrAuth",
        400,
        "invalid_request",
        "not asked for|no login is under way",
    ),
    (
        RejectedPositiveData,
        "list.*|replayDeliveries|streamEvents|getStatus",
        400,
        "invalid_request",
        "not a cursor of this list",
    ),
    (
        RejectedPositiveData,
        "muteConversation|createApiKey|updateApiKey|rotateApiKey",
        400,
        "invalid_request",
        "must be in the future",
    ),
    (
        RejectedPositiveData,
        "replayDeliveries",
        400,
        "invalid_request",
        "exclude each other|of this endpoint|name dead letters|^since",
    ),
    # What belongs to the configuration file is changed there, and one API key must stay active.
    (RejectedPositiveData, EVERY, 400, EVERY, "configuration file|last active key"),
    # Where a webhook may lead, and what its free objects may hold, is said in docs/webhooks.md.
    (
        RejectedPositiveData,
        "(create|update)WebhookEndpoint",
        400,
        EVERY,
        "^(url|retry_policy|delivery)",
    ),
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False for what is none."""
    try:
        error = json.loads(response.content)["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        return True
    operation = context.operation.definition.raw.get("operationId", "")
    if isinstance(failure, ServerError) and response.status_code == 500:
        # By the contract a platform's refusal is a 500, as is an unknown outcome: it says so. A crash says
        # neither.
        return error.get("outcome") not in ("rejected", "unknown") and error.get("reason") in (
            None,
            "internal_error",
        )
    return not any(
        isinstance(failure, kind)
        and re.fullmatch(operations, operation)
        and response.status_code == status
        and re.fullmatch(known, code)
        and re.search(text, message)
        for kind, operations, status, known, text in ALLOWED
    )


# A strict request refuses fields that the document allows, as it allows any that it does not know.
_LEFT_OUT = {"X-Strict"}
if os.environ.get("WITHOUT_REQUEST_ID"):
    # A thing counts as just made only where every parameter of its path came from an answer, which a header
    # never does.
    _LEFT_OUT.add("X-Request-Id")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The rules of which fields go together hold, too: generators do not see them."""
    for component in raw_schema["components"]["schemas"].values():
        component.update(component.pop("x-rule", {}))
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            parameters = operation["parameters"]
            operation["parameters"] = [each for each in parameters if each["name"] not in _LEFT_OUT]


@schemathesis.hook
def before_call(context, case, kwargs):
    """A message goes from an account that there is."""
    if isinstance(case.body, dict) and str(case.body.get("account_id")).startswith("acct_"):
        case.body["account_id"] = os.environ["EVERYTHING"]

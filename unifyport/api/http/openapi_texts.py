"""The texts of the OpenAPI document beside each operation: what its table row says of it, in sentences."""

from collections.abc import Iterable

from .routing import Route

_TAGS = {
    "Workspace": "The one workspace of a gateway: its name, status and metadata.",
    "API Keys": "Keys of callers. A secret is shown once, when it is made.",
    "Providers": "Channels, where their accounts can be made, and what their connections can do.",
    "Accounts": "One account is one login at a platform: a bot, a business number, a person.",
    "Account Auth": "Logging in, step by step. The login state is also told by `account.auth.*` events.",
    "Account Runtime": "Whether an account is connected, why not, and what a human must do.",
    "Supervision": "The supervision tree of the process.",
    "Configuration": "The configuration file, compared with and brought to the running state.",
    "Conversations": "Chats of an account. A channel that has none of this answers 501.",
    "Contacts": "People whom an account knows. A channel that has none of this answers 501.",
    "Groups": "Groups that an account is in. A channel that has none of this answers 501.",
    "Messages": "Sending, and what can be done to a message. The answer says whether it was sent.",
    "Webhook Endpoints": "Receivers of events, each with its subscription, secret and retry policy.",
    "Deliveries": "What an endpoint got and is owed: attempts, dead letters, replays.",
    "Events": "The event log, and the events that receivers get.",
    "Quarantine": "Items of platforms that could not be read, kept as they came",
    "Operations": "Health of the process.",
}


def tags_of(routes: Iterable[Route]) -> list[dict[str, str]]:
    """The tags in the order of their first route. Raises `KeyError` for one without a description."""
    names = dict.fromkeys([*(route.tag for route in routes), "Events"])
    return [{"name": name, "description": _TAGS[name]} for name in names]


def description_of(route: Route) -> str:
    """What a caller should know of a route beside its schemas."""
    sentences = [f"{route.summary}."]
    if route.extension:
        sentences.append("An extension of this gateway; the v1 Device API does not have it.")
    if route.public:
        sentences.append("It needs no API key.")
    else:
        sentences.append(f"A failure that has no code of its own has the code `{route.failure_code}`.")
    if route.body is not None and not route.body_required:
        sentences.append("The body may be left out.")
    if route.aliases:
        sentences.append(f"Also at {', '.join(f'`{path}`' for path in route.aliases)}.")
    return " ".join(sentences)

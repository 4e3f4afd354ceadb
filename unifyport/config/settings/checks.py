"""Checks beyond types: values that contradict each other or cannot work. One pass finds all of them.

Accounts are checked in `account_checks.py`, supervision policies in `policy_checks.py` and addresses in
`address_checks.py`; this file checks the other sections and calls all of them.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unifyport.front.tls import new_tls_context, why
from unifyport.model.event import ALL_EVENTS, EventType, mask_of
from unifyport.model.fields import FieldProblem
from unifyport.model.webhook import (
    MOST_EVENTS,
    DeliveryPolicy,
    RetryPolicy,
    Signatures,
    WebhookDefaults,
    WebhookEndpoint,
    standard_key,
    unknown_fields,
)
from unifyport.providers.registry import Registry

from .account_checks import check_accounts
from .address_checks import Permitted, check_networks, is_http_url, split_bind
from .file_checks import check_files
from .lines import KeyPath
from .mistakes import Mistakes, suggest, suggest_key
from .policy_checks import check_policies
from .values import DeclaredEndpoint, Settings

LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_API_KEY = 32  # characters of a key that a file declares
MIN_SIGNING_SECRET = 8  # characters; the API takes shorter ones, as its contract names no minimum
MIN_LINK_LIFETIME = 60.0  # seconds
_OF_ROOT = ("data", "etc", "home", "mnt", "opt", "root", "run", "srv", "tmp", "usr", "var")
_NAMED = ("api_keys", "webhook_endpoints", "accounts")


def check(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    """Add every mistake in `settings` to `mistakes`."""
    _check_server(settings, mistakes)
    _check_storage(settings, mistakes)
    _check_small_sections(settings, registry, mistakes)
    check_files(settings, mistakes)
    _check_keys(settings, mistakes)
    permitted = Permitted(settings.security, mistakes)
    _check_webhooks(settings, permitted, mistakes)
    check_policies(settings, registry, mistakes)
    check_accounts(settings, registry, permitted, mistakes)
    _check_names(settings, mistakes)


def _check_server(settings: Settings, mistakes: Mistakes) -> None:
    server = settings.server
    for name in ("bind", "ingress_bind", "admin_bind"):
        bind = getattr(server, name)
        try:
            if bind is not None:
                split_bind(bind)
        except ValueError as error:
            mistakes.tell(("server", name), str(error))
    if server.max_streams < 1:
        mistakes.tell(("server", "max_streams"), "must be at least 1")
    check_networks(("server", "trusted_proxies"), server.trusted_proxies, mistakes)
    if server.proxy_protocol and not server.trusted_proxies:
        mistakes.tell(("server", "proxy_protocol"), "needs trusted_proxies: who may say who the client is")
    if server.proxy_protocol and server.front != "native":
        mistakes.tell(("server", "proxy_protocol"), 'needs front = "native"')
    if server.public_url is not None and not is_http_url(server.public_url, bare=True):
        mistakes.tell(("server", "public_url"), "must be an absolute http or https URL")
    if server.tls is not None:
        try:
            new_tls_context(settings.directory / server.tls.cert, settings.directory / server.tls.key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a name may hold a NUL
            rests_on: list[KeyPath] = [("server", "tls", "cert"), ("server", "tls", "key")]
            mistakes.tell(("server", "tls"), _explain_tls(settings, error), others=rests_on)


def _looks_absolute(database: Path, directory: Path) -> bool:
    """Whether a relative path begins as absolute ones do, with a directory that is not there."""
    try:
        first = database.relative_to(directory).parts[:-1][:1]
    except ValueError:
        return False
    return bool(first) and first[0] in _OF_ROOT and not (directory / first[0]).is_dir()


def _check_storage(settings: Settings, mistakes: Mistakes) -> None:
    storage = settings.storage
    if not storage.url.startswith("sqlite:///"):
        mistakes.tell(("storage", "url"), "must be sqlite:///PATH")
    elif _looks_absolute(settings.database, settings.directory):
        mistakes.tell(
            ("storage", "url"),
            f"is relative to this file: {settings.database.absolute()};"
            " an absolute path has four slashes, sqlite:////PATH",
        )
    if not 1024**2 <= storage.page_cache <= 16 * 1024**3:
        mistakes.tell(("storage", "page_cache"), "must be from 1MiB to 16GiB")
    if storage.alias_retention < 30 * 86400:  # a conversation that is still in use must keep its id
        mistakes.tell(("storage", "alias_retention"), "must be at least 30 days")
    if storage.dedupe_retention < storage.event_retention + 7 * 86400:
        rests_on: list[KeyPath] = [("storage", name) for name in ("dedupe_retention", "event_retention")]
        path, text = rests_on[0], "must be at least event_retention plus 7 days"
        if not mistakes.is_given(path) and mistakes.is_given(rests_on[1]):
            path, text = rests_on[1], "is too long: dedupe_retention must be at least 7 days longer"
        mistakes.tell(path, text, others=rests_on)


def _check_small_sections(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    try:
        _ = settings.key_ring
    except ValueError as error:
        mistakes.tell(("security", "master_key"), str(error))
    for name in ("webhook_allow", "media_allow", "proxy_allow"):
        check_networks(("security", name), getattr(settings.security, name), mistakes)
    if settings.media.link_lifetime < MIN_LINK_LIFETIME:
        mistakes.tell(("media", "link_lifetime"), "must be at least a minute")
    level = settings.logging.level
    if level not in LOG_LEVELS:
        text = f"must be one of {', '.join(LOG_LEVELS)}"
        mistakes.tell(("logging", "level"), text, hint=suggest(level, LOG_LEVELS))
    if not settings.workspace.regions:
        mistakes.tell(("workspace", "regions"), "must name at least one region")
    for place, region in enumerate(settings.workspace.regions):
        if not region.isprintable():
            mistakes.tell(("workspace", "regions", place), "must be printable")
    if settings.workspace.account_quota < 0:
        mistakes.tell(("workspace", "account_quota"), "must not be negative")
    policies = settings.supervision.providers
    for name in policies:
        if name not in registry.channels:
            path: KeyPath = ("supervision", "providers", name)
            hint = suggest_key(name, registry.channels, policies)
            mistakes.tell(path, explain_channel(registry), hint=hint)


def explain_channel(registry: Registry) -> str:
    """The text of the mistake that a table is called after no channel."""
    return f"no such channel, the channels are {', '.join(sorted(registry.channels))}"


def _check_keys(settings: Settings, mistakes: Mistakes) -> None:
    values = Counter(key.key for key in settings.api_keys)
    for place, key in enumerate(settings.api_keys):
        path: KeyPath = ("api_keys", place, "key")
        if len(key.key) < MIN_API_KEY or not key.key.isascii() or not key.key.isprintable():
            mistakes.tell(path, f"must be at least {MIN_API_KEY} printable ASCII characters")
        if values[key.key] > 1:
            mistakes.tell(path, "another key has this value")


def _check_webhooks(settings: Settings, permitted: Permitted, mistakes: Mistakes) -> None:
    webhooks = settings.webhooks
    retries, problems = RetryPolicy.read(webhooks.retry_policy)
    delivery, more = DeliveryPolicy.read(webhooks.delivery)
    _tell_all(("webhooks", "retry_policy"), webhooks.retry_policy, problems, mistakes, kind=RetryPolicy)
    _tell_all(("webhooks", "delivery"), webhooks.delivery, more, mistakes, kind=DeliveryPolicy)
    for place, endpoint in enumerate(settings.webhook_endpoints):
        path: KeyPath = ("webhook_endpoints", place)
        permitted.check_endpoint(endpoint, (*path, "url"))
        _check_endpoint(endpoint, path, WebhookDefaults(retries, delivery), mistakes)


def _check_endpoint(
    endpoint: DeclaredEndpoint, path: KeyPath, defaults: WebhookDefaults, mistakes: Mistakes
) -> None:
    secret_path: KeyPath = (*path, "signing_secret")
    if len(endpoint.signing_secret) < MIN_SIGNING_SECRET and mistakes.is_given(secret_path):
        text = f"must be at least {MIN_SIGNING_SECRET} characters; without the option nothing is signed"
        mistakes.tell(secret_path, text)
    secrets = {
        "signing_secret": endpoint.signing_secret,
        "previous_signing_secret": endpoint.previous_signing_secret or "",
    }
    plain = WebhookEndpoint("", endpoint.url, secret=secrets["signing_secret"])
    plain.previous_secret = secrets["previous_signing_secret"]
    for problem in plain.problems(WebhookDefaults()):
        name, _, text = problem.partition(": ")
        mistakes.tell((*path, name), text)
    _check_events(endpoint, path, mistakes)
    _, problems = RetryPolicy.read(endpoint.retry_policy, defaults.retries)
    policy, more = DeliveryPolicy.read(endpoint.delivery, defaults.delivery)
    _tell_all((*path, "retry_policy"), endpoint.retry_policy, problems, mistakes, kind=RetryPolicy)
    _tell_all((*path, "delivery"), endpoint.delivery, more, mistakes, kind=DeliveryPolicy)
    for name, secret in secrets.items() if Signatures.STANDARD in policy.signatures else ():
        try:
            standard_key(secret)
        except ValueError as error:
            mistakes.tell((*path, name), str(error))


def _check_events(endpoint: DeclaredEndpoint, path: KeyPath, mistakes: Mistakes) -> None:
    names = endpoint.subscribed_events
    if len(names) > MOST_EVENTS:
        mistakes.tell((*path, "subscribed_events"), f"at most {MOST_EVENTS} names")
    for place, name in enumerate(names):
        try:
            mask_of([name])
        except ValueError:
            hint = suggest(name, [ALL_EVENTS, *EventType])
            mistakes.tell((*path, "subscribed_events", place), "unknown event name", hint=hint)


def _tell_all(
    path: KeyPath,
    value: Mapping[str, Any],
    problems: list[FieldProblem],
    mistakes: Mistakes,
    *,
    kind: type[RetryPolicy] | type[DeliveryPolicy],
) -> None:
    """Report the problems of one object and its unknown keys, which the API ignores and the file refuses."""
    for problem in problems:
        text = problem.text.partition(", got ")[0]
        written: Any = value
        for part in problem.path:
            written = written[part]
        mistakes.tell((*path, *problem.path), text, hint=suggest(written, problem.choices))
    for problem in unknown_fields(value, kind):
        table: Any = value
        for part in problem.path[:-1]:
            table = table[part]
        hint = suggest_key(str(problem.path[-1]), problem.choices, table)
        mistakes.tell((*path, *problem.path), problem.text, hint=hint, show_value=False)


def _check_names(settings: Settings, mistakes: Mistakes) -> None:
    for what in _NAMED:
        seen: set[str] = set()
        for place, item in enumerate(getattr(settings, what)):
            if mistakes.is_unreadable((what, place, "name")):
                continue
            if item.name in seen:
                mistakes.tell(
                    (what, place, "name"), f"the name {item.name!r} is used twice", show_value=False
                )
            seen.add(item.name)
    endpoints = settings.webhook_endpoints
    names = Counter(endpoint.name for endpoint in endpoints)
    names.update(endpoint.renamed_from for endpoint in endpoints if endpoint.renamed_from)
    for place, endpoint in enumerate(endpoints):
        if endpoint.renamed_from and names[endpoint.renamed_from] > 1:
            path: KeyPath = ("webhook_endpoints", place, "renamed_from")
            mistakes.tell(path, "another webhook endpoint has, or had, this name")


def _explain_tls(settings: Settings, error: OSError | ValueError) -> str:
    """Why the certificate or its key cannot be used."""
    tls = settings.server.tls
    assert tls is not None
    missing = [name for name in (tls.cert, tls.key) if not (settings.directory / name).is_file()]
    if missing:
        return f"no such file: {', '.join(missing)}"
    return f"the certificate and its key cannot be used ({why(error)})"

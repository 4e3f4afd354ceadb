"""A webhook endpoint: its URL and subscription, and how deliveries to it are retried, signed and paced.

The `retry_policy` and `delivery` objects are kept as the caller wrote them. Fields that they leave out come
from the operator's defaults, and from the defaults of this module.
"""

import base64
import enum
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from .account import Origin
from .duration import format_duration, parse_duration
from .event import BodyForm, mask_of
from .fields import FieldProblem, FieldReader, FieldsWrong, WrongChoice, parse_each, raise_first

E = TypeVar("E", bound=enum.Enum)
T = TypeVar("T")

ENDPOINT_ACTIVE = "active"
ENDPOINT_INACTIVE = "inactive"
ENDPOINT_DISABLED = "disabled"

LONGEST_DELAY = 30 * 86_400.0
LONGEST_SCHEDULE = 100  # delays
MOST_ATTEMPTS = 2**53 - 1  # the largest integer that every JSON reader keeps exactly
MOST_EVENTS = 100  # names in a subscription
LONGEST_SECRET = 1024  # characters
LONGEST_URL = 2048  # characters
DEFAULT_SCHEDULE = (5.0, 30.0, 120.0, 600.0, 3600.0)  # seconds; the last delay repeats
MOST_IN_FLIGHT = 256
LONGEST_TIMEOUT = 60.0
RESUME_NOW = "now"


class Signatures(enum.StrEnum):
    DEVICE = "device"
    STANDARD = "standard"


class Ordering(enum.StrEnum):
    """`strict`: events of a conversation are delivered in order. `none`: no event waits for another."""

    STRICT = "strict"
    NONE = "none"


@attrs.frozen
class RetryPolicy:
    """`max_attempts` counts retries after the first attempt; 0: exactly one attempt."""

    max_attempts: int = 3
    schedule: tuple[float, ...] = DEFAULT_SCHEDULE

    @classmethod
    def parse(cls, value: Mapping[str, Any], base: "RetryPolicy | None" = None) -> "RetryPolicy":
        """From the API's or the file's object; ignores unknown keys. Raises `ValueError` naming the field."""
        policy, problems = cls.read(value, base)
        raise_first(problems, "retry_policy")
        return policy

    @classmethod
    def read(
        cls, value: Mapping[str, Any], base: "RetryPolicy | None" = None
    ) -> "tuple[RetryPolicy, list[FieldProblem]]":
        """`parse` that tells every problem instead of raising the first; a wrong field is as in `base`."""
        base = base if base is not None else cls()
        read = FieldReader(value)
        policy = cls(
            read("max_attempts", _between(0, MOST_ATTEMPTS), base.max_attempts),
            read("schedule", _schedule, base.schedule),
        )
        return policy, read.problems

    def delay(self, attempts: int, draw: float) -> float:
        """Seconds until the next try after `attempts` outcomes; `draw` in [-1, 1] spreads by 20 %."""
        return self.schedule[min(attempts, len(self.schedule)) - 1] * (1 + 0.2 * draw)


@attrs.frozen
class BreakerPolicy:
    """Opens after `failures` in a row; probes after `initial` seconds, doubling up to `max`."""

    failures: int = 5
    initial: float = 5.0
    max: float = 300.0

    @classmethod
    def parse(cls, value: object, base: "BreakerPolicy | None") -> "BreakerPolicy | None":
        """The policy, or None for `off`. Raises `ValueError`."""
        if value == "off":
            return None
        if not isinstance(value, Mapping):
            raise ValueError('must be an object or "off"')
        base = base if base is not None else cls()
        read = FieldReader(value)
        failures = read("failures", _between(1, 1000), base.failures)
        initial, longest = read("initial", _delay, base.initial), read("max", _delay, base.max)
        wrong = {problem.path[0] for problem in read.problems}
        if longest < initial and not wrong & {"initial", "max"} and {"initial", "max"} <= value.keys():
            read.problems.append(FieldProblem(("max",), "must not be shorter than initial"))
        if read.problems:
            raise FieldsWrong(read.problems)
        if longest < initial:
            # One of the two comes from `base`: it is adjusted to the other one.
            initial, longest = (initial, initial) if "initial" in value else (longest, longest)
        return cls(failures, initial, longest)


@attrs.frozen
class DeliveryPolicy:
    """How events are delivered to an endpoint. Times are seconds; `rate_limit`: per second, 0: no limit.

    `provider_data`: whether bodies have the platform's item; those of `provider.event` always have it.
    """

    signatures: tuple[Signatures, ...] = (Signatures.DEVICE,)
    ordering: Ordering = Ordering.STRICT
    max_in_flight: int = 16
    rate_limit: float = 0.0
    timeout: float = 10.0
    disable_after: float = 72 * 3600.0
    body: BodyForm = BodyForm.COMBINED
    provider_data: bool = True
    secret_overlap: float = 24 * 3600.0
    breaker: BreakerPolicy | None = BreakerPolicy()

    @classmethod
    def parse(cls, value: Mapping[str, Any], base: "DeliveryPolicy | None" = None) -> "DeliveryPolicy":
        """From the API's or the file's object; ignores unknown keys. Raises `ValueError` naming the field."""
        policy, problems = cls.read(value, base)
        raise_first(problems, "delivery")
        return policy

    @classmethod
    def read(
        cls, value: Mapping[str, Any], base: "DeliveryPolicy | None" = None
    ) -> "tuple[DeliveryPolicy, list[FieldProblem]]":
        """`parse` that tells every problem instead of raising the first; a wrong field is as in `base`."""
        base = base if base is not None else cls()
        read = FieldReader(value)
        policy = cls(
            signatures=read("signatures", _signatures, base.signatures),
            ordering=read("ordering", _one_of(Ordering), base.ordering),
            max_in_flight=read("max_in_flight", _between(1, MOST_IN_FLIGHT), base.max_in_flight),
            rate_limit=read("rate_limit", _rate, base.rate_limit),
            timeout=read("timeout", _timeout, base.timeout),
            disable_after=read("disable_after", _delay, base.disable_after),
            body=read("body", _one_of(BodyForm), base.body),
            provider_data=read("provider_data", _yes_or_no, base.provider_data),
            secret_overlap=read("secret_overlap", _overlap, base.secret_overlap),
            breaker=read("breaker", lambda given: BreakerPolicy.parse(given, base.breaker), base.breaker),
        )
        return policy, read.problems


@attrs.frozen
class WebhookDefaults:
    """The operator's defaults for fields that an endpoint does not set."""

    retries: RetryPolicy = RetryPolicy()
    delivery: DeliveryPolicy = DeliveryPolicy()


@attrs.define
class WebhookEndpoint:
    """A row of the endpoint table. Secrets are plain here and sealed in the store."""

    id: str
    url: str
    no: int = 0
    name: str | None = None
    status: str = ENDPOINT_ACTIVE
    reason: str | None = None  # why it is not active, unless a caller deactivated it
    subscribed_events: list[str] = attrs.field(factory=list)
    secret: str = ""
    previous_secret: str = ""
    previous_until: int | None = None  # steady clock, ms; until then the previous secret signs too
    retry_policy: dict[str, Any] = attrs.field(factory=dict)  # as the caller wrote it
    delivery: dict[str, Any] = attrs.field(factory=dict)  # as the caller wrote it
    failing_since: int | None = None  # steady clock, ms
    expired: int = 0  # count of events whose debt ended as expired
    orders: int = 0  # incremented by each replay and retry
    debt: int = 0  # incremented when its debt is dropped
    origin: Origin = Origin.API
    digest: str | None = None
    version: int = 1

    @property
    def mask(self) -> int:
        return mask_of(self.subscribed_events)

    def policies(self, defaults: WebhookDefaults) -> tuple[RetryPolicy, DeliveryPolicy]:
        """The policies with defaults filled in. Never raises for a stored endpoint, whatever the defaults."""
        return (
            RetryPolicy.parse(self.retry_policy, defaults.retries),
            DeliveryPolicy.parse(self.delivery, defaults.delivery),
        )

    def problems(self, defaults: WebhookDefaults) -> list[str]:
        """Every mistake in the fields that a caller may set, each with the field's name."""
        found = []
        for check in (
            lambda: _named("url", self._check_url),
            lambda: _named("subscribed_events", self._check_events),
            lambda: _named("signing_secret", lambda: _check_secret(self.secret)),
            lambda: _named("previous_signing_secret", lambda: _check_secret(self.previous_secret)),
            lambda: RetryPolicy.parse(self.retry_policy, defaults.retries),
            lambda: self._check_secrets(DeliveryPolicy.parse(self.delivery, defaults.delivery)),
        ):
            try:
                check()
            except ValueError as error:
                found.append(str(error))
        return found

    def _check_url(self) -> None:
        if len(self.url) > LONGEST_URL:
            raise ValueError(f"must be at most {LONGEST_URL} characters")

    def _check_events(self) -> int:
        if len(self.subscribed_events) > MOST_EVENTS:
            raise ValueError(f"at most {MOST_EVENTS} names")
        return self.mask

    def _check_secrets(self, policy: DeliveryPolicy) -> None:
        if Signatures.STANDARD in policy.signatures:
            _named("signing_secret", lambda: standard_key(self.secret))
            _named("previous_signing_secret", lambda: standard_key(self.previous_secret))

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that are valid at `now` (steady clock, ms), the newest first."""
        if self.previous_secret and self.previous_until is not None and now < self.previous_until:
            return (self.secret, self.previous_secret)
        return (self.secret,)

    def with_secrets(self, secret: str, previous: str | None, overlap: float, now: int) -> "WebhookEndpoint":
        """The endpoint after a rotation: for `overlap` seconds the previous secret signs beside the new one.

        `previous` None: the current secret. `now`: steady clock, ms.
        """
        if secret == self.secret and previous in (None, self.previous_secret):
            return self
        if previous is None:
            previous = self.secret
        until = now + round(overlap * 1000) if secret and previous and overlap else None
        return attrs.evolve(
            self, secret=secret, previous_secret=previous if until else "", previous_until=until
        )


def _check_secret(secret: str) -> None:
    if len(secret) > LONGEST_SECRET or (secret and not secret.strip()):
        raise ValueError(f"must be at most {LONGEST_SECRET} characters, and not blank")


# Standard Webhooks, "Signature scheme": the text after this prefix is the key in base64.
_STANDARD_PREFIX = "whsec_"


def standard_key(secret: str) -> bytes:
    """The key that Standard Webhooks libraries make of a secret. Raises `ValueError` if it is not base64."""
    if not secret.startswith(_STANDARD_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_STANDARD_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:  # with an empty key, anyone could sign
        raise ValueError("a secret that begins with whsec_ must be base64 after that")
    return key


def as_written(policy: RetryPolicy | DeliveryPolicy) -> dict[str, Any]:
    """A policy as an object that `parse` reads, with durations as text."""

    def written(name: str, value: Any) -> Any:
        if isinstance(value, BreakerPolicy):
            return {"failures": value.failures} | {
                name: format_duration(getattr(value, name)) for name in ("initial", "max")
            }
        if value is None:
            return "off"
        if name == "schedule":
            return [format_duration(delay) for delay in value]
        if name in ("timeout", "disable_after", "secret_overlap"):
            return format_duration(value)
        return list(value) if isinstance(value, tuple) else value

    return {name: written(name, value) for name, value in attrs.asdict(policy, recurse=False).items()}


def unknown_fields(
    value: Mapping[str, Any], kind: type[RetryPolicy] | type[DeliveryPolicy]
) -> list[FieldProblem]:
    """The unknown keys of an object, each with the known keys."""
    found = _unknown(value, kind)
    breaker = value.get("breaker")
    if kind is DeliveryPolicy and isinstance(breaker, Mapping):
        found += [problem.under("breaker") for problem in _unknown(breaker, BreakerPolicy)]
    return found


def _unknown(value: Mapping[str, Any], kind: type[Any]) -> list[FieldProblem]:
    known = tuple(sorted(attrs.fields_dict(kind)))
    return [FieldProblem((name,), "unknown key", known) for name in value if name not in known]


# -- reading the objects -------------------------------------------------------------------------------------


def _named(name: str, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _between(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be an integer from {least} to {most}, got {value!r}")
        return value

    return parse


def _schedule(delays: object) -> tuple[float, ...]:
    if not isinstance(delays, list) or not 1 <= len(delays) <= LONGEST_SCHEDULE:
        raise ValueError(f"must be a list of 1 to {LONGEST_SCHEDULE} durations")
    return parse_each(delays, _delay)


def _delay(value: Any) -> float:
    seconds = parse_duration(value)
    if not 0 < seconds <= LONGEST_DELAY:
        raise ValueError("must be longer than 0s and at most 30d")
    return seconds


def _overlap(value: Any) -> float:
    seconds = parse_duration(value)
    if not 0 <= seconds <= LONGEST_DELAY:
        raise ValueError("must be at most 30d")
    return seconds


def _timeout(value: Any) -> float:
    seconds = parse_duration(value)
    if not 1 <= seconds <= LONGEST_TIMEOUT:
        raise ValueError("must be from 1s to 60s")
    return seconds


def _rate(value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (value == 0 or 0.001 <= value <= 1e6)
    ):
        raise ValueError(f"must be a number of deliveries per second, 0 for no limit, got {value!r}")
    return float(value)


def _one_of(kind: type[E]) -> Callable[[object], E]:
    def parse(value: object) -> E:
        try:
            return kind(value)
        except ValueError:
            raise WrongChoice(tuple(str(each.value) for each in kind)) from None

    return parse


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _signatures(value: object) -> tuple[Signatures, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise ValueError("must be a list of signature schemes, each once")
    return parse_each(value, _one_of(Signatures))

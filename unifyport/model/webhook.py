"""A webhook endpoint: where events go, which, how often they are retried, and how they are signed and paced.

The `retry_policy` and `delivery` objects are kept as the caller wrote them; what they leave out comes from
the operator's defaults, and what those leave out from here.
"""

import base64
import enum
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from .account import Origin
from .duration import format_duration, parse_duration
from .event import BodyForm, mask_of

E = TypeVar("E", bound=enum.Enum)
T = TypeVar("T")

ENDPOINT_ACTIVE = "active"
ENDPOINT_INACTIVE = "inactive"
ENDPOINT_DISABLED = "disabled"

LONGEST_DELAY = 30 * 86_400.0
LONGEST_SCHEDULE = 100  # delays
MOST_ATTEMPTS = 2**53 - 1  # what every reader of JSON keeps; retention ends it long before
MOST_EVENTS = 100  # names in a subscription
LONGEST_SECRET = 1024  # characters
LONGEST_URL = 2048  # characters
DEFAULT_SCHEDULE = (5.0, 30.0, 120.0, 600.0, 3600.0)  # seconds; the last one repeats
MOST_IN_FLIGHT = 256
LONGEST_TIMEOUT = 60.0
RESUME_NOW = "now"


class Signatures(enum.StrEnum):
    DEVICE = "device"
    STANDARD = "standard"


class Ordering(enum.StrEnum):
    """`strict`: per conversation. `none`: nothing waits for anything."""

    STRICT = "strict"
    NONE = "none"


@attrs.frozen
class RetryPolicy:
    """`max_attempts` counts retries after the first try; 0 means exactly one recorded try."""

    max_attempts: int = 3
    schedule: tuple[float, ...] = DEFAULT_SCHEDULE

    @classmethod
    def parse(cls, value: Mapping[str, Any], base: "RetryPolicy | None" = None) -> "RetryPolicy":
        """From the API's or the file's object; unknown keys are ignored.

        Raises `ValueError` naming the field.
        """
        base = base if base is not None else cls()
        read = _Reader("retry_policy", value)
        return cls(
            read("max_attempts", _between(0, MOST_ATTEMPTS), base.max_attempts),
            read("schedule", _schedule, base.schedule),
        )

    def delay(self, attempts: int, draw: float) -> float:
        """Seconds until the next try after `attempts` recorded outcomes; `draw` in [-1,
        1] spreads by 20 %.
        """
        return self.schedule[min(attempts, len(self.schedule)) - 1] * (1 + 0.2 * draw)


@attrs.frozen
class BreakerPolicy:
    """Opens after so many failures of the endpoint in a row; probes after `initial` seconds,
    doubling up to `max`.
    """

    failures: int = 5
    initial: float = 5.0
    max: float = 300.0

    @classmethod
    def parse(cls, value: object, base: "BreakerPolicy | None") -> "BreakerPolicy | None":
        """None is `off`. Raises `ValueError`."""
        if value == "off":
            return None
        if not isinstance(value, Mapping):
            raise ValueError('must be an object or "off"')
        base = base if base is not None else cls()
        read = _Reader("", value)
        failures = read("failures", _between(1, 1000), base.failures)
        initial, longest = read("initial", _delay, base.initial), read("max", _delay, base.max)
        if longest < initial:
            if "initial" in value and "max" in value:
                raise ValueError("max: must not be shorter than initial")
            # one of the two is somebody else's default, and gives way
            initial, longest = (initial, initial) if "initial" in value else (longest, longest)
        return cls(failures, initial, longest)


@attrs.frozen
class DeliveryPolicy:
    """How events travel to an endpoint.

    `rate_limit` is deliveries per second, 0 for none; times are seconds.
    """

    signatures: tuple[Signatures, ...] = (Signatures.DEVICE,)
    ordering: Ordering = Ordering.STRICT
    max_in_flight: int = 16
    rate_limit: float = 0.0
    timeout: float = 10.0
    disable_after: float = 72 * 3600.0
    body: BodyForm = BodyForm.COMBINED
    secret_overlap: float = 24 * 3600.0
    breaker: BreakerPolicy | None = BreakerPolicy()

    @classmethod
    def parse(cls, value: Mapping[str, Any], base: "DeliveryPolicy | None" = None) -> "DeliveryPolicy":
        """From the API's or the file's object; unknown keys are ignored.

        Raises `ValueError` naming the field.
        """
        base = base if base is not None else cls()
        read = _Reader("delivery", value)
        return cls(
            signatures=read("signatures", _signatures, base.signatures),
            ordering=read("ordering", _one_of(Ordering), base.ordering),
            max_in_flight=read("max_in_flight", _between(1, MOST_IN_FLIGHT), base.max_in_flight),
            rate_limit=read("rate_limit", _rate, base.rate_limit),
            timeout=read("timeout", _timeout, base.timeout),
            disable_after=read("disable_after", _delay, base.disable_after),
            body=read("body", _one_of(BodyForm), base.body),
            secret_overlap=read("secret_overlap", _overlap, base.secret_overlap),
            breaker=read("breaker", lambda given: BreakerPolicy.parse(given, base.breaker), base.breaker),
        )


@attrs.frozen
class WebhookDefaults:
    """What an endpoint does where it does not say otherwise."""

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
    reason: str | None = None  # why it is not active, when nobody has said so through the API
    subscribed_events: list[str] = attrs.field(factory=list)
    secret: str = ""
    previous_secret: str = ""
    previous_until: int | None = None  # unix ms; until then the previous secret signs too
    retry_policy: dict[str, Any] = attrs.field(factory=dict)  # as the caller wrote it
    delivery: dict[str, Any] = attrs.field(factory=dict)  # as the caller wrote it
    failing_since: int | None = None
    expired: int = 0  # events whose debt ended undelivered, of old age
    orders: int = 0  # raised by each replay and retry that was ordered
    debt: int = 0  # raised when what was owed was dropped
    origin: Origin = Origin.API
    digest: str | None = None
    version: int = 1

    @property
    def mask(self) -> int:
        return mask_of(self.subscribed_events)

    def policies(self, defaults: WebhookDefaults) -> tuple[RetryPolicy, DeliveryPolicy]:
        """What was accepted once is good with any defaults: never raises for a stored endpoint."""
        return (
            RetryPolicy.parse(self.retry_policy, defaults.retries),
            DeliveryPolicy.parse(self.delivery, defaults.delivery),
        )

    def problems(self, defaults: WebhookDefaults) -> list[str]:
        """What is wrong with what people may write, each with its field."""
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

    def secrets(self, now_ms: int) -> tuple[str, ...]:
        """Those that hold now, the newest first."""
        if self.previous_secret and self.previous_until is not None and now_ms < self.previous_until:
            return (self.secret, self.previous_secret)
        return (self.secret,)

    def with_secrets(
        self, secret: str, previous: str | None, overlap: float, now_ms: int
    ) -> "WebhookEndpoint":
        """The endpoint after a rotation: for `overlap` seconds the previous secret signs beside the new one.

        `previous` None: the one that was in use until now.
        """
        if secret == self.secret and previous in (None, self.previous_secret):
            return self
        if previous is None:
            previous = self.secret
        until = now_ms + round(overlap * 1000) if secret and previous and overlap else None
        return attrs.evolve(
            self, secret=secret, previous_secret=previous if until else "", previous_until=until
        )


def _check_secret(secret: str) -> None:
    if len(secret) > LONGEST_SECRET or (secret and not secret.strip()):
        raise ValueError(f"must be at most {LONGEST_SECRET} characters, and not blank")


# Standard Webhooks, "Signature scheme": what comes after this prefix is the key in base64.
_STANDARD_PREFIX = "whsec_"


def standard_key(secret: str) -> bytes:
    """The key that Standard Webhooks libraries make of a secret.

    Raises `ValueError` when it is not base64.
    """
    if not secret.startswith(_STANDARD_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_STANDARD_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:  # an empty key would let anybody sign
        raise ValueError("a secret that begins with whsec_ must be base64 after that")
    return key


def as_written(policy: RetryPolicy | DeliveryPolicy) -> dict[str, Any]:
    """A policy as people write it: what `parse` reads."""

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


def unknown_fields(value: Mapping[str, Any], kind: type[RetryPolicy] | type[DeliveryPolicy]) -> list[str]:
    """The keys of an object that mean nothing."""
    found = sorted(value.keys() - attrs.fields_dict(kind).keys())
    breaker = value.get("breaker")
    if isinstance(breaker, Mapping):
        found += [
            f"breaker.{name}" for name in sorted(breaker.keys() - attrs.fields_dict(BreakerPolicy).keys())
        ]
    return found


# -- reading the objects that people write ------------------------------------------------------------------


def _named(name: str, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


class _Reader:
    """Reads fields of one object; what is wrong with one is said with its path."""

    def __init__(self, path: str, value: Mapping[str, Any]) -> None:
        self._path = path
        self._value = value

    def __call__(self, name: str, parse: Callable[[Any], T], default: T) -> T:
        if name not in self._value:
            return default
        try:
            return parse(self._value[name])
        except ValueError as error:
            where = f"{self._path}.{name}" if self._path else name
            text = str(error)
            joint = "." if text.partition(":")[0].isidentifier() else ": "
            raise ValueError(f"{where}{joint}{text}") from None


def _between(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be an integer from {least} to {most}, got {value!r}")
        return value

    return parse


def _schedule(delays: object) -> tuple[float, ...]:
    if not isinstance(delays, list) or not 1 <= len(delays) <= LONGEST_SCHEDULE:
        raise ValueError(f"must be a list of 1 to {LONGEST_SCHEDULE} durations")
    return tuple(_delay(delay) for delay in delays)


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
            raise ValueError(f"must be one of {', '.join(str(each.value) for each in kind)}") from None

    return parse


def _signatures(value: object) -> tuple[Signatures, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise ValueError("must be a list of signature schemes, each once")
    one = _one_of(Signatures)
    return tuple(one(item) for item in value)

"""Checks of supervision policies, layer by layer: the default, then channels, then accounts.

A policy is the default with a channel's and an account's overrides applied, so a mistake may depend on values
of several tables. It is reported once, in the table that causes it, for the first of its values given there.
"""

from supervisors import PolicyProblem
from unifyport.model.duration import format_duration
from unifyport.providers.registry import Registry

from .lines import KeyPath
from .mistakes import Mistake, Mistakes, suggest
from .values import CHOICES, OF_THE_BUDGET, OFF, PolicySettings, Settings

DEFAULT: KeyPath = ("supervision", "policies", "default")
OF_A_CHANNEL = ("max_concurrent_starts", "start_rate")

Fields = tuple[str, ...]  # the fields of one problem, dotted


def check_policies(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    """Report every mistake in every layer."""
    supervision = settings.supervision
    if supervision.max_children < 1:
        mistakes.tell(("supervision", "max_children"), "must be at least 1")
    elif len(settings.accounts) > supervision.max_children:
        declared = (
            f"{len(settings.accounts)} are declared, supervision.max_children is {supervision.max_children}"
        )
        mistakes.tell(("accounts",), declared, others=[("supervision", "max_children")])
    default = _check_layer([DEFAULT], supervision.of(""), frozenset(), mistakes)
    channels: dict[str, frozenset[Fields]] = {}
    for channel in supervision.providers:
        layers: list[KeyPath] = [("supervision", "providers", channel), DEFAULT]
        channels[channel] = _check_layer(layers, supervision.of(channel), default, mistakes)
    for place, account in enumerate(settings.accounts):
        if account.supervision is None:
            continue
        own: KeyPath = ("accounts", place, "supervision")
        for name in OF_A_CHANNEL:
            if getattr(account.supervision, name) is not None:
                mistakes.tell((*own, name), "can be set for a channel, not for an account")
        known = registry.find_channel(account.provider)
        channel = "" if known is None else known.name
        layers = [own, ("supervision", "providers", channel), DEFAULT]
        policy = supervision.of(channel, account.supervision)
        _check_layer(layers, policy, channels.get(channel, default), mistakes, without=OF_A_CHANNEL)


def _check_layer(
    layers: list[KeyPath],
    policy: PolicySettings,
    inherited: frozenset[Fields],
    mistakes: Mistakes,
    *,
    without: tuple[str, ...] = (),
) -> frozenset[Fields]:
    """Report the mistakes that the first of `layers` causes; `without`: fields that are not reported.

    A budget that is never spent depends on many values. If the layer below has this mistake already (it is in
    `inherited`), it is not reported again. Returns the `inherited` of the next layer.
    """
    own = layers[0]
    problems = policy.problems()
    for problem in problems:
        given = [name for name in problem.fields if mistakes.is_given(_at(own, name))]
        if not given or problem.fields in inherited or problem.fields[0] in without:
            continue
        blamed, field = given[0], problem.fields[0]
        origins = (_find_origin(layers, name, mistakes) for name in problem.fields)
        mistakes.add(
            Mistake(
                _at(own, blamed),
                _say(problem, blamed, policy),
                suggest(getattr(policy, field), CHOICES[field]) if field in CHOICES else "",
                others=tuple(origin for origin in origins if origin is not None),
            )
        )
    return frozenset(problem.fields for problem in problems if problem.fields == OF_THE_BUDGET)


def _say(problem: PolicyProblem, blamed: str, policy: PolicySettings) -> str:
    """The problem as text that follows the name of the blamed field and precedes its value."""
    text = problem.text.partition(", got ")[0]
    if problem.fields == OF_THE_BUDGET:
        return text.partition(": ")[2]
    backoff, probe = policy.backoff, policy.probe
    if problem.fields == ("backoff.initial", "backoff.max"):
        if blamed == "backoff.max":
            return f"must not be less than backoff.initial ({format_duration(backoff.initial)})"
        return f"must not be greater than backoff.max ({format_duration(backoff.max)})"
    if problem.fields == ("probe.timeout", "probe.interval") and probe != OFF:
        if blamed == "probe.interval":
            return f"must be greater than probe.timeout ({format_duration(probe.timeout)})"
        return f"must be less than probe.interval ({format_duration(probe.interval)})"
    return text


def _find_origin(layers: list[KeyPath], name: str, mistakes: Mistakes) -> KeyPath | None:
    """The path that the value of a field comes from; None for the built-in default."""
    paths = [_at(layer, name) for layer in layers]
    return next((path for path in paths if mistakes.is_given(path) or mistakes.is_unreadable(path)), None)


def _at(table: KeyPath, name: str) -> KeyPath:
    return (*table, *name.split("."))

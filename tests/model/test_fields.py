"""Problems of the objects that people write: a file is told all of them, the API the first of each object."""

from typing import Any

import pytest

from unifyport.model.proxy import Proxy
from unifyport.model.webhook import (
    DeliveryPolicy,
    RetryPolicy,
    WebhookDefaults,
    WebhookEndpoint,
    unknown_fields,
)

RETRIES = {"max_attempts": -1, "schedule": ["5s", "soon", "0s"]}
DELIVERY = {
    "signatures": ["device", "none"],
    "ordering": "strickt",
    "breaker": {"failures": 0, "initial": "9s", "max": "3s", "colour": 1},
    "speed": 9,
}


def test_every_problem_of_a_policy_is_told_with_its_path() -> None:
    policy, problems = RetryPolicy.read(RETRIES)
    assert policy == RetryPolicy()  # a wrong field is as in the base
    assert [problem.path for problem in problems] == [("max_attempts",), ("schedule", 1), ("schedule", 2)]
    _, problems = DeliveryPolicy.read(DELIVERY)
    assert [problem.path for problem in problems] == [
        ("signatures", 1),
        ("ordering",),
        ("breaker", "failures"),
        ("breaker", "max"),
    ]
    assert problems[1].choices == ("strict", "none")
    assert [problem.path for problem in unknown_fields(DELIVERY, DeliveryPolicy)] == [
        ("speed",),
        ("breaker", "colour"),
    ]
    assert RetryPolicy.read({"schedule": ["1s", "2s"]}) == (RetryPolicy(schedule=(1.0, 2.0)), [])


FIRST: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (RETRIES, {}, ["retry_policy.max_attempts: must be an integer from 0 to 9007199254740991, got -1"]),
    ({"schedule": []}, {}, ["retry_policy.schedule: must be a list of 1 to 100 durations"]),
    (
        {"schedule": ["soon"]},
        {},
        [
            'retry_policy.schedule: expected a duration such as "90s", "5m" or "7d", got \'soon\'',
        ],
    ),
    ({}, DELIVERY, ["delivery.signatures: must be one of device, standard"]),
    (
        {},
        {"breaker": {"failures": 0}},
        ["delivery.breaker.failures: must be an integer from 1 to 1000, got 0"],
    ),
    (
        {},
        {"breaker": {"initial": "9s", "max": "3s"}},
        ["delivery.breaker.max: must not be shorter than initial"],
    ),
    ({}, {"breaker": 1}, ['delivery.breaker: must be an object or "off"']),
    ({}, {"ordering": 1}, ["delivery.ordering: must be one of strict, none"]),
]


@pytest.mark.parametrize(("retries", "delivery", "problems"), FIRST)
def test_the_api_tells_the_first_problem_of_each_policy(
    retries: dict[str, Any], delivery: dict[str, Any], problems: list[str]
) -> None:
    endpoint = WebhookEndpoint("", "https://x.example", retry_policy=retries, delivery=delivery)
    assert endpoint.problems(WebhookDefaults()) == problems


WRONG_PROXY = {"proxy_type": "pigeon", "host": "a b", "port": "x", "user": "\n", "password": "\n"}


def test_every_problem_of_a_proxy_is_told() -> None:
    problems = Proxy.problems(WRONG_PROXY)
    assert [problem.path for problem in problems] == [
        ("proxy_type",),
        ("host",),
        ("port",),
        ("user",),
        ("password",),
    ]
    assert Proxy.problems({"host": "proxy.example", "port": 1080}) == []


@pytest.mark.parametrize(
    ("good", "text"),
    [
        ({}, "type: must be one of http, https, socks5"),
        ({"proxy_type": "http"}, "host: must be a name or an address"),
        ({"proxy_type": "http", "host": "a"}, "port: must be 1 to 65535"),
        (
            {"proxy_type": "http", "host": "a", "port": "1"},
            "username: must be at most 255 printable characters",
        ),
    ],
)
def test_the_api_tells_the_first_problem_of_a_proxy(good: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Proxy.parse({**WRONG_PROXY, **good})


def test_a_proxy_under_its_other_names() -> None:
    proxy = Proxy.parse({"proxy_type": "socks5", "host": "a", "port": "1080", "user": "u", "password": "p"})
    assert proxy == Proxy("socks5", "a", 1080, "u", "p")
    assert Proxy.parse({"host": "a", "port": 1}) == Proxy("http", "a", 1)

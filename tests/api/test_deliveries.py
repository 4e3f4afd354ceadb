"""Deliveries through the API: options, rotation, what became of each, retries, replays, the self-test,
the log.
"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import (
    SECRET,
    Client,
    Platform,
    Process,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    receiver,
    sandbox,
    settings_of,
    write_config,
)
from unifyport.delivery import signing

HOOKS = "/v1/webhook-endpoints"


async def refused(api: Client, method: str, path: str, body: Any = None) -> tuple[int, str]:
    response = await api(method, path, body)
    assert not response.is_success, response.text
    return response.status_code, response.json()["error"]["code"]


async def new_hook(api: Client, inbox: Receiver, **more: Any) -> str:
    body = {"url": inbox.url, "status": "active", "signing_secret": SECRET, **more}
    hook: str = (await api.data("POST", HOOKS, body))["id"]
    return hook


async def listed(api: Client, hook: str, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.data("GET", f"{HOOKS}/{hook}/deliveries{query}"))["items"]
    return items


async def write(platform: Platform, *texts: str) -> None:
    for text in texts:
        await platform.write(text)


# How many events an account makes of itself is none of these tests' business.
MESSAGES = {"subscribed_events": ["message.received"]}


# -- options -------------------------------------------------------------------------------------------------


async def test_options_are_echoed_and_what_is_left_open_is_the_operators(tmp_path: Path) -> None:
    more = '[webhooks]\nretry_policy = { max_attempts = 9 }\ndelivery = { timeout = "7s", rate_limit = 50 }\n'
    async with gateway(settings_of(tmp_path, more)) as api, receiver() as inbox:
        hook = await new_hook(
            api, inbox, delivery={"ordering": "none", "rate_limit": 2.5}, retry_policy={"schedule": ["90s"]}
        )
        shown = await api.data("GET", f"{HOOKS}/{hook}")
        assert shown["retry_policy"] == {"max_attempts": 9, "schedule": ["1m30s"]}
        assert shown["delivery"] == {
            "signatures": ["device"],
            "ordering": "none",
            "max_in_flight": 16,
            "rate_limit": 2.5,
            "timeout": "7s",
            "disable_after": "3d",
            "body": "combined",
            "secret_overlap": "1d",
            "provider_data": True,
            "breaker": {"failures": 5, "initial": "5s", "max": "5m"},
        }
        assert shown["runtime"] == {
            "owed": 0,
            "dead": 0,
            "in_flight": 0,
            "breaker": "closed",
            "congested": False,
        }


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("delivery", {"ordering": "some"}, "delivery.ordering"),
        ("delivery", {"max_in_flight": 0}, "delivery.max_in_flight"),
        ("delivery", {"max_in_flight": 257}, "delivery.max_in_flight"),
        ("delivery", {"rate_limit": -1}, "delivery.rate_limit"),
        ("delivery", {"timeout": "61s"}, "delivery.timeout"),
        ("delivery", {"timeout": 5}, "delivery.timeout"),
        ("delivery", {"signatures": []}, "delivery.signatures"),
        ("delivery", {"signatures": ["device", "device"]}, "delivery.signatures"),
        ("delivery", {"body": "xml"}, "delivery.body"),
        ("delivery", {"breaker": {"failures": True}}, "delivery.breaker.failures"),
        ("delivery", {"resume": "later"}, "delivery.resume"),
        ("retry_policy", {"max_attempts": 1.5}, "retry_policy.max_attempts"),
        ("retry_policy", {"schedule": ["0s"]}, "retry_policy.schedule"),
    ],
)
async def test_a_wrong_option_is_named_and_changes_nothing(
    tmp_path: Path, field: str, value: dict[str, Any], named: str
) -> None:
    async with gateway(settings_of(tmp_path)) as api, receiver() as inbox:
        hook = await new_hook(api, inbox)
        before = await api.data("GET", f"{HOOKS}/{hook}")
        response = await api("PATCH", f"{HOOKS}/{hook}", {field: value})
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "update_webhook_endpoint_failed"
        assert response.json()["error"]["problems"][0].startswith(f"{named}:")
        assert await api.data("GET", f"{HOOKS}/{hook}") == before


async def test_a_secret_that_standard_webhooks_cannot_read_is_refused(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api, receiver() as inbox:
        body = {
            "url": inbox.url,
            "status": "active",
            "signing_secret": "whsec_not base64",
            "delivery": {"signatures": ["standard"]},
        }
        assert await refused(api, "POST", HOOKS, body) == (400, "create_webhook_endpoint_failed")


async def test_two_secrets_sign_during_a_rotation(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        settings = settings_of(tmp_path, account() + platform.sandbox.config())
        async with gateway(settings) as api:
            hook = await new_hook(
                api, inbox, **MESSAGES, delivery={"signatures": ["device", "standard"]}, signing_secret="old"
            )
            rotated = await api.data("PATCH", f"{HOOKS}/{hook}", {"signing_secret": SECRET})
            assert rotated["previous_secret_until"] > "2026"
            await platform.write("hello")
            await inbox.until(lambda: inbox.of("message.received"))
            ended = await api.data("PATCH", f"{HOOKS}/{hook}", {"previous_signing_secret": ""})
            assert "previous_secret_until" not in ended
            await platform.write("again")
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
    assert inbox.bad_signatures == 0  # `device` is signed with the new one
    assert [len(headers[signing.STANDARD_SIGNATURE].split()) for headers in inbox.headers] == [2, 1]


# -- what became of them -------------------------------------------------------------------------------------


async def test_deliveries_tell_what_became_of_them(tmp_path: Path) -> None:
    answers = {"fine": 204, "poison": 422}
    async with sandbox() as platform, receiver(lambda event: answers[event["text"]]) as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            hook = await new_hook(api, inbox, **MESSAGES)
            await write(platform, "fine", "poison")
            await api.until(lambda page: page["items"], f"{HOOKS}/{hook}/deliveries?status=dead")
            [dead] = await listed(api, hook, "?status=dead")
            assert (dead["attempts"], dead["reason"], dead["replay"]) == (1, "http_422", False)
            [attempt] = dead["history"]
            assert (attempt["outcome"], attempt["response_status"]) == ("dead", 422)
            assert "response" not in attempt  # a private address
            both = await listed(api, hook)
            assert [each["status"] for each in both] == ["dead", "delivered"]
            first = await api.data("GET", f"{HOOKS}/{hook}/deliveries?limit=1")
            assert (first["items"], first["has_more"]) == (both[:1], True)
            second = await api.data("GET", f"{HOOKS}/{hook}/deliveries?limit=1&cursor={first['next_cursor']}")
            assert (second["items"], second["has_more"], second["next_cursor"]) == (both[1:], False, "")
            assert await listed(api, hook, f"?event_id={dead['event_id']}") == [dead]
            assert await api.data("GET", f"/v1/deliveries/{dead['id']}") == dead
            event = await api.data("GET", f"/v1/events/{dead['event_id']}")
            assert (event["id"], event["text"]) == (dead["event_id"], "poison")
            bad = f"{HOOKS}/{hook}/deliveries?cursor={first['next_cursor']}&status=dead"
            assert await refused(api, "GET", bad) == (400, "invalid_request")  # of another list
            assert await refused(api, "GET", f"{HOOKS}/{hook}/deliveries?status=lost") == (
                400,
                "invalid_request",
            )
            for unknown in ("dlv_1_999_0", "dlv_9_1_0", "nonsense"):
                assert await refused(api, "GET", f"/v1/deliveries/{unknown}") == (404, "not_found")


async def test_dead_letters_are_replayed_under_their_event_ids(tmp_path: Path) -> None:
    down = [True]
    async with sandbox() as platform, receiver(lambda event: 422 if down[0] else 204) as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            hook = await new_hook(api, inbox, **MESSAGES)
            await write(platform, "a", "b", "c")
            dead_page = f"{HOOKS}/{hook}/deliveries?status=dead"
            await api.until(lambda page: len(page["items"]) == 3, dead_page)
            dead = await listed(api, hook, "?status=dead")
            down[0] = False
            one = await api.data("POST", f"{HOOKS}/{hook}/replay", {"delivery_ids": [dead[2]["id"]]})
            assert (one["replayed"], one["already_owed"], one["has_more"]) == (1, 0, False)
            await inbox.until(lambda: inbox.of("message.received"))
            rest = await api.data("POST", f"{HOOKS}/{hook}/replay")
            assert rest["replayed"] == 2
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            assert [event["text"] for event in inbox.of("message.received")] == ["a", "b", "c"]
            assert {event["id"] for event in inbox.of("message.received")} == {d["event_id"] for d in dead}
            await api.until(lambda page: not page["items"], dead_page)
            await api.until(
                lambda page: len(page["items"]) == 3, f"{HOOKS}/{hook}/deliveries?status=delivered"
            )
            again = await listed(api, hook)
            assert [(each["status"], each["replay"]) for each in again][:3] == [("delivered", True)] * 3
            assert {each["id"] for each in again}.isdisjoint(each["id"] for each in dead)
            old = f"/v1/deliveries/{dead[0]['id']}"  # its history stays, and it is not replayed twice
            shown = await api.data("GET", old)
            assert (shown["status"], [each["response_status"] for each in shown["history"]]) == (
                "dead",
                [422],
            )
            assert await refused(api, "POST", f"{old}/retry") == (409, "delivery_not_retryable")
            assert len(inbox.of("message.received")) == 3


async def test_the_log_is_replayed_by_time_and_by_event(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            hook = await new_hook(api, inbox, **MESSAGES)
            await write(platform, "a", "b")
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            await api.until(
                lambda page: len(page["items"]) == 2, f"{HOOKS}/{hook}/deliveries?status=delivered"
            )
            order = {"source": "log", "since": "2026-01-01T00:00:00Z"}
            assert (await api.data("POST", f"{HOOKS}/{hook}/replay", order))["replayed"] == 2
            await inbox.until(lambda: len(inbox.of("message.received")) == 4)
            await api.until(lambda shown: shown["runtime"]["owed"] == 0, f"{HOOKS}/{hook}")
            past = {**order, "until": "2026-01-02T00:00:00Z"}
            assert (await api.data("POST", f"{HOOKS}/{hook}/replay", past))["replayed"] == 0
            event_id = inbox.of("message.received")[0]["id"]
            named = {"source": "log", "event_ids": [event_id, "evt_unknown"]}
            assert (await api.data("POST", f"{HOOKS}/{hook}/replay", named))["replayed"] == 1
            await inbox.until(lambda: len(inbox.of("message.received")) == 5)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"source": "log"}, "since"),
        ({"source": "everything"}, "source"),
        ({"since": "yesterday"}, "since"),
        ({"delivery_ids": []}, "delivery_ids"),
        ({"delivery_ids": ["dlv_77_1_0"]}, "delivery_ids"),
        ({"source": "log", "delivery_ids": ["dlv_1_1_0"]}, "delivery_ids"),
        ({"event_ids": ["evt_1"], "since": "2026-01-01T00:00:00Z"}, "delivery_ids"),
    ],
)
async def test_a_wrong_replay_is_refused(tmp_path: Path, order: dict[str, Any], named: str) -> None:
    async with gateway(settings_of(tmp_path)) as api, receiver() as inbox:
        hook = await new_hook(api, inbox)
        response = await api("POST", f"{HOOKS}/{hook}/replay", order)
        assert response.status_code == 400
        assert response.json()["error"]["problems"][0].startswith(named)


async def test_an_extra_attempt_is_made_now_and_outside_the_count(tmp_path: Path) -> None:
    answers = [500, 500, 204]
    async with sandbox() as platform, receiver(lambda event: answers.pop(0)) as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            hook = await new_hook(api, inbox, **MESSAGES, retry_policy={"schedule": ["1h"]})
            await platform.write("a")
            await api.until(lambda page: page["items"], f"{HOOKS}/{hook}/deliveries?status=retrying")
            [waiting] = await listed(api, hook, "?status=retrying")
            assert waiting["attempts"] == 1
            await api.data("POST", f"/v1/deliveries/{waiting['id']}/retry")
            await api.until(lambda d: len(d["history"]) == 2, f"/v1/deliveries/{waiting['id']}")
            failed = await api.data("GET", f"/v1/deliveries/{waiting['id']}")
            assert (failed["status"], failed["attempts"]) == ("retrying", 1)
            assert failed["next_attempt_at"] == waiting["next_attempt_at"]
            assert failed["history"][0]["outcome"] == "not_counted"
            await api.data("POST", f"{HOOKS}/{hook}/deactivate")
            retry = f"/v1/deliveries/{waiting['id']}/retry"
            assert await refused(api, "POST", retry) == (409, "webhook_endpoint_not_active")
            await api.data("POST", retry, {"force": True})
            await inbox.until(lambda: inbox.of("message.received"))
            await api.until(lambda d: d["status"] == "delivered", f"/v1/deliveries/{waiting['id']}")
            assert await refused(api, "POST", retry, {"force": True}) == (409, "delivery_not_retryable")


async def test_a_pause_keeps_what_is_owed_and_resume_now_drops_it(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            hook = await new_hook(api, inbox, **MESSAGES, delivery={"max_in_flight": 3})
            await api.data("POST", f"{HOOKS}/{hook}/deactivate")
            await write(platform, "a", "b")
            await api.until(lambda shown: shown["runtime"]["owed"] == 2, f"{HOOKS}/{hook}")
            await api.data("PATCH", f"{HOOKS}/{hook}", {"status": "active"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            await api.until(lambda shown: shown["runtime"]["owed"] == 0, f"{HOOKS}/{hook}")
            await api.data("POST", f"{HOOKS}/{hook}/deactivate")
            await write(platform, "c", "d")
            await api.until(lambda shown: shown["runtime"]["owed"] == 2, f"{HOOKS}/{hook}")
            change = {"status": "active", "delivery": {"resume": "now"}}
            resumed = await api.data("PATCH", f"{HOOKS}/{hook}", change)
            assert (resumed["dropped"], resumed["delivery"]["max_in_flight"]) == (2, 3)
            await platform.write("e")
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            assert [event["text"] for event in inbox.of("message.received")] == ["a", "b", "e"]


# -- the self-test -------------------------------------------------------------------------------------------


async def _good(request: Any) -> int:
    from datetime import UTC, datetime

    body, headers = await request.get_data(cache=False), request.headers
    stamp = headers[signing.TIMESTAMP]
    age = datetime.now(UTC) - datetime.fromisoformat(stamp)
    genuine = signing.verify(SECRET, stamp, body, headers.get(signing.SIGNATURE, ""))
    return 204 if genuine and abs(age.total_seconds()) < 300 else 401


RECEIVERS = {
    "good": ("good", [204, 401, 401, 204]),
    "believes anybody": ("insecure", [204, 204, 204, 204]),
    "refuses everything": ("failing", [401, 401, 401, 401]),
    "is down": ("failing", [503, 503, 503, 503]),
}


@pytest.mark.parametrize(("kind", "expected"), RECEIVERS.items(), ids=RECEIVERS)
async def test_the_self_test_says_what_a_receiver_is(
    tmp_path: Path, kind: str, expected: tuple[str, list[int]]
) -> None:
    from quart import request

    verdict, statuses = expected

    async with gateway(settings_of(tmp_path)) as api, receiver() as inbox:

        async def hook() -> tuple[bytes, int]:
            return b"", await _good(request) if kind == "good" else statuses[0]

        inbox.replace(hook)
        report = await api.data("POST", f"{HOOKS}/{await new_hook(api, inbox)}/test")
    assert report["verdict"] == verdict
    assert [case["name"] for case in report["cases"]] == ["good", "stale", "forged", "repeated"]
    assert [case["response_status"] for case in report["cases"]] == statuses
    assert all(case["meaning"] for case in report["cases"])


async def test_without_a_secret_there_is_nothing_to_forge(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api, receiver() as inbox:
        inbox.replace(_no_content)
        report = await api.data("POST", f"{HOOKS}/{await new_hook(api, inbox, signing_secret='')}/test")
    assert report["verdict"] == "unsigned"
    assert [case["observed"] for case in report["cases"]] == ["accepted", "not_sent", "not_sent", "accepted"]
    assert [case["passed"] for case in report["cases"]] == [True, False, False, True]


async def _no_content() -> tuple[bytes, int]:
    await trio.lowlevel.checkpoint()
    return b"", 204


# -- the log -------------------------------------------------------------------------------------------------


async def following(api: Client, path: str, **headers: str) -> AsyncGenerator[dict[str, str], None]:
    """Messages of server-sent events."""
    async with api.http.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        message: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                message[name] = value
            else:
                yield message
                message = {}


async def test_the_stream_goes_on_where_a_reader_left_it(tmp_path: Path) -> None:
    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            path = "/v1/events/stream?type=message.received"
            with trio.fail_after(20):
                stream = following(api, path)
                place = (await anext(stream))["id"]
                await platform.write("a")
                message = await anext(stream)
                await stream.aclose()
                assert (message["event"], json.loads(message["data"])["text"]) == ("message.received", "a")
                await platform.write("b")
                for last in (place, message["id"]):
                    again = following(api, path, **{"Last-Event-ID": last})
                    await anext(again)
                    texts = [json.loads((await anext(again))["data"])["text"]]
                    await again.aclose()
                    assert texts == (["a"] if last == place else ["b"])
            page = await api.data("GET", f"/v1/events?type=message.received&after={message['id']}")
            assert [event["text"] for event in page["items"]] == ["b"]


async def test_a_stop_ends_streams(tmp_path: Path) -> None:
    port = free_port()
    process = Process(write_config(tmp_path, port=port), port)
    await process.start()
    async with trio.open_nursery() as nursery:
        ended = trio.Event()

        async def follow() -> None:
            async for _ in following(process.client, "/v1/events/stream"):
                begun.set()
            ended.set()

        begun = trio.Event()
        nursery.start_soon(follow)
        with trio.fail_after(10):
            await begun.wait()
            assert await process.stop(10) == 0
            await ended.wait()


async def test_the_log_is_filtered_and_shows_the_gateways_own_only_when_asked(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver(lambda event: 410) as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            own = "/v1/events?type=gateway.*"
            page = await api.until(lambda page: page["items"], own)
            assert [event["type"] for event in page["items"]] == ["gateway.endpoint.disabled"]
            assert page["items"][0]["data"]["reason"] == "gone"
            everything = await api.data("GET", "/v1/events?after=earliest")
            assert {event["type"].partition(".")[0] for event in everything["items"]} == {"account"}
            two = await api.data("GET", "/v1/events?type=account.started,gateway.endpoint.disabled")
            assert {event["type"] for event in two["items"]} <= {
                "account.started",
                "gateway.endpoint.disabled",
            }
            assert await refused(api, "GET", "/v1/events?type=made.up") == (400, "invalid_request")
            assert await refused(api, "GET", "/v1/events/stream?after=made.up") == (400, "invalid_request")
            assert await refused(api, "GET", "/v1/events/evt_unknown") == (404, "not_found")

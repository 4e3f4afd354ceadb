"""WhatsApp over the Cloud API, whole: what the platform brings, what goes back, and what becomes of it."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import trio

from tests.harness import (
    APP_SECRET,
    CUSTOMER,
    NUMBER,
    Client,
    Platform,
    Receiver,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
    whatsapp_data,
)
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, sign

OTHER = "106540352242923"


async def connected(api: Client, platform: Platform, inbox: Receiver, count: int = 1) -> list[dict[str, Any]]:
    """Wait until all accounts run, then tell the platform where the first one is called.

    Returns the accounts.
    """
    await inbox.until(lambda: len(inbox.of("account.started")) == count)
    accounts: list[dict[str, Any]] = await api.data("GET", "/v1/accounts")
    numbers = [account["provider_account_ref"] for account in accounts]
    await platform.connect(accounts[0]["ingress_url"], *numbers)
    return accounts


async def test_a_message_in_a_reply_out_and_its_receipts(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            assert account["provider_account_ref"] == NUMBER
            assert account["receive"] == "webhook"
            assert account["provider_profile"]["display_name"] == f"Sandbox {NUMBER}"
            assert account["provider_profile"]["phone"].startswith("+65")
            assert APP_SECRET not in json.dumps(account)

            written = await platform.whatsapp("messages", {"from": CUSTOMER, "name": "Mei", "text": "hello"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            assert (event["from"], event["text"]) == (f"+{CUSTOMER}", "hello")
            assert event["message_id"] == written["message_id"]
            conversation = event["data"]["conversation"]
            assert (conversation["id"], conversation["type"], conversation["title"]) == (
                CUSTOMER,
                "user",
                "Mei",
            )
            assert {"type": "phone", "id": f"+{CUSTOMER}"} in conversation["identities"]
            assert event["data"]["sender"]["phone"] == f"+{CUSTOMER}"

            sent = await api.data(
                "POST",
                "/v1/messages",
                {
                    "account_id": account["id"],
                    "to": {"id": f"+{CUSTOMER}", "type": "user"},
                    "message": {"type": "text", "text": "yes"},
                    "provider_data": {"reply_to": {"message_id": written["message_id"]}},
                },
            )
            assert sent["message_id"].startswith("wamid.")
            [seen] = await platform.sent("whatsapp")
            assert (seen["id"], seen["to"]) == (sent["message_id"], CUSTOMER)
            assert seen["context"] == {"message_id": written["message_id"]}
            assert seen["biz_opaque_callback_data"] == sent["command_id"]

            for status in ("delivered", "read"):
                await platform.whatsapp("receipts", {"message_id": sent["message_id"], "status": status})
                await inbox.until(lambda status=status: len(inbox.of(f"message.{status}")) == 1)  # type: ignore[misc]
            await inbox.until(lambda: len(inbox.of("message.status.updated")) == 3)
            names = [e["type"] for e in inbox.deliveries if e["type"].startswith("message.")]
            assert names == [
                "message.received",
                "message.status.updated",  # sent
                "message.delivered",
                "message.status.updated",
                "message.read",
                "message.status.updated",
            ]
            assert [e["status"] for e in inbox.of("message.status.updated")] == ["sent", "delivered", "read"]
            assert {e["message_id"] for e in inbox.of("message.status.updated")} == {sent["message_id"]}
            [delivered] = inbox.of("message.delivered")
            assert delivered["data"]["message"]["ids"] == [sent["message_id"]]
            ids = [e["id"] for e in inbox.deliveries if e["type"].startswith("message.")]
            assert ids == sorted(ids)
            assert inbox.bad_signatures == 0

            await platform.whatsapp("receipts", {"message_id": sent["message_id"], "status": "failed"})
            await inbox.until(lambda: len(inbox.of("message.status.updated")) == 4)
            last = inbox.of("message.status.updated")[-1]
            assert last["data"]["message"]["error"]["code"] == 131026

            path = f"/v1/accounts/{account['id']}/conversations/read"
            for name in (CUSTOMER, f"+{CUSTOMER}"):
                assert await api.data("POST", path, {"conversation_id": name}) == {"ok": True}
            named = {
                "conversation_id": CUSTOMER,
                "up_to_message_id": "wamid.X",
                "up_to_message_sender_id": CUSTOMER,
            }
            assert await api.data("POST", path, named) == {"ok": True}
            read = platform.cloud.marked_read()
            assert [r["message_id"] for r in read] == [*[written["message_id"]] * 2, "wamid.X"]
            one = await api("POST", path, {"conversation_id": CUSTOMER, "up_to_message_id": "wamid.X"})
            assert (one.status_code, one.json()["error"]["code"]) == (400, "invalid_request")
            nobody = await api("POST", path, {"conversation_id": "1234567"})
            assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "conversation_not_found")
            assert "give up_to_message_id" in nobody.json()["error"]["message"]
            assert len(platform.cloud.marked_read()) == 3


async def test_two_numbers_of_one_app_share_a_callback_and_strangers_are_set_aside(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("branch", OTHER) + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            first, second = await connected(api, platform, inbox, 2)
            await platform.whatsapp("messages", {"to": NUMBER, "text": "one"})
            await platform.whatsapp("messages", {"to": OTHER, "text": "two"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            by_text = {e["text"]: e["account_id"] for e in inbox.of("message.received")}
            assert by_text == {"one": first["id"], "two": second["id"]}

            # one request with both numbers, a stranger's number, and a change that is no message
            def change(number: str, name: str) -> dict[str, Any]:
                message = {
                    "id": f"wamid.{name}",
                    "from": CUSTOMER,
                    "timestamp": str(int(time.time())),
                    "type": "text",
                    "text": {"body": name},
                }
                return {
                    "field": "messages",
                    "value": {"metadata": {"phone_number_id": number}, "messages": [message]},
                }

            webhook = {
                "entry": [
                    {"id": "1", "changes": [change(NUMBER, "a"), change(OTHER, "b")]},
                    {"id": "2", "changes": [change("999", "c"), {"field": "account_update", "value": {}}]},
                ]
            }
            await platform.whatsapp("updates", {"to": NUMBER, "webhook": webhook})
            await inbox.until(lambda: len(inbox.of("message.received")) == 4)
            by_text = {e["text"]: e["account_id"] for e in inbox.of("message.received")}
            assert (by_text["a"], by_text["b"]) == (first["id"], second["id"])
            assert "c" not in by_text
            metrics = (await api.http.get("/metrics")).text
            assert "unifyport_quarantined_total 1.0" in metrics


async def test_another_app_cannot_write_into_an_account_of_this_one(tmp_path: Path) -> None:
    """A secret is good for the accounts that have it: items that name others are set aside."""
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("rival", OTHER, app_secret="the-secret-of-a-rival")
        async with gateway(
            settings_of(
                tmp_path, more + endpoint(inbox.url) + platform.sandbox.config(), **public(free_port())
            )
        ) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            _, rival = await api.data("GET", "/v1/accounts")
            message = {"id": "wamid.f", "from": CUSTOMER, "timestamp": str(int(time.time())), "type": "text"}
            message["text"] = {"body": "forged"}  # type: ignore[assignment]
            value = {"metadata": {"phone_number_id": NUMBER}, "messages": [message]}
            body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()
            answer = await api.http.post(
                rival["ingress_url"],
                content=body,
                headers={SIGNATURE: sign("the-secret-of-a-rival", body)},
            )
            assert answer.status_code == 200  # it is kept, but not believed
            page = await api.data("GET", "/v1/events?type=message.received")
            assert page["items"] == []
            assert "unifyport_quarantined_total 1.0" in (await api.http.get("/metrics")).text


async def test_files_come_by_links_that_need_no_key_and_give_nothing_away(tmp_path: Path) -> None:
    content = bytes(range(256)) * 700
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            media = {
                "type": "document",
                "content": base64.b64encode(content).decode(),
                "mime_type": "text/html",
                "filename": 'invoice".html',
                "caption": "yours",
            }
            await platform.whatsapp("messages", {"text": "", "media": media})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            message = inbox.of("message.received")[0]["data"]["message"]
            assert (message["type"], message["text"]) == ("document", "yours")
            [attachment] = message["attachments"]
            assert attachment["title"] == 'invoice".html'
            url = attachment["url"]
            assert url.startswith(f"{api.http.base_url}/media/".replace("//media", "/media"))
            assert platform.sandbox.endpoints["whatsapp"]["graph_api_url"] not in json.dumps(message)
            async with trio.open_nursery() as nursery:  # ten readers, one fetch

                async def read() -> None:
                    response = await api.http.get(url, headers={"x-api-key": ""})
                    assert response.status_code == 200
                    assert response.content == content
                    assert response.headers["content-type"] == "application/octet-stream"
                    assert response.headers["content-disposition"].startswith("attachment")
                    assert response.headers["x-content-type-options"] == "nosniff"
                    assert response.headers["content-security-policy"].startswith("sandbox")

                for _ in range(10):
                    nursery.start_soon(read)
            connections = (await platform.http.get("/sandbox/whatsapp/connections")).json()
            file_id = attachment["metadata"]["provider_file_id"]
            assert len([c for c in connections if c["account"] == file_id]) == 1
            assert (await api.http.get(url[:-4] + "AAAA")).status_code == 404
            assert (await api.http.get(url.replace(account["id"], "acct_other"))).status_code == 404

            big = {"type": "image", "content": base64.b64encode(b"x").decode()}
            await platform.whatsapp("messages", {"text": "", "media": big})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            gone = inbox.of("message.received")[1]["data"]["message"]["attachments"][0]
            platform.cloud.media.clear()
            assert (await api.http.get(gone["url"])).status_code == 410
            await api.data("POST", f"/v1/accounts/{account['id']}/runtime/stop")
            assert (await api.http.get(gone["url"])).status_code == 503
            assert (await api.http.get(url)).status_code == 200  # it is in the cache


async def test_what_the_platform_refuses_is_told_as_it_is(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})

            async def send(number: str = CUSTOMER, **more: Any) -> tuple[int, dict[str, Any]]:
                body = {
                    "account_id": account["id"],
                    "to": {"id": number, "type": "user"},
                    "message": {"type": "text", "text": "hi"},
                    **more,
                }
                response = await api("POST", "/v1/messages", body)
                return response.status_code, response.json().get("error", {})

            status, error = await send("6599999999")  # never wrote: outside the window
            assert (status, error["outcome"]) == (500, "rejected")
            assert "131047" in error["message"]
            assert error["reason"] == "outside_customer_service_window"
            assert error["provider"]["code"] == "131047"
            calls = len((await platform.http.get("/sandbox/whatsapp/connections")).json())
            refusals: list[tuple[dict[str, Any], str]] = [  # for which no platform is needed
                ({"to": {"id": "not a number", "type": "user"}}, "invalid_request"),
                ({"to": {"id": CUSTOMER, "type": "group"}}, "invalid_request"),
                ({"to": {"id": CUSTOMER, "type": "channel"}}, "unsupported_conversation_type"),
                ({"message": {"type": "text", "text": "x" * 4097}}, "invalid_request"),
            ]
            for wrong, code in refusals:
                status, error = await send(**wrong)
                assert (status, error["code"]) == (400, code), wrong
            assert len((await platform.http.get("/sandbox/whatsapp/connections")).json()) == calls
            status, error = await send(reply_to={"reply_token": "made-up"})
            assert (status, error["code"]) == (400, "invalid_reply_token")
            for token in ("r1.altered", {"reply_token": "x"}):
                status, error = await send(provider_data={"reply_to": token})
                assert (status, error["code"]) == (400, "invalid_reply_token")
            status, error = await send(provider_data={"reply_to": {"nothing": 1}})
            assert (status, error["code"]) == (400, "invalid_request")
            for kind, expected in (
                ("error_500", (500, "unknown")),
                ("disconnect", (500, "unknown")),
                (None, (200, None)),
                ("rate_limit", (429, "not_sent")),
                (None, (429, "not_sent")),  # the number is closed for the time that the platform wants
            ):
                if kind is not None:
                    await platform.whatsapp("faults", {"kind": kind, "method": "messages"})
                status, error = await send()
                assert (status, error.get("outcome")) == expected, kind
            assert len(await platform.sent("whatsapp")) == 1


async def test_a_receipt_tells_what_became_of_a_send_that_nobody_knew(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
            await platform.whatsapp("faults", {"kind": "lost_answer", "method": "messages"})
            body = {
                "account_id": account["id"],
                "to": {"id": CUSTOMER, "type": "user"},
                "message": {"type": "text", "text": "hi"},
            }
            lost = await api("POST", "/v1/messages", body)
            error = lost.json()["error"]
            assert (lost.status_code, error["outcome"]) == (500, "unknown")
            path = f"/v1/commands/{error['command_id']}"
            command = await api.until(lambda c: c["outcome"] == "sent", path)
            [sent] = await platform.sent("whatsapp")
            assert command["message_id"] == sent["id"]
            await inbox.until(lambda: len(inbox.of("message.status.updated")) == 1)

            await platform.whatsapp("faults", {"kind": "disconnect", "method": "messages"})
            never = (await api("POST", "/v1/messages", body)).json()["error"]
            assert (await api.data("GET", f"/v1/commands/{never['command_id']}"))["outcome"] == "unknown"


async def test_a_stopped_account_keeps_nothing_and_the_platform_repeats(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            await api.data("POST", f"/v1/accounts/{account['id']}/runtime/stop")
            await platform.whatsapp("messages", {"text": "while away"})
            with trio.fail_after(10):
                while not (calls := await platform.calls("whatsapp")) or not calls[-1]["statuses"]:
                    await trio.lowlevel.checkpoint()
            assert set(calls[-1]["statuses"]) == {503}
            assert (await api.data("GET", "/v1/events?type=message.received"))["items"] == []
            await api.data("POST", f"/v1/accounts/{account['id']}/runtime/start")
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            assert inbox.of("message.received")[0]["text"] == "while away"


async def test_an_account_made_through_the_api(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "whatsapp", "region": "global", "provider_data": whatsapp_data()}
            account = await api.data("POST", "/v1/accounts", body)
            assert account["ingress_url"].endswith(f"/ingress/whatsapp/{account['id']}")
            twin = await api("POST", "/v1/accounts", body)
            assert (twin.status_code, twin.json()["error"]["code"]) == (409, "duplicate_provider_account")
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            assert [e["type"] for e in inbox.deliveries][:2] == [
                "account.status.updated",
                "account.auth.succeeded",
            ]
            wrong = {**body, "provider_data": whatsapp_data(phone_number_id="not digits")}
            refused = await api("POST", "/v1/accounts", wrong)
            assert refused.status_code == 400
            assert "provider_data.phone_number_id" in refused.json()["error"]["message"]


async def test_a_report_of_the_business_reaches_all_its_accounts_and_only_who_named_it(
    tmp_path: Path,
) -> None:
    """Endpoints without a list get no `provider.event`; one that names it gets those of both accounts."""
    async with sandbox() as platform, receiver() as everything, receiver() as named:
        more = (
            whatsapp(business_account_id="77")
            + whatsapp("second", OTHER, business_account_id="77")
            + whatsapp("stranger", "106540352242924", business_account_id="78")
            + endpoint(everything.url)
            + endpoint(named.url, name="named", events='["*", "provider.event"]')
            + platform.sandbox.config()
        )
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            accounts = await connected(api, platform, everything, 3)
            change = {"field": "account_update", "value": {"event": "PARTNER_ADDED"}}
            report = json.dumps(
                {"entry": [{"id": "77", "time": int(time.time()), "changes": [change]}]}
            ).encode()
            headers = {SIGNATURE: sign(APP_SECRET, report)}
            for _ in range(2):  # a repeat changes nothing
                answer = await api.http.post(accounts[0]["ingress_url"], content=report, headers=headers)
                assert answer.status_code == 200
            await platform.whatsapp("messages", {"to": NUMBER, "from": CUSTOMER, "text": "hello"})
            await named.until(lambda: len(named.of("message.received")) == 1)
            await everything.until(lambda: len(everything.of("message.received")) == 1)
            numbers = {account["id"]: account["provider_account_ref"] for account in accounts}
            found = named.of("provider.event")
            assert {numbers[event["account_id"]] for event in found} == {NUMBER, OTHER}
            assert len(found) == 2
            assert {event["data"]["event"]["name"] for event in found} == {"account_update"}
            assert everything.of("provider.event") == []

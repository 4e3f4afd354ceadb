"""An Official Account, whole: what Zalo brings, what goes back, and what becomes of it."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import (
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
)
from tests.zalo import (
    APP_SECRET,
    CUSTOMER,
    OA,
    OA_SECRET,
    SEED,
    connect,
    failed_login,
    official_account,
    official_data,
    order,
    refusal,
    text_to,
)
from unifyport.sandbox.zalo.official import ZaloOfficialPlatform

GROUP = "f414c8f76fa586fbdfb4"
EVERYTHING = '["*", "provider.event"]'


def zalo(platform: Platform) -> ZaloOfficialPlatform:
    found = platform.sandbox.platforms["zalo-official"]
    assert isinstance(found, ZaloOfficialPlatform)
    return found


async def tell(platform: Platform, what: str, body: dict[str, Any]) -> Any:
    return await order(platform, what, body, of="zalo-official")


async def connected(api: Client, platform: Platform, inbox: Receiver, **more: str) -> dict[str, Any]:
    await inbox.until(lambda: len(inbox.of("account.started")) == 1)
    [account] = await api.data("GET", "/v1/accounts")
    await connect(platform, account["ingress_url"], **more)
    found: dict[str, Any] = account
    return found


@pytest.mark.parametrize(("oa_id", "signed_with"), [("", "app"), (OA, "oa"), ("", "oa")])
async def test_a_text_in_and_a_text_out(tmp_path: Path, oa_id: str, signed_with: str) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account(oa_id=oa_id) + endpoint(inbox.url, events=EVERYTHING)
        settings = settings_of(tmp_path, more + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            account = await connected(api, platform, inbox, signed_with=signed_with)
            assert account["provider_account_ref"] == OA
            assert account["provider_profile"]["display_name"] == f"Shop {OA}"
            for secret in (APP_SECRET, OA_SECRET, SEED):
                assert secret not in json.dumps(account)
            written = await tell(platform, "messages", {"text": "xin chào"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            assert (event["from"], event["text"]) == (CUSTOMER, "xin chào")
            assert event["message_id"] == written["message_id"]
            sent = await api.data("POST", "/v1/messages", text_to(account, CUSTOMER, "yes"))
            [seen] = zalo(platform).sent()
            assert (seen["message_id"], seen["message"]["text"]) == (sent["message_id"], "yes")
            for status in ("delivered", "read"):
                await tell(platform, "receipts", {"message_id": sent["message_id"], "status": status})
                await inbox.until(lambda status=status: len(inbox.of(f"message.{status}")) == 1)  # type: ignore[misc]
            [read] = inbox.of("message.read")
            assert read["data"]["conversation"]["id"] == CUSTOMER
            assert read["data"]["message"]["ids"] == [sent["message_id"]]
            assert inbox.bad_signatures == 0


async def test_what_we_send_is_no_echo_and_what_an_admin_writes_is(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url, events=EVERYTHING) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            await tell(platform, "messages", {"text": "hi"})
            await tell(platform, "faults", {"kind": "duplicate", "method": "webhook", "count": 5})
            sent = await api.data("POST", "/v1/messages", text_to(account, CUSTOMER, "from the program"))
            admin = {
                "event_name": "oa_send_text",
                "sender": {"id": OA, "admin_id": "777"},
                "recipient": {"id": CUSTOMER},
                "message": {"msg_id": "m-admin", "text": "from an admin"},
            }
            await tell(platform, "updates", {"event": admin})
            await inbox.until(lambda: inbox.of("provider.event") and inbox.of("message.status.updated"))
            [echo] = inbox.of("provider.event")
            assert (echo["event_name"], echo["message_id"]) == ("message_echo", "m-admin")
            assert echo["data"]["message"]["direction"] == "outbound"
            assert echo["data"]["event"]["admin_id"] == "777"
            [status] = inbox.of("message.status.updated")
            assert (status["message_id"], status["status"]) == (sent["message_id"], "sent")
            assert len(inbox.of("message.received")) == 1


async def test_files_in_and_out(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            for kind, type_ in (
                ("image", "image"),
                ("audio", "audio"),
                ("video", "video"),
                ("file", "document"),
            ):
                media = {
                    "type": kind,
                    "content": base64.b64encode(kind.encode()).decode(),
                    "name": f"a.{kind}",
                }
                count = len(inbox.of("message.received"))
                await tell(platform, "messages", {"media": media})
                await inbox.until(lambda count=count: len(inbox.of("message.received")) > count)  # type: ignore[misc]
                event = inbox.of("message.received")[-1]
                assert event["message_type"] == type_
                [attachment] = event["data"]["message"]["attachments"]
                assert (await api.http.get(attachment["url"])).content == kind.encode()
                assert "/files/" not in json.dumps(event["data"]["provider_data"])

            async def upload(name: str, mime_type: str, content: bytes = b"x") -> str:
                answer = await api.http.post("/v1/media", files={"file": (name, content, mime_type)})
                assert answer.is_success, answer.text
                return str(answer.json()["data"]["file_key"])

            async def send(type_: str, key: str, **data: Any) -> Any:
                caption = {"caption": data.pop("caption")} if "caption" in data else {}
                message = {"type": type_, "file_key": key, **caption}
                body = text_to(account, CUSTOMER, provider_data=data) | {"message": message}
                return await api("POST", "/v1/messages", body)

            answer = await send("image", await upload("a.png", "image/png"), caption="look")
            assert answer.is_success, answer.text
            shown = zalo(platform).sent()[-1]["message"]
            [element] = shown["attachment"]["payload"]["elements"]
            assert (shown["text"], element["media_type"]) == ("look", "image")
            assert zalo(platform).uploads[element["attachment_id"]] == b"x"
            gif = await upload("a.gif", "image/gif")
            assert (await send("image", gif, width=10, height=20)).is_success
            [element] = zalo(platform).sent()[-1]["message"]["attachment"]["payload"]["elements"]
            assert (element["media_type"], element["width"], element["height"]) == ("gif", 10, 20)
            assert (await send("document", await upload("a.pdf", "application/pdf"))).is_success
            assert zalo(platform).sent()[-1]["message"]["attachment"]["type"] == "file"
            count = len(zalo(platform).sent())
            for type_, name, mime_type, data in (
                ("image", "a.gif", "image/gif", {}),
                ("image", "a.png", "image/png", {"width": 1, "height": 1}),
                ("document", "a.zip", "application/zip", {}),
                ("document", "a.pdf", "application/pdf", {"caption": "caption"}),
                ("video", "a.mp4", "video/mp4", {}),
            ):
                refused = await send(type_, await upload(name, mime_type), **data)
                assert not refused.is_success, (name, data)
            large = await upload("a.png", "image/png", b"x" * (1024 * 1024 + 1))
            assert "1 MiB" in (await send("image", large)).text
            assert len(zalo(platform).sent()) == count


async def test_quotes_contents_groups_and_customers_without_a_login(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            first = await tell(platform, "messages", {"text": "hi"})
            await tell(platform, "messages", {"text": "hi", "group": GROUP})
            await tell(platform, "messages", {"text": "hi", "anonymous": "c-1", "from": "anon1"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            ids = {event["data"]["conversation"]["id"] for event in inbox.of("message.received")}
            assert ids == {CUSTOMER, GROUP, "anonymous:anon1:c-1"}
            reply = text_to(account, CUSTOMER, "yes", provider_data={"reply_to": first["message_id"]})
            await api.data("POST", "/v1/messages", reply)
            assert zalo(platform).sent()[-1]["message"]["quote_message_id"] == first["message_id"]
            await api.data("POST", "/v1/messages", text_to(account, "anonymous:anon1:c-1", "yes"))
            assert zalo(platform).sent()[-1]["recipient"] == {
                "anonymous_id": "anon1",
                "conversation_id": "c-1",
            }
            mention = text_to(account, GROUP, "{{@2512523625412515}} [@1] {{@2}}", type="group")
            await api.data("POST", "/v1/messages", {**mention, "mentions": [{"id": CUSTOMER}]})
            text = zalo(platform).sent()[-1]["message"]["text"]
            assert text == f"[@{CUSTOMER}] [\u2060@1] {{{{@2}}}}"
            sticker = text_to(account, CUSTOMER, provider_data={"sticker": "bfe458"})
            await api.data("POST", "/v1/messages", sticker)
            [element] = zalo(platform).sent()[-1]["message"]["attachment"]["payload"]["elements"]
            assert element == {"media_type": "sticker", "attachment_id": "bfe458"}
            raw = {"type": "template", "payload": {"template_type": "request_user_info", "elements": []}}
            await api.data(
                "POST", "/v1/messages", text_to(account, CUSTOMER, provider_data={"attachment": raw})
            )
            assert zalo(platform).sent()[-1]["message"]["attachment"] == raw
            decomposed = "a\u0323" * 2000  # one character each in Normalization Form C
            await api.data("POST", "/v1/messages", text_to(account, CUSTOMER, decomposed))
            for body in (
                text_to(account, CUSTOMER, "x" * 2001),
                text_to(account, CUSTOMER, "x", provider_data={"sticker": "1"}),
                text_to(account, CUSTOMER, provider_data={"attachment": {"type": 1}}),
                text_to(account, "anonymous:1", "x"),
                text_to(account, CUSTOMER, "x", provider_data={"width": 1}),
            ):
                assert await refusal(api, body) == ("refused", "invalid_request")


async def test_what_becomes_of_a_send(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            await tell(platform, "messages", {"text": "hi"})
            await tell(platform, "messages", {"text": "hi", "from": "99", "days_ago": 8})
            for to, kind, reason in (
                ("99", "user", "outside_customer_service_window"),
                ("1234", "user", "not_a_follower"),
                ("none", "group", "invalid_parameter"),
            ):
                body = text_to(account, to, "x", type=kind)
                assert await refusal(api, body) == ("rejected", reason)
            for fault, outcome in (
                ("error_500", "unknown"),
                ("garbage", "unknown"),
                ("lost_answer", "unknown"),
            ):
                await tell(platform, "faults", {"kind": fault, "method": "message/cs"})
                assert (await refusal(api, text_to(account, CUSTOMER, fault)))[0] == outcome
            assert [sent["message"]["text"] for sent in zalo(platform).sent()] == ["lost_answer"]
            await tell(platform, "faults", {"kind": "rate_limit", "method": "message/cs"})
            answer = await api("POST", "/v1/messages", text_to(account, CUSTOMER, "x"))
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")


async def test_what_an_account_can_do(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            base = f"/v1/accounts/{account['id']}"
            written = await tell(platform, "messages", {"text": "hi"})
            await tell(platform, "messages", {"text": "hi", "group": GROUP})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            target = {"conversation_id": CUSTOMER, "message_id": written["message_id"]}
            reaction = {"account_id": account["id"], **target}
            await api.data("POST", "/v1/messages/reaction", {**reaction, "emoji": "❤️"})
            assert zalo(platform).sent()[-1]["sender_action"]["react_icon"] == "/-heart"
            await api.data("POST", "/v1/messages/reaction", reaction)
            assert zalo(platform).sent()[-1]["sender_action"]["react_icon"] == "/-remove"
            assert not (await api("POST", "/v1/messages/reaction", {**reaction, "emoji": "🦀"})).is_success
            contact = await api.data("GET", f"{base}/contacts/info?contact_id={CUSTOMER}")
            assert contact["display_name"] == f"Customer {CUSTOMER}"
            assert (await api("GET", f"{base}/contacts/info?contact_id=none")).status_code == 404

            played = zalo(platform).accounts[OA].groups[GROUP]
            at, group = f"{base}/groups", {"group_id": GROUP}
            assert [each["id"] for each in (await api.data("GET", at))["items"]] == [GROUP]
            played.waiting |= {"42", "43"}
            asking = await api.data("GET", f"{at}/join-requests?group_id={GROUP}")
            assert [each["id"] for each in asking["items"]] == ["42", "43"]
            for action, member in (("approve", "42"), ("reject", "43")):
                decided = {**group, "action": action, "member_ids": [member]}
                await api.data("POST", f"{at}/join-requests/update", decided)
            assert (played.waiting, played.members) == (set(), {CUSTOMER, "42"})
            for action, member in (("add", "7"), ("promote", "7"), ("demote", "7"), ("remove", "42")):
                await api.data("POST", f"{at}/members", {**group, "action": action, "member_id": member})
            assert (played.members, played.admins) == ({CUSTOMER, "7"}, set())
            await api.data("POST", f"{at}/update-info", {**group, "name": "New"})
            await api.data("POST", f"{at}/update-info", {**group, "description": "What it is"})
            await api.data("POST", f"{at}/join-approval-mode", {**group, "enabled": True})
            shown = await api.data("GET", f"{at}/info?group_id={GROUP}")
            assert (shown["name"], shown["description"], shown["member_count"]) == ("New", "What it is", 2)
            assert shown["extra"] == {"join_approval": True}
            invite = await api.data("GET", f"{at}/invite-code?group_id={GROUP}")
            assert invite == {"invite_url": f"https://zalo.me/g/{GROUP}", "invite_code": GROUP}
            people = await api.data("GET", f"{base}/conversations/members?conversation_id={GROUP}&limit=1")
            assert len(people["items"]) == 1
            assert people["next_cursor"]
            assert (await api("GET", f"{at}/info?group_id=none")).status_code == 404

            label = {"label_id": "vip", "action": "add", "conversation_ids": [CUSTOMER]}
            await api.data("POST", f"{base}/conversations/labels", label)
            labels = await api.data("GET", f"{base}/conversations/labels")
            assert labels["items"] == [{"id": "vip", "name": "vip"}]
            await api.data("POST", f"{base}/conversations/labels", {**label, "action": "remove"})
            assert zalo(platform).accounts[OA].tags == {"vip": set()}
            await api.data("POST", f"{base}/conversations/labels/delete", {"label_id": "vip"})
            assert zalo(platform).accounts[OA].tags == {}


async def test_a_consent_logs_in(tmp_path: Path) -> None:
    """The app's credentials are in the file, the account has none."""
    verifier = "v" * 43
    for with_verifier in (False, True):
        async with sandbox() as platform, receiver() as inbox:
            table = platform.sandbox.config()
            app = {name: official_data()[name] for name in ("app_id", "app_secret", "oa_secret")}
            app |= {"code_verifier": verifier} if with_verifier else {}
            lines = "".join(f'{k} = "{v}"\n' for k, v in app.items())
            more = endpoint(inbox.url) + table.replace("[providers.zalo]\n", f"[providers.zalo]\n{lines}")
            directory = tmp_path / str(with_verifier)
            directory.mkdir()
            async with gateway(settings_of(directory, more, **public(free_port()))) as api:
                account = await api.data("POST", "/v1/accounts", {"provider": "zalo"})
                shown = await api.data("POST", f"/v1/accounts/{account['id']}/auth/start")
                assert ("code_challenge" in shown["auth_payload"]["page_url"]) is with_verifier
                agreed = await api.http.get(shown["auth_payload"]["page_url"], follow_redirects=False)
                done = await api.http.get(agreed.headers["location"])
                assert done.status_code == 200
                account = await connected(api, platform, inbox)
                assert account["provider_account_ref"] == OA
                assert zalo(platform).refreshes == []
                await tell(platform, "messages", {"text": "hi"})
                await inbox.until(lambda: len(inbox.of("message.received")) == 1)
                await api.data("POST", f"/v1/accounts/{account['id']}/runtime/reconnect")
                await api.until(
                    lambda found: found["runtime_status"] == "running", f"/v1/accounts/{account['id']}"
                )


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({"app_secret": "wrong"}, "oauth_client_refused"),
        ({"refresh_token": "never-given"}, "refresh_token_refused"),
        ({"oa_id": "1"}, "unexpected_oa_id"),
    ],
)
async def test_bad_credentials(tmp_path: Path, credentials: dict[str, str], reason: str) -> None:
    async with sandbox() as platform:
        more = official_account(**credentials) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            assert await failed_login(api) == reason


async def test_an_expired_token_is_renewed_and_a_withdrawn_consent_ends_the_login(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            account = await connected(api, platform, inbox)
            await tell(platform, "messages", {"text": "hi"})
            for token, (oa, _) in list(zalo(platform).access_tokens.items()):
                zalo(platform).access_tokens[token] = oa, trio.current_time()
            await api.data("POST", "/v1/messages", text_to(account, CUSTOMER, "after a renewal"))
            assert len(zalo(platform).refreshes) == 2
            assert len(set(zalo(platform).refreshes)) == 2
            await tell(platform, "faults", {"kind": "logout", "method": "message/cs"})
            outcome, _ = await refusal(api, text_to(account, CUSTOMER, "x"))
            assert outcome == "not_sent"
            assert await failed_login(api) == "refresh_token_refused"


async def test_an_event_before_the_first_login_is_repeated(tmp_path: Path) -> None:
    """Whom it is for is not known yet."""
    async with sandbox() as platform, receiver() as inbox:
        await tell(platform, "faults", {"kind": "error_500", "method": "access_token", "count": 2})
        more = official_account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await api.data("GET", "/v1/accounts")
            await connect(platform, account["ingress_url"])
            await tell(platform, "messages", {"text": "early"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [call] = zalo(platform).calls()
            assert call["statuses"][-1] == 200
            assert set(call["statuses"][:-1]) <= {503}


async def test_two_accounts_of_one_app(tmp_path: Path) -> None:
    other = "579745863508352885"
    async with sandbox() as platform, receiver() as inbox:
        more = official_account() + official_account("second", refresh_token=f"sandbox-{other}-1")
        more += endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            accounts = {a["provider_account_ref"]: a for a in await api.data("GET", "/v1/accounts")}
            await connect(platform, accounts[OA]["ingress_url"], OA, other, "1")
            for oa in (OA, other, "1"):
                await tell(platform, "messages", {"to": oa, "text": f"for {oa}"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            told = {event["text"]: event["account_id"] for event in inbox.of("message.received")}
            assert told == {f"for {oa}": accounts[oa]["id"] for oa in (OA, other)}


async def test_what_the_connections_declare(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        channels = {each["provider"]: each for each in await api.data("GET", "/v1/capabilities")}
        bot, official, *personal = channels["zalo"]["connections"]
        assert [each["auth_mode"] for each in personal] == ["qrcode", "session"]
        assert (bot["auth_mode"], official["auth_mode"]) == ("token", "token")
        assert (bot["receive"], bot["inbound"]) == (["poll", "webhook"], "volatile")
        assert (official["receive"], official["inbound"]) == (["webhook"], "acked")
        assert ("window_hours" in bot, bot["receipts"]) == (False, [])
        assert (official["window_hours"], official["receipts"]) == (168, ["sent", "delivered", "read"])
        assert not bot["can_start_conversation"]
        assert not official["can_start_conversation"]
        assert set(bot["capabilities"]) == {"send_text", "send_image", "show_typing", "download_media"}
        assert set(official["capabilities"]) == {
            *("send_text", "send_image", "send_document", "send_reply", "react_to_message"),
            *("download_media", "get_contact", "list_groups", "get_group", "list_conversation_members"),
            *("update_group_members", "update_group_info", "list_group_join_requests"),
            *("update_group_join_requests", "set_group_join_approval_mode", "get_group_invite_code"),
            *("list_labels", "set_label_members", "delete_label"),
        }
        assert {field["name"] for field in official["provider_data"] if field["app"]} == {
            *("app_id", "app_secret", "oa_secret", "code_verifier")
        }

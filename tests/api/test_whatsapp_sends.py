"""Templates, interactive messages, locations, typing: what a business says beyond texts and files."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.api.test_whatsapp import connected
from tests.harness import (
    CUSTOMER,
    NUMBER,
    Client,
    Platform,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.whatsapp.cloud.templates import Template, check_fits, needed, shown
from unifyport.sandbox.whatsapp.contents import TEMPLATES

STRANGER = "6590000555"  # has never written
BUSINESS = "104996122399160"


@attrs.define
class World:
    platform: Platform
    api: Client
    account_id: str
    message_id: str  # of what the customer wrote

    async def send(self, data: Any, to: Any = CUSTOMER, text: str = "", **more: Any) -> httpx.Response:
        body = {
            "account_id": self.account_id,
            "to": to if isinstance(to, dict) else {"id": to, "type": "user"},
            "message": {"type": "text", "text": text},
            "provider_data": data,
        }
        return await self.api("POST", "/v1/messages", body | more)

    async def sent(self, data: Any, **more: Any) -> dict[str, Any]:
        answer = await self.send(data, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = (await self.platform.sent("whatsapp"))[-1]
        return found

    async def refused(self, data: Any, **more: Any) -> tuple[int, str]:
        answer = await self.send(data, **more)
        assert not answer.is_success, answer.text
        return answer.status_code, answer.json()["error"]["message"]


@pytest.fixture(params=[BUSINESS])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with sandbox() as platform, receiver() as inbox:
        known = {"business_account_id": request.param} if request.param else {}
        more = whatsapp(**known) + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await connected(api, platform, inbox)
            written = await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
            await inbox.until(lambda: bool(inbox.of("message.received")))
            yield World(platform, api, account["id"], written["message_id"])


def parcel(*names: str, image: bool = True, url: bool = True) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if image:
        picture = {"type": "image", "image": {"link": "https://shop.example/p.png"}}
        components.append({"type": "header", "parameters": [picture]})
    components.append({"type": "body", "parameters": [{"type": "text", "text": name} for name in names]})
    if url:
        parameters = [{"type": "text", "text": "77"}]
        components.append({"type": "button", "sub_type": "url", "index": "0", "parameters": parameters})
    return {"template": {"name": "parcel", "language": "en", "components": components}}


async def test_a_template_begins_a_conversation(world: World) -> None:
    code, text = await world.refused({}, to=STRANGER, text="hello")
    assert (code, "Re-engagement" in text) == (500, True)
    seen = await world.sent({"template": {"name": "hello_world", "language": "en_US"}}, to=STRANGER)
    assert (seen["type"], seen["to"]) == ("template", STRANGER)
    assert seen["template"] == {"name": "hello_world", "language": {"code": "en_US"}}
    seen = await world.sent(parcel("Mei", "77"), to=STRANGER)
    assert [part["type"] for part in seen["template"]["components"]] == ["header", "body", "button"]


async def test_parameters_are_compared_with_the_template(world: World) -> None:
    before = len(await world.platform.sent("whatsapp"))
    for data, words in (
        (parcel("Mei"), "body of the template parcel takes 1, 2; 1 given"),
        (parcel("Mei", "77", "x"), "3 given"),
        (parcel("Mei", "77", image=False), "header of the template parcel takes image"),
        (parcel("Mei", "77", url=False), "button.0"),
        ({"template": {"name": "parcel", "language": "de"}}, "no template parcel in de"),
        ({"template": {"name": "none", "language": "en"}}, "no template none"),
        ({"template": {"name": "new_offer", "language": "en"}}, "is pending"),
    ):
        code, text = await world.refused(data)
        assert (code, words in text) == (500, True), text
    assert len(await world.platform.sent("whatsapp")) == before
    command = (await world.send(parcel("Mei"))).json()["error"]["command_id"]
    known = await world.api.data("GET", f"/v1/commands/{command}")
    assert (known["outcome"], known.get("reason")) == ("rejected", "template_parameters")


async def test_a_changed_template_is_read_again(world: World) -> None:
    hello = {"template": {"name": "hello_world", "language": "en_US"}}
    await world.sent(hello)
    changed = {**TEMPLATES[0], "components": [{"type": "BODY", "text": "Welcome {{1}}!"}]}
    world.platform.cloud.templates[0] = changed
    body = {"type": "body", "parameters": [{"type": "text", "text": "Mei"}]}
    seen = await world.sent({"template": {**hello["template"], "components": [body]}})
    assert seen["template"]["components"] == [body]


@pytest.mark.parametrize("world", [""], indirect=True, ids=["no business account"])
async def test_without_the_list_the_platform_decides(world: World) -> None:
    await world.sent({"template": {"name": "hello_world", "language": "en_US"}})
    answer = await world.send(parcel("Mei"))
    assert "132000" in answer.json()["error"]["message"]
    listing = await world.api("GET", f"/v1/accounts/{world.account_id}/templates")
    assert "business_account_id" in listing.json()["error"]["message"]


async def test_a_list_that_cannot_be_read_does_not_hold_up_a_send(world: World) -> None:
    await world.platform.whatsapp("faults", {"kind": "error_500", "method": "templates", "count": 9})
    seen = await world.sent({"template": {"name": "hello_world", "language": "en_US"}})
    assert seen["template"]["name"] == "hello_world"
    listing = await world.api("GET", f"/v1/accounts/{world.account_id}/templates")
    assert not listing.is_success, listing.text


async def test_a_template_is_found_behind_many_with_similar_names(world: World) -> None:
    many = [{**TEMPLATES[0], "name": f"hello_world_{n}"} for n in range(450)]
    last = {**TEMPLATES[0], "components": [{"type": "BODY", "text": "Hi {{1}}"}]}
    world.platform.cloud.templates[:] = [*many, last]
    code, text = await world.refused({"template": {"name": "hello_world", "language": "en_US"}})
    assert (code, "body of the template hello_world takes 1" in text) == (500, True), text
    code, text = await world.refused({"template": {"name": "hello", "language": "en_US"}})
    assert (code, "no template hello in en_US" in text) == (500, True), text


@pytest.mark.parametrize("buttons", [None, ["x"], "x"])
async def test_a_template_of_another_shape_does_not_hold_up_a_send(world: World, buttons: Any) -> None:
    parts = [*TEMPLATES[0]["components"], {"type": "BUTTONS", "buttons": buttons}]
    world.platform.cloud.templates[0] = {**TEMPLATES[0], "components": parts}
    seen = await world.sent({"template": {"name": "hello_world", "language": "en_US"}})
    assert seen["template"]["name"] == "hello_world"


async def test_the_list_of_approved_templates(world: World) -> None:
    path = f"/v1/accounts/{world.account_id}/templates"
    first = await world.api.data("GET", f"{path}?limit=2")
    assert [(each["name"], each["language"]) for each in first["items"]] == [
        ("hello_world", "en_US"),
        ("parcel", "en"),
    ]
    assert first["items"][1]["placeholders"] == ["header.image", "body.1", "body.2", "button.0.1"]
    assert (first["items"][1]["status"], first["items"][1]["category"]) == ("approved", "utility")
    rest = await world.api.data("GET", f"{path}?limit=2&cursor={first['next_cursor']}")
    assert ([each["name"] for each in rest["items"]], rest["has_more"]) == (["greeting"], False)


def test_named_parameters() -> None:
    template = Template(**{k: v for k, v in TEMPLATES[2].items() if k != "id"})
    assert needed(template) == {"body": ["name", "shop"]}
    assert shown(template).placeholders == ["body.name", "body.shop"]
    named = [{"type": "text", "parameter_name": name, "text": "x"} for name in ("shop", "name")]
    check_fits(template, {"components": [{"type": "BODY", "parameters": named}]})
    for wrong in (
        named[:1],
        [{"type": "text", "text": "x"}] * 2,
        [*named, {**named[0], "parameter_name": "y"}],
    ):
        with pytest.raises(Rejected, match="template_parameters"):
            check_fits(template, {"components": [{"type": "body", "parameters": wrong}]})


@pytest.mark.parametrize("kind", ["IMAGE", "VIDEO", "DOCUMENT", "GIF", "LOCATION", "PRODUCT"])
def test_a_header_that_is_no_text_takes_one_parameter(kind: str) -> None:
    template = Template("offer", "en", components=[{"type": "HEADER", "format": kind}])
    name = kind.lower()
    assert shown(template).placeholders == [f"header.{name}"]
    check_fits(template, {"components": [{"type": "header", "parameters": [{"type": name, name: {}}]}]})
    with pytest.raises(Rejected, match="template_parameters"):
        check_fits(template, {})


LIST = {
    "type": "list",
    "action": {
        "button": "Choose",
        "sections": [{"rows": [{"id": "a", "title": "A", "description": "first"}]}],
    },
}


async def test_interactive_messages(world: World) -> None:
    buttons = {"type": "button", "action": {"buttons": [{"id": "y", "title": "Yes"}]}}
    seen = await world.sent({"interactive": buttons}, text="Sure?", reply_to=world.message_id)
    assert seen["interactive"]["body"] == {"text": "Sure?"}
    assert seen["interactive"]["action"]["buttons"] == [
        {"type": "reply", "reply": {"id": "y", "title": "Yes"}}
    ]
    assert seen["context"] == {"message_id": world.message_id}
    seen = await world.sent({"interactive": {**LIST, "footer": {"text": "Shop"}}}, text="Which?")
    assert seen["interactive"]["action"]["sections"][0]["rows"][0]["id"] == "a"
    flow = {"type": "flow", "action": {"parameters": {"flow_id": "1", "flow_cta": "Open", "flow_token": "t"}}}
    seen = await world.sent({"interactive": flow}, text="Fill in")
    assert seen["interactive"]["action"]["name"] == "flow"
    assert seen["interactive"]["action"]["parameters"]["flow_message_version"] == "3"
    product = {"type": "product", "action": {"catalog_id": "1", "product_retailer_id": "SKU-1"}}
    assert (await world.sent({"interactive": product}))["interactive"] == product
    link = {"type": "cta_url", "action": {"parameters": {"display_text": "Go", "url": "https://a.example"}}}
    assert (await world.sent({"interactive": link}, text="See"))["interactive"]["action"]["name"] == "cta_url"


def button(**more: Any) -> dict[str, Any]:
    return {"interactive": {"type": "button", "action": {"buttons": [{"id": "1", "title": "Yes"} | more]}}}


REFUSED: list[tuple[Any, str, str]] = [
    ({"template": {"name": "Bad Name", "language": "en"}}, "", "template.name"),
    ({"template": {"name": "a"}}, "", "template.language"),
    ({"template": {"name": "a", "language": "en", "components": [{}]}}, "", "components[0]"),
    ({"template": {"name": "a", "language": "en", "parameters": []}}, "", "has no parameters"),
    ({"template": {"name": "a", "language": "en"}}, "x", "no place for message.text"),
    ({"template": "hello"}, "", "must be: object"),
    (button(title="x" * 21), "x", "buttons[0]"),
    (button(), "", "message.text"),
    (button(), "x" * 1025, "1024"),
    (
        {"interactive": {"type": "button", "action": {"buttons": [{"id": "1", "title": "a"}] * 2}}},
        "x",
        "same",
    ),
    ({"interactive": {"type": "list", "action": {"button": "b", "sections": []}}}, "x", "rows"),
    ({"interactive": {"type": "flow", "action": {"parameters": {}}}}, "x", "flow_id"),
    ({"interactive": {**LIST, "header": {"type": "text", "text": "x" * 61}}}, "x", "header"),
    ({"location": {"latitude": 1, "longitude": 181}}, "", "longitude"),
    ({"location": {"latitude": 1, "longitude": 1}, "template": {}}, "", "too"),
]


@pytest.mark.parametrize(("data", "text", "words"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
async def test_what_meta_would_refuse_is_not_sent(world: World, data: Any, text: str, words: str) -> None:
    code, said = await world.refused(data, text=text)
    assert (code, words in said) == (400, True), said
    assert await world.platform.sent("whatsapp") == []


async def test_locations_previews_stickers(world: World) -> None:
    place = {"latitude": 1.3, "longitude": 103.8, "name": "Shop", "address": "1 Road"}
    assert (await world.sent({"location": place}))["location"] == place
    seen = await world.sent({"preview_url": True}, text="https://a.example")
    assert seen["text"] == {"body": "https://a.example", "preview_url": True}
    upload = await world.api("POST", "/v1/media", files={"file": ("a.webp", b"RIFF", "image/webp")})
    image = {"type": "image", "file_key": upload.json()["data"]["file_key"]}
    seen = await world.sent({"send_as": "sticker"}, message=image)
    assert (seen["type"], [*seen["sticker"]]) == ("sticker", ["id"])


GROUP, NO_GROUP = "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOQ", "Y2FwaV9ncm91cDox"


async def test_groups_are_written_to_and_unknown_ones_are_not_found(world: World) -> None:
    message = {"id": "wamid.g1", "from": CUSTOMER, "group_id": GROUP, "timestamp": str(int(time.time()))}
    value = {"messages": [{**message, "type": "text", "text": {"body": "hi all"}}]}
    await world.platform.whatsapp("updates", {"to": NUMBER, "value": value})
    await world.api.until(
        lambda page: any(each["data"]["conversation"]["id"] == GROUP for each in page["items"]),
        "/v1/events?type=message.received",
    )
    reaction = {"account_id": world.account_id, "message_id": "wamid.g1", "emoji": "👍"}
    seen = await world.sent({}, text="hi", to={"id": GROUP, "type": "group"})
    assert (seen["recipient_type"], seen["to"]) == ("group", GROUP)
    await world.api.data("POST", "/v1/messages/reaction", {**reaction, "conversation_id": GROUP})
    seen = (await world.platform.sent("whatsapp"))[-1]
    assert (seen["recipient_type"], seen["to"], seen["type"]) == ("group", GROUP, "reaction")

    unknown = [
        await world.send({}, text="hi", to={"id": NO_GROUP, "type": "group"}),
        await world.api("POST", "/v1/messages/reaction", {**reaction, "conversation_id": NO_GROUP}),
        await world.api("POST", "/v1/messages/reaction", {**reaction, "conversation_id": "no such chat"}),
    ]
    for answer in unknown:  # as on every channel
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "conversation_not_found")
    assert unknown[0].json()["error"]["provider"]["code"] == "131041"


async def test_typing_and_reactions(world: World) -> None:
    path = f"/v1/accounts/{world.account_id}/conversations/typing"
    await world.api.data("POST", path, {"conversation_id": f"+{CUSTOMER}"})
    number = world.platform.cloud.numbers[NUMBER]
    assert ([*number.typing], [*number.read]) == ([world.message_id], [world.message_id])
    unknown = await world.api("POST", path, {"conversation_id": STRANGER})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "conversation_not_found")
    target = {"account_id": world.account_id, "conversation_id": CUSTOMER, "message_id": world.message_id}
    await world.api.data("POST", "/v1/messages/reaction", {**target, "emoji": "👍"})
    reaction = (await world.platform.sent("whatsapp"))[-1]["reaction"]
    assert reaction == {"message_id": world.message_id, "emoji": "👍"}

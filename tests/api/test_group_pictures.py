"""The picture of a group on a platform that takes no address: the gateway fetches it."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx
import pytest

from tests.harness import Client, free_port, gateway, public, settings_of
from tests.pictures import JPEG, PNG, Pictures, pictures
from tests.reference.platform import ReferencePlatform
from tests.reference.serving import REGISTRY, declared, reference_platform


@attrs.define
class World:
    api: Client
    platform: ReferencePlatform
    pictures: Pictures
    account: str
    group: str

    async def set(self, name: str, group: str = "") -> httpx.Response:
        body = {"group_id": group or self.group, "avatar_url": self.pictures.url + name}
        return await self.api("POST", f"/v1/accounts/{self.account}/groups/update-info", body)

    @property
    def picture(self) -> str | None:
        found = self.platform.groups[self.group].get("picture")
        return None if found is None else str(found)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with reference_platform() as running, pictures(tmp_path) as served:
        settings = settings_of(
            tmp_path, declared(running), registry=REGISTRY, security=served.settings, **public(free_port())
        )
        async with gateway(settings, list(REGISTRY.channels.values())) as api:
            [account] = await api.until(
                lambda all_: all(each["runtime_status"] == "running" for each in all_), "/v1/accounts"
            )
            groups = f"/v1/accounts/{account['id']}/groups"
            made = await api.data("POST", f"{groups}/create", {"name": "Shop", "members": ["person-1"]})
            yield World(api, running.platform, served, account["id"], made["id"])


@pytest.mark.parametrize(
    ("name", "mime_type", "content"), [("/a.jpg", "image/jpeg", JPEG), ("/a.png", "image/png", PNG)]
)
async def test_a_picture_is_fetched_and_given_to_the_platform(
    world: World, name: str, mime_type: str, content: bytes
) -> None:
    answer = await world.set(name)
    assert answer.status_code == 200, answer.text
    assert world.picture == f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("name", ["/a.txt", "/empty.jpg", "/large.jpg", "/missing.jpg"])
async def test_what_is_no_picture_changes_nothing(world: World, name: str) -> None:
    answer = await world.set(name)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith("avatar_url: ")
    assert world.picture is None
    assert world.pictures.url not in answer.text


async def test_a_group_that_does_not_exist(world: World) -> None:
    answer = await world.set("/a.jpg", "group-99")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "group_not_found")


async def test_an_account_that_does_not_run(world: World) -> None:
    await world.api("POST", f"/v1/accounts/{world.account}/runtime/stop")
    answer = await world.set("/a.jpg")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "account_binding_not_found")

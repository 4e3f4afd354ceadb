"""The quarantine through the API and the command line: listed, read by the owner, released once, purged."""

from pathlib import Path

import httpx
import trio

from tests.harness import BOT, account, endpoint, gateway, receiver, sandbox, settings_of


def owner_of(directory: Path) -> httpx.AsyncClient:
    """A client of the socket beside the database."""
    transport = httpx.AsyncHTTPTransport(uds=str(directory / "unifyport.db.sock"))
    return httpx.AsyncClient(base_url="http://local", transport=transport)


async def test_items_are_listed_read_released_and_purged(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        events = '["message.received", "provider.event"]'
        more = account() + endpoint(inbox.url, events=events) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await platform.write("before")
            for number in range(3):
                await platform.post("updates", {"to": BOT, "update": {"never_seen": {"a": number}}})
            page = await api.until(lambda found: len(found["items"]) == 3, "/v1/quarantine")
            [bot] = await api.data("GET", "/v1/accounts")
            newest, second, oldest = page["items"]
            assert {each["account_id"] for each in page["items"]} == {bot["id"]}
            assert all(each["reason"] and each["size"] > 0 for each in page["items"])
            assert all("text" not in each and "base64" not in each for each in page["items"])
            first = await api.data("GET", "/v1/quarantine?limit=2")
            assert [each["id"] for each in first["items"]] == [newest["id"], second["id"]]
            rest = await api.data("GET", f"/v1/quarantine?limit=2&cursor={first['next_cursor']}")
            assert ([each["id"] for each in rest["items"]], rest["has_more"]) == ([oldest["id"]], False)

            path = f"/v1/quarantine/{oldest['id']}"
            for method, where in (("GET", path), ("POST", f"{path}/release")):  # a caller with a key
                refused = await api(method, where)
                assert (refused.status_code, "only the owner" in refused.text) == (403, True)
            async with owner_of(tmp_path) as owner:
                shown = (await owner.get(path)).json()["data"]
                assert shown.get("text") or shown.get("base64")
                released = await owner.post(f"{path}/release")
                assert released.status_code == 200, released.text
                assert (await owner.post(f"{path}/release")).status_code == 404
            await inbox.until(lambda: len(inbox.of("provider.event")) == 1)
            [event] = inbox.of("provider.event")
            assert event["data"]["event"]["name"] == "quarantined"
            assert event["data"]["event"]["quarantined_item"] == oldest["id"]

            assert (await api("DELETE", f"/v1/quarantine/{second['id']}")).status_code == 204
            assert (await api("DELETE", f"/v1/quarantine/{second['id']}")).status_code == 404
            assert (await api("DELETE", "/v1/quarantine/qr_x")).status_code == 404
            assert (await api("DELETE", "/v1/quarantine?account_id=acct_none")).status_code == 404
            assert await api.data("DELETE", f"/v1/quarantine?account_id={bot['id']}") == {"purged": 1}
            assert (await api.data("GET", "/v1/quarantine"))["items"] == []
            await platform.write("after", int(BOT))
            with trio.fail_after(10):
                await inbox.until(lambda: inbox.of("message.received")[-1]["text"] == "after")


async def test_a_release_that_was_cut_off_makes_its_event_once(tmp_path: Path) -> None:
    """The item is deleted after its event is durable: a release that was stopped in between
    is done again.
    """
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url, events='["provider.event"]') + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await platform.write("before")
            await platform.post("updates", {"to": BOT, "update": {"never_seen": {"a": 1}}})
            page = await api.until(lambda found: len(found["items"]) == 1, "/v1/quarantine")
            path = f"/v1/quarantine/{page['items'][0]['id']}/release"
            async with owner_of(tmp_path) as owner:
                codes = []

                async def release() -> None:
                    codes.append((await owner.post(path)).status_code)

                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(release)
            assert 200 in codes
            assert set(codes) <= {200, 404}
            await inbox.until(lambda: len(inbox.of("provider.event")) == 1)
            log = await api.data("GET", "/v1/events?type=provider.event")
            assert len(log["items"]) == 1

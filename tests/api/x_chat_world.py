"""What tests of XChat over the API v2 say of an account that has its keys."""

from tests.api.test_x_login import create, status
from tests.api.x_world import ME, MEI, World


def told(world: World, user: str = MEI, place: str = ME) -> list[str]:
    events = world.x.people.told(user, place)
    return [event["content"]["text"] for event in events if "text" in event.get("content", {})]


def exported_keys(world: World) -> str:
    return world.x.people.enrol(ME).exported()


async def running_with_keys(world: World, **more: str) -> None:
    await create(world, refresh_token="refresh-1111-seed", chat_keys=exported_keys(world), **more)
    await status(world, "authorized")
    await world.connected()

"""The reference platform running, and a gateway's registry and file that know of it."""

import contextlib
from collections.abc import AsyncIterator

import attrs
import trio

from unifyport.providers.registry import Registry, standard

from .device import reference
from .platform import TOKEN, ReferencePlatform

CHANNEL = "line"  # whose place it takes
TYPED = "zalo"  # and whose with codes that are typed on the phone
CONSENTING = "twitter"  # and whose with token accounts that ask for consent; only in its own registry
REGISTRY = Registry([*standard().channels.values(), reference(CHANNEL), reference(TYPED, typed=True)])
WITH_CONSENT = Registry([*REGISTRY.channels.values(), reference(CONSENTING, consent=True)])


@attrs.define
class Running:
    platform: ReferencePlatform
    url: str

    def url_of(self, content: bytes) -> str:
        """A URL at which a file with this content can be fetched without a header."""
        file = self.platform.keep(content)
        return f"{self.url}/files/{file}?key={self.platform.keys[file]}"


@contextlib.asynccontextmanager
async def reference_platform() -> AsyncIterator[Running]:
    platform = ReferencePlatform()
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: platform.run(task_status=task_status))
        yield Running(platform, url)
        nursery.cancel_scope.cancel()


def places(running: Running, *more: str) -> str:
    """Where its platform is, in the configuration file; `more`: further channels in whose place it is."""
    names = (CHANNEL, TYPED, *more)
    return "".join(f'[providers.{name}]\napi_url = "{running.url}"\n' for name in names)


def declared(running: Running, name: str = "everything", token: str = TOKEN) -> str:
    """An account of the configuration file, and where its platform is."""
    return (
        f'\n[[accounts]]\nname = "{name}"\nprovider = "{CHANNEL}"\ncredentials = {{ token = "{token}" }}\n'
        + places(running)
    )

"""An account that is logged in at the sandbox's data centres, and its calls: without a gateway."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import attrs
import trio

from actors.account.memory_session import MemorySession
from tests.harness import sandbox
from tests.providers.platform import context
from unifyport.model.proxy import Proxy
from unifyport.protocols.mtproto.encryption import AuthKey
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.records import Records
from unifyport.providers.telegram import Endpoints
from unifyport.providers.telegram.user.keys import AuthRecord, Me, auth_key, dump
from unifyport.providers.telegram.user.link import UserLink
from unifyport.providers.telegram.user.opening import open_link
from unifyport.providers.telegram.user.records import AUTH, ME
from unifyport.sandbox.telegram.user.authorizations import Authorization
from unifyport.sandbox.telegram.user.directory import Person
from unifyport.sandbox.telegram.user.platform import UserPlatform

PHONE = "6590000001"
APP = {"api_id": "17349", "api_hash": "344583e45741c457fe1862106095a5eb"}


class Observer:
    """A link that takes everything."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    async def deliver(self, batch: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.batches.append(batch)

    def observed(self) -> None:
        pass


@attrs.define
class Account:
    """`context` can be used for further connections of the account."""

    platform: UserPlatform
    person: Person
    context: ConnectorContext
    link: UserLink
    authorization: Authorization

    async def open(self) -> UserLink:
        return await open_link(self.context, Records(self.context.session))


@contextlib.asynccontextmanager
async def platform() -> AsyncIterator[tuple[UserPlatform, Endpoints]]:
    async with sandbox() as served:
        [found] = [each for each in served.sandbox.platforms.values() if isinstance(each, UserPlatform)]
        yield found, Endpoints(**found.endpoints(found.server.addresses))


@contextlib.asynccontextmanager
async def account(
    *, proxy: Proxy | None = None, skew: float = 0.0, run: bool = True
) -> AsyncIterator[Account]:
    async with platform() as (served, endpoints):
        served.server.skew = skew
        person = served.account(PHONE)
        key = AuthKey(os.urandom(256))
        known = Authorization(key, 2, 77, person=person)
        person.authorizations.append(known)
        served.server.centres[2].authorizations[key.id] = known
        session = MemorySession(
            {(AUTH, auth_key(2)): dump(AuthRecord(key.value)), (ME, b""): dump(Me(2, person.id))}
        )
        made = attrs.evolve(context(session, **APP), endpoints=endpoints, proxy=proxy)
        link = await open_link(made, Records(session))
        async with trio.open_nursery() as nursery:
            if run:
                ready = trio.Event()
                nursery.start_soon(_run, link, ready)
                await ready.wait()
            yield Account(served, person, made, link, known)
            link.close()
            nursery.cancel_scope.cancel()


async def _run(link: UserLink, ready: trio.Event) -> None:
    with contextlib.suppress(ChannelError):
        await link.run(Observer(), ready)

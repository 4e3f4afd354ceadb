"""What works on one connection of a linked device, put together."""

from unifyport.protocols.binary_node import Jid
from unifyport.providers.contract.base import ConnectorContext

from .devices import Devices
from .encryption import Encryptor
from .failures import Failures
from .group_cache import GroupCache
from .history import History
from .incoming import Messages
from .keys import DeviceKeys
from .media import MediaFiles
from .notifications import Notifications
from .outgoing import Outgoing
from .people import person
from .posts import OnRequest
from .prekeys import PreKeys
from .presence import PRESENCE, Presence
from .ratchets import Ratchets
from .records import Draft, Records
from .recovery import Recovery
from .requests import Requests
from .retries import Retries
from .routes import Routes
from .socket import NodeSocket
from .tokens import Tokens


class Parts:
    """All of them; `aclose` closes what holds connections."""

    def __init__(
        self, context: ConnectorContext, records: Records, keys: DeviceKeys, socket: NodeSocket
    ) -> None:
        self.records, self.keys, self.socket = records, keys, socket
        self.requests = Requests(socket)
        self.ratchets = Ratchets(keys)
        self.devices = Devices(records, self.requests)
        self.groups = GroupCache(records, self.requests)
        self.prekeys = PreKeys(records, keys, self.requests)
        self.tokens = Tokens(records, self.requests, context.clock)
        self.media = MediaFiles(context, keys, self.requests)
        self.routes = Routes(records, keys, devices=self.devices, groups=self.groups)
        self.encryptor = Encryptor(keys, self.ratchets, self.routes, self.tokens)
        self.outgoing = Outgoing(
            records,
            self.requests,
            routes=self.routes,
            devices=self.devices,
            ratchets=self.ratchets,
            prekeys=self.prekeys,
            encryptor=self.encryptor,
        )
        self.retries = Retries(
            records,
            keys,
            ratchets=self.ratchets,
            prekeys=self.prekeys,
            outgoing=self.outgoing,
            encryptor=self.encryptor,
        )
        self.presence = Presence(
            keys,
            records,
            socket,
            tokens=self.tokens,
            groups=self.groups,
            wanted=PRESENCE in context.wanted,
        )
        on_request = OnRequest(context.wanted, context.counts)
        self.history = History(records, self.tokens, self.media, context.clock)
        self.messages = Messages(
            keys,
            ratchets=self.ratchets,
            groups=self.groups,
            recovery=Recovery(keys, self.prekeys, keys.me.user, context.clock),
            history=self.history,
            on_request=on_request,
            failures=Failures(context.counts),
            presence=self.presence,
            clock=context.clock,
        )
        self.notifications = Notifications(
            keys,
            devices=self.devices,
            groups=self.groups,
            prekeys=self.prekeys,
            tokens=self.tokens,
            sessions=self,
            on_request=on_request,
            media_answer=self.media.take_answer,
        )

    async def aclose(self) -> None:
        self.socket.close()
        await self.media.aclose()

    async def end_sessions(self, person_: Jid) -> None:
        """See `notifications.EndsSessions`."""
        async with self.records.lock:
            draft = Draft(self.records)
            who = await person(draft, person_)
            for jid in (who.phone, who.lid):
                if jid is not None:
                    self.devices.forget(jid)
                    await self.ratchets.end_all(draft, jid)
            if draft.changes:
                await self.records.commit(draft.changes)

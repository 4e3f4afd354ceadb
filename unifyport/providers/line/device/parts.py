"""The parts of one connection, made in the order in which they need each other."""

from unifyport.providers.contract.base import ConnectorContext

from .directory import Directory
from .echoes import Echoes
from .gateway import Gateway
from .history import History
from .keyring import Keyring
from .media import MediaFiles
from .opening import Opener
from .people import People
from .records import Me, Records
from .sends import Sends
from .sync import Readers, Sync
from .talk import Talk
from .token_keeper import TokenKeeper


class Parts:
    """All of them. The connector closes the gateway."""

    def __init__(self, context: ConnectorContext, gateway: Gateway, records: Records, me: Me) -> None:
        endpoints, clock = context.endpoints, context.clock
        self.tokens = TokenKeeper(context, gateway, me.login)
        self.talk = Talk(gateway, self.tokens)
        self.keyring = Keyring(self.talk, records, me, clock)
        self.echoes = Echoes(records, me, clock)
        self.people = People(self.talk)
        self.media = MediaFiles(gateway, self.tokens, endpoints.device_media_url)
        self.directory = Directory(self.talk, self.people, self.echoes, endpoints.device_picture_url)
        self.sends = Sends(
            self.talk,
            me,
            keyring=self.keyring,
            echoes=self.echoes,
            people=self.people,
            media=self.media,
        )
        readers = Readers(
            opener=Opener(self.keyring, me.mid, context.counts),
            echoes=self.echoes,
            people=self.people,
            keyring=self.keyring,
            history=History(self.talk),
        )
        self.sync = Sync(self.talk, records, me, readers, clock)

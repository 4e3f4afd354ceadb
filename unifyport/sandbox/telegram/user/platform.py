"""Telegram's data centres on loopback, and the control port's side: customers, phones and the platform."""

from typing import Any

from ...platform import LocalPlatform
from ...sockets import Connection, tcp
from .cdn import CDN, Cdn
from .changes import Changes
from .channels import Channels
from .customers import Customers
from .delivery import Delivery
from .directory import Person
from .files import Files
from .groups import Groups
from .joins import Joins
from .link import Link
from .lists import Configuration, Lists
from .login import Logins
from .members import Members
from .orders import Orders
from .reading import Reading
from .sends import Sends
from .server import Centre, Server
from .settings import Settings
from .states import States

DCS = (1, 2, 4)
MEDIA = 2  # has an address for files besides its own


class UserPlatform(LocalPlatform):
    """Accounts exist once the control port, or a test, has added them (`account`)."""

    name = "telegram-user"

    def __init__(self) -> None:
        super().__init__()
        self.server = Server((*DCS, CDN))
        self.delivery = Delivery(self.server)
        self.cdn = Cdn(self.server)
        self.files = Files(self.server, self.cdn)
        self.members = Members(self.server, self.delivery)
        self.logins = Logins(self.server)
        self.states = States(self.server)
        self.sends = Sends(self.server, self.delivery, self.files)
        self.changes = Changes(self.server, self.delivery, self.files)
        self.groups = Groups(self.server, self.delivery, self.members, self.files)
        self.joins = Joins(self.server, self.delivery, self.members, self.groups)
        self.channels = Channels(self.server, self.members, self.groups)
        self.settings = Settings(self.server, self.delivery)
        self.reading = Reading(self.server, self.delivery)
        self.lists = Lists(self.server)
        self.configuration = Configuration(self.server)
        self.customers = Customers(self)
        self.orders = Orders(self)
        self.links: set[Link] = set()
        self.protocols = [
            *(tcp(self, f"dc{dc}", ("user_dc_addresses",), self._at(self.server.centres[dc])) for dc in DCS),
            tcp(self, f"media{MEDIA}", ("user_dc_addresses",), self._at(self.server.centres[MEDIA])),
            tcp(self, f"cdn{CDN}", ("user_dc_addresses",), self._at(self.server.centres[CDN])),
        ]

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """Also the key that clients are to trust."""
        self.server.addresses = dict(addresses)
        listed = [f"{dc}={addresses[f'dc{dc}']}" for dc in DCS]
        media = f"{MEDIA}m={addresses[f'media{MEDIA}']}"
        return {
            "user_dc_addresses": ",".join((*listed, media, f"{CDN}c={addresses[f'cdn{CDN}']}")),
            "user_rsa_keys": self.server.public_key,
        }

    def _at(self, centre: Centre) -> Any:
        async def attend(connection: Connection) -> None:
            link = Link(centre, connection)
            self.links.add(link)
            try:
                await link.run()
            finally:
                self.links.discard(link)

        return attend

    def account(self, phone: str, name: str = "", **settings: Any) -> Person:
        """A new person. Raises `ValueError`."""
        return self.server.directory.add_person(phone, name or f"User {phone[-4:]}", **settings)

    # -- the control port ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes from a phone: `Customers.receive`. Raises `ValueError`."""
        return self.customers.receive(order)

    def push(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What a phone, its owner or the platform does, by the name in `do`. Raises `ValueError`."""
        return self.orders.obey(order)

    def sent(self) -> list[dict[str, Any]]:
        """The messages that clients sent, oldest first."""
        return self.customers.sent()

    def restore(self) -> None:
        super().restore()
        self.server.noise.clear()

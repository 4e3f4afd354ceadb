"""Orders of the control port: what users do on their phones, and what the platform does to web clients."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from unifyport.protocols.zalo_frames import Command, Encrypt, Frame

from ...order_shapes import text_of
from .listener import Listener
from .world import Refused, Session

if TYPE_CHECKING:
    from .platform import ZaloPersonalPlatform

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
IMEI = "6d7a6f10-1f77-4b7e-9a4e-0d4c3f4a1c55-0123456789abcdef0123456789abcdef"
Order = Callable[[dict[str, Any]], dict[str, Any] | None]


class Orders:
    """Obeys orders by the name in their field `do`."""

    def __init__(self, platform: "ZaloPersonalPlatform") -> None:
        self._platform = platform
        self._world = platform.world
        self._users = platform.users
        self._known: dict[str, Order] = {
            "account": self._account,
            "scan": self._scan,
            "confirm": lambda order: platform.qr_codes.decide(text_of(order, "qr"), "confirmed"),
            "decline": lambda order: platform.qr_codes.decide(text_of(order, "qr"), "declined"),
            "expire": lambda order: platform.qr_codes.expire(text_of(order, "qr")),
            "export": self._export,
            "end_session": self._end_session,
            "renew": self._renew,
            "kick": self._kick,
            "silent": self._silent,
            "deaf": self._deaf,
            "break": self._break,
            "manner": self._manner,
            "frame": self._frame,
            "repeat": self._repeat,
            "file_done": self._file_done,
            "server_info": self._server_info,
            "group": self._group,
            "join": self._join,
            "link": self._link,
            "ask_to_join": self._ask_to_join,
            "leave": self._leave,
            "rename": self._rename,
            "promote": self._promote,
            "typing": lambda order: platform.mail.typing(
                self._users.user(order, "from"), self._users.thread(order)
            ),
            "undo": self._undo,
            "react": self._react,
            "befriend": lambda order: platform.people.befriend(
                self._users.user(order, "from"), self._users.user(order, "to")
            ),
            "friend_request": self._friend_request,
        }

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Raises `ValueError` naming the wrong field."""
        act = self._known.get(str(order.get("do")))
        if act is None:
            raise ValueError(f"do: must be one of {', '.join(self._known)}")
        try:
            return act(order)
        except Refused as refused:
            raise ValueError(refused.message) from None

    # -- people ----------------------------------------------------------------------------------------------

    def _account(self, order: dict[str, Any]) -> dict[str, Any]:
        name, id_ = str(order.get("name", "Lan")), str(order.get("id", ""))
        return {"id": self._world.add_user(name, id_, str(order.get("phone", ""))).id}

    def _undo(self, order: dict[str, Any]) -> None:
        message = self._users.message(order)
        self._platform.mail.undo(message.sender, message)

    def _react(self, order: dict[str, Any]) -> None:
        """`{from, message_id, icon, type}`; type -1 takes it back."""
        type_ = int(order.get("type", 5))
        self._platform.mail.react(
            self._users.user(order, "from"),
            self._users.message(order),
            str(order.get("icon", "/-heart")),
            type_,
        )

    def _friend_request(self, order: dict[str, Any]) -> None:
        sender, to = self._users.user(order, "from"), self._users.user(order, "to")
        self._platform.people.ask(sender, to, str(order.get("text", "")))

    # -- groups ----------------------------------------------------------------------------------------------

    def _group(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{name, members}`, the owner first."""
        members = [self._users.user({"members": each}, "members") for each in order.get("members") or ()]
        if not members:
            raise ValueError("members: must name users, the owner first")
        group = self._world.add_group(text_of(order, "name"), members[0], members[1:])
        self._platform.groups.tell(group, "join", members[0], members[1:])
        return {"id": f"g{group.id}"}

    def _join(self, order: dict[str, Any]) -> None:
        group = self._users.group(order)
        self._platform.groups.add(group, [self._users.user(order)], group.owner)

    def _ask_to_join(self, order: dict[str, Any]) -> None:
        self._platform.groups.ask_to_join(self._users.group(order), self._users.user(order))

    def _leave(self, order: dict[str, Any]) -> None:
        """`by`: who removes the user, if not the user."""
        user = self._users.user(order)
        by = self._users.user(order, "by") if "by" in order else user
        self._platform.groups.remove(self._users.group(order), [user], by)

    def _link(self, order: dict[str, Any]) -> dict[str, Any]:
        """The group gets a link by which to join."""
        group = self._users.group(order)
        self._platform.groups.enable_link(group, group.owner)
        return {"link": group.link}

    def _rename(self, order: dict[str, Any]) -> None:
        group = self._users.group(order)
        self._platform.groups.rename(group, text_of(order, "name"), group.owner)

    def _promote(self, order: dict[str, Any]) -> None:
        group = self._users.group(order)
        admin = bool(order.get("admin", True))
        self._platform.groups.promote(group, [self._users.user(order)], group.owner, admin=admin)

    # -- logins and connections ------------------------------------------------------------------------------

    def _scan(self, order: dict[str, Any]) -> None:
        """`{qr, user}`; with `confirm`, the user also confirms."""
        self._platform.qr_codes.scan(text_of(order, "qr"), self._users.user(order))
        if order.get("confirm"):
            self._platform.qr_codes.decide(text_of(order, "qr"), "confirmed")

    def _export(self, order: dict[str, Any]) -> dict[str, Any]:
        """A new session, as a browser extension exports it. Another site's cookie is in it, too."""
        session = self._world.add_session(self._users.user(order), USER_AGENT, IMEI)
        cookies = [
            {"name": "zpsid", "value": f"z{session.user.id}", "domain": ".zalo.me", "path": "/"},
            {"name": "zpw_sek", "value": session.cookie, "domain": ".chat.zalo.me", "path": "/"},
            {"name": "other", "value": "1", "domain": ".example.com", "path": "/"},
        ]
        return {"imei": IMEI, "userAgent": USER_AGENT, "language": "vi", "cookie": cookies}

    def _sessions(self, order: dict[str, Any]) -> list[Session]:
        return list(self._users.user(order).sessions)

    def _listeners(self, order: dict[str, Any]) -> list[Listener]:
        found = [session.socket for session in self._sessions(order)]
        return [socket for socket in found if isinstance(socket, Listener)]

    def _end_session(self, order: dict[str, Any]) -> None:
        """The sessions' cookies are refused from now on; with `close`, sockets are closed with that code."""
        for session in self._sessions(order):
            session.ended = True
        if "close" in order:
            for listener in self._listeners(order):
                listener.close(int(order["close"]))

    def _renew(self, order: dict[str, Any]) -> None:
        for session in self._sessions(order):
            self._world.renew(session)

    def _kick(self, order: dict[str, Any]) -> None:
        """`code`: 3000 (told in a frame first) or any other."""
        code = int(order.get("code", 3000))
        for listener in self._listeners(order):
            if code == Command.OTHER_CONNECTION:
                listener.answer(Command.OTHER_CONNECTION, 0, {})
            listener.close(code)

    def _silent(self, order: dict[str, Any]) -> None:
        """Open sockets stay open, and nothing comes on them."""
        for listener in self._listeners(order):
            listener.silent = True

    def _deaf(self, order: dict[str, Any]) -> None:
        """Open sockets answer pings and questions, but have no news."""
        for listener in self._listeners(order):
            listener.deaf = True

    def _break(self, order: dict[str, Any]) -> None:
        for listener in self._listeners(order):
            listener.reset()

    def _manner(self, order: dict[str, Any]) -> None:
        """Of connections from now on: `modes` of `encrypt`, `gives_key`, `answers_pings`."""
        manner = self._platform.manner
        if "modes" in order:
            manner.modes = tuple(Encrypt(int(mode)) for mode in order["modes"])
        manner.gives_key = bool(order.get("gives_key", manner.gives_key))
        manner.answers_pings = bool(order.get("answers_pings", manner.answers_pings))

    def _frame(self, order: dict[str, Any]) -> None:
        """`{user, command, data | text | body}`: a payload, its JSON text, or the whole frame's text."""
        command, sub = int(order["command"]), int(order.get("sub_command", 0))
        for listener in self._listeners(order):
            if "body" in order:
                listener.push_frame(Frame(command, sub, str(order["body"]).encode()))
            elif "text" in order:
                listener.push_text(command, sub, str(order["text"]).encode())
            else:
                listener.answer(command, sub, order.get("data") or {})

    def _repeat(self, order: dict[str, Any]) -> None:
        """The next `count` messages are told `copies` times, with `new_ids` or the same."""
        repeats = self._platform.mail.repeats
        repeats.count, repeats.copies = int(order.get("count", 1)), int(order.get("copies", 3))
        repeats.new_ids = bool(order.get("new_ids", True))

    def _file_done(self, order: dict[str, Any]) -> None:
        """When uploads are told to be done: `seconds`, `early`, `never`."""
        done = self._platform.uploads.file_done
        done.seconds = float(order.get("seconds", 0.05))
        done.early, done.never = bool(order.get("early")), bool(order.get("never"))

    def _server_info(self, order: dict[str, Any]) -> None:
        """`ping_ms`, `chunk_bytes`: of logins from now on."""
        info = self._platform.login.server_info
        info.ping_ms = int(order.get("ping_ms", info.ping_ms))
        info.chunk_bytes = int(order.get("chunk_bytes", info.chunk_bytes))

"""What a client reads: histories, messages, dialogs, people, contacts, and the server's configuration."""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import contacts, help, messages, updates

from .directory import Channel, Chat, Person
from .errors import bad
from .peers import described, find, find_channel, find_person, peer, user
from .posts import Post

if TYPE_CHECKING:
    from .server import Call, Server

_PAGE = 100


class Lists:
    def __init__(self, server: "Server") -> None:
        self._server = server
        server.handlers |= {
            F.messages.GetHistoryRequest: self._history,
            F.messages.GetMessagesRequest: self._messages,
            F.channels.GetMessagesRequest: self._channel_messages,
            F.messages.GetDialogsRequest: self._dialogs,
            F.messages.GetPeerDialogsRequest: self._peer_dialogs,
            F.users.GetUsersRequest: self._users,
            F.contacts.GetContactsRequest: self._contacts,
            F.contacts.ResolvePhoneRequest: self._by_phone,
            F.contacts.ResolveUsernameRequest: self._by_name,
        }

    # -- messages --------------------------------------------------------------------------------------------

    def posts(self, person: Person, chat: Chat) -> list[Post]:
        """The messages of a chat, newest first."""
        found = chat.posts if isinstance(chat, Channel) else person.posts
        return [
            post
            for _, post in sorted(found.items(), reverse=True)
            if post.chat_for(person) is chat and not post.is_gone_for(person)
        ]

    def _history(self, call: "Call", query: Any) -> Any:
        person, chat = call.person, find(call, query.peer)
        if isinstance(chat, Channel) and person not in chat.members and chat.username is None:
            raise bad("CHANNEL_PRIVATE")
        return self._page(person, chat, self.posts(person, chat), query)

    def _page(self, person: Person, chat: Chat, found: list[Post], query: Any) -> Any:
        """https://core.telegram.org/api/offsets"""
        total = len(found)
        numbers = [post.number_for(person) for post in found]
        start = 0
        if query.offset_id:
            start = next((at for at, number in enumerate(numbers) if number < query.offset_id), total)
        limit = min(query.limit, _PAGE)
        begin = start + query.add_offset
        page = [post for at, post in enumerate(found) if max(0, begin) <= at < begin + limit]
        page = [
            post
            for post in page
            if (not query.max_id or post.number_for(person) < query.max_id)
            and post.number_for(person) > query.min_id
        ]
        return self._answer(person, chat, page, total)

    def _answer(self, person: Person, chat: Chat | None, page: list[Post], total: int) -> Any:
        shown = [post.see(person) for post in page]
        named = described(self._server, person, shown, [chat] if chat is not None else [])
        if isinstance(chat, Channel):
            return messages.ChannelMessages(pts=chat.box.pts, count=total, messages=shown, topics=[], **named)
        if len(page) == total:
            return messages.Messages(messages=shown, topics=[], **named)
        return messages.MessagesSlice(count=total, messages=shown, topics=[], **named)

    def _messages(self, call: "Call", query: Any) -> Any:
        return self._pick(call, None, call.person.posts, query.id)

    def _channel_messages(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        return self._pick(call, channel, channel.posts, query.id)

    def _pick(self, call: "Call", chat: Channel | None, posts: dict[int, Post], named: list[Any]) -> Any:
        person, shown = call.person, []
        for each in named:
            number = each if isinstance(each, int) else getattr(each, "id", 0)
            post = posts.get(number)
            if isinstance(each, T.InputMessageReplyTo) and post is not None:
                post = post.reply_to
            if post is None or post.is_gone_for(person):
                shown.append(T.MessageEmpty(number, None))
            else:
                shown.append(post.see(person))
        described_ = described(self._server, person, shown, [chat] if chat is not None else [])
        if chat is not None:
            return messages.ChannelMessages(
                pts=chat.box.pts, count=len(shown), messages=shown, topics=[], **described_
            )
        return messages.Messages(messages=shown, topics=[], **described_)

    # -- dialogs ---------------------------------------------------------------------------------------------

    def _dialogs(self, call: "Call", query: Any) -> Any:
        person = call.person
        rows = [
            (chat, self.posts(person, chat)) for chat, dialog in person.dialogs.items() if not dialog.hidden
        ]
        rows = [(chat, posts) for chat, posts in rows if posts]
        rows.sort(key=lambda row: (row[1][0].date, row[1][0].number_for(person)), reverse=True)
        if query.exclude_pinned:
            rows = [row for row in rows if not person.dialog(row[0]).pinned]
        total = len(rows)
        if not isinstance(query.offset_peer, T.InputPeerEmpty):
            after = find(call, query.offset_peer)
            at = next((at for at, row in enumerate(rows) if row[0] is after), -1)
            rows = rows[at + 1 :]
        page = rows[: min(query.limit or _PAGE, _PAGE)]
        last = [posts[0].see(person) for _, posts in page]
        listed = [self.dialog(person, chat, posts) for chat, posts in page]
        named = described(self._server, person, last, [chat for chat, _ in page])
        if len(page) == total:
            return messages.Dialogs(dialogs=listed, messages=last, **named)
        return messages.DialogsSlice(count=total, dialogs=listed, messages=last, **named)

    def _peer_dialogs(self, call: "Call", query: Any) -> Any:
        person = call.person
        chats = [find(call, each.peer) for each in query.peers if isinstance(each, T.InputDialogPeer)]
        rows = [(chat, self.posts(person, chat)) for chat in chats]
        return messages.PeerDialogs(
            dialogs=[self.dialog(person, chat, posts) for chat, posts in rows],
            messages=(shown := [posts[0].see(person) for _, posts in rows if posts]),
            state=updates.State(person.box.pts, 0, self._server.now, 1, 0),
            **described(self._server, person, shown, chats),
        )

    def dialog(self, person: Person, chat: Chat, posts: list[Post]) -> Any:
        known = person.dialog(chat)
        unread = sum(
            post.number_for(person) > known.read_inbox and post.sender is not person for post in posts
        )
        return T.Dialog(
            peer=peer(chat),
            top_message=posts[0].number_for(person) if posts else 0,
            read_inbox_max_id=known.read_inbox,
            read_outbox_max_id=known.read_outbox,
            unread_count=unread,
            unread_mentions_count=0,
            unread_reactions_count=0,
            unread_poll_votes_count=0,
            notify_settings=T.PeerNotifySettings(mute_until=known.mute_until or None),
            pinned=known.pinned or None,
            unread_mark=known.unread_mark or None,
            pts=chat.box.pts if isinstance(chat, Channel) else None,
        )

    # -- people ----------------------------------------------------------------------------------------------

    def _users(self, call: "Call", query: Any) -> Any:
        return [user(self._server, call.person, find_person(call, each)) for each in query.id]

    def _contacts(self, call: "Call", query: Any) -> Any:
        person = call.person
        listed = [T.Contact(each.id, mutual=person in each.contacts) for each in person.contacts]
        shown = [user(self._server, person, each) for each in person.contacts]
        return contacts.Contacts(contacts=listed, saved_count=0, users=shown)

    def _by_phone(self, call: "Call", query: Any) -> Any:
        found = self._server.directory.by_phone(query.phone)
        if found is None:
            raise bad("PHONE_NOT_OCCUPIED")
        return self._resolved(call, found)

    def _by_name(self, call: "Call", query: Any) -> Any:
        found = self._server.directory.by_username(query.username)
        if found is None:
            raise bad("USERNAME_NOT_OCCUPIED")
        return self._resolved(call, found)

    def _resolved(self, call: "Call", found: Chat) -> Any:
        return contacts.ResolvedPeer(peer=peer(found), **described(self._server, call.person, [], [found]))


class Configuration:
    """`help.*`, and calls that change nothing here."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        server.handlers |= {
            F.help.GetConfigRequest: self._config,
            F.help.GetNearestDcRequest: lambda call, query: T.NearestDc("SG", call.centre.dc, 2),
            F.help.GetAppConfigRequest: lambda call, query: help.AppConfig(0, T.JsonObject([])),
            F.account.UpdateStatusRequest: self._status,
        }

    def _status(self, call: "Call", query: Any) -> bool:
        return call.person is not None

    def _config(self, call: "Call", query: Any) -> Any:
        now = self._server.now
        return T.Config(
            date=now,
            expires=now + 3600,
            test_mode=False,
            this_dc=call.centre.dc,
            dc_options=self.options(),
            dc_txt_domain_name="",
            webfile_dc_id=2,
            me_url_prefix="https://t.me/",
            caption_length_max=1024,
            message_length_max=4096,
            **dict.fromkeys(_NUMBERS, 1000),
        )

    def options(self) -> list[Any]:
        """The addresses of all data centres. The name of a protocol is `dc2`, `media2`, `cdn203`."""
        made = []
        for name, address in self._server.addresses.items():
            host, _, port = address.rpartition(":")
            kind, number = name.rstrip("0123456789"), int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
            made.append(
                T.DcOption(
                    number,
                    host.strip("[]"),
                    int(port),
                    media_only=kind == "media" or None,
                    cdn=kind == "cdn" or None,
                    static=True,
                )
            )
        return made


_NUMBERS = """chat_size_max megagroup_size_max forwarded_count_max online_update_period_ms
    offline_blur_timeout_ms offline_idle_timeout_ms online_cloud_timeout_ms notify_cloud_delay_ms
    notify_default_delay_ms push_chat_period_ms push_chat_limit edit_time_limit revoke_time_limit
    revoke_pm_time_limit rating_e_decay stickers_recent_limit channels_read_media_period
    call_receive_timeout_ms call_ring_timeout_ms call_connect_timeout_ms call_packet_timeout_ms""".split()

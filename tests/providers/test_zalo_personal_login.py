"""The login of Zalo's web client: the steps of the QR code, the login info, and cookies from outside."""

import contextlib
import json
from http.cookiejar import CookieJar
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.zalo_frames import LoginCipher, SessionCipher
from unifyport.protocols.zalo_frames.signatures import is_signed
from unifyport.providers.contract.errors import ChannelError, Conflict, LoggedOut, Rejected, Transient
from unifyport.providers.contract.session import MAX_VALUE
from unifyport.providers.zalo.personal import calls, cookies, errors, login_info, login_steps

DEVICE = calls.Device("8a1b0d3e-1f5b-4b0e-9c4b-1d2f3a4b5c6d", "Mozilla/5.0 (X11)")
NOW, KEY = 1_780_790_400_000, bytes(range(16))
SECRET = "AAECAwQFBgcICQoLDA0ODw=="  # base64 of KEY


def answer(code: int = 0, data: Any = None, message: str = "") -> bytes:
    return json.dumps({"error_code": code, "error_message": message, "data": data}).encode()


# -- the QR code ---------------------------------------------------------------------------------------------


def test_requests_of_the_qr_login() -> None:
    first, second = login_steps.prepare_calls("5.5.9")
    assert (first.url, first.form) == (
        "https://id.zalo.me/account/logininfo",
        {"continue": "https://zalo.me/pc", "v": "5.5.9"},
    )
    assert second.form is not None
    assert second.form["type"] == "device"
    confirm = login_steps.confirm_call("5.5.9", "c1").form
    assert confirm is not None
    assert (confirm["code"], confirm["gAction"], confirm["gToken"]) == ("c1", "CONFIRM_QR", "")
    assert login_steps.scan_call("5.5.9", "c1").url.endswith("/account/authen/qr/waiting-scan")
    assert "c1" not in repr(login_steps.scan_call("5.5.9", "c1"))


def test_the_page_says_its_version() -> None:
    page = b'<script src="https://stc-zlogin.zdn.vn/main-5.5.9.js"></script>'
    assert login_steps.version_of(page) == "5.5.9"
    for other in (
        b"",
        b'src="https://evil.example/main-5.5.9.js"',
        b"https://stc-zlogin.zdn.vn/main-\r\n.js",
    ):
        with pytest.raises(Transient, match="login_page_unknown"):
            login_steps.version_of(other)


def test_a_qr_code_is_read_and_not_shown() -> None:
    qr = login_steps.qr_of(answer(data={"code": "c1", "token": "https://zalo.me/qr/c1", "image": "data:x"}))
    assert (qr.code, qr.text) == ("c1", "https://zalo.me/qr/c1")
    assert "c1" not in repr(qr)
    for data in (None, {}, {"code": "a b", "token": "x"}, {"code": "c1", "token": ""}, "text"):
        with pytest.raises(Transient, match="malformed_answer"):
            login_steps.qr_of(answer(data=data))


def test_who_has_scanned_it() -> None:
    assert login_steps.scan_of(answer(8)) is None
    scanned = login_steps.scan_of(answer(data={"display_name": "An", "avatar": "https://a.zdn.vn/1"}))
    assert scanned == login_steps.Scanned("An", "https://a.zdn.vn/1")
    assert login_steps.scan_of(answer(data={"avatar": "javascript:1"})) == login_steps.Scanned("", None)


def test_confirmed_declined_or_something_else() -> None:
    assert [login_steps.confirm_of(answer(code)) for code in (8, 0)] == [False, True]
    for code, reason in ((-13, "login_declined"), (7, "zalo_7")):
        with pytest.raises(Rejected, match=reason):
            login_steps.confirm_of(answer(code))
        with pytest.raises(Rejected, match=reason):
            login_steps.scan_of(answer(code))
    with pytest.raises(Rejected, match="zalo_8"):  # there is nothing to wait for
        login_steps.qr_of(answer(8))


def test_the_user_of_the_login() -> None:
    data = {"logged": True, "info": {"name": "An", "avatar": "https://a"}}
    assert login_steps.user_of(answer(data=data)) == ("An", "https://a")
    for odd in ("http://a", "https://a/" + "1" * 2048, 7):
        data["info"] = {"name": "An", "avatar": odd}
        assert login_steps.user_of(answer(data=data)) == ("An", ""), odd
    for other in (None, {"logged": False}, {"logged": "true"}):
        with pytest.raises(Rejected, match="login_refused"):
            login_steps.user_of(answer(data=other))


# -- the login info ------------------------------------------------------------------------------------------

INFO: dict[str, Any] = {
    "uid": "700000000000000001",
    "zpw_enk": SECRET,
    "zpw_ws": ["wss://ws1-msg.chat.zalo.me", "wss://evil.example", 5],
    "zpw_service_map_v3": {
        "chat": ["http://tt-chat2-wpa.chat.zalo.me", "https://tt-chat2-wpa.chat.zalo.me/"],
        "file": ["https://zalo.me.evil.example"],
        "odd": 5,
    },
    "send2me_id": "5",
}


def sealed(login: LoginCipher, data: Any, code: int = 0) -> bytes:
    return answer(data=login.cipher.seal(answer(code, data)))


def test_a_server_reads_the_request_for_the_login_info() -> None:
    call, login = login_info.info_call(DEVICE, NOW, "1a2b3c")
    query = dict(call.query)
    theirs = LoginCipher.received(query["zcid"], query["zcid_ext"])
    assert json.loads(theirs.cipher.open(query["params"]))["imei"] == DEVICE.imei
    names = ("zcid", "zcid_ext", "enc_ver", "params", "type", "client_version")
    assert is_signed("getlogininfo", {name: query[name] for name in names}, query["signkey"])
    assert theirs == login
    other = dict(login_info.limits_call(DEVICE).query)
    assert is_signed("getserverinfo", other, other.pop("signkey"))


def test_the_login_info() -> None:
    login = LoginCipher.new(30, DEVICE.imei, NOW, "1a2b3c")
    session = login_info.read_info(sealed(login, INFO), login, DEVICE)
    assert session.uid == "700000000000000001"
    assert session.services == {"chat": "https://tt-chat2-wpa.chat.zalo.me"}
    assert session.websockets == ("wss://ws1-msg.chat.zalo.me",)
    assert session.cipher == SessionCipher(KEY)
    call = session.call("chat", "/api/message/sms", {"clientId": 1})
    assert call.url == "https://tt-chat2-wpa.chat.zalo.me/api/message/sms"
    assert call.form is not None
    assert json.loads(session.cipher.open(call.form["params"])) == {"clientId": 1}
    get = session.call("chat", "/keepalive", {}, method="GET")
    assert (get.form, set(get.query)) == (None, {"params", "zpw_ver", "zpw_type"})
    with pytest.raises(Transient, match="service_missing"):
        session.call("file", "/x", {})


@pytest.mark.parametrize("name", ["uid", "zpw_enk", "zpw_ws", "zpw_service_map_v3"])
@pytest.mark.parametrize("value", [None, "", 1.5, [], {}, "x"])
def test_a_login_info_without_what_is_needed(name: str, value: Any) -> None:
    login = LoginCipher.new(30, DEVICE.imei, NOW, "1a2b3c")
    with pytest.raises(Transient, match="malformed_login_info"):
        login_info.read_info(sealed(login, {**INFO, name: value}), login, DEVICE)


def test_only_a_session_that_has_ended_is_logged_out() -> None:
    login = LoginCipher.new(30, DEVICE.imei, NOW, "1a2b3c")
    for code in (102, 600):
        for refused in (answer(code), sealed(login, None, code)):
            with pytest.raises(LoggedOut, match="session_expired"):
                login_info.read_info(refused, login, DEVICE)
    with pytest.raises(Transient, match="login_refused_5"):
        login_info.read_info(answer(5, message="try later"), login, DEVICE)
    with pytest.raises(Transient, match="login_refused_5"):
        login_info.read_limits(answer(5))
    for wrong in (b"", b"{}", b"[]", answer(data="?"), answer(data=5)):
        with pytest.raises(Transient, match="malformed_login_info"):
            login_info.read_info(wrong, login, DEVICE)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.zalo.me",
        "https://zalo.me.evil.example",
        "https://evilzalo.me",
        "https://user@a.zalo.me",
        "https://a.zalo.me:8443",
        "https://a.zalo.me/#x",
        "https://a.zalo.me/\r\nX: y",
        "https://[zalo.me",
        "",
        None,
        5,
    ],
)
def test_addresses_that_do_not_lead_to_zalo(url: Any) -> None:
    assert calls.allowed_url(url, ("https",)) == ""
    assert calls.allowed_url("https://A.zalo.me/x/", ("https",)) == "https://A.zalo.me/x"


def test_the_limits_of_the_server() -> None:
    features = {
        "socket": {
            "ping_interval": 60_000,
        },
        "sharefile": {
            "chunk_size_file": 3_145_728,
            "max_size_share_file_v3": 1024,
            "restricted_ext_file": ["EXE", 5],
        },
    }
    data = {"setttings": {"features": features, "keepalive": {"keepalive_duration": 60}}}
    for whole in (data, {"settings": data["setttings"]}):
        limits = login_info.read_limits(answer(data=whole))
        assert (limits.ping_seconds, limits.keep_alive_seconds) == (60.0, 60)
        assert (limits.chunk_bytes, limits.max_file_bytes) == (3_145_728, 1 << 30)
        assert limits.refused_extensions == frozenset({"exe"})
    assert login_info.read_limits(answer()) == login_info.Limits()
    odd = {"settings": {"features": {"socket": {"ping_interval": 1}, "sharefile": {"chunk_size_file": 0}}}}
    assert login_info.read_limits(answer(data=odd)).ping_seconds == 5.0


def test_answers_of_requests() -> None:
    cipher = SessionCipher(KEY)
    assert calls.read_answer(answer(data=cipher.seal(answer(data={"msgId": 5}))), cipher) == {"msgId": 5}
    assert calls.read_answer(answer(data=[1]), None) == [1]
    with pytest.raises(Rejected, match="not_a_member"):
        calls.read_answer(answer(data=cipher.seal(answer(165))), cipher)
    with pytest.raises(LoggedOut):
        calls.read_answer(answer(600), cipher)
    for wrong in (
        b"",
        answer(data="?"),
        answer(data=None),
        b'{"error_code": "x"}',
        answer(data=cipher.seal(b"x")),
    ):
        with pytest.raises(Transient, match="malformed_answer") as caught:
            calls.read_answer(wrong, cipher)
        assert caught.value.maybe_applied


def test_a_connection_that_was_replaced_is_a_conflict() -> None:
    for code in (3000, 3003):
        assert isinstance(errors.close_failure(code), Conflict)
    assert errors.close_failure(1006).reason == "socket_closed_1006"
    assert errors.close_failure(None).reason == "socket_closed"


@pytest.mark.parametrize(
    ("imei", "agent", "language"),
    [
        ("", "UA", "vi"),
        ("a" * 8 + "\n", "UA", "vi"),
        ("a" * 8, "UA\r\nX: y", "vi"),
        ("a" * 8, "é", "vi"),
        ("a" * 8, "U", "v"),
    ],
)
def test_a_device_has_nothing_that_could_end_a_header(imei: str, agent: str, language: str) -> None:
    with pytest.raises(ValueError, match="device"):
        calls.Device(imei, agent, language)


# -- cookies -------------------------------------------------------------------------------------------------

CHAT, ID = "https://chat.zalo.me/", "https://id.zalo.me/account"
SEK: dict[str, Any] = {
    "name": "zpw_sek",
    "value": "KfHl.1.a0.x_-9",
    "domain": ".chat.zalo.me",
    "path": "/",
    "hostOnly": False,
    "secure": True,
    "expirationDate": 4_102_444_800.5,
}
SID = {
    "key": "zpsid",
    "value": "s1",
    "domain": "zalo.me",
    "hostOnly": False,
    "expires": "2100-01-01T00:00:00Z",
}


def exported(*given: Any, **fields: Any) -> bytes:
    return json.dumps({"imei": DEVICE.imei, "userAgent": "UA", "cookie": list(given), **fields}).encode()


def names(jar: CookieJar) -> set[str]:
    return {cookie.name for cookie in jar}


def test_an_exported_session_is_taken_with_its_domains() -> None:
    for data in (exported(SEK, SID), exported(cookie={"url": CHAT, "cookies": [SEK, SID]})):
        found = cookies.read_export(data)
        assert found.device == calls.Device(DEVICE.imei, "UA", "vi")
        assert cookies.header(found.jar, CHAT) == "zpw_sek=KfHl.1.a0.x_-9; zpsid=s1"
        assert cookies.header(found.jar, ID) == "zpsid=s1"
        assert cookies.header(found.jar, "wss://ws1-msg.chat.zalo.me/?t=1").startswith("zpw_sek=")
        assert cookies.header(found.jar, "https://example.com/") == ""
        assert cookies.header(found.jar, "http://chat.zalo.me/") == ""
        assert "KfHl" not in repr(found)
    alone = cookies.read_export(exported({**SEK, "hostOnly": True}))
    assert cookies.header(alone.jar, "https://a.chat.zalo.me/") == ""


@pytest.mark.parametrize(
    "other",
    [
        {"name": "session"},
        {"domain": "example.com"},
        {"domain": "evilzalo.me"},
        {"domain": "zalo.me.evil.example"},
        {"domain": "me"},
        {"value": "a\r\nX: y"},
        {"value": "a; b=c"},
        {"value": 5},
        {"path": "x"},
        {"path": "/;a"},
        {"path": None},
    ],
)
def test_cookies_that_are_left_out(other: dict[str, Any]) -> None:
    jar = cookies.read_export(exported(SEK, {**SID, "name": "zpsid", **other}, None, 5)).jar
    assert names(jar) == {"zpw_sek"}


def test_an_exported_session_that_cannot_be_used_is_not_quoted() -> None:
    secret = "TOPSECRET"
    for data in (
        b"",
        b"[]",
        b"\xff",
        b"[" * 5000,
        exported(),
        exported({**SEK, "value": ""}),
        exported({**SEK, "value": secret + "\n"}),
        exported(SEK, imei=secret + "\n"),
        exported(SEK, imei=5),
        exported(SEK, userAgent=secret + "\r\n"),
        exported(SEK, language=secret),
        exported(*[SEK] * 101),
        exported(cookie=secret),
        b" " * (1024 * 1024) + exported(SEK),
    ):
        with pytest.raises(Rejected, match="invalid_session") as caught:
            cookies.read_export(data)
        assert secret not in caught.value.detail


def test_addresses_in_an_exported_session_are_ignored() -> None:
    found = cookies.read_export(
        exported(SEK, url="https://evil.example", proxy="http://evil.example", host="x")
    )
    assert "evil" not in json.dumps(msgspec.json.decode(cookies.stored(found.jar)))


def test_a_jar_is_kept_and_restored() -> None:
    jar = cookies.read_export(exported(SEK, SID, {**SEK, "domain": "zalo.me", "hostOnly": True})).jar
    again = cookies.restored(cookies.stored(jar))
    assert cookies.stored(again) == cookies.stored(jar)
    assert cookies.header(again, CHAT) == cookies.header(jar, CHAT)


def test_every_answer_may_renew_a_cookie() -> None:
    jar = cookies.new_jar()
    expires = "Expires=Wed, 18 Mar 2099 10:00:00 GMT"
    given = [f"zpsid=a; Domain=.zalo.me; Path=/; {expires}; Secure", f"_zlang=vn; Path=/; {expires}"]
    assert cookies.accept(jar, ID, given)
    assert cookies.header(jar, CHAT) == "zpsid=a"
    assert set(cookies.header(jar, ID).split("; ")) == {"zpsid=a", "_zlang=vn"}
    assert not cookies.accept(jar, ID, given)
    assert not cookies.accept(jar, ID, [])
    assert cookies.accept(jar, "https://wpa.chat.zalo.me/api", ["zpsid=b; Domain=zalo.me; Path=/"])
    assert cookies.header(jar, CHAT) == "zpsid=b"


def test_one_answer_sets_a_cookie_and_removes_that_of_another_domain() -> None:
    jar = cookies.read_export(exported({**SEK, "domain": "zalo.me"})).jar
    set_cookies = [
        "zpw_sek=new; Domain=chat.zalo.me; Path=/; Secure; HttpOnly",
        "zpw_sek=EXPIRED; Domain=.zalo.me; Path=/; Max-Age=0",
    ]
    assert cookies.accept(jar, "https://chat.zalo.me/index.html", set_cookies)
    assert cookies.header(jar, CHAT) == "zpw_sek=new"
    assert cookies.header(jar, ID) == ""


@pytest.mark.parametrize(
    "foreign",
    [
        "zpsid=x; Domain=chat.zalo.me; Path=/",
        "zpsid=x; Domain=example.com; Path=/",
        "zpsid=x; Domain=.me; Path=/",
        "zpsid=x\r\nSet-Cookie: a=b",
        "zpsid=" + "x" * 5000,
    ],
)
def test_cookies_of_another_site_are_refused(foreign: str) -> None:
    jar = cookies.new_jar()
    assert not cookies.accept(jar, ID, [foreign])
    assert names(jar) == set()


def test_a_jar_has_a_bound() -> None:
    jar = cookies.new_jar()
    for number in range(90):
        cookies.accept(jar, ID, [f"c{number}={'x' * 3900}; Domain=zalo.me; Path=/"])
    assert len(jar) == cookies.MAX_KEPT
    assert len(cookies.stored(jar)) < MAX_VALUE


# -- anything ------------------------------------------------------------------------------------------------

FIELDS = st.sampled_from(
    "error_code error_message data code token display_name avatar logged info uid zpw_enk zpw_ws settings"
    " zpw_service_map_v3 features socket retries ping_interval imei userAgent cookie cookies name value"
    " domain path expirationDate hostOnly".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["zpw_sek", "zalo.me", "https://a.zalo.me", SECRET, DEVICE.imei]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=25,
)
LOGIN = LoginCipher.new(30, DEVICE.imei, NOW, "1a2b3c")


@settings(max_examples=400, deadline=None)
@given(
    value=VALUES,
    code=st.sampled_from([0, 8, -13, 102, "0", 1.5, None]),
    changes=st.dictionaries(FIELDS, VALUES),
)
def test_any_answer_is_read_or_a_failure(value: Any, code: Any, changes: dict[str, Any]) -> None:
    plain = json.dumps({"error_code": code, "data": value, "error_message": value}).encode()
    inner = json.dumps({"error_code": code, "data": {**INFO, **changes}}).encode()
    for attempt in (
        lambda: login_steps.qr_of(plain),
        lambda: login_steps.scan_of(plain),
        lambda: login_steps.confirm_of(plain),
        lambda: login_steps.user_of(plain),
        lambda: login_info.read_limits(plain),
        lambda: login_info.read_info(plain, LOGIN, DEVICE),
        lambda: login_info.read_info(answer(data=LOGIN.cipher.seal(inner)), LOGIN, DEVICE),
        lambda: calls.read_answer(plain, SessionCipher(KEY)),
    ):
        with contextlib.suppress(ChannelError):
            attempt()


@settings(max_examples=300, deadline=None)
@given(value=VALUES, given_=st.lists(st.dictionaries(FIELDS, VALUES, max_size=7) | VALUES, max_size=4))
def test_any_export_is_read_or_refused(value: Any, given_: list[Any]) -> None:
    odd = [{**SEK, **each} if isinstance(each, dict) else each for each in given_]
    for data in (json.dumps(value).encode(), exported(*odd), exported(SEK, *odd, extra=value)):
        with contextlib.suppress(Rejected):
            found = cookies.read_export(data)
            line = cookies.header(found.jar, CHAT)
            assert line.isascii()
            assert not set(line) & {"\r", "\n"}
            record = cookies.stored(found.jar)
            assert cookies.stored(cookies.restored(record)) == record


@settings(max_examples=200, deadline=None)
@given(headers=st.lists(st.text(max_size=80), max_size=3))
def test_any_set_cookie_is_taken_or_left_out(headers: list[str]) -> None:
    jar = cookies.new_jar()
    cookies.accept(jar, ID, headers)
    assert not set(cookies.header(jar, ID)) & {"\r", "\n"}

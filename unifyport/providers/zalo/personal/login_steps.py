"""The login by QR code, step by step. Pure: requests out, answers in.

    step       request                          its answer
    --------   ------------------------------   ---------------------------------------------------------
    page       GET  /account                    HTML; the name of a script says the version of the page
    prepare    POST /account/logininfo          not looked at
               POST /account/verify-client      not looked at
    generate   POST /account/authen/qr/generate the code, and the text of the QR code; it lives 100 s
    scan       POST .../qr/waiting-scan         error 8: ask again; else who has scanned it
    confirm    POST .../qr/waiting-confirm      error 8: ask again; error -13: declined; 0: confirmed
    check      GET  /account/checksession       follows redirects to chat.zalo.me, which set the cookies
    user       GET  jr.chat.zalo.me/jr/userinfo whether it is logged in

Both waits are long polls. When the 100 s are over, all begins anew from `generate`: the new code is shown in
place of the old one. As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/loginQR.ts`).
"""

import re
from typing import Any, Final

import attrs

from unifyport.model.json_text import UNREADABLE, decode_object
from unifyport.providers.contract.errors import Rejected, Transient

from .calls import CHAT_URL, ID_URL, USER_URL, Call
from .errors import DECLINED, WAIT
from .shapes import number, text_of

QR_SECONDS: Final = 100.0
MAX_NAME: Final = 256  # characters
MAX_PICTURE: Final = 2048  # characters of its address
MAX_PAGE: Final = 2 * 1024 * 1024  # bytes
_PC: Final = "https://zalo.me/pc"
_VERSION = re.compile(rb"https://stc-zlogin\.zdn\.vn/main-([0-9.]{1,32})\.js")
_CODE = re.compile(r"[!-~]{1,512}")
_REFERER = f"{ID_URL}/account?continue=https%3A%2F%2Fchat.zalo.me%2F"
_PC_REFERER = f"{ID_URL}/account?continue=https%3A%2F%2Fzalo.me%2Fpc"


@attrs.frozen
class QrCode:
    """`code` names it in requests, `text` is what the phone reads: `token` of the answer, which also has the
    picture of it (https://2kvn.com/lam-chuc-nang-dang-nhap-bang-qr-code-giong-zalo-p5f39343830). Both are
    secrets while they live.
    """

    code: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)


@attrs.frozen
class Scanned:
    """Who has scanned the code and is asked by the app to confirm."""

    display_name: str
    picture_url: str | None


def page_call() -> Call:
    return Call("GET", f"{ID_URL}/account", {"continue": f"{CHAT_URL}/"})


def version_of(page: bytes) -> str:
    """The version of the login page. Raises `Transient` if the page has another form."""
    found = _VERSION.search(page[:MAX_PAGE])
    if found is None:
        raise Transient("login_page_unknown")
    return found[1].decode()


def prepare_calls(version: str) -> tuple[Call, Call]:
    return (
        _post("logininfo", {"continue": _PC, "v": version}, _PC_REFERER),
        _post("verify-client", {"type": "device", "continue": _PC, "v": version}, _PC_REFERER),
    )


def generate_call(version: str) -> Call:
    return _post("authen/qr/generate", {"continue": _PC, "v": version}, _PC_REFERER)


def qr_of(answer: bytes) -> QrCode:
    data = _granted(answer)
    code, text = text_of(data.get("code")), text_of(data.get("token"))
    if not _CODE.fullmatch(code) or not _CODE.fullmatch(text):
        raise Transient("malformed_answer")
    return QrCode(code, text)


def scan_call(version: str, code: str) -> Call:
    return _post("authen/qr/waiting-scan", {"code": code, "continue": f"{CHAT_URL}/", "v": version}, _REFERER)


def scan_of(answer: bytes) -> Scanned | None:
    """Who has scanned it; None: ask again."""
    data = _granted(answer, wait=True)
    if data is None:
        return None
    return Scanned(text_of(data.get("display_name"))[:MAX_NAME], picture_of(data.get("avatar")) or None)


def picture_of(value: Any) -> str:
    """The address of a picture; "" if it is none that can be shown."""
    address = text_of(value)
    return address if address.startswith("https://") and len(address) <= MAX_PICTURE else ""


def confirm_call(version: str, code: str) -> Call:
    form = {"code": code, "gToken": "", "gAction": "CONFIRM_QR", "continue": f"{CHAT_URL}/", "v": version}
    return _post("authen/qr/waiting-confirm", form, _REFERER)


def confirm_of(answer: bytes) -> bool:
    """Whether it is confirmed; False: ask again. Raises `Rejected("login_declined")`."""
    return _granted(answer, wait=True) is not None


def check_call() -> Call:
    return Call(
        "GET", f"{ID_URL}/account/checksession", {"continue": f"{CHAT_URL}/index.html"}, None, _REFERER
    )


def user_call() -> Call:
    return Call("GET", f"{USER_URL}/jr/userinfo")


def user_of(answer: bytes) -> tuple[str, str]:
    """Name and picture of the user. Raises `Rejected` if Zalo did not log in."""
    data = _granted(answer)
    if data.get("logged") is not True:
        raise Rejected("login_refused")
    info = data.get("info")
    info = info if isinstance(info, dict) else {}
    return text_of(info.get("name"))[:MAX_NAME], picture_of(info.get("avatar"))


def _post(path: str, form: dict[str, str], referer: str) -> Call:
    return Call("POST", f"{ID_URL}/account/{path}", {}, form, referer)


def _granted(answer: bytes, *, wait: bool = False) -> Any:
    """The object in `data`, an empty one for null; None if `wait` and Zalo says to ask again."""
    try:
        whole = decode_object(answer)
    except (*UNREADABLE, ValueError):
        raise Transient("malformed_answer") from None
    code, data = number(whole.get("error_code")), whole.get("data")
    if code is None:
        raise Transient("malformed_answer")
    if wait and code == WAIT:
        return None
    if code == DECLINED:
        raise Rejected("login_declined")
    if code:
        raise Rejected(f"zalo_{code}", text_of(whole.get("error_message"))[:512], code=code)
    if data is not None and not isinstance(data, dict):
        raise Transient("malformed_answer")
    return data or {}

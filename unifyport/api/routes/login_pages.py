"""Public pages of a login: `/oauth/callback`, and `/login/{name}` for a passkey.

A browser runs WebAuthn only for the site that it shows, so this page cannot ask for the passkey of another
one: it shows a script for the console of the platform's web site, and a field for what the script prints.
There is no script on the page itself, and its policy forbids any.
"""

import base64
import hashlib
import json
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import jinja2
import trio

from unifyport.gateway.errors import INVALID_REQUEST, UseCaseError
from unifyport.gateway.login_pages import LoginPageUseCases
from unifyport.links.login import CALLBACK_PATH
from unifyport.model.auth import MAX_PASSKEY_ANSWER, PasskeyPage

from ..http.messages import Headers, Request, Response
from ..http.paths import parse_query
from ..http.routing import PublicPage

MAX_FORM = 4 * MAX_PASSKEY_ANSWER  # bytes: each sign of JSON may be percent-encoded
FORM_SECONDS = 10.0
_FORM = "application/x-www-form-urlencoded"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "textarea{display:block;width:100%;box-sizing:border-box;margin:.5rem 0;font:13px/1.4 monospace}"
    "pre{overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}li{margin:.7rem 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "publickey-credentials-get=(), publickey-credentials-create=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SCRIPT = """(async () => {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(%s);
  const credential = await navigator.credentials.get({ publicKey: options });
  console.log(JSON.stringify(credential.toJSON()));
})();"""
_CALLBACK = ("Thank you", "You can close this page now and return to the app.")
_GIVEN = ("Thank you", "The result is on its way. You can close this page now and return to the app.")
_DEAD = ("No such page", "This page is not valid, or no more. Return to the app and begin the login again.")
_PASSKEY = "Log in with a passkey"
_BAD_RESULT = "That is not what the script prints: one JSON object of at most 16 KiB."


def pages(logins: LoginPageUseCases) -> tuple[PublicPage, ...]:
    return (
        PublicPage(CALLBACK_PATH, partial(_take_callback, logins)),
        PublicPage("/login/{name}", partial(_show_passkey, logins)),
        PublicPage("/login/{name}", partial(_take_result, logins), "POST"),
    )


async def _take_callback(logins: LoginPageUseCases, request: Request, _: dict[str, str]) -> Response:
    """The same page whatever came and whatever became of it."""
    await trio.lowlevel.checkpoint()
    if request.method == "GET":
        logins.take_callback(parse_query(request.query))
    return _page(HTTPStatus.OK, *_CALLBACK)


async def _show_passkey(logins: LoginPageUseCases, _: Request, path: dict[str, str]) -> Response:
    await trio.lowlevel.checkpoint()
    try:
        return _passkey_page(HTTPStatus.OK, logins.find_page(path["name"]))
    except UseCaseError:
        return _page(HTTPStatus.NOT_FOUND, *_DEAD)


async def _take_result(logins: LoginPageUseCases, request: Request, path: dict[str, str]) -> Response:
    """Raises `BodyTooLong`, `BodyTooSlow`."""
    name = path["name"]
    try:
        shown = logins.find_page(name)
        text = await _read_result(request)
        logins.take_result(name, text)
    except UseCaseError as error:
        if error.code == INVALID_REQUEST:
            return _passkey_page(HTTPStatus.BAD_REQUEST, shown, _BAD_RESULT)
        return _page(HTTPStatus.NOT_FOUND, *_DEAD)
    return _page(HTTPStatus.OK, *_GIVEN)


async def _read_result(request: Request) -> str:
    """The field of the form; empty for anything that is no form of ours."""
    body = await request.body.read(MAX_FORM, FORM_SECONDS)
    if request.headers.get("content-type").partition(";")[0].strip(" \t").lower() != _FORM:
        return ""
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=4)
    except ValueError:
        return ""
    return dict(fields).get("result", "")


def _passkey_page(status: HTTPStatus, shown: PasskeyPage, problem: str = "") -> Response:
    options = json.dumps(shown.public_key).replace("<", "\\u003c")  # ASCII: no sign that could end the script
    return _render(
        status,
        title=_PASSKEY,
        problem=problem,
        script=_SCRIPT % options,
        origin=shown.origin,
        challenge=shown.public_key.get("challenge", ""),
    )


def _page(status: HTTPStatus, title: str, text: str) -> Response:
    return _render(status, title=title, text=text, problem="", script=None)


def _render(status: HTTPStatus, **values: Any) -> Response:
    html = _TEMPLATE.render(style=_STYLE, **values)
    return Response(status, Headers(_HEADERS.items()), html.encode())


_TEMPLATE = jinja2.Environment(
    loader=jinja2.PackageLoader("unifyport.api"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("login.html")

"""`login`: a human logs an account in at the terminal, with the QR code drawn there."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import segno

from unifyport.model.auth import needs_confirmation

from .common import Api, console, fail, json_option, server_options
from .terminal import escaped, json_text

POLL_SECONDS = 1.0
ONLINE_SECONDS = 60.0
_ASKED = {"awaiting_code": "code", "awaiting_password": "password"}
_START = {"qrcode": "qr/start"}
_BEGIN_AGAIN = ("code_expired", "invalid_code", "invalid_password", "qrcode_expired")
_TEXTS = {
    "pin": "compare, or type into the app",
    "verify_code": "type this into the app",
    "password_hint": "hint",
}


@click.command()
@click.argument("account")
@click.option(
    "--session-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An exported session.",
)
@click.option("--session-url", help="Where the exported session can be fetched, by https.")
@click.option("--pin", help="The PIN that it was exported with.")
@click.option("--code", is_flag=True, help="By a code that is typed on the phone; not by a QR code.")
@server_options
@json_option
def login(
    *,
    account: str,
    session_file: Path | None,
    session_url: str | None,
    pin: str | None,
    code: bool,
    config_path: Path,
    url: str | None,
    api_key: str | None,
    as_json: bool,
) -> None:
    """Log ACCOUNT (its id or name) in: show the QR code, the code or the page, ask for code, password and
    passcode, wait until it is online.

    --json prints each state as an object on a line; questions are asked as without it.
    """
    api = Api(config_path, url, api_key)
    found = api.account(account)
    path = f"/v1/accounts/{found['id']}"
    if code and found["auth_mode"] != "code":
        fail(f"this account logs in by {found['auth_mode']}: create it with auth_mode code and its phone", 2)
    if found["auth_mode"] == "session":
        session = _session(session_file, session_url)
        state = api("POST", f"{path}/auth/session", json={**session, **({"pin": pin} if pin else {})})
    else:
        state = api("POST", f"{path}/auth/{_START.get(found['auth_mode'], 'start')}")
    _Conversation(api, path, as_json=as_json).until_authorized(state)
    _wait_until_online(api, path)
    if not as_json:
        console.print(f"{escaped(found['name'])} is online")


def _session(file: Path | None, url: str | None) -> dict[str, str]:
    if (file is None) == (url is None):
        fail("this account takes an exported session: --session-file or --session-url", 2)
    return {"session_url": url} if url is not None else {"session": _read(file)}


def _read(file: Path | None) -> str:
    assert file is not None
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error}")
    try:
        return content.decode()
    except UnicodeDecodeError:  # a binary file, such as Telethon's
        return base64.b64encode(content).decode()


class _Conversation:
    """The dialog with the human at the terminal: shows each new state, and asks for code or password."""

    def __init__(self, api: Api, path: str, *, as_json: bool) -> None:
        self._api = api
        self._path = path
        self._as_json = as_json
        self._said: Any = None
        self._waited = False  # whether the login has waited for the human at least once

    def until_authorized(self, state: dict[str, Any]) -> None:
        """Run the dialog until the account is authorized. Exits with 1 if the login fails."""
        deadline = time.monotonic() + ONLINE_SECONDS
        while state["status"] != "authorized":
            self._say(state)
            if state["status"] == "failed":
                fail(f"the login failed: {why_failed(state)}")
            if state["status"] == "pending_auth" and (self._waited or time.monotonic() > deadline):
                fail("the login was given up" if self._waited else "the platform does not answer")
            self._waited |= state["status"] != "pending_auth"
            wanted = _ASKED.get(state["status"]) if state.get("auth_fields") else None
            if wanted is not None:
                body = self._ask(wanted, state.get("auth_payload", {}))
                state = self._api("POST", f"{self._path}/auth/{wanted}", json=body)
            else:
                time.sleep(POLL_SECONDS)
                state = self._api("GET", f"{self._path}/auth")
        self._say(state)

    def _ask(self, wanted: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The body of the step. Exits with 1 if the human does not want to use one of the last guesses."""
        more: dict[str, Any] = {}
        guesses = payload.get("ask_passcode", {}).get("guesses_left")
        if guesses is not None and needs_confirmation(guesses):
            question = f"{guesses} guesses are left before the platform locks. Use one?"
            if not click.confirm(question, err=True):
                fail("the login was given up; no guess was used")
            more = {"confirm_last_guesses": True}
        name = wanted if guesses is None else "passcode"
        return {wanted: click.prompt(name, hide_input=wanted == "password", err=True), **more}

    def _say(self, state: dict[str, Any]) -> None:
        payload = state.get("auth_payload", {})
        what = (state["status"], payload.get("sequence"), state.get("last_error"))
        if what == self._said:
            return
        self._said = what
        if self._as_json:
            click.echo(json_text(state))
            return
        if "qr_code" in payload and "pin" not in payload:
            click.echo(drawn(payload["qr_code"]))
        for line in lines_of(payload):
            console.print(line)
        if "last_error" in state and state["status"] != "failed":
            console.print(f"[yellow]{escaped(state['last_error'])}[/yellow]")


def lines_of(payload: dict[str, Any]) -> Iterator[str]:
    """What the human must know or do, as `rich` prints it."""
    if "qr_code" in payload and "pin" not in payload:
        yield f"scan this with the app (or open {escaped(payload.get('url', ''))})"
    for key, text in _TEXTS.items():
        if key in payload:
            yield f"{text}: [bold]{escaped(payload[key])}[/bold]"
    if (user := payload.get("confirm_on_phone")) is not None:
        yield f"confirm the login in the app, as [bold]{escaped(user['display_name'])}[/bold]"
    if (delivery := payload.get("code_delivery")) is not None:
        yield _sent_code(delivery)
    if (passcode := payload.get("ask_passcode")) is not None:
        yield f"guesses left: [bold]{passcode['guesses_left']}[/bold]"
    if "page_url" in payload:
        why = "log in with your passkey" if "passkey" in payload else "give your consent"
        yield f"open this page to {why}: {escaped(payload['page_url'])}"


def _sent_code(delivery: dict[str, Any]) -> str:
    """Where the code is, and what to do if it does not come."""
    length = f", {delivery['length']} characters" if "length" in delivery else ""
    told = f"the platform has sent a code ({escaped(delivery['type'])}{length})"
    if delivery["type"] == "app":
        told += ": look into the app on a device that is logged in"
    if "timeout" in delivery:
        following = f"; the next way is {escaped(delivery['next_type'])}" if "next_type" in delivery else ""
        told += f". Wait {delivery['timeout']} s for it; then press Ctrl-C and log in again{following}"
    return told


def why_failed(state: dict[str, Any]) -> str:
    """Why a login failed, and what helps."""
    payload, error = state.get("auth_payload", {}), state.get("last_error", "no reason is known")
    told = str(error)
    if detail := payload.get("detail"):
        told += f" ({detail})"
    if retry_at := payload.get("retry_at"):
        told += f"; the platform allows it again at {retry_at}"
    elif error in _BEGIN_AGAIN:
        told += "; log in again"
    return told


def drawn(code: str) -> str:
    """A QR code drawn with half blocks, two rows per line."""
    text = io.StringIO()
    segno.make(code, error="l", micro=False).terminal(out=text, compact=True)
    return text.getvalue()


def _wait_until_online(api: Api, path: str) -> None:
    deadline = time.monotonic() + ONLINE_SECONDS
    while (found := api("GET", path))["runtime_status"] != "running":
        if time.monotonic() > deadline:
            fail(f"logged in, but not online after {ONLINE_SECONDS:.0f} s: {found['runtime_status']}")
        time.sleep(POLL_SECONDS / 4)

"""The dialog of one login: what it shows and asks, each step durable before anyone is told of it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from unifyport.model import auth
from unifyport.model.auth import LoginStep, PasskeyPage, Wanted
from unifyport.model.pkce import challenge_of, new_verifier
from unifyport.model.texts import is_one_line, one_line
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.login import CodeDelivery, Consent, ConsentRequest

from .login_parts import Host, Progress, Step, StepDeadline
from .question import NotAsked, Question
from .status import auth_required

SHOWN_SECONDS = 300.0  # a QR code with all that follow it, a code that is shown, a tap in the app
ASKED_SECONDS = 600.0  # the answer to a question
FIRST_STEP_SECONDS = 60.0  # until something is shown or asked, and for importing a session
MAX_PAYLOAD = 64 * 1024  # bytes of what a step shows, as JSON
MAX_URL = 8192  # characters
MAX_TEXT = 256  # characters of a name or a hint
PUBLIC_URL_MISSING = "public_url_missing"
_TOKEN_BYTES = 16  # of the address of a page

_LATE = {
    LoginStep.QR: "qrcode_expired",
    LoginStep.PIN: "qrcode_expired",
    LoginStep.CONFIRM_ON_PHONE: "confirm_timeout",
    LoginStep.SHOW_CODE: "code_expired",
    LoginStep.ASK_CODE: "code_expired",
    LoginStep.PASSKEY: "passkey_timeout",
    LoginStep.CONSENT: "consent_timeout",
    LoginStep.ASK_PASSWORD: "password_timeout",
    LoginStep.ASK_PASSCODE: "passcode_timeout",
}  # why the login fails when the human does nothing


class LoginDialog:
    """Implements `providers.contract.login.Dialog`. `login`: the number of the credentials."""

    def __init__(self, host: Host, login: int, progress: Progress, deadline: StepDeadline) -> None:
        self._host = host
        self._login = login
        self._progress = progress
        self._deadline = deadline
        self._question: Question | None = None

    # -- answers --------------------------------------------------------------------------------------------

    def give(self, wanted: Wanted, value: str, *, confirmed: bool = False) -> None:
        """Answer the question. `confirmed`: one of the last guesses is meant.

        Raises `NotAsked`, `AnswerTooLong`, `NotConfirmed`.
        """
        self._asked().take(wanted, value, confirmed=confirmed)

    def give_callback(self, state: str, parameters: Mapping[str, str]) -> None:
        """The platform has sent the human back. Raises `NotAsked`, also for another state."""
        self._asked().take_callback(state, parameters)

    def find_page(self, token: str) -> PasskeyPage:
        """The page of the question that waits now. Raises `NotAsked` for any other token."""
        question = self._asked()
        if question.page is None or not question.reply.awaited or not question.has_key(token):
            raise NotAsked
        return question.page

    def close(self) -> None:
        """The login has ended: no answer is taken any more."""
        self._question = None

    def _asked(self) -> Question:
        if self._question is None:
            raise NotAsked
        return self._question

    # -- steps that show ------------------------------------------------------------------------------------

    async def show_qr(self, qr_code: str, lifetime: float) -> None:
        self._host.secrets.register(qr_code)
        await self._show(LoginStep.QR, {"qr_code": qr_code}, lifetime)

    async def show_pin(self, pin: str, lifetime: float) -> None:
        self._host.secrets.register(pin)
        shown = {name: value for name, value in self._host.row.auth_payload.items() if name == "qr_code"}
        await self._show(LoginStep.PIN, {**shown, "pin": pin}, lifetime)

    async def show_code(self, verify_code: str, lifetime: float) -> None:
        self._host.secrets.register(verify_code)
        await self._show(LoginStep.SHOW_CODE, {"verify_code": verify_code}, lifetime)

    async def confirm_on_phone(self, display_name: str, picture_url: str | None = None) -> None:
        user = {"display_name": one_line(display_name, MAX_TEXT)}
        if picture_url is not None and _is_page(picture_url):
            user["picture_url"] = picture_url
        await self._show(LoginStep.CONFIRM_ON_PHONE, {"confirm_on_phone": user}, SHOWN_SECONDS)

    async def _show(self, step: LoginStep, payload: dict[str, Any], lifetime: float) -> None:
        host = self._host
        sequence, expires_at = host.row.auth_sequence + 1, host.now_ms() + int(lifetime * 1000)
        if "qr_code" in payload:
            payload["url"] = host.qr_url(sequence, expires_at)
        await self._commit_step(step, payload, expires_at)
        self._deadline.renew_once(SHOWN_SECONDS, _LATE[step])

    # -- steps that ask -------------------------------------------------------------------------------------

    async def ask_code(self, refused: str | None = None, delivery: CodeDelivery | None = None) -> str:
        payload = {} if delivery is None else {"code_delivery": _shown(delivery)}
        return str(await self._ask(Question(step=LoginStep.ASK_CODE), payload, refused=refused))

    async def ask_password(self, hint: str | None = None) -> str:
        payload = {} if hint is None else {"password_hint": one_line(hint, MAX_TEXT)}
        return str(await self._ask(Question(step=LoginStep.ASK_PASSWORD), payload))

    async def ask_passcode(self, guesses_left: int) -> str:
        question = Question(step=LoginStep.ASK_PASSCODE, guesses_left=guesses_left)
        return str(await self._ask(question, {"ask_passcode": {"guesses_left": guesses_left}}))

    async def ask_passkey(self, origin: str, public_key: Mapping[str, Any]) -> str:
        if not (_is_page(origin) and origin.startswith("https://")):
            raise ValueError("the origin of a passkey must be an https URL")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        page_url = self._host.login_pages.page_url(self._host.row.id, token)
        for secret in (token, page_url, public_key.get("challenge")):
            self._host.secrets.register(secret)
        page = PasskeyPage(origin, dict(public_key))
        payload = {"passkey": attrs.asdict(page), "page_url": page_url}
        return str(await self._ask(Question(step=LoginStep.PASSKEY, key=token, page=page), payload))

    async def ask_consent(self, url: Callable[[ConsentRequest], str], scopes: Sequence[str]) -> Consent:
        pages = self._host.login_pages
        if pages.callback_url is None:
            raise Rejected(PUBLIC_URL_MISSING)
        state, verifier = pages.new_state(self._host.row.id, self._login), new_verifier()
        page_url = url(
            ConsentRequest(state=state, challenge=challenge_of(verifier), redirect_uri=pages.callback_url)
        )
        if not _is_page(page_url):
            raise ValueError("the address of the page of consent is no URL")
        for secret in (state, verifier, page_url):
            self._host.secrets.register(secret)
        payload = {"consent": {"scopes": list(scopes)}, "page_url": page_url}
        answer = await self._ask(Question(step=LoginStep.CONSENT, key=state), payload)
        return Consent(parameters=answer, verifier=verifier, redirect_uri=pages.callback_url)

    async def _ask(self, question: Question, payload: dict[str, Any], *, refused: str | None = None) -> Any:
        """The answer, of the kind that the step has. A page that is shown expires with the question."""
        late = _LATE[question.step]
        expires_at = self._host.now_ms() + int(ASKED_SECONDS * 1000) if question.key else None
        self._question = question
        await self._commit_step(question.step, payload, expires_at, last_error=refused)
        self._deadline.renew(ASKED_SECONDS, late)
        answer = await question.reply.wait()
        self._question = None
        self._deadline.begin(FIRST_STEP_SECONDS, "login_timeout")
        return answer

    async def _commit_step(
        self,
        step: LoginStep,
        payload: dict[str, Any],
        expires_at: int | None,
        *,
        last_error: str | None = None,
    ) -> None:
        if len(msgspec.json.encode(payload)) > MAX_PAYLOAD:
            raise ValueError(f"a step of a login shows more than {MAX_PAYLOAD} bytes")
        row = self._host.row
        sequence = row.auth_sequence + 1
        changes: dict[str, Any] = {
            "auth_status": auth.next_status(row.auth_status, step),
            "auth_sequence": sequence,
            "auth_payload": {**payload, "sequence": sequence} if payload else {},
            "auth_expires_at": expires_at,
            "last_error": last_error,
            "terminal": None,
        }
        announcements = auth_required(
            attrs.evolve(row, **changes), self._host.runtime_status, self._host.now_ms()
        )
        await self._host.commit_login(Step(self._login, changes, announcements))
        self._progress.advance()


def _is_page(url: str) -> bool:
    """Whether a browser may be sent to `url`: a web page, and no script."""
    return url.startswith(("https://", "http://")) and len(url) <= MAX_URL and is_one_line(url)


def _shown(delivery: CodeDelivery) -> dict[str, Any]:
    """What the platform has said of the delivery."""
    said = {name: value for name, value in attrs.asdict(delivery).items() if value is not None}
    return {
        name: one_line(value, MAX_TEXT) if isinstance(value, str) else value for name, value in said.items()
    }

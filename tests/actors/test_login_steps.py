"""Each step of a login on a mock clock: what it shows, how it is answered, and how long it waits."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.account.dialog import MAX_PAYLOAD
from actors.account.login import Login
from actors.account.login_changes import shown_of_failure
from actors.account.question import AnswerTooLong, NotAsked, NotConfirmed
from actors.account.services import LoginPages
from tests.actors.login_world import DONE, ScriptedHost, finished
from unifyport.model import auth
from unifyport.model.auth import Wanted
from unifyport.model.pkce import challenge_of
from unifyport.process.redaction import redact
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import (
    Authorization,
    CodeDelivery,
    Consent,
    ConsentRequest,
    Dialog,
    WrongPasscode,
)

CALLBACK = "https://gateway.example/oauth/callback"
ORIGIN = "https://web.whatsapp.com"
PUBLIC_KEY = {"challenge": "Y2hhbGxlbmdlLW9mLXRoZS1wbGF0Zm9ybQ", "rpId": "whatsapp.com"}


def address(request: ConsentRequest) -> str:
    return (
        f"https://platform.example/authorize?state={request.state}&code_challenge={request.challenge}"
        f"&redirect_uri={request.redirect_uri}"
    )


Ask = Callable[[Dialog], Awaitable[Any]]
QUESTIONS: dict[str, tuple[Ask, str, str]] = {  # what it asks, its status, why it fails in the end
    "code": (lambda d: d.ask_code(), "awaiting_code", "code_expired"),
    "passkey": (lambda d: d.ask_passkey(ORIGIN, PUBLIC_KEY), "awaiting_code", "passkey_timeout"),
    "consent": (lambda d: d.ask_consent(address, ["read"]), "awaiting_code", "consent_timeout"),
    "password": (lambda d: d.ask_password(), "awaiting_password", "password_timeout"),
    "passcode": (lambda d: d.ask_passcode(9), "awaiting_password", "passcode_timeout"),
}


class Asked:
    """A login that waits for an answer, and the answer that its connector got."""

    def __init__(self, ask: Ask) -> None:
        self.answer: Any = None

        async def script(dialog: Dialog) -> Authorization:
            self.answer = await ask(dialog)
            return DONE

        self.host = ScriptedHost(script)
        self.host.login_pages = LoginPages(callback_url=CALLBACK)
        self.login = Login(self.host)

    @property
    def payload(self) -> dict[str, Any]:
        return self.host.row.auth_payload

    async def wait(self, nursery: trio.Nursery) -> "Asked":
        nursery.start_soon(self.login.run)
        await self.login.wait_for_step(0)
        await wait_all_tasks_blocked()
        return self


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_waits_ten_minutes(autojump_clock: MockClock, question: str) -> None:
    ask, status, late = QUESTIONS[question]
    asked = Asked(ask)
    _, took = await finished(asked.host)
    assert took == pytest.approx(600)
    assert asked.host.statuses == [status, "failed"]
    assert (asked.host.row.last_error, asked.host.row.auth_payload) == (late, {})
    assert asked.answer is None


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_over_when_its_login_is_given_up(
    autojump_clock: MockClock, question: str
) -> None:
    asked = Asked(QUESTIONS[question][0])
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        await asked.login.abandon_and_wait()
    for wanted in Wanted:
        with pytest.raises(NotAsked):
            asked.login.give(wanted, "1")
    assert asked.answer is None
    assert asked.host.made.closed == 1


async def test_an_answer_that_comes_in_the_moment_of_a_cancellation_is_not_taken(
    autojump_clock: MockClock,
) -> None:
    for ends in ("the login", "the question"):
        scope = trio.CancelScope()

        async def ask(dialog: Dialog, scope: trio.CancelScope = scope) -> Any:
            with scope:  # the connector has learnt that the question is void
                return await dialog.ask_password()
            raise Rejected("void")

        asked = Asked(ask)
        async with trio.open_nursery() as nursery:
            await asked.wait(nursery)
            if ends == "the login":
                asked.login.abandon()
            else:
                scope.cancel()
            with pytest.raises(NotAsked):  # before any other task has run
                asked.login.give(Wanted.PASSWORD, "secret")
            await wait_all_tasks_blocked()
            with pytest.raises(NotAsked):
                asked.login.give(Wanted.PASSWORD, "secret")
        assert asked.answer is None


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_takes_only_its_own_kind_of_answer(autojump_clock: MockClock, question: str) -> None:
    asked = Asked(QUESTIONS[question][0])
    own = {"code": Wanted.CODE, "passkey": Wanted.CODE, "consent": None}.get(question, Wanted.PASSWORD)
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        for wanted in set(Wanted) - {own}:
            with pytest.raises(NotAsked):
                asked.login.give(wanted, "1")
        if question != "consent":
            with pytest.raises(NotAsked):
                asked.login.give_callback("", {"code": "1"})
        await asked.login.abandon_and_wait()


async def test_how_a_code_was_delivered_and_what_a_password_is_like(autojump_clock: MockClock) -> None:
    delivery = CodeDelivery(type="app", length=5, next_type="sms", timeout=60)

    async def script(dialog: Dialog) -> Authorization:
        await dialog.ask_code(delivery=delivery)
        await dialog.ask_code("invalid_code", CodeDelivery(type="sms"))
        await dialog.ask_password("the dog")
        return DONE

    host = ScriptedHost(script)
    login = Login(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login.run)
        for steps, wanted in enumerate((Wanted.CODE, Wanted.CODE, Wanted.PASSWORD)):
            await login.wait_for_step(steps)
            login.give(wanted, "1")
    first, second, third, _ = (step.changes for step in host.steps)
    assert first["auth_payload"]["code_delivery"] == attrs.asdict(delivery)
    assert second["auth_payload"]["code_delivery"] == {"type": "sms"}
    assert second["last_error"] == "invalid_code"
    assert third["auth_payload"]["password_hint"] == "the dog"
    fields = [step.announcements[0].data["auth_fields"][0]["type"] for step in host.steps[:3]]
    assert fields == ["code", "code", "password"]


async def test_a_tap_in_the_app_is_waited_for_five_minutes_after_the_qr_code(
    autojump_clock: MockClock,
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_qr("x", 20)
        await trio.sleep(100)
        while True:
            await dialog.confirm_on_phone("Mei", "https://pictures.example/1.png")
            await trio.sleep(30)

    host = ScriptedHost(script)
    _, took = await finished(host)
    assert took == pytest.approx(400)  # showing it again does not extend the time
    assert host.row.last_error == "confirm_timeout"
    payload = host.steps[1].changes["auth_payload"]
    shown = {"display_name": "Mei", "picture_url": "https://pictures.example/1.png"}
    assert payload == {"confirm_on_phone": shown, "sequence": 2}
    assert host.statuses[1] == "awaiting_qr_scan"


async def test_a_picture_that_is_no_web_address_is_left_out(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.confirm_on_phone("Mei", "javascript:alert(1)")
        return DONE

    host = ScriptedHost(script)
    await finished(host)
    assert host.steps[0].changes["auth_payload"]["confirm_on_phone"] == {"display_name": "Mei"}


async def test_what_a_platform_says_cannot_control_a_terminal(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.confirm_on_phone("Mei\x1b[2J\r\n" + "x" * 1000)
        await dialog.ask_password("the\x07 dog\u2028")
        raise AssertionError

    host = ScriptedHost(script)
    await finished(host)
    name, hint = (step.changes["auth_payload"] for step in host.steps[:2])
    assert name["confirm_on_phone"]["display_name"] == "Mei[2J" + "x" * 250
    assert hint["password_hint"] == "the dog"


# -- passcodes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("guesses", "needs_word"), [(4, False), (3, True), (1, True)])
async def test_one_of_the_last_guesses_needs_a_word(
    autojump_clock: MockClock, guesses: int, needs_word: bool
) -> None:
    asked = Asked(lambda dialog: dialog.ask_passcode(guesses))
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        assert asked.payload["ask_passcode"] == {"guesses_left": guesses}
        if needs_word:
            with pytest.raises(NotConfirmed):
                asked.login.give(Wanted.PASSWORD, "0000")
            await wait_all_tasks_blocked()
            assert asked.answer is None
        asked.login.give(Wanted.PASSWORD, "1234", confirmed=needs_word)
    assert asked.answer == "1234"


async def test_a_wrong_passcode_ends_it_and_says_how_many_are_left(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.ask_passcode(5)
        raise WrongPasscode(4)

    host = ScriptedHost(script)
    login = Login(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login.run)
        await login.wait_for_step(0)
        login.give(Wanted.PASSWORD, "0000")
    assert (host.row.last_error, host.row.auth_payload) == ("invalid_passcode", {"guesses_left": 4})
    [event] = host.steps[-1].announcements
    assert (event.data["last_error"], event.data["guesses_left"]) == ("invalid_passcode", 4)


async def test_the_sentence_of_a_refusal_is_shown(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        raise Rejected("another_phone", "the code was typed on the phone of another number\n" + "x" * 500)

    host = ScriptedHost(script)
    await finished(host)
    assert host.row.last_error == "another_phone"
    detail = host.row.auth_payload["detail"]
    assert detail.startswith("the code was typed on the phone of another number")
    assert "\n" not in detail
    assert len(detail) <= 256
    assert host.steps[-1].announcements[0].data["last_error"] == "another_phone"


def test_only_the_sentence_of_a_refusal_is_shown() -> None:
    assert shown_of_failure(ValueError("it contains 'a secret'")) == {}
    assert shown_of_failure(Transient("lost", cause="it contains 'a secret'")) == {}


# -- passkeys ------------------------------------------------------------------------------------------------


async def test_a_passkey_and_its_page(autojump_clock: MockClock) -> None:
    asked = Asked(lambda dialog: dialog.ask_passkey(ORIGIN, PUBLIC_KEY))
    result = json.dumps({"id": "x" * (auth.MAX_PASSKEY_ANSWER - 10)})
    assert len(result) == auth.MAX_PASSKEY_ANSWER
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        assert asked.payload["passkey"] == {"origin": ORIGIN, "public_key": PUBLIC_KEY}
        assert "url" not in asked.payload
        assert asked.host.row.auth_expires_at == 600_000
        token = asked.payload["page_url"].rpartition(".")[2]
        assert len(token) >= 22  # 128 bits
        assert asked.login.find_page(token).public_key == PUBLIC_KEY
        for other in ("", "é", token[:-1], token + "A"):
            with pytest.raises(NotAsked):
                asked.login.find_page(other)
        assert token not in redact(f"GET {asked.payload['page_url']}")
        with pytest.raises(AnswerTooLong):
            asked.login.give(Wanted.CODE, result + " ")
        asked.login.give(Wanted.CODE, result)
        with pytest.raises(NotAsked):
            asked.login.find_page(token)
    assert asked.answer == result
    with pytest.raises(NotAsked):
        asked.login.find_page(token)


async def test_only_a_passkey_has_a_long_answer(autojump_clock: MockClock) -> None:
    for question in ("code", "password", "passcode"):
        asked = Asked(QUESTIONS[question][0])
        wanted = Wanted.CODE if question == "code" else Wanted.PASSWORD
        async with trio.open_nursery() as nursery:
            await asked.wait(nursery)
            with pytest.raises(AnswerTooLong):
                asked.login.give(wanted, "1" * 257)
            asked.login.give(wanted, "1" * 256)
        assert asked.answer == "1" * 256


@pytest.mark.parametrize("origin", ["http://web.whatsapp.com", "javascript:alert(1)", "https://x\n.example"])
async def test_an_origin_that_is_no_https_site_is_a_bug(autojump_clock: MockClock, origin: str) -> None:
    asked = Asked(lambda dialog: dialog.ask_passkey(origin, PUBLIC_KEY))
    await finished(asked.host)
    assert asked.host.row.last_error == "internal_error"


async def test_what_a_step_shows_is_bounded(autojump_clock: MockClock) -> None:
    asked = Asked(lambda dialog: dialog.ask_passkey(ORIGIN, {"challenge": "x" * MAX_PAYLOAD}))
    await finished(asked.host)
    assert asked.host.statuses == ["failed"]
    assert asked.host.row.last_error == "internal_error"


# -- consent -------------------------------------------------------------------------------------------------


async def test_consent_comes_back_by_its_own_state_and_once(autojump_clock: MockClock) -> None:
    requests: list[ConsentRequest] = []

    def remembered(request: ConsentRequest) -> str:
        requests.append(request)
        return address(request)

    asked = Asked(lambda dialog: dialog.ask_consent(remembered, ["read", "write"]))
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        [request] = requests
        assert request.redirect_uri == CALLBACK
        assert asked.payload["consent"] == {"scopes": ["read", "write"]}
        assert asked.payload["page_url"] == address(request)
        assert "url" not in asked.payload
        assert "auth_fields" not in asked.host.steps[0].announcements[0].data
        for state in ("", "é", request.state[:-1], request.state + "A"):
            with pytest.raises(NotAsked):
                asked.login.give_callback(state, {"code": "of another"})
        asked.login.give_callback(request.state, {"code": "4/abc"})
        with pytest.raises(NotAsked):  # two at once: the first one counts
            asked.login.give_callback(request.state, {"code": "of another"})
        assert request.state not in redact(asked.payload["page_url"])
    consent = asked.answer
    assert isinstance(consent, Consent)
    assert (consent.parameters, consent.redirect_uri) == ({"code": "4/abc"}, CALLBACK)
    assert challenge_of(consent.verifier) == request.challenge
    assert consent.code() == "4/abc"


async def test_each_consent_has_its_own_state_and_verifier(autojump_clock: MockClock) -> None:
    requests: list[ConsentRequest] = []

    def remembered(request: ConsentRequest) -> str:
        requests.append(request)
        return address(request)

    async def twice(dialog: Dialog) -> None:
        for _ in range(2):
            await dialog.ask_consent(remembered, [])

    asked = Asked(twice)
    async with trio.open_nursery() as nursery:
        await asked.wait(nursery)
        asked.login.give_callback(requests[0].state, {"error": "access_denied"})
        await asked.login.wait_for_step(1)
        with pytest.raises(NotAsked):
            asked.login.give_callback(requests[0].state, {"code": "1"})
        asked.login.give_callback(requests[1].state, {"code": "1"})
    assert requests[0].state != requests[1].state
    assert requests[0].challenge != requests[1].challenge


async def test_without_a_public_url_nothing_is_shown(autojump_clock: MockClock) -> None:
    asked = Asked(lambda dialog: dialog.ask_consent(address, []))
    asked.host.login_pages = LoginPages()
    await finished(asked.host)
    assert asked.host.statuses == ["failed"]
    assert asked.host.row.last_error == "public_url_missing"


async def test_a_page_of_consent_that_is_a_script_is_not_shown(autojump_clock: MockClock) -> None:
    asked = Asked(lambda dialog: dialog.ask_consent(lambda request: "javascript:alert(1)", []))
    await finished(asked.host)
    assert asked.host.statuses == ["failed"]

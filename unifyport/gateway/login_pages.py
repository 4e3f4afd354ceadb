"""Use cases of a login's public pages: what a browser brings to the callback of OAuth and to a passkey page.

A visitor has no API key. A state or a token is the whole right, ends with its question, and is used once.
"""

from collections.abc import Mapping

import attrs
import msgspec

from actors.account.actor import AccountActor
from actors.account.login import Login
from actors.account.question import AnswerTooLong, NotAsked
from actors.accounts import Accounts
from unifyport.links.login import LoginLinks, NoLogin
from unifyport.model.auth import MAX_PASSKEY_ANSWER, PasskeyPage, Wanted
from unifyport.model.json_text import UNREADABLE

from .errors import invalid, not_found

MAX_PARAMETERS = 32
MAX_PARAMETER = 4096  # characters of a name or a value


@attrs.frozen
class LoginPageUseCases:
    _accounts: Accounts
    _links: LoginLinks

    def take_callback(self, parameters: Mapping[str, str]) -> None:
        """Give the platform's answer to the login whose state it brings; anything else has no effect.

        Secrets of a stranger are not registered: he could have words of his choice blanked in the log.
        """
        if len(parameters) > MAX_PARAMETERS or any(
            len(text) > MAX_PARAMETER for pair in parameters.items() for text in pair
        ):
            return
        given = {name: value for name, value in parameters.items() if name != "state"}
        try:
            account_id, number = self._links.read_state(parameters.get("state", ""))
            actor, login = self._login_of(account_id)
            if login.number == number:
                login.give_callback(parameters["state"], given)
                actor.secrets.register(given.get("code"))
        except (NoLogin, NotAsked):
            return

    def find_page(self, name: str) -> PasskeyPage:
        """What the page `{account id}.{token}` shows. Raises `UseCaseError` (`not_found`) when it is dead."""
        account_id, _, token = name.partition(".")
        try:
            return self._login_of(account_id)[1].find_page(token)
        except NotAsked:
            raise not_found("page, or no more") from None

    def take_result(self, name: str, text: str) -> None:
        """Give the result of a passkey, a JSON object, which a human has pasted. Raises `UseCaseError`."""
        self.find_page(name)
        try:
            value = msgspec.json.decode(text)
        except (*UNREADABLE, UnicodeEncodeError):
            value = None
        if not isinstance(value, dict):
            raise invalid("result", "must be the JSON object that the script has printed")
        result = msgspec.json.encode(value).decode()
        try:
            actor, login = self._login_of(name.partition(".")[0])
            login.give(Wanted.CODE, result)
            actor.secrets.register(result)
        except AnswerTooLong:
            raise invalid("result", f"may have at most {MAX_PASSKEY_ANSWER} characters") from None
        except NotAsked:
            raise not_found("page, or no more") from None

    def _login_of(self, account_id: str) -> tuple[AccountActor, Login]:
        """The account and its login that is under way. Raises `NotAsked`."""
        actor = self._accounts.actor(account_id)
        if actor is None or actor.leaving or actor.login is None:
            raise NotAsked
        return actor, actor.login

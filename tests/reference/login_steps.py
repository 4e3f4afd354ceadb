"""What a device does with each piece of news of its login: the dialog with the human, and the answer to the
platform.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.login import CodeDelivery, ConsentRequest, Dialog, WrongPasscode

Call = Callable[..., Awaitable[Any]]  # a method of `Logins`, with its arguments by name


class LoginSteps:
    def __init__(self, attempt: str, dialog: Dialog, call: Call) -> None:
        self._attempt = attempt
        self._dialog = dialog
        self._call = call

    async def take(self, news: dict[str, Any]) -> None:
        dialog = self._dialog
        match news["is"]:
            case "qr":
                await dialog.show_qr(news["code"], news["seconds"])
            case "pin":
                await dialog.show_pin(news["pin"], news["seconds"])
            case "digits":
                await dialog.show_code(news["digits"], news["seconds"])
            case "confirm":
                await dialog.confirm_on_phone(news["name"], news["picture"])
            case "code_sent":
                await self._give_code(CodeDelivery(**news["how"]))
            case "password":
                await self._give_password(news["hint"])
            case "passcode":
                await self._give_passcode(news["guesses"])
            case "passkey":
                await self._give_passkey(news["origin"], news["options"])
            case "consent":
                await self._give_consent(news["page"], news["scopes"])
            case "over":
                raise Rejected("too_many_codes")

    async def _give_code(self, delivery: CodeDelivery) -> None:
        """A code that is wrong may be typed again."""
        refused = None
        while True:
            code = await self._dialog.ask_code(refused, delivery)
            try:
                return await self._tell("give_code", code=code)
            except Rejected as rejected:
                if rejected.reason != "wrong_code":
                    raise
                refused = "invalid_code"

    async def _give_password(self, hint: str | None) -> None:
        """A password that is wrong ends it."""
        password = await self._dialog.ask_password(hint)
        try:
            await self._tell("give_password", password=password)
        except Rejected as rejected:
            raise Rejected("invalid_password") from rejected

    async def _give_passcode(self, guesses: int) -> None:
        left = await self._tell("give_passcode", passcode=await self._dialog.ask_passcode(guesses))
        if left is not None:
            raise WrongPasscode(left)

    async def _give_passkey(self, origin: str, options: dict[str, Any]) -> None:
        result = await self._dialog.ask_passkey(origin, options)
        try:
            await self._tell("give_passkey", result=result)
        except Rejected as rejected:
            raise Rejected("invalid_passkey") from rejected

    async def _give_consent(self, page: str, scopes: list[str]) -> None:
        def address(request: ConsentRequest) -> str:
            query = {
                "state": request.state,
                "code_challenge": request.challenge,
                "redirect_uri": request.redirect_uri,
            }
            return f"{page}?{urlencode(query)}"

        consent = await self._dialog.ask_consent(address, scopes)
        await self._tell(
            "exchange", code=consent.code(), verifier=consent.verifier, redirect_uri=consent.redirect_uri
        )

    async def _tell(self, method: str, **arguments: Any) -> Any:
        return await self._call(method, attempt=self._attempt, **arguments)

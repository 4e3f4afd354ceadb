"""What the tests of Zalo share: accounts in the configuration file, and orders for its local platforms."""

import json
from typing import Any

from tests.harness import Client, Platform
from unifyport.providers.zalo.official.signature import SIGNATURE, sign

BOT = "1459232241454765289"
BOT_TOKEN = f"{BOT}:sandbox-token"
USER = "6ede9afa66b88fe6d6a9"
GROUP = "zgr-2b9dc1d3"


def bot_account(*lines: str, token: str = BOT_TOKEN, name: str = "bot") -> str:
    head = f'\n[[accounts]]\nname = "{name}"\nprovider = "zalo"\ncredentials = {{ bot_token = "{token}" }}\n'
    return head + "".join(f"{line}\n" for line in lines)


async def order(platform: Platform, what: str, body: dict[str, Any], *, of: str = "zalo") -> Any:
    """An order to the local platform `of`, through the control port."""
    response = await platform.http.post(f"/sandbox/{of}/{what}", json=body)
    assert response.is_success, response.text
    return response.json()


def text_to(account: dict[str, Any], to: str, text: str = "", **more: Any) -> dict[str, Any]:
    """The body of a send; `more`: `provider_data`, `reply_to`, ..., and `type` of the conversation."""
    kind = more.pop("type", "user")
    message = {"type": "text", "text": text} if text else {"type": "text"}
    return {"account_id": account["id"], "to": {"id": to, "type": kind}, "message": message, **more}


async def refusal(api: Client, body: dict[str, Any]) -> tuple[str, str]:
    """What became of a send that was not answered with 200: its outcome, and the reason."""
    answer = await api("POST", "/v1/messages", body)
    assert not answer.is_success, answer.text
    error = answer.json()["error"]
    if "command_id" not in error:
        return "refused", error["code"]
    known = await api.data("GET", f"/v1/commands/{error['command_id']}")
    return known["outcome"], known.get("reason", "")


async def failed_login(api: Client) -> str:
    """Wait until the only account is refused; why."""
    [account] = await api.data("GET", "/v1/accounts")
    state = await api.until(lambda found: found["status"] == "failed", f"/v1/accounts/{account['id']}/auth")
    return str(state["last_error"])


OA = "579745863508352884"
APP_ID, APP_SECRET, OA_SECRET = "4069190843520384611", "app-secret-of-the-test", "oa-secret-of-the-test"
CUSTOMER = "2512523625412515"
SEED = f"sandbox-{OA}-1"


def official_data(**more: str) -> dict[str, str]:
    """The credentials of an Official Account."""
    return {
        "app_id": APP_ID,
        "app_secret": APP_SECRET,
        "oa_secret": OA_SECRET,
        "refresh_token": SEED,
        **more,
    }


def official_account(name: str = "shop", **more: str) -> str:
    """An account in the file; a credential that is empty is left out."""
    given = {key: value for key, value in official_data(**more).items() if value}
    lines = ", ".join(f'{key} = "{value}"' for key, value in given.items())
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "zalo"\ncredentials = {{ {lines} }}\n'


async def connect(platform: Platform, url: str, *accounts: str, **more: str) -> None:
    """The settings of the app: events of these accounts go to `url`."""
    settings = {"app_id": APP_ID, "oa_secret": OA_SECRET, "oa_ids": list(accounts or (OA,)), **more}
    await order(platform, "webhooks", {"callback_url": url, **settings}, of="zalo-official")


def signed(body: bytes) -> dict[str, str]:
    """The header of a webhook of an Official Account."""
    return {SIGNATURE: sign(APP_ID, body, json.loads(body)["timestamp"], OA_SECRET)}

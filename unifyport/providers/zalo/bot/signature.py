"""Verification of a bot's webhooks: a shared secret in a header, compared in constant time.

`X-Bot-Api-Secret-Token` repeats the `secret_token` of `setWebhook`
(https://bot.zaloplatforms.com/docs/apis/setWebhook). If the credentials have no `webhook_secret`, the secret
is derived from the bot's token, so that it is the same after every restart.
"""

import hashlib
import hmac

from unifyport.providers.contract.ingress import Credentials, Headers

SECRET_TOKEN = "x-bot-api-secret-token"  # noqa: S105  the header's name


def secret_of(credentials: Credentials) -> str:
    """The credentials' `webhook_secret`, else 64 hex digits derived from the token."""
    chosen = credentials.get("webhook_secret")
    if chosen:
        return str(chosen)
    token = credentials.get("bot_token", "").encode()
    return hmac.digest(hashlib.sha256(token).digest(), b"unifyport zalo webhook secret", "sha256").hex()


def verify(credentials: Credentials, headers: Headers, body: bytes) -> bool:
    return hmac.compare_digest(secret_of(credentials).encode(), headers.get(SECRET_TOKEN, "").encode())

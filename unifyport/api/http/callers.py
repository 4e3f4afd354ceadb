"""The API key of a request, in the header `X-Api-Key`."""

from unifyport.gateway.callers import Callers
from unifyport.gateway.errors import MISSING_KEY, UseCaseError


async def admit(callers: Callers, secret: str | None) -> None:
    """Admit a request by the value of its header. Raises `UseCaseError`, `StoreUnavailable`."""
    if not secret:
        raise UseCaseError(MISSING_KEY, "send the API key in the header X-Api-Key")
    await callers.admit(secret)

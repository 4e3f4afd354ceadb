"""Answers of the API: an envelope inside of HTTP 200, whose code grants the request or refuses it."""

from msgspec import Raw, Struct

from unifyport.net.clients import Response
from unifyport.providers.http import decode

from .errors import failure, http_failure


class Answer(Struct):
    code: int
    message: str = ""
    data: Raw = Raw(b"{}")


def read_answer(response: Response) -> Answer:
    """Raises a failure class for an answer that does not come from the API."""
    if response.status != 200:
        raise http_failure(response.status)
    answer: Answer = decode(response.body, Answer)
    return answer


def data_of(answer: Answer, *, login: bool = False) -> Raw:
    """What a granted request is answered with. Raises the failure class of a refusal."""
    if answer.code != 0:
        raise failure(answer.code, answer.message, login=login)
    return Raw(b"{}") if bytes(answer.data) == b"null" else answer.data

"""A question of a login, and the rules of its answer: once, of the kind that is asked for, not too long.

An answer is taken only while the connector waits for it: not before the question is durable, and not from the
moment in which the wait is cancelled, although the connector has not noticed yet.
"""

import hmac
from collections.abc import Mapping
from typing import Any

import attrs

from unifyport.model.auth import STEPS, LoginStep, PasskeyPage, Wanted, needs_confirmation

from ..reply import Reply


class NotAsked(Exception):
    """The login does not ask for that now."""


class AnswerTooLong(Exception):
    """`limit`: how many characters the answer may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} characters")
        self.limit = limit


class NotConfirmed(Exception):
    """So few guesses are left that the answer must come with a confirmation."""

    def __init__(self, guesses_left: int) -> None:
        super().__init__(f"{guesses_left} guesses are left")
        self.guesses_left = guesses_left


@attrs.define(eq=False, kw_only=True)
class Question:
    """`key`: the token of its page, or the state of its callback; empty where it has neither."""

    step: LoginStep
    key: str = ""
    guesses_left: int | None = None
    page: PasskeyPage | None = None
    reply: Reply[Any] = attrs.field(factory=Reply)

    def take(self, wanted: Wanted, value: str, *, confirmed: bool) -> None:
        """Raises `NotAsked`, `AnswerTooLong`, `NotConfirmed`; then the question is as it was."""
        rule = STEPS[self.step]
        if wanted is Wanted.CALLBACK or rule.wanted is not wanted or not self.reply.awaited:
            raise NotAsked
        if len(value) > rule.max_answer:
            raise AnswerTooLong(rule.max_answer)
        if self.guesses_left is not None and needs_confirmation(self.guesses_left) and not confirmed:
            raise NotConfirmed(self.guesses_left)
        self.reply.answer(value)

    def take_callback(self, state: str, parameters: Mapping[str, str]) -> None:
        """Raises `NotAsked`, also for a state of another question."""
        wanted = STEPS[self.step].wanted
        if wanted is not Wanted.CALLBACK or not self.reply.awaited or not self.has_key(state):
            raise NotAsked
        self.reply.answer(dict(parameters))

    def has_key(self, key: str) -> bool:
        return bool(self.key) and hmac.compare_digest(self.key.encode(), key.encode())

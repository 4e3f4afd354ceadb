"""What a request asks for and does not get, although it is carried out: said in the answer, or refused.

A field that is not known, or known but without effect where it is, must not be lost silently: a misspelt
`signing_secrt` would leave deliveries unsigned. The answer, also one that is an error, carries each as a
warning. A strict request is refused instead, before anything has happened.
"""

import difflib
from collections.abc import Collection

import attrs

from unifyport.model.structuring import summarize

from .errors import INVALID_REQUEST, UseCaseError

UNKNOWN_FIELD = "unknown_field"
NO_EFFECT = "no_effect"  # known, but not here
CONVERSATION_ALIASED = "conversation_aliased"
MOST = 50  # warnings of one answer
_LONGEST_PATH = 200  # characters


@attrs.frozen
class FieldWarning:
    """`path`: the field, as `message.buttons`. The text holds no value of a field."""

    path: str
    code: str
    message: str


@attrs.define
class Remarks:
    """The warnings of one request. `strict`: it is to be carried out as asked, or not at all."""

    strict: bool = False
    warnings: list[FieldWarning] = attrs.field(factory=list)

    def unknown(self, path: str, known: Collection[str] = (), *, passed_on: bool = False) -> None:
        """`known`: names of which one may have been meant, compared only for a warning that is shown.

        `passed_on`: the platform gets the field all the same, and may know more of it.
        """
        if len(self.warnings) >= MOST or self._has(path, UNKNOWN_FIELD):
            return
        close = difflib.get_close_matches(path.rpartition(".")[2], known, 1) if len(path) < 100 else []
        hint = f"; did you mean {close[0]}?" if close else ""
        what = "unknown field, passed on to the platform" if passed_on else "unknown field, ignored"
        self._add(path, UNKNOWN_FIELD, f"{what}{hint}")

    def no_effect(self, path: str, why: str) -> None:
        self._add(path, NO_EFFECT, why)

    def aliased(self, path: str, why: str) -> None:
        self._add(path, CONVERSATION_ALIASED, why)

    def _has(self, path: str, code: str) -> bool:
        return any(each.path == path[:_LONGEST_PATH] and each.code == code for each in self.warnings)

    def _add(self, path: str, code: str, message: str) -> None:
        found = FieldWarning(path[:_LONGEST_PATH], code, message)
        if len(self.warnings) < MOST and found not in self.warnings:
            self.warnings.append(found)

    def settle(self) -> None:
        """Call it before the request has any effect. Raises `UseCaseError` for a strict one with warnings.

        That a conversation has another id by now is no reason: the message goes where it was to go.
        """
        refused = [each for each in self.warnings if each.code != CONVERSATION_ALIASED]
        if self.strict and refused:
            problems = [f"{each.path}: {each.message}" for each in refused]
            text, first = summarize(problems)
            raise UseCaseError(INVALID_REQUEST, text, problems=first)

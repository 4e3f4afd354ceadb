"""How a call is refused."""

import contextlib
from collections.abc import Iterator


class Refused(Exception):
    """The answer is `rpc_error`. `code` and `name` as at https://core.telegram.org/api/errors."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(f"{code} {name}")
        self.code = code
        self.name = name


def bad(name: str) -> Refused:
    return Refused(400, name)


@contextlib.contextmanager
def refusing(field: str) -> Iterator[None]:
    """What would refuse a call is the fault of this field of an order: `ValueError`."""
    try:
        yield
    except Refused as refused:
        raise ValueError(f"{field}: {refused.name}") from None

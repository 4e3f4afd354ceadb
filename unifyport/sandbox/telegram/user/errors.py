"""How a call is refused."""


class Refused(Exception):
    """The answer is `rpc_error`. `code` and `name` as at https://core.telegram.org/api/errors."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(f"{code} {name}")
        self.code = code
        self.name = name


def bad(name: str) -> Refused:
    return Refused(400, name)

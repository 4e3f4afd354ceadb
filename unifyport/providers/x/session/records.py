"""What the session holds of the web client. What XChat keeps beside it: `xchat/records.py`.

record               holds
-----------------    --------------------------------------------------------------------------
("me", b"")          the id of the account's user
("cookies", b"")     the jar, as `cookies.stored` writes it
("client", b"")      a random id that the browser keeps (`x-client-uuid`)
("mark", b"")        the sequence id up to which the inbox was read, as decimal digits
"""

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import Session

ME = ("me", b"")
COOKIES = ("cookies", b"")
CLIENT = ("client", b"")
MARK = ("mark", b"")


def mark_change(mark: int) -> SessionChange:
    return SessionChange(*MARK, str(mark).encode())


async def load_mark(session: Session) -> int:
    """0: nothing was read yet."""
    return int(await session.get(*MARK) or b"0")

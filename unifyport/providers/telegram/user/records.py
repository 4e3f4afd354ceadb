"""The records in the session of a user account.

    record               holds
    ------------------   --------------------------------------------------------------------------
    ("auth", dc)         `keys.AuthRecord`: the key of a data centre, its salt and clock
    ("me", b"")          `keys.Me`: who the account is, and its data centre

Those of the update box are in `updates.py`, those of people and conversations in `peers.py`.
"""

from typing import Final

AUTH: Final = "auth"
ME: Final = "me"

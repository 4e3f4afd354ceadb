"""A gateway of all channels that kills itself at a commit of a linked device: `-c CONFIG`, and DIE_AT as in
`dying_server.py`, with the points `pair`, `receive` and `prekey` of this connection.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.dying_server import POINTS, die_at
from unifyport.config.settings import load
from unifyport.model.unit import Unit
from unifyport.providers.registry import standard
from unifyport.server import run
from unifyport.storage.contract import Write


def _changes(write: Write, name: str, *, deletes: bool) -> bool:
    """Whether it has events, and a change of such a record of the session with them."""
    return (
        isinstance(write, Unit)
        and bool(write.provider_events)
        and any(change.name == name and (change.value is None) is deletes for change in write.session)
    )


POINTS["pair"] = lambda write: isinstance(write, Unit) and write.new_session
POINTS["receive"] = lambda write: _changes(write, "signal", deletes=False)  # a step of a ratchet
POINTS["prekey"] = lambda write: _changes(write, "prekey", deletes=True)  # a session that began with it

if __name__ == "__main__":
    if order := os.environ.get("DIE_AT"):
        when_, point_, number_ = order.split()
        die_at(when_, point_, int(number_))
    registry = standard()
    run(load(Path(sys.argv[2]), registry), registry=registry)

"""A gateway of all channels that kills itself at a commit of an account that a QR code links: `-c CONFIG`,
and DIE_AT as in `dying_server.py`, with the point `login`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.dying_server import POINTS, die_at
from unifyport.config.settings import load
from unifyport.model.unit import Unit
from unifyport.providers.registry import standard
from unifyport.providers.x.session import classic_polling
from unifyport.server import run

POINTS["login"] = lambda write: isinstance(write, Unit) and write.new_session

classic_polling.POLL_SECONDS = 0.1  # a life lasts for some polls

if __name__ == "__main__":
    if order := os.environ.get("DIE_AT"):
        when_, point_, number_ = order.split()
        die_at(when_, point_, int(number_))
    registry = standard()
    run(load(Path(sys.argv[2]), registry), registry=registry)

"""A gateway of all channels that can kill itself at the commit of a refreshed pair: `-c CONFIG`, and DIE_AT
as in `oauth_server.py`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.oauth_server import die
from unifyport.config.settings import load
from unifyport.providers.registry import standard
from unifyport.server import run

if __name__ == "__main__":
    if when := os.environ.get("DIE_AT"):
        die(when)
    registry = standard()
    run(load(Path(sys.argv[2]), registry), registry=registry)

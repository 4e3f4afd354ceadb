"""A gateway of all channels that kills itself at one of its commits: `-c CONFIG`, and DIE_AT as in
`dying_server.py`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.dying_server import die_at
from unifyport.config.settings import load
from unifyport.providers.registry import standard
from unifyport.server import run

if __name__ == "__main__":
    if order := os.environ.get("DIE_AT"):
        when_, point_, number_ = order.split()
        die_at(when_, point_, int(number_))
    registry = standard()
    run(load(Path(sys.argv[2]), registry), registry=registry)

"""A gateway that knows the reference platform, as a process of its own: `-c CONFIG`."""

import sys
from pathlib import Path

from tests.reference.serving import REGISTRY
from unifyport.config.settings import load
from unifyport.server import run

if __name__ == "__main__":
    run(load(Path(sys.argv[2]), REGISTRY), registry=REGISTRY)

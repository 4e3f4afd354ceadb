"""A gateway whose normalizers crash at random, in the middle of a batch: `-c CONFIG`."""

import random
import sys
from pathlib import Path

from actors.actor import Job
from actors.normalizer import Normalizer
from unifyport.config.settings import load
from unifyport.model.unit import Unit
from unifyport.providers.registry import standard
from unifyport.server import Parts, run
from unifyport.storage.contract import Result

CRASHES = 0.15  # of the units


class Crashing(Normalizer):
    async def handle(self, batch: list[Job[Unit, Result]]) -> None:
        for job in batch:
            if random.random() < CRASHES:
                raise RuntimeError("a crash that the test ordered")
            await super().handle([job])


if __name__ == "__main__":
    run(load(Path(sys.argv[2]), standard()), parts=Parts(new_normalizer=Crashing))

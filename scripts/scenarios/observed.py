"""A gateway that logs every start it admits: `python -m scripts.scenarios.observed CONFIG GRANTS`.

It writes a line to GRANTS for each grant: trio's time in seconds, starts that hold a slot, and starts in
progress, this one included.
"""

import sys
from pathlib import Path

from supervisors import Admission, Ticket
from supervisors.admission import Stage
from unifyport.config.settings import load
from unifyport.providers.registry import standard
from unifyport.server import run


def main(config: str, grants: str) -> None:
    move = Admission._move

    with open(grants, "w", buffering=1) as lines:

        def observed(self: Admission, ticket: Ticket, stage: Stage) -> None:
            move(self, ticket, stage)
            if stage is Stage.HOLDING:
                lines.write(f"{ticket.granted_at} {self._counts[Stage.HOLDING]} {self.starting}\n")

        Admission._move = observed  # type: ignore[method-assign]
        run(load(Path(config), standard()))


if __name__ == "__main__":
    main(*sys.argv[1:])

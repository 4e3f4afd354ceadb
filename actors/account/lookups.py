"""Downloads and look-ups of an account, beside its lanes: no command waits for them."""

import trio

from unifyport.model.message import Answer, FetchMedia, PlatformCall

from .attempts import Attempt
from .command_log import CommandLog
from .connection import Connection
from .execution import CUT, NOT_RUNNING, TIMEOUT, Execution

AT_A_TIME = 4


class LookUps:
    """Nothing of them is recorded; they are counted."""

    def __init__(self, connection: Connection, execution: Execution, commands: CommandLog) -> None:
        self._connection = connection
        self._execution = execution
        self._commands = commands
        self._slots = trio.CapacityLimiter(AT_A_TIME)

    async def run(self, command: FetchMedia | PlatformCall) -> Answer:
        """Download a file, or look something up. Cancelled: it ends."""
        async with self._slots:
            lease = await self._connection.wait_for_lease(command.deadline)
            if lease is None:
                return NOT_RUNNING
            answer = CUT
            async with lease.use() as connector:
                with trio.move_on_after(self._execution.left(command)) as scope:
                    answer = await self._execution.run(Attempt(command, lease), connector)
                if scope.cancelled_caught:
                    answer = TIMEOUT
            self._commands.count(command, answer)
            return answer

"""How a person ends a program that stays up: Ctrl-C, or SIGTERM."""

import asyncio
import signal


class Ending:
    """Before it is asked for, either signal gives up what is being done; afterwards, it is the answer."""

    def __init__(self) -> None:
        """Made in the task that does it all."""
        task = asyncio.current_task()
        assert task is not None, "the program is a task"
        self._task = task
        self._waited_for = False
        self._told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._tell)

    def listen(self) -> None:
        """From now on a signal is what is waited for; call it before Ctrl-C is proposed."""
        self._waited_for = True

    async def wait(self) -> None:
        """Until a person says so."""
        self.listen()
        await self._told.wait()

    def _tell(self) -> None:
        if self._waited_for:
            self._told.set()
        elif not self._task.cancelling():
            self._task.cancel()

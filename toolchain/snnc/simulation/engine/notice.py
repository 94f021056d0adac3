"""Says that the engine compiles, which takes seconds; what was compiled is read from disk the next time, if it could be kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from numba.core import event


class _Listener(event.Listener):
    """Hears numba begin to compile."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.notice, self.said = notice, False

    def on_start(self, event: Any) -> None:
        if not self.said:
            self.said = True
            self.notice("compiling the engine for this kind of network (once, if it can be kept on disk)")

    def on_end(self, event: Any) -> None:
        return


def announcing(notice: Callable[[str], None]) -> AbstractContextManager[Any]:
    """While it lasts, ``notice`` hears of the first compilation."""
    found: AbstractContextManager[Any] = event.install_listener("numba:compile", _Listener(notice))
    return found

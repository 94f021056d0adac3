"""Ctrl-C between two batches of a training, so that a checkpoint of that moment can be written. Used by fit."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def between_batches(quiet: bool) -> Iterator[Callable[[], bool]]:
    """A function that says whether Ctrl-C was pressed; the second Ctrl-C interrupts at once.

    What was asked for too late for the loop to see is raised at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread gets signals
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if not quiet:
            print("stopping after this batch; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt

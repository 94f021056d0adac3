"""The fast simulator: what the reference computes, bit for bit, compiled by numba and on all processors. For integer networks.

Two kernels compute a step of a population: samples side by side (`lanes`), or each message to the synapses behind
it (`events`). Which one is chosen by what was measured, or said; neither that nor the number of threads changes
any result. numba is loaded when the engine first runs.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from snnc.errors import MissingDependencyError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.simulation.run import Rasters, Run

if TYPE_CHECKING:
    from snnc.simulation.engine.call import StreamState

Kernel = Literal["auto", "lanes", "events"]
Notice = Callable[[str], None]


_quiet = ContextVar("_quiet", default=False)


def to_stderr(text: str) -> None:
    """Print progress where it does not disturb results."""
    print(text, file=sys.stderr)


@contextmanager
def quietly() -> Iterator[None]:
    """Say nothing of compilation while the block lasts."""
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)


def suits(net: Network) -> bool:
    """Tell whether the engine can run a network here."""
    return isinstance(net.numeric, Fixed) and find_spec("numba") is not None


def simulate(
    net: Network, inputs: Rasters, *, record: bool = False, threads: int | None = None, kernel: Kernel = "auto",
    keep: Collection[str] | None = None, notice: Notice = to_stderr,
) -> Run:  # fmt: skip
    """Run a network as `reference.simulate` does. ``keep``: populations whose spikes are wanted (default: all).

    ``notice`` hears of the first call's compilation. Raises NetworkError for a float network, DataError as the reference does,
    UsageError for options that cannot be, and MissingDependencyError without numba.
    """
    with _compiled(notice):
        from snnc.simulation.engine.call import Options, advance

        return advance(net, inputs, Options(record, keep, threads, kernel))[0]


def stream(
    net: Network, chunks: Iterable[Rasters], *, state: "StreamState | None" = None, record: bool = False,
    threads: int | None = None, kernel: Kernel = "auto", keep: Collection[str] | None = None,
    stop: Callable[[Run], bool] | None = None,
) -> "Iterator[tuple[Run, StreamState]]":  # fmt: skip
    """Run one chunk of steps after the other, each from where the last one ended: the run of each, and where it ended.

    Memory is that of one chunk, however many there are. ``state``: where an earlier stream ended; by default it begins at the
    first step. The stream ends with the chunks, or once ``stop`` says so. Raises as `simulate`, and DataError if ``state`` does
    not suit the network or the number of samples.
    """
    for inputs in chunks:
        with _compiled():
            from snnc.simulation.engine.call import Options, advance, first_state

            run, state = advance(net, inputs, Options(record, keep, threads, kernel), state or first_state(net, inputs))
        yield run, state
        if stop and stop(run):
            return


def _compiled(notice: Notice = to_stderr) -> AbstractContextManager[Any]:
    """Let ``notice`` hear of compilation while the block lasts, unless within `quietly`.

    Raises MissingDependencyError without numba.
    """
    if find_spec("numba") is None:
        fix = "pip install '.[engine]', or use the reference: --engine reference"
        raise MissingDependencyError("the engine needs numba, which is not installed", fix=fix)
    return nullcontext() if _quiet.get() else _announcing(notice)


def _announcing(notice: Notice) -> AbstractContextManager[Any]:
    """Let ``notice`` hear of the first compilation, which takes seconds, while the block lasts."""
    from numba.core import event

    listening: AbstractContextManager[Any] = event.install_listener("numba:compile", _listener()(notice))
    return listening


@cache
def _listener() -> type:
    """Return the class of listeners to numba, made once: numba is loaded only when the engine runs."""
    from numba.core import event

    class Listener(event.Listener):
        def __init__(self, notice: Notice) -> None:
            self.notice, self.announced = notice, False

        def on_start(self, _: Any) -> None:
            if not self.announced:
                self.announced = True
                self.notice("compiling the engine for this kind of network (once, if it can be kept on disk)")

        def on_end(self, _: Any) -> None:
            return

    return Listener

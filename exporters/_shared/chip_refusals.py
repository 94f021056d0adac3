"""Why a chip with a design of its own cannot hold a network: widths of registers, weights of 8 bits, ranges. For `catalyst_n1`,
`syntzulu` and `xylo`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import must_not_wrap
from snnc.analysis.range_proof import prove_ranges
from snnc.analysis.reachability import Reach
from snnc.errors import SnncError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network

UNROLLED = ("conv2d", "dense", "sumpool2d")  # operators that become synapses
LEAST, MOST = -128, 127  # of a weight


def operator_problem(kind: str) -> str:
    """Return why a target that unrolls operators to synapses cannot run a kind of them; empty if it can."""
    return "" if kind in UNROLLED else f"no synapses are known that compute {kind!r}"


def register_problems(numeric: Fixed, exact: Mapping[str, int], at_most: Mapping[str, int], profile: str) -> Iterator[str]:
    """Yield in words which widths are not those of a design: other than ``exact`` ones, or above those ``at_most``."""
    wrong = [(name, value) for name, value in exact.items() if getattr(numeric, name) != value]
    wrong += [(name, value) for name, value in at_most.items() if getattr(numeric, name) > value]
    if wrong:
        told = ", ".join(f"{name} {getattr(numeric, name)} (chip: {value})" for name, value in wrong)
        yield f"it was quantised for {numeric.profile!r} with {told}; quantise it for {profile}"


def whole(weights: Any, exponent: int) -> NDArray[np.int64]:
    """Return weights times 2**exponent, which leaves no fraction of them."""
    values = np.asarray(weights, np.int64)
    return values << exponent if exponent >= 0 else values >> -exponent


def weight_problems(c: Connection, design: str, profile: str) -> Iterator[str]:
    """Yield why a design that adds up weights of 8 bits, without an exponent, cannot have those of a connection."""
    if why := operator_problem(c.op.kind):
        yield f"connection {c.name!r} has operator {c.op.kind!r}: {why}"
        return
    values = c.op.synapses.values
    if c.op.exponent < 0 and np.any(values % (1 << -c.op.exponent)):
        yield (
            f"connection {c.name!r} has odd weights and the weight exponent {c.op.exponent}, which rounds sums as {design} does"
            " not; quantise it with --sign-mode mixed"
        )
        return
    least, most = (int(whole(end, c.op.exponent)) for end in (values.min(initial=0), values.max(initial=0)))
    if least < LEAST or most > MOST:
        yield (
            f"connection {c.name!r} has weights {least} .. {most}, {design}'s are {LEAST} .. {MOST}; quantise it for {profile}"
        )


def range_problems(net: Network, beyond: Callable[[str, Reach], Iterator[str]]) -> Iterator[str]:
    """Yield what ``beyond`` says of the proved ranges of each population, by name; or why nothing is proved of them."""
    try:
        must_not_wrap(net)
        proof = prove_ranges(net)
    except SnncError as error:
        yield str(error)
        return
    for name, reach in proof.reaches.items():
        yield from beyond(name, reach)

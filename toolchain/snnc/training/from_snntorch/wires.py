"""Derives wires from a trace: which spikes reach which layer of neurons, with which delay, through which layers. Part of the
import from snnTorch.

The input of neurons is a sum over sources, each through maps (`import_layers`), plus a constant. It is worked out for every
step that was traced, and must be the same in all of them.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from torch import nn

from snnc.errors import UnsupportedError
from snnc.network.window import Window
from snnc.ops.maxpool2d import MaxPool2d
from snnc.training.from_snntorch.layers import (
    Floats,
    Kernel,
    Largest,
    Map,
    Matrix,
    Scale,
    Select,
    Shape,
    maps_of,
    operator,
    window_of,
)
from snnc.training.from_snntorch.moves import MOVES
from snnc.training.from_snntorch.remedies import ALIKE, OF_CALLS, REMEDIES
from snnc.training.from_snntorch.values import RASTER, Call, Node, Trace, is_neuron

INPUT = "input"
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, eq=False)
class Term:
    """The spikes of a source, ``delay`` steps late, through maps. ``path``: the layers on the way, for people and for
    comparison.
    """

    source: str
    delay: int
    maps: tuple[Map, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def signature(self) -> tuple[Any, ...]:
        """Return a key that is equal for terms that do the same."""
        return (self.source, self.delay, self.path)


@dataclass(frozen=True, eq=False)
class Drive:
    """The input of a layer of neurons: terms and a constant, (n,)."""

    terms: tuple[Term, ...]
    constant: Floats
    known: bool = True  # else a problem was noted, and what follows from it is none of its own


NOTHING = Drive((), np.zeros(1), known=False)


@dataclass(frozen=True, eq=False)
class Or:
    """A max-pool of spikes: it fires where any of ``source`` under the window did."""

    source: str
    window: Window


@dataclass
class Wires:
    """The drive of each layer of neurons, max-pools by name, the shape of every source, and the problems."""

    trace: Trace
    drives: dict[str, Drive] = field(default_factory=dict)
    pools: dict[str, Or] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # layers with weights that drive neurons
    problems: list[str] = field(default_factory=list)
    graded: bool = False  # the input sends integers, not spikes
    at: str = ""  # the line that steps the neurons whose drive is worked out
    returned: Drive | None = None  # values that the module returns, which a readout computes

    def sources(self) -> set[str]:
        """Return the sources whose spikes go somewhere."""
        drives = [*self.drives.values(), *([self.returned] if self.returned else [])]
        direct = {term.source for drive in drives for term in drive.terms}
        return direct | {pool.source for pool in self.pools.values()}


def wires(trace: Trace, input_shape: Shape, *, graded: bool = False) -> Wires:
    """Return the wires of a trace; everything that cannot be mapped is in ``problems``, with its place.

    ``graded``: the input sends integers, pixels or counts, not spikes.
    """
    found = Wires(trace, problems=list(trace.problems), graded=graded)
    found.shapes = {INPUT: input_shape} | {name: calls[0].node.shape for name, calls in trace.calls.items()}
    steps = max(map(len, trace.calls.values()), default=0)
    for name, calls in trace.calls.items():
        found.at = calls[0].place
        if trace.frames and len(calls) > trace.frames and len(calls) % trace.frames == 0:
            often = len(calls) // trace.frames
            _note(found, f"{name} is stepped {often} times in every step of the input; make a layer of its own for each use")
            continue
        if len(calls) != steps:
            _note(found, f"{name} is stepped {len(calls)} times where others are stepped {steps} times; step all in each")
            continue
        if not prod(found.shapes[name]):
            _note(found, f"{name} has no neurons: its shape is {found.shapes[name]}; leave it out")
            continue
        _check_states(found, name, calls)
        drives = [_drive(found, call.node, step, name) for step, call in enumerate(calls)]
        found.drives[name] = drives[-1]
        _check_steps(found, name, drives)
    return found


def _note(found: Wires, what: str, place: str = "") -> None:
    """Note a problem, once, at ``place`` or at the line that steps the neurons."""
    place = place or found.at
    message = f"{place}: {what}" if place else what
    if message not in found.problems:
        found.problems.append(message)


def readout(found: Wires, node: Node, step: int) -> Drive:
    """Return the drive of a value that the module returns in a step."""
    found.at = ""
    return _drive(found, node, step, "what it returns")


def _check_states(found: Wires, name: str, calls: list[Call]) -> None:
    """Check that in each step neurons continue from the states that they left, and in the first step from 0."""
    for step, call in enumerate(calls):
        for state in call.states:
            if state is None:
                continue
            if isinstance(state, Node):
                kept = state.kind in ("state", "spikes") and (state.name, state.step) == (name, step - 1)
            else:
                kept = step == 0 and not bool(state.any())
            if not kept:
                fresh = step == 0 and not isinstance(state, Node)
                what = "starts from states other than 0" if fresh else "does not go on from the states it left"
                alone = step and not found.trace.frames and not found.trace.repeats and not isinstance(state, Node)
                fix = OF_CALLS if alone else "pass on what it returned, from a fresh state"
                _note(found, f"{name} {what}; {fix}", call.place)
                return


def _check_steps(found: Wires, name: str, drives: list[Drive]) -> None:
    """Check that every step has the terms of the last one, as far as there was a step before, and its constant."""
    last = drives[-1]
    if not all(drive.known for drive in drives):
        return
    for step, drive in enumerate(drives):
        if any(t.source == INPUT and t.path[:1] != u.path[:1] and t.path[0].startswith("[") for t, u in _alike(drive, last)):
            _note(
                found, f"{name} gets another part of the input in every step; say with --time-axis which of its axes counts steps"
            )
            return
        if not is_alike(drive, last, step):
            other = _other_layers(drive, last)
            what = f"{name} is not driven in the same way in every step (step {step} differs from the last{other})"
            _note(found, f"{what}; {ALIKE}")
            return


def _other_layers(drive: Drive, last: Drive) -> str:
    """Return in words which layers a step has in the place of others; "" if it differs by numbers or delays only."""
    pairs = (pair for t, u in _alike(drive, last) for pair in zip(t.path, u.path, strict=False))
    one, other = next(((a, b) for a, b in pairs if a != b and not {a[0], b[0]} & {"*", "["}), ("", ""))
    return f": through {one}, not {other}" if one else ""


def is_alike(drive: Drive, last: Drive, step: int) -> bool:
    """Return whether a step has the terms of the last one, as far as there was a step before, and its constant."""
    expected = Counter(t.signature for t in last.terms if t.delay <= step)
    alike = np.allclose(drive.constant, last.constant, 1e-4, 1e-6, equal_nan=True)  # NaN is a problem, but not of the steps
    return alike and expected == Counter(t.signature for t in drive.terms)


def _alike(drive: Drive, last: Drive) -> list[tuple[Term, Term]]:
    """Return the terms of two steps side by side, for terms that pass anything."""
    return [(t, u) for t, u in zip(drive.terms, last.terms, strict=False) if t.path and u.path]


def _drive(found: Wires, node: Node, step: int, reader: str) -> Drive:
    """Return the drive that makes a tensor; a part that cannot be mapped counts as nothing and is noted as a problem."""
    try:
        match node.kind:
            case "input":
                return _input(found.trace, node, step)
            case "spikes":
                return Drive((spikes_of(node.name, node.module, node.shape, step - (node.step or 0)),), np.zeros(1))
            case "layer":
                return _through(found, node, step, reader)
            case "shape":
                return _drive(found, node.args[0], step, reader)
            case "select":
                return _selected(found, node, step, reader)
            case "sum":
                return _added(found, node, step, reader)
            case "scale":
                factor = _constant(node)
                return _mapped(_drive(found, node.args[0], step, reader), (Scale(factor),), f"*{hash(factor.tobytes())}")
        if node.kind == "unknown":
            node = _earliest(node)
            raise UnsupportedError(_stranger(node, reader))
        raise UnsupportedError(f"{reader} gets the membrane of {node.name}; let it pass spikes and retrain")
    except UnsupportedError as error:
        _note(found, error.what, node.place)
        return NOTHING


def _earliest(node: Node) -> Node:
    """Return the earliest unknown value behind one: what follows from it is not a reason of its own."""
    while before := next((n for n in node.args if n.kind == "unknown" and n.name != "__get__"), None):
        node = before
    return node


def _stranger(node: Node, reader: str) -> str:
    """Return why an unknown value is refused, and what to do."""
    if node.name == RASTER:
        return f"{reader} gets {RASTER}; call it in every step, or leave out --time-axis if forward takes one step"
    if node.name.startswith("spikegen."):
        how = node.name.removeprefix("spikegen.")
        option = (
            f"import with --encoding {how}" if how in ("rate", "latency") else "give the network rasters that were encoded before"
        )
        return f"{reader} gets what {node.name} makes inside of forward; take it out of forward, pass on its input, and {option}"
    if node.name in REMEDIES or node.name not in MOVES:
        remedy = REMEDIES.get(node.name, "say it with layers of torch.nn, and retrain if that changes what it computes")
        return f"{reader} gets the result of {node.name!r}, which is no layer that is known; {remedy}"
    if len(node.args) == 1 and node.args[0].kind == "input":
        return f"{reader} gets a part of the input; say with --time-axis which of its axes counts steps"
    what = f"{reader} gets values of several steps or samples at once ({node.name})"
    return (
        f"{what}; a step knows its own sample only: compute each from its own input, and what comes from earlier ones by neurons"
    )


def spikes_of(name: str, layer: Any, shape: Shape, delay: int) -> Term:
    """Return the messages of a layer of neurons: its spikes, times its graded_spikes_factor."""
    factor = np.broadcast_to(layer.graded_spikes_factor.detach().cpu().numpy().astype(np.float64), (1, *shape)).reshape(-1)
    return Term(name, delay, () if (factor == 1).all() else (Scale(factor.copy()),))


def _input(trace: Trace, node: Node, step: int) -> Drive:
    late = 0 if node.step is None or trace.repeats else step - node.step
    if late < 0:
        raise UnsupportedError("a step reads the input of a later one; let forward take all steps of the raster, in their order")
    return Drive((Term(INPUT, late),), np.zeros(1))


def _mapped(drive: Drive, maps: tuple[Map, ...], name: str) -> Drive:
    if not drive.known:
        return drive
    terms = tuple(replace(t, maps=(*t.maps, *maps), path=(*t.path, name)) for t in drive.terms)
    constant = drive.constant
    for one in maps if constant.any() else ():
        constant = operator([one], len(constant)).weigh(constant[None])[0]
    return Drive(terms, constant if constant.any() else np.zeros(1))


def _through(found: Wires, node: Node, step: int, reader: str) -> Drive:
    layer, before = node.module, node.args[0]
    drive = _drive(found, before, step, reader)
    if not drive.known:
        return drive
    name = node.name or type(layer).__name__.lower()
    assert layer is not None and not is_neuron(layer)  # noqa: S101, PT018 - for the type checker: neurons make spikes
    if isinstance(layer, nn.ReLU):
        _must_be_spikes(drive, f"{name} cuts currents off at 0")
        return drive
    if isinstance(layer, nn.MaxPool1d | nn.MaxPool2d):
        if any(isinstance(m, Kernel | Matrix) for t in drive.terms for m in t.maps):
            return _largest(drive, layer, before.shape, name)
        return _or(found, drive, layer, before.shape, name)
    if drive.terms and isinstance(layer, WEIGHTED):
        found.used.add(node.name)
    try:
        maps, bias = maps_of(layer, before.shape, node.shape)
    except UnsupportedError as error:
        raise UnsupportedError(f"{name} ({type(layer).__name__}): {error.what}") from error
    wide = replace(drive, constant=np.broadcast_to(drive.constant, prod(before.shape)).copy())
    mapped = _mapped(wide, maps, name)
    return replace(mapped, constant=mapped.constant + bias)


def _selected(found: Wires, node: Node, step: int, reader: str) -> Drive:
    """Return some of the values, or all in another order."""
    before, taken = node.args[0], node.taken
    assert taken is not None  # noqa: S101 - for the type checker: selections have it
    drive = _drive(found, before, step, reader)
    if not drive.known:
        return drive
    wide = replace(drive, constant=np.broadcast_to(drive.constant, prod(before.shape)).copy())
    return _mapped(wide, (Select(taken, prod(before.shape)),), f"[{hash(taken.tobytes())}]")


def _must_be_spikes(drive: Drive, what: str) -> tuple[Term, float]:
    """Return the one source behind a drive, and the factor, above 0, of its spikes."""
    scales = [m for t in drive.terms for m in t.maps]
    factors = [m.uniform() if isinstance(m, Scale) else None for m in scales]
    if len(drive.terms) != 1 or drive.constant.any() or any(f is None or f <= 0 for f in factors):
        raise UnsupportedError(f"{what}, which is no sum of spikes; put it behind the neurons (on spikes) and retrain")
    return drive.terms[0], float(np.prod([f for f in factors if f is not None]))


def _or(found: Wires, drive: Drive, layer: Any, shape: Shape, name: str) -> Drive:
    """Return the largest of binary spikes as a max-pool: neurons of its own that fire when a spike comes."""
    term, factor = _must_be_spikes(drive, f"{name} takes the largest of currents")
    if term.source == INPUT and found.graded:
        what = f"{name} takes the largest of pixels or counts of the input, and only spikes are pooled so"
        raise UnsupportedError(f"{what}; {MaxPool2d.remedy}")
    window = window_of(layer, shape)
    pool = next((n for n, p in found.pools.items() if (p.source, p.window) == (term.source, window)), "")
    if not pool:
        pool = name if name not in {*found.shapes, *found.pools} else f"{name}_{term.source}"
        found.pools[pool] = Or(term.source, window)
        found.shapes[pool] = (shape[0], *window.grid[3 - len(shape) :])
    scale = () if factor == 1 else (Scale(np.full(prod(found.shapes[pool]), factor)),)
    return Drive((Term(pool, term.delay, scale, ()),), np.zeros(1))


def _largest(drive: Drive, layer: Any, shape: Shape, name: str) -> Drive:
    """Return the largest of weighted sums, with a bias that all sums under a place share added afterwards."""
    window = window_of(layer, shape)
    if len(drive.terms) != 1:
        what = f"{name} takes the largest of currents that come over {len(drive.terms)} connections, expected one"
        raise UnsupportedError(f"{what}; {MaxPool2d.remedy}")
    biases = np.broadcast_to(drive.constant, prod(shape)).reshape(window.src_shape)
    bias = window.maxima(biases)
    if (bias != -window.maxima(-biases)).any():
        raise UnsupportedError(f"{name} takes the largest of currents whose biases differ under its window; {MaxPool2d.remedy}")
    pooled = _mapped(replace(drive, constant=np.zeros(1)), (Largest(window),), name)
    return replace(pooled, constant=bias.reshape(-1))


def _added(found: Wires, node: Node, step: int, reader: str) -> Drive:
    drives = [_drive(found, arg, step, reader) for arg in node.args]
    if not all(drive.known for drive in drives):
        return NOTHING
    constant = sum((np.broadcast_to(d.constant, prod(node.shape)) for d in drives), _constant(node))
    return Drive(tuple(t for d in drives for t in d.terms), constant)


def _constant(node: Node) -> Floats:
    """Return the constant of a sum or a scale, one for each value of a sample: (n,)."""
    assert node.constant is not None  # noqa: S101 - for the type checker: sums and scales have one
    whole = np.broadcast_to(node.constant.detach().cpu().numpy().astype(np.float64), (2, *node.shape)).reshape(2, -1)
    if (whole[0] != whole[1]).any():
        raise UnsupportedError("a constant that differs between samples is added or multiplied")
    values: Floats = whole[0].copy()
    return values

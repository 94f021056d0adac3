"""Comparison of the module and the network made from it, on the same random rasters: every spike and membrane, in float64.

A trial run shows what a module does in it, not what it does later, on other batches or from states that it kept. So both run
anew, longer than the trial and on other rates, silence and all ones among them, and the first difference refuses the import.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.errors import SnncError, UnsupportedError
from snnc.network.model import Network
from snnc.simulation.reference import simulate
from snnc.simulation.run import Run
from snnc.training.from_snntorch.build import Built
from snnc.training.from_snntorch.float64 import Kept
from snnc.training.from_snntorch.trace import reset
from snnc.training.from_snntorch.values import BATCH, Node, Trace, first_of, run

Floats = NDArray[np.float64]
RATES = (0.3, 0.05, 0.0, 1.0, 0.8)  # of the samples of the batch
TIMES = 3  # as many steps as the trial run, at least
LONG = 128  # steps of the run on a single sample
MOST_WORK = 5e8  # synapses times steps times samples; beyond, fewer samples and steps are run
CLOSE = 1e-8  # of a membrane's size: what another order of sums may change


@dataclass(frozen=True, eq=False)
class Peer:
    """A module in float64 (`float64.in_float64`), and what the trial run recorded of it."""

    module: nn.Module
    kept: Kept  # the module as it was before the trial
    trace: Trace
    shape: tuple[int, ...]  # of an input frame
    axis: int | None  # which axis of its input counts steps
    steps: int  # of the trial run
    message_bits: int = 0

    @property
    def inner(self) -> int | None:
        """Return the steps that the module makes of one frame, if it repeats the frame inside."""
        return len(next(iter(self.trace.calls.values()))) if self.trace.repeats else None

    def raster(self, rates: tuple[float, ...], steps: int, seed: int) -> NDArray[np.uint8 | np.int64]:
        """Return random messages, (samples, steps, n), each sample with its own rate."""
        rng, frames = np.random.default_rng(seed), 1 if self.trace.repeats else steps
        shape = (len(rates), frames, prod(self.shape))
        comes = rng.random(shape) < np.array(rates)[:, None, None]
        values = comes.astype(np.uint8) if not self.message_bits else comes * rng.integers(1, 1 << self.message_bits, shape)
        return np.repeat(values, self.inner, axis=1) if self.inner else values


@dataclass(frozen=True, eq=False)
class Observed:
    """What a module computed: spikes and membranes of each layer of neurons, (samples, steps, n), and what it returned."""

    spikes: dict[str, NDArray[np.bool_]]
    membranes: dict[str, Floats]
    answer: Floats | None  # (samples, steps, n), where it returns a value of every step
    sums: Floats | None  # (samples, n), where it returns one of all steps
    steps: int


def compare(peer: Peer, built: Built) -> list[str]:
    """Compare the module with the network; return notes. Raises UnsupportedError with the first difference."""
    rates, steps, long = _plan(peer, built.network)
    comparison = _Comparison(peer, built)
    notes = comparison.hold(rates, steps, seed=1)
    if long:
        notes += comparison.hold((0.3,), long, seed=3, twice=False)
    return list(dict.fromkeys([*notes, *comparison.notes()]))


def _plan(peer: Peer, net: Network) -> tuple[tuple[float, ...], int, int]:
    """Return (rates of the batch, its steps, steps of the run on a single sample or 0)."""
    longest = sum(c.longest_delay for c in net.connections)
    steps = max(TIMES * peer.steps, peer.steps + longest + 1)
    work = sum(c.op.synapse_count for c in net.connections) + 100 * sum(p.size for p in net.populations)
    if work * steps * 2 * len(RATES) > MOST_WORK:
        return (RATES[0], RATES[3]), steps, 0
    return RATES, steps, max(LONG, steps) if work * LONG <= MOST_WORK else 0


class _Comparison:
    """The comparison so far."""

    def __init__(self, peer: Peer, built: Built) -> None:
        self.peer, self.built, self.ties, self.samples = peer, built, 0, 0
        self.fired = dict.fromkeys(built.populations, False)

    def hold(self, rates: tuple[float, ...], steps: int, seed: int, *, twice: bool = True) -> list[str]:
        """Compare one run of a fresh module, and a second one without a reset between if the module takes whole samples."""
        first = self.peer.raster(rates, steps, seed)
        self.peer.kept.restore()
        reset(self.peer.module)
        seen = self._observed(first)
        notes = self._short(seen, steps)
        first = first[:, : seen.steps]
        self._must_equal(seen, self._run(first), 0)
        if twice and (self.peer.axis is not None or self.peer.trace.repeats):
            notes += self._again(first, self.peer.raster(rates[::-1], steps, seed + 1)[:, : seen.steps])
        if changed := self.peer.kept.changed():
            raise UnsupportedError(f"changes {', '.join(changed[:3])} while it runs; {_UNCHANGING}")
        return notes

    def _again(self, first: NDArray[Any], second: NDArray[Any]) -> list[str]:
        """Compare a second call without a reset between: from fresh states, or from the states of the first; at least after a
        reset.
        """
        seen = self._observed(second)
        if not self._difference(seen, self._run(second), 0):
            return []
        if self._difference(seen, self._run(np.concatenate([first, second], axis=1)), first.shape[1]):
            reset(self.peer.module)
            self._must_equal(self._observed(second), self._run(second), 0)
        return ["the module keeps states from one call to the next; the network starts every sample as after reset_mem()"]

    def _short(self, seen: Observed, steps: int) -> list[str]:
        if self.peer.inner or seen.steps == steps:
            return []
        return [f"the module makes {seen.steps} steps of a raster of {steps}"]

    def _run(self, raster: NDArray[Any]) -> Run:
        net = self.built.network
        return simulate(net, {net.inputs[0].name: raster}, record=True)

    def _observed(self, raster: NDArray[Any]) -> Observed:
        """Run the module, on the steps of the trial if it fails on more. Raises UnsupportedError if it fails on the batch."""
        try:
            return observed(self.peer, raster)
        except SnncError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        for samples, steps in ((BATCH, raster.shape[1]), (len(raster), self.peer.steps)):
            self.peer.kept.restore()
            reset(self.peer.module)
            try:
                seen = observed(self.peer, np.resize(raster, (samples, steps, raster.shape[2])))
            except Exception:  # noqa: S112
                continue
            if samples != len(raster):
                break
            self.peer.kept.restore()
            reset(self.peer.module)
            return observed(self.peer, raster[:, : seen.steps])
        raise UnsupportedError(
            f"runs on a batch of {BATCH} and fails on one of {len(raster)}, in {raster.shape[1]} steps: {reason}; take the batch"
            " size and the steps from the shape of the input"
        )

    def _must_equal(self, seen: Observed, got: Run, offset: int) -> None:
        if difference := self._difference(seen, got, offset):
            raise UnsupportedError(difference)
        self.samples += len(next(iter(seen.spikes.values())))
        for layer in self.fired:
            self.fired[layer] |= bool(seen.spikes[layer].any())

    def _difference(self, seen: Observed, got: Run, offset: int) -> str | None:
        """Return the first difference in words, or None."""
        net, populations = self.built.network, self.built.populations
        order = {p.name: i for i, p in enumerate(net.ordered)}
        names = sorted(populations, key=lambda layer: order[populations[layer]])
        whole = slice(offset, offset + seen.steps)
        for sample in range(len(next(iter(seen.spikes.values())))):
            until = seen.steps
            spikes = {n: (seen.spikes[n][sample], got.spikes[populations[n]][sample, whole] != 0) for n in names}
            firsts = [
                (int((a != b).any(1).argmax()), i) for i, (n, (a, b)) in enumerate(spikes.items())
                if populations[n] not in got.readouts and (a != b).any()
            ]  # fmt: skip
            if firsts:
                until, position = min(firsts)
                name = names[position]
                neuron = int((spikes[name][0][until] != spikes[name][1][until]).argmax())
                fired = bool(spikes[name][0][until, neuron])
                v = got.states[populations[name]]["v"][sample, whole][until, neuron]
                if not self._tied(name, neuron, v if fired else seen.membranes[name][sample, until, neuron]):
                    what = "fires, in the network it does not" if fired else "does not fire, in the network it does"
                    return self._said(name, until, neuron, what)
                self.ties += 1
            for name in names:
                if place := self._apart(name, seen, got, sample, whole, until):
                    return self._said(name, *place)
        return self._answer(seen, got, whole)

    def _tied(self, name: str, neuron: int, membrane: float) -> bool:
        """Return whether the membrane equals the threshold, except for the order in which sums are rounded."""
        model: Any = self.built.network[self.built.populations[name]].neuron
        threshold = float(np.broadcast_to(model.threshold, self.built.network[self.built.populations[name]].size)[neuron])
        return abs(membrane - threshold) <= CLOSE * max(1.0, abs(threshold))

    def _apart(self, name: str, seen: Observed, got: Run, sample: int, whole: slice, until: int) -> tuple[int, int, str] | None:
        """Return the first place, without a spike, at which the membranes of a layer differ before the step ``until``."""
        population = self.built.populations[name]
        mine, theirs = got.states[population]["v"][sample, whole][:until], seen.membranes[name][sample][:until]
        size = max(1.0, float(np.abs(theirs).max(initial=0)))
        apart = ~(np.abs(mine - theirs) <= CLOSE * size)
        if population not in got.readouts:
            apart &= ~seen.spikes[name][sample][:until]
        if not apart.any():
            return None
        step = int(apart.any(1).argmax())
        neuron = int(apart[step].argmax())
        return step, neuron, f"has a membrane of {theirs[step, neuron]:.9g}, in the network {mine[step, neuron]:.9g}"

    def _answer(self, seen: Observed, got: Run, whole: slice) -> str | None:
        """Compare what the module returns without neurons behind it with the voltages of the readout."""
        if self.built.readout is None:
            return None
        mine = got.states[self.built.readout]["v"][:, whole]
        if seen.sums is not None and not self.ties:
            return _sums_apart(mine.sum(axis=1), seen.sums)
        if seen.answer is None:
            return None
        if seen.answer.shape != mine.shape:
            return f"what it returns has shape {seen.answer.shape}, in the network {mine.shape}"
        apart = ~(np.abs(mine - seen.answer) <= CLOSE * max(1.0, float(np.abs(mine).max(initial=0))))
        if not apart.any() or self.ties:
            return None
        _, step, neuron = np.argwhere(apart)[0]
        return f"returns in step {step} another value {neuron} than the network; {_UNSEEN}"

    def _said(self, name: str, step: int, neuron: int, what: str) -> str:
        place = self.peer.trace.calls[name][-1].place
        known = len(self.peer.trace.calls[name])
        late = step >= known and self.peer.axis is not None
        remedy = f"if it acts after the {known} steps of the trial run, give that more: --steps {2 * step}" if late else _UNSEEN
        return f"{place}: " * bool(place) + f"{name} was not understood: in step {step} its neuron {neuron} {what}; {remedy}"

    def notes(self) -> Iterator[str]:
        """Return notes on what the comparison could not show."""
        for layer, fired in self.fired.items():
            if not fired:
                yield f"{layer} never fired on the random rasters: its membranes were compared, and no spikes"
        if self.ties:
            yield (
                f"in {self.ties} of {self.samples} random samples a membrane met its threshold exactly, where the order of sums"
                " decides; such samples were compared up to there"
            )


def _sums_apart(mine: Floats, theirs: Floats) -> str | None:
    """Return the first difference between sums over steps and what a module returns: they may differ by one factor above 0."""
    if mine.shape != theirs.shape:
        return f"what it returns has shape {theirs.shape}, in the network {mine.shape}"
    factor = float((mine * theirs).sum()) / max(float((mine**2).sum()), np.finfo(float).tiny)
    apart = ~(np.abs(factor * mine - theirs) <= CLOSE * max(1.0, float(np.abs(theirs).max(initial=0))))
    if not apart.any() and (factor > 0 or not theirs.any()):
        return None
    neuron = int(np.argwhere(apart)[0, 1]) if apart.any() else 0
    return f"returns another value {neuron} than the network's sum over all steps; {_UNSEEN}"


_UNCHANGING = "what a network computes with is the same in every step: leave it as it is"
_UNSEEN = "let forward do nothing to neurons but call them, alike in every step"


def observed(peer: Peer, raster: NDArray[Any]) -> Observed:
    """Run the module on messages (samples, steps, n). Raises what it raises."""
    given = torch.from_numpy(raster.astype(np.float64)).reshape(*raster.shape[:2], *peer.shape)
    with _watched(peer) as (spikes, membranes):
        if peer.axis is not None:
            out = run(peer.module, given if peer.axis else given.transpose(0, 1))
        elif peer.inner:
            out = run(peer.module, given[:, 0])
        else:
            out = [run(peer.module, given[:, step]) for step in range(raster.shape[1])]
    counts = {name: len(steps) for name, steps in spikes.items()}
    if len(set(counts.values())) != 1 or counts.keys() != peer.trace.calls.keys():
        listed = ", ".join(f"{name} {n} times" for name, n in counts.items())
        raise UnsupportedError(f"on a raster of {raster.shape[1]} steps the module steps {listed or 'nothing'}; step all in each")
    fired, voltages = ({n: torch.stack(steps, 1).numpy() for n, steps in kind.items()} for kind in (spikes, membranes))
    count = next(iter(counts.values()))
    return Observed(fired, voltages, _answer_of(peer, out, len(raster), count), _sums_of(peer, out, len(raster)), count)


@contextmanager
def _watched(peer: Peer) -> Iterator[tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]]:
    spikes: dict[str, list[Tensor]] = {}
    membranes: dict[str, list[Tensor]] = {}

    def after(name: str) -> Callable[..., None]:
        def kept(layer: Any, args: Any, out: Any) -> None:
            fired, membrane = (out[0], out[-1]) if isinstance(out, tuple) else (out, layer.mem)
            spikes.setdefault(name, []).append((fired != 0).flatten(1).clone())
            membranes.setdefault(name, []).append(membrane.detach().double().flatten(1).clone())

        return kept

    hooks = [peer.trace.layers[name].register_forward_hook(after(name)) for name in peer.trace.calls]
    try:
        yield spikes, membranes
    finally:
        for hook in hooks:
            hook.remove()


def _answer_of(peer: Peer, out: Any, samples: int, steps: int) -> Floats | None:
    """Return what the module returned in every step, (samples, steps, n), if it has this form."""
    value: Any = peer.trace.outputs[-1]
    axis: Literal[0, 1] | None = getattr(value, "axis", None)
    first: Any = [first_of(one) for one in out] if isinstance(out, list) and not peer.inner else out
    if isinstance(first, list) and peer.axis is None:
        first, axis = torch.stack([one for one in first if isinstance(one, Tensor)]), 0
    first = first_of(first)
    if axis is None or not isinstance(first, Tensor) or first.dim() < 2:
        return None
    moved = first.movedim(axis, 1) if axis == 0 else first
    answer: Floats = moved.detach().double().numpy()
    return answer.reshape(*answer.shape[:2], -1) if answer.shape[:2] == (samples, steps) else None


def _sums_of(peer: Peer, out: Any, samples: int) -> Floats | None:
    """Return the one value of all steps that the module returns, (samples, n), if it has this form."""
    first = first_of(out)
    is_one = isinstance(peer.trace.outputs[-1], Node) and (peer.axis is not None or peer.inner)
    if not is_one or not isinstance(first, Tensor) or first.dim() < 2 or len(first) != samples:
        return None
    sums: Floats = first.detach().double().numpy()
    return sums.reshape(samples, -1)

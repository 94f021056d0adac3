"""Comparison of two runs of one network: equal exactly, or the place where they first differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.html import block
from snnc.network.neuron import Neuron
from snnc.simulation.run import Run


@dataclass(frozen=True)
class Divergence:
    """The first difference, in the order sample, step, order of computation, neuron.

    Examples:
        >>> import snnc
        >>> first = snnc.Divergence(0, "output", 3, 7, "the current u", spike=(0, 1), states={})
        >>> first.population, first.step, first.neuron
        ('output', 3, 7)
    """

    sample: int
    population: str
    step: int
    neuron: int
    cause: str  # the arithmetic step that differs
    spike: tuple[int, int]  # reference, candidate
    states: Mapping[str, tuple[float, float]]  # after the reset: reference, candidate


@dataclass(frozen=True)
class Verdict:
    """Result of a comparison. ``exact`` is True if nothing differs and every population fired, because silent rasters prove
    nothing.

    Counts are (slots compared, slots that differ) by population.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> verdict = snnc.verify(net, net, noise=0.5, samples=5).verdict
        >>> verdict.mismatches, verdict.first
        (0, None)
    """

    reference: str
    candidate: str
    spikes: Mapping[str, tuple[int, int]]
    states: Mapping[str, tuple[int, int]]
    fired: Mapping[str, int]  # spikes in the reference; of readouts, slots in which what is read is not 0
    first: Divergence | None
    never_fire: tuple[str, ...] = ()  # populations of which it is proved that no input makes them fire

    @property
    def exact(self) -> bool:
        return self.first is None and not self.silent

    @property
    def silent(self) -> tuple[str, ...]:
        """Populations that never fired, although they are not proved to be silent: nothing is proved about them."""
        return tuple(name for name, count in self.fired.items() if not count and name not in self.never_fire)

    @property
    def mismatches(self) -> int:
        """Number of spike slots that differ, over all populations."""
        return sum(differing for _, differing in self.spikes.values())

    def __repr__(self) -> str:
        answer = "exact" if self.exact else f"{self.mismatches} mismatches" if self.first else f"silent: {', '.join(self.silent)}"
        return f"Verdict({self.candidate} against {self.reference}: {answer})"

    def _repr_html_(self) -> str:
        rows = [(name, *counts, self.fired.get(name)) for name, counts in [*self.spikes.items(), *self.states.items()]]
        first = [f"first difference: {self.first}"] if self.first else []
        return block(repr(self), None, ("population or state", "compared", "mismatches", "spikes"), rows, first)


def compare(reference: Run, candidate: Run) -> Verdict:
    """Compare every spike, and every state that both runs recorded. There is no tolerance and no search for the best alignment:
    the runs were shifted by their declared latencies when they were made.

    Raises DataError if the runs differ in populations or sizes.
    """
    if reference.spikes.keys() != candidate.spikes.keys():
        raise DataError(
            f"{reference.by} has populations {sorted(reference.spikes)}, {candidate.by} has {sorted(candidate.spikes)}"
        )
    spikes, states, differing = {}, {}, {}
    for name, want in reference.spikes.items():
        got = candidate.spikes[name]
        if want.shape != got.shape:
            raise DataError(
                f"{reference.by} has shape {want.shape}, {candidate.by} has {got.shape}", where=f"population {name!r}"
            )
        differs = want != got
        spikes[name] = (want.size, int(np.count_nonzero(differs)))
        for variable in _recorded_in_both(reference, candidate, name):
            unlike = reference.states[name][variable] != candidate.states[name][variable]
            states[f"{name}.{variable}"] = (want.size, int(np.count_nonzero(unlike)))
            differs = differs | unlike
        differing[name] = differs
    fired = {name: _signs_of_life(reference, name, states) for name in reference.spikes}
    return Verdict(reference.by, candidate.by, spikes, states, fired, _first(reference, candidate, differing))


def _signs_of_life(run: Run, name: str, compared: Mapping[str, Any]) -> int:
    """Return the spikes of a population, or the slots in which the judged state of a readout is not 0, if it was compared."""
    read = run.readouts.get(name)
    life = run.states[name][read] if read and f"{name}.{read}" in compared else run.spikes[name]
    return int(np.count_nonzero(life))


def join(parts: Sequence[tuple[int, Verdict]]) -> Verdict:
    """Join the verdicts on successive samples, each with the number of its first sample, into one verdict.

    Raises DataError if there is none.
    """
    if not parts:
        raise DataError("there are no samples to compare", fix="ask for at least one")
    verdicts = [verdict for _, verdict in parts]
    diverged = [replace(v.first, sample=first + v.first.sample) for first, v in parts if v.first]
    return Verdict(
        verdicts[0].reference,
        verdicts[0].candidate,
        _total([v.spikes for v in verdicts]),
        _total([v.states for v in verdicts]),
        {name: sum(v.fired[name] for v in verdicts) for name in verdicts[0].fired},
        diverged[0] if diverged else None,
    )


def _total(counts: Sequence[Mapping[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    names = dict.fromkeys(name for c in counts for name in c)
    return {name: (sum(c.get(name, (0, 0))[0] for c in counts), sum(c.get(name, (0, 0))[1] for c in counts)) for name in names}


def _recorded_in_both(reference: Run, candidate: Run, name: str) -> list[str]:
    return [v for v in reference.states.get(name, {}) if v in candidate.states.get(name, {})]


def _first(reference: Run, candidate: Run, differing: Mapping[str, NDArray[np.bool_]]) -> Divergence | None:
    """Return the first difference. Populations of a run are in the order of computation, so the first of several is the cause."""
    earliest: tuple[int, int, int, int] | None = None
    for rank, differs in enumerate(differing.values()):
        flat = differs.reshape(-1)
        at = int(flat.argmax()) if flat.size else 0
        if flat.size and flat[at]:
            sample, step, neuron = (int(i) for i in np.unravel_index(at, differs.shape))
            here = (sample, step, rank, neuron)
            earliest = here if earliest is None or here < earliest else earliest
    if earliest is None:
        return None
    sample, step, rank, neuron = earliest
    name = list(differing)[rank]
    at3 = (sample, step, neuron)
    spike = (int(reference.spikes[name][at3]), int(candidate.spikes[name][at3]))
    states = {
        v: (_value(reference, name, v, at3), _value(candidate, name, v, at3))
        for v in _recorded_in_both(reference, candidate, name)
    }
    model = reference.models.get(name) or candidate.models.get(name)
    return Divergence(sample, name, step, neuron, cause(spike, states, model), spike, states)


def _value(run: Run, name: str, variable: str, at: tuple[int, int, int]) -> float:
    value: Any = run.states[name][variable][at].item()
    return value  # type: ignore[no-any-return]


def cause(spike: tuple[int, int], states: Mapping[str, tuple[float, float]], model: type[Neuron] | None) -> str:
    """Return what to look at. Everything before this slot is equal, so the first variable that differs names the arithmetic
    step.
    """
    if not states:
        return "unknown: the states were not recorded"
    roles = {state.name: state.role for state in model.states} if model else {}
    differing = [name for name, (wanted, got) in states.items() if wanted != got]
    if currents := [name for name in differing if roles.get(name) == "current"]:
        return f"the current {currents[0]}: its decay, or the sum of the weights"
    voltage = next((name for name, role in roles.items() if role == "voltage"), "")
    if spike[0] != spike[1]:
        return f"the voltage {voltage} before the reset, or the comparison with the threshold".replace("  ", " ")
    if differing[0] == voltage:
        return f"the voltage {voltage}: its decay, its bias, or its reset"
    return f"the state {differing[0]}"

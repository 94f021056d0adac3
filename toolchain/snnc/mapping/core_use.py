"""What cores use for the neurons on them and the synapses into these: the one count, of one core or of all at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import INEXPRESSIBLE, Axons, Format, Words, words_by_core
from snnc.chips.schema import DISTINCT, LONGEST
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.configurations import SYNAPSES, distinct

Ints = NDArray[np.int64]
Way = tuple[Format, int]  # (format, bits of the field for the step to the next neuron): how a core stores a connection
Ways = Mapping[str, tuple[Way | None, ...]]  # connection -> the way of each core, None where it has no synapse
Stored = Mapping[str, Mapping[Format, Words]]  # connection -> format -> the words that it would take, (cores,) each


@dataclass(frozen=True, eq=False)
class InputAxons(Axons):
    """The input axons of one connection, in ascending order of the core."""

    source: Ints  # (axons,) the neuron that each comes from


@dataclass(frozen=True, eq=False)
class Load:
    """What lies on some cores, numbered from 0 on: neurons, and the input axons that end at them."""

    cores: int
    neurons: Mapping[str, tuple[slice, Ints]]  # population -> (which of its neurons, the core of each)
    axons: Mapping[str, InputAxons]  # connection -> its axons on these cores

    @cached_property
    def held(self) -> Mapping[str, Ints]:
        """How many neurons of each population lie on each core: (cores,)."""
        return {name: np.bincount(core, minlength=self.cores) for name, (_, core) in self.neurons.items()}


def stored(on_chip: ChipNetwork, load: Load, told_apart: Ints | None = None, *, only_best: bool = False) -> Stored:
    """Return the memory words that each connection takes on each core, by format; nothing where formats are not public.

    ``told_apart``, (cores,): how many neurons an index must tell apart, by default those on the core. ``only_best`` as for
    `words_by_core`.
    """
    storage, most = on_chip.profile.storage, on_chip.profile.limits.get(LONGEST, INEXPRESSIBLE)
    if storage is None:
        return {}
    neurons = np.sum(list(load.held.values()), axis=0) if told_apart is None else told_apart
    return {
        name: words_by_core(
            storage, axons, neurons, load.held[on_chip.ends[name]], on_chip.weight_bits,
            on_chip.delays[name].bit_length(), most, only_best,
        )
        for name, axons in load.axons.items()
    }  # fmt: skip


def use(on_chip: ChipNetwork, load: Load, words: Stored) -> tuple[dict[str, Ints], Ways]:
    """Return (what each core uses by resource, (cores,) each; how it stores each connection).

    A connection is stored in the cheapest way, of equals the first. Output axons are not among the resources: they depend on
    where other neurons lie.
    """
    profile = on_chip.profile
    synapses = _sum(load.cores, [(axons.core, axons.synapses) for axons in load.axons.values()])
    total, longest, ways = _cheapest(load, words)
    used = {
        "neurons_per_core": np.sum([on_chip.compartments[name] * count for name, count in load.held.items()], axis=0),
        "input_axons_per_core": _sum(load.cores, [(axons.core, 1) for axons in load.axons.values()]),
        **({"synapse_words_per_core": total} if profile.storage else {}),
    }
    counted = {
        "synapses_per_core": synapses,
        "weight_bytes_per_core": -(-synapses * on_chip.weight_bits // 8),
        LONGEST: longest,
        **_configurations(on_chip, load, ways),
    }
    return used | {resource: amounts for resource, amounts in counted.items() if resource in profile.limits}, ways


def cheapest(by_format: Mapping[Format, Words]) -> tuple[list[Format], Words]:
    """Return (the cheapest format of each core, of equals the first; its words, (cores,) each)."""
    formats, table = list(by_format), np.array(list(by_format.values()))  # (formats, 3, cores)
    best = table[:, 0].argmin(axis=0)
    return [formats[i] for i in best.tolist()], Words(*np.take_along_axis(table, best[None, None], axis=0)[0])


def _cheapest(load: Load, words: Stored) -> tuple[Ints, Ints, Ways]:
    """Return (words of each core, words of its longest axon, how it stores each connection)."""
    total, longest, ways = np.zeros(load.cores, np.int64), np.zeros(load.cores, np.int64), {}
    for name, by_format in words.items():
        here = np.bincount(load.axons[name].core, minlength=load.cores) > 0
        formats, best = cheapest(by_format)
        total = np.minimum(total + np.where(here, best.total, 0), INEXPRESSIBLE)
        longest = np.maximum(longest, np.where(here, best.longest, 0))
        steps = best.step.tolist()
        ways[name] = tuple((f, step) if has else None for f, step, has in zip(formats, steps, here, strict=True))
    return total, longest, ways


def _configurations(on_chip: ChipNetwork, load: Load, ways: Ways) -> dict[str, Ints]:
    """Return how many different configurations of each kind each core needs, if the chip limits any."""
    if not {*DISTINCT} & set(on_chip.profile.limits):
        return {}
    core = np.concatenate([cores for _, cores in load.neurons.values()])
    used = {
        resource: distinct(core, np.concatenate([numbers[name][which] for name, (which, _) in load.neurons.items()]), load.cores)
        for resource, numbers in on_chip.neuron_configurations.items()
    }
    of_synapses: list[set[Any]] = [set() for _ in range(load.cores)]
    for name, axons in load.axons.items():
        for i in np.flatnonzero(np.bincount(axons.core)).tolist():
            of_synapses[i].add((on_chip.synapse_configurations[name], ways[name][i] if ways else None))
    return {**used, SYNAPSES: np.array([len(configurations) for configurations in of_synapses])}


def _sum(cores: int, parts: list[tuple[Ints, Any]]) -> Ints:
    """Return the sum of (core, amount) on each core: (cores,)."""
    total = np.zeros(cores, np.int64)
    for core, amount in parts:
        np.add.at(total, core, amount)
    return total

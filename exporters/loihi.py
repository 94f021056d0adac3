"""Target `loihi`: what `lava` writes, and which neurons lie on which core of the chip (mapping.json).

The spikes are those of Lava 0.10.0's bit-accurate CPU models; nothing here was run on a chip.
"""

import json
from pathlib import Path

from snnc import ops
from snnc.mapping.coverage import gaps
from snnc.mapping.model import CoreMap
from snnc.network.model import Network

from ._shared.lava import files, own_neurons, refusals
from ._shared.lava.run import LAVA, run

__all__ = ["NEEDS_MAPPING", "SUMMARY", "VERIFIED_BY", "export", "neuron_problem", "operator_problem", "problems", "run"]

SUMMARY = "the same, with a mapping to the cores of Loihi 1 (lif, cuba) or Loihi 2 (also those that it has to be programmed for)"
NEEDS_MAPPING = True
CHECKS_BUDGETS = True
VERIFIED_BY = LAVA.name
READOUT = "every threshold that its 17-bit register holds can be exceeded, so that it would fire; read out the spikes of a LIF"


def operator_problem(kind: str) -> str:
    """Return why the target cannot compute a kind of operators, for any name; empty if it can."""
    if kind in ops.kinds() and not ops.get(kind).linear:
        return f"no synapses of the chip are known to do more than add up{ops.remedy(kind)}"
    return refusals.operator_problem(kind)


def neuron_problem(model: str) -> str:
    """Return why the target cannot compute a neuron model, for any name; empty if it can."""
    return READOUT if model == "li" else own_neurons.neuron_problem(model)


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence: what Lava cannot express, and what the mapping leaves out.

    What the chip itself cannot express is said by `snnc.mapping.capabilities.lacking`, before a network is mapped to it.
    """
    if mapping is None:
        return ["it has no mapping to cores"]
    return refusals.problems(net, neuron_problem, operator_problem) + _uncovered(net, mapping)


def _uncovered(net: Network, mapping: CoreMap) -> list[str]:
    problems = gaps(net, [s for core in mapping.cores for s in core.slices])
    return [f"{f'population {name!r}: ' if name else ''}{problem}; map it again with `snnc map`" for name, problem in problems]


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; returns the latency of each population in steps."""
    assert mapping is not None  # noqa: S101 - for the type checker; `problems` refuses it
    (folder / "mapping.json").write_text(json.dumps(mapping.to_json(), indent=1, sort_keys=True) + "\n")
    return files.write(net, folder, max_synapses)

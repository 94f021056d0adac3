"""Target `lava`: Lava 0.10.0 processes and a program that runs them on the CPU, with no chip in mind."""

from pathlib import Path

from snnc.mapping.model import CoreMap
from snnc.network.model import Network

from ._shared.lava import files, own_neurons, refusals
from ._shared.lava.run import LAVA, run

__all__ = ["LAVA", "NEEDS_MAPPING", "SUMMARY", "VERIFIED_BY", "export", "neuron_problem", "operator_problem", "problems", "run"]

SUMMARY = "Lava 0.10.0 processes, snnc's own for neurons that Lava lacks, and a program that runs them on the CPU"
NEEDS_MAPPING = False
CHECKS_BUDGETS = True
VERIFIED_BY = LAVA.name
neuron_problem = own_neurons.neuron_problem
operator_problem = refusals.operator_problem


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Return everything that cannot be exported, each as a sentence. Lava's synapses take graded messages."""
    return refusals.problems(net, neuron_problem, operator_problem)


def export(net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int) -> dict[str, int]:
    """Fill ``folder``; returns the latency of each population in steps."""
    return files.write(net, folder, max_synapses)

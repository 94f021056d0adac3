"""What a plug-in is written with: contracts and helpers for neurons, operators, targets, importers, strategies and methods.

Each is imported when it is first used. A neuron is a `Neuron` with a `SpikeRule`, which `probe` holds against its step; an
operator is an `Op`, with a `Window` where it slides over planes; a target offers what `Target` says, and may use `runner` and
`step_writer`; an importer offers what `Importer` says; a mapping strategy what `Strategy` says; a pruning method is a
`PruningOptimizer`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnc.chips.profile import Profile
    from snnc.data.dataset import Dataset
    from snnc.importers import ImportConfig, Imported, Importer, Part
    from snnc.mapping.model import CoreMap
    from snnc.mapping.strategies import Strategy
    from snnc.mapping.task import Task
    from snnc.network.arithmetic import Arith, Fixed, Float
    from snnc.network.model import Connection, Network, Population
    from snnc.network.neuron import Neuron, NeuronState, SpikeRule, StateVar, parameter
    from snnc.network.op import Op
    from snnc.network.probe import probe
    from snnc.network.synapses import Synapses
    from snnc.network.units import BIAS, DECAY, FRACTION, LEVEL, STEPS, THRESHOLD
    from snnc.network.window import Window
    from snnc.simulation.run import Run
    from snnc.targets import runner, step_writer
    from snnc.targets.target import Artifact, Target
    from snnc.training.pruning.optimizer import PruningOptimizer

__all__ = [
    "BIAS",
    "DECAY",
    "FRACTION",
    "LEVEL",
    "STEPS",
    "THRESHOLD",
    "Arith",
    "Artifact",
    "Connection",
    "CoreMap",
    "Dataset",
    "Fixed",
    "Float",
    "ImportConfig",
    "Imported",
    "Importer",
    "Network",
    "Neuron",
    "NeuronState",
    "Op",
    "Part",
    "Population",
    "Profile",
    "PruningOptimizer",
    "Run",
    "SpikeRule",
    "StateVar",
    "Strategy",
    "Synapses",
    "Target",
    "Task",
    "Window",
    "parameter",
    "probe",
    "runner",
    "step_writer",
]

_HOMES = {
    "snnc.chips.profile": "Profile",
    "snnc.data.dataset": "Dataset",
    "snnc.importers": "ImportConfig Imported Importer Part",
    "snnc.mapping.model": "CoreMap",
    "snnc.mapping.strategies": "Strategy",
    "snnc.mapping.task": "Task",
    "snnc.network.arithmetic": "Arith Fixed Float",
    "snnc.network.model": "Connection Network Population",
    "snnc.network.neuron": "Neuron NeuronState SpikeRule StateVar parameter",
    "snnc.network.op": "Op",
    "snnc.network.probe": "probe",
    "snnc.network.synapses": "Synapses",
    "snnc.network.units": "BIAS DECAY FRACTION LEVEL STEPS THRESHOLD",
    "snnc.network.window": "Window",
    "snnc.simulation.run": "Run",
    "snnc.targets.target": "Artifact Target",
    "snnc.training.pruning.optimizer": "PruningOptimizer",
}
_PLACES = {name: module for module, names in _HOMES.items() for name in names.split()}
_MODULES = {"runner": "snnc.targets.runner", "step_writer": "snnc.targets.step_writer"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)

"""snnc: from a trained spiking network to a neuromorphic chip, proved spike for spike.

The public API: what stands in ``__all__``, and nothing else. Everything is imported when it is first used, so that
``import snnc`` loads neither torch nor numba nor Lava.
"""

import importlib
from typing import Any

from snnc.base.version import __version__ as __version__

_HOMES = {  # module -> what the API has of it, "name" or "name there:name here"; `__init__.pyi` says the same to type checkers
    "snnc.store": "load save",
    "snnc.importers": "import_network:read ImportConfig Imported",
    "snnc.pipeline.train": "train prune prune_to_fit Fitted",
    "snnc.pipeline.quantise": "quantise",
    "snnc.pipeline.chip": "check remedies map export",
    "snnc.pipeline.simulate": "simulate evaluate contrast",
    "snnc.pipeline.verify": "verify Verification",
    "snnc.analysis.range_proof": "prove_ranges RangeProof",
    "snnc.passes.simplify": "simplify Simplified",
    "snnc.report.inspection": "inspect Inspection",
    "snnc.targets.target": "support_matrix:supported Artifact",
    "snnc.network.model": "Network Population Connection",
    "snnc.network.synapses": "Synapses",
    "snnc.data.dataset": "Dataset",
    "snnc.chips.profile": "Profile",
    "snnc.budget.check": "Budget",
    "snnc.budget.remedies": "Remedy",
    "snnc.mapping.model": "CoreMap",
    "snnc.simulation.run": "Run",
    "snnc.verification.evaluate": "Evaluation Contrast",
    "snnc.verification.compare": "Verdict Divergence",
    "snnc.training.pruning.pruned": "PrunedModule",
    "snnc.training.settings": "TrainConfig PruneConfig",
    "snnc.passes.quantise": "QuantiseConfig",
    "snnc.report.write": "Page",
    "snnc.errors": "SnncError AlteredError ConfigError DataError DoesNotFitError FileError MissingDependencyError "
    "NetworkError ProfileError RunError UnsupportedError UsageError WriteError",
}
_PLACES = {
    there_and_here.rpartition(":")[2]: (module, there_and_here.partition(":")[0])
    for module, names in _HOMES.items()
    for there_and_here in names.split()
}
_MODULES = ("chips", "neurons", "optim", "plugin", "report", "targets")  # packages that can be called, and modules

__all__ = sorted([*_PLACES, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    value = globals()[name] = getattr(importlib.import_module(module), there)
    return value


def __dir__() -> list[str]:
    return list(__all__)

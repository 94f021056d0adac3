"""Pruning optimizers for a training loop of your own; torch is loaded when one is asked for.

Replace the optimizer of a loop by one of these, give it `parameter_groups` of the module, and say how many steps will come.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnc.training.methods.deep_r import DeepR
    from snnc.training.methods.grad_r import GradR
    from snnc.training.methods.magnitude import Magnitude
    from snnc.training.methods.soft_deep_r import SoftDeepR
    from snnc.training.methods.stds import STDS
    from snnc.training.models.weights import parameter_groups
    from snnc.training.pruning.optimizer import PruningOptimizer

__all__ = ["STDS", "DeepR", "GradR", "Magnitude", "PruningOptimizer", "SoftDeepR", "parameter_groups"]

_HOMES = {
    "DeepR": "snnc.training.methods.deep_r",
    "GradR": "snnc.training.methods.grad_r",
    "Magnitude": "snnc.training.methods.magnitude",
    "PruningOptimizer": "snnc.training.pruning.optimizer",
    "STDS": "snnc.training.methods.stds",
    "SoftDeepR": "snnc.training.methods.soft_deep_r",
    "parameter_groups": "snnc.training.models.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from snnc.training.settings import must_have_torch

    must_have_torch()
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)

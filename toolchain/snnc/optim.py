"""Pruning optimizers for a training loop of your own; torch is loaded when one is asked for.

Replace the optimizer of a loop by one of these, give it `parameter_groups` of the module, and say how many steps will come.
"""

from snnc.base.lazy import exported


def _must_have_torch() -> None:
    from snnc.training.settings import must_have_torch

    must_have_torch()


__getattr__, __dir__, __all__ = exported(__name__, __file__, before=_must_have_torch)

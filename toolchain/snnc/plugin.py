"""What a plug-in is written with: contracts and helpers for neurons, operators, targets, importers, strategies and methods.

Each is imported when it is first used. A neuron is a `Neuron` with a `SpikeRule`, which `probe` holds against its step; an
operator is an `Op`, with a `Window` where it slides over planes; a target offers what `Target` says, and may use `runner` and
`step_writer`; an importer offers what `Importer` says; a mapping strategy what `Strategy` says; a pruning method is a
`PruningOptimizer`.
"""

from snnc.base.lazy import exported

__getattr__, __dir__, __all__ = exported(__name__, __file__)

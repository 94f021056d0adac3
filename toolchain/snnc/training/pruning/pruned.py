"""Result of pruning a torch module: the module, its masks, the metrics of every epoch, and an account of each layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from snnc.network.model import Network
from snnc.training.loop.record import Metrics
from snnc.training.models.weights import all_synapses, connectivity, synapse_count

Module = nn.Module  # for who must not import torch


@dataclass(frozen=True, eq=False)
class PrunedModule:
    """A torch module that was pruned.

    Attributes:
        module: The module itself, pruned in place: weights that are gone are 0.
        masks: For each pruned layer, by name, which weights exist: bool, of the weight's shape, on the CPU.
        metrics: A line for each epoch: loss, accuracies, synapses that went and came.
        report: Settings, versions, data and layers, as JSON values.
        network: The float network that fires as the pruned module does, compared with it on random rasters; None where the
            module cannot become one, has a method ``to_network`` of its own, or was pruned over a DataLoader.
        notes: What is to be known of the network, such as where its class comes from if the module returns something else.

    Examples:
        >>> import snnc, torch
        >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Unflatten(1, (1, 10)))
        >>> pruned = snnc.prune(module, "digits", connectivity=0.1, epochs=1)
        >>> pruned
        PrunedModule(Sequential, 64 of 640 weights)
    """

    module: nn.Module
    masks: Mapping[str, Tensor]
    metrics: list[Metrics]
    report: Mapping[str, Any]
    network: Network | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        existing, all_weights = (sum(int(n) for n in counts) for counts in zip(*self._counts(), strict=True))
        return f"PrunedModule({type(self.module).__name__}, {existing:,} of {all_weights:,} weights)"

    def _counts(self) -> list[tuple[int, int]]:
        return [(int(mask.sum()), mask.numel()) for mask in self.masks.values()]


def layers_report(masks: Mapping[str, Tensor], per_weight: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the connectivity of a module and of each of its pruned layers, as JSON values."""
    parameters, synapses = connectivity(masks, per_weight)
    layers = {name: _layer(mask, per_weight[name]) for name, mask in masks.items()}
    return {"parameter_connectivity": parameters, "synapse_connectivity": synapses, "layers": layers}


def _layer(mask: Tensor, per_weight: Tensor) -> dict[str, Any]:
    return {
        "shape": list(mask.shape),
        "weights": mask.numel(),
        "existing_weights": int(mask.sum()),
        "synapses": all_synapses(per_weight, mask.shape),
        "existing_synapses": synapse_count(per_weight, mask),
    }

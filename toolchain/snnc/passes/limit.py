"""Give the inputs of a network a budget: how many messages they send in a step at most. Before or after quantising."""

from collections.abc import Mapping
from dataclasses import replace

from snnc.errors import NetworkError
from snnc.network.model import Network, Stage


def limited(net: Network, budgets: Mapping[str, int]) -> Network:
    """Return a network whose inputs send at most so many messages in a step; the other inputs keep the budgets they have.

    The range proof holds for such inputs only, and whatever runs the network refuses others.

    Args:
        net: A network of any numbers.
        budgets: Messages in a step, 1 or more, by input.

    Raises:
        NetworkError: There is no such input, or a number cannot be.
    """
    inputs = [p.name for p in net.inputs]
    if strange := sorted(budgets.keys() - set(inputs)):
        what = f"has no input {strange[0]!r}, its inputs are {', '.join(map(repr, inputs))}"
        raise NetworkError(what, where=f"network {net.name!r}", fix="name one of them")
    populations = tuple(replace(p, max_spikes_per_step=budgets[p.name]) if p.name in budgets else p for p in net.populations)
    return net.after(Stage("limit", {"max_spikes_per_step": dict(budgets)}), populations=populations)

"""Network (floats) -> Network (a chip's integers). Between pruning and the budget check; no torch.

All weights into a population, its threshold and its bias share one scale, up to the power of two of a connection's weight
exponent, so that the population computes ``scale`` times what it computed in floats. The scale is searched so that the
errors of weights and thresholds together are least; nothing is ever clipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from snnc.base.config import Config, setting
from snnc.chips.profile import Profile
from snnc.errors import NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.network.op import Op
from snnc.network.stage import Stage
from snnc.network.tiling import one_tile, repeated
from snnc.passes.limit import limited
from snnc.passes.rehearsal import Rehearsal
from snnc.passes.scale_search import Choice, Search, choose, encoded_population


@dataclass(frozen=True)
class QuantiseConfig(Config):
    """Settings of `quantise`.

    Examples:
        >>> import snnc
        >>> snnc.QuantiseConfig().sign_mode
        'auto'
    """

    sign_mode: Literal["auto", "mixed"] = setting(
        "auto", "auto: connections whose weights share a sign keep one bit more; mixed: treat all as mixed."
    )
    drop_zeros: bool = setting(False, "Remove kept synapses whose weight rounds to zero.")
    negative_exponents: bool = setting(
        False,
        "Allow weight exponents below zero for spikes, too, where random input shows that they help: finer weights, but each"
        " step's sum is rounded down.",
    )
    max_spikes_per_step: int | None = setting(
        None,
        "Let each input send at most this many messages in a step: scales can be larger, and other inputs are refused.",
        low=1,
    )


def quantise(net: Network, profile: Profile, config: QuantiseConfig = QuantiseConfig()) -> Network:
    """Return a fixed-point network with the populations and synapses of ``net``.

    Weights round to the nearest value of the grid of their sign mode (`snnc.ops.weight_grid`), decays to 2**-decay_bits,
    thresholds to 1 / scale, biases to mantissa * 2**exponent. A scale at which a current could wrap is made smaller, for any
    input within the budgets of the network and of ``config``. Weight exponents are 0 unless a connection needs more, or brings
    graded messages (then down to -message_bits, as its messages are that much larger than spikes); with
    ``negative_exponents`` also below, where the spikes are nearer to those of the floats. The stage "quantise" in ``done``
    holds scales and what limits each.

    Raises NetworkError if ``net`` is fixed already, if a parameter is out of the chip's range, or if a threshold or all
    weights of a connection round to zero.
    """
    if isinstance(net.numeric, Fixed):
        raise NetworkError(
            f"is fixed-point already, for {net.numeric.profile}",
            where=f"network {net.name!r}",
            fix="quantise the float network that it was made from",
        )
    if net.tiles > 1:
        return repeated(quantise(one_tile(net), profile, config), net)
    numeric = profile.fixed()
    if (budget := config.max_spikes_per_step) is not None:
        net = limited(net, {p.name: budget for p in net.inputs})
    search = Search(net, numeric, mixed=config.sign_mode == "mixed")
    if not config.negative_exponents:
        return _rounded(search, config)
    rehearsal = Rehearsal.of(net)
    finer = _rounded(replace(search, rehearsal=rehearsal), config)
    try:
        plain = _rounded(search, config)
    except NetworkError:  # only finer weights do not round to zero
        return finer
    return finer if rehearsal.no_worse(finer, plain) else plain


def _rounded(search: Search, config: QuantiseConfig) -> Network:
    """Return the network of the integers that a search finds."""
    net, numeric = search.net, search.numeric
    chosen = {p.name: choose(p, search) for p in net.populations if p.neuron}
    populations = tuple(encoded_population(p, chosen[p.name].scale, numeric) if p.neuron else p for p in net.populations)
    connections = tuple(replace(c, op=_stored(c, chosen[c.dst], config)) for c in net.connections)
    settings = {
        "profile": numeric.profile,
        "sign_mode": config.sign_mode,
        "drop_zeros": config.drop_zeros,
        "negative_exponents": config.negative_exponents,
        "scales": {name: choice.scale for name, choice in chosen.items()},
        "limited_by": {name: choice.limited_by for name, choice in chosen.items()},
    }
    return net.after(Stage("quantise", settings), populations=populations, connections=connections, numeric=numeric)


def scales(net: Network) -> Mapping[str, float]:
    """Return the integers per float of each population of a fixed network, as recorded by `quantise`; empty if it was not.

    Raises NetworkError if the record, which a file may make up, holds no positive numbers.
    """
    scales_by_population = recorded(net, "scales")
    if not all(isinstance(scale, float) and 0 < scale < np.inf for scale in scales_by_population.values()):
        raise NetworkError("records scales that are no positive numbers", where=f"network {net.name!r}", fix="quantise it again")
    return scales_by_population


def voltage_unit(net: Network) -> float:
    """Return what a voltage of 1 of the float network is in the output of a network: 1 where that is a float.

    Raises NetworkError for a fixed network that `quantise` did not make.
    """
    if not isinstance(net.numeric, Fixed):
        return 1.0
    if net.output.name not in (scale := scales(net)):
        what = "does not say what its voltages are in floats"
        raise NetworkError(what, where=f"network {net.name!r}", fix="run snnc quantise on the float network")
    return scale[net.output.name] * (1 << net.numeric.state_shift)


def recorded(net: Network, key: str) -> Mapping[str, Any]:
    """Return what `quantise` recorded of each population; empty if it did not. Raises NetworkError if that is no table."""
    settings: Any = next((s.settings.get(key, {}) for s in reversed(net.done) if s.name == "quantise"), {})
    if not isinstance(settings, dict):
        raise NetworkError(
            f"records {key} = {settings!r}, expected a table", where=f"network {net.name!r}", fix="quantise it again"
        )
    return settings


def _stored(c: Connection, choice: Choice, config: QuantiseConfig) -> Op:
    op = choice.ops[c.name]
    if op.synapses.extremes() == (0, 0):
        raise NetworkError(
            f"all {op.synapses.count} weights round to 0 at a scale of {choice.scale:.3g}; the largest is "
            f"{max(map(abs, c.op.synapses.extremes())):.3g}{_because(c, choice)}",
            where=f"connection {c.name!r}",
            fix=_remedy(choice, config),
        )
    return op.keep(op.synapses.values != 0) if config.drop_zeros else op


def _because(c: Connection, choice: Choice) -> str:
    """Return a clause about the register that bounds the scale, if one does."""
    if choice.wrapped is None:
        return ""
    scale, register, bound = choice.wrapped
    return (
        f", and the scale is bounded by {register} of {c.dst!r} (neuron {bound.neuron}): at {scale:.3g} it could reach"
        f" {bound.reach:,}, if as many messages come in every step as may, and its register wraps at {bound.limit:,}"
    )


def _remedy(choice: Choice, config: QuantiseConfig) -> str:
    remedies = [] if config.negative_exponents else ["allow negative exponents (--negative-exponents)"]
    if choice.wrapped:
        remedies.append("say how many messages an input sends in a step at most (--max-spikes-per-step N)")
    else:
        remedies.append("make its weights larger beside the others and the threshold")
    return ", or ".join(remedies)

"""What a network asks of a chip beyond room: numbers that do not wrap, neurons, messages, delays."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import wrap_problems
from snnc.chips.profile import Profile
from snnc.errors import UnsupportedError
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.soft_reset import compartments
from snnc.network.arithmetic import Fixed, bias_parts
from snnc.network.latency import chip_delays
from snnc.network.model import Network, Population
from snnc.network.tiling import one_tile

_SAME = ("decay_bits", "state_bits", "state_shift")  # another value computes other spikes
_AT_MOST = ("weight_bits", "weight_exponent_max", "threshold_bits", "bias_mantissa_bits", "bias_exponent_max")


def lacking(net: Network, profile: Profile) -> tuple[str, ...]:
    """Return everything that the chip cannot express, each as a sentence with its place and remedy; empty if there is nothing."""
    net = one_tile(net)
    problems = [*_numeric_problems(net, profile), *wrap_problems(net)]
    for p in net.populations:
        problems += _population_problems(p, net, profile)
    problems += [
        f"connection {c.name!r} has operator {c.op.kind!r}, the synapses of {profile.name} only add up; {c.op.remedy}"
        for c in net.connections
        if not c.op.linear
    ]
    problems += _delay_problems(net, profile)
    return tuple(problems)


def _numeric_problems(net: Network, profile: Profile) -> Iterator[str]:
    if profile.numeric is None or not isinstance(net.numeric, Fixed):
        return  # of other numbers, `_population_problems` says it
    have, need = profile.fixed(), net.numeric
    wrong = [f for f in _SAME if getattr(need, f) != getattr(have, f)]
    wrong += [f for f in _AT_MOST if getattr(need, f) > getattr(have, f)]
    wrong += ["weight_exponent_min"] if need.weight_exponent_min < have.weight_exponent_min else []
    if wrong:
        differing = ", ".join(f"{f} {getattr(need, f)} (chip: {getattr(have, f)})" for f in wrong)
        yield f"the network was quantised for {need.profile!r} with {differing}; quantise it for {profile.name}"
    try:
        _ = ChipNetwork(net, profile).weight_bits
    except UnsupportedError as error:
        yield str(error)


def _population_problems(p: Population, net: Network, profile: Profile) -> Iterator[str]:
    where = f"population {p.name!r}"
    if p.message_bits and not profile.graded_spikes:
        yield (
            f"{where} sends {p.message_bits}-bit messages, {profile.name} has no graded spikes;"
            " use the rate or the latency encoding"
        )
    elif p.message_bits > profile.message_bits_max:
        yield f"{where} sends {p.message_bits}-bit messages, {profile.name} carries {profile.message_bits_max} bits; use fewer"
    if p.neuron is None:
        return
    if profile.numeric is None:
        yield f"{where} has neurons {p.neuron.model()!r}, {profile.name} computes others: {profile.other_dynamics}"
        return
    if not profile.takes(p.neuron.model()):
        models = ", ".join((*profile.neurons, *profile.programmable_neurons))
        have = f"{where} has neurons {p.neuron.model()!r}, {profile.name} computes {models}"
        yield f"{have};{_built(p, profile)} train with one of those"
    if isinstance(net.numeric, Fixed) and len(bad := _biases_off_grid(p, profile.fixed())):
        bits, exponent = profile.numeric.bias_mantissa_bits, profile.numeric.bias_exponent_max
        yield (
            f"{where} has biases like {bad[0]} ({len(bad)} of them) that are no {bits}-bit number times 2**0 .. 2**{exponent};"
            f" quantise it for {profile.name}"
        )


def _built(p: Population, profile: Profile) -> str:
    """Return a clause about neurons that are not of the chip but can be built of several compartments; empty for others."""
    if (n := compartments(p, profile)) == 1:
        return ""
    return (
        f" their soft reset, built with {n} compartments and a synapse to itself for each neuron, is counted in the budget, but"
        " no model of it is public to verify an export against (Lava 0.10.0 has no compartments that share a voltage);"
    )


def _biases_off_grid(p: Population, numeric: Fixed) -> NDArray[np.int64]:
    """Return the biases that are no mantissa shifted by an exponent of the chip."""
    bias = np.atleast_1d(getattr(p.neuron, "bias", np.int64(0)))
    return np.asarray(bias[bias_parts(bias, numeric)[1] < 0])


def _delay_problems(net: Network, profile: Profile) -> Iterator[str]:
    try:
        delays = chip_delays(net)
    except UnsupportedError as error:
        yield str(error)
        return
    for name, steps in delays.items():
        if profile.delay_steps_max is not None and steps > profile.delay_steps_max:
            yield (
                f"connection {name!r} needs a delay of {steps} steps on the chip, {profile.name} has at most"
                f" {profile.delay_steps_max}; shorten it, or even out the lengths of the paths"
            )

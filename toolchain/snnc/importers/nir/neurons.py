"""The neurons of NIR, differential equations, as neurons that compute in steps. Fourth step of the NIR importer.

With d(tau) the part that leaks in a step, dt / tau (euler) or 1 - exp(-dt / tau) (exp: exact for a constant input):

    LIF, LI           v[t] = (1 - d) v[t-1] + d (v_leak + r I[t]),                       d = d(tau)
    CubaLIF, CubaLI   u[t] = (1 - ds) u[t-1] + ds w_in S[t],                             ds = d(tau_syn)
                      v[t] = (1 - dm) v[t-1] + dm (v_leak + r u[t]),                     dm = d(tau_mem)
    IF, I             v[t] = v[t-1] + dt r I[t]
    Threshold         v[t] = I[t], nothing is kept

then, but for LI, CubaLI and I, a spike where v > v_threshold, and there v = v_reset. The new current enters the voltage, as
in snnTorch and Lava. A v_reset other than 0 is subtracted from v, v_leak and v_threshold. Source: NIR 1.0.8, nir/ir/neuron.py.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snnc.errors import ConfigError
from snnc.importers.nir.graph import Node
from snnc.importers.nir.shapes import Shape, row
from snnc.network.neuron import Neuron
from snnc.neurons.cuba import Cuba
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF

Floats = NDArray[np.float64]
ROUNDED = 1e-6  # float32 files hold dt / tau and r dt / tau only so far

WHOSE = (
    "snnTorch and SpikingJelly write with --dt 1e-4, Norse with 1e-3, and 1.1.0 of it with 1e-6 (--discretise euler); sinabs with"
    " --dt 1 --discretise exp; Spyx with --dt 1 --writer spyx"
)


@dataclass(frozen=True)
class Clock:
    """The time step, and how time constants become decays."""

    dt_s: float
    rule: str | None  # "euler", "exp"; None: not stated

    def decay(self, tau: Floats) -> Floats:
        """The part that leaks in a step. Raises ValueError for a time constant that cannot be, ConfigError without a rule."""
        if self.rule is None:
            raise ConfigError(
                "the file has time constants, and does not say how they become steps", fix=f"add --discretise: {WHOSE}"
            )
        if (tau <= 0).any():
            raise ValueError(
                f"has a time constant of {tau.min():g} s; they must be above 0 (snnTorch writes a beta above 1 so, and steps it"
                " as 1: import the module itself)"
            )
        leak = self.dt_s / tau if self.rule == "euler" else -np.expm1(-self.dt_s / tau)
        if leak.max() > 1 + ROUNDED:
            raise ValueError(
                f"has a time constant of {tau.min():g} s, less than the step of {self.dt_s:g} s; choose a smaller --dt"
                " (Norse 1.1.0 writes with 1e-6 what it steps by 1e-3), or --discretise exp"
            )
        return np.minimum(leak, 1.0)


@dataclass(frozen=True, eq=False)
class Discrete:
    """A neuron in steps; ``gain`` multiplies what enters, (1,) or (n,); ``current``, if any, is added to u in each step."""

    neuron: Neuron
    gain: Floats
    current: Floats | None = None
    starts: str = ""  # where, if that is not 0 or may be elsewhere in the tool


def with_weights_kept(made: Discrete) -> Discrete:
    """The same spikes with u and v in other units, so that what enters is not multiplied; readouts keep their units."""
    if "threshold" not in made.neuron.parameters() or made.gain.min() <= 0 or made.current is not None:
        return made
    scaled = {name: getattr(made.neuron, name) / made.gain for name in ("threshold", "bias")}
    neuron = replace(made.neuron, **{name: one(values) for name, values in scaled.items()})
    return replace(made, neuron=neuron, gain=np.ones(1))


def discrete(node: Node, shape: Shape, clock: Clock, constant: Floats) -> Discrete:
    """The neurons of a node into which a ``constant`` flows, in a row. Raises ValueError with what cannot be expressed."""
    values = {name: row(node, name, shape) for name in node.fields if name not in ("type", "metadata", "input_type")}
    match node.kind:
        case "LIF" | "LI":
            leak, synaptic = clock.decay(values["tau"]), np.ones(1)
            drive = leak
        case "CubaLIF" | "CubaLI":
            leak, synaptic = clock.decay(values["tau_mem"]), clock.decay(values["tau_syn"])
            drive = leak * synaptic * values.get("w_in", np.ones(1))
        case "IF" | "I":
            leak, synaptic, drive = np.zeros(1), np.ones(1), np.full(1, clock.dt_s)
        case _:
            return _threshold(values["threshold"], constant)
    gain = _rounded(drive * values["r"])
    reset = values.get("v_reset", np.zeros(1)) if "v_threshold" in values else np.zeros(1)
    bias = leak * (values.get("v_leak", np.zeros(1)) - reset)
    kept = (synaptic < 1).any()
    current = gain * constant if kept and constant.any() else None
    bias = bias if kept else bias + gain * constant
    neuron = _neuron(values, reset, synaptic if kept else None, leak, bias)
    return Discrete(neuron, gain, current, _start(reset, values.get("v_leak", reset)))


def _start(reset: Floats, leak: Floats) -> str:
    """Return where neurons start that may start elsewhere in the tool: SpikingJelly starts at v_reset, Norse at v_leak."""
    if not reset.any() and not leak.any():
        return ""
    if (leak == reset).all():
        return f"at its v_reset ({reset.flat[0]:g})"
    return f"at {reset.flat[0]:g}, not at its v_leak ({leak.flat[0]:g})"


def _neuron(values: dict[str, Floats], reset: Floats, synaptic: Floats | None, leak: Floats, bias: Floats) -> Neuron:
    if "v_threshold" not in values:
        return LI(one(np.ones(1) if synaptic is None else synaptic), one(leak), one(bias))
    threshold = values["v_threshold"] - reset
    if threshold.min() < 0:
        raise ValueError(f"fires at {values['v_threshold'].min():g}, which is below its v_reset; raise v_threshold")
    if synaptic is None:
        return LIF(one(threshold), one(leak), one(bias))
    return Cuba(one(threshold), one(synaptic), one(leak), one(bias))


def _threshold(threshold: Floats, constant: Floats) -> Discrete:
    """Without memory; a threshold below 0 moves into the bias."""
    low = np.minimum(threshold, 0)
    return Discrete(LIF(one(threshold - low), np.array(1.0), one(constant - low)), np.ones(1))


def readout(constant: Floats) -> Discrete:
    """A readout of sums that no neuron integrates."""
    return Discrete(LI(np.array(1.0), np.array(1.0), one(constant)), np.ones(1))


def _rounded(gain: Floats) -> Floats:
    """1 where it was meant."""
    return np.where(np.abs(gain - 1) < ROUNDED, 1.0, gain)


def one(values: Floats) -> Floats:
    """One number if all neurons share it."""
    return np.array(values.flat[0]) if (values == values.flat[0]).all() else values

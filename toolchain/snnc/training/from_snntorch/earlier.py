"""Neurons as snnTorch 0.6 and 0.7 stepped them: their rules as torch code, and the counterpart of each.

With s[t-1] the spikes of the step before and b the part that stays (beta), I the input, and membranes passed on by hand:

    subtract   v[t] = b (v[t-1] - threshold s[t-1]) + I[t]       Leaky, RLeaky: what a spike takes away decays
               v[t] = b v[t-1] + I[t] - threshold s[t-1]         the others, as in snnTorch 1.0
    zero       v[t] = 0 where s[t-1]                             all: the step after a spike is lost

With ``init_hidden=True`` Leaky and RLeaky subtract as snnTorch 1.0, Leaky is reset before the step (nothing is lost), and
Synaptic leaves its current out (v[t] = b v[t-1] + I[t]). Source: snnTorch 0.6.4 and 0.7.0, whose rules are the same,
snntorch/_neurons/{leaky,synaptic,lapicque,rleaky,rsynaptic}.py.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snnc.training.from_snntorch.values import is_neuron, kind_of, layers

WRITER = "snntorch-0.7"


class EarlierRule(NamedTuple):
    """Options on which the equations depend; ``hidden``: whether the layer keeps its states itself."""

    layer: str
    reset: str
    hidden: bool


class Counterpart(NamedTuple):
    """A neuron of ours; ``decays``: a spike takes away what decays with the membrane; ``current``: whether u has a memory."""

    model: str
    decays: bool = False
    current: bool = True


ZERO_AND_WAIT = Counterpart("cuba_refractory")
SUBTRACT = Counterpart("cuba_subtract")
ACCEPTED = {
    EarlierRule("Leaky", "subtract", False): Counterpart("cuba_subtract", decays=True),
    EarlierRule("Leaky", "subtract", True): SUBTRACT,
    EarlierRule("Leaky", "zero", False): ZERO_AND_WAIT,
    EarlierRule("Leaky", "zero", True): Counterpart("lif"),
    EarlierRule("Synaptic", "subtract", False): SUBTRACT,
    EarlierRule("Synaptic", "subtract", True): Counterpart("cuba_subtract", current=False),
    EarlierRule("Synaptic", "zero", False): ZERO_AND_WAIT,
    EarlierRule("Lapicque", "subtract", False): SUBTRACT,
    EarlierRule("Lapicque", "subtract", True): SUBTRACT,
    EarlierRule("Lapicque", "zero", False): ZERO_AND_WAIT,
    EarlierRule("Lapicque", "zero", True): ZERO_AND_WAIT,
    EarlierRule("RLeaky", "subtract", False): Counterpart("cuba_subtract", decays=True),
    EarlierRule("RLeaky", "subtract", True): SUBTRACT,
    EarlierRule("RLeaky", "zero", False): ZERO_AND_WAIT,
    EarlierRule("RLeaky", "zero", True): ZERO_AND_WAIT,
    EarlierRule("RSynaptic", "subtract", False): SUBTRACT,
    EarlierRule("RSynaptic", "subtract", True): SUBTRACT,
    EarlierRule("RSynaptic", "zero", False): ZERO_AND_WAIT,
}
REFUSED = {
    EarlierRule("Synaptic", "zero", True): "after a spike it takes away a current that never entered the membrane; retrain it in "
    "snnTorch 1.0",
    EarlierRule(
        "RSynaptic", "zero", True
    ): "a spike resets its current, too, which no neuron here does; retrain it in snnTorch 1.0",
}
_STATES = {"Leaky": ("mem",), "Lapicque": ("mem",), "Synaptic": ("syn", "mem"), "RLeaky": ("spk", "mem"),
           "RSynaptic": ("spk", "syn", "mem")}  # fmt: skip


class Earlier:
    """A layer of snnTorch 1.0 that steps as in snnTorch 0.6 and 0.7. Mixed into the classes of a module by `stepping_as`."""

    def forward(self: Any, input_: Tensor, *passed: Tensor, **named: Tensor) -> Any:
        """Step once; the states come in and go out as the layer's own do."""
        names = _STATES[kind_of(self)]
        given = dict(zip(names, passed, strict=False)) | named
        for name in names:
            state = given.get(name, getattr(self, name))
            setattr(self, name, state if state.shape == input_.shape else torch.zeros_like(input_))
        fired = self.mem_reset(self.mem)
        if "syn" in names:
            self.syn = self.alpha.clamp(0, 1) * self.syn + _drive(self, input_)
        self.mem = _membrane(self, input_, fired)
        spikes = self.fire(self.mem)
        if "spk" in names:
            self.spk = spikes
        states = tuple(getattr(self, name) for name in names if name != "spk")
        return spikes if self.init_hidden and not self.output else (spikes, *states)


def _drive(layer: Any, input_: Tensor) -> Tensor:
    """Return the input, with the spikes of the step before where the layer feeds itself."""
    recurrent = getattr(layer, "recurrent", None)
    return input_ if recurrent is None else input_ + recurrent(layer.spk)


def _membrane(layer: Any, input_: Tensor, fired: Tensor) -> Any:
    """Return the membrane after a step, from the spikes of the step before."""
    kind, reset = kind_of(layer), layer.reset_mechanism
    if kind == "Lapicque":
        leak = layer.time_step / (layer.R * layer.C)
        before, keeps, current = layer.mem, 1 - leak, input_ * layer.R * leak
    else:
        before, keeps = layer.mem, layer.beta.clamp(0, 1)
        current = _drive(layer, input_) if kind in ("Leaky", "RLeaky") else layer.syn
    if kind == "Synaptic" and layer.init_hidden:
        current = input_
    if reset == "subtract" and kind in ("Leaky", "RLeaky") and not layer.init_hidden:
        return keeps * (before - fired * layer.threshold) + current
    if reset == "subtract":
        return keeps * before + current - fired * layer.threshold
    if reset == "zero" and kind == "Leaky" and layer.init_hidden:
        return keeps * (before * (1 - fired)) + current
    stepped = keeps * before + current
    return stepped * (1 - fired) if reset == "zero" else stepped


def rule_of(layer: Any) -> EarlierRule:
    """Return the options of a layer on which its equations depended."""
    return EarlierRule(kind_of(layer), layer.reset_mechanism, bool(layer.init_hidden))


def problem(layer: Any) -> str:
    """Return why no neuron here steps as the layer did; empty if one does."""
    rule = rule_of(layer)
    if not getattr(layer, "reset_delay", True):
        return "has reset_delay=False, which snnTorch has since 0.8; leave out --writer, or the option"
    if rule in REFUSED:
        how = "kept by itself" if rule.hidden else "passed on by hand"
        return f"reset_mechanism={rule.reset!r} with states {how} cannot be mapped: {REFUSED[rule]}"
    return ""


def saved_by(names: Collection[str], module: nn.Module) -> str:
    """Return the version of snnTorch that wrote a state dict with these names, as far as they say: "0.6", "0.8" or ""."""
    neurons = [name for name, layer in layers(module) if is_neuron(layer)]
    if any(f"{name}.threshold" in names and f"{name}.graded_spikes_factor" not in names for name in neurons):
        return "0.6"
    return "0.8" if any(f"{name}.mem" in names for name in neurons) else ""


@contextmanager
def stepping_as(module: nn.Module, writer: str | None) -> Iterator[None]:
    """Let the neurons of a module step as those of ``writer`` did, None for snnTorch 1.0."""
    neurons = [layer for _, layer in layers(module) if is_neuron(layer) and kind_of(layer) in _STATES] if writer else []
    before = [(layer, type(layer)) for layer in neurons]
    for layer, kind in before:
        layer.__class__ = type(kind.__name__, (Earlier, kind), {"__module__": __name__})
    try:
        yield
    finally:
        for layer, kind in before:
            layer.__class__ = kind

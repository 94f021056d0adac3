"""Maps a layer of snnTorch's neurons to one of ours, or gives the reasons why not. Part of the import from snnTorch.

`ACCEPTED` and `REFUSED` are the whole of what is mapped; the table in docs/import.md is made from them. Source of the rules:
snnTorch 1.0.0, snntorch/_neurons/{leaky,synaptic,lapicque,rleaky,rsynaptic}.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.errors import UnsupportedError
from snnc.network.neuron import Neuron
from snnc.neurons import get
from snnc.training.from_snntorch import earlier
from snnc.training.from_snntorch.values import is_of, kind_of

Floats = NDArray[np.float64]


class Rule(NamedTuple):
    """Options on which the equations depend. ``reset_delay`` is None if the layer has no such option, or it does not matter."""

    layer: str
    reset: str
    reset_delay: bool | None


NO_RESET = "no chip here has neurons that fire without a reset; retrain with reset_mechanism='zero'"
LATE_SUBTRACT = (
    "it subtracts the threshold before and after deciding, as no chip does; retrain with reset_delay=True or "
    "reset_mechanism='zero'"
)
ACCEPTED = {
    Rule("Leaky", "zero", None): "lif",
    Rule("Leaky", "subtract", True): "cuba_subtract",
    Rule("Synaptic", "zero", False): "cuba",
    Rule("Synaptic", "zero", True): "cuba_refractory",
    Rule("Synaptic", "subtract", True): "cuba_subtract",
    Rule("Lapicque", "zero", None): "cuba_refractory",
    Rule("Lapicque", "subtract", None): "cuba_subtract",
    Rule("RLeaky", "zero", False): "lif",
    Rule("RLeaky", "zero", True): "cuba_refractory",
    Rule("RLeaky", "subtract", True): "cuba_subtract",
    Rule("RSynaptic", "zero", True): "cuba_refractory",
    Rule("RSynaptic", "subtract", True): "cuba_subtract",
}
READOUT = "li"  # Leaky, Synaptic and Lapicque without reset whose spikes go nowhere
REFUSED = {
    Rule("Leaky", "subtract", False): LATE_SUBTRACT,
    Rule("Synaptic", "subtract", False): LATE_SUBTRACT,
    Rule("RLeaky", "subtract", False): LATE_SUBTRACT,
    Rule("RSynaptic", "zero", False): "snnTorch 1.0 itself fails on it; retrain with reset_delay=True",
    Rule("RSynaptic", "subtract", False): "snnTorch 1.0 itself fails on it; retrain with reset_delay=True",
}
RECURRENT = ("RLeaky", "RSynaptic")
_HARMLESS = {"__init__", "__doc__", "__module__", "__annotations__", "__qualname__", "__firstlineno__", "__static_attributes__",
             "__repr__", "extra_repr", "__dict__", "__weakref__"}  # fmt: skip
_FUNCTIONS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


@dataclass(frozen=True, eq=False)
class Rules:
    """The counterpart of a layer of neurons. ``gain``: factor of its input; ``message``: what it sends for a spike; ``again``:
    what its own spike brings to each neuron in the next step; all (n,) or ().
    """

    model: str
    threshold: Floats
    decay_u: Floats
    decay_v: Floats
    gain: Floats
    message: Floats
    again: Floats
    notes: tuple[str, ...]

    @property
    def remembers_current(self) -> bool:
        """Whether a constant input has a transient in u, so that it differs from a bias on v."""
        return bool((self.decay_u != 1).any())

    def neuron(self, bias: Any) -> Neuron:
        """Return the neuron with this bias on v, (n,) or ()."""
        values = {"threshold": self.threshold, "decay_u": self.decay_u, "decay_v": self.decay_v, "bias": bias, "period": 1.0}
        model = get(self.model)
        return model(**{name: values[name] for name in model.parameters()})


def overridden(layer: nn.Module) -> list[str]:
    """Return what the user's own subclasses replace of snnTorch's class, other than ``__init__``."""
    mro = type(layer).__mro__
    own = [kind for kind in mro if not is_of(kind, "snntorch", "torch", "builtins", earlier.__name__)]
    base = next(kind for kind in mro if is_of(kind, "snntorch"))
    return sorted({name for kind in own for name in vars(kind) if name not in _HARMLESS and hasattr(base, name)})


def problems(layer: nn.Module) -> list[str]:
    """Return every option of a layer of neurons that can never be mapped, whatever its spikes are used for: reason and remedy."""
    kind = kind_of(layer)
    if own := overridden(layer):
        return [f"its class replaces {', '.join(own)} of {kind}, which changes its equations; use {kind} as it is"]
    if kind not in {rule.layer for rule in ACCEPTED}:
        known = ", ".join(sorted({rule.layer for rule in ACCEPTED}))
        return [f"{kind} neurons have no counterpart; retrain with one of {known}"]
    return [*_rule_problems(layer), *_option_problems(layer), *_number_problems(layer)]


def rule_of(layer: Any) -> Rule:
    """Return the options of a layer on which its equations depend."""
    delay = getattr(layer, "reset_delay", None)
    rule = Rule(kind_of(layer), layer.reset_mechanism, delay)
    return rule if rule in ACCEPTED or rule in REFUSED else rule._replace(reset_delay=None)


def rules(layer: Any, shape: tuple[int, ...], read: bool) -> Rules:
    """Return the counterpart of a layer without `problems`, whose neurons have this shape; ``read``: its spikes go nowhere.

    Raises KeyError for what `problems` refuses, UnsupportedError for parameters that do not fit the shape.
    """
    counterpart = _counterpart(layer, read)
    decay_v, gain = _leak(layer)
    alpha = _array(layer.alpha.clamp(0, 1)) if hasattr(layer, "alpha") and counterpart.current else np.zeros(())
    threshold, decay_u = _array(layer.threshold), 1 - alpha
    message = _array(layer.graded_spikes_factor)
    named = {"threshold": threshold, "alpha": decay_u, "beta": decay_v, "R": gain, "graded_spikes_factor": message}
    threshold, decay_u, decay_v, gain, message = (_per_neuron(values, shape, name) for name, values in named.items())
    again = decay_v * threshold if counterpart.decays else np.zeros(())
    return Rules(counterpart.model, threshold, decay_u, decay_v, gain, message, again, tuple(_notes(layer)))


def _counterpart(layer: Any, read: bool) -> earlier.Counterpart:
    """Return the neuron of ours for a layer without `problems`."""
    old = isinstance(layer, earlier.Earlier)
    if read and layer.reset_mechanism == "none":
        return earlier.Counterpart(READOUT, current=not (old and kind_of(layer) == "Synaptic" and layer.init_hidden))
    return earlier.ACCEPTED[earlier.rule_of(layer)] if old else earlier.Counterpart(ACCEPTED[rule_of(layer)])


def stepped_otherwise(layer: Any) -> bool:
    """Return whether a layer without `problems` had other equations in snnTorch 0.6 and 0.7."""
    before, now = earlier.rule_of(layer), rule_of(layer)
    hidden_current = kind_of(layer) == "Synaptic" and bool(layer.init_hidden)
    if layer.reset_mechanism == "none":
        return hidden_current
    old = earlier.ACCEPTED.get(before)
    return old is None or old.decays or hidden_current or old.model != ACCEPTED.get(now)


def _leak(layer: Any) -> tuple[Floats, Floats]:
    """Return (decay of v, factor of the input)."""
    if kind_of(layer) != "Lapicque":
        return 1 - _array(layer.beta.clamp(0, 1)), np.ones(())
    r, c, step = (_array(x) for x in (layer.R, layer.C, layer.time_step))
    return step / (r * c), r * (1 / (r * c)) * step


def _rule_problems(layer: Any) -> Iterator[str]:
    rule = rule_of(layer)
    if isinstance(layer, earlier.Earlier):
        if why := earlier.problem(layer):
            yield why
    elif rule in REFUSED:
        yield f"reset_mechanism={rule.reset!r} with reset_delay={rule.reset_delay} cannot be mapped: {REFUSED[rule]}"
    if rule.reset == "none" and rule.layer in RECURRENT:
        yield f"reset_mechanism='none' cannot be mapped: {NO_RESET}"
    runs = _FUNCTIONS.get(layer.state_function.__name__, "another")
    held = list(layer.reset_dict)[int(layer.reset_mechanism_val)]
    if {runs, held} != {rule.reset}:
        yield (
            f"was made with reset {runs!r} and now says {rule.reset!r} (in its weights: {held!r}), which snnTorch mixes;"
            " make it with the reset that it was trained with"
        )


def _option_problems(layer: Any) -> Iterator[str]:
    if layer.inhibition:
        yield "inhibition=True lets only one neuron fire, which compares all of them; retrain without"
    if layer.state_quant:
        yield "state_quant rounds its states; leave it out and let snnc quantise round them"
    points = torch.tensor([-1.0, -1e-6, 0.0, 1e-6, 1.0])
    try:
        fires = torch.equal(layer.spike_grad(points).detach().float(), (points > 0).float())
    except Exception as error:  # whatever a function of the user's own raises
        yield f"its spike_grad fails: {(str(error).splitlines() or [type(error).__name__])[0]}; use one whose forward is x > 0"
        return
    if not fires:
        yield "its spike_grad does not fire exactly where the membrane exceeds the threshold; use one whose forward is x > 0"


def _number_problems(layer: Any) -> Iterator[str]:
    named = {name: _array(getattr(layer, name)) for name in ("threshold", "graded_spikes_factor", "beta", "alpha")
             if hasattr(layer, name)}  # fmt: skip
    for name, value in named.items():
        if not value.size:
            yield f"has a {name} of shape {value.shape}, which holds no number; give one for all, or one for each neuron"
            return
        if not np.isfinite(value).all():
            yield f"has a {name} that is NaN or infinite"
            return
    if not named["graded_spikes_factor"].all():
        yield "has a graded_spikes_factor of 0, with which spikes say nothing; retrain with another"
    if named["threshold"].min() < 0:
        yield f"has a threshold of {named['threshold'].min():.6g}; thresholds are 0 or more, retrain with such"
    decay, _ = _leak(layer)
    if decay.min() < 0 or decay.max() > 1 or not np.isfinite(decay).all():
        yield f"keeps {1 - decay.max():.6g} of its membrane in a step, expected 0 to 1; retrain with time_step <= R * C"


def _notes(layer: Any) -> Iterator[str]:
    for name in ("beta", "alpha"):
        value = _array(getattr(layer, name, torch.zeros(())))
        clipped = np.clip(value, 0, 1)
        if kind_of(layer) == "Lapicque" and name == "beta":
            yield "snnTorch steps Lapicque with 1 - time_step / (R * C), not with beta; so does the network"
        elif (value != clipped).any():
            yield f"{name} {value.min():.6g} .. {value.max():.6g} is clipped to 0 .. 1, as snnTorch does in every step"
        elif (1 - (1 - value) != value).any():
            yield f"{name} is rounded by less than 2**-53, as the decay 1 - {name} is what is stored"


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _per_neuron(value: Floats, shape: tuple[int, ...], name: str) -> Floats:
    """Return shape () if all neurons share one value, else (n,), as torch would broadcast it to (batch, *shape)."""
    if value.size == 1:
        return value.reshape(())
    try:
        return np.ascontiguousarray(np.broadcast_to(value, (1, *shape))).reshape(-1)
    except ValueError as error:
        raise UnsupportedError(
            f"has a {name} of shape {value.shape} for neurons of shape {shape}; give one for all, or one for each neuron"
        ) from error

"""Import of snnTorch modules: the network fires the spikes of the module in float64, for every option that is accepted."""

import inspect

import numpy as np
import pytest

from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
from cases.snntorch_models import INPUTS, NEURONS, Layered, in_float64, linear, must_be_equal, raster, same_spikes  # noqa: E402
from snntorch import surrogate  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.training.from_snntorch.neurons import ACCEPTED, REFUSED, rule_of  # noqa: E402

RNG = np.random.default_rng(3)


def spread(low, high, n=NEURONS):
    """One value a neuron, (n,)."""
    return torch.from_numpy(RNG.uniform(low, high, n))


LEAKY = {
    "zero": {"reset_mechanism": "zero"},
    "zero, no delay": {"reset_mechanism": "zero", "reset_delay": False},
    "subtract": {},
    "beta below 1/2": {"beta": 0.3, "reset_mechanism": "zero"},
    "beta a neuron": {"beta": spread(0.5, 0.99), "reset_mechanism": "zero"},
    "beta below 1/2 a neuron": {"beta": spread(0.05, 0.5)},
    "beta learned": {"beta": 0.8, "learn_beta": True},
    "beta clipped": {"beta": spread(-0.2, 1.1), "reset_mechanism": "zero"},
    "threshold a neuron": {"threshold": spread(0.5, 2.0)},
    "threshold learned": {"threshold": 1.5, "learn_threshold": True, "reset_mechanism": "zero"},
    "surrogate disabled": {"surrogate_disable": True},
    "another surrogate": {"spike_grad": surrogate.fast_sigmoid(slope=10)},
    "hidden": {"init_hidden": True},
    "hidden, output": {"init_hidden": True, "output": True, "reset_mechanism": "zero"},
}


@pytest.mark.parametrize("options", LEAKY.values(), ids=LEAKY)
def test_leaky(options):
    same_spikes(Layered(linear(INPUTS, NEURONS), snn.Leaky(**{"beta": 0.9, **options})), raster())


SYNAPTIC = {
    "zero": {"reset_mechanism": "zero"},
    "zero, no delay": {"reset_mechanism": "zero", "reset_delay": False},
    "subtract": {},
    "alpha and beta a neuron": {"alpha": spread(0.1, 0.9), "beta": spread(0.3, 0.95), "reset_mechanism": "zero"},
    "learned": {"learn_alpha": True, "learn_beta": True, "learn_threshold": True},
    "alpha clipped": {"alpha": -0.5, "reset_mechanism": "zero", "reset_delay": False},
    "threshold a neuron": {"threshold": spread(0.5, 3.0), "reset_mechanism": "zero", "reset_delay": False},
    "hidden": {"init_hidden": True, "reset_mechanism": "zero"},
    "hidden, output, other surrogate": {"init_hidden": True, "output": True, "spike_grad": surrogate.atan(alpha=3.0)},
    "surrogate disabled": {"surrogate_disable": True, "reset_mechanism": "zero"},
}


@pytest.mark.parametrize("options", SYNAPTIC.values(), ids=SYNAPTIC)
@pytest.mark.parametrize("bias", [False, True])
def test_synaptic(options, bias):
    layer = snn.Synaptic(**{"alpha": 0.5, "beta": 0.8, **options})
    same_spikes(Layered(linear(INPUTS, NEURONS, bias=bias, drive=0.2), layer), raster())


LAPICQUE = {
    "zero, R and C": {"R": 2.0, "C": 3.0, "reset_mechanism": "zero"},
    "subtract, R and C": {"R": 5.1, "C": 1.44, "threshold": 1.5},
    "beta": {"beta": 0.6, "threshold": 1.0},
    "beta and R": {"beta": 0.6, "R": 2.0, "reset_mechanism": "zero"},
    "hidden, learned": {"beta": 0.6, "init_hidden": True, "output": True, "learn_beta": True, "learn_threshold": True,
                        "threshold": spread(0.8, 1.6), "spike_grad": surrogate.sigmoid()},
    "surrogate disabled": {"R": 2.0, "C": 3.0, "surrogate_disable": True, "reset_mechanism": "zero"},
    "time step": {"R": 4.0, "C": 2.0, "time_step": 0.5, "reset_mechanism": "zero"},
}  # fmt: skip


@pytest.mark.parametrize("options", LAPICQUE.values(), ids=LAPICQUE)
def test_lapicque(options):
    same_spikes(Layered(linear(INPUTS, NEURONS, drive=0.9), snn.Lapicque(**{"threshold": 0.4, **options})), raster())


def recurrent(layer, scale=0.05):
    """With weaker recurrent weights than torch begins with, so that the layer neither dies nor saturates."""
    with torch.no_grad():
        for weight in layer.recurrent.parameters():
            weight.mul_(scale * 20 / np.sqrt(weight.shape[-1]) if weight.dim() > 1 else 1)
    return layer


RLEAKY = {
    "zero, all to all": {"linear_features": NEURONS, "reset_mechanism": "zero"},
    "zero, no delay, all to all": {"linear_features": NEURONS, "reset_mechanism": "zero", "reset_delay": False},
    "subtract, all to all": {"linear_features": NEURONS},
    "zero, one V": {"all_to_all": False, "V": -0.4, "reset_mechanism": "zero"},
    "subtract, V a neuron": {"all_to_all": False, "V": spread(-0.6, 0.3)},
    "not learned, hidden": {"all_to_all": False, "V": -0.2, "learn_recurrent": False, "init_hidden": True},
    "a neuron, learned, output": {"all_to_all": False, "V": spread(-0.4, 0.2), "beta": spread(0.3, 0.9), "init_hidden": True,
                                  "threshold": spread(0.5, 1.5), "learn_beta": True, "learn_threshold": True, "output": True},
    "surrogate disabled": {"all_to_all": False, "V": -0.2, "surrogate_disable": True, "reset_mechanism": "zero"},
    "other surrogate": {"all_to_all": False, "V": -0.2, "spike_grad": surrogate.triangular()},
}  # fmt: skip
RSYNAPTIC = {name: options for name, options in RLEAKY.items() if options.get("reset_delay", True)} | {
    "alpha a neuron, learned": {
        "all_to_all": False,
        "V": -0.2,
        "reset_delay": True,
        "alpha": spread(0.1, 0.6),
        "learn_alpha": True,
    },
}


@pytest.mark.parametrize("options", RLEAKY.values(), ids=RLEAKY)
def test_rleaky(options):
    same_spikes(Layered(linear(INPUTS, NEURONS), recurrent(snn.RLeaky(**{"beta": 0.8, **options}))), raster())


@pytest.mark.parametrize("options", RSYNAPTIC.values(), ids=RSYNAPTIC)
def test_rsynaptic(options):
    layer = recurrent(snn.RSynaptic(**{"alpha": 0.5, "beta": 0.7, **options}))
    same_spikes(Layered(linear(INPUTS, NEURONS, drive=0.25), layer), raster())


TRIED = {snn.Leaky: LEAKY, snn.Synaptic: SYNAPTIC, snn.Lapicque: LAPICQUE, snn.RLeaky: RLEAKY, snn.RSynaptic: RSYNAPTIC}
NOT_TAKEN = {"inhibition", "state_quant"}  # test_import_refusals.py
BESIDE = {"graded_spikes_factor", "learn_graded_spikes_factor"}  # below, as they are of the next layer's weights
BESIDE |= {"conv2d_channels", "kernel_size"}  # test_import_graph.py


@pytest.mark.parametrize("kind", TRIED, ids=lambda kind: kind.__name__)
def test_every_option_that_snntorch_has_is_tried(kind):
    options = set(inspect.signature(kind.__init__).parameters) - {"self"}
    tried = {name for case in TRIED[kind].values() for name in case}
    assert options - NOT_TAKEN - BESIDE <= tried


KINDS = {
    "Leaky": lambda **options: snn.Leaky(0.8, **options),
    "Synaptic": lambda **options: snn.Synaptic(0.3, 0.8, **options),
    "Lapicque": lambda reset_delay, **options: snn.Lapicque(R=2.0, C=1.5, **options),
    "RLeaky": lambda **options: snn.RLeaky(0.8, all_to_all=False, V=-0.3, **options),
    "RSynaptic": lambda **options: snn.RSynaptic(0.3, 0.8, all_to_all=False, V=-0.3, **options),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("delay", [True, False])
def test_every_reset_is_mapped_exactly_or_refused(kind, reset, delay):
    """The tables say all: what is in `ACCEPTED` fires the same spikes, everything else is refused where its spikes go on."""
    layer = KINDS[kind](reset_mechanism=reset, reset_delay=delay)
    module = Layered(linear(INPUTS, NEURONS, drive=0.4), layer, linear(NEURONS, NEURONS, drive=0.2), snn.Leaky(0.7))
    if rule_of(layer) in ACCEPTED:
        imported = same_spikes(module, raster(), enough=2 * NEURONS * 400)
        assert imported.network["layers_1"].neuron.model() == ACCEPTED[rule_of(layer)]
        return
    assert rule_of(layer) in REFUSED or reset == "none"
    with pytest.raises(UnsupportedError, match=r"layers\.1.*retrain with"):
        read_module(in_float64(module), ImportConfig(time_axis="first"))


def test_a_recurrent_spike_comes_a_step_later():
    imported = same_spikes(
        Layered(linear(INPUTS, NEURONS), snn.RLeaky(beta=0.8, all_to_all=False, V=-0.4, reset_mechanism="zero")), raster()
    )
    own = imported.network.connections[-1]
    assert (own.src, own.dst, own.delay_steps, own.op.synapse_count) == ("layers_1", "layers_1", 1, NEURONS)


@pytest.mark.parametrize("factor", [0.5, spread(0.5, 2.0), torch.tensor(-0.7)], ids=["one", "a neuron", "negative"])
def test_graded_spikes_become_weights(factor):
    first = snn.Leaky(0.9, reset_mechanism="zero", graded_spikes_factor=factor, learn_graded_spikes_factor=True)
    drive = 0.2 if torch.as_tensor(factor).min() > 0 else -0.3
    second = linear(NEURONS, NEURONS, seed=1, drive=drive, spread=3.0)
    same_spikes(Layered(linear(INPUTS, NEURONS), first, second, snn.Leaky(0.8)), raster(), enough=2 * NEURONS * 400)


def test_ties_with_the_threshold_are_decided_alike():
    """On a grid of powers of two nothing is rounded, so that membranes meet the threshold exactly, again and again."""
    fc = linear(INPUTS, NEURONS)
    with torch.no_grad():
        fc.weight.copy_((fc.weight * 8).round() / 8)
        fc.bias.copy_((fc.bias * 8).round() / 8)
    for options in ({"reset_mechanism": "zero"}, {}):
        same_spikes(Layered(fc, snn.Leaky(1.0, threshold=2.0, **options)), raster(rate=0.2))


def test_silent_and_saturated_rasters_prove_nothing():
    quiet, busy = np.zeros((1, 50, 9), np.uint8), np.ones((1, 50, 9), np.uint8)
    for nothing in (quiet, busy):
        with pytest.raises(AssertionError, match="proves little"):
            must_be_equal(nothing, nothing)
    some = quiet.copy()
    some[0, ::4] = 1
    must_be_equal(some, some)
    other = some.copy()
    other[0, 3, 3] ^= 1
    with pytest.raises(AssertionError, match="1 of 450 slots differ"):
        must_be_equal(some, other)
    with pytest.raises(AssertionError, match="proves little"):
        same_spikes(Layered(linear(INPUTS, NEURONS), snn.Leaky(0.9, threshold=1e6)), raster(20))


def test_a_sequential_of_hidden_states():
    given = raster()
    module = nn.Sequential(
        linear(INPUTS, NEURONS, drive=0.3), nn.BatchNorm1d(NEURONS), nn.Dropout(0.5),
        snn.Leaky(0.9, init_hidden=True, reset_mechanism="zero"),
        linear(NEURONS, 50, seed=1, drive=0.2), snn.Leaky(0.8, init_hidden=True, output=True),
    )  # fmt: skip
    norm = module[1]
    with torch.no_grad():
        for values, low in ((norm.running_mean, -0.2), (norm.running_var, 0.5), (norm.weight, 0.5), (norm.bias, 0.2)):
            values.copy_(spread(low, low + 0.5))

    same_spikes(module, given, ImportConfig(), enough=450 * 400)

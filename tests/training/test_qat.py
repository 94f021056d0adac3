"""Torch computes the chip's integers, and fine-tuning keeps exactly what torch computed."""

from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.graphs import graph
from cases.lava_networks import rasters
from cases.networks import LOIHI, conv_net, float_chain

from snnc import chips, data, neurons
from snnc.analysis.current_bounds import current_bound
from snnc.errors import NetworkError, UnsupportedError
from snnc.network.arithmetic import Float
from snnc.network.encoding import Encoding, encode
from snnc.network.op import weight_grid
from snnc.passes.quantise import QuantiseConfig, quantise
from snnc.passes.scaling import encode_parameter
from snnc.simulation.reference import simulate

torch = pytest.importorskip("torch", reason="torch is not installed")
from snnc.training.arithmetic import DTYPE, TorchFixed, with_tensors  # noqa: E402
from snnc.training.quantised.finetune import finetune, judging, latent_weights  # noqa: E402
from snnc.training.quantised.integer import IntegerModel  # noqa: E402
from snnc.training.settings import FinetuneConfig  # noqa: E402

CHIP = chips.load("loihi1")
STEPS, SAMPLES, N = 200, 4, 16


def integer_neuron(name, scale, rng):
    """An instance with random integers, one a neuron, for every parameter."""
    model = neurons.get(name)
    example = model.example()
    spread = {p: np.broadcast_to(getattr(example, p), N) * rng.uniform(0.5, 1.0, N) for p in model.parameters()}
    meta = {p: f.metadata for p, f in model.parameters().items()}
    return model(**{p: encode_parameter(v, meta[p]["unit"], meta[p]["offset"], scale, LOIHI) for p, v in spread.items()})


def states_of(neuron, arith, currents, make):
    state = {s.name: make(np.full((SAMPLES, N), s.initial)) for s in neuron.states}
    trace = []
    for current in currents:
        state, spikes = neuron.step(state, make(current), arith)
        trace.append([*(np.asarray(state[k].detach() if hasattr(state[k], "detach") else state[k]) for k in neuron.variables()),
                      np.asarray(spikes.detach() if hasattr(spikes, "detach") else spikes)])  # fmt: skip
    return np.array(trace)


@pytest.mark.parametrize("reach", [400, 60_000], ids=["usual", "wrapping"])
@pytest.mark.parametrize("name", neurons.names())
def test_torch_computes_the_integers_of_the_reference(name, reach):
    rng = np.random.default_rng(reach)
    neuron = integer_neuron(name, 300.0 if reach == 400 else 50_000.0, rng)
    currents = rng.integers(-reach, reach + reach // 4, (STEPS, SAMPLES, N))
    if reach > 400:
        currents *= 4  # far enough for u to wrap and for v to saturate
    want = states_of(neuron, LOIHI, currents, lambda x: x.astype(np.int64))
    got = states_of(with_tensors(neuron), TorchFixed(fixed=LOIHI), currents, lambda x: torch.tensor(x, dtype=DTYPE))
    assert (want == got).all()
    assert (want[:, -1].sum() > 100) == neuron.rule.fires
    if reach > 400:
        lifted = currents * 64
        assert (np.abs(lifted) > LOIHI.state_limit).any()
        at = neuron.variables().index(neuron.readout)  # of a resonator no input drives it so far
        assert (np.abs(want[:, at]) == LOIHI.state_limit - 1).any() or neuron.current_decay is None


def test_the_edges_of_wrap_and_saturation_are_the_same():
    limit = LOIHI.state_limit
    edges = np.array([limit, limit + 1, -limit, -limit - 1, 1 - limit, limit - 1, 0])
    a = TorchFixed(fixed=LOIHI)
    for name in ("wrap", "saturate"):
        assert (getattr(a, name)(torch.tensor(edges, dtype=DTYPE)).numpy() == getattr(LOIHI, name)(edges)).all()
    for exponent in (-8, -1, 0, 7):
        assert (a.shift(torch.tensor(edges, dtype=DTYPE), exponent).numpy() == LOIHI.shift(edges, exponent)).all()


@pytest.mark.parametrize("name", neurons.names())
def test_gradients_reach_the_input_through_time(name):
    neuron = with_tensors(integer_neuron(name, 300.0, np.random.default_rng(0)))
    first = torch.full((SAMPLES, N), 90.0, dtype=DTYPE, requires_grad=True)
    state = {s.name: torch.full((SAMPLES, N), s.initial, dtype=DTYPE) for s in neuron.states}
    for current in (first, torch.full((SAMPLES, N), 10.0, dtype=DTYPE)):
        state, spikes = neuron.step(state, current, TorchFixed(fixed=LOIHI))
    (spikes if neuron.rule.fires else state[neuron.readout]).sum().backward()
    assert (first.grad > 0).all()


def both(fixed, float_net, images):
    """(integers of the reference, integers of torch): spikes by population."""
    raster = encode(fixed.encoding, images)
    model = IntegerModel(fixed, latent_weights(float_net, fixed))
    with torch.no_grad():
        got = model.spikes(torch.from_numpy(raster).float() * fixed.encoding.unit)
    return simulate(fixed, {"input": raster}).spikes, {k: v.numpy() for k, v in got.items()}


@pytest.mark.parametrize("model", ["lif", "cuba"])
@pytest.mark.parametrize("kind", ["rate", "constant"])
@pytest.mark.parametrize("negative", [False, True])
def test_the_torch_model_spikes_as_the_quantised_network_does(model, kind, negative):
    net = float_chain(4, (64, 30, 10), model=model, density=0.4)
    net = replace(net, encoding=Encoding(kind, 12, 4))
    if kind == "constant":
        first = net.connections[0]
        scaled = first.op.synapses.with_values(first.op.synapses.values * net.encoding.unit)
        net = replace(net, populations=(replace(net.populations[0], message_bits=8), *net.populations[1:]),
                      connections=(replace(first, op=replace(first.op, synapses=scaled)), *net.connections[1:]))  # fmt: skip
    fixed = quantise(net, CHIP, QuantiseConfig(negative_exponents=negative))
    want, got = both(fixed, net, np.random.default_rng(0).integers(0, 256, (9, 64)).astype(np.uint8))
    for name, raster in got.items():
        assert raster.sum() > 50
        assert (raster == want[name]).all(), name


def with_delay(net, steps):
    return replace(net, connections=(*net.connections[:-1], replace(net.connections[-1], delay_steps=steps)))


def test_delays_are_kept_in_torch():
    net = with_delay(float_chain(4, (64, 30, 10)), 3)
    want, got = both(quantise(net, CHIP), net, np.random.default_rng(0).integers(0, 256, (9, 64)).astype(np.uint8))
    assert want["output"].sum() > 50
    assert (want["output"] == got["output"]).all()


ROUNDED = {
    **{f"graph of {name}": lambda name=name: graph(1, model=name, readout="li", inputs=2) for name in neurons.names()},
    "convolutions": lambda: convolutional(Float(), 2, delays=True),
    "strided": lambda: conv_net(3),
}


@pytest.mark.parametrize("case", ROUNDED)
def test_any_network_computes_its_integers_in_torch(case):
    """Loops, delays, several inputs, every operator and neuron; of readouts the voltages, too."""
    net = ROUNDED[case]()
    fixed = quantise(net, CHIP)
    inputs = rasters(fixed, 0, 4, net.encoding.steps)
    want, model = simulate(fixed, inputs), IntegerModel(fixed, latent_weights(net, fixed))
    with torch.no_grad():
        spikes, voltages = model.run({name: torch.from_numpy(x.astype(np.float64)) * model.unit for name, x in inputs.items()})
    for name, got in spikes.items():
        assert (got.numpy() == want.spikes[name]).all(), name
    for name, got in voltages.items():
        assert (got.numpy() == want.states[name]["v"]).all(), name
    assert sum(raster.sum() for raster in want.spikes.values()) > 200


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "train").first(600)


@pytest.fixture(scope="module")
def coarse():
    """A pruned, untrained network for the digits and its integers, made coarse by few weight bits."""
    net = replace(float_chain(1, (64, 40, 10), density=0.3), encoding=Encoding("rate", 8, 0))
    return net, quantise(net, CHIP)


def test_epochs_are_compared_by_samples_of_every_class(digits):
    """Also where one class follows the other in the data set."""
    in_order = digits.of(np.argsort(digits.labels, kind="stable"))
    many = in_order.of(np.repeat(np.arange(len(digits)), 20))  # 12,000
    for part, fewest, most in ((0.25, 3000, 3010), (0.001, 1000, 1010)):
        chosen = judging(many, part)
        assert fewest <= len(chosen) <= most
        counts = np.bincount(chosen.labels) / np.bincount(many.labels)
        assert np.ptp(counts) < 0.001
    assert len(judging(in_order, 0.1)) == len(digits), "all there are"


def test_fine_tuning_helps_and_keeps_synapses_scale_and_grid(coarse, digits):
    net, fixed = coarse
    tuned = finetune(net, fixed, digits, FinetuneConfig(epochs=4, lr=0.02, batch_size=32, threads=1))
    stage = tuned.done[-1]
    assert stage.name == "finetune"
    assert stage.settings["validation_accuracy"] > stage.settings["validation_accuracy_before"] + 0.3
    assert tuned.populations == fixed.populations
    for c, before in zip(tuned.connections, fixed.connections, strict=True):
        assert (c.op.synapses.indices == before.op.synapses.indices).all()
        assert (c.op.synapses.indptr == before.op.synapses.indptr).all()
        assert (c.op.exponent, c.op.sign_mode) == (before.op.exponent, before.op.sign_mode)
        assert set(c.op.synapses.values.tolist()) <= set(weight_grid(LOIHI, c.op.sign_mode))
        assert (c.op.synapses.values != before.op.synapses.values).any()
    assert not any(bound.wraps for bound in current_bound(tuned).values())


def test_what_is_kept_is_what_torch_computed(coarse, digits):
    net, fixed = coarse
    model = IntegerModel(fixed, latent_weights(net, fixed))
    with torch.no_grad():
        for weights in model.integers.values():
            weights.latent.mul_(1.7).add_(0.01)
    model.project()
    raster = encode(fixed.encoding, digits.images[:30])
    with torch.no_grad():
        got = model.spikes(torch.from_numpy(raster).float())
    run = simulate(model.frozen(), {"input": raster})
    assert run.spikes["output"].sum() > 50
    for name, spikes in got.items():
        assert (spikes.numpy() == run.spikes[name]).all(), name
    reached = [c.op.synapses.values for c in model.frozen().connections]
    assert any(values.max() == 254 or values.min() == -256 for values in reached)


def test_no_better_epoch_means_the_network_stays_as_it_was(coarse, digits):
    net, fixed = coarse
    tuned = finetune(net, fixed, digits.first(100), FinetuneConfig(epochs=1, lr=0.0, threads=1))
    assert tuned.hash == fixed.hash
    assert tuned.done[-1].settings["kept_epoch"] == 0


def test_fine_tuning_is_deterministic(coarse, digits):
    config = FinetuneConfig(epochs=1, lr=0.02, batch_size=32, threads=1)
    a, b = (finetune(*coarse, digits, config) for _ in range(2))
    assert a.hash == b.hash
    assert a.hash != coarse[1].hash


@pytest.mark.parametrize(
    ("networks", "error", "message"),
    [
        (lambda a, b: (float_chain(1, (64, 41, 10)), b), NetworkError, "is not in the float network"),
        (lambda a, b: (float_chain(2, (64, 40, 10), density=0.1), b), NetworkError, "synapses that the float network lacks"),
        (lambda a, b: (a, replace(b, done=())), UnsupportedError, "was not made by quantise"),
        (lambda a, b: (a, replace(b, encoding=None)), NetworkError, "says no encoding"),
    ],
)
def test_networks_that_do_not_belong_together_are_refused(coarse, digits, networks, error, message):
    with pytest.raises(error, match=message):
        finetune(*networks(*coarse), digits, FinetuneConfig(epochs=1, threads=1))

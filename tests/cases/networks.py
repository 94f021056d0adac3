"""Networks and inputs that the tests share. No test builds a network by hand."""

from dataclasses import replace

import numpy as np

from snnc import neurons
from snnc.network.arithmetic import Fixed
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.network.units import BIAS, DECAY, STEPS
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense

LOIHI = Fixed(
    profile="loihi1", weight_bits=8, weight_exponent_min=-8, weight_exponent_max=7, decay_bits=12, threshold_bits=17,
    bias_mantissa_bits=13, bias_exponent_max=7, state_bits=24, state_shift=6,
)  # fmt: skip

CATALYST = replace(LOIHI, profile="catalyst_n1", weight_exponent_min=0, threshold_bits=15, state_bits=16, state_shift=0)
SYNTZULU = replace(
    CATALYST, profile="syntzulu", weight_exponent_min=-1, weight_exponent_max=-1, bias_mantissa_bits=2, bias_exponent_max=0
)
XYLO = replace(SYNTZULU, profile="xylo_audio2", decay_bits=15, bias_mantissa_bits=16)
CHIPS = {
    "catalyst_n1": ("catalyst", CATALYST),
    "syntzulu": ("lif", SYNTZULU),
    "xylo": ("xylo", XYLO),
}  # targets that take one neuron in their own numbers -> that neuron and those


def fixed_dense(rng, n_dst, n_src, *, density=0.5, sign_mode="mixed", exponent=0, numeric=LOIHI):
    """A random integer operator on the legal grid, with at least one synapse a row."""
    grid = np.array(weight_grid(numeric, sign_mode))
    weight = rng.choice(grid[grid != 0], (n_dst, n_src))
    mask = rng.random((n_dst, n_src)) < density
    mask[np.arange(n_dst), rng.integers(0, n_src, n_dst)] = True
    return Dense(Synapses.from_dense(weight, mask), exponent, sign_mode)


def fixed_neuron(model, threshold=300, bias=0, half=True, numeric=LOIHI):
    """The example of any neuron model in the chip's integers; what forgets at once keeps ``half``, so that it has a past."""
    example, values = neurons.get(model).example(), {}
    for name, f in example.parameters().items():
        unit, value = f.metadata["unit"], getattr(example, name)
        value = 0.5 if half and unit is DECAY and value == 1 else value
        values[name] = np.int64(np.rint(value * unit.per_float(threshold, numeric)))
        values[name] = {BIAS: np.int64(bias), STEPS: np.int64(2)}.get(unit, values[name])
    return type(example)(**values)


def of_layer(model, name):
    """The model of a layer: readouts, which never fire, are the output only."""
    return model if name == "output" or neurons.get(model).rule.fires else "lif"


def fixed_chain(
    seed=0, sizes=(12, 20, 5), *, threshold=300, density=0.5, model="lif", bias=0, steps=16, exponent=0, numeric=LOIHI
):
    """A feed-forward integer network that spikes on `spikes`."""
    rng = np.random.default_rng(seed)
    names = ["input", *(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
    populations = [Population(names[0], (sizes[0],), None)]
    for name, n in zip(names[1:], sizes[1:], strict=True):
        populations.append(Population(name, (n,), fixed_neuron(of_layer(model, name), threshold, bias, numeric=numeric)))
    connections = [
        Connection(
            f"fc{i}",
            names[i - 1],
            names[i],
            fixed_dense(rng, sizes[i], sizes[i - 1], density=density, exponent=exponent, numeric=numeric),
        )
        for i in range(1, len(sizes))
    ]
    return Network("case", tuple(populations), tuple(connections), 1e-3, numeric, Encoding("rate", steps, seed))


def chain_for(target, *words, bias=0, model=None, **options):
    """`fixed_chain` of neurons and numbers that a target takes; ``bias`` is given in the units of `LOIHI`."""
    own, numeric = CHIPS.get(target, ("lif", LOIHI))
    bias = bias >> LOIHI.state_shift - numeric.state_shift if numeric.bias_exponent_max else 0
    options = {"exponent": min(numeric.weight_exponent_max, 0), **options}
    options = {"density": 0.25, **options} if target == "xylo" else options
    net = fixed_chain(*words, bias=bias, model=own if target in CHIPS else model or own, numeric=numeric, **options)
    return with_readout_of_xylo(net) if target == "xylo" else net


def with_readout_of_xylo(net):
    """A network whose output has the neurons of Xylo's readout."""
    own = neurons.get("xylo_output")(**{name: getattr(net.output.neuron, name) for name in net.output.neuron.parameters()})
    output = replace(net.output, neuron=own)
    return replace(net, populations=tuple(output if p.name == output.name else p for p in net.populations))


def float_chain(seed=0, sizes=(12, 20, 5), *, density=1.0, model="lif", steps=16):
    """A feed-forward float network that spikes on `spikes`."""
    rng = np.random.default_rng(seed)
    names = ["input", *(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
    populations = [Population(names[0], (sizes[0],), None)]
    populations += [
        Population(n, (k,), neurons.get(of_layer(model, n)).example()) for n, k in zip(names[1:], sizes[1:], strict=True)
    ]
    connections = []
    for i in range(1, len(sizes)):
        weight = rng.normal(0.1, 1.5 / np.sqrt(sizes[i - 1] * density), (sizes[i], sizes[i - 1]))
        mask = rng.random(weight.shape) < density
        mask[:, 0] = True
        connections.append(Connection(f"fc{i}", names[i - 1], names[i], Dense(Synapses.from_dense(weight, mask))))
    return Network("case", tuple(populations), tuple(connections), 1e-3, encoding=Encoding("rate", steps, seed))


def spikes(net, samples=3, rate=0.3, seed=0, steps=None):
    """Random binary rasters for every input of a network."""
    rng = np.random.default_rng(seed + 1000)
    steps = steps or net.encoding.steps
    return {p.name: (rng.random((samples, steps, p.size)) < rate).astype(np.uint8) for p in net.inputs}


def fixed_loops(seed=0, sizes=(12, 20, 5), *, density=0.5):
    """`fixed_chain` with every shape of path: a recurrence, a loop of two hops, paths of unequal length, two in parallel."""
    rng = np.random.default_rng(seed + 1)
    net = fixed_chain(seed, sizes, density=density)
    first, last = net.populations[1].name, net.populations[-1].name
    extra = [
        ("again", first, first, 1),
        ("back", last, first, len(sizes)),
        ("skip", "input", last, 0),
        ("twin", "input", first, 3),
    ]
    wires = tuple(
        Connection(name, src, dst, fixed_dense(rng, net[dst].size, net[src].size, density=density), delay_steps)
        for name, src, dst, delay_steps in extra
    )
    return replace(net, connections=(*net.connections, *wires))


def conv_net(seed=0, planes=(2, 4, 6), side=8, *, density=0.3, outputs=5, steps=12):
    """A feed-forward float network of 3x3 convolutions, every second one with stride 2, and a dense output."""
    rng = np.random.default_rng(seed)
    populations, connections = [Population("input", (planes[0], side, side), None)], []
    for i, channels in enumerate(planes[1:]):
        last, stride = populations[-1], 1 + i % 2
        kernel = rng.normal(0.2, 0.5, (channels, last.shape[0], 3, 3))
        mask = rng.random(kernel.shape) < density
        mask[:, 0, 1, 1] = True
        op = Conv2d.from_kernel(kernel, last.shape, stride=stride, padding=1, mask=mask)
        populations.append(Population(f"conv{i + 1}", op.dst_shape, neurons.get("lif").example()))
        connections.append(Connection(f"c{i + 1}", last.name, populations[-1].name, op))
    size = populations[-1].size
    weight = rng.normal(0.1, 0.5, (outputs, size))
    mask = rng.random(weight.shape) < density
    mask[:, 0] = True
    populations.append(Population("output", (outputs,), neurons.get("lif").example()))
    connections.append(Connection("fc", populations[-2].name, "output", Dense(Synapses.from_dense(weight, mask))))
    return Network("conv", tuple(populations), tuple(connections), 1e-3, encoding=Encoding("rate", steps, seed))

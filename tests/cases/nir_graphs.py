"""NIR graphs as other tools write them, and a player of NIR's equations that shares nothing with the importer."""

from itertools import pairwise

import nir
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv1d, conv2d

FIRING = ("LIF", "IF", "CubaLIF", "Threshold")
NEURONS = (*FIRING, "LI", "CubaLI", "I")


def flat(graph, prefix=""):
    """(nodes, edges) of a graph with nested graphs laid out as graph.node."""
    nodes, edges = {}, []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            inside, wires = flat(node, f"{prefix}{name}.")
            nodes |= inside
            edges += wires
        else:
            nodes[prefix + name] = node

    def port(name, kind):
        node = graph.nodes[name]
        if not isinstance(node, nir.NIRGraph):
            return prefix + name
        return next(f"{prefix}{name}.{n}" for n, inner in node.nodes.items() if isinstance(inner, kind))

    return nodes, edges + [(port(a, nir.Output), port(b, nir.Input)) for a, b in graph.edges]


class Player:
    """Plays a NIR graph step by step: node -> what it sends in each step; a loop reads what was sent a step before."""

    def __init__(self, graph, dt, rule):
        self.nodes, self.edges = flat(graph)
        self.dt, self.rule = dt, rule
        self.u, self.v, self.sent, self.lines = {}, {}, {}, {}

    def play(self, raster):
        """(steps, ...) of the input -> {neuron: (steps, n) spikes, or voltages of those that do not fire}."""
        self.now = {}
        seen = {name: [] for name, node in self.nodes.items() if type(node).__name__ in NEURONS}
        for frame in raster:
            self.now, self.busy = {}, set()
            for name in ("output", *self.nodes):  # from the output on: a loop is cut where it leads back
                self.value(name, frame)
            for name, rows in seen.items():
                rows.append(np.ravel(self.now[name]))
            self.sent = dict(self.now)
        return {name: np.array(rows) for name, rows in seen.items()}

    def value(self, name, frame):
        if name in self.now:
            return self.now[name]
        if name in self.busy:
            return self.sent.get(name, np.zeros(self.nodes[name].output_type["output"]))
        self.busy.add(name)
        node = self.nodes[name]
        kind = type(node).__name__
        if kind == "Input" and not [a for a, b in self.edges if b == name]:
            found = frame
        else:
            found = getattr(self, f"_{kind}")(name, node, sum(self.value(a, frame) for a, b in self.edges if b == name))
        self.busy.discard(name)
        self.now[name] = found
        return found

    def leak(self, tau):
        return self.dt / tau if self.rule == "euler" else 1 - np.exp(-self.dt / tau)

    def fire(self, name, node, v):
        spikes = v > node.v_threshold
        self.v[name] = np.where(spikes, node.v_reset, v)
        return spikes.astype(float)

    def _LIF(self, name, node, x):
        v = self.v.get(name, node.v_reset)
        return self.fire(name, node, v + self.leak(node.tau) * (node.v_leak - v + node.r * x))

    def _IF(self, name, node, x):
        return self.fire(name, node, self.v.get(name, node.v_reset) + self.dt * node.r * x)

    def _current(self, name, node, x):
        u = self.u.get(name, 0.0)
        self.u[name] = u + self.leak(node.tau_syn) * (node.w_in * x - u)
        return self.u[name]

    def _CubaLIF(self, name, node, x):
        u, v = self._current(name, node, x), self.v.get(name, node.v_reset)
        return self.fire(name, node, v + self.leak(node.tau_mem) * (node.v_leak - v + node.r * u))

    def _CubaLI(self, name, node, x):
        u, v = self._current(name, node, x), self.v.get(name, 0.0)
        self.v[name] = v + self.leak(node.tau_mem) * (node.v_leak - v + node.r * u)
        return self.v[name]

    def _LI(self, name, node, x):
        v = self.v.get(name, 0.0)
        self.v[name] = v + self.leak(node.tau) * (node.v_leak - v + node.r * x)
        return self.v[name]

    def _I(self, name, node, x):
        self.v[name] = self.v.get(name, 0.0) + self.dt * node.r * x
        return self.v[name]

    def _Threshold(self, name, node, x):
        return (x > node.threshold).astype(float)

    def _Affine(self, name, node, x):
        return node.weight @ x + node.bias

    def _Linear(self, name, node, x):
        return node.weight @ x

    def _Scale(self, name, node, x):
        return node.scale * x

    def _Flatten(self, name, node, x):
        return np.ravel(x)

    def _Output(self, name, node, x):
        return x

    _Input = _Output

    def _Delay(self, name, node, x):
        line = self.lines.setdefault(name, [])
        line.append(np.asarray(x, float))
        steps = np.rint(node.delay / self.dt).astype(int)
        late = [np.where(steps < len(line), line[max(len(line) - 1 - k, 0)], 0.0) for k in range(steps.max() + 1)]
        return np.choose(steps, late) if steps.ndim else late[int(steps)]

    def _conv(self, function, node, x, pad):
        tensors = (torch.tensor(np.asarray(a, float)) for a in (np.asarray(x)[None], node.weight, node.bias))
        plain = {n: tuple(np.ravel(getattr(node, n)).tolist()) for n in ("stride", "dilation")}
        return function(*tensors, padding=pad, groups=int(node.groups), **plain)[0].numpy()

    def _Conv2d(self, name, node, x):
        return self._conv(
            conv2d, node, x, node.padding if isinstance(node.padding, str) else tuple(np.ravel(node.padding).tolist())
        )

    def _Conv1d(self, name, node, x):
        return self._conv(conv1d, node, x, int(node.padding))

    def _AvgPool2d(self, name, node, x):
        sizes = (tuple(np.ravel(getattr(node, n)).tolist()) for n in ("kernel_size", "stride", "padding"))
        return avg_pool2d(torch.tensor(np.asarray(x, float))[None], *sizes)[0].numpy()

    def _SumPool2d(self, name, node, x):
        return self._AvgPool2d(name, node, x) * np.prod(node.kernel_size)


def chain(*nodes, shape):
    """Nodes in a row between an input and an output, named by numbers as torch names them."""
    named = {"input": nir.Input(np.array(shape)), **{str(i): node for i, node in enumerate(nodes)}}
    named["output"] = nir.Output(None)
    names = list(named)
    return nir.NIRGraph(named, list(pairwise(names)), type_check=False)


def settled(graph):
    """The graph with the shapes that nir.write asks for. (nir 1.0.8 itself infers wrong ones for kernels that are not square.)"""
    player = Player(graph, 1.0, "exp")
    player.play(np.zeros((1, *graph.nodes["input"].input_type["input"])))
    for name, node in player.nodes.items():
        shape = next((np.array(np.shape(player.now[a])) for a, b in player.edges if b == name), None)
        if isinstance(node, nir.Flatten):
            node.input_type = {"input": shape}
        elif isinstance(node, nir.Output):
            node.output_type = {"output": shape}
        elif isinstance(node, nir.Conv2d):
            node.input_shape = shape[1:]
    return graph


def weights(rng, n_dst, n_src, mean=0.5):
    return (rng.normal(mean, 2.0, (n_dst, n_src)) / np.sqrt(n_src)).astype(np.float32)


def leaky(n, beta, threshold=1.0, dt=1e-4):
    """As snnTorch writes Leaky."""
    tau = np.full(n, dt / (1 - beta), np.float32)
    return nir.LIF(tau, tau / dt, np.zeros(n), np.full(n, threshold, np.float32), np.zeros(n))


def synaptic(n, alpha, beta, threshold=1.0, dt=1e-4):
    """As snnTorch writes Synaptic."""
    mem, syn = np.full(n, dt / (1 - beta), np.float32), np.full(n, dt / (1 - alpha), np.float32)
    return nir.CubaLIF(syn, mem, mem / dt, np.zeros(n), np.full(n, threshold, np.float32), np.zeros(n), syn / dt)


def recurrent(neuron, inner, n):
    """As snnTorch writes RLeaky and RSynaptic: a graph in the graph."""
    nodes = {"input": nir.Input(np.array([n])), "lif": neuron, "w_rec": inner, "output": nir.Output(np.array([n]))}
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def snntorch(rng):
    parts = [
        nir.Affine(weights(rng, 60, 30), rng.normal(0, 0.1, 60)),
        leaky(60, 0.9, 2.0),
        nir.Linear(weights(rng, 20, 60)),
        leaky(20, 0.8, 2.0),
    ]
    return chain(*parts, shape=[30]), 1e-4, "euler"


def snntorch_synaptic(rng):
    affine = nir.Affine(weights(rng, 60, 30, 0.1) / 3, rng.normal(0, 0.05, 60).astype(np.float32))
    return chain(affine, synaptic(60, 0.7, 0.9), nir.Linear(weights(rng, 20, 60)), leaky(20, 0.8), shape=[30]), 1e-4, "euler"


def snntorch_recurrent(rng):
    again = nir.Affine(weights(rng, 40, 40, -0.3), rng.normal(0, 0.1, 40))
    one = recurrent(leaky(40, 0.9), again, 40)
    two = recurrent(synaptic(20, 0.5, 0.8, 4.0), nir.Linear(np.diag(rng.normal(0, 0.5, 20))), 20)
    return chain(nir.Linear(weights(rng, 40, 30)), one, nir.Linear(weights(rng, 20, 40)), two, shape=[30]), 1e-4, "euler"


def norse(rng):
    one, leak = np.ones(50), rng.normal(0.1, 0.1, 50)
    lif = nir.LIF(rng.uniform(3e-3, 2e-2, 50), 4 * one, leak, 1.5 * one)
    cuba = nir.CubaLIF(one[:20] * 5e-3, one[:20] * 1e-2, 2 * one[:20], leak[:20], 1.5 * one[:20])
    li = nir.LI(np.full(5, 1e-2), np.ones(5), np.zeros(5))
    zeros = (np.zeros(50), np.zeros(20), np.zeros(5))
    sizes = [(50, 30), (20, 50), (5, 20)]
    a, b, c = (nir.Affine(weights(rng, *size, 1.0), zero) for size, zero in zip(sizes, zeros, strict=True))
    return chain(a, lif, b, cuba, c, li, shape=[30]), 1e-3, "euler"


def kernel(rng, *shape):
    return (rng.normal(0.3, 1.0, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def sinabs(rng):
    conv = nir.Conv2d(None, kernel(rng, 6, 2, 3, 2), (1, 2), (1, 0), (1, 1), 1, np.zeros(6, np.float32))
    first = nir.IF(np.ones((6, 9, 5)), np.full((6, 9, 5), 0.9), np.zeros((6, 9, 5)))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    second = nir.Conv2d(None, kernel(rng, 8, 3, 2, 2), 1, (0, 1), (2, 1), 2, rng.normal(0, 0.1, 8))
    lif = nir.LIF(np.full((8, 2, 3), 8.0), np.full((8, 2, 3), 4.0), np.zeros((8, 2, 3)), np.ones((8, 2, 3)), np.zeros((8, 2, 3)))
    last = nir.LIF(np.full(10, 5.0), np.full(10, 5.0), np.zeros(10), np.ones(10), np.zeros(10))
    tail = (nir.Flatten(None, 0, -1), nir.Linear(weights(rng, 10, 48)), last)
    return chain(conv, first, pool, second, lif, *tail, shape=[2, 9, 11]), 1.0, "exp"


def linear_maps(rng):
    """Layers with weights, pools and factors that follow each other without neurons between, with their biases."""
    conv = nir.Conv2d(None, kernel(rng, 4, 2, 3, 2), (1, 2), (1, 0), (1, 1), 1, rng.normal(0.05, 0.05, 4))
    average = nir.AvgPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0]))
    again = nir.Conv2d(None, kernel(rng, 6, 4, 2, 2), 1, 0, (1, 1), 2 // 2, np.zeros(6, np.float32))
    factors = nir.Scale(rng.uniform(2.0, 4.0, (6, 7, 3)))
    lif = nir.LIF(np.full((6, 7, 3), 8.0), np.full((6, 7, 3), 9.0), np.zeros((6, 7, 3)), np.ones((6, 7, 3)), np.zeros((6, 7, 3)))
    tail = (
        nir.Flatten(None, 0, -1),
        nir.Affine(weights(rng, 30, 126), rng.normal(0, 0.1, 30)),
        nir.Linear(weights(rng, 12, 30, 0.1)),
    )
    last = nir.LIF(np.full(12, 5.0), np.full(12, 5.0), np.zeros(12), np.ones(12), np.zeros(12))
    return chain(conv, average, again, factors, lif, *tail, last, shape=[2, 9, 11]), 1.0, "exp"


def spikingjelly(rng):
    dt = 1e-4
    conv = nir.Conv1d(20, kernel(rng, 4, 3, 5), 2, 2, 1, 1, np.zeros(4))
    neurons = nir.IF(np.full((4, 10), 1 / dt), np.ones((4, 10)), np.zeros((4, 10)))
    return (
        chain(conv, neurons, nir.Flatten(None, 0, -1), nir.Linear(weights(rng, 30, 40)), leaky(30, 0.5), shape=[3, 20]),
        dt,
        "euler",
    )


def potentials(rng):
    """Every parameter of every neuron by itself, resets and leaks other than 0."""
    n = 40
    some = lambda low, high: rng.uniform(low, high, n)  # noqa: E731
    lif = nir.LIF(some(2e-3, 9e-3), some(2, 5), some(-0.2, 0.3), some(0.6, 1.0), some(-0.3, 0.2))
    cuba = nir.CubaLIF(some(1e-3, 4e-3), some(2e-3, 9e-3), some(1, 4), some(-0.2, 0.3), some(1, 2), some(-0.3, 0.2), some(0.5, 3))
    integrate = nir.IF(some(100, 300), some(0.6, 1.0), some(-0.3, 0.2))
    li = nir.CubaLI(np.full(5, 2e-3), np.full(5, 9e-3), np.ones(5), np.full(5, 0.1), np.full(5, 2.0))
    wires = [nir.Affine(weights(rng, a, b), rng.normal(0.1, 0.1, a)) for a, b in ((n, 30), (n, n), (n, n), (5, n))]
    return chain(wires[0], lif, wires[1], integrate, wires[2], cuba, nir.Linear(wires[3].weight), li, shape=[30]), 1e-3, "exp"


def branches(rng):
    """Scales, delays on both sides, thresholds, sums, an average pool, a skip, a loop over two populations."""
    dt, shape = 1e-3, (2, 6, 8)
    full = lambda value: np.full((4, 3, 4), value)  # noqa: E731
    ones, two = np.ones(30), np.array([2, 2])
    nodes = {
        "input": nir.Input(np.array(shape)),
        "scale": nir.Scale(np.full(shape, 0.5)),
        "pool": nir.AvgPool2d(two, two, 0 * two),
        "conv": nir.Conv2d(None, 3 * kernel(rng, 4, 2, 3, 3), 1, "same", 1, 1, np.zeros(4)),
        "a": nir.LIF(full(5e-3), full(5.0), full(0.0), full(0.3)),
        "late": nir.Delay(rng.integers(0, 4, (4, 3, 4)) * dt),
        "flat": nir.Flatten(None, 0, -1),
        "w": nir.Linear(weights(rng, 30, 48)),
        "w.late": nir.Delay(rng.integers(0, 3, 30) * dt),
        "b": nir.LIF(4e-3 * ones, 4 * ones, 0 * ones, ones),
        "skip": nir.Flatten(None, 0, -1),
        "skip.w": nir.Affine(weights(rng, 30, 96, 0.0), np.full(30, 0.05)),
        "back": nir.Linear(weights(rng, 20, 30)),
        "c": nir.Threshold(rng.normal(0.3, 0.4, 20)),
        "forth": nir.Linear(weights(rng, 30, 20, -0.5)),
        "end": nir.Linear(weights(rng, 5, 20)),
        "gain": nir.Scale(rng.uniform(0.5, 2, 5)),
        "sum": nir.I(np.full(5, 100.0)),
        "output": nir.Output(np.array([5])),
    }
    ways = [
        "input scale pool conv a late flat w w.late b", "input skip skip.w b", "b back c forth b", "c end gain sum output",
    ]  # fmt: skip
    edges = [pair for way in ways for pair in pairwise(way.split())]
    return nir.NIRGraph(nodes, edges, type_check=False), dt, "euler"


GRAPHS = (linear_maps, snntorch, snntorch_synaptic, snntorch_recurrent, norse, sinabs, spikingjelly, potentials, branches)

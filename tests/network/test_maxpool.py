"""The largest of an operator's sums: torch's max_pool2d in the reference, and the same in the engine, torch and every program."""

from dataclasses import replace

import numpy as np
import pytest
from cases.lava_graphs import run_all
from cases.maxpools import NAMES, network, operators, rasters
from cases.networks import LOIHI
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snnc import chips, store, targets
from snnc.analysis.current_bounds import current_bound, part_sums, sent
from snnc.analysis.range_proof import prove_ranges
from snnc.cli import main
from snnc.errors import NetworkError, SnncError, UnsupportedError
from snnc.mapping.capabilities import lacking
from snnc.network.arithmetic import Float
from snnc.network.delays import parts
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.maxpool2d import MaxPool2d
from snnc.passes.dequantise import dequantised
from snnc.passes.quantise import quantise
from snnc.passes.simplify import simplify
from snnc.simulation import reference
from snnc.verification.compare import compare
from snnc.verification.cover import covering
from snnc.verification.coverage import Coverage
from snnc.verification.shrink import Case, samples_that_differ, shrunk

OPS = [op for _, op in operators(np.random.default_rng(0)).values()]
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolved(draw):
    """A convolution and a window over its sums, padding as torch allows it."""
    rng, channels = np.random.default_rng(draw(st.integers(0, 999))), draw(st.integers(1, 3))
    try:
        window = Window((channels, draw(st.integers(3, 7)), draw(st.integers(3, 7))), draw(PAIRS), draw(PAIRS), draw(PAIRS))
        kernel = rng.normal(size=(draw(st.integers(1, 3)), channels * window.taps))
        conv = Conv2d(Synapses.from_dense(kernel, rng.random(kernel.shape) < 0.7), window=window)
        cells = draw(PAIRS)
        padding = tuple(draw(st.integers(0, k // 2)) for k in cells)
        pool = MaxPool2d.of(conv, Window(conv.dst_shape, cells, draw(PAIRS), padding, draw(st.sampled_from([(1, 1), (1, 2)]))))
    except NetworkError:
        assume(False)
    assume(conv.synapses.count and not pool.problems(Float()))
    return pool


@settings(max_examples=60, deadline=None, derandomize=True)
@given(op=convolved())
def test_it_is_torchs(op):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    messages, f = np.random.default_rng(0).integers(0, 3, (3, op.n_src)), torch.nn.functional
    inner, w = op.summing, op.window
    planes = torch.from_numpy(messages.reshape(-1, *op.src_shape)).double()
    sums = f.conv2d(planes, torch.from_numpy(inner.kernel()), None, inner.window.stride, inner.window.padding)
    expected = f.max_pool2d(sums, w.kernel, w.stride, w.padding, w.dilation)
    assert expected.shape[1:] == op.dst_shape
    assert np.allclose(op.apply(messages, Float()), expected.numpy().reshape(3, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("op", OPS, ids=NAMES)
def test_its_synapses_are_those_of_all_sums_under_a_place(op):
    cells = op.window.sources(np.arange(op.window.taps), 0, op.window.places).T
    mask, size = op.summing.unrolled().mask().astype(int), op.window.src_shape[1] * op.window.src_shape[2]
    each = np.array([sum(mask[c * size + s] for s in row if s >= 0) for c in range(op.dst_shape[0]) for row in cells])
    assert op.fan_in().tolist() == each.sum(1).tolist()
    assert op.fan_out().tolist() == each.sum(0).tolist()
    assert op.synapse_count == each.sum() <= op.possible_synapses
    full = replace(op, synapses=Synapses.from_dense(np.ones(op.synapses.shape)))
    assert op.possible_synapses == full.possible_synapses == full.synapse_count
    for start, stop in ((0, op.n_dst), (1, 3), (op.n_dst - 2, op.n_dst), (2, 2)):
        rows, sources = op.rows(start, stop)
        counted = np.zeros((stop - start, op.n_src), int)
        np.add.at(counted, (rows, sources), 1)
        assert (counted == each[start:stop]).all()
        assert (np.diff(rows * op.n_src + sources) >= 0).all()
        neurons, counts = op.axons(start, stop)
        assert neurons.tolist() == np.flatnonzero(each[start:stop].sum(0)).tolist()
        assert counts.sum() == each[start:stop].sum()
    one = np.arange(op.n_dst) == 0
    joined = op.with_values(np.arange(1, op.synapses.count + 1)).keep(op.joins(np.ones(op.n_src, bool), one))
    assert (joined.fan_in()[0], joined.synapses.count > 0) == (op.fan_in()[0], True)
    for ask in (lambda: op.unrolled(), lambda: op.row(0)):
        with pytest.raises(UnsupportedError, match="takes the largest of several sums"):
            ask()


def test_bounds_hold_and_the_upper_one_is_reached():
    net = network()
    run = reference.simulate(net, rasters(net, 40), record=True)
    for c in (c for c in net.connections if not c.op.linear):
        (part,) = parts(c)
        low, high = part_sums(part, sent(net[c.src]))
        messages = run.spikes[c.src].reshape(-1, c.op.n_src).astype(np.int64)
        sums = part.op.weigh(messages)
        assert (low <= sums.min(0)).all()
        assert (sums.max(0) <= high).all()
        best = (c.op.influence().toarray() > 0) * sent(net[c.src]).largest  # of each neuron all that can help any of its sums
        assert part.op.weigh(best.astype(np.int64)).max() <= high.max()
    assert {name: b.wraps for name, b in current_bound(net).items()} == dict.fromkeys([*NAMES, "output"], False)
    proof = prove_ranges(net)
    assert {c.population for c in proof.certificates} == {p.name for p in net.populations if p.neuron}


@pytest.mark.parametrize("kernel", ["lanes", "events"])
def test_the_engine_computes_it(kernel):
    engine = pytest.importorskip("snnc.simulation.engine", reason="numba is not installed: pip install '.[engine]'")
    net = network()
    inputs = rasters(net, 70)
    run = reference.simulate(net, inputs, record=True)
    rates = {name: float(run.spikes[name].mean()) for name in NAMES}
    assert all(0.005 < rate < 0.95 for rate in rates.values()), rates
    verdict = compare(run, engine.simulate(net, inputs, record=True, kernel=kernel))
    assert verdict.exact, (verdict.first, verdict.silent)


@pytest.mark.parametrize("target", ["c", "npz", "onnx"])
def test_programs_compute_it(target, tmp_path):
    fixed = network()
    for net in (fixed, dequantised(fixed))[: 1 if target == "c" else 2]:
        inputs = rasters(net)
        artifact = targets.export(target, net, None, tmp_path / net.numeric.kind)
        verdict = compare(reference.simulate(net, inputs, record=True), targets.load(target).run(artifact, inputs, True, 60))
        assert verdict.exact, (verdict.first, verdict.silent)


@pytest.mark.lava
def test_lava_computes_it_with_a_process_of_ours(tmp_path):
    """Over several samples, with weights that have to be shifted after they are summed, and a delay."""
    cases = [(net := network(0, model), rasters(net)) for model in ("cuba_subtract", "cuba")]
    for (net, inputs), run in zip(cases, run_all(cases, tmp_path), strict=True):
        verdict = compare(reference.simulate(net, inputs, record=True), run)
        assert verdict.exact, (verdict.first, verdict.silent)
    assert "none of Lava's processes computes one" in (tmp_path / "0" / "artifact" / "run.py").read_text()


def test_torch_weighs_it_and_hands_gradients_to_the_largest():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    from snnc.training.models.operators import weigh

    for op in OPS:
        messages = np.random.default_rng(1).integers(0, 3, (4, op.n_src))
        weights = torch.from_numpy(op.synapses.to_dense().astype(np.float64)).requires_grad_()
        got = weigh(op, weights, torch.from_numpy(messages).double())
        assert (got.detach().numpy() == op.weigh(messages)).all()
        got.sum().backward()
        assert weights.grad.abs().sum() > 0


def test_it_is_quantised_saved_simplified_covered_and_shrunk(tmp_path):
    net = network(model="lif", names=("shifted", "dense"))
    fixed = quantise(dequantised(net), chips.load("loihi2"))
    store.save(fixed, tmp_path / "net.snnc")
    assert store.load(tmp_path / "net.snnc").hash == fixed.hash
    inputs = rasters(fixed, 3)
    coverage = Coverage(fixed)
    coverage.add(reference.simulate(fixed, inputs, record=True))
    assert coverage.carried["to_dense"].any()
    assert covering(fixed, coverage, 4)["input"].shape[0] > 0
    smaller = simplify(fixed).network
    want, got = (reference.simulate(x, inputs).spikes["output"] for x in (fixed, smaller))
    assert (want == got).all()
    small = shrunk(Case(fixed, {name: x[:1] for name, x in inputs.items()}), differs, neurons=differs)
    assert small.size["neurons"] < sum(p.size for p in fixed.populations if p.neuron)
    assert differs(small.net, small.inputs).any()


def differs(net, inputs):
    """Whether it matters, sample by sample, that a connection has the weights of the other sign."""
    turned = [replace(c, op=c.op.with_values(-c.op.synapses.values)) if c.name == "to_shifted" else c for c in net.connections]
    wrong = replace(net, connections=tuple(turned))
    return samples_that_differ(reference.simulate(net, inputs), reference.simulate(wrong, inputs))


def test_chips_and_targets_without_it_say_what_to_do(tmp_path):
    net = network()
    store.save(net, tmp_path / "net.snnc")
    (said,) = {line.partition("'maxpool2d', ")[2] for line in lacking(net, chips.load("loihi2")) if "maxpool2d" in line}
    assert said.startswith("the synapses of loihi2 only add up; put the pool behind the neurons")
    for target in ("loihi", "netx", "nir", "sanafe", "verilog"):
        reason = targets.support_matrix()[target]["lif"]["maxpool2d"]
        assert "put the pool behind the neurons, where it is one of spikes, or average instead" in reason
    done = CliRunner().invoke(main, ["export", str(tmp_path / "net.snnc"), "-t", "nir", "-o", str(tmp_path / "out")])
    assert done.exit_code == 4


WINDOW = Window((4, 4, 4), (2, 2))
CONV = Conv2d.from_kernel(np.ones((4, 3, 3, 1)), (3, 6, 4))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MaxPool2d.of(CONV, Window((4, 5, 4), (2, 2))), "pools sums of shape (4, 5, 4), there are 64"),
        (lambda: MaxPool2d.of(CONV, Window((4, 4, 4), (1, 1), padding=(1, 1))), "a place that holds nothing"),
        (lambda: replace(MaxPool2d.of(CONV, WINDOW), pool=WINDOW), "expected one that adds up"),
        (lambda: MaxPool2d.of(replace(CONV, groups=2), WINDOW), "has 2 groups for 3 -> 4 channels"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    assert says in make().problems(Float())[0]


def test_what_a_file_must_not_hold():
    op = MaxPool2d.of(CONV, WINDOW)
    for sums_of in ({"op": "maxpool2d", **op.geometry()}, {"op": 3}, {"op": "conv2d"}, {"op": "nothing"}, {}):
        with pytest.raises((SnncError, KeyError, TypeError)):
            MaxPool2d.of_geometry(op.synapses, 0, None, {**op.geometry(), "sums_of": sums_of})
    net = network()
    late = replace(net.connections[0], axon_delays=np.zeros(net["input"].size, np.int32))
    with pytest.raises(NetworkError, match="delays of axons or synapses, whose messages operator 'maxpool2d' cannot weigh apart"):
        replace(net, connections=(late, *net.connections[1:]))
    assert op.with_values(np.full(op.synapses.count, 2)).apply(np.ones((1, 72), int), LOIHI).max() == 2 * 9

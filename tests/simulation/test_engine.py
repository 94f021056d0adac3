"""The engine computes what the reference computes: every spike and every state, by either kernel, on any number of threads."""

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import lava_graphs
from cases.convolutions import conv, convolutional
from cases.networks import LOIHI, fixed_chain, fixed_dense, fixed_loops, float_chain, spikes, with_readout_of_xylo
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snnc import neurons, store
from snnc.analysis.range_proof import prove_ranges
from snnc.errors import DataError, FileError, MissingDependencyError, NetworkError, UsageError
from snnc.network.model import Connection, Network, Population
from snnc.neurons.cuba import Cuba
from snnc.simulation.reference import simulate

pytest.importorskip("numba", reason="numba is not installed: pip install '.[engine]'")
from snnc.simulation import engine
from snnc.simulation.engine import saved
from snnc.simulation.engine.symbolic_step import trace
from snnc.simulation.engine.taps import narrowest

KERNELS = ("lanes", "events")


def messages(net, samples, steps, rate=0.3, seed=0):
    """Random rasters; graded messages are of any size."""
    rng = np.random.default_rng(seed)
    shapes = {p.name: (samples, steps, p.size) for p in net.inputs}
    return {
        p.name: (rng.random(shapes[p.name]) < rate) * rng.integers(1, 2 ** max(p.message_bits, 1), shapes[p.name])
        for p in net.inputs
    }


def must_be_equal(want, got):
    assert want.spikes.keys() == got.spikes.keys()
    for name, raster in want.spikes.items():
        assert np.array_equal(raster, got.spikes[name]), name
    assert want.states.keys() == got.states.keys()
    for name, states in want.states.items():
        for variable, values in states.items():
            assert np.array_equal(values, got.states[name][variable]), (name, variable)
    assert want.readouts == got.readouts


def hold(net, inputs, kernels=KERNELS, silent=()):
    """Both kernels against the reference; every population has to fire, or nothing was shown."""
    want = simulate(net, inputs, record=True)
    for name, raster in want.spikes.items():
        assert raster.any() or name in silent or name in want.readouts, f"{name} is silent"
    for kernel in kernels:
        must_be_equal(want, engine.simulate(net, inputs, record=True, threads=2, kernel=kernel))
    return want


@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lava_graphs.graphs(), st.sampled_from([0.02, 0.3, 1.0]), st.sampled_from([1, 3, 17]))
def test_any_graph(graph, rate, samples):
    net = lava_graphs.network(graph)
    hold(net, messages(net, samples, graph.steps, rate, graph.seed), silent=[p.name for p in net.populations])


@pytest.mark.parametrize("model", neurons.names())
@pytest.mark.parametrize("bias", [0, 40, -30])
def test_every_neuron(model, bias):
    net = fixed_chain(model=model, bias=bias)
    hold(net, spikes(net, samples=5, rate=0.5))


def test_spikes_that_are_counted_meet_both_kernels():
    """A hidden layer that fires several times a step, before one whose samples lie side by side."""
    net = with_readout_of_xylo(fixed_chain(model="xylo", threshold=60))
    assert hold(net, spikes(net, samples=70, rate=0.5)).spikes["hidden1"].max() > 7
    late = replace(net, connections=(net.connections[0], replace(net.connections[1], delay_steps=2)))
    hold(late, spikes(net, samples=70, rate=0.5))


@pytest.mark.parametrize("delays", [False, True], ids=["at once", "late"])
def test_every_operator(delays):
    net = convolutional(delays=delays)
    hold(net, messages(net, 5, 14))


def test_planes_of_unlike_shapes_meet_in_a_population():
    """As many neurons, numbered by other channels: neuron 40 is in channel 1 of the one and in channel 0 of the other."""
    rng, shapes = np.random.default_rng(0), {"wide": (4, 6, 6), "deep": (1, 12, 12)}
    populations = [Population(name, shape, None) for name, shape in shapes.items()]
    populations.append(Population("a", (144,), Cuba(200, 1000, 1000, 0)))
    wires = [
        Connection(name, name, "a", conv(rng, (shape[0], shape[0], 3, 3), shape, LOIHI, padding=1))
        for name, shape in shapes.items()
    ]
    net = Network("unlike", tuple(populations), tuple(wires), 1e-3, LOIHI)
    hold(net, spikes(net, samples=4, steps=8))


def test_loops_and_paths_of_unequal_length():
    net = fixed_loops()
    hold(net, spikes(net, samples=5, steps=30))


@pytest.mark.parametrize("samples", [1, 63, 511, 512, 513])
def test_samples_that_do_not_fill_the_lanes(samples):
    net = fixed_chain()
    hold(net, spikes(net, samples=samples, steps=6))


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_steps_and_no_samples(kernel):
    net = fixed_loops()
    for steps, samples in ((0, 3), (4, 0)):
        inputs = {"input": np.zeros((samples, steps, 12), np.uint8)}
        must_be_equal(simulate(net, inputs, record=True), engine.simulate(net, inputs, record=True, kernel=kernel))
    whole = spikes(net, samples=2, steps=6)
    pieces = [{"input": whole["input"][:, part]} for part in (slice(0, 4), slice(4, 4), slice(4, 6))]
    runs = [run.spikes["output"] for run, _ in engine.stream(net, pieces, kernel=kernel)]
    assert np.array_equal(np.concatenate(runs, axis=1), simulate(net, whole).spikes["output"])


@pytest.mark.parametrize(
    "options",
    [{"kernel": "lane"}, {"keep": ["outputs"]}, {"threads": 0}, {"threads": -1}],
    ids=lambda o: str(next(iter(o.items()))),
)
def test_options_that_cannot_be_are_refused(options):
    net = fixed_chain()
    with pytest.raises(UsageError, match=r"did you mean|expected 1 or more"):
        engine.simulate(net, spikes(net), **options)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.5, 1.0])
def test_every_activity(rate):
    net = fixed_chain(sizes=(70, 40, 5))
    hold(net, spikes(net, samples=9, rate=rate), silent=("input", "hidden1", "output") if rate < 0.5 else ())


def excited(numeric=LOIHI, exponent=4, threshold=1 << 13, decay=3):
    """Neurons whose current wraps around and whose voltage saturates."""
    rng = np.random.default_rng(3)
    ops = [fixed_dense(rng, n, 40, density=0.9, exponent=exponent, sign_mode="excitatory") for n in (30, 8)]
    ops[1] = fixed_dense(rng, 8, 30, density=0.9)
    neuron = Cuba(threshold, decay, decay, np.arange(30) * 7 - 90)
    populations = (
        Population("input", (40,), None),
        Population("a", (30,), neuron),
        Population("b", (8,), replace(neuron, threshold=99, bias=0)),
    )
    wires = (Connection("in", "input", "a", ops[0]), Connection("out", "a", "b", ops[1]))
    return Network("excited", populations, wires, 1e-3, numeric)


def test_registers_that_wrap_and_saturate():
    net = excited()
    want = hold(net, spikes(net, samples=4, rate=0.8, steps=40))
    u, v = (want.states["a"][name] for name in "uv")
    assert (np.diff(u, axis=1) < -LOIHI.state_limit).any(), "nothing wrapped"
    assert (v == 1 - LOIHI.state_limit).any(), "nothing saturated"


def test_a_current_that_leaves_its_register():
    net = excited(exponent=7)
    want = hold(net, spikes(net, samples=4, rate=0.8, steps=40))
    assert want.states["a"]["u"].max() > 10 * LOIHI.state_limit, "Lava's rule wraps only once"


def test_registers_of_more_than_the_processors_32_bits():
    numeric = replace(LOIHI, state_bits=32, state_shift=12, threshold_bits=20, decay_bits=16)
    net = excited(numeric, exponent=7, threshold=1 << 16)
    assert trace(net["a"].neuron, (-1 << 20, 1 << 20), numeric).bits == 64
    hold(net, spikes(net, samples=4, rate=0.8, steps=40))


@pytest.mark.parametrize("message_bits", [7, 8, 14, 15, 16, 22, 23, 24])
@pytest.mark.parametrize("exponent", [-8, 0])
def test_sums_of_every_width(message_bits, exponent):
    """A sum that is shifted down afterwards needs more bits than the current that it becomes."""
    op = fixed_dense(np.random.default_rng(0), 8, 40, density=0.9, exponent=exponent)
    threshold = min(1 << 16, 1 << (message_bits + max(exponent, -4)))
    populations = Population("input", (40,), None, message_bits=message_bits), Population("a", (8,), Cuba(threshold, 3, 3, 0))
    net = Network("graded", populations, (Connection("in", "input", "a", op),), 1e-3, LOIHI)
    hold(net, messages(net, 4, 10, 0.9))


def test_a_sum_is_as_narrow_as_its_ends_allow():
    ends = (-(1 << 15), (1 << 15) - 1), (0, 1 << 15), (-(1 << 15) - 1, 0), (-(1 << 31), (1 << 31) - 1), (0, 1 << 31)
    assert [narrowest(*end) for end in ends] == [np.int16, np.int32, np.int32, np.int32, np.int64]


def test_the_form_of_a_step_follows_from_its_ranges():
    neuron = fixed_chain()["hidden1"].neuron
    forms = [trace(neuron, (-most, most), LOIHI) for most in (1000, 10**6, 10**9)]
    assert [step.bits for step in forms] == [32, 32, 64]
    assert ["wrap" in step.text for step in forms] == [False, True, True]


@pytest.mark.parametrize("model", neurons.names())
def test_the_ranges_of_states_are_those_of_the_range_proof(model):
    net = fixed_chain(sizes=(12, 20), model=model, bias=40)
    certificate, found = prove_ranges(net).certificates[0], trace(net["output"].neuron, (-1000, 1000), LOIHI)
    assert certificate.current[0] >= -1000
    assert certificate.current[1] <= 1000
    assert found.bits == 32
    assert "wrap" not in found.text
    for name, span in prove_ranges(net).reaches["output"].states.items():
        assert found.ranges[name][0] <= span.low.min()
        assert span.high.max() <= found.ranges[name][1]


@pytest.mark.parametrize("kernel", ["auto", *KERNELS])
def test_threads_change_nothing(kernel):
    net = fixed_loops()
    inputs = spikes(net, samples=1100, steps=5)
    runs = [engine.simulate(net, inputs, record=True, threads=threads, kernel=kernel) for threads in (1, 2, 5)]
    must_be_equal(runs[0], runs[1])
    must_be_equal(runs[0], runs[2])
    must_be_equal(simulate(net, inputs, record=True), runs[0])


def test_only_what_is_asked_for_is_kept():
    net = fixed_chain()
    inputs = spikes(net, samples=20)
    for kernel in KERNELS:
        run = engine.simulate(net, inputs, keep=["output"], kernel=kernel)
        assert set(run.spikes) == {"input", "output"}
        assert run.spikes["output"].any()
        assert np.array_equal(run.spikes["output"], simulate(net, inputs).spikes["output"])


@pytest.mark.parametrize("net", [fixed_loops(), convolutional(delays=True), excited()], ids=["loops", "delays", "wraps"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_stream_in_pieces_is_the_whole(net, kernel):
    inputs = messages(net, 3, 23, 0.5)
    whole = simulate(net, inputs, record=True)
    edges = [0, 1, 4, 17, 23]
    pieces = [{n: x[:, a:b] for n, x in inputs.items()} for a, b in pairwise(edges)]
    runs = [run for run, _ in engine.stream(net, pieces, record=True, kernel=kernel)]
    for name, raster in whole.spikes.items():
        assert raster.any()
        assert np.array_equal(np.concatenate([run.spikes[name] for run in runs], axis=1), raster)
    for name, states in whole.states.items():
        for v, values in states.items():
            assert np.array_equal(np.concatenate([run.states[name][v] for run in runs], axis=1), values)


def test_a_stream_goes_on_from_where_another_ended_and_stops_early():
    net = fixed_loops()
    inputs = spikes(net, samples=2, steps=20)
    halves = [{n: x[:, part] for n, x in inputs.items()} for part in (slice(0, 10), slice(10, 20))]
    ((_, state),) = engine.stream(net, iter(halves), stop=lambda run: True)
    assert state.steps == 10
    ((rest, end),) = engine.stream(net, halves[1:], state=state)
    assert end.steps == 20
    assert np.array_equal(rest.spikes["output"], simulate(net, inputs).spikes["output"][:, 10:])
    far = {n: {v: x + (1 << 40) for v, x in s.items()} for n, s in state.neurons.items()}
    with pytest.raises(DataError, match="reachable is"):
        next(engine.stream(net, halves[1:], state=replace(state, neurons=far)))
    with pytest.raises(DataError, match="expected integers u, v of shape"):
        next(engine.stream(net, [spikes(net, samples=3)], state=state))


def test_a_state_on_disk_goes_on_where_it_was(tmp_path):
    net = fixed_loops()
    inputs = spikes(net, samples=2, steps=20)
    halves = [{n: x[:, part] for n, x in inputs.items()} for part in (slice(0, 9), slice(9, 20))]
    ((_, state),) = engine.stream(net, halves[:1])
    saved.save(state, tmp_path / "state")
    ((rest, _),) = engine.stream(net, halves[1:], state=saved.load(tmp_path / "state"))
    assert np.array_equal(rest.spikes["output"], simulate(net, inputs).spikes["output"][:, 9:])
    with pytest.raises(FileError, match="exists already"):
        saved.save(state, tmp_path / "state")
    halves_of_units = {n: {v: x + 0.5 for v, x in s.items()} for n, s in state.neurons.items()}
    with pytest.raises(DataError, match="holds u float64"):
        next(engine.stream(net, halves[1:], state=replace(state, neurons=halves_of_units)))
    with pytest.raises(DataError, match="sent messages"):
        next(engine.stream(net, halves[1:], state=replace(state, sent={n: x[:, 1:] for n, x in state.sent.items()})))
    other = replace(net, dt_s=2 * net.dt_s)
    with pytest.raises(DataError, match=f"one of network {net.hash[:12]}, this is {other.hash[:12]}"):
        next(engine.stream(other, halves[1:], state=saved.load(tmp_path / "state")))
    saved.save(replace(state, steps=-9), tmp_path / "backwards")
    backwards = (tmp_path / "backwards").read_bytes()
    for content in (b"", b"x" * 100, (tmp_path / "state").read_bytes()[:-9], backwards):
        (tmp_path / "damaged").write_bytes(content)
        with pytest.raises(FileError, match="no state"):
            saved.load(tmp_path / "damaged")


def test_an_endless_stream_takes_constant_memory():
    net = fixed_chain(sizes=(200, 40, 5))
    chunk, sizes = spikes(net, samples=4, steps=50), []
    for number, _ in enumerate(engine.stream(net, iter(lambda: chunk, None), keep=["output"])):
        if number == 3:
            tracemalloc.start()
        if number in (10, 60):
            sizes.append(tracemalloc.get_traced_memory()[0])
        if number == 60:
            tracemalloc.stop()
            break
    assert sizes[1] - sizes[0] < 20_000, "50 chunks of 40,000 bytes each"


def test_a_float_network_is_refused():
    net = float_chain()
    assert not engine.suits(net)
    with pytest.raises(NetworkError, match="quantise it"):
        engine.simulate(net, spikes(net))


def test_without_numba_the_remedy_is_named(monkeypatch):
    net = fixed_chain()
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert not engine.suits(net)
    with pytest.raises(MissingDependencyError, match="--engine reference"):
        engine.simulate(net, spikes(net))


def test_the_first_call_says_that_it_compiles(tmp_path):
    code = """
from cases.networks import fixed_chain, spikes
from snnc.simulation import engine
net = fixed_chain()
said = []
for _ in range(2):
    engine.simulate(net, spikes(net), kernel="events", notice=said.append)
    print(len(said))
"""
    env = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": "tests"}
    out = [subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout for _ in "12"]
    assert out == ["1\n1\n", "0\n0\n"]


@pytest.mark.parametrize(("options", "said"), [((), 1), (("-q",), 0)])
def test_quiet_verbs_say_nothing_of_compilation(options, said, tmp_path):
    store.save(fixed_chain(), tmp_path / "n.snnc")
    np.savez(tmp_path / "x.npz", **spikes(fixed_chain()))
    words = ("simulate", "n.snnc", "--inputs", "x.npz", "--engine", "events", *options)
    code = f"from snnc.cli import main; main({words!r})"
    env = {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.count("compiling the engine") == said


def test_where_nothing_can_be_kept_on_disk_it_runs_all_the_same():
    code = """
from numba.core import caching
caching.CacheImpl._locator_classes = []  # as where no folder may be written to
from cases.networks import fixed_chain, spikes
from snnc.simulation import engine
net = fixed_chain()
print(engine.simulate(net, spikes(net), kernel="events", notice=lambda text: None).spikes["output"].sum())
"""
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "tests"}, capture_output=True, text=True, check=True)
    net = fixed_chain()
    assert int(done.stdout) == simulate(net, spikes(net)).spikes["output"].sum() > 0


@contextmanager
def interrupt(after_s):
    """A Ctrl-C, and at the end that it took less than a second, with what else a busy machine may take."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begin < after_s + 2


@pytest.mark.parametrize("samples", [100, 600], ids=["one block", "on threads"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_an_interrupt_stops_within_a_second(samples, kernel):
    net = fixed_chain(sizes=(200, 400, 10))
    inputs = {"input": np.ones((samples, 3000, 200), np.uint8)}
    engine.simulate(net, {"input": inputs["input"][:, :2]}, kernel=kernel)
    with interrupt(0.3):
        while True:  # however fast the machine is, there is something to interrupt
            engine.simulate(net, inputs, keep=["output"], kernel=kernel)


def test_an_interrupt_does_not_wait_for_a_thread_that_compiles(monkeypatch):
    """What compiles does not ask whether it is to stop: it is left to itself."""
    compiled, ended = threading.Event(), threading.Event()

    def compiling(job, samples, kernels):
        compiled.wait(60)
        ended.set()

    net = fixed_chain()
    engine.simulate(net, spikes(net, samples=600))  # numba is loaded
    monkeypatch.setattr("snnc.simulation.engine.call.run", compiling)
    with interrupt(0.3):
        engine.simulate(net, spikes(net, samples=600))
    assert not ended.is_set()
    compiled.set()
    assert ended.wait(10)


def test_an_interrupted_stream_goes_on_from_its_last_chunk():
    net = fixed_chain(sizes=(30, 20, 5))
    chunk, done = spikes(net, samples=4, steps=30), []
    next(engine.stream(net, [chunk]))  # compiled
    with interrupt(0.3):
        for one in engine.stream(net, iter(lambda: chunk, None)):
            done.append(one)
    runs, states = zip(*done, strict=True)
    ((rest, _),) = engine.stream(net, [chunk], state=states[-1])
    assert states[-1].steps == 30 * len(runs)
    few = [chunk["input"]] * 3
    whole = simulate(net, {"input": np.concatenate(few, axis=1)}).spikes["output"]
    assert np.array_equal(np.concatenate([run.spikes["output"] for run in runs[:3]], axis=1), whole)
    ((again, _),) = engine.stream(net, [chunk], state=states[-2])
    assert np.array_equal(again.spikes["output"], runs[-1].spikes["output"])
    assert rest.spikes["output"].any()

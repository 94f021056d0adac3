"""Mapping: complete, within every limit, deterministic, measured as by hand, and the mapped network computes the same."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest
from cases import conv_net, fixed_chain, fixed_loops, spikes
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import hw, store
from snnc.check import check
from snnc.cli import main
from snnc.errors import DoesNotFitError, MissingDependencyError, UsageError
from snnc.ir import Connection
from snnc.legality import must_be_legal
from snnc.mapper import strategies
from snnc.mapper.arrange import arrange, hilbert, hops, packet_hops
from snnc.mapper.census import census
from snnc.mapper.choose import map_by, map_by_all
from snnc.mapper.lower_bounds import lower_bounds
from snnc.mapper.measures import measures
from snnc.mapper.picture import link_loads, picture
from snnc.mapper.task import Task, of_slices, slices_of
from snnc.ops.dense import Dense
from snnc.place import place
from snnc.simulate import simulate
from snnc.split import split
from snnc.synapses import Synapses

LOIHI1 = hw.load("loihi1")
needs_library = pytest.mark.skipif(
    find_spec("mtkahypar") is None, reason="the package mtkahypar is not installed: pip install 'snnc[map]'"
)
STRATEGIES = [pytest.param(n, marks=needs_library if n == "hypergraph" else ()) for n in strategies.names()]


def chip(cores=128, neurons=1024, axons_in=4096, axons_out=4096, words=16384):
    """Loihi 1 with other limits, so that they bind on small networks."""
    limits = ("neurons_per_core", neurons), ("input_axons_per_core", axons_in), ("output_axons_per_core", axons_out)
    return replace(LOIHI1, name="tiny", cores=cores, limits=dict([*limits, ("synapse_words_per_core", words)]))


NETWORKS = {"chain": lambda: fixed_chain(3, (12, 40, 30, 5)), "loops": lambda: fixed_loops(2, (12, 30, 5)), "conv": conv_net}
CHIPS = {
    "roomy": chip(), "neurons": chip(neurons=24), "words": chip(neurons=60, words=150), "axons": chip(neurons=50, axons_in=60),
    "output axons": chip(neurons=40, axons_out=150),
}  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("limited", CHIPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_mapping_is_complete_legal_deterministic_and_measured_as_by_hand(name, limited, strategy):
    net, profile = NETWORKS[name](), CHIPS[limited]
    rng = np.random.default_rng(0)
    rates = {p.name: rng.random(p.size) * 4 for p in net.populations}
    task = Task.of(net, profile, rates, seed=5)
    mapped = map_by(task, strategy)
    assert mapped.mapping.to_json() == map_by(Task.of(net, profile, rates, seed=5), strategy).mapping.to_json()
    cores = mapped.mapping.cores
    assert [core.index for core in cores] == sorted({core.index for core in cores})
    assert cores[-1].index < profile.cores
    must_cover_once(net, cores)
    must_be_legal(net, cores, profile)
    must_be_measured(net, task, mapped)
    bounds = lower_bounds(task)
    assert bounds.cores <= mapped.cores
    assert bounds.packets <= mapped.found.packets + 1e-9
    assert bounds.packet_hops <= mapped.packet_hops + 1e-9
    assert bounds.busiest_operations <= mapped.busiest_operations + 1e-9


def must_cover_once(net, cores):
    for p in net.populations:
        covered = [i for core in cores for s in core.slices if s.population == p.name for i in range(s.start, s.stop)]
        assert sorted(covered) == (list(range(p.size)) if p.neuron else [])
        assert all(s.start < s.stop for core in cores for s in core.slices)


def held(core, population):
    return [i for s in core.slices if s.population == population for i in range(s.start, s.stop)]


def must_be_measured(net, task, mapped):
    """Uses, packets, hops and operations, from dense masks and loops over cores."""
    masks = {c.name: c.op.unrolled().mask() for c in net.connections}
    packets = packet_hops_ = 0.0
    for a, core in enumerate(mapped.mapping.cores):
        into = {c.name: masks[c.name][held(core, c.dst)] for c in net.connections}
        assert core.used["neurons_per_core"] == sum(s.stop - s.start for s in core.slices)
        assert core.used["input_axons_per_core"] == sum(int(m.any(axis=0).sum()) for m in into.values())
        out = 0
        for c in net.connections:
            rate = task.rates[c.src]
            packets += (into[c.name].any(axis=0) * rate).sum()
            for b, other in enumerate(mapped.mapping.cores):
                reaches = masks[c.name][held(other, c.dst)].any(axis=0)
                mine = held(core, c.src) if net[c.src].neuron else []
                out += int(reaches[mine].sum())
                far = abs(int(hops(task.profile, mapped.places[a : a + 1], mapped.places[b : b + 1])[0]))
                packet_hops_ += far * (reaches * rate)[mine].sum()
        assert core.used["output_axons_per_core"] == out
        operations = sum((into[c.name].sum(axis=0) * task.rates[c.src]).sum() for c in net.connections)
        assert operations == pytest.approx(mapped.found.operations[a])
        assert set(core.formats) == {name for name, m in into.items() if m.any()}
    assert packets == pytest.approx(mapped.found.packets)
    assert packet_hops_ == pytest.approx(mapped.packet_hops)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("limited", CHIPS)
def test_the_census_of_contiguous_slices_is_what_place_measures(name, limited):
    net, profile = NETWORKS[name](), CHIPS[limited]
    slices = split(net, profile)
    placed = place(net, slices, profile)
    found = census(Task.of(net, profile), of_slices(Task.of(net, profile), tuple((s,) for s in slices)))
    for i, core in enumerate(placed.cores):
        assert {resource: int(amounts[i]) for resource, amounts in found.used.items()} == dict(core.used)
        used = {name: form for name in core.formats if (form := found.formats[name][i]) is not None}
        assert used.items() <= dict(core.formats).items()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([fixed_chain, fixed_loops]), st.integers(0, 999), st.sampled_from([0.05, 0.4, 1.0]),
    st.sampled_from(["sequential", "greedy", "patches"]), st.integers(3, 30), st.integers(20, 90), st.integers(20, 300),
)  # fmt: skip
def test_whatever_check_accepts_is_mapped(make, seed, density, strategy, neurons, axons_out, words):
    net, profile = make(seed, (14, 30, 8), density=density), chip(neurons=neurons, axons_out=axons_out, words=words)
    if not check(net, profile).fits:
        return
    mapped = map_by(Task.of(net, profile), strategy)
    must_cover_once(net, mapped.mapping.cores)
    assert mapped.cores <= check(net, profile).chip.used


def sliced(net, cores):
    """The network with a population for each core and population that lies on it, and connections between those."""
    parts = {(core.index, p.name): held(core, p.name) for core in cores for p in net.populations}
    parts |= {("in", p.name): list(range(p.size)) for p in net.inputs}
    parts = {key: held_ for key, held_ in parts.items() if held_}
    populations = [
        replace(net[name], name=f"{name}_{core}", shape=(len(held_),)) for (core, name), held_ in parts.items()
    ]  # the neurons of a case share their parameters
    connections = []
    for c in net.connections:
        s = c.op.unrolled()
        for (i, src), columns in parts.items():
            for (j, dst), rows in parts.items():
                if (src, dst) != (c.src, c.dst) or not (mask := s.mask()[np.ix_(rows, columns)]).any():
                    continue
                weight = s.to_dense()[np.ix_(rows, columns)]
                op = Dense(Synapses.from_dense(weight, mask), c.op.exponent, c.op.sign_mode)
                connections.append(Connection(f"{c.name}_{i}_{j}", f"{src}_{i}", f"{dst}_{j}", op, c.delay_steps))
    whole = replace(net, populations=tuple(populations), connections=tuple(connections))
    return whole, parts


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["chain", "conv"])
def test_a_network_run_core_by_core_equals_the_whole(name, strategy):
    net = {"chain": lambda: fixed_chain(3, (12, 40, 30, 5)), "conv": lambda: conv_net(1, (2, 3, 4), 6)}[name]()
    inputs = spikes(net)
    expected = simulate(net, inputs).spikes
    apart, parts = sliced(net, map_by(Task.of(net, chip(neurons=24)), strategy).mapping.cores)
    assert len(apart.populations) > len(net.populations)
    found = simulate(apart, {f"{p.name}_in": inputs[p.name] for p in net.inputs}).spikes
    for p in net.populations:
        if p.neuron:
            assert expected[p.name].any()
            together = np.zeros_like(expected[p.name])
            for (core, population), neurons in parts.items():
                if population == p.name:
                    together[:, :, neurons] = found[f"{p.name}_{core}"]
            assert (together == expected[p.name]).all()


@needs_library
def test_convolutions_are_cut_by_place_and_save_most_packets():
    net = conv_net(0, (3, 16, 16), 16, density=0.2)
    task = Task.of(net, chip(neurons=256))
    made, failed = map_by_all(task)
    by_name = {m.mapping.strategy: m for m in made}
    assert not failed
    assert set(by_name) == set(strategies.names())
    worst = by_name["sequential"]
    assert worst.cores >= 16
    assert by_name["hypergraph"].packet_hops < 0.7 * worst.packet_hops
    assert by_name["patches"].packet_hops < 0.7 * worst.packet_hops
    assert made[0].packet_hops == min(m.packet_hops for m in made)
    assert made[0].cores <= np.ceil(1.1 * lower_bounds(task).cores)


@needs_library
def test_small_populations_share_a_core():
    net = fixed_chain(0, (12, 20, 20, 20, 5))
    mapped = {name: map_by(Task.of(net, chip(neurons=64)), name) for name in strategies.names()}
    assert {name: m.cores for name, m in mapped.items()} == {"sequential": 4, "greedy": 2, "patches": 2, "hypergraph": 2}


def test_without_the_library_the_other_strategies_still_map(monkeypatch):
    from snnc.mapper.strategies import hypergraph

    hypergraph._library.cache_clear()
    monkeypatch.setitem(sys.modules, "mtkahypar", None)
    task = Task.of(fixed_chain(), chip(neurons=8))
    made, failed = map_by_all(task)
    assert {m.mapping.strategy for m in made} == set(strategies.names()) - {"hypergraph"}
    assert "pip install 'snnc[map]'" in failed["hypergraph"]
    with pytest.raises(MissingDependencyError):
        map_by(task, "hypergraph")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_network_that_does_not_fit_is_refused(strategy):
    with pytest.raises(DoesNotFitError, match="needs 7 cores, tiny has 6"):
        map_by(Task.of(fixed_chain(0, (12, 20, 5)), chip(cores=6, neurons=4)), strategy)
    with pytest.raises(DoesNotFitError):
        map_by(Task.of(fixed_chain(0, (20, 12, 5), density=1.0), chip(axons_in=19)), strategy)
    with pytest.raises(UsageError, match="did you mean 'greedy'"):
        map_by(Task.of(fixed_chain(), chip()), "gredy")


def test_a_curve_meets_every_place_once_and_neighbours_are_near():
    order = hilbert(LOIHI1)
    assert sorted(order) == list(range(128))
    assert hops(LOIHI1, order[:-1], order[1:]).max() <= 4
    assert hops(LOIHI1, order[:-1], order[1:]).mean() < 0.5  # four cores a tile
    square = replace(LOIHI1, mesh=replace(LOIHI1.mesh, tile_columns=8, tile_rows=8, cores_per_tile=1), cores=64)
    along = hilbert(square)
    assert (hops(square, along[:-1], along[1:]) == 1).all()
    assert hops(LOIHI1, np.array([0, 0, 0]), np.array([3, 4, 127])).tolist() == [0, 1, 10]
    assert hops(hw.load("kapoho_bay"), np.array([0]), np.array([128])).tolist() == [8]


def test_swaps_only_save_hops():
    task = Task.of(fixed_chain(1, (12, 90, 90, 10), density=0.1), chip(neurons=8))
    found = census(task, of_slices(task, tuple((s,) for s in task.slices)))
    places = arrange(task.profile, found)
    assert len(set(places.tolist())) == found.cores
    assert packet_hops(task.profile, found, places) < 0.95 * packet_hops(task.profile, found, np.arange(found.cores))


def test_slices_of_an_assignment_are_its_runs():
    core_of = {"a": np.array([0, 0, 1, 0]), "b": np.array([1])}
    runs = [[(s.population, s.start, s.stop) for s in core] for core in slices_of(core_of, 2)]
    assert runs == [[("a", 0, 2), ("a", 3, 4)], [("a", 2, 3), ("b", 0, 1)]]


def test_link_loads_add_up_to_packets_times_hops():
    mapped = map_by(Task.of(fixed_chain(1, (12, 90, 90, 10), density=0.1), chip(neurons=8)), "greedy")
    assert sum(link_loads(mapped, LOIHI1).values()) == pytest.approx(mapped.packet_hops)


def test_measures_are_those_of_neurobench():
    net = fixed_chain(2, (12, 20, 5), density=0.5, steps=6)
    raster = spikes(net, samples=4)
    run = simulate(net, raster)
    rates = {name: np.asarray(spikes_, float).sum(axis=1).mean(axis=0) for name, spikes_ in run.spikes.items()}
    task = Task.of(net, LOIHI1, rates)
    told = measures(task, map_by(task, "sequential").found, steps=6)
    synapses = sum(c.op.synapses.count for c in net.connections)
    weights = {c.name: c.op.synapses.mask().astype(int) for c in net.connections}
    effective = sum((weights[c.name] @ run.spikes[c.src].reshape(-1, net[c.src].size).T).sum() for c in net.connections) / 4
    fired = sum(run.spikes[name].sum() for name in task.neurons)
    assert told["connection_sparsity"] == 1 - synapses / (12 * 20 + 20 * 5)
    assert told["activation_sparsity"] == pytest.approx(1 - fired / (4 * 6 * 25))
    assert told["synaptic_operations"] == {"Effective_MACs": 0, "Effective_ACs": pytest.approx(effective), "Dense": 6 * 340}


@pytest.fixture
def model(tmp_path):
    store.save(fixed_chain(0, (12, 40, 30, 5)), tmp_path / "net.snnc")
    return tmp_path / "net.snnc"


def mapped_by(*words):
    return CliRunner().invoke(main, ["map", *map(str, words)])


def test_map_verb_writes_a_mapping_and_a_picture(model, tmp_path):
    done = mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "m.json", "--picture", tmp_path / "m.svg")
    assert done.exit_code == 0, done.output
    for part in ("greedy", "sequential", "lower bound", "packets x hops", "footprint", "unknown without --rates"):
        assert part in done.stdout
    content = json.loads((tmp_path / "m.json").read_text())
    assert (content["schema"], content["profile"]) == ("snnc.mapping/1", "loihi1")
    svg = (tmp_path / "m.svg").read_text()
    assert svg.count("<title>core ") == len(content["cores"])
    ElementTree.fromstring(svg)
    assert mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "m.json").exit_code == 2
    again = mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "n.json", "--picture", tmp_path / "n.svg")
    assert again.exit_code == 0
    assert (tmp_path / "n.json").read_bytes() == (tmp_path / "m.json").read_bytes()
    assert (tmp_path / "n.svg").read_text() == svg


def test_map_verb_takes_rates_of_a_recorded_run(model, tmp_path):
    net = store.load(model)
    run = simulate(net, spikes(net))
    np.savez_compressed(tmp_path / "run.npz", **{f"spikes/{name}": raster for name, raster in run.spikes.items()})
    done = mapped_by(model, "--hw", "loihi1", "--strategy", "greedy", "--rates", tmp_path / "run.npz", "--json")
    body = json.loads(done.stdout)
    assert body["activation_sparsity"] == pytest.approx(1 - sum(run.spikes[p].sum() for p in ("hidden1", "hidden2", "output"))
                                                        / (3 * 16 * 75))  # fmt: skip
    assert [s["strategy"] for s in body["strategies"]] == [body["best"]] == ["greedy"]
    (tmp_path / "no.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "other.npz", **{"spikes/input": np.ones((1, 2, 3), np.uint8)})
    np.savez(tmp_path / "flat.npz", **{"spikes/input": np.ones(3)})
    for name, message in (("no", "is no file of rasters"), ("other", "has no spikes of the 12"), ("flat", "expected integers")):
        wrong = mapped_by(model, "--hw", "loihi1", "--rates", tmp_path / f"{name}.npz")
        assert (wrong.exit_code, message in wrong.stderr) == (2, True), wrong.stderr


def test_map_verb_refuses_what_the_chip_lacks(model, tmp_path):
    assert mapped_by(model, "--hw", "akd1000").exit_code == 4
    small = tmp_path / "small.toml"
    cores = '[chip]\ncores = { value = 1, confidence = "derived", source = "test" }\n[limits]\n'
    small.write_text(f'title = "s"\nextends = "loihi1"\n{cores}neurons_per_core = '
                     '{ value = 9, confidence = "derived", source = "test" }\n')  # fmt: skip
    done = mapped_by(model, "--hw", small)
    assert (done.exit_code, "needs 9 cores, small has 1" in done.stderr) == (3, True), done.stderr


def test_a_picture_of_two_chips():
    net = fixed_chain(0, (12, 140, 5))
    profile = replace(hw.load("kapoho_bay"), limits={**LOIHI1.limits, "neurons_per_core": 1})
    mapped = map_by(Task.of(net, profile), "greedy")
    assert mapped.cores == 145
    assert picture(mapped, profile).count("<title>core ") == 145


@pytest.fixture
def written(model, tmp_path):
    path = tmp_path / "m.json"
    assert mapped_by(model, "--hw", "loihi1", "--strategy", "greedy", "-o", path).exit_code == 0
    return path


def exported(model, mapping, *words):
    return CliRunner().invoke(
        main, ["export", str(model), "-t", "loihi", "-o", str(model.parent / "out"), "--mapping", str(mapping), *words]
    )


def test_a_mapping_is_exported_as_it_was_made(model, written):
    done = exported(model, written)
    assert done.exit_code == 0, done.output
    assert "on 1 cores of loihi1" in done.stdout
    assert json.loads((model.parent / "out" / "mapping.json").read_text()) == json.loads(written.read_text())


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("snnc.mapping/1", "snnc.mapping/2", 2, "expected 'snnc.mapping/1'"),
        ('"profile": "loihi1"', '"profile": "loihi2"', 2, "is for 'loihi2', not for 'loihi1'"),
        ('"stop": 40', '"stop": 39', 2, "they are to cover 0 .. 40"),
        ('"stop": 40', '"stop": 1e18', 2, "is no whole number"),
        ('"stop": 40', '"stop": 99999999', 2, "they are to cover 0 .. 40"),
        ('"population": "hidden1"', '"population": 3', 2, "is no text"),
        ('"population": "hidden1"', '"population": "hiden"', 2, "they are to cover 0 .. 40"),
        ('"index": 0', '"index": 128', 2, "names cores that loihi1 has not"),
        ('"index": 0', '"index": -1', 2, "names cores that loihi1 has not"),
        ('"index": 0', '"index": true', 2, "is no whole number"),
        ('"slices"', '"slice"', 2, "is damaged"),
        ("{", "[", 2, "is not JSON"),
    ],
)
def test_a_mapping_file_is_not_believed(model, written, old, new, code, message):
    text = written.read_text()
    assert old in text
    written.write_text(text.replace(old, new, 1))
    done = exported(model, written)
    assert (done.exit_code, message in done.stderr) == (code, True), done.stderr
    assert not (model.parent / "out").exists()


def test_a_mapping_is_held_against_the_chip_once_more(model, written, tmp_path):
    small = tmp_path / "loihi1.toml"
    limit = 'neurons_per_core = { value = 60, confidence = "derived", source = "test" }'
    small.write_text(f'title = "s"\nextends = "loihi1"\n[limits]\n{limit}\n')
    done = exported(model, written, "--hw", str(small))
    assert (done.exit_code, "needs 75 neurons, a core of loihi1 has 60" in done.stderr) == (3, True), done.stderr

"""Split, place and check: what is accepted maps, what binds is named, what is advised fits."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import fixed_chain, fixed_dense, fixed_loops, float_chain
from cases.remedies import advised
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import chips, store
from snnc.budget.check import check
from snnc.chips.schema import RESOURCES
from snnc.cli import main
from snnc.errors import DoesNotFitError, NetworkError, UnsupportedError
from snnc.mapping.model import Slice
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.latency import chip_delays, latency
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.passes.prune_by_magnitude import prune_by_magnitude

LOIHI1 = chips.load("loihi1")
LOIHI2 = chips.load("loihi2")


def chip(cores=64, neurons=1024, axons_in=4096, axons_out=4096, words=16384, **changes):
    """A chip like Loihi 1 with other limits, so that they bind on small networks."""
    limits = dict(zip(RESOURCES, (neurons, axons_in, axons_out, words), strict=True))
    return replace(LOIHI1, name="tiny", cores=cores, limits=limits, **changes)


def limited(profile, resource, limit):
    return replace(profile, limits={**profile.limits, resource: limit})


def words_by_hand(row_counts, neurons, bits):
    """nengo-loihi's rule on one core, entry by entry; ``row_counts``: synapses of each axon."""
    index = next(w for w in (0, 6, 7, 8, 9, 10, 11, 12) if 2**w >= neurons)

    def axon(synapses, width):
        entries = [min(64, synapses - i) for i in range(0, synapses, 64)]
        return sum((10 + n * width + 63) // 64 for n in entries)

    sparse = sum(axon(n, bits + index) for n in row_counts)
    return min(sparse, sum(axon(neurons, bits) for _ in row_counts))


def use_by_hand(net, slices, core_slice):
    """What a slice uses, from dense masks and loops."""
    into, out_of = net.into(core_slice.population), net.out_of(core_slice.population)
    counts = {c.name: c.op.synapses.mask()[core_slice.start : core_slice.stop].sum(axis=0) for c in into}
    counts = {name: [int(k) for k in n if k] for name, n in counts.items()}
    out = 0
    for c in out_of:
        for other in slices:
            if other.population == c.dst:
                out += int(c.op.synapses.mask()[other.start : other.stop, core_slice.start : core_slice.stop].any(axis=0).sum())
    bits = {name: 8 + steps.bit_length() for name, steps in chip_delays(net).items()}
    neurons = core_slice.stop - core_slice.start
    words = sum(words_by_hand(n, neurons, bits[name]) for name, n in counts.items())
    return dict(zip(RESOURCES, (neurons, sum(map(len, counts.values())), out, words), strict=True))


def accepts(net, profile):
    """Whether split and place map the network, and nothing but a misfit stops them."""
    try:
        place(net, split(net, profile), profile)
    except (DoesNotFitError, UnsupportedError):
        return False
    return True


NETWORKS = st.builds(
    lambda make, seed, sizes, density: make(seed, sizes, density=density),
    st.sampled_from([fixed_chain, fixed_loops, float_chain]),
    st.integers(0, 10_000),
    st.lists(st.integers(1, 40), min_size=3, max_size=4).map(tuple),
    st.sampled_from([0.02, 0.2, 0.6, 1.0]),
)
CHIPS = st.builds(
    chip,
    cores=st.integers(1, 30),
    neurons=st.sampled_from([1, 3, 8, 64]),
    axons_in=st.integers(10, 120),
    axons_out=st.integers(1, 60),
    words=st.integers(10, 300),
)


@settings(max_examples=100, deadline=None)
@given(NETWORKS, CHIPS)
def test_what_check_accepts_is_mapped_within_every_limit(net, profile):
    budget = check(net, profile)
    assert budget.fits == accepts(net, profile)
    json.dumps(budget.to_json())
    if not budget.fits:
        assert budget.binding.status == "over"
        return
    must_be_mapped_exactly(net, profile, budget)


def must_be_mapped_exactly(net, profile, budget):
    """Deterministic, complete, within every limit, and measured as by hand."""
    slices = split(net, profile)
    assert slices == split(net, profile)
    mapping = place(net, slices, profile, seed=3)
    assert mapping.to_json() == place(net, slices, profile, seed=3).to_json()
    assert len(mapping.cores) == budget.chip.used <= profile.cores
    for core, shown in zip(mapping.cores, budget.cores, strict=True):
        (core_slice,) = core.slices
        assert dict(core.used) == use_by_hand(net, slices, core_slice) == {u.resource: u.used for u in shown.uses}
        assert all(core.used[r] <= limit for r, limit in profile.limits.items())
    for p in net.populations:
        covered = [i for s in slices if s.population == p.name for i in range(s.start, s.stop)]
        assert covered == (list(range(p.size)) if p.neuron else [])
    off_chip = sum(use_by_hand(net, slices, s)["input_axons_per_core"] for s in slices) - _axons_of_inputs(net, slices)
    assert off_chip == sum(core.used["output_axons_per_core"] for core in mapping.cores)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("neurons", [1, 3, 64])
def test_loops_and_delays_are_mapped_exactly(seed, neurons):
    net = fixed_loops(seed, (30, 20, 5), density=(0.1, 1.0)[seed % 2])
    budget = check(net, chip(neurons=neurons))
    assert budget.fits
    must_be_mapped_exactly(net, chip(neurons=neurons), budget)


@pytest.mark.parametrize(("axons_out", "cores"), [(24, None), (26, [10, 3]), (28, [5, 2])])
def test_a_recurrent_population_is_cut_until_its_own_slices_are_reached(axons_out, cores):
    """Each neuron reaches every slice of its own population: 4 neurons need 4 * (5 + 2) output axons, 2 need 2 * (10 + 3),
    and a single one 20 + 5."""
    net, profile = fixed_loops(0, (12, 20, 5), density=1.0), chip(neurons=4, axons_out=axons_out)
    budget = check(net, profile)
    assert budget.fits is (cores is not None)
    if cores:
        must_be_mapped_exactly(net, profile, budget)
        assert [layer.cores for layer in budget.layers] == cores
    else:
        assert (budget.binding.resource, budget.binding.used) == ("output_axons_per_core", 25)


def _axons_of_inputs(net, slices):
    """Input axons that come from off chip; all others are somebody's output axons."""
    connections = [c for c in net.connections if net[c.src].neuron is None]
    return sum(
        int(c.op.synapses.mask()[s.start : s.stop].any(axis=0).sum())
        for c in connections
        for s in slices
        if s.population == c.dst
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.5, 1.0]), CHIPS)
def test_a_slice_is_as_long_as_it_can_be(seed, density, profile):
    net = fixed_chain(seed, (12, 40, 15), density=density)
    try:
        slices = split(net, profile)
    except DoesNotFitError:
        return
    for core_slice in slices:
        if core_slice.stop < net[core_slice.population].size:
            longer = use_by_hand(net, slices, Slice(core_slice.population, core_slice.start, core_slice.stop + 1))
            assert any(longer[r] > limit for r, limit in profile.limits.items())


@pytest.mark.parametrize("make", [fixed_chain, fixed_loops])
@pytest.mark.parametrize("resource", RESOURCES)
def test_limits_bind_exactly(make, resource):
    net, roomy = make(1, (12, 20, 5), density=0.8), chip(cores=2)
    uses = [u for core in check(net, roomy).cores for u in core.uses if u.resource == resource]
    most = max(u.used for u in uses)
    assert most > 1
    for limit, fits in ((most - 1, False), (most, True), (most + 1, True)):
        profile = limited(roomy, resource, limit)
        budget = check(net, profile)
        assert budget.fits is fits is accepts(net, profile)
    exact = check(net, limited(chip(cores=64), resource, most))
    assert (exact.binding.resource, exact.binding.used, exact.binding.limit) == (resource, most, most)


@pytest.mark.parametrize(("cores", "fits"), [(6, False), (7, True), (8, True)])
def test_cores_bind_exactly(cores, fits):
    net, profile = fixed_chain(0, (12, 20, 5)), chip(cores=cores, neurons=4)
    budget = check(net, profile)
    assert budget.fits is fits is accepts(net, profile)
    assert (budget.chip.used, budget.chip.limit) == (7, cores)
    assert [layer.cores for layer in budget.layers] == [5, 2]
    if not fits:
        assert budget.binding == budget.chip
        assert "hidden1 needs 5 cores, output needs 2 cores; tiny has 6" in advised(net, profile)
        with pytest.raises(DoesNotFitError, match="needs 7 cores, tiny has 6"):
            place(net, split(net, profile), profile)


@pytest.mark.parametrize(
    ("resource", "limit", "message"),
    [
        ("input_axons_per_core", 19, "needs 20 input axons, a core of tiny has 19; prune 'fc1'"),
        ("output_axons_per_core", 4, "needs 5 output axons, a core of tiny has 4; prune 'fc2'"),
        ("synapse_words_per_core", 19, "needs 20 synapse words, a core of tiny has 19; prune 'fc1'"),
    ],
)  # fmt: skip
def test_a_neuron_that_no_core_can_hold_is_named(resource, limit, message):
    net = fixed_chain(0, (20, 12, 5), density=1.0)
    profile = limited(chip(neurons=1 if resource.startswith("out") else 1024), resource, limit)
    with pytest.raises(DoesNotFitError) as caught:
        split(net, profile)
    assert str(caught.value).startswith(f"population 'hidden1', neuron 0: {message}")
    budget = check(net, profile)
    assert (budget.fits, budget.cores, budget.binding.resource) == (False, (), resource)
    assert (budget.binding.used, budget.binding.limit) == (limit + 1, limit)


def test_a_neuron_that_no_core_can_hold_leaves_the_other_layers_measured():
    net = fixed_chain(0, (20, 12, 8, 5), density=1.0)
    profile = chip(axons_in=11, neurons=4)
    layers = {layer.population: layer for layer in check(net, profile).layers}  # fc1 and fc2 bring too many axons
    assert [layer.cores for layer in layers.values()] == [None, None, 2]
    axons = {name: next(u for u in x.uses if u.resource == "input_axons_per_core") for name, x in layers.items()}
    assert {name: (u.used, u.status) for name, u in axons.items()} == {
        "hidden1": (20, "over"),
        "hidden2": (12, "over"),
        "output": (8, "ok"),
    }
    assert axons["hidden2"].place == "population 'hidden2', neuron 0"
    assert [u.used for u in layers["hidden2"].uses] == [1, 12, 2, words_by_hand([1] * 12, 1, 8)]


def test_what_fits_before_a_layer_that_does_not_is_said_to_fit():
    net = fixed_chain(0, (64, 600, 400, 10), density=1.0)
    budget = check(net, chip(axons_in=512, axons_out=1024))
    first, second, last = budget.layers
    assert (first.cores, second.cores, last.cores) == (1, None, 1)
    assert {u.status for layer in (first, last) for u in layer.uses} == {"ok"}
    assert (budget.binding.resource, budget.binding.used) == ("input_axons_per_core", 600)
    assert (budget.chip, budget.cores) == (None, ())


def test_place_rechecks_the_slices_it_is_given():
    net, profile = fixed_chain(0, (12, 20, 5)), chip(neurons=8)
    whole = (Slice("hidden1", 0, 20), Slice("output", 0, 5))
    with pytest.raises(DoesNotFitError, match="core 0: needs 20 neurons, a core of tiny has 8"):
        place(net, whole, profile)
    for slices in (
        whole[:1],
        whole[1:],
        (Slice("hidden1", 0, 19), whole[1]),
        (*whole, whole[1]),
        (Slice("hidden1", 0, 21), whole[1]),
    ):
        with pytest.raises(NetworkError, match="they are to cover"):
            place(net, slices, LOIHI1)
    for name in ("input", "nobody"):
        with pytest.raises(NetworkError, match=r"cover|no population"):
            place(net, (*whole, Slice(name, 0, 1)), LOIHI1)


def test_the_cheaper_format_is_taken_and_remembered():
    for density, expected in ((0.05, "sparse"), (1.0, "dense")):
        net = fixed_chain(0, (100, 200, 5), density=density)
        (core, _) = place(net, split(net, LOIHI1), LOIHI1).cores
        assert core.formats == {"fc1": expected}
        assert core.used["synapse_words_per_core"] == use_by_hand(net, (), core.slices[0])["synapse_words_per_core"]


def test_latency_counts_hops_and_delays_make_the_paths_agree():
    net = fixed_loops(0, (12, 20, 5))
    assert latency(net) == {"input": 0, "hidden1": 1, "output": 2}
    assert chip_delays(net) == {"fc1": 0, "fc2": 0, "again": 0, "back": 1, "skip": 1, "twin": 3}


def test_a_loop_with_too_few_delay_steps_is_unsupported():
    net = fixed_loops(0, (12, 20, 5))
    short = replace(net, connections=tuple(replace(c, delay_steps=1) if c.name == "back" else c for c in net.connections))
    budget = check(short, LOIHI1)
    assert not budget.fits
    assert "a loop through 'hidden1', 'output' has fewer delay steps than hops" in budget.problems[0]
    with pytest.raises(UnsupportedError, match="fewer delay steps"):
        split(short, LOIHI1)


@pytest.mark.parametrize(("limit", "fits"), [(2, False), (3, True), (4, True)])
def test_the_longest_delay_binds_exactly(limit, fits):
    budget = check(fixed_loops(0, (12, 20, 5)), replace(LOIHI1, delay_steps_max=limit))
    assert budget.fits is fits
    assert fits or "connection 'twin' needs a delay of 3 steps" in budget.problems[0]


def test_delays_beyond_what_is_published_are_unknown():
    net = fixed_loops(0, (12, 20, 5))
    assert not check(net, replace(LOIHI1, full_core_delay_steps_max=3)).unknown
    assert "delays over 2 steps (here 3)" in check(net, replace(LOIHI1, full_core_delay_steps_max=2)).unknown[0]


def graded(net, bits):
    """The network with messages of so many bits from its inputs, and exponents that take them back as quantise does."""
    inputs = {p.name for p in net.inputs}
    return replace(
        net,
        populations=tuple(replace(p, message_bits=bits if p.name in inputs else 0) for p in net.populations),
        connections=tuple(replace(c, op=replace(c.op, exponent=-bits)) if c.src in inputs else c for c in net.connections),
    )


def test_graded_messages_need_a_chip_that_has_them():
    net = graded(fixed_chain(0, (12, 20, 5)), 8)
    on_loihi1 = check(net, LOIHI1)
    assert (on_loihi1.fits, on_loihi1.has_room) == (False, True)
    assert "population 'input' sends 8-bit messages, loihi1 has no graded spikes" in on_loihi1.problems[0]
    assert any(r.startswith("loihi2 holds it") for r in advised(net, LOIHI1))
    fits = [check(net, replace(LOIHI2, message_bits_max=bits)).fits for bits in (7, 8, 9)]
    assert fits == [False, True, True]


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("weight_bits", (False, True, None)), ("decay_bits", (False, True, False)), ("threshold_bits", (False, True, True)),
        ("bias_mantissa_bits", (False, True, True)), ("bias_exponent_max", (False, True, True)),
        ("state_bits", (False, True, False)), ("state_shift", (False, True, False)),
        ("weight_exponent_max", (False, True, True)), ("weight_exponent_min", (True, True, False)),
    ],
)  # fmt: skip
def test_numbers_of_another_chip_are_refused(name, fits):
    net, value = fixed_chain(0, (12, 20, 5)), getattr(LOIHI1.numeric, name)
    for step, expected in zip((-1, 0, 1), fits, strict=True):
        if expected is None:
            continue
        profile = replace(LOIHI1, numeric=replace(LOIHI1.numeric, **{name: value + step}))
        budget = check(net, profile)
        assert budget.fits is expected, step
        assert expected or f"{name} {value} (chip: {value + step})" in budget.problems[0]


@pytest.mark.parametrize(("exponent", "fits"), [(5, True), (7, False)])
def test_a_current_that_can_wrap_is_a_problem(exponent, fits):
    net = fixed_chain(0, (40, 5), density=1.0)
    (connection,) = net.connections
    weights = np.full((5, 40), 64)
    weights[3] = 66  # 40 * 66 * 2**exponent * 2**6 reaches 2**23 at exponent 6
    net = replace(net, connections=(replace(connection, op=Dense(Synapses.from_dense(weights), exponent, "mixed")),))
    budget = check(net, LOIHI1)
    assert budget.fits is fits
    expected = "population 'output', neuron 3: the current can reach 21,626,880 and wraps at 8,388,608"
    assert fits or expected in budget.problems[0]


def test_every_problem_is_reported_in_one_pass():
    net = graded(fixed_loops(0, (12, 20, 5)), 8)
    numeric = replace(LOIHI1.numeric, decay_bits=10, bias_mantissa_bits=10, bias_exponent_max=0)
    budget = check(net, replace(chip(cores=1, neurons=4, delay_steps_max=1), numeric=numeric, neurons=("cuba",)))
    text = "\n".join(budget.problems)
    for part in ("decay_bits 12 (chip: 10)", "no graded spikes", "has neurons 'lif', tiny computes cuba", "delay of 3 steps"):
        assert part in text
    assert not budget.has_room
    assert budget.binding.resource == "cores"


@pytest.mark.parametrize(
    ("bias", "fits"), [(4095, True), (4096, True), (4097, False), (4098, True), (4095 << 7, True), (-4097, False)]
)
def test_a_bias_must_be_a_mantissa_and_an_exponent(bias, fits):
    budget = check(fixed_chain(0, (12, 20, 5), bias=bias), LOIHI1)
    assert budget.fits is fits
    assert fits or f"biases like {bias}" in budget.problems[0]


def test_a_bias_that_needs_the_exponent_needs_a_chip_with_one():
    net = fixed_chain(0, (12, 20, 5), bias=4096)
    profile = replace(LOIHI1, numeric=replace(LOIHI1.numeric, bias_exponent_max=0))
    assert any("biases like 4096" in problem for problem in check(net, profile).problems)


def test_what_is_not_public_is_unknown_and_never_ok():
    budget = check(fixed_chain(0, (12, 20, 5)), LOIHI2)
    assert budget.fits
    assert {u.resource: u.status for u in budget.cores[0].uses} == {
        "neurons_per_core": "ok",
        "input_axons_per_core": "unknown",
        "output_axons_per_core": "unknown",
        "synapse_words_per_core": "unknown",
        "weight_bytes_per_core": "ok",
    }
    assert [line.split(":")[0] for line in budget.unknown] == ["input axons", "output axons", "synapse words", "synapse words"]
    most = check(fixed_chain(0, (12, 20, 5), density=1.0), limited(LOIHI2, "weight_bytes_per_core", 239))
    assert [layer.cores for layer in most.layers] == [2, 1]  # 12 * 20 weights of one byte


def test_a_float_network_says_what_it_assumes():
    budget = check(float_chain(0, (12, 20, 5)), LOIHI1)
    assert budget.fits
    assert "8 bits of loihi1" in budget.assumptions[0]
    assert check(fixed_chain(), LOIHI1).assumptions == ()


def test_both_connectivities_are_reported_by_name():
    net = fixed_chain(0, (12, 20, 5), density=0.3)
    (connection,) = check(net, LOIHI1).layers[0].connections
    assert connection.synapses == net.connections[0].op.synapses.count
    assert connection.parameter_connectivity == connection.synapse_connectivity == connection.synapses / 240


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [fixed_chain, float_chain])
def test_the_advised_connectivity_fits_and_a_larger_one_does_not(make, seed):
    net, profile = make(seed, (30, 40, 5), density=0.9), chip(cores=2, words=150)
    budget = check(net, profile)
    assert not budget.fits
    advice = [r for r in advised(net, profile) if "parameter connectivity of fc1" in r]
    kept, total, now = re.search(r"\(([\d,]+) of ([\d,]+) parameters\), now ([\d.]+) %", advice[0]).groups()
    kept, total = int(kept.replace(",", "")), int(total.replace(",", ""))
    assert total == 1200
    assert float(now) == pytest.approx(100 * net.connections[0].op.synapses.count / total, abs=0.1)
    assert check(prune_by_magnitude(net, {"fc1": kept}), profile).fits
    assert not check(prune_by_magnitude(net, {"fc1": kept + 1}), profile).fits
    stated = float(re.search(r"fits from ([\d.]+) %", advice[0]).group(1))
    assert check(prune_by_magnitude(net, {"fc1": int(stated * total / 100)}), profile).fits
    left = np.abs(prune_by_magnitude(net, {"fc1": kept}).connections[0].op.synapses.values)
    every = np.sort(np.abs(net.connections[0].op.synapses.values))
    assert sorted(left) == list(every[-kept:])  # the synapses of largest magnitude stay


def test_if_no_connection_alone_helps_all_are_pruned_together(monkeypatch):
    monkeypatch.setattr("snnc.budget.remedies.PLANNED_SYNAPSES", 0)
    net = fixed_chain(0, (60, 60, 60), density=1.0)
    (advice,) = [r for r in advised(net, chip(cores=2, words=200)) if "connectivity" in r]
    assert "of the network, every connection pruned in proportion" in advice


def test_another_chip_that_holds_it_is_named():
    net = fixed_chain(0, (12, 2000, 5), density=0.01)
    said = advised(net, replace(LOIHI1, cores=2))
    assert any(r.startswith("loihi2 holds it on 2 cores, by the limits that are public") for r in said)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.snnc"
    store.save(fixed_chain(0, (12, 20, 5)), path)
    return str(path)


def profile_file(folder, **limits):
    text = (chips.folder() / "loihi1.toml").read_text()
    for key, value in limits.items():
        text = re.sub(rf"({key} = {{ value = )\d+", rf"\g<1>{value}", text)
    path = folder / "small.toml"
    path.write_text(text)
    return str(path)


def test_check_verb_prints_tables_and_the_binding_limit(model):
    done = CliRunner().invoke(main, ["check", model, "--hw", "loihi1"])
    assert done.exit_code == 0
    assert "case fits loihi1; 2 of 128 cores; binding: neurons at core 0 (hidden1 0 .. 19), 20 of 1,024 (2.0%)" in done.stdout
    for part in ("per layer", "per core", "parameter connectivity", "synapse connectivity"):
        assert part in done.stdout
    unsure = CliRunner().invoke(main, ["check", model, "--hw", "loihi2"])
    assert unsure.exit_code == 0
    assert "fits every public limit of loihi2" in unsure.stdout
    assert "?/? unknown" in unsure.stdout


def test_check_verb_says_in_json_what_does_not_fit(model, tmp_path):
    small = profile_file(tmp_path, neurons_per_core=4, cores=6)
    done = CliRunner().invoke(main, ["check", model, "--hw", small, "--json"])
    assert done.exit_code == 3
    body = json.loads(done.stdout)
    assert (body["schema"], body["ok"], body["fits"]) == ("snnc.check/1", False, False)
    assert (body["binding"]["resource"], body["binding"]["used"], body["binding"]["limit"]) == ("cores", 7, 6)
    assert len(body["cores"]) == 7
    assert body["remedies"]
    unasked = CliRunner().invoke(main, ["check", model, "--hw", small, "--json", "--no-remedies"])
    assert unasked.exit_code == 3
    assert json.loads(unasked.stdout) == {key: value for key, value in body.items() if key != "remedies"}
    plain = CliRunner().invoke(main, ["check", model, "--hw", small])
    assert (plain.exit_code, "does not fit small" in plain.stdout) == (3, True)
    fitting = CliRunner().invoke(main, ["check", model, "--hw", "loihi1", "--json"])
    assert (fitting.exit_code, json.loads(fitting.stdout)["ok"]) == (0, True)


def test_check_verb_exits_4_for_a_missing_feature_and_2_for_a_wrong_file(tmp_path):
    path = tmp_path / "graded.snnc"
    store.save(graded(fixed_chain(), 8), path)
    done = CliRunner().invoke(main, ["check", str(path), "--hw", "loihi1"])
    assert (done.exit_code, "has no graded spikes" in done.stdout) == (4, True)
    assert CliRunner().invoke(main, ["check", str(tmp_path / "none.snnc"), "--hw", "loihi1"]).exit_code == 2
    assert CliRunner().invoke(main, ["check", str(path), "--hw", "lohi1"]).exit_code == 2


def test_check_verb_imports_nothing_heavy(model):
    code = f"""
import sys
from snnc.cli import main
try:
    main(["check", {model!r}, "--hw", "loihi1"])
except SystemExit as end:
    assert not end.code, end.code
print(sorted({{"torch", "snntorch", "lava", "scipy", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_ten_million_synapses_are_cut_without_a_dense_matrix():
    net = fixed_chain(0, (12, 20, 5))
    rng = np.random.default_rng(0)
    op = fixed_dense(rng, 50, 3200, density=1.0)
    big = replace(op.synapses, shape=(3200, 3200), indptr=np.arange(3201) * 3200, indices=np.tile(op.synapses.indices, 64),
                  values=np.tile(op.synapses.values, 64))  # fmt: skip
    source, hidden = (replace(p, shape=(3200,)) for p in net.populations[:2])
    connection = replace(net.connections[0], op=replace(op, synapses=big))
    large = replace(net, populations=(source, hidden), connections=(connection,))
    assert big.count == 10_240_000
    slices = split(large, LOIHI1)
    mapping = place(large, slices, LOIHI1)
    used = mapping.cores[0].used
    assert used["synapse_words_per_core"] == use_by_hand(large, slices, slices[0])["synapse_words_per_core"] <= 16384


def test_what_the_choice_of_formats_saves_is_told(model):
    dense, sparse = fixed_chain(0, (12, 40, 30), density=1.0), fixed_chain(0, (12, 40, 30), density=0.1)
    mixed = replace(dense, connections=(dense.connections[0], sparse.connections[1]))
    budget = check(mixed, chips.load("loihi1"))
    assert [s.connection for s in budget.storage] == ["fc1", "fc2"]
    full, few = budget.storage
    assert full.words == full.by_format["dense"] == 12 * 6 < full.by_format["sparse"]  # (10 + 40 x 8) / 64, rounded up
    assert few.words == few.by_format["sparse"] < few.by_format["dense"]
    assert sum(s.words for s in budget.storage) == sum(c.uses[3].used for c in budget.cores)
    assert check(mixed, chips.load("loihi2")).storage == ()
    done = CliRunner().invoke(main, ["check", model, "--hw", "loihi1"])
    assert "of all sparse, " in done.stdout


def test_colours_are_for_terminals_only(model):
    on = CliRunner().invoke(main, ["check", model, "--hw", "loihi1"], env={"FORCE_COLOR": "1", "TERM": "xterm"}, color=True)
    assert on.exit_code == 0
    assert "\x1b[32m" in on.stdout  # green
    off = CliRunner().invoke(main, ["check", model, "--hw", "loihi1"])
    assert "\x1b" not in off.stdout

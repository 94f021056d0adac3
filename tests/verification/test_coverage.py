"""What runs reached is counted right, what is called out of reach is, and inputs are made that reach the rest."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.exported import export, saved
from cases.networks import fixed_chain, fixed_loops, spikes
from conftest import snnc

from snnc.network.delays import parts
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate
from snnc.verification.cover import covering
from snnc.verification.coverage import Coverage
from snnc.verification.mutations import mutants
from snnc.verification.prove import compare_runs, from_noise, verify_artifact
from snnc.verification.shrink import samples_that_differ


def graded():
    net = fixed_chain(3, exponent=-2)
    return replace(net, populations=(replace(net.populations[0], message_bits=3), *net.populations[1:]))


NETWORKS = {
    "chain": lambda: fixed_chain(1, (12, 20, 5)),
    "cuba": lambda: fixed_chain(1, (12, 20, 5), model="cuba", bias=640),
    "refractory": lambda: fixed_chain(4, (12, 20, 5), model="cuba_refractory"),
    "readout": lambda: fixed_chain(2, (12, 20, 5), model="li"),
    "loops": fixed_loops,
    "rounded": lambda: fixed_chain(2, (12, 20, 5), exponent=-3, threshold=40),
    "graded": graded,
    "conv, delays": lambda: convolutional(delays=True),
}
each = pytest.mark.parametrize("name", NETWORKS)
each_to_cover = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "conv, delays" else name for name in NETWORKS]
)


def ran(net, inputs):
    run, coverage = simulate(net, inputs, record=True), Coverage(net)
    coverage.add(run)
    return run, coverage


def sums(c, op, raster, numeric):
    """What a connection adds to its destination, its delays in between: (samples, steps, n)."""
    total = np.zeros((*raster.shape[:2], op.n_dst), np.int64)
    for part in parts(replace(c, op=op)):
        sent = raster[:, : max(raster.shape[1] - part.delay_steps, 0)]
        if sent.shape[1]:
            total[:, part.delay_steps :] += part.current(sent.reshape(-1, sent.shape[2]), numeric).reshape(*sent.shape[:2], -1)
    return total


@each
def test_a_synapse_is_reached_if_its_neurons_sum_is_another_one_without_it(name):
    """By leaving out one synapse after the other."""
    net = NETWORKS[name]()
    run, coverage = ran(net, spikes(net, samples=2, rate=0.05, steps=6))
    seen = set()
    for c in net.connections:
        s = c.op.unrolled()
        whole = Dense(s, c.op.exponent, c.op.sign_mode)
        right = sums(c, whole, run.spikes[c.src], net.numeric)
        rng = np.random.default_rng(0)
        for at in rng.permutation(s.count)[:150]:
            values = s.values.copy()
            values[at] = 0
            without = sums(c, whole.with_values(values), run.spikes[c.src], net.numeric)
            assert coverage.carried[c.name][at] == (without != right).any(), (c.name, at)
            seen.add(bool(coverage.carried[c.name][at]))
    assert seen == {True, False}


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"conv, delays"}))
def test_a_threshold_is_reached_if_one_a_unit_lower_or_higher_gives_other_spikes(name):
    net = NETWORKS[name]()
    inputs = spikes(net, samples=40, steps=12)
    run, coverage = ran(net, inputs)
    seen = set()
    for p in (p for p in net.populations if p.name in coverage.below):
        for neuron in range(p.size):
            for side, change in (("below", -1), ("above", 1)):
                threshold = np.broadcast_to(p.neuron.threshold, p.size).copy()
                threshold[neuron] += change
                other = replace(p, neuron=replace(p.neuron, threshold=threshold))
                moved = replace(net, populations=tuple(other if q.name == p.name else q for q in net.populations))
                fired = simulate(moved, inputs).spikes[p.name][:, :, neuron]
                differs = bool((fired != run.spikes[p.name][:, :, neuron]).any())
                if p.neuron.rule.reset_step == "next":  # soft reset takes the threshold away, so that voltages differ, too
                    continue
                assert getattr(coverage, side)[p.name][neuron] == differs, (p.name, neuron, side)
                seen.add(differs)
    assert seen == {True, False}


@each
def test_what_is_out_of_reach_is_never_reached(name):
    net = NETWORKS[name]()
    _, coverage = ran(net, spikes(net, samples=4, rate=0.5, steps=24))
    for c in net.connections:
        assert not (coverage.unreachable(c) & coverage.carried[c.name]).any()
    for sides in coverage.thresholds().values():
        assert all(share.left >= 0 for share in sides.values())


def test_populations_that_never_fire_leave_their_synapses_out_of_reach():
    net = fixed_chain(1, (12, 20, 5))
    high = replace(net.populations[1], neuron=replace(net.populations[1].neuron, threshold=np.array(100_000)))
    net = replace(net, populations=(net.populations[0], high, net.populations[2]))
    _, coverage = ran(net, spikes(net))
    share = coverage.synapses()["fc2"]
    assert (share.reached, share.unreachable, share.left) == (0, share.total, 0)
    assert coverage.thresholds()["hidden1"]["above"].unreachable == 20


@each_to_cover
def test_inputs_are_made_that_reach_every_synapse_that_can_be(name):
    net = NETWORKS[name]()
    start = Coverage(net)
    start.add(simulate(net, spikes(net, samples=1, rate=0.02, steps=6), record=True))
    before = {key: carried.copy() for key, carried in start.carried.items()}
    made = covering(net, start, 12, by="reference")
    assert all((start.carried[key] == carried).all() for key, carried in before.items()), "what was given is left as it is"
    start.add(simulate(net, made, record=True))
    assert {key: share.left for key, share in start.synapses().items()} == dict.fromkeys(before, 0)
    assert sum(int(carried.sum()) for carried in start.carried.values()) > sum(int(x.sum()) for x in before.values())


def test_delays_and_ends_of_samples():
    net = fixed_loops()
    late = replace(net.connections[0], delay_steps=3)
    net = replace(net, connections=(late, *net.connections[1:]))
    inputs = {"input": np.zeros((2, 6, 12), np.uint8)}
    inputs["input"][0, 4] = 1  # arrives in step 7, after the sample
    _, coverage = ran(net, inputs)
    (delay,) = coverage.delays()["fc1"]
    assert (delay.steps, delay.arrived, delay.in_flight) == (3, False, True)
    inputs["input"][0, 2] = 1
    inputs["input"][1, 5] = 1
    _, coverage = ran(net, inputs)
    (delay,) = coverage.delays()["fc1"]
    assert (delay.arrived, delay.in_flight) == (True, True)
    alone = {"input": inputs["input"][:1]}
    _, coverage = ran(net, alone)
    assert not coverage.delays()["fc1"][0].in_flight, "no sample follows"
    assert not any(share.reached for share in coverage.sample_ends().values())
    _, coverage = ran(net, {"input": np.ones((2, 6, 12), np.uint8)})
    assert coverage.sample_ends()["hidden1"].reached > 0


def test_registers_are_counted_to_their_ends():
    net = fixed_chain(1, model="cuba")
    _, coverage = ran(net, {"input": np.ones((1, 16, 12), np.uint8)})
    held = coverage.registers()["hidden1"]["v"]
    assert held.low < 0 < held.high
    assert (held.ends, held.overflow, held.overflowed) == ((-(2**23) + 1, 2**23 - 1), "saturate", 0)
    narrow = replace(net, numeric=replace(net.numeric, state_bits=16))
    _, coverage = ran(narrow, {"input": np.ones((1, 16, 12), np.uint8)})
    assert coverage.registers()["hidden1"]["v"].overflowed > 0


@each_to_cover
def test_mutants_differ_in_one_number_and_are_told_apart_where_they_are_reached(name):
    net = NETWORKS[name]()
    found = list(mutants(net, 16, seed=1))
    assert len(found) == 16
    assert len({m.net.hash for m in found} | {net.hash}) > 12
    inputs = covering(net, Coverage(net), 12, by="reference")
    right = simulate(net, inputs, record=True)
    caught = [samples_that_differ(right, simulate(m.net, inputs, record=True)).any() for m in found if "->" not in m.what]
    assert sum(caught) >= 0.7 * len(caught)


def test_a_population_that_cannot_fire_is_proved_and_one_that_did_not_is_not():
    net = fixed_chain(1, (12, 20, 5))

    def with_threshold(threshold):
        output = replace(net.populations[-1], neuron=replace(net.populations[-1].neuron, threshold=np.array(threshold)))
        return replace(net, populations=(*net.populations[:-1], output))

    for threshold, exact in ((100_000, True), (6_000, False)):
        quiet = with_threshold(threshold)
        found = compare_runs(quiet, lambda x, quiet=quiet: simulate(quiet, x, record=True), from_noise(quiet, 8, 0.2, 0), 4)
        assert found.verdict.fired["output"] == 0
        assert (found.exact, found.verdict.never_fire) == (exact, ("output",) if exact else ())


def test_silent_inputs_prove_nothing():
    net = fixed_chain(1)
    source = lambda first, count: {"input": np.zeros((count, 8, 12), np.uint8)}  # noqa: E731
    assert not compare_runs(net, lambda x: simulate(net, x, record=True), source, 2).exact


def test_a_candidates_spike_that_is_no_spike_is_a_mismatch(tmp_path):
    """A candidate that says 2 where the reference says 1."""
    net = fixed_chain(1)

    def twice(inputs):
        run = simulate(net, inputs, record=True)
        return replace(run, spikes={**run.spikes, "output": run.spikes["output"] * 2})

    found = compare_runs(net, twice, from_noise(net, 8, 0.5, 0), 4)
    assert found.verdict.spikes["output"][1] == found.verdict.fired["output"] > 0
    assert found.verdict.first.spike == (1, 2)


def said(capsys):
    return json.loads(capsys.readouterr().out)


def test_verify_prints_its_coverage_covers_and_mutates(tmp_path, capsys):
    net = fixed_chain(1, (12, 20, 5))
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    words = ("verify", folder, "--against", path, "--random", "0.02", "--samples", "3", "-q")
    assert snnc(*words, "--json") in (0, 1)
    few = said(capsys)["coverage"]
    assert few["samples"] == 3
    assert few["synapses"]["fc2"]["left"] > 0
    assert snnc(*words, "--json", "--cover", "--mutate", "3") == 0
    body = said(capsys)
    assert [share["left"] for share in body["coverage"]["synapses"].values()] == [0, 0]
    assert body["samples"] == body["asked_for"] == body["coverage"]["samples"] > 3
    assert len(body["mutants"]) == 3
    assert sum(mutant["caught"] for mutant in body["mutants"]) >= 2
    assert snnc(*words, "--mutate", "1") in (0, 1)
    out = capsys.readouterr().out
    assert "synapses that changed a sum" in out
    assert "wrong programs were caught" in out or "PROVES NOTHING" in out


def test_cover_and_mutate_are_refused_where_nothing_is_counted(tmp_path, capsys):
    from cases.networks import float_chain

    net = float_chain(1)
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    words = ("verify", folder, "--against", path, "--random", "0.3", "--samples", "3", "-q")
    assert snnc(*words, "--cover") == 2
    assert "coverage is counted where states of an integer network" in capsys.readouterr().err
    assert snnc(*words, "--mutate", "2") == 2
    assert "only the program of an integer network is mutated" in capsys.readouterr().err


def test_a_wrong_program_that_samples_miss_is_caught_by_covering_inputs(tmp_path):
    """The output's row of one weight is never used by the samples."""
    net = fixed_chain(5, (12, 20, 5))
    _, coverage = ran(net, from_noise(net, 16, 0.01, 0)(0, 2))
    at = int(np.flatnonzero(coverage.left(net.connections[1]))[0])
    last = net.connections[1]
    values = last.op.synapses.values.copy()
    values[at] = -values[at] if values[at] != -256 else 254
    wrong = replace(net, connections=(net.connections[0], replace(last, op=last.op.with_values(values))))
    artifact = export("npz", wrong, tmp_path / "wrong")
    made = covering(net, coverage, 16, by="reference")
    source = lambda first, count: {"input": made["input"][first : first + count]}  # noqa: E731
    missed = verify_artifact(artifact, net, from_noise(net, 16, 0.01, 0), 2, as_it_is=True)
    assert missed.verdict.first is None
    assert verify_artifact(artifact, net, source, len(made["input"]), as_it_is=True).verdict.first is not None


LEDGER_EDITS = {
    "samples added": lambda body: body["pieces"].extend(body["pieces"] * 20),
    "a mismatch taken away": lambda body: body["pieces"][0]["verdict"]["spikes"].update(output=[0, 0]),
    "classes": lambda body: body["pieces"][0].update(reference_classes=[9, 9, 9, 9, 9, 9]),
    "operations": lambda body: body["pieces"][0].update(operations=1),
    "no digest": lambda body: body["pieces"][0].pop("digest"),
    "another digest": lambda body: body["pieces"][0].update(digest="0" * 64),
    "populations": lambda body: body["pieces"][0]["verdict"]["fired"].pop("output"),
    "infinite": lambda body: body["pieces"][0]["measured"].update(energy_j=float("inf")),
    "infinite count": lambda body: body["pieces"][0].update(operations=float("inf")),
    "a divergence of text": lambda body: body["pieces"][0]["verdict"].update(first={"sample": "x"}),
    "classes of other lengths": lambda body: body["pieces"][0].update(candidate_classes=[1]),
}


@pytest.mark.parametrize("what", LEDGER_EDITS)
def test_what_a_ledger_says_is_held_against_what_the_network_does(what, tmp_path, capsys):
    path, kept = saved(fixed_chain(1), tmp_path), tmp_path / "kept.json"
    words = ("verify", path, "--against", "reference", "--random", "0.4", "--steps", "6", "--resume", kept, "--json")
    assert snnc(*words, "--samples", "6") == 0
    capsys.readouterr()
    body = json.loads(kept.read_text())
    LEDGER_EDITS[what](body)
    kept.write_text(json.dumps(body))
    code = snnc(*words, "--samples", "100")
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert code in (0, 2)
    if code == 0:
        assert "everything is compared anew" in err
        assert json.loads(out)["spikes"]["output"]["compared"] == 100 * 6 * 5


def test_recorded_rasters_are_compared(tmp_path, capsys):
    net = fixed_chain(1)
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    raster = (np.random.default_rng(0).random((7, 9, 12)) < 0.4).astype(np.uint8)
    for name in ("input", "spikes/input"):
        np.savez_compressed(tmp_path / "in.npz", **{name: raster})
        assert snnc("verify", folder, "--against", path, "--inputs", tmp_path / "in.npz", "--json", "-q") == 0
        body = said(capsys)
        assert (body["samples"], body["spikes"]["input"]["fired"]) == (7, int(raster.sum()))
    assert snnc("simulate", path, "--inputs", tmp_path / "in.npz", "--out", tmp_path / "all.npz", "-q") == 0
    for words in (["simulate", path], ["verify", folder, "--against", path]):  # what simulate wrote of all populations
        capsys.readouterr()
        assert snnc(*words, "--inputs", tmp_path / "all.npz", "--json", "-q") == 0
        assert said(capsys)["samples"] == 7
    for content, message in (
        ({"inputs": raster}, "got rasters for inputs, its inputs are input"),
        ({"input": raster[:, :, :5]}, "has shape (7, 9, 5), expected (samples, steps, 12)"),
        ({"input": raster * 2.5}, "holds float64, expected integers"),
        ({"input": raster * 3}, "the input sends 0 .. 1"),
    ):
        np.savez(tmp_path / "wrong.npz", **content)
        assert snnc("verify", folder, "--against", path, "--inputs", tmp_path / "wrong.npz") == 2
        assert message in capsys.readouterr().err
    assert snnc("verify", folder, "--against", path, "--inputs", tmp_path / "in.npz", "--random", "0.3") == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_recorded_rasters_are_simulated(tmp_path, capsys):
    net = replace(fixed_chain(1), encoding=None)
    path = saved(net, tmp_path)
    raster = (np.random.default_rng(0).random((7, 9, 12)) < 0.4).astype(np.uint8)
    np.savez_compressed(tmp_path / "in.npz", input=raster)
    words = ("simulate", path, "--inputs", tmp_path / "in.npz", "-q")
    assert snnc(*words, "--json", "-o", tmp_path / "out.npz") == 0
    body = said(capsys)
    right = simulate(net, {"input": raster})
    assert (body["samples"], body["steps"], body["accuracy"]) == (7, 9, None)
    assert body["spikes"] == {name: int(np.count_nonzero(x)) for name, x in right.spikes.items()}
    with np.load(tmp_path / "out.npz") as file:
        np.testing.assert_array_equal(file["spikes/output"], right.spikes["output"])
    assert snnc(*words, "--against", path, "--samples", "3") == 0
    out = capsys.readouterr().out
    assert "3 samples, 9 steps a sample" in out
    assert "accuracy" not in out
    assert snnc(*words, "--executor", "local") == 2

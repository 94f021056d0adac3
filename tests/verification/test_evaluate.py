"""Evaluating on data: counts against a plain recount, in chunks or whole; and the verb `snnc simulate`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import float_chain
from click.testing import CliRunner

from snnc import chips, data, store
from snnc.cli import main
from snnc.errors import DataError, NetworkError, UsageError
from snnc.network.encoding import Encoding, encode
from snnc.passes.quantise import quantise
from snnc.simulation.reference import simulate
from snnc.verification import evaluate

CHIP = chips.load("loihi1")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "test")


@pytest.fixture(scope="module")
def net():
    return replace(float_chain(1, (64, 30, 10), density=0.4), encoding=Encoding("rate", 8, 0))


def recount(net, images):
    """Spikes and synaptic operations, one spike at a time."""
    run = simulate(net, {"input": encode(net.encoding, images)})
    operations = {}
    for c in net.connections:
        mask, count = c.op.synapses.mask(), 0
        for sample in run.spikes[c.src]:
            for step, row in enumerate(sample):
                if step + c.delay_steps < len(sample):
                    count += sum(int(mask[:, j].sum()) for j in np.flatnonzero(row))
        operations[c.name] = count
    return run, operations


def test_counts_are_those_of_a_plain_recount(net, digits):
    late = replace(net, connections=(net.connections[0], replace(net.connections[1], delay_steps=3)))
    for case in (net, late):
        found = evaluate.evaluate(case, digits, 20)
        run, operations = recount(case, digits.images[:20])
        assert found.spikes == {name: int((s > 0).sum()) for name, s in run.spikes.items()}
        assert found.synaptic_operations == operations
        assert min(operations.values()) > 0
        assert found.rates["hidden1"] == pytest.approx(run.spikes["hidden1"].mean())
        assert found.correct == (run.spikes["output"].sum(axis=1).argmax(axis=1) == digits.labels[:20]).sum()


def test_chunks_do_not_change_the_result(net, digits, monkeypatch):
    whole = evaluate.evaluate(net, digits, 60)
    monkeypatch.setattr(evaluate, "AT_ONCE", 7)
    parts = evaluate.evaluate(net, digits, 60)
    assert (whole.classes == parts.classes).all()
    assert (whole.spikes, whole.synaptic_operations) == (parts.spikes, parts.synaptic_operations)
    assert len(set(whole.classes)) > 1


def test_all_samples_are_the_default_and_watched(net, digits, monkeypatch):
    monkeypatch.setattr(evaluate, "AT_ONCE", 256)
    seen = []
    found = evaluate.evaluate(net, digits.first(300), watch=lambda first, runs: seen.append((first, len(runs))))
    assert found.samples == 300
    assert seen == [(0, 1), (256, 1)]


def test_the_rasters_of_a_round_are_bounded(net, digits, monkeypatch):
    monkeypatch.setattr(evaluate, "BYTES_AT_ONCE", 40 * net.encoding.steps * sum(p.size for p in net.populations))
    seen = []
    evaluate.evaluate(net, digits, 100, watch=lambda first, runs: seen.append(first))
    assert seen == [0, 40, 80]


def test_both_simulators_come_to_the_same(net, digits):
    fixed = quantise(net, CHIP)
    found = [evaluate.evaluate(fixed, digits, 200, by=name) for name in (None, "engine", "reference")]
    assert found[0].spikes["output"] > 0
    for other in found[1:]:
        assert (found[0].classes == other.classes).all()
        assert (found[0].spikes, found[0].synaptic_operations) == (other.spikes, other.synaptic_operations)
    with pytest.raises(NetworkError, match="quantise it"):
        evaluate.evaluate(net, digits, 5, by="engine")
    with pytest.raises(UsageError, match="no simulator 'engin'; did you mean 'engine'"):
        evaluate.evaluate(fixed, digits, 5, by="engin")


def test_an_interrupt_keeps_what_was_done(net, digits, monkeypatch):
    monkeypatch.setattr(evaluate, "AT_ONCE", 20)

    def interrupt(first, runs):
        if first == 40:
            raise KeyboardInterrupt

    found = evaluate.evaluate(net, digits, 100, watch=interrupt)
    assert (found.samples, found.interrupted) == (60, True)
    assert (found.classes == evaluate.evaluate(net, digits, 60).classes).all()
    monkeypatch.setattr(evaluate, "simulator", lambda *_: lambda *_: interrupt(40, None))
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(net, digits, 100)


def test_the_contrast_of_two_networks_counts_every_difference(net, digits):
    fixed = quantise(net, CHIP)
    found = evaluate.contrast(net, fixed, digits, 80)
    a, b = (recount(n, digits.images[:80])[0] for n in (net, fixed))
    for name, difference in found.differences.items():
        unlike = a.spikes[name] != b.spikes[name]
        assert difference.slots == unlike.size
        assert difference.slots_differing == unlike.sum()
        assert difference.samples_differing == unlike.any(axis=(1, 2)).sum() == len(difference.first_steps)
        assert sorted(difference.first_steps) == sorted(
            int(np.flatnonzero(sample.any(axis=1))[0]) for sample in unlike if sample.any()
        )
        counts = a.spikes[name].sum(axis=1, dtype=int) - b.spikes[name].sum(axis=1, dtype=int)
        assert difference.count_difference == np.abs(counts).sum()
        assert difference.spikes == (a.spikes[name].sum(), b.spikes[name].sum())
    assert 0 < found.differences["hidden1"].slots_differing < 0.05 * found.differences["hidden1"].slots
    assert found.classes_differing == (found.reference.classes != found.candidate.classes).sum()


def test_a_network_does_not_differ_from_itself(net, digits):
    found = evaluate.contrast(net, net, digits, 20)
    assert all(d.slots_differing == d.count_difference == d.samples_differing == 0 for d in found.differences.values())
    assert found.reference.spikes["output"] > 0


def test_networks_that_cannot_be_contrasted_are_refused(net, digits):
    with pytest.raises(NetworkError, match="differ in population 'hidden1'"):
        evaluate.contrast(net, replace(float_chain(1, (64, 31, 10)), encoding=net.encoding), digits)
    with pytest.raises(NetworkError, match="encode samples differently"):
        evaluate.contrast(net, replace(net, encoding=Encoding("rate", 9, 0)), digits)


def test_data_that_does_not_suit_is_refused(digits):
    with pytest.raises(DataError, match="64 pixels"):
        evaluate.evaluate(float_chain(), digits)
    with pytest.raises(DataError, match="no samples"):
        evaluate.evaluate(float_chain(1, (64, 5)), digits.first(0))


@pytest.fixture(scope="module")
def files(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    store.save(net, folder / "float.snnc")
    store.save(quantise(net, CHIP), folder / "fixed.snnc")
    return folder


def run(*words):
    return CliRunner().invoke(main, [str(w) for w in words])


def test_simulate_prints_one_object(files, net, digits):
    result = run("simulate", files / "fixed.snnc", "--samples", 50, "--against", files / "float.snnc", "--json")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    found = evaluate.contrast(net, store.load(files / "fixed.snnc"), digits, 50)
    assert body["schema"] == "snnc.simulate/1"
    assert body["correct"] == found.candidate.correct
    assert body["spikes"] == dict(found.candidate.spikes)
    assert body["against"]["classes_differing"] == found.classes_differing
    assert body["against"]["populations"]["hidden1"]["slots_differing"] == found.differences["hidden1"].slots_differing


def test_simulate_writes_the_rasters(files, tmp_path, digits):
    out = tmp_path / "r.npz"
    words = ("simulate", files / "fixed.snnc", "--samples", 30, "--against", files / "float.snnc", "-o", out, "-q")
    assert run(*words).exit_code == 0
    with np.load(out, allow_pickle=False) as saved:
        want = simulate(store.load(files / "fixed.snnc"), {"input": saved["spikes/input"]})
        assert saved["spikes/input"].shape == (30, 8, 64)
        assert saved["spikes/output"].sum() > 0
        for name, spikes in want.spikes.items():
            assert (saved[f"spikes/{name}"] == spikes).all()
        assert (saved["labels"] == digits.labels[:30]).all()
    again = run("simulate", files / "fixed.snnc", "--samples", 30, "-o", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_simulate_reads_for_a_person(files):
    result = run("simulate", files / "fixed.snnc", "--samples", 20, "--against", files / "float.snnc")
    assert "of 20 right" in result.stdout
    assert "synaptic operations" in result.stdout
    assert "simulating 20 samples" in result.stderr


@pytest.mark.parametrize("samples", ["0", "-3", "few"])
def test_a_wrong_number_of_samples_is_refused(files, samples):
    result = run("simulate", files / "fixed.snnc", "--samples", samples)
    assert result.exit_code == 2
    assert "use 1 or more, or all" in result.stderr


def test_the_engine_verifies_against_the_reference(net, digits, tmp_path):
    fixed = tmp_path / "fixed.snnc"
    store.save(quantise(net, CHIP), fixed)
    found = CliRunner().invoke(
        main, ["verify", str(fixed), "--against", "reference", "--samples", "all", "--json"], standalone_mode=False
    )
    told = json.loads(found.stdout)
    assert (told["exact"], told["reference"], told["candidate"], told["samples"]) == (True, "reference", "engine", len(digits))
    assert told["spikes"]["output"]["fired"] > 0


def test_random_input_has_no_end(net, tmp_path):
    store.save(quantise(net, CHIP), tmp_path / "fixed.snnc")
    words = ["verify", str(tmp_path / "fixed.snnc"), "--against", "reference", "--random", "0.5", "--samples", "all"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert "random input has no end" in found.stderr


@pytest.mark.parametrize("name", ["engine", "lanes", "events", "reference"])
def test_the_simulator_can_be_named(net, tmp_path, name):
    store.save(quantise(net, CHIP), tmp_path / "fixed.snnc")
    words = ["simulate", str(tmp_path / "fixed.snnc"), "--samples", "20", "--engine", name, "--json"]
    told = json.loads(CliRunner().invoke(main, words, standalone_mode=False).stdout)
    assert told["samples"] == 20
    assert told["spikes"]["output"] > 0

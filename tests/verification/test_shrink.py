"""A run that differs is shrunk to the smallest case, which is written as a test; what was compared is kept and gone on from."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain, fixed_loops
from conftest import snnc

from snnc import store, targets
from snnc.errors import FileError, UsageError
from snnc.network.model import Network
from snnc.simulation import engine
from snnc.simulation.reference import simulate
from snnc.verification import ledger
from snnc.verification.prove import compare_batches, from_noise, joined
from snnc.verification.shrink import Case, minimal, samples_that_differ, select, shrunk

pytest.importorskip("numba", reason="numba is not installed: pip install '.[engine]'")


def raised(net: Network) -> Network:
    """Thresholds too high."""
    return replace(
        net,
        populations=tuple(
            replace(p, neuron=p.neuron and replace(p.neuron, threshold=p.neuron.threshold + 40)) for p in net.populations
        ),
    )


def first_of(candidates, differs):
    return next((i for i, kept in enumerate(candidates) if differs(kept)), None)


def test_what_is_left_can_lose_nothing():
    for needed in ({3}, {0, 17}, {5, 6, 30}):
        assert set(minimal(range(40), lambda some, needed=needed: first_of(some, needed.issubset))) == needed
    assert minimal(range(40), lambda some: first_of(some, lambda kept: True)) == []
    assert minimal(range(9), lambda some: first_of(some, lambda kept: len(kept) == 9)) == list(range(9))


@pytest.mark.parametrize(
    "net", [fixed_chain(sizes=(30, 40, 8)), fixed_loops(), convolutional(delays=True)], ids=["chain", "loops", "conv"]
)
def test_a_case_shrinks_to_what_matters(net):
    def differs(net, inputs):
        return samples_that_differ(simulate(net, inputs, record=True), simulate(raised(net), inputs, record=True))

    inputs = from_noise(net, 16, 0.4, 3)(0, 8)
    sample = int(differs(net, inputs).argmax())
    case = Case(net, {name: raster[sample : sample + 1] for name, raster in inputs.items()})
    assert differs(case.net, case.inputs).all()
    small = shrunk(case, differs, neurons=differs)
    assert differs(small.net, small.inputs).all(), "what is left has to differ"
    assert small.size["steps"] <= case.size["steps"] / 2
    assert small.size["messages"] <= case.size["messages"] / 4
    assert small.size["neurons"] <= 5


@pytest.mark.parametrize("net", [fixed_loops(), convolutional(delays=True)], ids=["loops", "conv"])
def test_all_neurons_are_the_network(net):
    case = Case(net, from_noise(net, 8, 0.5, 0)(0, 2))
    whole = select(case, {p.name: np.arange(p.size) for p in net.populations})
    assert not samples_that_differ(simulate(net, case.inputs, record=True), simulate(whole.net, whole.inputs, record=True)).any()


@pytest.fixture
def broken_engine(monkeypatch):
    """An engine with thresholds too high."""
    right = engine.simulate
    monkeypatch.setattr(engine, "simulate", lambda net, inputs, **options: right(raised(net), inputs, **options))
    return monkeypatch


def run_test(path):
    """The test of a counterexample, run here."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_the_runs_are_equal()


def test_a_broken_engine_leaves_a_test_that_fails_until_it_is_right(tmp_path, broken_engine, capsys):
    store.save(fixed_chain(sizes=(30, 40, 8)), tmp_path / "net.snnc")
    words = ["verify", tmp_path / "net.snnc", "--against", "reference", "--random", 0.4, "--samples", 8]
    assert snnc(*words, "--counterexample", tmp_path / "small", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    test = tmp_path / "small" / "test_engine.py"
    assert (said["counterexample"], said["exact"]) == (str(test), False)
    about = json.loads((tmp_path / "small" / "counterexample.json").read_text())
    assert about["neurons"] <= 2
    assert store.load(tmp_path / "small" / "network.snnc").populations[-1].neuron
    with pytest.raises(AssertionError, match="Divergence"):
        run_test(test)
    broken_engine.undo()
    run_test(test)
    assert snnc(*words, "--counterexample", tmp_path / "small") == 2, "nothing is overwritten"


@pytest.mark.slow
def test_an_altered_program_is_copied_as_it_is(tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[onnx]'")
    net = fixed_chain(sizes=(30, 40, 8))
    store.save(net, tmp_path / "net.snnc")
    targets.export("onnx", raised(net), None, tmp_path / "program")
    words = ["verify", tmp_path / "program", "--against", tmp_path / "net.snnc", "--random", 0.4, "--samples", 4, "--as-it-is"]
    assert snnc(*words, "--counterexample", tmp_path / "small", "-q") == 1
    about = json.loads((tmp_path / "small" / "counterexample.json").read_text())
    assert about["neurons"] == 48, "the program is that of all neurons"
    assert about["messages"] <= 20
    with pytest.raises(AssertionError, match="Divergence"):
        run_test(tmp_path / "small" / "test_onnx.py")


def test_torch_has_no_counterexample(tmp_path, capsys):
    store.save(fixed_chain(), tmp_path / "net.snnc")
    assert snnc("verify", tmp_path / "net.snnc", "--against", "torch", "--random", 0.4, "--counterexample", tmp_path / "s") == 2
    assert "not written for torch" in capsys.readouterr().err


def test_a_verification_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    net = fixed_chain()
    store.save(net, tmp_path / "net.snnc")
    words = ["verify", tmp_path / "net.snnc", "--against", "reference", "--random", 0.4, "--json"]
    per_sample = 32 * 16 * sum(p.size for p in net.populations)
    monkeypatch.setattr("snnc.verification.prove.BYTES_AT_ONCE", 4 * per_sample)
    assert snnc(*words, "--samples", 20) == 0
    whole = json.loads(capsys.readouterr().out)
    right, calls = engine.simulate, []

    def stopped(*given, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return right(*given, **options)

    monkeypatch.setattr(engine, "simulate", stopped)
    assert snnc(*words, "--samples", 20, "--resume", tmp_path / "kept.json") == 130
    half = json.loads(capsys.readouterr().out)
    assert (half["samples"], half["asked_for"]) == (8, 20)
    assert snnc(*words, "--samples", 20, "--resume", tmp_path / "kept.json") == 0
    assert len(calls) == 3 + 2 + 3, "8 samples are held against what was kept, 12 were left"
    assert json.loads(capsys.readouterr().out) == whole
    assert snnc(*words, "--samples", 20, "--seed", 1, "--resume", tmp_path / "kept.json") == 2
    assert "input differ" in capsys.readouterr().out


def test_a_ledger_comes_back_and_a_damaged_one_is_refused(tmp_path):
    net, path = fixed_chain(), tmp_path / "kept.json"
    source = from_noise(net, 16, 0.4, 0)
    found = list(compare_batches(net, lambda x: simulate(raised(net), x, record=True), source, range(6), at_most=4))
    assert joined(found, net).verdict.first, "nothing differs"
    ledger.write(path, {"network": net.hash}, found)
    back = joined(ledger.read(path, {"network": net.hash}), net)
    assert back.verdict == joined(found, net).verdict
    assert np.array_equal(back.candidate_classes, joined(found, net).candidate_classes)
    with pytest.raises(UsageError, match="another comparison: network differ"):
        ledger.read(path, {"network": "?"})
    for text in ("[]", '{"schema": "snnc.ledger/1", "of": {}, "pieces": [{"verdict": 3}]}', "{"):
        path.write_text(text)
        with pytest.raises(FileError):
            ledger.read(path, {})


def test_a_sample_that_differs_only_among_others_is_told(tmp_path, monkeypatch, capsys):
    right = engine.simulate

    def wrong(net, inputs, **options):
        return right(net if len(inputs["input"]) == 1 else raised(net), inputs, **options)

    monkeypatch.setattr(engine, "simulate", wrong)
    store.save(fixed_chain(sizes=(30, 40, 8)), tmp_path / "net.snnc")
    words = ["verify", tmp_path / "net.snnc", "--against", "reference", "--random", 0.4, "--samples", 8]
    assert snnc(*words, "--counterexample", tmp_path / "small") == 1
    assert "only among others" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()

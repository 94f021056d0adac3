"""Budgets of inputs: what is proved under them holds for every input within them, and inputs beyond them are refused."""

from dataclasses import replace

import numpy as np
import pytest
from cases import lava_graphs
from cases.networks import fixed_chain, float_chain, spikes
from conftest import snnc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snnc import store
from snnc.analysis.current_bounds import current_bound, largest_budget, must_not_wrap
from snnc.analysis.range_proof import prove_ranges
from snnc.errors import DataError, DoesNotFitError, NetworkError
from snnc.passes.limit import limited
from snnc.simulation import engine
from snnc.simulation.input_budget import check_budget, keep_budget
from snnc.simulation.reference import simulate
from snnc.verification.cover import covering
from snnc.verification.coverage import Coverage
from snnc.verification.prove import from_noise
from snnc.verification.refute import RegisterEnd, confirmed, drive

ANY = {"deadline": None, "derandomize": True, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}
RUNS = {"reference": simulate, "engine": lambda net, inputs: engine.simulate(net, inputs)}


def within(net, budget):
    return limited(net, {p.name: budget for p in net.inputs})


def wide(exponent=3, model="cuba"):
    """A network whose current wraps if all inputs send at once, and does not if half of them do."""
    net = fixed_chain(1, (40, 30, 4), density=1.0, exponent=exponent, model=model, threshold=4000)
    neuron = replace(net["hidden1"].neuron, decay_u=np.int64(100))
    return replace(net, populations=tuple(replace(p, neuron=neuron) if p.name == "hidden1" else p for p in net.populations))


@settings(max_examples=5, **ANY)
@given(lava_graphs.graphs(), st.integers(1, 4), st.sampled_from([24, 12, 9]))
def test_no_input_within_its_budget_leaves_what_is_proved(graph, budget, state_bits):
    net = lava_graphs.network(graph)
    net = within(replace(net, numeric=replace(net.numeric, state_bits=state_bits)), budget)
    proof = prove_ranges(net)
    inputs = from_noise(net, 20 + graph.steps, 0.7, graph.seed)(0, 3)
    tried = [inputs, *(d.inputs for d in driven(net, proof, 40))]
    for rasters in tried:
        assert all(np.count_nonzero(x, axis=2).max() <= budget for x in rasters.values())
        run = simulate(net, rasters, record=True)
        for name, found in proof.reaches.items():
            for state, held in found.held.items():
                values = confirmed(net, run, name)[state]
                assert (values.max((0, 1)) <= held.high)[found.found].all(), name
                assert (values.min((0, 1)) >= held.low)[found.found].all(), name


def driven(net, proof, steps):
    """What drives the neuron with the widest bound of each register as far as it goes."""
    for name, found in proof.reaches.items():
        for state, held in found.held.items():
            if end := drive(net, RegisterEnd(name, int(held.high.argmax()), state, True), steps):
                yield end


@pytest.mark.parametrize("budget", [1, 5, 39])
def test_one_input_within_the_budget_reaches_the_bound(budget):
    net = within(fixed_chain(2, (40, 6), model="cuba"), budget)
    held = prove_ranges(net).reaches["output"].held["u"]
    for neuron in range(6):
        end = drive(net, RegisterEnd("output", neuron, "u", True), 160)
        assert end.value == held.high[neuron]
        assert np.count_nonzero(end.inputs["input"], axis=2).max() == min(budget, int((_row(net, neuron) > 0).sum()))


def _row(net, neuron):
    return net.connections[0].op.synapses.to_dense()[neuron]


def test_a_budget_is_a_promise_that_the_network_keeps():
    net = fixed_chain(3, (30, 8))
    promised, kept = prove_ranges(net, max_spikes_per_step=4), prove_ranges(within(net, 4))
    for name, found in promised.reaches.items():
        assert all(np.array_equal(x.high, kept.reaches[name].held[state].high) for state, x in found.held.items())
    assert kept.to_json()["budgets"] == {"input": 4}
    assert "budgets" not in promised.to_json()
    assert "within the network's budget of at most 4 messages a step of 'input'" in kept.scope
    fewer = prove_ranges(within(net, 4), max_spikes_per_step=2).reaches["output"].held["u"].high
    assert (fewer == prove_ranges(net, max_spikes_per_step=2).reaches["output"].held["u"].high).all()


@pytest.mark.parametrize("by", RUNS)
def test_a_run_refuses_an_input_beyond_its_budget(by):
    net = within(fixed_chain(0, (12, 20, 5)), 3)
    inputs = {"input": np.zeros((2, 6, 12), np.uint8)}
    inputs["input"][1, 4, :3] = 1
    if by == "reference":
        RUNS[by](net, inputs)
    inputs["input"][1, 4, 7] = 1
    with pytest.raises(DataError, match="'input': sends 4 messages in step 4 of sample 1, its budget is 3 a step"):
        RUNS[by](net, inputs)


def test_a_budget_that_is_not_checked_is_wrong_in_silence(monkeypatch):
    """Why it is checked: beyond its budget a proved network wraps."""
    net = within(wide(), largest_budget(wide()))
    assert prove_ranges(net).certificates[0].registers[0].margin >= 0
    assert not prove_ranges(wide()).holds
    everything = {"input": np.ones((1, 80, 40), np.uint8)}
    monkeypatch.setattr("snnc.simulation.reference.check_budget", lambda p, raster: None)
    held = confirmed(net, simulate(net, everything, record=True), "hidden1")["u"]
    assert np.abs(held).max() > net.numeric.state_limit


def test_random_and_covering_inputs_keep_to_the_budget():
    net = within(fixed_chain(0, (12, 20, 5)), 2)
    noise = from_noise(net, 30, 0.8, 0)(0, 4)["input"]
    counts = np.count_nonzero(noise, axis=2)
    assert counts.max() == 2
    assert (noise == from_noise(net, 30, 0.8, 0)(0, 4)["input"]).all()
    made = covering(net, Coverage(net), 6, by="reference")
    assert made["input"].any()
    assert np.count_nonzero(made["input"], axis=2).max() <= 2


def test_what_is_within_the_budget_stays():
    p = within(fixed_chain(), 5)["input"]
    raster = spikes(fixed_chain(), rate=0.4)["input"]
    kept = keep_budget(p, raster, np.random.default_rng(0))
    few = np.count_nonzero(raster, axis=2) <= 5
    assert few.any()
    assert not few.all()
    assert (kept[few] == raster[few]).all()
    assert ((kept == raster) | (kept == 0)).all()
    check_budget(p, kept)


def test_a_network_without_a_budget_has_the_hash_that_it_had(tmp_path):
    net = fixed_chain()
    assert limited(net, {}).hash == net.hash
    small = within(net, 4)
    assert small.hash != net.hash
    store.save(small, tmp_path / "small.snnc")
    again = store.load(tmp_path / "small.snnc")
    assert again.hash == small.hash
    assert again["input"].max_spikes_per_step == 4
    assert b"max_spikes_per_step" not in store.dumps(net)


@pytest.mark.parametrize("budget", [0, -1, 1 << 25])
def test_a_budget_that_cannot_be_is_refused(budget):
    with pytest.raises(NetworkError, match="has a budget of"):
        within(fixed_chain(), budget)


def test_only_inputs_have_a_budget():
    net = fixed_chain()
    with pytest.raises(NetworkError, match="'hidden1' has a budget of spikes, which only inputs have"):
        replace(net, populations=tuple(replace(p, max_spikes_per_step=3) if p.name == "hidden1" else p for p in net.populations))
    with pytest.raises(NetworkError, match="has no input 'inptu', its inputs are 'input'"):
        limited(net, {"inptu": 3})


def test_the_refusal_names_the_largest_budget_that_helps():
    net = wide()
    with pytest.raises(DoesNotFitError, match=f"a budget of {largest_budget(net)} messages a step or less \\(snnc limit\\)"):
        must_not_wrap(net)
    must_not_wrap(within(net, largest_budget(net)))
    assert any(bound.wraps for bound in current_bound(within(net, largest_budget(net) + 1)).values())


def test_where_no_budget_helps_none_is_named():
    net = wide(exponent=7)
    deep = replace(net, connections=tuple(replace(c, src="input") if c.src == "input" else c for c in net.connections))
    loud = replace(deep["hidden1"].neuron, decay_u=np.int64(1))
    deep = replace(deep, populations=tuple(replace(p, neuron=loud) if p.name == "hidden1" else p for p in deep.populations))
    assert largest_budget(deep) is None
    with pytest.raises(DoesNotFitError, match="; scale its weights and threshold down by"):
        must_not_wrap(deep)


def test_the_verb_gives_a_budget_and_check_states_it(tmp_path, capsys):
    model, out = tmp_path / "wide.snnc", tmp_path / "limited.snnc"
    store.save(wide(), model)
    assert snnc("export", model, "-t", "c", "-o", tmp_path / "c") == 3
    most = largest_budget(wide())
    assert f"a budget of {most} messages a step" in capsys.readouterr().err
    assert snnc("limit", model, "--max-spikes-per-step", most, "-o", out) == 0
    assert str(most) in capsys.readouterr().out
    assert snnc("check", out, "--proof") in (0, 1)
    assert f"within the network's budget of at most {most} messages a step of 'input'" in " ".join(
        capsys.readouterr().out.split()
    )
    assert snnc("export", out, "-t", "c", "-o", tmp_path / "c") == 0


def test_the_verb_measures_a_budget_on_data(tmp_path, capsys):
    store.save(float_chain(0, (64, 20, 10)), tmp_path / "net.snnc")
    assert snnc("limit", tmp_path / "net.snnc", "--data", "digits", "-o", tmp_path / "out.snnc") == 0
    most = store.load(tmp_path / "out.snnc")["input"].max_spikes_per_step
    assert 10 < most < 64
    assert snnc("simulate", tmp_path / "out.snnc", "--data", "digits", "--samples", "40") == 0
    assert snnc("limit", tmp_path / "net.snnc", "--max-spikes-per-step", "2", "-o", tmp_path / "two.snnc") == 0
    capsys.readouterr()
    assert snnc("simulate", tmp_path / "two.snnc", "--data", "digits", "--samples", "40") == 2
    assert "its budget is 2 a step" in capsys.readouterr().err
    words = ["quantise", tmp_path / "net.snnc", "--hw", "loihi1", "--finetune-epochs", "1", "-o", tmp_path / "tuned.snnc"]
    assert snnc(*words, "--max-spikes-per-step", "2") == 2
    assert "its budget is 2 a step" in capsys.readouterr().err

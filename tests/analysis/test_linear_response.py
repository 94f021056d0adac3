"""The bounds of states that turn into each other: no input breaks them, a built one nearly meets them, spoiled ones are found."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import LOIHI, fixed_chain, fixed_neuron, float_chain, spikes
from cases.resonators import resonators

from snnc import chips
from snnc.analysis import linear_response
from snnc.analysis.current_bounds import current_bound, must_not_wrap
from snnc.analysis.intervals import Span
from snnc.analysis.linear_response import impulse_response, response
from snnc.analysis.range_proof import prove_ranges
from snnc.errors import DoesNotFitError, NetworkError
from snnc.neurons.resonate import Resonate
from snnc.passes.quantise import quantise
from snnc.simulation.reference import simulate
from snnc.verification.refute import RegisterEnd, confirmed, drive, refute

NEVER = 131_071  # a threshold that is hardly ever reached


def worst(net, proof, steps=400):
    """How far noise and built inputs drive each register, beside its bound: state -> (reached, bound)."""
    found = {}
    tried = [spikes(net, samples=4, rate=rate, steps=steps, seed=int(10 * rate)) for rate in (0.1, 0.5, 0.9)]
    for state in proof.reaches["output"].held:
        for upward in (True, False):
            tried += [drive(net, RegisterEnd("output", n, state, upward), steps).inputs for n in range(0, net.output.size, 3)]
    for inputs in tried:
        run = simulate(net, inputs, record=True)
        for state, given in confirmed(net, run, "output").items():
            held = proof.reaches["output"].held[state]
            share = max((given / np.where(given > 0, held.high, held.low)).max(), 0)
            found[state] = max(found.get(state, 0), float(share))
            after = run.states["output"][state]
            span = proof.reaches["output"].states[state]
            beyond = float(np.maximum(after - span.high, span.low - after).max())
            found[f"{state} after"] = max(beyond, found.get(f"{state} after", beyond))
        fires = proof.reaches["output"].fires
        assert not run.spikes["output"][:, :, ~fires].any()
    return found


def test_no_input_breaks_a_bound_and_a_built_one_nearly_meets_it():
    net = resonators(threshold=NEVER)
    found = worst(net, prove_ranges(net))
    assert 0.99 < found["x"] <= 1
    assert 0.99 < found["y"] <= 1
    assert max(found["x after"], found["y after"]) <= 0


@pytest.mark.parametrize("level", [-200, 0, 300])
def test_no_input_breaks_a_bound_where_spikes_reset_both_states(level):
    net = resonators(threshold=60, level=level)
    found = worst(net, prove_ranges(net))
    assert max(found["x"], found["y"]) <= 1
    assert max(found["x after"], found["y after"]) <= 0
    assert simulate(net, spikes(net, steps=100, rate=0.5)).spikes["output"].any()


def test_a_state_no_longer_passes_its_bound_and_wraps():
    """Fractions so near to a turn without decay that the sum of all inputs is beyond the register: not proved, and shown."""
    net = resonators(threshold=NEVER, decay=0.9995, strong=7)
    proof = prove_ranges(net)
    assert not proof.holds
    with pytest.raises(DoesNotFitError, match="can reach"):
        must_not_wrap(net)
    assert refute(net, proof, proof.certificates[0]).beyond


def test_a_turn_that_never_shrinks_is_refused():
    net = resonators(decay=1.0)
    assert current_bound(net)["output"].endless
    with pytest.raises(DoesNotFitError, match="no bound of what its states can reach is known"):
        must_not_wrap(net)
    floats = float_chain(model="resonate")
    turning = replace(floats.output.neuron, cosine=np.float64(0.8), sine=np.float64(0.6))
    floats = replace(floats, populations=tuple(replace(p, neuron=p.neuron and turning) for p in floats.populations))
    with pytest.raises(NetworkError, match="at any scale"):
        quantise(floats, chips.load("loihi1"))


def test_quantising_keeps_the_turning_state_in_its_register():
    fixed = quantise(float_chain(model="resonate"), chips.load("loihi1"))
    must_not_wrap(fixed)
    assert not any(bound.wraps for bound in current_bound(fixed).values())


def test_within_few_steps_less_is_possible():
    net = resonators(threshold=NEVER, decay=0.999)
    ever, few = prove_ranges(net), prove_ranges(net, steps=5)
    for state, held in few.reaches["output"].held.items():
        assert held.within(ever.reaches["output"].held[state]).all()
        assert (held.high < ever.reaches["output"].held[state].high).all()
    steps = worst(net, few, steps=5)
    assert 0.97 < steps["x"] <= 1


def test_who_cannot_fire_is_found():
    quiet = prove_ranges(resonators(threshold=NEVER)).certificates[0]
    assert quiet.silent == quiet.neurons
    assert not prove_ranges(resonators(threshold=60)).certificates[0].silent


@pytest.mark.parametrize("mistake", ["half a turn", "first steps", "reset", "input"])
def test_a_mistake_in_the_rules_is_found(mistake, monkeypatch):
    net = resonators(threshold=60, level=NEVER) if mistake == "reset" else resonators(threshold=NEVER)
    sums, spoiled = linear_response._sums, {}
    spoiled["half a turn"] = lambda linear, current, steps: sums(linear._replace(matrix=linear.matrix * 0.95), current, steps)
    spoiled["first steps"] = lambda linear, current, steps: sums(linear, current, 6)
    spoiled["reset"] = lambda linear, current, steps: sums(linear._replace(starts=linear.starts[:1]), current, steps)
    spoiled["input"] = lambda linear, current, steps: sums(linear, Span(current.low, current.high * 0.97), steps)
    sound = worst(net, prove_ranges(net))
    assert max(sound["x"], sound["y"]) <= 1
    monkeypatch.setattr(linear_response, "_sums", spoiled[mistake])
    wrong = prove_ranges(net)
    monkeypatch.undo()
    found = worst(net, wrong)
    assert max(found["x"], found["y"]) > 1 or max(found["x after"], found["y after"]) > 0


def test_rounding_is_in_the_bound():
    """Without input, what is left of a state is off by what each product loses: never more than the bound allows."""
    still = Span(np.zeros(1, np.int64), np.zeros(1, np.int64))
    one = Resonate(np.int64(NEVER), np.int64(4000), np.int64(700), np.int64(0))
    bound = response(one, still, LOIHI, None).held["x"]
    assert bound.high[0] >= 2
    exact = Resonate(np.int64(NEVER), np.int64(0), np.int64(0), np.int64(0))
    assert response(exact, still, LOIHI, None).held["x"].high[0] <= 1


def test_an_impulse_is_what_the_neuron_does_with_it():
    one = fixed_neuron("resonate", NEVER)
    left = impulse_response(replace(one, threshold=np.full(1, NEVER)), LOIHI, 6)
    state, rows = {"x": np.zeros(1, np.int64), "y": np.zeros(1, np.int64)}, []
    for current in [1000, 0, 0, 0, 0, 0]:
        state, _ = one.step(state, np.array([current]), LOIHI)
        rows.append((state["x"][0] / 1000, state["y"][0] / 1000))
    np.testing.assert_allclose(np.array(rows).T, [left["x"], left["y"]], atol=0.01)


def test_other_models_are_not_linear():
    current = Span(np.zeros(1, np.int64), np.ones(1, np.int64))
    for model in ("cuba", "cuba_subtract", "cuba_refractory", "adaptive_lif"):
        assert response(fixed_neuron(model), current, LOIHI, None) is None
    assert response(fixed_neuron("li"), current, LOIHI, None) is not None
    assert fixed_chain().output.neuron.current_decay is not None

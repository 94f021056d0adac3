"""The range proof: no input breaks a bound, built ones reach it, and what it lets through wraps or saturates in the reference."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import lava_graphs
from cases.convolutions import convolutional, unrolled
from cases.networks import LOIHI, fixed_chain, fixed_loops, fixed_neuron, float_chain, spikes
from conftest import snnc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from snnc import neurons, store, targets
from snnc.analysis import current_bounds, intervals, reachability
from snnc.analysis.current_bounds import current_bound, must_not_wrap
from snnc.analysis.range_proof import prove_ranges
from snnc.analysis.reachability import MOST_STEPS
from snnc.errors import ConfigError, DoesNotFitError, NetworkError
from snnc.network.arithmetic import Fixed
from snnc.neurons.cuba import Cuba
from snnc.simulation.reference import simulate
from snnc.verification.refute import TRIED_STEPS, RegisterEnd, confirmed, drive, refute

MODELS = [*neurons.names()]
ANY = {"deadline": None, "derandomize": True, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}


def of_model(neuron, model, numeric):
    """A neuron of another model with the same parameters, as far as it has them."""
    given = {name: getattr(neuron, name) for name in neuron.parameters()}
    own = fixed_neuron(model)
    ends = {name: f.metadata["unit"].range(numeric, f.metadata["offset"]) for name, f in own.parameters().items()}
    values = {name: given.get(name, getattr(own, name)) for name in ends}
    return type(own)(**{name: np.clip(value, *ends[name]) for name, value in values.items()})


def network(graph, model, state_bits):
    """The network of a graph with neurons of one model (but for its readouts), and registers of so many bits."""
    net = lava_graphs.network(graph)
    numeric = replace(net.numeric, state_bits=state_bits)
    populations = tuple(
        p if p.neuron is None or p.neuron.model() == "li" else replace(p, neuron=of_model(p.neuron, model, numeric))
        for p in net.populations
    )
    return replace(net, populations=populations, numeric=numeric)


def within_budget(raster, budget):
    """The raster with no more than so many messages a step."""
    return raster if budget is None else raster * (np.cumsum(raster != 0, axis=2) <= budget)


def noise(net, samples, steps, budget, seed):
    """Calm and busy rasters, and messages of any size."""
    rng, found = np.random.default_rng(seed), {}
    for p in net.inputs:
        busy = rng.random((samples, steps, p.size)) < rng.choice([0.1, 0.5, 1.0], (samples, 1, 1))
        found[p.name] = within_budget(busy * rng.integers(1, 2 ** max(p.message_bits, 1), busy.shape), budget)
    return found


def adversaries(net, proof, steps, budget):
    """For each register the input built to drive the neuron with the widest bound as far as it goes, both ways."""
    for name, found in proof.reaches.items():
        for state, held in found.held.items():
            for upward in (True, False):
                neuron = int((held.high if upward else -held.low).argmax())
                if driven := drive(net, RegisterEnd(name, neuron, state, upward), steps, budget):
                    yield driven.inputs


def must_hold(net, proof, inputs):
    """Every register, state and spike of a run lies within the proof."""
    run = simulate(net, inputs, record=True)
    for name, found in proof.reaches.items():
        sure = found.found
        if net[name].neuron.rule.fires:
            assert not run.spikes[name][:, :, ~found.fires].any(), f"{name} fires"
        pairs = [(confirmed(net, run, name)[state], held) for state, held in found.held.items()]
        pairs += [(run.states[name][state], span) for state, span in found.states.items()]
        for values, span in pairs:
            assert (values.max((0, 1)) <= span.high)[sure].all(), name
            assert (values.min((0, 1)) >= span.low)[sure].all(), name


def must_hold_all(net, proof, tried):
    for inputs in tried:
        must_hold(net, proof, inputs)


FIRING = st.sampled_from([m for m in MODELS if neurons.get(m).rule.fires])
NETWORKS = lava_graphs.graphs(), FIRING, st.sampled_from([24, 24, 17, 8]), st.sampled_from([None, 1, 3]), st.booleans()


LONG = 100  # steps of an input against a bound for any number of them


def hold(graph, model, state_bits, budget, ever):
    net, steps = network(graph, model, state_bits), 12 + graph.steps
    proof = prove_ranges(net, steps=None if ever else steps, max_spikes_per_step=budget)
    must_hold(net, proof, noise(net, 3, steps, budget, graph.seed))
    must_hold_all(net, proof, adversaries(net, proof, LONG if ever else steps, budget))


@settings(max_examples=10, **ANY)
@given(*NETWORKS)
def test_no_input_breaks_a_bound(graph, model, state_bits, budget, ever):
    hold(graph, model, state_bits, budget, ever)


@pytest.mark.slow
@settings(max_examples=100, **(ANY | {"derandomize": False}))
@given(*NETWORKS)
def test_no_input_breaks_a_bound_of_many_networks(graph, model, state_bits, budget, ever):
    hold(graph, model, state_bits, budget, ever)


def broken(monkeypatch):
    """Rules of the proof with one mistake each."""
    originals = current_bounds._most, intervals._Intervals.clear, intervals._Intervals.decay, intervals._both, Fixed.decay

    def nothing_above_the_threshold_before_a_reset(self, v, spikes):
        kept = originals[1](self, v, spikes)
        return replace(kept, high=np.minimum(kept.high, 0))

    def too_much_leaks(self, x, decay):
        spanned = originals[2](self, x, decay)
        return intervals.Span(spanned.low + (x.low < 0), spanned.high - (x.high > 0))

    return {
        "weights": lambda: monkeypatch.setattr(
            current_bounds, "_most", lambda part, values, what: originals[0](part, values // 2, what)
        ),
        "clear": lambda: monkeypatch.setattr(intervals._Intervals, "clear", nothing_above_the_threshold_before_a_reset),
        "decay": lambda: monkeypatch.setattr(intervals._Intervals, "decay", too_much_leaks),
        "split": lambda: monkeypatch.setattr(
            intervals,
            "_both",
            lambda x, t, follow: follow(intervals.Span(np.minimum(x.low, t.low), np.minimum(x.high, t.low)), 0),
        ),
        "budget": lambda: monkeypatch.setattr(
            current_bounds, "_most", lambda part, values, what: originals[0](part, values, what._replace(at_most=2))
        ),
        "silence": lambda: monkeypatch.setattr(
            "snnc.analysis.range_proof.step_current", lambda p, into, numeric: (np.zeros(p.size, int),) * 2
        ),
    }


@pytest.mark.parametrize("mistake", ["weights", "clear", "decay", "split", "budget", "silence"])
def test_a_mistake_in_the_rules_is_found(mistake, monkeypatch):
    net = fixed_chain(2, (40, 12, 5), model="cuba_subtract" if mistake == "split" else "cuba", bias=40)
    proof = prove_ranges(net)
    must_hold_all(net, proof, adversaries(net, proof, 60, None))
    broken(monkeypatch)[mistake]()
    wrong = prove_ranges(net)
    monkeypatch.undo()
    tried = [*adversaries(net, proof, 60, None), spikes(net, steps=60)]
    with pytest.raises(AssertionError):
        must_hold_all(net, wrong, tried)


def by_one(monkeypatch):
    """Rules of the proof that are wrong by one: one weight unit, message, step or unit of v, or one delay left out."""
    most, decay, shares, after = current_bounds._most, Fixed.decay, current_bounds.parts, reachability._after
    above, clear = intervals._Intervals.above, intervals._Intervals.clear

    def one_less(part, values, what):
        found = most(part, values, what)
        return found - (found > 0)

    def one_message_less(part, values, what):
        return most(part, values, what._replace(at_most=what.at_most and what.at_most - 1))

    def one_more_leaks(self, x, share):
        left = decay(self, x, share)
        return left - np.sign(left)

    def fires_a_unit_later(self, v, threshold):
        return above(self, v, intervals.span(threshold) + 1)

    def ends_below_the_threshold(self, v, spikes):
        left = clear(self, v, spikes)
        at = spikes.asked[1].high - 1
        return replace(left, high=np.where(spikes.high > 0, np.minimum(left.high, at), left.high))

    return {
        "sum": lambda: monkeypatch.setattr(current_bounds, "_most", one_less),
        "message": lambda: monkeypatch.setattr(current_bounds, "_most", one_message_less),
        "leak": lambda: monkeypatch.setattr(Fixed, "decay", one_more_leaks),
        "delay": lambda: monkeypatch.setattr(current_bounds, "parts", lambda c: tuple(shares(c))[:-1] or shares(c)),
        "step": lambda: monkeypatch.setattr(reachability, "_after", lambda box, follow, steps: after(box, follow, steps - 1)),
        "threshold": lambda: monkeypatch.setattr(intervals._Intervals, "above", fires_a_unit_later),
        "reset": lambda: monkeypatch.setattr(intervals._Intervals, "clear", ends_below_the_threshold),
    }


def at_the_threshold():
    """A neuron whose voltage ends at its threshold with one message, and fires with two."""
    net = fixed_chain(0, (2, 1), density=1.0)
    op = net.connections[0].op
    op = replace(op, synapses=op.synapses.with_values(np.array([10, 6])))
    own = Cuba(np.int64(10), np.int64(4096), 4095, 0)
    return replace(
        net, populations=(net["input"], replace(net["output"], neuron=own)), connections=(replace(net.connections[0], op=op),)
    )


def a_unit_above_the_threshold():
    """A neuron that fires only at the very end of its bound, one unit of v above its threshold."""
    net = fixed_chain(1, (15, 1), density=1.0)
    for decay in range(600, 4000):
        own = Cuba(np.int64(100_000), np.int64(2048), decay, 0)
        high = int(prove_ranges(_with(net, own)).reaches["output"].held["v"].high[0])
        if high % (1 << LOIHI.state_shift) == 1:
            return _with(net, replace(own, threshold=np.int64(high >> LOIHI.state_shift)))
    raise AssertionError("no such decay")


def _with(net, neuron):
    return replace(net, populations=tuple(replace(p, neuron=neuron) if p.neuron else p for p in net.populations))


CASES = {
    "sum": (lambda: fixed_chain(2, (15, 5)), None, None),
    "message": (lambda: fixed_chain(2, (15, 5)), 3, None),
    "leak": (lambda: fixed_chain(2, (15, 5)), None, None),
    "delay": (lambda: convolutional(delays=True), None, None),
    "step": (lambda: excited(sizes=(15, 5)), None, 7),
    "threshold": (a_unit_above_the_threshold, None, None),
    "reset": (at_the_threshold, None, None),
}


@pytest.mark.parametrize("mistake", CASES)
def test_a_rule_that_is_wrong_by_one_is_found(mistake, monkeypatch):
    """As the bounds are tight, an input that was built for them shows it."""
    build, budget, steps = CASES[mistake]
    net = build()
    proof = prove_ranges(net, steps=steps, max_spikes_per_step=budget)
    tried = [*adversaries(net, proof, steps or 160, budget), noise(net, 4, steps or 40, budget, 0)]
    must_hold_all(net, proof, tried)
    by_one(monkeypatch)[mistake]()
    wrong = prove_ranges(net, steps=steps, max_spikes_per_step=budget)
    monkeypatch.undo()
    with pytest.raises(AssertionError):
        must_hold_all(net, wrong, tried)


def exact(model, state, upward):
    """Whether an input is known that reaches the bound itself; a voltage that is reset is met to less than a threshold.

    Where a threshold is subtracted this holds downward, too: the box does not know that it takes a high voltage before.
    """
    reset = neurons.get(model).rule.reset
    if neurons.get(model).rule.decay_rounding == "past zero":
        return False  # the box adds up what decays overshoot at their worst, which no one input does
    return state == "u" or reset == "none" or (reset == "zero" and not upward)


def near(model, state):
    """Whether an input is known that misses the bound by less than a threshold; else it is only known to hold."""
    return state == "v" and neurons.get(model).rule.reset in ("zero", "subtract")


@settings(max_examples=6, **ANY)
@given(st.integers(0, 10_000), st.integers(600, 4096), st.integers(600, 4095), st.sampled_from([0, 320, -320]),
       st.sampled_from([None, 1, 5]), st.sampled_from([0, 8]))  # fmt: skip
@pytest.mark.parametrize("model", MODELS)
def test_one_input_reaches_the_bound(model, seed, decay_u, decay_v, bias, budget, bits):
    net = fixed_chain(seed, (15, 5), model=model, exponent=-bits)
    given = {"decay_u": decay_u, "decay_v": decay_v, "bias": bias}
    own = fixed_neuron(model)
    own = replace(own, **{name: np.int64(value) for name, value in given.items() if name in own.parameters()})
    inputs, output = net.populations
    net = replace(net, populations=(replace(inputs, message_bits=bits), replace(output, neuron=own)))
    proof = prove_ranges(net, max_spikes_per_step=budget)
    for state, held in proof.reaches["output"].held.items():
        for upward in (True, False):
            driven = drive(net, RegisterEnd("output", seed % 5, state, upward), 160, budget)
            bound = int((held.high if upward else held.low)[seed % 5])
            if exact(model, state, upward):
                assert driven.value == bound
            elif near(model, state):
                assert 0 <= abs(bound) - abs(driven.value) <= 300 << LOIHI.state_shift
            else:
                assert driven.value <= bound if upward else driven.value >= bound


@pytest.mark.parametrize("net", [convolutional(), convolutional(delays=True)], ids=["at once", "late"])
@pytest.mark.parametrize("budget", [None, 2])
def test_convolutions_reach_their_bounds_at_every_place(net, budget):
    found = prove_ranges(net, max_spikes_per_step=budget).reaches["conv1"].held["u"]
    for neuron in range(0, 270, 13):
        for upward in (True, False):
            assert (
                drive(net, RegisterEnd("conv1", neuron, "u", upward), 8, budget).value
                == (found.high if upward else found.low)[neuron]
            )


@pytest.mark.parametrize("budget", [None, 1, 4])
def test_shared_weights_are_bounded_as_unrolled_ones(budget):
    net = convolutional(delays=True)
    shared, own = (prove_ranges(n, max_spikes_per_step=budget) for n in (net, unrolled(net)))
    for name, found in shared.reaches.items():
        for kind, held in found.held.items():
            for end in ("low", "high"):
                assert np.array_equal(getattr(held, end), getattr(own.reaches[name].held[kind], end)), (name, kind)


@pytest.mark.parametrize("model", MODELS)
def test_the_proof_and_the_bound_of_the_current_agree(model):
    net = fixed_chain(4, model=model)
    proof, bound = prove_ranges(net), current_bound(net)
    for name, found in proof.reaches.items():
        wrapping = [state.name for state in net[name].neuron.states if state.overflow == "wrap"]
        assert np.array_equal(np.maximum.reduce([found.held[state].high for state in wrapping]), bound[name].high)
        assert np.array_equal(np.minimum.reduce([found.held[state].low for state in wrapping]), bound[name].low)
        assert not bound[name].wraps


def excited(threshold=131071, decay_v=1, sizes=(40, 12, 4)):
    """Neurons that remember almost everything and hardly ever fire."""
    net = fixed_chain(5, sizes, density=1.0)
    own = Cuba(threshold, np.int64(4096), decay_v, 0)
    return replace(net, populations=tuple(replace(p, neuron=own) if p.neuron else p for p in net.populations))


def test_what_is_not_proved_is_shown_in_the_reference():
    net = excited()
    proof = prove_ranges(net)
    certificate = proof.certificates[0]
    assert not proof.holds
    assert not certificate.holds
    assert certificate.worst.margin < 0
    driven = refute(net, proof, certificate)
    assert driven.beyond
    run = simulate(net, driven.inputs if "input" in driven.inputs else {}, record=True)
    v = run.states["hidden1"]["v"][0, driven.step, driven.target.neuron]
    assert abs(driven.value) > LOIHI.state_limit - 1
    assert v in (0, np.sign(driven.value) * (LOIHI.state_limit - 1))


def test_a_current_that_wraps_does_so_in_the_reference():
    net = fixed_chain(3, (3000, 4), density=1.0)
    op = net.connections[0].op
    strong = replace(op, synapses=op.synapses.with_values(np.full(op.synapses.count, 254)))
    net = replace(net, connections=(replace(net.connections[0], op=strong),))
    with pytest.raises(DoesNotFitError):
        must_not_wrap(net)
    proof = prove_ranges(net)
    driven = refute(net, proof, proof.certificates[0])
    assert (driven.value, driven.beyond, driven.overflow) == (3000 * 254 * 64, True, "wrap")
    u = simulate(net, driven.inputs, record=True).states["output"]["u"][0, driven.step, driven.target.neuron]
    assert u == driven.value - 2 * LOIHI.state_limit


def test_a_bound_that_no_input_was_found_for_is_unknown():
    net = fixed_loops()
    small = replace(net, numeric=replace(net.numeric, state_bits=19))
    proof = prove_ranges(small)
    verdicts = {c.population: (c.holds, refute(small, proof, c)) for c in proof.certificates if not c.holds}
    assert verdicts
    for holds, driven in verdicts.values():
        assert not holds
        assert driven is None or driven.beyond == (abs(driven.value) >= small.numeric.state_limit)


def test_a_state_that_never_stops_growing_has_no_bound():
    net = excited(decay_v=0)
    held = prove_ranges(net).reaches["hidden1"].held["v"]
    assert int(held.high.max()) > LOIHI.state_limit
    unending = replace(net, numeric=replace(net.numeric, weight_exponent_max=8))
    own = Cuba(300, np.int64(1), 512, 0)
    first = net.connections[0]
    first = replace(first, op=replace(first.op, exponent=8))
    message = replace(net["input"], message_bits=12)
    unending = replace(
        unending, connections=(first, *net.connections[1:]),
        populations=(message, replace(net["hidden1"], neuron=own), net["output"]),
    )  # fmt: skip
    proof = prove_ranges(unending)
    assert not proof.certificates[0].holds
    must_hold(unending, proof, noise(unending, 2, 30, None, 0))
    assert refute(unending, proof, proof.certificates[0]).beyond


def test_sums_that_int64_cannot_hold_are_exact():
    numeric = replace(LOIHI, state_bits=32, state_shift=12, decay_bits=20)
    net = replace(fixed_chain(1, (6, 3), exponent=7), numeric=numeric)
    net = replace(net, populations=(replace(net["input"], message_bits=24), replace(net["output"], neuron=Cuba(300, 1, 0, 0))))
    values = net.connections[0].op.synapses.to_dense()
    most = int(np.maximum(values, 0).sum(1).max()) * (2**24 - 1) << 7
    certificate = prove_ranges(net).certificates[0]
    assert certificate.current[1] == most
    assert not certificate.holds
    steps = prove_ranges(net, steps=3).certificates[0].registers[0]
    assert steps.high > 2 * (most << 12) - (1 << 40)


def test_fewer_steps_and_fewer_messages_never_bound_more():
    net = fixed_loops()
    ever, few = prove_ranges(net), prove_ranges(net, steps=3)
    rare = prove_ranges(net, max_spikes_per_step=2)
    for name, found in ever.reaches.items():
        for kind, held in found.held.items():
            for other in (few, rare):
                assert other.reaches[name].held[kind].within(held).all()
    assert few.rule == "steps"
    assert ever.rule == "invariant"


def test_who_can_never_fire_is_found_through_loops():
    net = fixed_loops()
    first = net["hidden1"].neuron
    deaf = replace(net, populations=tuple(
        replace(p, neuron=replace(first, threshold=np.int64(131071))) if p.name == "hidden1" else p for p in net.populations
    ))  # fmt: skip
    proof = prove_ranges(deaf)
    assert proof.certificates[0].silent == net["hidden1"].size
    assert prove_ranges(net).certificates[0].silent == 0


def test_a_wrong_invariant_is_not_believed(monkeypatch):
    """The guess may be anything: what a step leads out of is no bound."""
    monkeypatch.setattr(reachability, "_least", lambda name, box, follow, caps, upward: box[name])
    proof = prove_ranges(fixed_chain())
    assert not proof.holds
    assert all(c.endless == c.neurons and not c.registers for c in proof.certificates)


def test_numbers_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="1 to 10,000"):
        prove_ranges(fixed_chain(), steps=MOST_STEPS + 1)
    with pytest.raises(ConfigError, match="0 or more"):
        prove_ranges(fixed_chain(), max_spikes_per_step=-1)
    with pytest.raises(NetworkError, match="quantise it first"):
        prove_ranges(float_chain())


def test_every_export_carries_the_proof(tmp_path):
    net = fixed_chain()
    root = targets.export("npz", net, None, tmp_path / "out").root
    found = json.loads((root / "manifest.json").read_text())["range_proof"]
    assert found == json.loads(json.dumps(prove_ranges(net).to_json()))
    assert found["network_hash"] == net.hash
    assert found["holds"]
    assert len(json.dumps(found)) < 2000
    root = targets.export("npz", float_chain(), None, tmp_path / "floats").root
    assert json.loads((root / "manifest.json").read_text())["range_proof"] is None


def test_check_proves(tmp_path, capsys):
    sound, wild, inputs = tmp_path / "sound.snnc", tmp_path / "wild.snnc", tmp_path / "inputs.npz"
    store.save(fixed_chain(), sound)
    store.save(excited(), wild)
    assert snnc("check", sound, "--proof") == 0
    assert "no register can wrap or saturate, ever, for every input" in capsys.readouterr().out
    assert snnc("check", wild, "--proof", "--inputs", inputs) == 1
    assert "saturates: an input of" in capsys.readouterr().out
    raster = np.load(inputs)["hidden1/input"]
    assert raster.shape[1] in TRIED_STEPS
    assert snnc("check", wild, "--proof", "--steps", "4", "--max-spikes-per-step", "3") == 0
    assert "within 4 steps, for every input of at most 3 messages a step" in capsys.readouterr().out
    assert snnc("check", sound, "--hw", "loihi1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["range_proof"]["populations"]["hidden1"]["verdict"] == "proved"
    assert snnc("check", wild, "--proof", "--json") == 1
    body = json.loads(capsys.readouterr().out)
    assert body["range_proof"]["populations"]["hidden1"]["tried"]["beyond"]
    assert not body["ok"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--proof", "--remedies"), "name one with --hw"),
        (("--hw", "loihi1", "--steps", "3"), "add --proof"),
        (("--steps", "3"), "add --proof"),
    ],
)
def test_options_that_do_not_go_together(words, message, tmp_path, capsys):
    store.save(fixed_chain(), tmp_path / "a.snnc")
    assert snnc("check", tmp_path / "a.snnc", *words) == 2
    assert message in capsys.readouterr().err

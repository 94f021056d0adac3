"""A model's rule says what its step does: all models do, and each answer that is spoiled is seen."""

import re
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest
from cases.networks import float_chain

from snnc import neurons
from snnc.errors import NetworkError
from snnc.network.probe import probe
from snnc.plugin import DECAY, FRACTION, LEVEL, THRESHOLD, Neuron, SpikeRule, StateVar, parameter

OTHER = {
    "comparator": {">": ">=", ">=": ">", "none": ">"},
    "reset_step": {"same": "next", "next": "same"},
    "decay_rounding": dict.fromkeys(("floor", "past zero", "up"), "toward zero") | {"toward zero": "floor"},
    "order": {
        "decay, then input": "input, then decay",
        "decay, then input and reset": "input, then decay and reset",
        "decay, then input, which counts in the next step": "input, then decay",
        "input, then decay of the current, which is used at once": "decay, then input",
    },
    "reset": {"zero": "subtract", "subtract": "zero", "subtract adapted": "subtract", "level": "zero"},
    "refractory_steps": {0: 1, "period": 0},
}
FIRING_ONLY = ("comparator", "reset", "reset_step", "refractory_steps")
CASES = [
    (name, answer) for name in neurons.names() for answer in OTHER if neurons.get(name).rule.fires or answer not in FIRING_ONLY
]


@pytest.mark.parametrize("name", neurons.names())
def test_every_rule_says_what_the_step_does(name):
    assert probe(neurons.get(name)) == []


@pytest.mark.parametrize(("name", "answer"), CASES)
def test_a_wrong_answer_is_seen(name, answer, monkeypatch):
    model = neurons.get(name)
    spoiled = OTHER[answer][getattr(model.rule, answer)]
    monkeypatch.setattr(model, "rule", replace(model.rule, **{answer: spoiled}))
    assert probe(model)


@pytest.mark.parametrize(("name", "at"), [(n, i) for n in neurons.names() for i in range(len(neurons.get(n).states))])
def test_a_wrong_overflow_is_seen(name, at, monkeypatch):
    """Of a state without a register nothing overflows, so nothing can be said of it."""
    model = neurons.get(name)
    states = list(model.states)
    spoiled = {"wrap": "saturate", "saturate": "wrap", "clamp": "saturate", "none": "wrap"}[states[at].overflow]
    states[at] = replace(states[at], overflow=spoiled)
    monkeypatch.setattr(model, "states", tuple(states))
    assert any(problem.startswith(states[at].name) for problem in probe(model))


def test_a_state_that_is_not_declared_is_seen(monkeypatch):
    model = neurons.get("lif")
    monkeypatch.setattr(model, "states", model.states[1:])
    monkeypatch.setattr(model, "readout", "w")
    assert "declared are ['v'] and readout 'w'" in probe(model)[0]


def test_a_readout_that_fires_is_seen(monkeypatch):
    model = neurons.get("li")
    step = model.step
    monkeypatch.setattr(model, "step", lambda self, state, current, a: (step(self, state, current, a)[0], a.positive(current)))
    assert probe(model) == ["it says that it never fires, and fires"]


@final
@dataclass(frozen=True, eq=False)
class OneState(Neuron):
    """Its voltage gets the input itself, fires at the threshold, and is then set to a level."""

    threshold: object = parameter(THRESHOLD, 1.0)
    decay_v: object = parameter(DECAY, 0.125)
    level: object = parameter(LEVEL, -0.25)
    gain: object = parameter(FRACTION, 0.1)

    states = (StateVar("v", overflow="saturate", role="voltage"),)
    readout = "v"
    rule = SpikeRule(">=", "level", "same", "decay, then input", "floor", 0)

    def step(self, state, current, a):
        """One time step."""
        v = a.saturate(a.floor_decay(state["v"], self.decay_v) + a.lift(current))
        spikes = a.at_least(v, a.lift(self.threshold))
        return {"v": a.reset_to(v, spikes, a.lift(self.level))}, spikes

    @classmethod
    def example(cls):
        """A typical instance."""
        return cls()


def test_a_model_without_a_current_is_probed():
    assert probe(OneState) == []


@pytest.mark.parametrize(
    ("answer", "spoiled"),
    [
        ("comparator", ">"),
        ("reset", "zero"),
        ("reset_step", "next"),
        ("order", "input, then decay"),
        ("decay_rounding", "toward zero"),
        ("refractory_steps", 1),
    ],
)
def test_each_of_its_answers_is_probed(answer, spoiled, monkeypatch):
    monkeypatch.setattr(OneState, "rule", replace(OneState.rule, **{answer: spoiled}))
    assert probe(OneState)


def test_a_step_that_a_scale_changes_is_seen(monkeypatch):
    """A square of the voltage: twice the weights and thresholds, and four times the square."""

    def step(self, state, current, a):
        v = a.saturate(a.floor_decay(state["v"], self.decay_v) + a.multiply(state["v"] * state["v"], self.gain) + a.lift(current))
        spikes = a.at_least(v, a.lift(self.threshold))
        return {"v": a.reset_to(v, spikes, a.lift(self.level))}, spikes

    monkeypatch.setattr(OneState, "step", step)
    assert any(problem.startswith("v does not double where weights") for problem in probe(OneState))


def test_what_cannot_be_probed_is_a_problem(monkeypatch):
    monkeypatch.setattr(OneState, "states", (StateVar("v", overflow="saturate", role="other"),))
    assert probe(OneState) == ["none of its states ['v'] has the role 'voltage'"]
    monkeypatch.undo()
    monkeypatch.setattr(OneState, "parameters", classmethod(lambda cls: {}))
    assert probe(OneState) == ["it fires, and has no parameter 'threshold' among []"]


def spiking(branch):
    """A step of `OneState` whose spikes are computed otherwise."""

    def step(self, state, current, a):
        v = a.saturate(a.floor_decay(state["v"], self.decay_v) + a.lift(current))
        spikes = branch(v, a.lift(self.threshold), a)
        return {"v": a.reset_to(v, spikes, a.lift(self.level))}, spikes

    return step


BRANCHES = {
    "a branch": lambda v, threshold, a: 1 if v >= threshold else 0,
    "numpy": lambda v, threshold, a: np.where(a.at_least(v, threshold), 1, 0),
    "a constant": lambda v, threshold, a: np.zeros(v.shape) if isinstance(v, np.ndarray) else 0,
    "a method of arrays": lambda v, threshold, a: v.clip(0),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_step_that_cannot_be_written_down_is_seen(branch, monkeypatch):
    monkeypatch.setattr(OneState, "step", spiking(BRANCHES[branch]))
    assert re.match(r"its step (is to be made of|returns .* instead)", probe(OneState)[0])


def test_what_is_no_model_is_seen():
    class Empty(Neuron):
        """Has nothing."""

    assert probe(Empty) == ["it has no rule, states, readout"]
    assert probe(3) == ["3 is no class of neurons"]


@pytest.mark.parametrize("wrong", ["rule", "step"])
def test_no_network_holds_a_model_that_lies(wrong):
    """Of a class that no entry point names: refused where a network is made of it, not where a stage fails."""
    members = {"rule": replace(OneState.rule, comparator=">")} if wrong == "rule" else {"step": spiking(BRANCHES["a branch"])}
    lying = dataclass(frozen=True, eq=False)(type("Lying", (OneState,), members))
    net = float_chain()
    with pytest.raises(NetworkError, match=r"has a neuron model '\w+' that does not do what it says: (compares with|its step)"):
        replace(net, populations=tuple(replace(p, neuron=p.neuron and lying()) for p in net.populations))
    honest = replace(net, populations=tuple(replace(p, neuron=p.neuron and OneState()) for p in net.populations))
    assert honest.hash != net.hash

"""Catalyst N1: its neuron beside Loihi's, what it refuses, and where its neurons lie. `test_chip_targets` runs its RTL."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import CATALYST, chain_for, fixed_chain, spikes
from snnc.exporters.catalyst_n1 import placement

from snnc import chips, neurons, targets
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.network.model import Connection, Population
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare


def test_it_is_not_the_neuron_of_loihi():
    """The chip claims parity with Loihi; its rounding and its later current make other states of the same numbers."""
    net = fixed_chain(1, (12, 20, 5), model="catalyst", numeric=CATALYST)
    same = [p if p.neuron is None else replace(p, neuron=as_loihi(p.neuron)) for p in net.populations]
    inputs = spikes(net)
    ours, loihi = simulate(net, inputs, record=True), simulate(replace(net, populations=tuple(same)), inputs, record=True)
    verdict = compare(ours, loihi)
    first = verdict.first
    assert (first.population, first.step, first.neuron, first.states["v"]) == ("hidden1", 0, 0, (0, 210))
    assert [run.states["hidden1"]["u"][0, 2, 2] for run in (ours, loihi)] == [-273, -274]
    assert [sum(counts) for counts in zip(*verdict.states.values(), strict=True)] == [2400, 1628]


def as_loihi(neuron):
    values = {name: getattr(neuron, name) for name in neuron.parameters()}
    return neurons.get("cuba")(**{**values, "decay_u": np.maximum(values["decay_u"], 1)})


def test_what_the_chip_cannot_hold_is_refused_with_both_numbers(tmp_path):
    def export(net):
        return targets.export("catalyst_n1", net, None, tmp_path / "a", force=True)

    with pytest.raises(DoesNotFitError, match="70 relays and neurons that send, its queues of spikes hold 64"):
        export(chain_for("catalyst_n1", 0, (70, 3), density=1.0))
    with pytest.raises(DoesNotFitError, match="needs 3 cores, catalyst_n1_kria has 2"):
        export(replace(chain_for("catalyst_n1", 0, (60, 8, 2), density=1.0),
                       numeric=replace(CATALYST, profile="catalyst_n1_kria")))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"state_bits 24 .chip: 16.*quantise it for catalyst_n1"):
        export(fixed_chain(model="catalyst"))
    net = chain_for("catalyst_n1")
    with pytest.raises(UnsupportedError, match="would need a delay of 1 steps"):
        export(replace(net, connections=(net.connections[0], replace(net.connections[1], delay_steps=1), *net.connections[2:],
                       Connection("twin", "hidden1", "output", net.connections[1].op))))  # fmt: skip
    idle = replace(net.output, neuron=neurons.get("catalyst")(threshold=5, decay_u=0, decay_v=0, bias=0))
    with pytest.raises(UnsupportedError, match="without any decay"):
        export(replace(net, populations=(*net.populations[:-1], idle)))
    lasts = replace(
        net.output, neuron=replace(net.output.neuron, decay_u=np.int64(16))
    )  # the chip's u has 24 bits, a network's 16
    with pytest.raises(UnsupportedError, match=r"the current can reach [\d,]+ and wraps at 32,768"):
        export(replace(net, populations=(*net.populations[:-1], lasts)))
    graded = Population("input", (12,), None, message_bits=3)
    with pytest.raises(UnsupportedError, match="sends 3-bit messages"):
        export(replace(net, populations=(graded, *net.populations[1:])))


def test_the_boards_are_those_of_the_profiles():
    for name, board in placement.BOARDS.items():
        profile = chips.load(name)
        assert profile.fixed() == replace(CATALYST, profile=name)
        assert (profile.cores, profile.limits["neurons_per_core"]) == (board.cores, board.neurons)
        assert profile.limits["synapses_per_core"] == board.pool
        assert profile.limits["input_axons_per_core"] == placement.QUEUE


def test_what_sends_or_listens_lies_in_the_first_places_of_a_core():
    """What a queue loses is never needed: whatever fires, nothing that is sent comes after more than 63 others."""
    net = chain_for("catalyst_n1", 0, (40, 90, 30, 9), density=0.2)
    cores = placement.place(net, placement.FULL, 1 << 20)
    assert len(cores) > 3
    sending = {c.src for c in net.connections}
    for core in cores:
        assert all(n < placement.QUEUE for (name, _), n in core.places().items() if name in sending)
        assert len(core.relays) <= placement.QUEUE
    held = [who for core in cores for who in core.places()]
    assert sorted(held) == sorted((p.name, i) for p in net.populations if p.neuron for i in range(p.size))

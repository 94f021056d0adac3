"""Every neuron with every operator on every target, read from the folders: what says yes works, what says no does not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import conv
from cases.networks import CHIPS, LOIHI, SYNTZULU, XYLO, fixed_dense, fixed_neuron, spikes
from click.testing import CliRunner
from conftest import ROOT

from snnc import chips, neurons, ops, targets
from snnc.cli import main
from snnc.errors import SnncError
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.window import Window
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

PAIRS = [(model, kind) for model in neurons.names() for kind in ops.kinds()]
SHAPE = (3, 5, 4)
MAKE = {
    "dense": lambda rng: fixed_dense(rng, 7, 60),
    "conv2d": lambda rng: conv(rng, (4, 3, 3, 2), SHAPE, LOIHI, stride=(2, 1), padding=(1, 0)),
    "maxpool2d": lambda rng: MaxPool2d.of(conv(rng, (4, 3, 2, 2), SHAPE, LOIHI), Window((4, 4, 3), (2, 2), (2, 1), (1, 0))),
    "sumpool2d": lambda rng: replace(SumPool2d.of_weight(100, Window(SHAPE, (2, 2), (2, 1))), sign_mode="mixed"),
}


def network(pairs, numeric=LOIHI):
    """One input into neurons of each model over each operator of ``pairs``, named as the pair."""
    rng, connections = np.random.default_rng(0), []
    bias = 640 >> 6 - numeric.state_shift if numeric.bias_exponent_max else 0
    populations = [Population("input", SHAPE, None)]
    for model, kind in pairs:
        op = MAKE[kind](rng)
        op = replace(op, exponent=numeric.weight_exponent_max) if numeric.weight_exponent_max < 0 else op
        populations.append(
            Population(f"{model}_{kind}", op.dst_shape, fixed_neuron(model, 200, bias, numeric is not SYNTZULU, numeric))
        )
        connections.append(Connection(f"into_{model}_{kind}", "input", f"{model}_{kind}", op))
    return Network("matrix", tuple(populations), tuple(connections), 1e-3, numeric, Encoding("rate", 12))


def of_xylo(model, kind):
    """16 inputs, a hidden layer and a readout of Xylo, one of them behind the operator."""
    shape, rng = (1, 4, 4), np.random.default_rng(0)
    made = {"conv2d": lambda: conv(rng, (2, 1, 3, 3), shape, XYLO),
            "sumpool2d": lambda: replace(SumPool2d.of_weight(100, Window(shape, (2, 2), (2, 2))), sign_mode="mixed"),
            "dense": lambda: fixed_dense(rng, 7, 16, numeric=XYLO)}  # fmt: skip
    ends = [Population("input", shape, None), Population("hidden", shape, fixed_neuron("xylo", numeric=XYLO))]
    at = ends[0].name if model == "xylo" else ends[1].name
    op = replace(made[kind](), exponent=-1)
    own = Population("own", op.dst_shape, replace(fixed_neuron(model, numeric=XYLO), decay_u=np.int64(1 << XYLO.decay_bits)))
    populations = [*(ends if model == "xylo_output" else ends[:1]), own]
    wires = [Connection("into", at, "own", op)]
    if model == "xylo":
        populations.append(Population("output", (3,), fixed_neuron("xylo_output", numeric=XYLO)))
        last = fixed_dense(rng, 3, own.size, density=0.1, exponent=-1, numeric=XYLO)
        wires.append(Connection("out", "own", "output", last))
    else:
        wires.insert(0, Connection("first", "input", "hidden", fixed_dense(rng, 16, 16, exponent=-1, numeric=XYLO)))
    return Network("matrix", tuple(populations), tuple(wires), 1e-3, XYLO, Encoding("rate", 12))


def test_the_matrix_knows_every_operator():
    assert set(MAKE) == set(ops.kinds())


def test_the_neurons_of_the_matrix_are_not_alike():
    """What a pair proves is proved of this model and of no other: on one operator no two models have the same states."""
    net = network([(model, "dense") for model in neurons.names()])
    connections = [replace(c, op=net.connections[0].op) for c in net.connections]
    run = simulate(replace(net, connections=tuple(connections)), spikes(net), record=True)
    seen = [b"".join(x.tobytes() for x in run.states[p.name].values()) for p in net.populations if p.neuron]
    assert len(set(seen)) == len(neurons.names())


def exported(target, net, folder):
    profile = chips.load("loihi1")
    mapping = place(net, split(net, profile), profile) if targets.load(target).NEEDS_MAPPING else None
    return targets.export(target, net, mapping, folder)


def misfits(artifact):
    """The populations whose registers are wider than those of the chip; Lava's processes take them."""
    limits = {"du": (0, 4095), "dv": (0, 4095), "vth": (0, 131071), "bias_mant": (-4096, 4095), "bias_exp": (0, 7)}
    found = json.loads((artifact.root / "network.json").read_text())["populations"]
    values = [(p["name"], np.array(p["registers"][n]), *limits[n]) for p in found if p["process"] == "LIFReset" for n in limits]
    return {name for name, value, low, high in values if value.min() < low or value.max() > high}


@pytest.mark.parametrize("target", targets.names())
@pytest.mark.parametrize(("model", "kind"), PAIRS)
def test_a_pair_that_says_no_is_refused_with_its_reason(target, model, kind, tmp_path):
    why = targets.support_matrix()[target][model][kind]
    net = network([(model, kind)], CHIPS[target][1] if target in CHIPS else LOIHI)
    if not why:
        exported(target, of_xylo(model, kind) if target == "xylo" else net, tmp_path / "a")
        return
    with pytest.raises(SnncError) as caught:
        exported(target, net, tmp_path / "a")
    assert caught.value.exit_code == 4
    assert why in str(caught.value)


RUNNABLE = [name for name in targets.names() if targets.is_runnable(targets.load(name))]
READ_BACK = [name for name in RUNNABLE if targets.load(name).VERIFIED_BY == "snnc import"]


READABLE = [(t, *pair) for t in READ_BACK for pair in PAIRS if not targets.support_matrix()[t][pair[0]][pair[1]]]


@pytest.mark.parametrize(("target", "model", "kind"), READABLE)
def test_what_says_yes_is_read_back_exactly(target, model, kind, tmp_path):
    """Each pair in a file of its own, as netx holds chains only."""
    net = network([(model, kind)])
    inputs = spikes(net, samples=2, rate=0.5)
    run = targets.load(target).run(exported(target, net, tmp_path / "a"), inputs, True, 60)
    verdict = compare(simulate(net, inputs, record=True), run)
    assert verdict.exact, (verdict.first, verdict.silent)
    assert len(verdict.states) == len(net.output.neuron.variables())


@pytest.mark.lava
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(t, marks=[pytest.mark.hdl] if t == "verilog" else []) for t in sorted({*RUNNABLE} - {*READ_BACK} - {*CHIPS})
    ],  # chips of others have tests of their own
)
def test_what_says_yes_works_and_what_says_no_does_not(target, tmp_path, monkeypatch):
    """Refusals are taken away, so that a pair which has started to work is found."""
    matrix, kinds = targets.support_matrix()[target], written_kinds(target)
    for name in ("neuron_problem", "operator_problem"):
        monkeypatch.setattr(targets.load(target), name, lambda _: "")
    written = [model for model in neurons.names() if can_be_written(target, model, kinds, tmp_path / model)]
    pairs = [(model, kind) for model, kind in PAIRS if model in written and kind in kinds]
    assert all(matrix[model][kind] for model, kind in PAIRS if model not in written)
    net = network(pairs)
    artifact, inputs = exported(target, net, tmp_path / "a"), spikes(net, samples=2, rate=0.5)
    run = targets.load(target).run(replace(artifact, states={}), inputs, True, 300)
    verdict = compare(simulate(net, inputs, record=True), run)
    wrong = misfits(artifact) if target == "loihi" else set()
    for model, kind in pairs:
        name, nothing = f"{model}_{kind}", (0, 1)  # a state that the target does not give counts as another
        states = [verdict.states.get(f"{name}.{variable}", nothing) for variable in neurons.get(model).variables()]
        exact = not any(differing for _, differing in (verdict.spikes[name], *states)) and name not in wrong
        assert verdict.fired[name] > 0, name
        assert exact == (not matrix[model][kind]), (target, name, states)


def written_kinds(target):
    """The operators that a target has files for: where it refuses one that is no list of synapses, there is nothing to write."""
    return [kind for kind in ops.kinds() if ops.get(kind).linear or not targets.load(target).operator_problem(kind)]


def can_be_written(target, model, kinds, folder):
    """Whether a target knows how to write down a model that it refuses; if not, its refusal is right."""
    try:
        exported(target, network([(model, kind) for kind in kinds]), folder)
    except (AttributeError, KeyError):
        return False
    return True


def test_the_page_is_what_the_folders_say():
    """`snnc targets --markdown > docs/supported.md` writes it anew."""
    said = CliRunner().invoke(main, ["targets", "--markdown"])
    assert said.exit_code == 0
    assert (ROOT / "docs" / "supported.md").read_text() == said.stdout

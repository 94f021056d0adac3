"""Networks for targets that take every neuron and every operator, and their programs run on them."""

from dataclasses import replace

import numpy as np
from snnc.exporters.onnx import program as _onnx_program

from cases import lava_graphs
from cases.networks import LOIHI, fixed_neuron
from snnc import neurons, targets
from snnc.network.model import Stage
from snnc.network.units import STEPS
from snnc.simulation.run import Run


def run(target, net, inputs, folder):
    """The run of a network's program; onnxruntime in this process, as starting one takes longest."""
    artifact = targets.export(target, net, None, folder, force=True)
    if target != "onnx":
        return targets.load(target).run(artifact, inputs, True, 60)
    found = _onnx_program.run_network(*_onnx_program.models(folder), inputs)
    spikes = {p.name: found[p.name] for p in net.ordered}
    states = {p.name: {v: found[f"{p.name}.{v}"] for v in p.neuron.variables()} for p in net.ordered if p.neuron}
    return Run(str(found["_by"]), net.dt_s, spikes, states, {})


MANY = 5  # bits of the spikes of a neuron in a step


def takes(target):
    """The models that a target takes."""
    return [name for name in neurons.names() if not targets.load(target).neuron_problem(name)]


def varied(graph, target, turn=None):
    """The network of a graph with neurons of other models that a target takes; readouts where nothing follows.

    ``turn``: the graph's place among some, so that together they have every model, whatever the graphs are. What counts the
    spikes of neurons that fire several times a step has its exponent lowered by as much.
    """
    net, rng = lava_graphs.network(graph), np.random.default_rng(graph.seed)
    firing = [m for m in takes(target) if neurons.get(m).rule.fires]
    if turn is not None:
        firing = firing[turn % len(firing) :][:1]
    changed = [replace(p, neuron=p.neuron and other(p.neuron, model(net, p, rng, firing), rng)) for p in net.populations]
    many = {p.name for p in changed if p.sent_bits > 1 and p.neuron}
    wires = [replace(c, op=replace(c.op, exponent=c.op.exponent - MANY)) if c.src in many else c for c in net.connections]
    net = replace(net, populations=tuple(changed), connections=tuple(wires))
    return net.after(Stage("vary", {"seed": graph.seed}))


def model(net, p, rng, firing):
    """One of the models that fire where the spikes go somewhere, often a readout where they go nowhere."""
    if not net.out_of(p.name) and rng.random() < 0.5:
        return "li"
    if any(c.op.exponent - MANY < LOIHI.weight_exponent_min for c in net.out_of(p.name)):
        firing = [m for m in firing if neurons.get(m).spikes_per_step == 1] or ["lif"]
    return rng.choice(firing)


def other(neuron, name, rng):
    """A neuron of another model with the same parameters where it has them."""
    own, steps = fixed_neuron(name, 200), rng.integers(0, 4, ())
    spare = {n: steps if own.unit(n) is STEPS else getattr(own, n) for n in own.parameters()}
    values = {n: getattr(neuron, n, value) for n, value in spare.items()}
    ends = {n: f.metadata["unit"].range(LOIHI, f.metadata["offset"]) for n, f in own.parameters().items()}
    return type(own)(**{n: np.clip(value, *ends[n]) for n, value in values.items()})


def changes(net):
    """The network with one number changed, by what it is: each must be found."""
    first, second = net.connections[:2]
    values = first.op.synapses.values.copy()
    values[3] += 2
    weight = replace(first, op=replace(first.op, synapses=first.op.synapses.with_values(values)))
    shift = replace(first, op=replace(first.op, exponent=first.op.exponent - 1))
    late = replace(second, delay_steps=second.delay_steps + 1)
    found = {"weight": (weight, second), "shift": (shift, second), "delay": (first, late)}
    made = {name: replace(net, connections=(*two, *net.connections[2:])) for name, two in found.items()}
    hidden = net.populations[1]
    for name, less in (("threshold", 1), ("decay_v", 1), ("bias", 1)):
        neuron = replace(hidden.neuron, **{name: getattr(hidden.neuron, name) - less})
        made[name] = replace(net, populations=(net.populations[0], replace(hidden, neuron=neuron), *net.populations[2:]))
    return made

"""The two ONNX models of a network: *step* computes one time step, *sequence* all steps of a sample (a Scan over *step*).

Both take and give every state, so that a run can be continued. The files name them as follows; `samples` and `steps` are free.

    POPULATION          spikes, or messages of an input: (samples, n) in step, (steps, samples, n) in sequence
    POPULATION.u .v ..  the states of the model before the first step, (samples, n)
    POPULATION.past     what it sent in the last steps, the latest first, (samples, delay, n); where a connection has a delay
    NAME.next           a state after the last step
    POPULATION.trace    of a readout, which never fires: the state that is read, in every step, (steps, samples, n)
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from snnc.base.version import __version__
from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part, parts
from snnc.network.model import Connection, Network, Population
from snnc.targets.step_writer import Symbol

from .graph import Graph, arith
from .sums import fixed_sums, float_sums, message_type

OPSET = 18
IR_VERSION = 8  # of the file: that of opset 18


@dataclass(frozen=True)
class Tensor:
    """What enters or leaves a model: a type and the sizes without samples and steps."""

    dtype: Any
    sizes: tuple[int, ...]

    def info(self, name: str, *free: str) -> Any:
        """Return the declaration in ONNX, with the free sizes before the others."""
        from onnx import helper

        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype)), [*free, *self.sizes])


@dataclass
class Step:
    """The graph of one step while it is made, with what enters and leaves it by name."""

    net: Network
    graph: Graph
    max_synapses: int
    inputs: dict[str, Tensor] = field(default_factory=dict)
    states: dict[str, Tensor] = field(default_factory=dict)
    spikes: dict[str, Tensor] = field(default_factory=dict)


def largest_message(p: Population) -> int:
    """Return the largest message that a population can send in a step."""
    return int(2 ** max(p.sent_bits, 1) - 1)


def step_graph(net: Network, max_synapses: int, prefix: str = "") -> Step:
    """Return the graph of one step; every name in it begins with ``prefix``."""
    s = Step(net, Graph(prefix), max_synapses)
    for p in net.ordered:
        s.inputs |= {} if p.neuron else {p.name: Tensor(message_type(largest_message(p)), (p.size,))}
        if longest := max((c.longest_delay for c in net.out_of(p.name)), default=0):
            s.states[f"{p.name}.past"] = Tensor(message_type(largest_message(p)), (longest, p.size))
    for p in net.ordered:
        if p.neuron:
            _population(s, p)
    for p in net.ordered:
        if f"{p.name}.past" in s.states:
            _remember(s, p.name)
    return s


def _population(s: Step, p: Population) -> None:
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    a, graph = arith(s.graph, p, s.net.numeric), s.graph
    s.states |= {f"{p.name}.{v}": Tensor(a.dtype, (p.size,)) for v in p.neuron.variables()}
    before = {v: Symbol(graph.name(f"{p.name}.{v}"), a) for v in p.neuron.variables()}
    after, spikes = p.neuron.step(before, Symbol(_current(s, p), a), a)
    for v in p.neuron.variables():
        graph.node("Identity", after[v].name, result=f"{p.name}.{v}.next")
    s.spikes[p.name] = Tensor(np.uint8, (p.size,))
    graph.cast(spikes.name, np.uint8, result=p.name)


def _current(s: Step, p: Population) -> str:
    """Add what all connections bring, in the order of the reference, as floats are not added in any other."""
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    state = s.graph.name(f"{p.name}.{p.neuron.variables()[0]}")
    total = s.graph.node("Sub", state, state)
    for c in s.net.into(p.name):
        for number, part in enumerate(parts(c)):
            total = s.graph.node("Add", total, _part(s, c, f"{c.name}.{number}", part))
    return total


def _part(s: Step, c: Connection, name: str, part: Part) -> str:
    numeric, messages = s.net.numeric, s.graph.name(c.src)
    if part.delay_steps:
        past = s.graph.name(f"{c.src}.past")
        messages = s.graph.node("Gather", past, s.graph.number(part.delay_steps - 1), axis=1)
    message = largest_message(s.net[c.src])
    if isinstance(numeric, Fixed):
        return fixed_sums(s.graph, name, part, messages, message, numeric)
    return float_sums(s.graph, name, part, messages, message, s.max_synapses)


def _remember(s: Step, name: str) -> None:
    """Add the past of the next step: what was sent now, then the past but for the oldest."""
    graph, steps = s.graph, s.states[f"{name}.past"].sizes[0]
    now = graph.node("Unsqueeze", graph.name(name), graph.shape(1))
    kept = graph.node("Slice", graph.name(f"{name}.past"), graph.shape(0), graph.shape(steps - 1), graph.shape(1))
    graph.node("Concat", now, kept, result=f"{name}.past.next", axis=1)


def step_model(net: Network, max_synapses: int) -> Any:
    """Return the model of one step. Raises DoesNotFitError as `float_sums` does."""
    from onnx import helper

    s = step_graph(net, max_synapses)
    inputs = [t.info(name, "samples") for name, t in {**s.inputs, **s.states}.items()]
    outputs = [t.info(name, "samples") for name, t in s.spikes.items()] + _next(s)
    constants = list(s.graph.constants.values())
    return _model(net, helper.make_graph(s.graph.nodes, "step", inputs, outputs, constants))


def _readouts(net: Network) -> dict[str, str]:
    """Return the populations that never fire, and the state that is read of each."""
    return {p.name: p.neuron.readout for p in net.ordered if p.neuron and not p.neuron.rule.fires}


def _next(s: Step) -> list[Any]:
    return [t.info(f"{s.graph.name(name)}.next", "samples") for name, t in s.states.items()]


def sequence_model(net: Network, max_synapses: int) -> Any:
    """Return the model of a whole sequence. Raises DoesNotFitError as `float_sums` does."""
    from onnx import helper

    s = step_graph(net, max_synapses, prefix="step/")
    name = s.graph.name
    read = _readouts(net)
    traces = {f"{p}.trace": s.states[f"{p}.{variable}"] for p, variable in read.items()}
    for p, variable in read.items():
        s.graph.node("Identity", name(f"{p}.{variable}.next"), result=f"{p}.trace")
    body = helper.make_graph(
        s.graph.nodes,
        "step",
        [t.info(name(n), "samples") for n, t in {**s.states, **s.inputs}.items()],
        _next(s) + [t.info(name(n), "samples") for n, t in {**s.spikes, **traces}.items()],
        list(s.graph.constants.values()),
    )
    scan = helper.make_node(
        "Scan", [*s.states, *s.inputs], [f"{n}.next" for n in s.states] + [*s.spikes, *traces], name="sequence",
        body=body, num_scan_inputs=len(s.inputs),
    )  # fmt: skip
    inputs = [t.info(n, "steps", "samples") for n, t in s.inputs.items()] + [t.info(n, "samples") for n, t in s.states.items()]
    outputs = [t.info(n, "steps", "samples") for n, t in {**s.spikes, **traces}.items()]
    outputs += [t.info(f"{n}.next", "samples") for n, t in s.states.items()]
    return _model(net, helper.make_graph([scan], "sequence", inputs, outputs))


def _model(net: Network, graph: Any) -> Any:
    """Add opset, versions and provenance; the model is checked as strictly as the package onnx can."""
    from onnx import checker, helper

    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="snnc",
        producer_version=__version__, doc_string=__doc__,
    )  # fmt: skip
    facts = {
        "network": net.name,
        "network_hash": net.hash,
        "dt_s": net.dt_s,
        "numeric": {"kind": net.numeric.kind, **asdict(net.numeric)},
        "encoding": net.encoding.stated() if net.encoding else None,
        "initial_states": {p.name: p.neuron.answers()["initial_state"] for p in net.populations if p.neuron},
        "readouts": _readouts(net),
        "done": [asdict(stage) for stage in net.done],
    }
    if budgets := {p.name: p.max_spikes_per_step for p in net.inputs if p.max_spikes_per_step is not None}:
        facts["max_spikes_per_step"] = budgets
    helper.set_model_props(model, {f"snnc.{key}": json.dumps(value) for key, value in facts.items()})
    checker.check_model(model, full_check=True)
    return model

"""Neurons that Lava lacks, as processes of snnc's own: the file neurons.py of an artifact, written by each model's `step`."""

import inspect
import keyword
from typing import Any

import snnc.neurons as neurons
from snnc.network.arithmetic import Fixed
from snnc.network.model import Population
from snnc.network.neuron import Neuron
from snnc.targets import step_writer
from snnc.targets.step_writer import Symbol, Writer

FILE = "neurons.py"
LAVAS = ("cuba", "lif", "li")  # what Lava's own LIFReset computes
MOST_STATES = 8  # that a Recorder of the program has ports for
RESERVED = {  # names that Lava's processes, their models or the file itself give to something else
    "a_in", "s_out", "current", "reset_interval", "reset_offset", "Phase", "Response", "add_ports_for_polling",
    "advance_to_time_step", "compile", "create_runtime", "folded_view", "folded_view_inst_id", "id", "implements_process",
    "implements_protocol", "in_ports", "is_compiled", "is_sub_proc_of", "join", "load", "log", "lrn_guard", "model",
    "model_class", "model_id", "name", "on_var_update", "out_ports", "parent_proc", "pause", "phase", "post_guard",
    "pre_guard", "proc_params", "process_to_service", "procs", "propagate_folded_views", "py_ports", "ref_ports",
    "register_sub_procs", "required_resources", "run", "run_lrn", "run_post_mgmt", "run_pre_mgmt", "run_spk", "runtime",
    "save", "service_to_process", "start", "stop", "tags", "time_step", "validate_var_aliases", "var_id_to_var_map",
    "var_ports", "vars", "wait",
}  # fmt: skip

_HEAD = '''"""Neurons that Lava 0.10.0 has no fixed-point process for. These processes are snnc's own, not Lava's.

Each is a Lava process with a model for Loihi's protocol, in the widths of Lava's LIF: states of {state_bits} bits, decays of
{decay_bits}. What a model does in a step was written down by the neuron's own step in snnc, operation by operation; snnc
verifies it against that step, spike for spike and state for state. Nothing here has been run on a chip.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

ONE = 1 << {decay_bits}  # a decay or a fraction of 1
LIMIT = 1 << {limit_bits}  # the first magnitude that a state cannot hold
SHIFT = {state_shift}  # weights and thresholds are 2**SHIFT units of a state
'''
_FUNCTIONS = {
    "lift": '''def lift(x):
    """Weights and thresholds in the units of the states."""
    return np.left_shift(x, SHIFT)''',
    "decay": '''def decay(x, fraction):
    """Return what is left of x when fraction / ONE of it leaks, truncated toward zero."""
    return np.sign(x) * np.right_shift(np.abs(x) * (ONE - fraction), {decay_bits})''',
    "floor_decay": '''def floor_decay(x, fraction):
    """Return what is left of x when fraction / ONE of it leaks, rounded down."""
    return np.right_shift(x * (ONE - fraction), {decay_bits})''',
    "multiply": '''def multiply(x, fraction):
    """x times fraction / ONE, truncated toward zero."""
    return np.sign(x) * np.sign(fraction) * np.right_shift(np.abs(x) * np.abs(fraction), {decay_bits})''',
    "wrap": '''def wrap(x):
    """A register that wraps around once, as Lava's u does: it holds 1 - LIMIT to LIMIT."""
    return np.where(x > LIMIT, x - 2 * LIMIT, np.where(x <= -LIMIT, x + 2 * LIMIT, x))''',
    "saturate": '''def saturate(x):
    """A register that saturates, as Lava's v does."""
    return np.clip(x, 1 - LIMIT, LIMIT - 1)''',
    "ones": '''def ones(truth):
    """1 where something holds, else 0."""
    return truth.astype(np.int64)''',
}


def own(models: set[str]) -> tuple[str, ...]:
    """Return those of the neuron models that need a process of ours, sorted."""
    return tuple(sorted(models - {*LAVAS}))


def process_name(model: str) -> str:
    """Return the name of the process of a neuron model in neurons.py; that of its model ends in Model."""
    return "".join(part.capitalize() for part in model.split("_")) + "Neurons"


def neuron_problem(model: str) -> str:
    """Return why no process can be written for a neuron model; empty if one can."""
    if model in LAVAS:
        return ""
    if problem := step_writer.neuron_problem(model, OPERATIONS, "a process for Lava"):
        return problem
    cls = neurons.get(model)
    if len(cls.states) > MOST_STATES:
        return f"it has {len(cls.states)} states, the program for Lava records at most {MOST_STATES}"
    names = [*cls.variables(), *cls.parameters()]
    for name in names:
        if name in RESERVED or keyword.iskeyword(name) or names.count(name) > 1:
            return f"its {name!r} is the name of something else in a process of Lava; give it another"
    return ""


def text(models: tuple[str, ...], numeric: Fixed) -> str:
    """Return the file with a process for each of the neuron models."""
    words = {
        "state_bits": numeric.state_bits,
        "decay_bits": numeric.decay_bits,
        "state_shift": numeric.state_shift,
        "limit_bits": numeric.state_bits - 1,
    }
    written = [_process(model, numeric) for model in models]
    used = set().union(*(functions for _, functions in written))
    functions = [each.format(**words) for name, each in _FUNCTIONS.items() if name in used]
    return "\n\n\n".join([_HEAD.format(**words).rstrip(), *functions, *(process for process, _ in written)]) + "\n"


class NumpyArith(Writer):
    """`Fixed` in NumPy, for all neurons of a population: one line for each operation, those on parameters included."""

    numeric: Fixed

    def __init__(self, population: Population, numeric: Fixed) -> None:
        super().__init__(population, numeric)
        self.lines: list[str] = []
        self.functions: set[str] = set()

    def apply(self, operation: str, *operands: Any) -> Symbol:
        return self.write(operation, *operands)

    def write(self, operation: str, *operands: Any) -> Symbol:
        name = f"{operation}{len(self.lines)}"
        self.lines.append(f"{name} = {getattr(self, f'_{operation}')(*map(self.operand, operands))}")
        return Symbol(name, self)

    def operand(self, x: Any) -> str:
        """Return a symbol's name, a number, or the parameter that a constant is."""
        if isinstance(x, Symbol):
            return x.name
        return str(x) if isinstance(x, int) else self.label(x)

    def _call(self, function: str, *operands: str) -> str:
        self.functions.add(function)
        return f"{function}({', '.join(operands)})"

    def _add(self, x: str, y: str) -> str:
        return f"{x} + {y}"

    def _sub(self, x: str, y: str) -> str:
        return f"{x} - {y}"

    def _mul(self, x: str, y: str) -> str:
        return f"{x} * {y}"

    def _lift(self, x: str) -> str:
        return self._call("lift", x)

    def _decay(self, x: str, decay: str) -> str:
        return self._call("decay", x, decay)

    def _floor_decay(self, x: str, decay: str) -> str:
        return self._call("floor_decay", x, decay)

    def _multiply(self, x: str, fraction: str) -> str:
        return self._call("multiply", x, fraction)

    def _wrap(self, x: str) -> str:
        return self._call("wrap", x)

    def _saturate(self, x: str) -> str:
        return self._call("saturate", x)

    def _above(self, v: str, threshold: str) -> str:
        return self._call("ones", f"{v} > {threshold}")

    def _at_least(self, v: str, threshold: str) -> str:
        return self._call("ones", f"{v} >= {threshold}")

    def _positive(self, x: str) -> str:
        return self._call("ones", f"{x} > 0")

    def _clear(self, v: str, spikes: str) -> str:
        return f"np.where({spikes}, 0, {v})"

    def _reset_to(self, v: str, spikes: str, value: str) -> str:
        return f"np.where({spikes}, {value}, {v})"

    def _subtract(self, v: str, spikes: str, amount: str) -> str:
        return f"np.where({spikes}, {v} - {amount}, {v})"

    def _silent(self, v: str) -> str:
        return f"np.zeros_like({v})"


OPERATIONS = step_writer.operations_of(NumpyArith)


def _process(model: str, numeric: Fixed) -> tuple[str, set[str]]:
    """Return the process of a neuron model with its model, and the functions that they need."""
    cls = neurons.get(model)
    neuron = cls.example()
    arith = NumpyArith(Population("any", (1,), neuron), numeric)
    state, spikes = neuron.step({name: Symbol(name, arith) for name in cls.variables()}, Symbol("current", arith), arith)
    end = [*(f"self.{variable}[:] = {result.name}" for variable, result in state.items()), f"self.s_out.send({spikes.name})"]
    lines = [*_process_class(model, cls), "", "", *_model_class(model, cls, numeric.state_bits, [*arith.lines, *end])]
    return "\n".join(lines), arith.functions


def _process_class(model: str, cls: type[Neuron]) -> list[str]:
    parameters = tuple(cls.parameters())
    return [
        f"class {process_name(model)}(AbstractProcess):",
        f'    """Neurons {model!r} of snnc; not a process of Lava.',
        "",
        f"    {_summary(cls)}",
        '    """',
        "",
        f"    def __init__(self, *, shape, reset_interval, reset_offset, {', '.join(parameters)}):",
        "        super().__init__(reset_interval=reset_interval, reset_offset=reset_offset)",
        "        self.a_in = InPort(shape=shape)",
        "        self.s_out = OutPort(shape=shape)",
        *(f"        self.{s.name} = Var(shape=shape, init={s.initial})" for s in cls.states),
        *(f"        self.{p} = Var(shape=shape, init=np.broadcast_to({p}, shape))" for p in parameters),
    ]


def _model_class(model: str, cls: type[Neuron], state_bits: int, step: list[str]) -> list[str]:
    name, parameters = process_name(model), tuple(cls.parameters())
    return [
        f"@implements(proc={name}, protocol=LoihiProtocol)",
        "@requires(CPU)",
        '@tag("fixed_pt")',
        f"class {name}Model(PyLoihiProcessModel):",
        f'    """A step of {name}, in whole numbers."""',
        "",
        "    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)",
        "    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)",
        *(f"    {s.name}: np.ndarray = LavaPyType(np.ndarray, np.int32, precision={state_bits})" for s in cls.states),
        *(f"    {p}: np.ndarray = LavaPyType(np.ndarray, np.int32)" for p in parameters),
        "",
        "    def run_spk(self):",
        '        """Set the states back where a sample begins, then compute a step in 64 bits, as products need them."""',
        "        current = self.a_in.recv().astype(np.int64)",
        '        interval, offset = self.proc_params["reset_interval"], self.proc_params["reset_offset"]',
        "        if self.time_step % interval == offset % interval:",
        *(f"            self.{s.name}[:] = {s.initial}" for s in cls.states),
        *(f"        {n} = self.{n}.astype(np.int64)" for n in (*cls.variables(), *parameters)),
        *(f"        {line}" for line in step),
    ]


def _summary(cls: type[Neuron]) -> str:
    """Return the first line of what the model's module says of itself, as it may stand within a docstring."""
    line = (inspect.getdoc(inspect.getmodule(cls)) or "").partition("\n")[0]
    return "".join(c for c in line if c.isprintable() and c not in '\\"')

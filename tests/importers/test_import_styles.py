"""Modules in the styles of many people: what they return, how they join values, and remedies that fit."""

import numpy as np
import pytest

from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
from cases.snntorch_models import drive, fired_in_torch, in_float64, must_be_equal  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402

ZERO = {"beta": 0.8, "threshold": 0.35, "reset_mechanism": "zero"}
FIRST = ImportConfig(time_axis="first")


class Steps(nn.Module):
    """Neurons ``a``, ``b``, ``last``; ``step`` makes one step of them, ``answer`` what is returned."""

    def __init__(self, step, answer=torch.stack, **layers):
        super().__init__()
        torch.manual_seed(6)
        self.a, self.b, self.last = (snn.Leaky(**ZERO) for _ in range(3))
        self.parts = nn.ModuleDict({name: make() for name, make in layers.items()})
        self.step, self.answer = step, answer
        drive(self)

    def forward(self, raster):
        self.states = {name: getattr(self, name).reset_mem() for name in ("a", "b", "last")}
        return self.answer([self.step(self, self.parts, frame) for frame in raster])

    def fire(self, name, current):
        spikes, self.states[name] = getattr(self, name)(current, self.states[name])
        return spikes


def beside_the_input(m, p, x):
    return m.fire("last", p["o"](torch.hstack([x, m.fire("a", p["i"](x))])))


def beside_each_other(m, p, x):
    both = torch.cat((m.fire("a", p["i"](x)), m.fire("b", p["j"](x)), x), dim=1)
    return m.fire("last", p["o"](both))


def rows(m, p, x):
    return m.fire("last", p["o"](m.fire("a", p["i"](x)).flatten(1)))


def stacked_planes(m, p, x):
    both = torch.stack((m.fire("a", p["i"](x)).squeeze(1), m.fire("b", p["j"](x)).squeeze(1)), 1)
    return m.fire("last", p["o"](both))


def a_plane_and_its_copy(m, p, x):
    return m.fire("last", p["o"](torch.cat([x, x[:, :1]], 1)))


def single_values(m, p, x):
    return m.fire("last", p["o"](torch.cat([m.fire("a", p["i"](x)), m.fire("b", p["j"](x))], 1)))


def mean_of_planes(m, p, x):
    return m.fire("last", p["o"](m.fire("a", p["i"](x)).mean(dim=(2, 3))))


def sum_of_planes(m, p, x):
    return m.fire("last", p["o"](0.1 * m.fire("a", p["i"](x)).flatten(2).sum(-1, keepdim=True).squeeze(-1)))


TO_PLANES = {"i": lambda: nn.Conv2d(1, 4, 3), "o": lambda: nn.Linear(4, 5)}
TO_ONE = {"i": lambda: nn.Linear(9, 1), "j": lambda: nn.Linear(9, 1), "o": lambda: nn.Linear(2, 5)}
PLANES = {"i": lambda: nn.Conv2d(1, 1, 3, padding=1), "j": lambda: nn.Conv2d(1, 1, 1), "o": lambda: nn.Conv2d(2, 4, 3)}
EXACT = {
    "planes of one channel": (stacked_planes, PLANES, "1x5x6"),
    "a plane and its copy": (a_plane_and_its_copy, {"o": PLANES["o"]}, "1x5x6"),
    "mean of planes": (mean_of_planes, TO_PLANES, "1x5x6"),
    "sum of planes": (sum_of_planes, TO_PLANES, "1x5x6"),
    "single values": (single_values, TO_ONE, "9"),
    "joined with the input": (beside_the_input, {"i": lambda: nn.Linear(12, 8), "o": lambda: nn.Linear(20, 5)}, "12"),
    "joined channels": (
        beside_each_other,
        {"i": lambda: nn.Conv2d(2, 3, 3, padding=1), "j": lambda: nn.Conv2d(2, 2, 1), "o": lambda: nn.Conv2d(7, 4, 3, stride=2)},
        "2x5x6",
    ),
    "linear over the last axis": (rows, {"i": lambda: nn.Linear(10, 6), "o": lambda: nn.Linear(18, 4)}, "3x10"),
}


@pytest.mark.parametrize("name", EXACT)
def test_values_side_by_side_are_several_connections(name):
    step, layers, shape = EXACT[name]
    sizes = tuple(map(int, shape.split("x")))
    given = (np.random.default_rng(1).random((40, 2, *sizes)) < 0.35).astype(np.float64)
    net = read_module(Steps(step, **layers), ImportConfig(time_axis="first", input_shape=shape), "net").network
    want, _ = fired_in_torch(in_float64(Steps(step, **layers)), given)
    run = simulate(net, {"input": np.moveaxis(given, 0, 1).reshape(2, 40, -1).astype(np.uint8)})
    for layer in want:
        must_be_equal(want[layer], run.spikes[layer], low=0.02, high=0.9)
    if name == "joined channels":
        assert {c.op.kind for c in net.connections} == {"conv2d"}


def test_values_in_a_dictionary_are_read_out():
    module = Steps(lambda m, p, x: p["o"](m.fire("a", p["i"](x))), lambda steps: {"logits": torch.stack(steps)},
                   i=lambda: nn.Linear(12, 8), o=lambda: nn.Linear(8, 3))  # fmt: skip
    imported = read_module(module, FIRST, "net")
    assert "readout" in {p.name for p in imported.network.populations}


def gated(m, p, x):
    return m.fire("last", p["i"](x) * torch.sigmoid(p["j"](x)))


def a_part_of_what_is_refused(m, p, x):
    largest = p["pool"]((x - 0.5).unflatten(1, (2, 6)))
    return m.fire("last", largest[:, :, 1:].flip(2).flatten(1))


def a_step_late(m, p, x):
    m.before, before = m.fire("a", p["i"](x)), getattr(m, "before", None)
    return m.fire("last", p["j"](torch.zeros(len(x), 12) if before is None else before))


class Late(Steps):
    def forward(self, raster):
        self.before = None
        return super().forward(raster)


def test_neurons_that_get_zeros_before_there_were_spikes():
    given = (np.random.default_rng(1).random((40, 2, 12)) < 0.35).astype(np.float64)
    net = read_module(Late(a_step_late, **LAYERS), FIRST, "net").network
    want, _ = fired_in_torch(in_float64(Late(a_step_late, **LAYERS)), given)
    run = simulate(net, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)})
    for layer in ("a", "last"):
        must_be_equal(want[layer], run.spikes[layer], low=0.02, high=0.9)
    assert {c.longest_delay for c in net.connections} == {0, 1}


def test_a_step_a_call_that_starts_anew_is_told_how_to_go_on():
    class Step(Steps):
        def forward(self, frame):
            return super().forward(frame[None])

    with pytest.raises(UnsupportedError, match=r"last does not go on .* forward is called once a step: make it with init_hidden"):
        read_module(Step(lambda m, p, x: m.fire("last", p["i"](x)), **LAYERS), ImportConfig(), "net")


def test_what_torch_compiles_runs_as_it_is_written():
    def compiler(graph, examples):
        raise AssertionError("nothing is to be compiled")

    module = torch.compile(Steps(lambda m, p, x: m.fire("last", p["i"](x)), **LAYERS), backend=compiler)
    assert read_module(module, FIRST, "net").network.output.size == 12


LAYERS = {"i": lambda: nn.Linear(12, 12), "j": lambda: nn.Linear(12, 12), "pool": lambda: nn.MaxPool1d(2)}
REFUSED = {
    "gate": (gated, "'sigmoid', which is no layer that is known; no chip computes it of currents"),
    "product": (lambda m, p, x: m.fire("last", p["i"](x) * p["j"](x)), "no chip multiplies values with each other"),
    "random": (lambda m, p, x: m.fire("last", p["i"](torch.bernoulli(x * 0.5))), "take it out of forward, pass on its input"),
    "clamp": (lambda m, p, x: m.fire("last", p["i"](x.clamp(0, 1))), "of spikes it changes nothing, so leave it out"),
    "einsum": (
        lambda m, p, x: m.fire("last", torch.einsum("bi,oi->bo", x, p["i"].weight)), "write it as F.linear or @ with the weights",
    ),
    "dropout": (lambda m, p, x: m.fire("last", nn.functional.dropout(p["i"](x), 0.1)), "pass training=self.training"),
    "padding": (
        lambda m, p, x: m.fire("last", nn.functional.pad(p["i"](x), (1, 1))), "pad with zeros in the convolution itself",
    ),
    "mean": (lambda m, p, x: m.fire("last", p["i"](x).mean(1, keepdim=True)), "over a plane it is AvgPool2d"),
    "twice a step": (
        lambda m, p, x: m.fire("last", p["j"](m.fire("last", p["i"](x)))), "last is stepped 2 times in every step of the input",
    ),
    "a part of it": (a_part_of_what_is_refused, "takes the largest of currents, which is no sum of spikes"),
    "norm": (lambda m, p, x: m.fire("last", nn.LayerNorm(12)(p["i"](x))), "retrain with BatchNorm"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_remedy_fits_what_is_refused(name):
    step, says = REFUSED[name]
    with pytest.raises(UnsupportedError) as error:
        read_module(Steps(step, **LAYERS), FIRST, "net")
    assert says in str(error.value)


def test_a_layer_of_no_neurons_is_named():
    empty = lambda m, p, x: m.fire("last", p["norm"](x.unflatten(1, (2, 3, 2))[:, :, :0]))  # noqa: E731
    with pytest.raises(UnsupportedError, match=r"last has no neurons: its shape is \(2, 0, 2\)"):
        read_module(Steps(empty, norm=lambda: nn.BatchNorm2d(2)), ImportConfig(time_axis="first", input_shape="12"), "net")


def test_neurons_that_do_not_step_are_named():
    with pytest.raises(UnsupportedError, match="LeakyParallel does not compute step by step; use Leaky"):
        read_module(snn.LeakyParallel(12, 8), ImportConfig(time_axis="first", input_shape="12"), "net")

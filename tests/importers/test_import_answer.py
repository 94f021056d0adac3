"""The network of a torch module is read out by what the module returns; where it is not, the import says so."""

import numpy as np
import pytest

from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from cases.snntorch_models import drive, in_float64, raster  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402

FACTORS = torch.tensor([1.0, -1.0, 2.0, 3.0, 0.5])
ZERO = {"beta": 0.8, "threshold": 0.35, "reset_mechanism": "zero"}


class Returning(nn.Module):
    """Two layers of neurons; ``answer`` makes what is returned of the spikes and membranes of every step."""

    def __init__(self, answer, **last):
        super().__init__()
        torch.manual_seed(3)
        self.fc1, self.hidden, self.fc2 = nn.Linear(12, 8), snn.Leaky(**ZERO), nn.Linear(8, 5)
        self.last, self.answer = snn.Leaky(**ZERO | last), answer
        drive(self)

    def forward(self, frames):
        a, b, kept = self.hidden.reset_mem(), self.last.reset_mem(), []
        for x in frames:
            first, a = self.hidden(self.fc1(x), a)
            second, b = self.last(self.fc2(first), b)
            kept.append((first, second, b))
        return self.answer(*(torch.stack(steps) for steps in zip(*kept, strict=True)))


def in_place(hidden, spikes, v):
    total = torch.zeros(spikes.shape[1:])
    for step in spikes:
        total += step
    return total


SPIKES = {  # the class is that of the spikes of the last layer, and nothing has to be said
    "spikes": lambda hidden, spikes, v: spikes,
    "in a dictionary": lambda hidden, spikes, v: {"spikes": spikes, "v": v},
    "their sum": lambda hidden, spikes, v: spikes.sum(0),
    "their mean": lambda hidden, spikes, v: spikes.mean(dim=0),
    "their rate": lambda hidden, spikes, v: spikes.sum(0) / len(spikes),
    "added up": lambda hidden, spikes, v: sum(spikes) * 0.1,
    "added up in place": in_place,
}
READ_OUT = {  # what is returned is linear in the spikes: a readout computes it
    "the other way round": lambda hidden, spikes, v: spikes.flip(-1),
    "sum, the other way round": lambda hidden, spikes, v: spikes.sum(0).flip(-1),
    "negative": lambda hidden, spikes, v: -spikes.sum(0),
    "silence": lambda hidden, spikes, v: 1 - spikes,
    "some": lambda hidden, spikes, v: spikes[:, :, 1:4],
    "votes of groups": lambda hidden, spikes, v: hidden.unflatten(2, (4, 2)).sum(-1),
    "means of groups, summed": lambda hidden, spikes, v: hidden.reshape(*hidden.shape[:2], 4, 2).mean(dim=3).sum(0),
    "weighed": lambda hidden, spikes, v: spikes.sum(0) * FACTORS,
}
TOLD = {  # the network's class is another, and a note says so
    "hidden": (lambda hidden, spikes, v: (hidden, spikes), "the module returns the spikes of 'hidden'; "),
    "membrane": (lambda hidden, spikes, v: v, "the module returns the membrane of 'last'; "),
    "last step": (lambda hidden, spikes, v: spikes[-1], "the module returns what is no sum, mean or stack of all steps; "),
    "last steps": (lambda hidden, spikes, v: spikes[-5:], "the module returns 5 of its 16 steps; "),
    "sum of the last steps": (lambda hidden, spikes, v: spikes[-5:].sum(0), "what is no sum, mean or stack of all steps; "),
    "softmax": (lambda hidden, spikes, v: F.softmax(spikes.sum(0), 1), "the result of 'softmax' (test_import_answer.py:"),
    "groups": (lambda hidden, spikes, v: hidden.unflatten(2, (4, 2)).amax(-1), "the result of 'amax' (test_import_answer.py:"),
    "both": (lambda hidden, spikes, v: torch.cat([hidden, spikes], 2), "the result of 'cat', which is not followed; "),
    "steps last": (lambda hidden, spikes, v: spikes.permute(1, 2, 0), "the result of 'permute', which is not followed; "),
    "nothing": (lambda hidden, spikes, v: None, "the module returns nothing that comes from its input; "),
}


def imported(answer, **last):
    return read_module(Returning(answer, **last), ImportConfig(time_axis="first"), "net")


@pytest.mark.parametrize("case", SPIKES)
def test_spikes_are_read_out_as_they_are(case):
    found = imported(SPIKES[case])
    assert found.notes == ()
    assert found.network.output.name == "last"


@pytest.mark.parametrize("case", READ_OUT)
def test_what_is_linear_in_the_spikes_becomes_a_readout(case):
    net = imported(READ_OUT[case]).network
    assert net.output.name == "readout"
    given = raster(60, 3, (12,))
    with torch.no_grad():
        want = in_float64(Returning(READ_OUT[case]))(torch.from_numpy(given)).numpy()
    v = simulate(net, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)}, record=True).states["readout"]["v"]
    np.testing.assert_allclose(v.sum(1), want.sum(0) if want.ndim == 3 else want, rtol=1e-9, atol=1e-9)
    assert want.std() > 0.1


HEAD = drive(nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.Linear(4, 3))).double().eval()
MEANS = {
    "of the mean": lambda hidden, spikes, v: HEAD(spikes.double().mean(dim=0)),
    "of a mean times a factor": lambda hidden, spikes, v: HEAD(2 * spikes.double().mean(0)),
}


@pytest.mark.parametrize("case", MEANS)
def test_linear_layers_of_a_mean_over_steps_are_read_out_in_every_step(case):
    net = imported(MEANS[case]).network
    given = raster(60, 3, (12,))
    with torch.no_grad():
        want = in_float64(Returning(MEANS[case]))(torch.from_numpy(given)).numpy()
    v = simulate(net, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)}, record=True).states["readout"]["v"]
    np.testing.assert_allclose(v.mean(1), want, rtol=1e-9, atol=1e-9)
    assert want.std() > 0.1


def test_a_linear_layer_of_a_sum_over_steps_needs_their_number():
    class Repeating(Returning):
        def forward(self, frame):
            return super().forward(frame.expand(7, *frame.shape))

    answer = lambda hidden, spikes, v: HEAD(spikes.sum(0).double())  # noqa: E731
    net = read_module(Repeating(answer), ImportConfig(input_shape="12"), "net").network
    given = raster(1, 3, (12,))[0]
    with torch.no_grad():
        want = in_float64(Repeating(answer))(torch.from_numpy(given)).numpy()
    v = simulate(net, {"input": np.repeat(given[:, None], 7, 1).astype(np.uint8)}, record=True).states["readout"]["v"]
    np.testing.assert_allclose(v.sum(1), want, rtol=1e-9, atol=1e-9)
    with pytest.raises(UnsupportedError, match="its result drives no neurons"):
        imported(answer)  # the steps of a raster are any number, and its bias is added once


@pytest.mark.parametrize("case", TOLD)
def test_an_answer_of_another_kind_is_told(case):
    answer, says = TOLD[case]
    notes = "\n".join(imported(answer).notes)
    assert says in notes
    assert notes.endswith("; the network's class is the neuron of 'last' with most spikes")


def test_factors_of_graded_spikes_count_in_the_answer():
    def spikes(hidden, spikes, v):
        return spikes

    assert imported(spikes, graded_spikes_factor=2.0).network.output.name == "last"
    assert imported(spikes, graded_spikes_factor=-1.0).network.output.name == "readout"


def test_neurons_without_reset_are_read_out_by_their_voltages():
    assert imported(lambda hidden, spikes, v: v.sum(0), reset_mechanism="none").notes == ()
    (note,) = imported(lambda hidden, spikes, v: spikes, reset_mechanism="none").notes
    assert note.startswith("the module returns the spikes of 'last'; the network's class is the largest sum of the voltages")
    with pytest.raises(UnsupportedError, match="last: reset_mechanism='none' and spikes that go on"):
        imported(lambda hidden, spikes, v: spikes.flip(-1), reset_mechanism="none")


def test_the_neurons_that_are_returned_may_feed_others():
    class Inhibited(Returning):
        def __init__(self):
            super().__init__(None)
            self.forth, self.inhibitory, self.back = nn.Linear(5, 4), snn.Leaky(**ZERO), nn.Linear(4, 5, bias=False)
            drive(self)

        def forward(self, frames):
            a, b, c, fired = self.hidden.reset_mem(), self.last.reset_mem(), self.inhibitory.reset_mem(), []
            back = torch.zeros(frames.shape[1], 4)
            for x in frames:
                first, a = self.hidden(self.fc1(x), a)
                second, b = self.last(self.fc2(first) - self.back(back), b)
                back, c = self.inhibitory(self.forth(second), c)
                fired.append(second)
            return torch.stack(fired)

    (note,) = read_module(Inhibited(), ImportConfig(time_axis="first"), "net").notes
    assert note == "the module returns the spikes of 'last'; the network's class is the neuron of 'inhibitory' with most spikes"


@pytest.mark.parametrize(
    "answer",
    [
        lambda hidden, spikes, v: spikes.sum(0).flip(-1) * (FACTORS if len(spikes) > 20 else 2),
        lambda hidden, spikes, v: -spikes.sum(0) if len(spikes) < 20 else -spikes[20:].sum(0),
        lambda hidden, spikes, v: spikes.flip(-1) if len(spikes) < 20 else spikes,
    ],
)
def test_a_readout_that_is_another_after_the_trial_run_is_refused(answer):
    with pytest.raises(UnsupportedError, match=r"returns (in step 0 )?another value"):
        imported(answer)

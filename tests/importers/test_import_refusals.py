"""What cannot be imported from snnTorch is refused in one go, by layer, with reason and remedy; and the command line of it."""

import json
import warnings

import pytest
from conftest import snnc

from snnc import store
from snnc.errors import ConfigError, UnsupportedError
from snnc.importers import ImportConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from cases.snntorch_models import Layered  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from snntorch import spikegen  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402

FIRST = ImportConfig(time_axis="first", steps=4)


def changed(layer, **attributes):
    for name, value in attributes.items():
        setattr(layer, name, value)
    return layer


ZERO = {"beta": 0.9, "reset_mechanism": "zero"}
NEURONS = {
    "late subtract": (lambda: snn.Leaky(0.9, reset_delay=False), "retrain with reset_delay=True"),
    "late subtract, synaptic": (lambda: snn.Synaptic(0.5, 0.9, reset_delay=False), "subtracts the threshold before and after"),
    "late subtract, recurrent": (lambda: snn.RLeaky(0.9, linear_features=5, reset_delay=False), "before and after deciding"),
    "rsynaptic": (lambda: snn.RSynaptic(0.5, 0.9, linear_features=5, reset_delay=False), "snnTorch 1.0 itself fails on it"),
    "no reset, recurrent": (lambda: snn.RLeaky(0.9, linear_features=5, reset_mechanism="none"), "without a reset"),
    "quantised state": (lambda: snn.Leaky(**ZERO, state_quant=torch.round), "state_quant rounds its states"),
    "surrogate": (lambda: snn.Leaky(**ZERO, spike_grad=torch.sigmoid), "spike_grad does not fire exactly"),
    "at least": (lambda: snn.Leaky(**ZERO, spike_grad=lambda x: (x >= 0).float()), "spike_grad does not fire exactly"),
    "negative threshold": (lambda: snn.Leaky(**ZERO, threshold=-0.5), "a threshold of -0.5; thresholds are 0 or more"),
    "nan": (lambda: snn.Leaky(torch.tensor(float("nan"))), "a beta that is NaN or infinite"),
    "no number": (lambda: snn.Leaky(**ZERO, threshold=torch.zeros(0)), "a threshold of shape (0,), which holds no number"),
    "no message": (lambda: snn.Leaky(**ZERO, graded_spikes_factor=0.0), "graded_spikes_factor of 0"),
    "unstable": (lambda: snn.Lapicque(R=1.0, C=0.25), "keeps -3 of its membrane in a step"),
    "failing surrogate": (
        lambda: snn.Leaky(**ZERO, spike_grad=lambda x: undefined(x)), "its spike_grad fails: name 'undefined' is not defined",  # noqa: F821
    ),
    "mixed resets": (lambda: changed(snn.Leaky(0.9), reset_mechanism="zero"), "made with reset 'subtract' and now says 'zero'"),
    "alpha": (lambda: snn.Alpha(0.9, 0.8), "Alpha neurons have no counterpart; retrain with one of Lapicque, Leaky"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "says"), NEURONS.values(), ids=NEURONS)
def test_neurons_that_cannot_be_mapped(make, says):
    with pytest.raises(UnsupportedError, match=r"layers\.1") as error:
        read_module(Layered(nn.Linear(3, 5), make()), FIRST)
    assert says in str(error.value)


def test_inhibition_is_refused():
    with pytest.warns(UserWarning, match="unstable"):
        layer = snn.Leaky(**ZERO, inhibition=True)
    with pytest.raises(UnsupportedError, match="inhibition=True lets only one neuron fire"):
        read_module(Layered(nn.Linear(3, 5), layer), FIRST)


def test_neurons_without_reset_may_end_a_network_and_nothing_else():
    with pytest.raises(UnsupportedError, match=r"layers\.1: reset_mechanism='none' and spikes that go on"):
        read_module(Layered(nn.Linear(3, 5), snn.Leaky(0.9, reset_mechanism="none"), nn.Linear(5, 2), snn.Leaky(**ZERO)), FIRST)


class Stepped(nn.Module):
    """One step after the other through ``through``, which subclasses have."""

    def __init__(self):
        super().__init__()
        self.fc, self.other, self.lif, self.last = nn.Linear(6, 6), nn.Linear(6, 6), snn.Leaky(**ZERO), snn.Leaky(**ZERO)
        self.conv, self.pool = nn.Conv2d(1, 1, 1), nn.MaxPool2d(1)

    def forward(self, raster):
        self.states = {self.lif: None, self.last: None}
        return torch.stack([self.through(x, t) for t, x in enumerate(raster)])

    def fire(self, layer, current):
        spikes, self.states[layer] = layer(current, self.states[layer])
        return spikes


def step(through):
    return type("Net", (Stepped,), {"through": through})()


def membrane(self, x, t):
    self.fire(self.lif, self.fc(x))
    return self.fire(self.last, self.other(self.states[self.lif]))


def from_ones(self, x, t):
    return self.lif(self.fc(x), torch.ones(2, 6))[0]


def swapped(self, x, t):
    spikes = self.fire(self.lif, self.fc(x))
    self.states[self.last] = self.states[self.lif]
    return self.fire(self.last, self.other(spikes))


def twice(self, x, t):
    return self.fire(self.last, self.other(self.fire(self.lif, self.fire(self.lif, self.fc(x)))))


def pooled(currents):
    return F.max_pool2d(currents.view(-1, 1, 1, 6), (1, 2)).flatten(1)


GRAPHS = {
    "relu": (lambda self, x, t: self.fire(self.lif, F.relu(self.fc(x))), "relu cuts currents off at 0"),
    "function": (lambda self, x, t: self.fire(self.lif, torch.tanh(self.fc(x))), "gets the result of 'tanh', which is no layer"),
    "layer": (lambda self, x, t: self.fire(self.lif, nn.GELU()(self.fc(x))), "gets the result of 'gelu'"),
    "product": (lambda self, x, t: self.fire(self.lif, self.fc(x) * self.other(x)), "gets the result of 'mul'"),
    "max of currents": (lambda self, x, t: self.fire(self.lif, F.max_pool1d(self.fc(x), 1)), "max_pool1d"),
    "max of two": (lambda self, x, t: self.fire(self.lif, pooled(self.fc(x) + self.other(x))), "over 2 connections"),
    "max of biases": (lambda self, x, t: self.fire(self.lif, pooled(self.fc(x))), "biases differ under its window"),
    "membrane": (membrane, "last gets the membrane of lif"),
    "other start": (from_ones, "lif starts from states other than 0"),
    "swapped states": (swapped, "last does not go on from the states it left"),
    "in a step": (lambda self, x, t: self.fire(self.lif, self.fc(x) if t < 2 else self.other(x)), "not driven in the same way"),
    "gain": (lambda self, x, t: self.fire(self.lif, self.fc(x) * (t + 1)), "not driven in the same way in every step"),
    "bias": (lambda self, x, t: self.fire(self.lif, self.fc(x) + t), "not driven in the same way in every step"),
    "weights": (lambda self, x, t: self.fire(self.lif, F.linear(x, self.fc.weight * (t + 1))), "not driven in the same way"),
    "layers": (
        lambda self, x, t: self.fire(self.lif, self.fc(x) if t else self.other(x)),
        "(step 0 differs from the last: through other, not fc); let every step use the same layers and numbers, such as one",
    ),
    "weights of the input": (lambda self, x, t: self.fire(self.lif, x @ self.fc(x).T @ x), "gets the result of 'matmul'"),
    "joined samples": (
        lambda self, x, t: self.fire(self.lif, self.fc(torch.cat([x[1:], x[:1]]))), "a step knows its own sample only",
    ),
    "larger": (lambda self, x, t: self.fire(self.lif, torch.maximum(self.fc(x), x)), "of spikes it is a max-pool"),
    "values": (lambda self, x, t: self.fire(self.lif, self.fc(x) * float(x.sum())), "reads numbers out of a tensor"),
    "samples": (lambda self, x, t: self.fire(self.lif, self.fc(x) + torch.arange(2.0)[:, None]), "differs between samples"),
    "twice": (twice, "is stepped"),
    "lost": (lambda self, x, t: (self.fire(self.lif, self.fc(x)), self.other(x))[0], "other: its result drives no neurons"),
}  # fmt: skip


@pytest.mark.parametrize(("through", "says"), GRAPHS.values(), ids=GRAPHS)
def test_flows_that_cannot_be_mapped(through, says):
    with pytest.raises(UnsupportedError) as error:
        read_module(step(through), ImportConfig(time_axis="first", steps=4, input_shape="6"))
    assert says in str(error.value)


def test_the_place_in_the_users_file_is_named():
    with pytest.raises(UnsupportedError, match=r"test_import_refusals\.py:\d+: lif gets the result of 'tanh'"):
        read_module(step(GRAPHS["function"][0]), ImportConfig(time_axis="first", steps=4, input_shape="6"))


def test_the_line_is_that_of_what_cannot_be_mapped():
    def through(self, x, t):
        bent = torch.tanh(self.fc(x))
        return self.fire(self.lif, 2 * bent.flip(1) + x)

    with pytest.raises(UnsupportedError) as error:
        read_module(step(through), ImportConfig(time_axis="first", steps=4, input_shape="6"))
    assert f"test_import_refusals.py:{through.__code__.co_firstlineno + 1}: lif gets the result of 'tanh'" in str(error.value)


def test_the_line_of_neurons_that_get_a_membrane_is_named():
    with pytest.raises(UnsupportedError, match=r"test_import_refusals\.py:\d+: last gets the membrane of lif"):
        read_module(step(membrane), ImportConfig(time_axis="first", steps=4, input_shape="6"))


def test_an_encoder_that_reads_numbers_is_refused_as_an_encoder():
    encode = lambda self, x, t: self.fire(self.lif, self.fc(spikegen.latency(x, num_steps=1, normalize=True, linear=True)[0]))  # noqa: E731
    with pytest.raises(UnsupportedError, match=r"spikegen\.latency makes inside of forward") as error:
        read_module(step(encode), ImportConfig(time_axis="first", steps=4, input_shape="6"))
    assert "reads numbers" not in str(error.value)


LAYERS = {
    "upsampled": (nn.Upsample(scale_factor=2), "to the nearest by 2 it is x.repeat_interleave(2, -2).repeat_interleave(2, -1)"),
    "transposed": (nn.ConvTranspose2d(1, 1, 2), "retrain with Linear, or with a convolution of x.repeat_interleave"),
    "largest": (nn.AdaptiveMaxPool2d(2), "into equal parts it is MaxPool1d or MaxPool2d of their size: write that"),
    "ceil": (nn.AvgPool2d(2, ceil_mode=True), "windows hang over the edge"),
    "edge": (nn.AvgPool2d(3, padding=1, count_include_pad=False), "weighs the edge differently"),
    "circular": (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), "padding_mode='circular'"),
    "unlike parts": (nn.AdaptiveAvgPool2d(4), "averages (6, 6) into (4, 4) windows of unlike sizes"),
    "same": (nn.Conv2d(1, 1, 2, padding="same"), "pads its two sides unequally"),
    "statistics": (nn.BatchNorm2d(1, track_running_stats=False), "depends on the batch"),
    "norm": (nn.LayerNorm(6), "LayerNorm is no layer that spikes can pass"),
    "weighed maximum": (
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.AvgPool2d(3)),
        "the largest of currents is weighed",
    ),
    "hanging maximum": (nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(4, ceil_mode=True)), "windows hang over the edge"),
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(("layer", "says"), LAYERS.values(), ids=LAYERS)
def test_layers_that_cannot_be_mapped(layer, says):
    module = nn.Sequential(layer, nn.Flatten(), snn.Leaky(**ZERO, init_hidden=True))
    with pytest.raises(UnsupportedError) as error:
        read_module(module, ImportConfig(input_shape="1x6x6"))
    assert says in str(error.value)


def test_everything_is_listed_in_one_go():
    module = Layered(nn.Linear(3, 5), snn.Leaky(0.9, reset_delay=False), nn.LayerNorm(5), nn.Linear(5, 4), snn.Alpha(0.9, 0.8))
    with pytest.raises(UnsupportedError, match=r"^imported: 3 things cannot be imported: ") as error:
        read_module(module, FIRST)
    for place in ("layers.1 (Leaky)", "layers.2 (LayerNorm)", "layers.4 (Alpha)"):
        assert place in str(error.value)


def test_a_module_without_neurons_is_refused():
    with pytest.raises(UnsupportedError, match="no snnTorch neurons were called"):
        read_module(nn.Sequential(nn.Linear(3, 5)), ImportConfig())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (ImportConfig(input_shape="7"), "fails on an input of (2, 7)"),
        (ImportConfig(input_shape="7", time_axis="first"), "fails on an input of (16, 2, 7)"),
    ],
)
def test_a_wrong_input_is_explained(config, says):
    with pytest.raises(ConfigError) as error:
        read_module(nn.Sequential(nn.Linear(3, 5), snn.Leaky(**ZERO, init_hidden=True)), config)
    assert says in str(error.value)
    assert "--input-shape" in str(error.value)


FILE = """
import snntorch as snn
from torch import nn

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), snn.Leaky(0.9, init_hidden=True, reset_mechanism="zero"),
                         nn.Linear(20, 10), snn.Leaky(0.9, init_hidden=True, output=True, reset_mechanism="zero"))

def conv():
    return nn.Sequential(nn.Conv2d(1, 2, 3), snn.Leaky(0.9, init_hidden=True))

def refused():
    return nn.Sequential(nn.Linear(3, 4), snn.Alpha(0.9, 0.8, init_hidden=True))
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "net.py").write_text(FILE)
    return tmp_path / "net.py"


def test_the_command_line_imports_for_the_next_stages(file, tmp_path, capsys):
    torch.manual_seed(1)
    hidden, output = (snn.Leaky(0.9, init_hidden=True) for _ in range(2))
    weights = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), hidden, nn.Linear(20, 10), output).state_dict()
    for key in ("2.reset_mechanism_val", "4.reset_mechanism_val"):
        weights[key] = torch.tensor(1)
    save_file(weights, tmp_path / "w.safetensors")
    out = tmp_path / "net.snnc"
    words = ("import", f"{file}:net", "--weights", tmp_path / "w.safetensors", "--encoding", "rate", "-T", 8, "-o", out)
    assert snnc(*words, "--json") == 0
    body = json.loads(capsys.readouterr().out)
    net = store.load(out)
    assert body["network_hash"] == net.hash
    assert body["from"] == "snntorch"
    assert [c.name for c in net.connections] == ["linear1", "linear3"]
    assert (net.connections[0].op.synapses.to_dense() == weights["1.weight"].double().numpy()).all()
    assert net.done[-1].settings["weights"] == "w.safetensors"
    assert str(tmp_path) not in out.read_bytes().decode("latin1")
    assert snnc(*words) == 2
    capsys.readouterr()
    assert snnc(*words, "--force") == 0
    shown = capsys.readouterr()
    assert "population leaky2 (lif)" in shown.out
    assert shown.err.startswith("reading ")
    assert snnc(*words, "--force", "-q") == 0
    assert capsys.readouterr().err == ""
    assert snnc("quantise", out, "--hw", "loihi1", "-o", tmp_path / "fixed.snnc") == 0
    assert snnc("simulate", tmp_path / "fixed.snnc", "--data", "digits", "--samples", 5) == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("{}:net", "--weights", "no.safetensors"), 2, "no.safetensors: cannot be read"),
        (("{}:nett",), 2, "did you mean 'net'?"),
        (("{}",), 2, "says no factory"),
        (("{}:conv",), 2, "add --input-shape"),
        (("{}:conv", "--input-shape", "1xx2"), 2, "is no shape"),
        (("{}:conv", "--input-shape", "1x2x2"), 2, "fails on an input of (2, 1, 2, 2)"),
        (("{}:net", "--discretise", "exp"), 2, "--discretise: not for imports from 'snntorch'"),
        (("{}:refused",), 4, "Alpha neurons have no counterpart"),
        (("thing.bin",), 2, "add --from: "),
        (("no.py:net",), 2, "no such file"),
    ],
)
def test_mistakes_are_explained(words, code, says, file, tmp_path, capsys):
    assert snnc("import", *(str(w).format(file) for w in words), "-o", tmp_path / "o.snnc") == code
    shown = capsys.readouterr().err
    assert says in shown
    assert shown.count("error:") == 1
    assert not (tmp_path / "o.snnc").exists()


def lazy():
    return Layered(nn.LazyLinear(5), snn.Leaky(**ZERO))


def meta():
    return Layered(nn.Linear(3, 5), snn.Leaky(**ZERO)).to("meta")


def scripted():
    with warnings.catch_warnings(action="ignore"):  # torch calls it old
        return Layered(torch.jit.script(nn.Linear(3, 5)), snn.Leaky(**ZERO))


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lazy, "has a layers.0.weight without a shape as yet; run the module once on an input"),
        (meta, "has a layers.0.weight without numbers"),
        (scripted, "is TorchScript, whose layers cannot be seen; pass the module that it was made from"),
    ],
)
def test_a_module_without_numbers_or_layers_is_refused(make, says):
    with pytest.raises(UnsupportedError, match=says):
        read_module(make(), ImportConfig(time_axis="first", input_shape="3"), "net")


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_numbers_that_are_none_are_said_to_be(name):
    module = Layered(nn.Linear(3, 5), snn.Leaky(**ZERO))
    getattr(module.layers[0], name).data.flatten()[1] = float("nan")
    with pytest.raises(UnsupportedError, match=f"{name}.* NaN or infinite") as error:
        read_module(module, FIRST, "net")
    assert "before the run" not in str(error.value)


def test_a_readout_of_no_numbers_is_refused_and_not_called_a_difference_of_steps():
    class Read(Layered):
        def __init__(self):
            super().__init__(nn.Linear(3, 5), snn.Leaky(**ZERO))
            self.read = nn.Linear(5, 2)
            self.read.bias.data[0] = float("nan")

        def forward(self, x):
            return self.read(super().forward(x))

    with pytest.raises(UnsupportedError, match="'readout' has a bias that is NaN or infinite"):
        read_module(Read(), FIRST, "net")


def test_the_largest_of_pixels_is_no_pool_of_spikes():
    module = Layered(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 5), snn.Leaky(**ZERO))
    shape = {"time_axis": "first", "input_shape": "1x4x4", "steps": 4}
    assert len(read_module(module, ImportConfig(**shape, encoding="rate"), "net").network.populations) == 3
    for graded in ({"encoding": "constant"}, {"message_bits": 4}):
        with pytest.raises(
            UnsupportedError, match="takes the largest of pixels or counts of the input, and only spikes are pooled"
        ):
            read_module(module, ImportConfig(**shape, **graded), "net")


class Repeating(nn.Module):
    """Six steps of one frame."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif = nn.Linear(3, 5), snn.Leaky(**ZERO)

    def forward(self, frame):
        mem, spikes = self.lif.reset_mem(), []
        for _ in range(6):
            fired, mem = self.lif(self.fc(frame), mem)
            spikes.append(fired)
        return torch.stack(spikes)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, []),
        ({"encoding": "constant", "steps": 6}, []),
        ({"encoding": "constant"}, ["the module makes 6 steps of a frame, the encoding 16; with -T 6"]),
        ({"encoding": "rate", "steps": 6}, ["the module takes one frame in all of its 6 steps, as --encoding constant does"]),
    ],
)
def test_an_encoding_that_makes_other_steps_than_the_module_is_noted(given, says):
    notes = read_module(Repeating(), ImportConfig(**given), "net").notes
    notes = [note for note in notes if "never fired" not in note]
    assert len(notes) == len(says)
    assert all(note.startswith(start) for note, start in zip(notes, says, strict=True))


def test_a_raster_into_neurons_asks_for_the_time_axis():
    module = nn.Sequential(nn.Linear(3, 5), snn.Leaky(**ZERO, init_hidden=True))
    with pytest.raises(UnsupportedError, match=r"a raster of several steps at once; .* leave out --time-axis"):
        read_module(module, FIRST, "net")


def test_values_that_leave_torch_are_named_once():
    outside = step(lambda self, x, t: self.fire(self.lif, torch.from_numpy(x.numpy() @ self.fc.weight.detach().numpy().T)))
    with pytest.raises(UnsupportedError) as error:
        read_module(outside, ImportConfig(time_axis="first", input_shape="6", steps=4), "net")
    assert str(error.value).count("reads numbers out of a tensor (numpy)") == 1
    assert "lif gets values that do not come from the input" in str(error.value)


def test_steps_in_another_order_are_named_once():
    class Skipping(Layered):
        def forward(self, raster):
            return super().forward(raster[::2])

    with pytest.raises(UnsupportedError) as error:
        read_module(Skipping(nn.Linear(3, 5), snn.Leaky(**ZERO)), FIRST, "net")
    assert str(error.value).count("a step reads the input of a later one; let forward take all steps") == 1


def test_names_that_begin_like_those_of_packages_are_the_users():
    own = type("Own", (snn.Leaky,), {"forward": lambda self, x, mem=None: snn.Leaky.forward(self, 2 * x, mem)})
    plain = type("Plain", (snn.Leaky,), {})
    own.__module__ = plain.__module__ = "torch_parts"
    with pytest.raises(UnsupportedError, match="its class replaces forward of Leaky"):
        read_module(Layered(nn.Linear(3, 5), own(**ZERO)), FIRST, "net")
    plain.__module__ = "snntorch_parts"
    assert read_module(Layered(nn.Linear(3, 5), plain(**ZERO)), FIRST, "net").parts[1].kind == "Plain reset=zero"


def test_batch_norms_of_each_step_are_no_layer_of_all_steps():
    class ThroughTime(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norms, self.lif = nn.Linear(3, 5), snn.BatchNormTT1d(5, 4), snn.Leaky(**ZERO)

        def forward(self, raster):
            mem, spikes = self.lif.reset_mem(), []
            for norm, x in zip(self.norms, raster, strict=True):
                fired, mem = self.lif(norm(self.fc(x)), mem)
                spikes.append(fired)
            return torch.stack(spikes)

    with pytest.raises(UnsupportedError, match="lif is not driven in the same way in every step"):
        read_module(ThroughTime(), FIRST, "net")


def test_numbers_of_sixteen_bits_stay_numbers():
    module = step(lambda self, x, t: self.fire(self.lif, self.fc(x.bfloat16()))).bfloat16()
    assert [p.name for p in read_module(module, FIRST, "net").network.populations] == ["input", "lif"]

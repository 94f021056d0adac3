"""Import of snnTorch modules with a forward of their own: convolutions, pools, branches, loops over time, readouts."""

import numpy as np
import pytest

from snnc import chips, targets
from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig
from snnc.passes.quantise import quantise
from snnc.simulation.reference import simulate
from snnc.verification.prove import from_noise, verify_artifact

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from cases.snntorch_models import drive, fired_in_torch, in_float64, linear, must_be_equal, net_of, raster, same_spikes  # noqa: E402
from snntorch import utils  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402

FIRST = ImportConfig(time_axis="first")


def zero(beta=0.8, **options):
    return snn.Leaky(beta, reset_mechanism="zero", **options)


def images(*shape):
    return ImportConfig(time_axis="first", input_shape="x".join(map(str, shape)))


class Convolutional(nn.Module):
    """Asymmetric kernels, H != W, stride, padding, dilation, groups, batch norm, all kinds of pools, a functional flatten."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(2, 16, (3, 2), stride=2, padding=(1, 0), bias=False), nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 8, (2, 3), padding=1, dilation=(2, 1), groups=4)
        self.conv3, self.average, self.fc = nn.Conv2d(8, 6, 2), nn.AvgPool2d(2), nn.Linear(6 * 1 * 2, 10)
        self.lif1, self.lif2, self.lif3, self.lif4 = zero(), snn.Leaky(0.7), zero(0.9), zero(0.5)

    def forward(self, raster):
        a, b, d = (lif.init_leaky() for lif in (self.lif1, self.lif2, self.lif4))
        c, fired = self.lif3.reset_mem(), []
        c = c if isinstance(c, tuple) else (c,)
        for x in raster:
            spikes, a = self.lif1(self.norm(self.conv1(x)), a)
            spikes, b = self.lif2(self.conv2(F.max_pool2d(F.dropout(spikes, 0.5, self.training), 2)), b)
            spikes, *c = self.lif3(self.average(self.conv3(spikes)), *c)
            spikes, d = self.lif4(self.fc(spikes.flatten(1)), d)
            fired.append(spikes)
        return torch.stack(fired)


def test_a_convolutional_module():
    given = raster(400, shape=(2, 18, 22))
    imported = same_spikes(drive(Convolutional()), given, images(2, 18, 22), enough=400 * (16 * 99 + 8 * 20))
    net = imported.network
    kinds = {c.name: c.op.kind for c in net.connections}
    assert kinds == {"lif1_maxpool2d": "sumpool2d", "conv1": "conv2d", "conv2": "conv2d", "conv3": "conv2d", "fc": "dense"}
    assert net["lif1"].shape == (16, 9, 11)
    assert net["maxpool2d"].shape == (16, 4, 5)


@pytest.mark.lava
def test_an_imported_module_is_proved_in_lava(tmp_path):
    """A max-pool as neurons, a bias with a memory, pools in kernels: from snnTorch to Lava, every spike and state."""
    module = Convolutional()
    module.lif2, module.lif3 = zero(0.7), snn.Synaptic(0.25, 0.75, reset_mechanism="zero", reset_delay=False)
    net = read_module(drive(module), images(2, 18, 22), "net").network
    fixed = quantise(net, chips.load("loihi1"))
    artifact = targets.export("lava", fixed, None, tmp_path / "program")
    verdict = verify_artifact(artifact, fixed, from_noise(fixed, 20, 0.3, 0), 2).verdict
    assert verdict.exact, verdict
    assert {"maxpool2d", "bias"} <= set(verdict.fired)


class Tutorial(nn.Module):
    """As snnTorch's tutorials write it: hidden states, reset by snntorch.utils, spikes and membranes returned."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3), zero(init_hidden=True), nn.AvgPool2d(2), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4),
            zero(init_hidden=True), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(16, 5),
            snn.Leaky(0.7, init_hidden=True, output=True),
        )  # fmt: skip

    def forward(self, data):
        utils.reset(self.net)
        spikes, membranes = [], []
        for step in range(data.size(0)):
            fired, membrane = self.net(data[step])
            spikes.append(fired)
            membranes.append(membrane)
        return torch.stack(spikes), torch.stack(membranes)


def test_a_module_as_in_the_tutorials():
    imported = same_spikes(drive(Tutorial(), 0.25), raster(400, shape=(1, 14, 14)), images(1, 14, 14))
    became = {part.place: part.became for part in imported.parts}
    assert became["net.4"] == became["net.2"] == became["net.3"] == "connection net_3"
    assert became["net.6"] == "population net_6: 16 neurons that fire when a spike comes, one hop more"
    assert became["net.8"] == "nothing: it does nothing in evaluation"


class MaxOfCurrents(nn.Module):
    """Max-pools before the neurons, as in tutorials 6 and 7; a batch norm before one, factors behind another."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.MaxPool2d(2), snn.Leaky(0.7, init_hidden=True),
            nn.Conv2d(6, 4, 2), nn.MaxPool2d(2, stride=1, padding=1), snn.Lapicque(beta=0.8, threshold=0.3, init_hidden=True),
            nn.Flatten(), nn.Linear(4 * 6 * 5, 5), snn.Leaky(0.7, init_hidden=True, output=True),
        )  # fmt: skip

    forward = Tutorial.forward


def test_the_largest_of_currents():
    imported = same_spikes(drive(MaxOfCurrents(), 0.25), raster(60, shape=(2, 12, 11)), images(2, 12, 11), enough=2000)
    net = imported.network
    assert {c.name: c.op.kind for c in net.connections} == {"net_0": "maxpool2d", "net_4": "maxpool2d", "net_8": "dense"}
    assert net["net_3"].shape == (6, 6, 5)
    assert {part.place: part.became for part in imported.parts}["net.2"] == "connection net_0"
    assert any("which no synapses of a chip compute (see snnc targets)" in note for note in imported.notes)


def test_a_raster_taken_for_a_frame_is_explained():
    with pytest.raises(UnsupportedError, match=r"^imported: \S+ lif gets a part of the input; say with --time-axis"):
        read_module(in_float64(Values()), ImportConfig())


class Pooled(nn.Module):
    """Average pools before a convolution and before a linear layer are folded into them; one-dimensional signals."""

    def __init__(self):
        super().__init__()
        self.conv1, self.lif1, self.pool1 = nn.Conv1d(3, 32, 5, padding=2), zero(), nn.AvgPool1d(2)
        self.conv2, self.lif2 = nn.Conv1d(32, 16, 3, padding="same"), zero()
        self.pool2, self.flat, self.fc, self.lif3 = nn.MaxPool1d(2), nn.Flatten(), nn.Linear(16 * 5, 20), snn.Leaky(0.9)

    def forward(self, raster):
        a, b, c = self.lif1.reset_mem(), self.lif2.reset_mem(), self.lif3.reset_mem()
        fired = []
        for t in range(raster.size(1)):
            spikes, a = self.lif1(self.conv1(raster[:, t]), a)
            spikes, b = self.lif2(self.conv2(self.pool1(spikes)), b)
            spikes, c = self.lif3(self.fc(self.flat(self.pool2(spikes))), c)
            fired.append(spikes)
        return torch.stack(fired, dim=1)


def test_pools_of_signals():
    module = in_float64(drive(Pooled(), 0.3))
    given = np.moveaxis(raster(400, shape=(3, 20)), 0, 1)
    want, _ = fired_in_torch(module, given)
    imported = read_module(module, ImportConfig(time_axis="second", input_shape="3x20"), "net")
    run = simulate(imported.network, {"input": given.reshape(1, 400, -1).astype(np.uint8)})
    for name, fired in want.items():
        must_be_equal(fired, run.spikes[name])
    ops = {c.name: c.op for c in imported.network.connections}
    assert ops["conv2"].pool.kernel == (1, 2)
    assert ops["lif2_pool2"].kind == "sumpool2d"


class Branches(nn.Module):
    """Two branches that are summed, a residual without weights, a loop of its own from the last layer, a constant factor."""

    def __init__(self, n=400):
        super().__init__()
        self.a, self.b, self.c, self.back = (nn.Linear(n_in, n) for n_in in (30, 30, n, n))
        self.one, self.two, self.sum = zero(), zero(0.6), snn.Leaky(0.7, threshold=1.5)

    def forward(self, raster):
        m1 = m2 = m3 = None
        last, fired = torch.zeros(raster.shape[1], 400, dtype=raster.dtype), []
        for x in torch.unbind(raster):
            s1, m1 = self.one(self.a(x) - 0.5 * self.back(last), m1)
            s2, m2 = self.two(self.b(2 * x - 0.1), m2)
            last, m3 = self.sum(self.c(s1) + s2 / 4 + 0.01, m3)
            fired.append(last)
        return torch.stack(fired)


def test_branches_residuals_and_loops():
    imported = same_spikes(drive(Branches(), 0.3), raster(400), FIRST, enough=3 * 160_000)
    found = {(c.src, c.dst, c.delay_steps, c.op.synapse_count == 400) for c in imported.network.connections}
    assert found == {
        ("input", "one", 0, False), ("sum", "one", 1, False), ("input", "two", 0, False), ("one", "sum", 0, False),
        ("two", "sum", 0, True)}  # fmt: skip


class Static(nn.Module):
    """An image repeated inside, layer by layer over all steps, with the membrane of a last layer that never fires."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 400), nn.Linear(400, 10)
        self.lif, self.out = zero(0.95, threshold=2.0), snn.Leaky(0.9, reset_mechanism="none")

    def forward(self, image):
        current, spikes, mem = self.fc1(image.flatten(1)), [], None
        for _ in range(400):
            fired, mem = self.lif(current, mem)
            spikes.append(fired)
        voltages, mem = [], None
        for current in self.fc2(torch.stack(spikes).to(image.dtype)):
            _, mem = self.out(current, mem)
            voltages.append(mem)
        return torch.stack(voltages)


def test_an_image_repeated_inside_and_a_readout():
    module = in_float64(drive(Static(), 0.5))
    given = raster(1, 3, shape=(1, 8, 8))[0]
    want, _ = fired_in_torch(module, given)
    module.lif.reset_mem(), module.out.reset_mem()
    with torch.no_grad():
        voltages = module(torch.from_numpy(given)).numpy()
    imported = read_module(module, ImportConfig(input_shape="1x8x8"), "net")
    inputs = np.repeat(given.reshape(3, 1, 64), 400, 1).astype(np.uint8)
    run = simulate(imported.network, {"input": inputs}, record=True)
    must_be_equal(want["lif"], run.spikes["lif"])
    assert np.allclose(run.states["out"]["v"], np.moveaxis(voltages, 0, 1), rtol=1e-9, atol=1e-12)
    assert imported.network["out"].neuron.model() == "li"


class Values(nn.Module):
    """Ends in a linear layer whose values of every step are averaged."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.lif = linear(30, 400, drive=0.3), linear(400, 7), zero()

    def forward(self, raster):
        mem, values = None, []
        for x in raster:
            spikes, mem = self.lif(self.fc1(x), mem)
            values.append(self.fc2(spikes))
        return torch.stack(values).mean(0)


def test_values_without_neurons_become_a_readout():
    module = in_float64(Values())
    given = raster(400, 4)
    with torch.no_grad():
        values = module(torch.from_numpy(given)).numpy()
    imported = same_spikes(module, given)
    run = simulate(imported.network, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)})
    assert np.allclose(run.states["readout"]["v"].mean(1), values, rtol=1e-9)
    assert net_of(imported.parts[-1]) == "lif"


class ConvRecurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.conv = nn.Conv2d(2, 8, 3, padding=1)
        options = {"conv2d_channels": 8, "kernel_size": 3, "reset_mechanism": "zero"}
        self.lif = kind(beta=0.6, **options) if kind is snn.RLeaky else kind(alpha=0.3, beta=0.6, **options)

    def forward(self, raster):
        return torch.stack([self.lif(self.conv(x))[0] for x in raster])


@pytest.mark.parametrize("kind", [snn.RLeaky, snn.RSynaptic])
def test_a_convolution_over_its_own_spikes(kind):
    imported = same_spikes(drive(ConvRecurrent(kind), 0.15), raster(400, shape=(2, 7, 9)), images(2, 7, 9))
    own = next(c for c in imported.network.connections if c.src == c.dst)
    assert (own.name, own.op.kind, own.delay_steps) == ("lif_recurrent", "conv2d", 1)


class Functional(nn.Module):
    """Weights that are parameters of the module itself, used by torch's functions."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(4)
        shapes = {"kernel": (16, 1, 3, 2), "matrix": (400, 64), "square": (400, 400)}
        for name, shape in shapes.items():
            fan = int(np.prod(shape[1:]))
            self.register_parameter(name, nn.Parameter(torch.from_numpy(rng.normal(0.8 / fan, fan**-0.5, shape))))
        self.shift = nn.Parameter(torch.from_numpy(rng.normal(0, 0.1, 16)))
        self.mean, self.var = torch.from_numpy(rng.uniform(0, 0.4, 16)), torch.from_numpy(rng.uniform(0.5, 2, 16))
        self.lif1, self.lif2, self.lif3 = zero(threshold=0.5), zero(0.6, threshold=0.3), zero(0.5, threshold=0.4)

    def forward(self, raster):
        a = b = c = None
        fired = []
        for x in raster:
            current = F.conv2d(x, self.kernel, self.shift, (2, 1), padding=1, groups=2)
            current = F.batch_norm(current, self.mean, self.var, bias=self.shift, eps=1e-3)
            spikes, a = self.lif1(current, a)
            spikes, b = self.lif2(F.linear(F.adaptive_avg_pool2d(spikes.double(), 2).flatten(1), self.matrix), b)
            spikes, c = self.lif3(spikes.double() @ self.square.T + 0.01, c)
            fired.append(spikes)
        return torch.stack(fired)


def test_functions_with_weights_are_layers():
    imported = same_spikes(Functional(), raster(400, shape=(2, 7, 9)), images(2, 7, 9), enough=800 * 400)
    found = {c.name: (c.op.kind, c.op.pool is not None) for c in imported.network.connections}
    assert found == {"F_conv2d": ("conv2d", False), "F_linear": ("dense", True), "F_linear_2": ("dense", False)}
    assert {part.place for part in imported.parts} >= {"F.conv2d", "F.batchnorm2d", "F.linear", "F.linear_2"}

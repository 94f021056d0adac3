"""Neurons of other libraries and versions: their own rule, exactly, or a refusal."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from conftest import ROOT

from snnc.errors import UnsupportedError, UsageError
from snnc.importers import ImportConfig, read

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from safetensors.torch import save_file  # noqa: E402

import snnc  # noqa: E402
from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402
from snnc.training.from_snntorch.earlier import REFUSED, WRITER, EarlierRule  # noqa: E402

spec = importlib.util.spec_from_file_location("snntorch_07", peers.PROGRAMS / "snntorch_07.py")
modules = importlib.util.module_from_spec(spec)
spec.loader.exec_module(modules)
GOLDEN = ROOT / "tests" / "golden" / "spyx"  # by peer_programs/spyx_networks.py
EARLIER = ImportConfig(time_axis="first", writer=WRITER)


def network(case):
    return read_module(modules.Net(*modules.CASES[case]), EARLIER, "net").network


def in_snnc(net):
    given = np.moveaxis(modules.raster(), 0, 1).astype(np.uint8)
    return simulate(net, {"input": given}).spikes


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """The spikes of snnTorch 0.7.0 itself."""
    path = tmp_path_factory.mktemp("peer") / "out.npz"
    peers.run("snntorch-0.7", "snntorch_07.py", path)
    with np.load(path) as found:
        assert str(found["version"]) == "0.7.0"
        return {name: found[name] for name in found.files}


def first_layer(case):
    """The membranes of the first layer of a case by its equations in plain loops: what its neurons fire, (samples, steps, n)."""
    kind, reset, hidden = modules.CASES[case]
    net = modules.Net(kind, reset, hidden).double()
    beta, threshold = net.first.beta.numpy(), 0.4
    currents = (net.fc1(torch.from_numpy(modules.raster())).detach().numpy()).transpose(1, 0, 2)
    v, fired, u, out = (np.zeros(currents.shape[::2]), np.zeros(currents.shape[::2]), np.zeros(currents.shape[::2]), [])
    for t in range(currents.shape[1]):
        u = 0.4 * u + currents[:, t]
        match kind, reset, hidden:
            case "Leaky", "subtract", False:
                v = beta * (v - threshold * fired) + currents[:, t]
            case "Leaky", "zero", False:
                v = np.where(fired, 0, beta * v + currents[:, t])
            case "Synaptic", "subtract", True:
                v = beta * v + currents[:, t] - threshold * fired
            case "Synaptic", "zero", False:
                v = np.where(fired, 0, beta * v + u)
        fired = v > threshold
        out.append(fired)
    return np.stack(out, 1).astype(np.uint8)


BY_HAND = ["Leaky subtract by hand", "Leaky zero by hand", "Synaptic subtract hidden", "Synaptic zero by hand"]


@pytest.mark.parametrize("case", BY_HAND)
def test_a_module_of_snntorch_07_follows_its_equations(case):
    net = network(case)
    want = first_layer(case)
    assert 0.05 < want.mean() < 0.7
    assert np.array_equal(in_snnc(net)["first"], want)
    now = read_module(modules.Net(*modules.CASES[case]), replace(EARLIER, writer=None), "net").network
    assert np.array_equal(in_snnc(now)["first"], want) == (case == "Synaptic zero by hand")  # which 1.0 does alike


@pytest.mark.parametrize("rule", REFUSED)
def test_what_snntorch_07_did_and_no_neuron_does_is_refused(rule):
    with pytest.raises(UnsupportedError, match=r"with states kept by itself cannot be mapped: .*snnTorch 1\.0"):
        read_module(modules.Net(*rule), EARLIER, "net")


@pytest.mark.slow
@peers.needs("snntorch-0.7", "peers")
@pytest.mark.parametrize("case", modules.CASES)
def test_a_module_of_snntorch_07_fires_what_snntorch_07_fires(case, peer):
    if EarlierRule(*modules.CASES[case]) in REFUSED:
        with pytest.raises(UnsupportedError, match="cannot be mapped"):
            network(case)
        return
    spikes = in_snnc(network(case))
    for layer in ("first", "second"):
        want = np.moveaxis(peer[f"{case}.{layer}"], 0, 1)
        assert 0.03 < want.mean() < 0.7, (layer, want.mean())
        assert np.array_equal(spikes[layer], want), layer


SPYX = ImportConfig(dt_s=1.0, writer="spyx")


@pytest.mark.parametrize(("name", "last"), [("dense", "layer_5"), ("planes", "layer_7")])
def test_a_file_of_spyx_fires_what_spyx_fires(name, last):
    """Its spikes leave one step after the membrane has crossed the threshold."""
    imported = read(str(GOLDEN / f"{name}.nir"), SPYX)
    with np.load(GOLDEN / "spikes.npz") as found:
        inputs, want = (np.moveaxis(found[f"{name}.{kind}"], 0, 1) for kind in ("inputs", "spikes"))
    run = simulate(imported.network, {"input": inputs})
    assert all(run.spikes[p.name].mean() > 0.02 for p in imported.network.ordered if p.neuron)
    assert 0.1 < want.mean() < 0.6
    assert np.array_equal(run.spikes[last][:, :-1], want[:, 1:])
    assert "one step earlier here" in " ".join(imported.notes)
    plain = simulate(replaced(imported.network), {"input": inputs}).spikes[last]
    assert not np.array_equal(plain[:, :-1], want[:, 1:])


def replaced(net):
    """The network without the step that Spyx takes."""
    return replace(net, connections=tuple(replace(c, delay_steps=0) for c in net.connections))


@pytest.mark.parametrize(
    ("name", "why"),
    [("channels", "'layer_2' flattens"), ("current", "'layer_1' is a CubaLIF"), ("recurrent", "is recurrent: Spyx writes"),
     ("without_reset", "is a LI, which Spyx runs in another way")],
)  # fmt: skip
def test_what_spyx_runs_otherwise_than_its_file_says_is_refused(name, why):
    with pytest.raises(UnsupportedError, match=why):
        read(str(GOLDEN / f"{name}.nir"), SPYX)


def test_a_file_that_looks_like_spyx_is_told():
    imported = read(str(GOLDEN / "planes.nir"), ImportConfig(dt_s=1.0, discretise="euler"))
    assert "add --writer spyx" in imported.notes[-1]


@pytest.mark.parametrize(
    ("source", "config"),
    [("planes.nir", ImportConfig(dt_s=1.0, writer=WRITER)), ("planes.nir", replace(SPYX, discretise="exp"))],
)
def test_a_writer_that_cannot_have_written_it_is_refused(source, config):
    with pytest.raises(UsageError, match="leave it out"):
        read(str(GOLDEN / source), config)


SOURCE = f"{peers.PROGRAMS / 'snntorch_07.py'}:leaky"


def saved(path, *, without="", states=False):
    """The weights of the module as a version of snnTorch saves them."""
    weights = {key: value for key, value in modules.leaky().state_dict().items() if not without or not key.endswith(without)}
    weights |= {"first.mem": torch.zeros(1), "second.mem": torch.zeros(1)} if states else {}
    save_file({key: value.contiguous() for key, value in weights.items()}, path)
    return path


def test_weights_that_may_be_those_of_snntorch_07_are_told(tmp_path):
    path = saved(tmp_path / "w.safetensors")
    imported = read(SOURCE, replace(EARLIER, writer=None, weights=path))
    assert "snnTorch 0.6 and 0.7 step first, second otherwise than 1.0" in imported.notes[-1]
    assert not any("otherwise than" in note for note in read(SOURCE, replace(EARLIER, weights=path)).notes)
    assert not any("otherwise than" in note for note in read(SOURCE, replace(EARLIER, writer=None)).notes)


def test_weights_of_snntorch_06_are_not_taken_for_those_of_1(tmp_path):
    path = saved(tmp_path / "w.safetensors", without=".graded_spikes_factor")
    with pytest.raises(
        UsageError, match=r"was saved by snnTorch 0\.6 or earlier, where first, second followed .*--writer snntorch"
    ):
        read(SOURCE, replace(EARLIER, writer=None, weights=path))
    assert read(SOURCE, replace(EARLIER, weights=path)).network.populations


def test_states_that_snntorch_08_saves_are_no_weights(tmp_path):
    path = saved(tmp_path / "w.safetensors", states=True)
    assert not any("otherwise than" in note for note in read(SOURCE, replace(EARLIER, writer=None, weights=path)).notes)


def test_verify_steps_the_module_as_the_import_did(tmp_path):
    net = read(SOURCE, EARLIER).network
    assert snnc.verify(net, SOURCE, noise=0.3, samples=3, steps=40).exact
    forgotten = replace(net, done=read(SOURCE, replace(EARLIER, writer=None)).network.done)
    assert not snnc.verify(forgotten, SOURCE, noise=0.3, samples=3, steps=40).exact

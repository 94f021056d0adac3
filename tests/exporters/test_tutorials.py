"""snnTorch's tutorials 5 to 7 from the user's file to real Lava: soft reset, max-pools of currents, hidden states."""

import json
from pathlib import Path

import pytest
from cases.lava_graphs import run_all
from cases.networks import spikes
from conftest import snnc

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from cases import tutorials  # noqa: E402

from snnc import chips, store  # noqa: E402
from snnc.importers import ImportConfig  # noqa: E402
from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.mapping.capabilities import lacking  # noqa: E402
from snnc.passes.quantise import quantise  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402
from snnc.verification.compare import compare  # noqa: E402

pytestmark = pytest.mark.lava

LOIHI2 = chips.load("loihi2")


def chain(capsys, folder, name, shape, encoding, run):
    """Import, quantise for Loihi 2, check, export to Lava, verify; every spike and state is equal, no layer silent.

    Returns the exit code of check.
    """
    net, fixed, program = (folder / f"{name}.{end}" for end in ("snnc", "fixed.snnc", "program"))
    assert snnc("import", f"{tutorials.__file__}:{name}", "--input-shape", shape, *encoding, "-q", "-o", net) == 0
    assert snnc("quantise", net, "--hw", "loihi2", "-q", "-o", fixed) == 0
    fits = snnc("check", fixed, "--hw", "loihi2")
    assert snnc("export", fixed, "-t", "lava", "-o", program) == 0
    capsys.readouterr()
    assert snnc("verify", program, "--against", fixed, *run, "-q", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["exact"]
    assert said["samples"] == int(run[run.index("--samples") + 1])
    layers = {p.name: p.neuron.model() for p in store.load(fixed).populations if p.neuron}
    assert set(layers.values()) == {"cuba_subtract"}
    assert all(said["spikes"][layer]["fired"] > 0 for layer in layers)
    assert {f"{layer}.{state}" for layer in layers for state in "uv"} == set(said["states"])
    assert (program / "neurons.py").is_file()
    return fits


def test_tutorial_6_by_the_command_line(tmp_path, capsys):
    run = ("--random", 0.3, "--samples", 4)
    assert chain(capsys, tmp_path, "small_tutorial6", "1x12x12", ("--encoding", "constant", "-T", 10), run) == 4
    assert [line.partition(",")[0] for line in lacking(store.load(tmp_path / "small_tutorial6.fixed.snnc"), LOIHI2)] == [
        "connection 'conv2d0' has operator 'maxpool2d'",
        "connection 'conv2d3' has operator 'maxpool2d'",
    ]


def test_tutorials_5_and_7(tmp_path):
    cases = []
    for make, shape in ((tutorials.small_tutorial5, "64"), (tutorials.small_tutorial7, "2x14x14")):
        fixed = quantise(read_module(make(), ImportConfig(input_shape=shape), "net").network, LOIHI2)
        assert all("maxpool2d" in line for line in lacking(fixed, LOIHI2))
        cases.append((fixed, spikes(fixed, samples=3, steps=10)))
    for (net, inputs), run in zip(cases, run_all(cases, tmp_path), strict=True):
        verdict = compare(simulate(net, inputs, record=True), run)
        assert verdict.exact, (verdict.first, verdict.silent)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape", "fits"), [("tutorial5", "784", 0), ("tutorial6", "1x28x28", 4)])
def test_whole_tutorials_on_images(name, shape, fits, tmp_path, capsys, mnist):
    """100 images of MNIST, each shown for 25 steps in grey levels."""
    run = ("--data", "mnist", "--data-dir", mnist, "--samples", 100)
    assert chain(capsys, tmp_path, name, shape, ("--encoding", "constant", "-T", 25), run) == fits


@pytest.mark.slow
def test_a_whole_tutorial_on_events(tmp_path, capsys):
    """100 samples of random events of two polarities, as many pixels as N-MNIST has."""
    run = ("--random", 0.1, "--steps", 25, "--samples", 100)
    assert chain(capsys, tmp_path, "tutorial7", "2x34x34", (), run) == 4


def test_the_file_is_a_users():
    text = Path(tutorials.__file__).read_text()
    assert "import snnc" not in text
    assert "from snnc" not in text

"""Networks and events of a user's own files: from torch to programs that are verified, Lava's among them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import snnc
from snnc.cli import main

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("lava", reason="Lava is not installed: see README.md, Install by hand")
from cases import users_networks  # noqa: E402
from cases.users_data import STEPS, bars, fitted  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FILE = Path(users_networks.__file__)
NAMES = ("ConvAvg", "Norm", "Rec")
TARGETS = ("lava", "c", "onnx", "npz")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder with the data and the weights of each network."""
    folder = tmp_path_factory.mktemp("users")
    rasters, labels = bars(folder / "bars.npz")
    for name in NAMES:
        net, right = fitted(name, rasters, labels)
        assert right > 0.4, name
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, str(folder / f"{name}.safetensors"))
    return folder


def ran(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, f"{words}: {done.output}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_by_the_command_line(name, trained, tmp_path):
    data, net, pruned, fixed = trained / "bars.npz", *(tmp_path / f"{stage}.snnc" for stage in ("net", "pruned", "fixed"))
    ran("import", f"{FILE}:{name}", "--weights", trained / f"{name}.safetensors", "--time-axis", "first",
        "--input-shape", "2x12x12", "--encoding", "events", "-T", STEPS, "-o", net)  # fmt: skip
    ran("verify", net, "--against", f"{FILE}:{name}", "--weights", trained / f"{name}.safetensors", "--data", data, "-q")
    ran("prune", net, "--data", data, "--connectivity", 0.3, "--epochs", 1, "--batch-size", 30, "-o", pruned, "-q")
    ran("quantise", pruned, "--hw", "loihi2", "--finetune-epochs", 1, "--data", data, "-o", fixed, "-q")
    ran("check", fixed)
    ran("map", fixed, "-o", tmp_path / "mapping.json")
    for target in TARGETS:
        ran("export", fixed, "-t", target, "-o", tmp_path / target)
        told = json.loads(ran("verify", tmp_path / target, "--against", fixed, "--data", data, "--samples", 10, "--json", "-q"))
        assert told["ok"], target
        assert min(told["fired"].values()) > 0 if "fired" in told else True


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_from_python(name, trained, tmp_path):
    training, test = (snnc.data(trained / "bars.npz", split) for split in ("train", "test"))
    source, weights = f"{FILE}:{name}", trained / f"{name}.safetensors"
    net = snnc.read(
        source, weights=str(weights), time_axis="first", input_shape=(2, 12, 12), encoding="events", steps=STEPS
    ).network
    pruned = snnc.prune(net, training, test=test, connectivity=0.3, epochs=1, batch_size=30)
    fixed = snnc.quantise(pruned, "loihi2", finetune_epochs=1, data=training)
    assert snnc.check(fixed, "loihi2").fits
    core_map = snnc.map(fixed, "loihi2")
    assert sum(part.stop - part.start for core in core_map.cores for part in core.slices) == sum(
        p.size for p in fixed.populations if p.neuron
    )
    artifact = snnc.export(fixed, "lava", tmp_path / "lava")
    verification = snnc.verify(artifact, fixed, data=test, samples=10)
    assert verification.exact
    assert min(verification.verdict.fired.values()) > 0

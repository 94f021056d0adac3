"""Networks and events of a user's own files: from torch to programs that are verified, Lava's among them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import snnc
from snnc.cli import main

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("lava", reason="Lava is not installed: see README.md, Install by hand")
from cases import users_networks  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FILE = Path(users_networks.__file__)
NAMES = ("ConvAvg", "Norm", "Rec")
TARGETS = ("lava", "c", "onnx", "npz")
TRAINING, SAMPLES, STEPS = 120, 160, 20


def bars(path):
    """Events of a bar that moves in one of four directions over a sensor of 12 by 12 pixels; a step is a millisecond."""
    rng = np.random.default_rng(0)
    events, offsets = [], [0]
    for i in range(SAMPLES):
        for step in range(STEPS):
            place = step * 12 // STEPS
            place = 11 - place if i % 2 else place
            for k in np.flatnonzero(rng.random(12) < 0.35).tolist():
                x, y = (place, k) if i % 4 < 2 else (k, place)
                events.append((step * 1000 + 50 * k, x, y, int(rng.integers(2))))
        offsets.append(len(events))
    t, x, y, p = np.array(events).T
    labels, split = np.arange(SAMPLES) % 4, (np.arange(SAMPLES) >= TRAINING).astype(np.int64)
    np.savez(path, t=t, x=x, y=y, p=p, offsets=np.array(offsets), labels=labels, split=split, sensor=np.array([2, 12, 12]))
    rasters = torch.zeros(SAMPLES, STEPS, 2, 12, 12)
    rasters[np.repeat(np.arange(SAMPLES), np.diff(offsets)), t // 1000, p, y, x] = 1
    return rasters, torch.from_numpy(labels)


def fitted(name, rasters, labels):
    """A user's own loop; returns the module and what it classifies right."""
    torch.manual_seed(0)
    net = getattr(users_networks, name)()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(10):
        for batch in torch.randperm(TRAINING).split(30):
            loss = torch.nn.functional.cross_entropy(net(rasters[batch].transpose(0, 1)).sum(0), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    said = net(rasters[TRAINING:].transpose(0, 1)).sum(0).argmax(1)
    return net, float((said == labels[TRAINING:]).float().mean())


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

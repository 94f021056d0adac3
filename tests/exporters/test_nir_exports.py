"""NIR files that snnTorch, sinabs and Norse write: imported as docs/import.md says, they fire the tool's own spikes."""

import shutil

import h5py
import numpy as np
import pytest
from cases import peers

from snnc.importers import ImportConfig, read
from snnc.simulation.reference import simulate

AS_DOCUMENTED = {
    "snntorch": ImportConfig(dt_s=1e-4, discretise="euler"),
    "sinabs": ImportConfig(dt_s=1.0, discretise="exp"),
    "norse": ImportConfig(dt_s=1e-6, discretise="euler"),  # Norse 1.1.0 writes dt * tau
}
pytestmark = pytest.mark.slow  # the tools take long to start
FILES = ("snntorch_chain", "snntorch_planes", "snntorch_recurrence", "sinabs_chain", "sinabs_planes", "norse_chain")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("exports")
    peers.run("nir", "nir_exports.py", made)
    return made


@peers.needs("nir")
@pytest.mark.parametrize("name", FILES)
def test_the_network_fires_what_the_tool_fired(name, folder):
    path = folder / f"{name}.nir"
    imported = read(str(path), AS_DOCUMENTED[name.split("_")[0]])
    assert "looks as if" in " ".join(imported.notes)
    for node, ours, theirs in layers(path, imported):
        assert 0.05 < theirs.mean() < 0.5, node
        assert np.array_equal(ours, theirs), node


def layers(path, imported):
    """(node, spikes here, spikes in the tool) of each layer of neurons."""
    became = {p.place.split(".")[0]: p.became.split()[1] for p in imported.parts if p.became.startswith("population")}
    with np.load(path.with_suffix(".npz")) as file:
        theirs = dict(file)
    raster = theirs.pop("inputs")
    run = simulate(imported.network, {"input": raster.reshape(*raster.shape[:2], -1)})
    assert len(theirs) >= 2
    return [(node, run.spikes[became[node]], spikes) for node, spikes in theirs.items()]


@peers.needs("nir")
def test_norse_leaves_factors_out_as_the_notes_say(folder, tmp_path):
    """As written, the spikes are others; with the w_in and r that the notes name, they are Norse's."""
    path = tmp_path / "norse_factors.nir"
    for suffix in (".nir", ".npz"):
        shutil.copy(folder / f"norse_factors{suffix}", path.with_suffix(suffix))
    imported = read(str(path), AS_DOCUMENTED["norse"])
    assert sum("has w_in = 1: NIR adds dt / tau_syn" in note for note in imported.notes) == 2
    assert "node '5' (IF) has r = 1" in " ".join(imported.notes)
    assert not any(np.array_equal(ours, theirs) for _, ours, theirs in layers(path, imported))
    with h5py.File(path, "r+") as file:
        for node in ("1", "3"):
            file[f"node/nodes/{node}/w_in"][...] = file[f"node/nodes/{node}/tau_syn"][...] / 1e-6
        file["node/nodes/5/r"][...] = 1e6
    for node, ours, theirs in layers(path, read(str(path), AS_DOCUMENTED["norse"])):
        assert 0.05 < theirs.mean() < 0.5, node
        assert np.array_equal(ours, theirs), node


@peers.needs("nir")
def test_another_rule_fires_other_spikes(folder):
    """The comparison can fail: the leak of sinabs is exponential, not Euler's."""
    network = read(str(folder / "sinabs_chain.nir"), ImportConfig(dt_s=1.0, discretise="euler")).network
    with np.load(folder / "sinabs_chain.npz") as file:
        assert not np.array_equal(simulate(network, {"input": file["inputs"]}).spikes["n1"], file["1"])

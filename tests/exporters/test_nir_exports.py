"""NIR files that snnTorch and sinabs write themselves: imported as docs/import.md says, they fire the tool's own spikes."""

import numpy as np
import pytest
from cases import peers

from snnc.importers import ImportConfig, read
from snnc.simulation.reference import simulate

AS_DOCUMENTED = {
    "snntorch": ImportConfig(dt_s=1e-4, discretise="euler"),
    "sinabs": ImportConfig(dt_s=1.0, discretise="exp"),
}
pytestmark = pytest.mark.slow  # the tools take long to start
FILES = ("snntorch_chain", "snntorch_planes", "snntorch_recurrence", "sinabs_chain", "sinabs_planes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("exports")
    peers.run("nir", "nir_exports.py", made)
    return made


@peers.needs("nir")
@pytest.mark.parametrize("name", FILES)
def test_the_network_fires_what_the_tool_fired(name, folder):
    imported = read(str(folder / f"{name}.nir"), AS_DOCUMENTED[name.split("_")[0]])
    became = {p.place.split(".")[0]: p.became.split()[1] for p in imported.parts if p.became.startswith("population")}
    with np.load(folder / f"{name}.npz") as file:
        theirs = dict(file)
    raster = theirs.pop("inputs")
    run = simulate(imported.network, {"input": raster.reshape(*raster.shape[:2], -1)})
    assert len(theirs) >= 2
    for node, spikes in theirs.items():
        assert 0.05 < spikes.mean() < 0.5, node
        assert np.array_equal(run.spikes[became[node]], spikes), node


@peers.needs("nir")
def test_another_rule_fires_other_spikes(folder):
    """The comparison can fail: the leak of sinabs is exponential, not Euler's."""
    network = read(str(folder / "sinabs_chain.nir"), ImportConfig(dt_s=1.0, discretise="euler")).network
    with np.load(folder / "sinabs_chain.npz") as file:
        assert not np.array_equal(simulate(network, {"input": file["inputs"]}).spikes["n1"], file["1"])

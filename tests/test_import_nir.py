"""What a NIR file says is what the imported network computes."""

import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
pytest.importorskip("torch", reason="convolutions are checked with torch: pip install 'snnc[train]'")

from nir_graphs import FIRING, GRAPHS, Player, flat, settled  # noqa: E402

from snnc.importers import ImportConfig, read  # noqa: E402
from snnc.importers._names import legal  # noqa: E402
from snnc.simulate import simulate  # noqa: E402

STEPS = 120


def written(graph, path):
    nir.write(path, settled(graph))
    return str(path)


def imported(graph, dt, rule, path):
    return read(written(graph, path), ImportConfig(dt_s=dt, discretise=rule))


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_the_network_computes_the_equations_of_the_file(make, tmp_path):
    rng = np.random.default_rng(7)
    graph, dt, rule = make(rng)
    found = imported(graph, dt, rule, tmp_path / "x.nir")
    source = found.network.inputs[0]
    raster = (rng.random((STEPS, source.size)) < 0.3).astype(np.uint8)
    played = Player(graph, dt, rule).play(raster.reshape(STEPS, *source.shape).astype(float))
    run = simulate(found.network, {source.name: raster[None]}, record=True)
    nodes, own = flat(graph)[0], legal(played)
    assert len(played) > 1
    for name, values in played.items():
        if type(nodes[name]).__name__ in FIRING:
            assert 0.05 < values.mean() < 0.5, f"{name} fires {values.mean():.3f} of the time"
            assert (values != run.spikes[own[name]][0]).sum() == 0, name
        else:
            assert values.std() > 0.01
            np.testing.assert_allclose(run.states[own[name]]["v"][0], values, rtol=1e-5, atol=1e-6)

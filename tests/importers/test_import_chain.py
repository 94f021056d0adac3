"""Every kind of population that an importer makes goes on through quantise and check, and is exact where a target takes it."""

import numpy as np
import pytest

from snnc import chips, targets
from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig, read
from snnc.passes.quantise import quantise
from snnc.verification.prove import from_noise, verify_artifact

nir = pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
from cases.nir_graphs import chain, leaky, settled, synaptic, weights  # noqa: E402

RNG = np.random.default_rng(8)
MADE = {
    "a neuron that brings a bias": lambda: chain(
        nir.Affine(weights(RNG, 9, 12), RNG.uniform(0.1, 0.3, 9)), synaptic(9, 0.4, 0.8), nir.Linear(weights(RNG, 5, 9)),
        leaky(5, 0.9), shape=[12],
    ),
    "a readout": lambda: chain(
        nir.Linear(weights(RNG, 9, 12)), leaky(9, 0.7), nir.Affine(weights(RNG, 5, 9), RNG.normal(0, 0.1, 5)), shape=[12]
    ),
    "a threshold": lambda: chain(
        nir.Linear(weights(RNG, 9, 12)), nir.Threshold(np.full(9, 0.6)), nir.Linear(weights(RNG, 5, 9)), leaky(5, 0.9), shape=[12]
    ),
    "no memory": lambda: chain(nir.Linear(weights(RNG, 9, 12)), leaky(9, 0.0), shape=[12]),
}  # fmt: skip


@pytest.mark.parametrize("made", MADE)
def test_what_is_imported_can_be_quantised_and_exported(made, tmp_path):
    nir.write(tmp_path / "x.nir", settled(MADE[made]()))
    net = read(str(tmp_path / "x.nir"), ImportConfig(dt_s=1e-4, discretise="euler")).network
    fixed = quantise(net, chips.load("loihi1"))
    taken = 0
    for target in ("npz", "nir"):
        for one in (net, fixed) if target == "nir" else (fixed,):
            try:
                artifact = targets.export(target, one, None, tmp_path / f"{target} {one is fixed}")
            except UnsupportedError:
                continue
            verdict = verify_artifact(artifact, one, from_noise(one, 25, 0.35, 0), 2).verdict
            assert verdict.mismatches == 0, verdict
            taken += 1
    assert taken >= 1

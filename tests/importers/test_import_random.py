"""Random modules are imported exactly or refused: none wrong, none with a traceback."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from cases.random_modules import INPUTS, random_module  # noqa: E402
from cases.snntorch_models import fired_in_torch, in_float64  # noqa: E402

from snnc.errors import SnncError  # noqa: E402
from snnc.importers import ImportConfig  # noqa: E402
from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402

STEPS, SAMPLES = 150, 3  # others than the comparison of the import has


def outcome(seed):
    """(whether it was imported, slots that differ, rate of spikes, trick) of one random module."""
    make, trick = random_module(seed)
    torch.manual_seed(0)
    try:
        imported = read_module(make(), ImportConfig(time_axis="first", input_shape=str(INPUTS)), "net")
    except SnncError as error:
        sentence = "\n" not in str(error) and error.exit_code == 4
        return False, 0 if sentence else 1, 0.0, trick
    given = (np.random.default_rng(1000 + seed).random((STEPS, SAMPLES, INPUTS)) < 0.35).astype(np.float64)
    want, _ = fired_in_torch(in_float64(make()), given)
    run = simulate(imported.network, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)})
    apart = sum(int((want[name][:, :STEPS] != run.spikes[name][:, : want[name].shape[1]]).sum()) for name in want)
    return True, apart, float(np.mean([w.mean() for w in want.values()])), trick


def none_is_wrong(seeds):
    results = {seed: outcome(seed) for seed in seeds}
    wrong = {seed: result for seed, result in results.items() if result[1]}
    assert not wrong
    plain = [result for result in results.values() if result[3] is None]
    assert all(imported for imported, *_ in plain), [s for s, r in results.items() if r[3] is None and not r[0]]
    assert np.mean([rate for _, _, rate, _ in plain]) > 0.05
    tricked = [result for result in results.values() if result[3] is not None]
    assert np.mean([not imported for imported, *_ in tricked]) > 0.7  # the others change no spike, and are exact


def test_random_modules_are_imported_exactly_or_refused():
    none_is_wrong(range(30))


@pytest.mark.slow
def test_many_random_modules_are_imported_exactly_or_refused():
    none_is_wrong(range(30, 330))

"""Files that snnc 0.1.0 wrote at commit 96871d2, before its modules moved, still load and go on.

tests/golden/earlier/ was made by `snnc train --data digits --hidden 16 --steps 4 --epochs 4 --batch-size 64 --lr 0.01 --seed 3`
and `snnc prune dense.snnc --data digits --connectivity 0.2 --epochs 4 --batch-size 64 --lr 0.01 --seed 3`, each interrupted after
its second epoch, and `snnc quantise --hw loihi1` of the pruned network.
"""

import json
import shutil

import pytest
from conftest import ROOT, snnc

from snnc import store

pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")

EARLIER = ROOT / "tests" / "golden" / "earlier"
SETTINGS = ["--data", "digits", "--epochs", 4, "--batch-size", 64, "--lr", 0.01, "--seed", 3]
HASHES = {
    "dense": "9475ff4d2043cdbc9fbe07775a46d868a0c3dcf1d82189c56d2ea74721d00567",
    "fixed": "1fdaad55072e2d2b97a3bb5ae462bf3a8305a03910e26f81c213baec4a0bfcf6",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_network_has_the_hash_that_it_had(name):
    assert store.load(EARLIER / f"{name}.snnc").hash == HASHES[name]


def test_a_fixed_network_is_simulated_and_checked(capsys):
    assert snnc("simulate", EARLIER / "fixed.snnc", "--data", "digits", "--json", "-q") == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.6
    assert snnc("check", EARLIER / "fixed.snnc", "--hw", "loihi1") == 0


@pytest.mark.parametrize(("verb", "checkpoint"), [("train", "trained"), ("prune", "pruned")])
def test_a_checkpoint_goes_on(verb, checkpoint, tmp_path, capsys):
    for path in EARLIER.iterdir():
        shutil.copy(path, tmp_path)
    what = ["--hidden", 16, "--steps", 4] if verb == "train" else [tmp_path / "dense.snnc", "--connectivity", 0.2]
    out = tmp_path / f"{checkpoint}.snnc"
    assert snnc(verb, *what, *SETTINGS, "--resume", tmp_path / f"{checkpoint}.ckpt", "-o", out, "-q") == 0
    lines = [json.loads(line) for line in out.with_suffix(".metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["test_accuracy"] > 0.6
    if verb == "prune":
        assert lines[-1]["parameter_connectivity"] == pytest.approx(0.2, abs=1e-3)
        assert store.load(out).done[-1].name == "prune"

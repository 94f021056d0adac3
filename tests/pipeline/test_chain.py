"""The whole chain on real digits, as a user runs it: from one configuration, interrupted, resumed, verb by verb."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest
from click.testing import CliRunner
from conftest import ROOT

from snnc import chips, data, importers, store, targets
from snnc.base.config import read_toml
from snnc.cli import main
from snnc.errors import FileError
from snnc.pipeline.chain import open_folder, read_chain, run_chain
from snnc.pipeline.recording import RECORDING, read_recording

pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

SMALL = """
name = "small"
data = "digits"
samples = 8
[train]
hidden = [32]
steps = 8
epochs = 2
batch_size = 32
lr = 1e-2
[prune]
connectivity = 0.25
epochs = 4
batch_size = 32
lr = 1e-2
"""


def snnc(*words):
    return CliRunner().invoke(main, [str(w) for w in words])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A small chain that was run once."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "small.toml").write_text(SMALL)
    done = snnc("run", folder / "small.toml", "-o", folder / "new" / "out", "--json", "-q")
    assert done.exit_code == 0, done.output
    assert "epoch" not in done.stderr
    return folder, json.loads(done.stdout)


@pytest.mark.lava
def test_all_stages_leave_their_files_and_a_summary(ran):
    folder, printed = ran
    kept = json.loads((folder / "new" / "out" / "summary.json").read_text())
    assert {k: printed[k] for k in kept} == kept
    assert printed["schema"] == "snnc.run/1"
    assert printed["ok"]
    for name in ("trained", "pruned", "fixed"):
        assert store.load(folder / "new" / "out" / f"{name}.snnc").done[-1].name == {"trained": "train", "pruned": "prune"}.get(
            name, "quantise"
        )
    assert kept["stages"]["pruned"]["parameter_connectivity"] == pytest.approx(0.25, abs=0.001)
    assert kept["stages"]["trained"]["test_accuracy_torch"] > 0.5
    for verdict in ("float_against_torch", "target_against_fixed"):
        assert kept[verdict]["exact"]
        assert kept[verdict]["mismatches"] == 0
        assert min(kept[verdict]["fired"].values()) > 0
    assert kept["target_against_fixed"]["candidate"] == "lava 0.10.0"
    assert kept["target_against_fixed"]["states"] > 0
    assert kept["activity"]["fixed"]["spikes"]["hidden1"] > 0
    assert set(kept["source"]["versions"]) >= {"snnc", "torch", "python"}
    recorded = read_recording(folder / "new" / "out" / RECORDING, store.load(folder / "new" / "out" / "fixed.snnc"))
    assert {name: len(pair.samples) for name, pair in recorded.pairs.items()} == dict.fromkeys(
        ("fixed_against_float", "float_against_torch", "target_against_fixed"), 8
    )
    assert 360 * recorded.rates["hidden1"].sum() == pytest.approx(kept["activity"]["fixed"]["spikes"]["hidden1"])


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_holds_something_is_kept_an_empty_one_is_filled(force, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    read = read_chain(tmp_path / "small.toml")
    (tmp_path / "empty").mkdir()
    open_folder(read, tmp_path / "empty", False, force)
    assert (tmp_path / "empty" / "chain.json").is_file()
    with nullcontext() if force else pytest.raises(FileError, match="exists already"):
        open_folder(read, tmp_path / "empty", False, force)
    with pytest.raises(FileError, match="is no folder"):
        open_folder(read, tmp_path / "small.toml", False, force)


@pytest.mark.lava
def test_an_existing_folder_is_kept_and_resuming_takes_what_is_there(ran):
    folder, _ = ran
    config, out = folder / "small.toml", folder / "new" / "out"
    refused = snnc("run", config, "-o", out)
    assert refused.exit_code == 2
    assert "exists already" in refused.stderr
    before = (out / "trained.snnc").stat().st_mtime_ns
    (out / "fixed.snnc").unlink()
    again = snnc("run", config, "-o", out, "--resume")
    assert again.exit_code == 0, again.output
    assert (out / "trained.snnc").stat().st_mtime_ns == before
    assert (out / "fixed.snnc").exists()
    assert "EXACT" in again.stdout
    config.write_text(SMALL.replace("epochs = 2", "epochs = 3"))
    other = snnc("run", config, "-o", out, "--resume")
    config.write_text(SMALL)
    assert other.exit_code == 2
    assert "belongs to another configuration" in other.stderr


@pytest.mark.lava
def test_an_interrupted_chain_ends_with_130_and_keeps_its_checkpoint(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL.replace("epochs = 2", "epochs = 200"))
    words = [sys.executable, "-m", "snnc", "run", "small.toml", "-o", "out"]
    started = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "out" / "trained.metrics.jsonl"
    for _ in range(600):
        if metrics.exists() and metrics.read_text().count("\n") >= 2:
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    stderr = started.communicate(timeout=60)[1]
    assert started.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "out" / "trained.snnc").exists()
    assert (tmp_path / "out" / "trained.ckpt").exists()


@pytest.mark.lava
def test_forcing_another_configuration_forgets_the_old_networks(ran, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(ran[0] / "new" / "out", out)
    (tmp_path / "other.toml").write_text(SMALL.replace("[32]", "[40]"))
    assert store.load(out / "fixed.snnc")["hidden1"].size == 32
    chain, (training, test) = read_chain(tmp_path / "other.toml"), (data.load("digits", s) for s in ("train", "test"))

    def stop(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_chain(chain, training, test, out, stop, resume=False, force=True)
    again = snnc("run", tmp_path / "other.toml", "-o", out, "--resume", "-q")
    assert again.exit_code == 0, again.output
    assert store.load(out / "fixed.snnc")["hidden1"].size == 40
    assert store.load(out / "fixed.snnc").name == "small"


def test_what_the_chip_cannot_express_is_said_before_training(tmp_path):
    path = tmp_path / "graded.toml"
    path.write_text(SMALL.replace("steps = 8", 'steps = 8\nencoding = "constant"'))
    done = snnc("run", path, "-o", tmp_path / "out", "-q")
    assert done.exit_code == 4
    assert "encoding 'constant' sends 8-bit messages, loihi1 takes spikes only; use encoding = 'rate'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_target_that_cannot_be_proved_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.delattr(targets.load("npz"), "run")
    path = tmp_path / "plain.toml"
    path.write_text(SMALL.replace("samples = 8", 'samples = 8\ntarget = "npz"'))
    done = snnc("run", path, "-o", tmp_path / "out", "-q")
    assert done.exit_code == 4
    assert "artifacts of target 'npz' cannot be run here, so nothing could be proved" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_network_too_large_for_the_chip_exits_as_check_does(tmp_path):
    chip = tmp_path / "tiny.toml"
    chip.write_text((ROOT / "hw_profiles" / "loihi1.toml").read_text().replace("value = 128", "value = 1", 1))
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace("samples = 8", f'samples = 8\nhw = "{chip}"'))
    done = snnc("run", path, "-o", tmp_path / "out", "-q")
    assert done.exit_code == 3
    assert "needs 2 cores at network 'small', tiny has 1" in done.stderr


def test_verbs_by_hand(ran, tmp_path):
    folder, _ = ran
    out = folder / "new" / "out"
    checked = snnc("check", out / "fixed.snnc", "--hw", "loihi1", "--json")
    assert (checked.exit_code, json.loads(checked.stdout)["ok"]) == (0, True)
    exported = snnc("export", out / "fixed.snnc", "--target", "lava", "-o", tmp_path / "lava")
    assert exported.exit_code == 0
    assert (tmp_path / "lava" / "run.py").exists()
    for name in ("pruned.snnc", "fixed.snnc"):
        torch = snnc("verify", out / name, "--against", "torch", "--samples", 5)
        assert torch.exit_code == 0, torch.output
        assert "EXACT" in torch.stdout
    mixed = snnc("verify", tmp_path / "lava", "--against", out / "pruned.snnc", "--samples", 5)
    assert mixed.exit_code == 2
    assert "is a float network, the artifact was made from a fixed one" in mixed.stderr


def test_torch_that_spikes_otherwise_is_seen(ran, monkeypatch):
    import snntorch

    folder, _ = ran
    monkeypatch.setattr(snntorch.Leaky, "forward", _other_threshold(snntorch.Leaky.forward))
    done = snnc("verify", folder / "new" / "out" / "pruned.snnc", "--against", "torch", "--samples", 5)
    assert done.exit_code == 1
    assert re.search(r"NOT EXACT: first at sample \d, population 'hidden1', step", done.stdout), done.stdout


def _other_threshold(forward):
    def run(self, current, *state):
        return forward(self, current * 1.01, *state)

    return run


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("epochs = 2", "epoch = 2"), "[train]: unknown key 'epoch'; did you mean 'epochs'?"),
        (("[prune]", "[prone]"), "unknown key 'prone'; did you mean 'prune'?"),
        (('data = "digits"', 'data = "digit"'), "no data set 'digit'; did you mean 'digits'?"),
        (("samples = 8", "samples = 0"), "samples = 0 is out of range"),
        (("connectivity = 0.25", "connectivity = 0"), "[prune]: a connectivity of 0 cannot be"),
        (("connectivity = 0.25", "connectivity = 1.5"), "a connectivity of 1.5 cannot be"),
        (("lr = 1e-2", 'lr = "fast"'), "lr = 'fast' is no number"),
        (("[train]", "train = 3\n[other]"), "'train' is no table"),
        (('samples = 8', 'hw = "loihi9"'), "no hardware profile 'loihi9'"),
        (('samples = 8', 'target = "lohi"'), "no target 'lohi'; did you mean 'loihi'?"),
        (("[train]", "[train"), "is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_gets_one_sentence_before_any_work(edit, message, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace(*edit, 1))
    done = snnc("run", path, "-o", tmp_path / "out")
    assert done.exit_code in (2, 4)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_configuration_is_named(tmp_path):
    done = snnc("run", tmp_path / "none.toml", "-o", tmp_path / "out")
    assert (done.exit_code, done.stderr) == (
        2,
        f"error: {tmp_path}/none.toml: cannot be read: No such file or directory; check the path\n",
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda p: p.name)
def test_the_examples_are_legal(path):
    if "methods" in read_toml(path):
        from snnc.training.sweep.grid import read_grid

        assert read_grid(path).rows
    elif "populations" in read_toml(path):
        assert importers.read(str(path)).network.tiles > 1
    else:
        goal = read_chain(path).goal
        assert chips.load(goal.hw).numeric is not None
        assert targets.load(goal.target).SUMMARY


@pytest.mark.slow
@pytest.mark.lava
def test_the_demo(tmp_path):
    done = snnc("run", ROOT / "examples" / "digits.toml", "-o", tmp_path / "digits", "--json", "-q")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["stages"]["fixed"]["test_accuracy"] > 0.93
    assert found["target_against_fixed"]["mismatches"] == 0


@pytest.mark.hdl
def test_a_chain_for_an_fpga_ends_in_verilog_that_fits(tmp_path):
    """From one configuration: pruned, quantised, held against the FPGA, exported with the lanes that fit, verified."""
    (tmp_path / "fpga.toml").write_text(f'hw = "ice40up5k"\ntarget = "verilog"\n{SMALL}')
    done = snnc("run", tmp_path / "fpga.toml", "-o", tmp_path / "out", "-q")
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["target_against_fixed"]["exact"]
    lanes = targets.read_artifact(tmp_path / "out" / "verilog").options["lanes"]
    assert lanes > 1
    assert f"ice40up5k: {lanes} lanes; the device" in done.stdout
    assert [usage["resource"] for usage in summary["chip"] if usage] == ["block_rams", "large_rams", "luts"]


def test_an_fpga_is_no_chip_with_cores(tmp_path):
    (tmp_path / "fpga.toml").write_text(f'hw = "ice40up5k"\n{SMALL}')
    done = snnc("run", tmp_path / "fpga.toml", "-o", tmp_path / "out", "-q")
    assert done.exit_code == 4
    assert "ice40up5k: is an FPGA: it has no cores to map to" in done.stderr
    assert not (tmp_path / "out").exists()

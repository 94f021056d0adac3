"""Training goes on after kill -9 and Ctrl-C to the very bytes of an undisturbed run; foreign checkpoints are refused."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import snnc
from snnc import data, store
from snnc.cli import main
from snnc.errors import ConfigError, FileError, MissingDependencyError
from snnc.training import methods

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from snnc.training.loop import checkpoint  # noqa: E402
from snnc.training.loop import fit as loop  # noqa: E402
from snnc.training.loop.fit import fit  # noqa: E402
from snnc.training.loop.record import Progress, Record, progress, read_checkpoint  # noqa: E402
from snnc.training.models import feedforward as models  # noqa: E402
from snnc.training.pruning.prune import prune  # noqa: E402
from snnc.training.settings import PruneConfig, TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402

CONFIG = TrainConfig(hidden=(16,), steps=4, epochs=3, lr=0.02, batch_size=32, encoding="constant")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits").first(300), data.load("digits", "test").first(100)


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


def killed_at(batches, monkeypatch, every_s=-1.0):
    """From now on a checkpoint is due at every batch, and the process dies after so many of them."""
    left = [batches]
    keep = checkpoint.Checkpoints.keep_within

    def dies(self, point, metrics, stopped):
        keep(self, point, metrics, stopped)
        left[0] -= 1
        if not left[0]:
            raise Killed

    monkeypatch.setattr(checkpoint, "EVERY_S", every_s)
    monkeypatch.setattr(checkpoint.Checkpoints, "keep_within", dies)


@pytest.mark.parametrize("every_s", [-1.0, 300.0], ids=["checkpoint at the last batch", "checkpoint at the last epoch"])
@pytest.mark.parametrize("batches", [4, 10, 17])
def test_training_goes_on_within_an_epoch(digits, tmp_path, monkeypatch, batches, every_s):
    killed_at(batches, monkeypatch, every_s)
    with pytest.raises(Killed):
        train(*digits, CONFIG, Record(tmp_path / "a.ckpt", quiet=True))
    monkeypatch.undo()
    state = read_checkpoint(tmp_path / "a.ckpt")
    assert (state["epoch"], state["batch"]) == (batches // 10, batches % 10 if every_s < 0 and batches != 10 else 0) or (
        batches == 10 and (state["epoch"], state["batch"]) == (0, 10 if every_s < 0 else 0)
    )
    resumed = train(*digits, CONFIG, resume=tmp_path / "a.ckpt")
    assert store.dumps(resumed) == store.dumps(train(*digits, CONFIG))


METHODS = [(name, 0.1) for name in methods.names() if name != "none"]


@pytest.mark.parametrize(("method", "connectivity"), METHODS)
def test_pruning_goes_on_within_an_epoch(digits, tmp_path, monkeypatch, method, connectivity):
    net = train(*digits, replace(CONFIG, epochs=1))
    config = PruneConfig(method=method, connectivity=connectivity, epochs=3, lr=0.02, batch_size=32)
    killed_at(14, monkeypatch)
    with pytest.raises(Killed):
        prune(net, digits[0], config, record=Record(tmp_path / "a.ckpt", quiet=True))
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "a.ckpt")["batch"] == 4
    resumed = prune(net, digits[0], config, resume=tmp_path / "a.ckpt")
    assert store.dumps(resumed) == store.dumps(prune(net, digits[0], config))


@pytest.mark.parametrize("method", ["grad_r", "deep_r"])
def test_an_interrupt_while_an_epoch_is_tested(digits, tmp_path, monkeypatch, method):
    """The test is broken off after the batch that runs, and made again."""
    net = train(*digits, replace(CONFIG, epochs=1))
    config = PruneConfig(method=method, connectivity=0.1, epochs=3, lr=0.02, batch_size=32)
    whole, encoded, tested = prune(net, digits[0], config, digits[1]), loop._messages, []

    def asked(encoding, images, shape, first, device):
        tested.extend([first] if len(images) == 20 else [])
        if len(tested) == 7:
            signal.raise_signal(signal.SIGINT)
        return encoded(encoding, images, shape, first, device)

    monkeypatch.setattr(loop, "EVALUATION_BATCH", 20)
    monkeypatch.setattr(loop, "_messages", asked)
    with pytest.raises(KeyboardInterrupt):
        prune(net, digits[0], config, digits[1], Record(tmp_path / "a.ckpt", quiet=True))
    assert tested == [0, 20, 40, 60, 80, 0, 20]
    monkeypatch.undo()
    state = read_checkpoint(tmp_path / "a.ckpt")
    assert (state["epoch"], state["batch"]) == (1, 10)
    assert store.dumps(prune(net, digits[0], config, digits[1], resume=tmp_path / "a.ckpt")) == store.dumps(whole)


class Noisy(models.Feedforward):
    """A model that draws random numbers of torch's as it trains, as dropout does."""

    def forward(self, raster):
        return torch.nn.functional.dropout(super().forward(raster), 0.3, self.training)


def noisy():
    torch.manual_seed(0)
    plain = models.build((64, 16, 10))
    return Noisy(list(plain.linears.values()), [plain.hidden1, plain.output])


def test_random_numbers_of_torch_go_on(digits, tmp_path, monkeypatch):
    encoding = train(*digits, replace(CONFIG, epochs=1)).encoding
    straight, first, second = noisy(), noisy(), noisy()
    torch.manual_seed(1)
    fit(straight, digits[0], encoding, CONFIG)
    torch.manual_seed(1)
    killed_at(14, monkeypatch)
    with pytest.raises(Killed):
        fit(first, digits[0], encoding, CONFIG, record=Record(tmp_path / "a.ckpt", quiet=True))
    monkeypatch.undo()
    torch.manual_seed(99)
    fit(second, digits[0], encoding, CONFIG, resume=tmp_path / "a.ckpt")
    assert torch.equal(straight.fc1.weight, second.fc1.weight)


WORDS = ("train", "--hidden", "64", "-T", "16", "--epochs", "6", "--lr", "0.02")


def started(out, *more):
    """The command line in a process of its own."""
    words = [sys.executable, "-c", "from snnc.cli import main; main()", *WORDS, "-o", str(out), *more]
    return subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)


def finished(out, *more):
    """The same, at its end: exit code."""
    process = started(out, *more)
    process.communicate()
    return process.returncode


def wait_for(path, process, lines):
    """Until so many epochs are done."""
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "a.snnc"
    assert finished(out, "-q") == 0
    return out.read_bytes()


def test_kill_9_at_a_random_moment_and_resume(tmp_path, undisturbed):
    out, metrics = tmp_path / "a.snnc", tmp_path / "a.metrics.jsonl"
    process = started(out, "-q")
    wait_for(metrics, process, lines=2)
    epoch = json.loads(metrics.read_text().splitlines()[1])["seconds"]  # the first one loads what is compiled
    time.sleep(np.random.default_rng().uniform(0, 2 * epoch))  # of the four that are left
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    assert read_checkpoint(tmp_path / "a.ckpt")["epoch"] < 6
    assert finished(out, "-q", "--resume", str(tmp_path / "a.ckpt")) == 0
    assert out.read_bytes() == undisturbed


def test_ctrl_c_within_an_epoch_and_resume(tmp_path, undisturbed):
    out = tmp_path / "a.snnc"
    process = started(out)
    wait_for(tmp_path / "a.metrics.jsonl", process, lines=1)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate()
    assert process.returncode == 130
    assert "stopping after this batch" in shown
    assert f"--resume {tmp_path / 'a.ckpt'}" in shown
    assert "Traceback" not in shown
    assert read_checkpoint(tmp_path / "a.ckpt")["epoch"] < 6
    assert finished(out, "-q", "--resume", str(tmp_path / "a.ckpt")) == 0
    assert out.read_bytes() == undisturbed


def test_last_best_and_metrics(digits, tmp_path):
    record = Record.beside(tmp_path / "a.snnc", quiet=True)
    train(*digits, replace(CONFIG, epochs=6, lr=0.3), record)
    scores = [json.loads(line)["test_accuracy"] for line in record.metrics.read_text().splitlines()]
    assert len(set(scores)) > 1
    assert read_checkpoint(tmp_path / "a.best.ckpt")["epoch"] == 1 + scores.index(max(scores))
    assert read_checkpoint(tmp_path / "a.ckpt")["epoch"] == 6


def test_the_best_epoch_of_pruning_is_one_with_few_synapses(digits, tmp_path):
    net = train(*digits, CONFIG)
    record = Record.beside(tmp_path / "a.snnc", quiet=True)
    config = PruneConfig(connectivity=0.05, epochs=5, lr=0.02, batch_size=32)
    prune(net, digits[0], config, digits[1], record)
    lines = [json.loads(line) for line in record.metrics.read_text().splitlines()]
    least = min(line["parameter_connectivity"] for line in lines)
    best = max((line for line in lines if line["parameter_connectivity"] == least), key=lambda line: line["test_accuracy"])
    assert least < lines[0]["parameter_connectivity"]
    assert read_checkpoint(tmp_path / "a.best.ckpt")["epoch"] == best["epoch"]


def test_a_checkpoint_of_another_training_is_refused(digits, tmp_path):
    path, (images, test) = tmp_path / "a.ckpt", digits
    net = train(images, test, CONFIG, Record(path, quiet=True))
    for other, says in (
        (replace(CONFIG, lr=0.1), "other settings: lr"),
        (replace(CONFIG, hidden=(17,)), "other settings: hidden"),
        (PruneConfig(connectivity=0.5), "other settings: "),
    ):
        go_on = prune if isinstance(other, PruneConfig) else train
        first = (net, images) if go_on is prune else (images, test)
        with pytest.raises(ConfigError, match=says):
            go_on(*first, other, resume=path)
    with pytest.raises(ConfigError, match="another data"):
        train(images.first(299), test, CONFIG, resume=path)
    config = PruneConfig(connectivity=0.5, epochs=1)
    prune(net, images, config, record=Record(path, quiet=True))
    with pytest.raises(ConfigError, match="another network"):
        prune(train(images, test, replace(CONFIG, seed=1)), images, config, resume=path)


def test_a_refused_checkpoint_changes_no_file(digits, tmp_path, capsys):
    path = tmp_path / "a.ckpt"
    train(*digits, CONFIG, Record(path, quiet=True))
    before = path.read_bytes()
    with pytest.raises(SystemExit) as end:
        main([*WORDS, "--resume", str(path), "-o", str(tmp_path / "a.snnc")])
    assert end.value.code == 2
    assert "other settings" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]
    assert path.read_bytes() == before


def test_without_tensorboard_the_line_that_installs_it_is_shown(digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    record = Record(tmp_path / "a.ckpt", quiet=True, tensorboard=tmp_path / "log")
    with pytest.raises(MissingDependencyError, match=r"\.\[tensorboard\]"):
        train(*digits, CONFIG, record)
    assert not list(tmp_path.iterdir())


def test_every_number_of_an_epoch_reaches_tensorboard(digits, tmp_path, monkeypatch):
    """With a stand-in for torch's writer, so that the test needs no TensorBoard."""
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            written.append("closed")

        def add_scalar(self, key, value, step):
            written.append((key, step))

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    train(*digits, replace(CONFIG, epochs=2), Record(quiet=True, tensorboard=tmp_path))
    assert written[0] == (str(tmp_path), 1)
    assert written[-1] == "closed"
    assert set(written[1:-1]) == {(k, e) for k in ("loss", "train_accuracy", "test_accuracy", "seconds") for e in (1, 2)}


def test_a_terminal_sees_the_time_that_is_left(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress(4, quiet=False, epochs=2) as shown:
        shown.step()
        shown.epoch({"epoch": 1, "loss": 0.25, "train_accuracy": 0.5, "test_accuracy": 0.75, "parameter_connectivity": 0.05})
    out = capsys.readouterr().err
    assert "epoch 2 of 2, accuracy 75.00 %, connectivity 5.00 %" in out
    assert "25%" in out
    assert "-:--:--" in out or "0:00" in out


def test_a_checkpoint_that_is_there_is_named_to_go_on_from(tmp_path):
    (tmp_path / "a.ckpt").touch()
    done = CliRunner().invoke(main, ["train", "--data", "digits", "-o", str(tmp_path / "a.snnc")])
    says = f"{tmp_path / 'a.ckpt'}: exists already; go on with --resume {tmp_path / 'a.ckpt'}, pick another --out, or add --force"
    assert (done.exit_code, says in done.stderr) == (2, True)
    with pytest.raises(FileError, match=r"go on with resume='\S+/a.ckpt', pick another keep=, or add force=True"):
        snnc.train("digits", keep=tmp_path / "a.snnc")


def test_a_checkpoint_that_another_training_wrote_meanwhile_is_kept(digits, tmp_path, monkeypatch):
    path, done = tmp_path / "a.ckpt", []

    def another(self, line):
        if not done:
            done.append(line)
            train(*digits, replace(CONFIG, seed=1), Record(path, quiet=True))

    monkeypatch.setattr(Progress, "epoch", another)
    with pytest.raises(FileError, match=r"a\.ckpt: was written by another training meanwhile; give each its own --out"):
        train(*digits, CONFIG, Record(path, quiet=True))
    assert (read_checkpoint(path)["of"]["settings"]["seed"], len(done)) == (1, 1)

"""Sweeps: a table from a grid, each row in a file of its own, going on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from conftest import ROOT

from snnc.base.cluster import dask
from snnc.errors import ConfigError, FileError, MissingDependencyError, UsageError
from snnc.training import methods
from snnc.training.sweep import grid as sweep
from snnc.training.sweep import table as sweep_table

pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")

GRID = """
name = "small"
data = "digits"
samples = 200
methods = ["none", "grad_r", "weak"]
connectivities = [0.1, 0.5]
seeds = [0, 1]
[train]
hidden = [16]
steps = 4
epochs = 1
batch_size = 20
[prune]
epochs = 2
batch_size = 20
[variant.weak]
method = "deep_r"
temperature = 1e-6
"""
LABELS = ["none-1-0", "none-1-1"] + [f"{m}-{c}-{s}" for m in ("grad_r", "weak") for c in ("0.1", "0.5") for s in (0, 1)]


@pytest.mark.parametrize("first", [name for name in methods.names() if name != "none"])
def test_whether_a_row_is_possible_does_not_depend_on_the_methods_before_it(first, tmp_path):
    """Some methods prune when they begin; what is checked stays whole."""
    path = tmp_path / "grid.toml"
    named = GRID[: GRID.index("[variant.weak]")].replace('["none", "grad_r", "weak"]', f'["{first}", "stds", "none"]')
    path.write_text(named.replace('"stds", ', "") if first == "stds" else named)
    sweep.must_be_possible(sweep.read_grid(path), None)


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


def snnc(*words, code=0):
    from snnc.cli import main

    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout


def results(out):
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json")) if path.name != "sweep.json"]
    return {f"{r['variant']}-{r['connectivity']:g}-{r['seed']}": r for r in found}


def test_a_grid_is_read(grid):
    found = sweep.read_grid(grid)
    assert [row.label for row in found.rows] == LABELS
    weak = next(row for row in found.rows if row.variant == "weak")
    assert (weak.prune.method, weak.prune.temperature, weak.prune.epochs, weak.prune.seed) == ("deep_r", 1e-6, 2, 0)
    assert [row.label for row in found.chosen(["grad_r-0.5"]).rows] == ["grad_r-0.5-0", "grad_r-0.5-1"]
    assert [row.label for row in found.chosen(["weak-0.1-1", "none"]).rows] == ["none-1-0", "none-1-1", "weak-0.1-1"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('methods = ["none", "grad_r", "weak"]', 'methods = ["none", "gradr", "weak"]', "no pruning method 'gradr'.*grad_r"),
        ('methods = ["none", "grad_r", "weak"]', 'methods = ["none", "none", "weak"]', "'none' is there twice"),
        ('methods = ["none", "grad_r", "weak"]', 'methods = ["none"]', "variant.weak. is not among the methods"),
        ("connectivities = [0.1, 0.5]", "connectivities = [0.1, 0.0]", "grad_r at 0.0: a connectivity of 0 cannot be"),
        ("connectivities = [0.1, 0.5]", "connectivities = [0.1, 1.5]", "a connectivity of 1.5 cannot be"),
        ("seeds =", "seed =", "unknown key 'seed'"),
        ("seeds = [0, 1]", "seeds = []", "seeds is empty"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "row 'none-1-0' is there 2 times"),  # it would count as two seeds
        ("connectivities = [0.1, 0.5]", "connectivities = [0.5, 0.50000001]", "row 'grad_r-0.5-0' is there 2 times"),
        ("[prune]", "[prun]", "unknown key 'prun'"),
        ("temperature = 1e-6", "temprature = 1e-6", "temprature"),
        ("[train]", "[train]\nneurons = 3", "unknown key 'neurons'"),
    ],
)
def test_a_wrong_grid_is_explained(grid, old, new, says):
    grid.write_text(GRID.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        sweep.read_grid(grid)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("connectivities = [0.1, 0.5]", "connectivities = [0.5, 0.0001]", "fewer than the 2 layers"),
        ('method = "deep_r"', 'method = "magnitude"', "magnitude has no temperature"),
        ("[variant.weak]", '[variant.weak]\nlayer = ["fc7=0.1"]', "no layer 'fc7'"),
    ],
)
def test_what_no_row_can_be_is_refused_before_training(grid, tmp_path, old, new, says):
    grid.write_text(GRID.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        sweep.must_be_possible(sweep.read_grid(grid), None)
    snnc("sweep", grid, "-o", tmp_path / "out", "-q", code=2)
    assert not (tmp_path / "out").exists()


def test_a_table_from_a_grid(grid, tmp_path):
    out = tmp_path / "out"
    body = json.loads(snnc("sweep", grid, "-o", out, "--json", "-q"))
    assert body["schema"] == "snnc.sweep/1"
    assert [(line["variant"], line["connectivity"], line["seeds"]) for line in body["lines"]] == [
        ("none", 1.0, 2), ("grad_r", 0.1, 2), ("grad_r", 0.5, 2), ("weak", 0.1, 2), ("weak", 0.5, 2),
    ]  # fmt: skip
    found = results(out)
    assert sorted(found) == sorted(LABELS)
    for line in body["lines"]:
        rows = [r for r in found.values() if (r["variant"], r["connectivity"]) == (line["variant"], line["connectivity"])]
        assert line["accuracy"] == pytest.approx(sum(r["test_accuracy"] for r in rows) / 2)
        assert line["parameter_connectivity"] == pytest.approx(line["connectivity"], abs=1e-3)
        assert line["synapse_connectivity"] == pytest.approx(line["connectivity"], abs=1e-3)
        assert abs(line["accuracy_max"] - line["accuracy_min"]) == pytest.approx(line["accuracy_sd"] * 2**0.5)
    row = found["grad_r-0.1-0"]
    assert row["settings"]["prune"]["connectivity"] == 0.1
    assert row["settings"]["train"]["hidden"] == [16]
    assert row["command"] == f"snnc sweep {grid} -o {out} --row grad_r-0.1-0"
    assert row["versions"].keys() >= {"snnc", "torch", "python"}
    assert [line["epoch"] for line in row["epochs"]] == [1, 2]
    assert sum(line["regrown_cumulated"] for line in row["epochs"]) > 0
    assert {path.suffix for path in out.iterdir()} == {".json", ".md", ".snnc"}, "nothing half done is left"
    text = (out / "table.md").read_text()
    assert "| grad_r | 10 % |" in text
    assert text.count("\n| ") == 2 + 5 + 2 + 3, "lines of the list, and of the matrix of methods and connectivities"
    assert "| method | 100 % | 50 % | 10 % |" in text


def test_rows_are_made_once_and_one_is_repeated_by_one_command(grid, tmp_path):
    out = tmp_path / "out"
    snnc("sweep", grid, "-o", out, "-q", "--row", "grad_r-0.1-0")
    first = results(out)
    assert list(first) == ["grad_r-0.1-0"]
    times = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.suffix == ".snnc" or "grad_r" in path.name}
    snnc("sweep", grid, "-o", out, "-q", "--row", "grad_r-0.1-0")
    assert times == {path: path.stat().st_mtime_ns for path in times}
    snnc("sweep", grid, "-o", out, "-q", "--row", "grad_r-0.1-0", "--force")
    again = results(out)
    assert (out / "grad_r-0.1-0.json").stat().st_mtime_ns != times[out / "grad_r-0.1-0.json"]
    assert again["grad_r-0.1-0"]["network_hash"] == first["grad_r-0.1-0"]["network_hash"]
    assert "no row 'grad_r-0.3'" in snnc_error("sweep", grid, "-o", out, "--row", "grad_r-0.3")


MODULE = """
from torch import nn
from snntorch import Leaky, surrogate

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(64, 12), nn.BatchNorm1d(12), nn.Linear(12, 10)
        self.lif1, self.lif2 = (Leaky(beta=0.5, spike_grad=surrogate.atan()) for _ in range(2))

    def forward(self, images):
        v1, v2, fired = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for _ in range(3):
            spikes, v1 = self.lif1(self.norm(self.fc1(images.flatten(1) * 4)), v1)
            spikes, v2 = self.lif2(self.fc2(spikes), v2)
            fired.append(spikes)
        return __import__("torch").stack(fired, 1)
"""
OF_MODULE = (
    GRID.replace("hidden = [16]\nsteps = 4\n", "")
    .replace("samples = 200\n", "")
    .replace('name = "small"', 'name = "small"\nmodule = "{}:Net"')
)


def test_a_sweep_of_a_module_prunes_what_it_has_trained_with_its_batch_norm(tmp_path):
    """Its rows are those of `snnc prune FILE.py:FACTORY`."""
    grid, module, out = tmp_path / "grid.toml", tmp_path / "net.py", tmp_path / "out"
    module.write_text(MODULE)
    grid.write_text(OF_MODULE.format(module))
    snnc("sweep", grid, "-o", out, "-q", "--row", "none-1-0", "--row", "grad_r-0.1-0")
    found = results(out)
    (trained,) = out.glob("trained-0-*.safetensors")
    own = [f"{module}:Net", "--data", "digits", "--seed", 0, "--batch-size", 20, "-q"]
    snnc("prune", *own, "--weights", trained, "--connectivity", 0.1, "--epochs", 2, "-o", tmp_path / "row.safetensors")
    row, alone = found["grad_r-0.1-0"], json.loads((tmp_path / "row.json").read_text())
    assert row["parameter_connectivity"] == round(0.1 * 888) / 888
    assert {k: alone["reached"][k] for k in ("loss", "test_accuracy")} == {
        k: row["epochs"][-1][k] for k in ("loss", "test_accuracy")
    }
    assert row["test_accuracy_before"] == found["none-1-0"]["test_accuracy_before"] > 0.05
    assert len({r["network_hash"] for r in found.values()} - {None}) == 2
    module.write_text(MODULE + "\n")
    assert "was made with other settings" in snnc_error("sweep", grid, "-o", out, "--row", "none-1-0")
    grid.write_text(grid.read_text().replace("[train]", '[train]\nmethod = "set"'))
    assert "method in the training that precedes all rows" in snnc_error("sweep", grid, "-o", out)
    grid.write_text(OF_MODULE.format(module).replace(":Net", ""))
    assert "says no factory" in snnc_error("sweep", grid, "-o", out)


def snnc_error(*words):
    from snnc.cli import main

    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 2
    return done.stderr


def test_results_of_other_settings_are_not_mixed_in(grid, tmp_path):
    out = tmp_path / "out"
    snnc("sweep", grid, "-o", out, "-q", "--row", "none-1-0")
    grid.write_text(GRID.replace("[prune]\nepochs = 2", "[prune]\nepochs = 3"))
    assert "was made with other settings" in snnc_error("sweep", grid, "-o", out, "--row", "none-1-0")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "precious").touch()
    with pytest.raises(FileError, match="is no sweep"), sweep.opened(sweep.read_grid(grid), foreign):
        pass
    with pytest.raises(FileError, match="is no folder"), sweep.opened(sweep.read_grid(grid), foreign / "precious"):
        pass


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "snnc.sweep-run/1"}', "[" * 100_000])
def test_what_is_no_result_is_told(content, grid, tmp_path):
    found = sweep.read_grid(grid)
    (tmp_path / f"{found.rows[0].label}.json").write_text(content)
    with pytest.raises(FileError, match="is no result of a sweep; delete it"):
        sweep.read_result(found, found.rows[0], tmp_path)


def test_an_empty_folder_is_taken(grid, tmp_path):
    with sweep.opened(sweep.read_grid(grid), tmp_path / "new"):
        pass
    (tmp_path / "empty").mkdir()
    with sweep.opened(sweep.read_grid(grid), tmp_path / "empty"):
        assert [path.name for path in (tmp_path / "empty").iterdir()] == ["sweep.json"]


def test_a_killed_sweep_goes_on_where_it_was(grid, tmp_path):
    """kill -9 after the first results: these stay as they are, and the table is that of an undisturbed sweep."""
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    words = [sys.executable, "-c", "from snnc.cli import main; main()", "sweep", str(grid), "-q", "-o"]
    running = subprocess.Popen(
        [*words, str(killed)], cwd=ROOT, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 120
    while len(list(killed.glob("*-*-*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "was done before it was killed"
    before = {path: path.stat().st_mtime_ns for path in killed.glob("*-*-*.json")}
    assert 2 <= len(before) < len(LABELS)
    snnc("sweep", grid, "-o", killed, "-q")
    assert before == {path: path.stat().st_mtime_ns for path in before}
    snnc("sweep", grid, "-o", straight, "-q")
    hashes = [{k: r["network_hash"] for k, r in results(out).items()} for out in (killed, straight)]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == len(LABELS)


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_terminated_sweep_waits_for_no_row_and_a_second_one_keeps_out(grid, tmp_path):
    """Rows of an hour, in two processes: SIGTERM ends all of it; before, the folder is taken."""
    grid.write_text(GRID.replace("[prune]\nepochs = 2", "[prune]\nepochs = 100000"))
    out = tmp_path / "out"
    words = [sys.executable, "-c", "from snnc.cli import main; main()", "sweep", str(grid), "-q", "--jobs", "2", "-o", str(out)]
    running = subprocess.Popen(words, cwd=ROOT, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while not list(out.glob("*.metrics.jsonl")) and running.poll() is None:
            time.sleep(0.05)
        with pytest.raises(FileError, match="is in use by another sweep"), sweep.opened(sweep.read_grid(grid), out):
            pass
        running.terminate()
        assert running.wait(60) == 128 + signal.SIGTERM
        deadline = time.monotonic() + 30
        while is_alive(running.pid) and time.monotonic() < deadline:  # multiprocessing's resource tracker is the last to go
            time.sleep(0.05)
        assert not is_alive(running.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


def test_processes_give_the_same_as_one(grid, tmp_path):
    for jobs in (1, 2):
        snnc("sweep", grid, "-o", tmp_path / str(jobs), "-q", "--jobs", jobs, "--row", "grad_r-0.1")
    one, two = ({k: r["network_hash"] for k, r in results(tmp_path / str(jobs)).items()} for jobs in (1, 2))
    assert one == two


@pytest.mark.skipif(not find_spec("distributed"), reason="dask.distributed is not installed: pip install '.[cluster]'")
@pytest.mark.filterwarnings("default")
def test_dasks_local_cluster_gives_the_same(grid, tmp_path):
    snnc("sweep", grid, "-o", tmp_path / "dask", "-q", "--engine", "dask", "--jobs", 2, "--row", "grad_r-0.1")
    snnc("sweep", grid, "-o", tmp_path / "local", "-q", "--row", "grad_r-0.1")
    dask, local = ({k: r["network_hash"] for k, r in results(tmp_path / engine).items()} for engine in ("dask", "local"))
    assert dask == local
    assert len(dask) == 2


def test_without_dask_the_line_that_installs_it_is_given(monkeypatch, grid, tmp_path):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[cluster\]'"), dask(2):
        pass
    snnc("sweep", grid, "-o", tmp_path / "out", "--engine", "dask", code=5)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not find_spec("distributed"), reason="dask.distributed is not installed: pip install '.[cluster]'")
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_does_not_answer_is_named():
    import dask as library

    told = r"tcp://127.0.0.1:1: no scheduler answers; start one"
    quickly = library.config.set({"distributed.comm.timeouts.connect": "100ms"})
    with quickly, pytest.raises(UsageError, match=told), dask(1, "tcp://127.0.0.1:1"):
        pass


def test_mean_and_spread_by_hand():
    def result(variant, method, seed, accuracy):
        return {
            "variant": variant, "method": method, "connectivity": 0.5, "seed": seed, "test_accuracy": accuracy,
            "parameter_connectivity": 0.5, "synapse_connectivity": 0.4, "seconds": 2.0,
        }  # fmt: skip

    lines = sweep_table.summarise(
        [result("none", "none", 0, 0.9), result("none", "none", 1, 0.8), result("a", "stds", 0, 0.7), result("a", "stds", 1, 0.8)]
    )
    assert [line["accuracy"] for line in lines] == pytest.approx([0.85, 0.75])
    assert [line["accuracy_sd"] for line in lines] == pytest.approx([0.005**0.5, 0.005**0.5])
    assert [line["against_dense"] for line in lines] == pytest.approx([0, -0.1])
    assert sweep_table.cells(lines)[1] == ("a", "50 %", "50.000 %", "40.000 %", "75.00 %", "± 7.07", "-10.00", "2")
    other = {**lines[1], "connectivity": 0.1, "accuracy": 0.5, "accuracy_sd": None}
    assert sweep_table.matrix([*lines, other]) == [
        ("method", "50 %", "10 %"), ("none", "85.00 ± 7.07", ""), ("a", "75.00 ± 7.07", "50.00"),
    ]  # fmt: skip


LATER = {"set", "rigl", "lamp", "lottery", "ch3_l3", "neuron_pruning"}  # than the grid


def test_the_papers_experiment_is_a_grid():
    grid = sweep.read_grid(ROOT / "examples" / "mnist_gradr.toml")
    assert len(grid.rows) == 5 * (1 + 5 * 6)
    assert {row.prune.method for row in grid.rows} == {*methods.names()} - LATER
    assert grid.train.epochs + grid.rows[0].prune.epochs <= 60
    assert (grid.train.hidden, grid.train.steps, grid.train.encoding, grid.train.loss) == ((800,), 8, "constant", "rate")


def test_the_figure_of_a_sweep(grid, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install '.[report]'")
    out = tmp_path / "out"
    snnc("sweep", grid, "-o", out, "-q")
    script = ROOT / "benchmarks" / "plot_sweep.py"
    subprocess.run([sys.executable, str(script), str(out), "-o", str(tmp_path / "figure.png")], check=True)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")

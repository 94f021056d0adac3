"""Check, quantise, map and verify by processes and by a Dask cluster: the bytes of one process, whatever dies."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace

import pytest
from cases import ruled
from cases.networks import fixed_chain
from cases.work import Watched
from conftest import snnc as run

import snnc
import snnc.chips as chips
from snnc import store
from snnc.base import cluster, processes, units
from snnc.base.kept import Kept
from snnc.base.units import Here, done_by
from snnc.mapping import streaming
from snnc.mapping.lower_bounds import lower_bounds
from snnc.pipeline import verify
from snnc.pipeline.chip import map_with
from snnc.pipeline.distributed import count_rows

pytest.importorskip("numba", reason="numba is not installed: pip install '.[engine]'")
PARTS = {"_counted", "_fan_out", "_of_rows", "_packed", "_of_cores"}  # what is done of the stages below: functions of their units


@pytest.fixture
def small_units(monkeypatch):
    """Small networks make many units, and are counted as large ones are."""
    monkeypatch.setattr(units, "SYNAPSES", 5000)
    monkeypatch.setattr(streaming, "STREAMED", 1000)


def small_cores():
    """A system with cores of few neurons, so that a small network takes many."""
    chip = chips.load("kapoho_point")
    return replace(chip, cores=8 * 16, limits={**chip.limits, "neurons_per_core": 40})


@contextmanager
def dask_cluster(jobs=2):
    """Processes of a Dask cluster, and what kills one of them."""
    library = pytest.importorskip("dask", reason="dask.distributed is not installed: pip install '.[cluster]'")
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install '.[cluster]'")
    started = {"n_workers": jobs, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        library.config.set(cluster.SETTINGS),
        distributed.LocalCluster(**started) as made,
        distributed.Client(made) as client,
        cluster.dask(jobs, made.scheduler_address) as workers,
    ):
        yield workers, lambda: os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def made(net):
    """Everything that the stages write of a float network of rules, as text."""
    count_rows(net)
    fixed = snnc.quantise(net, "loihi2")
    budget = snnc.check(fixed, small_cores()).to_json()
    mappings = map_with(fixed, small_cores(), strategy="greedy")
    best = mappings.made[0]
    told = best.packet_hops, best.census.packets, best.busiest_operations, asdict(lower_bounds(mappings.task))
    return json.dumps([fixed.hash, budget, best.mapping.to_json(), told])


@pytest.fixture(scope="module")
def network():
    return lambda: ruled.network(n=300)


def test_units_kept_in_a_folder_change_no_byte(network, small_units, tmp_path):
    alone = made(network())
    assert json.loads(alone)[1]["chip"]["used"] > 3
    first, again = Watched(Here()), Watched(Here())
    for watched in (first, again):
        with done_by(Kept(watched, tmp_path / "work")):
            assert made(network()) == alone
    assert set(first.names) >= PARTS
    assert again.done == [], "finished units were done again"


@pytest.mark.slow
def test_workers_of_the_api_do_the_units_of_what_is_called_within(network, small_units, tmp_path, monkeypatch):
    alone, handed_out = made(network()), []
    in_processes = processes._Processes.results
    monkeypatch.setattr(
        processes._Processes,
        "results",
        lambda self, work, *rest: (handed_out.append(work.name), in_processes(self, work, *rest))[1],
    )
    with snnc.workers("local", jobs=2, work=tmp_path / "work"):
        assert made(network()) == alone
    assert len(handed_out) > 3
    assert any((tmp_path / "work").iterdir())
    handed_out.clear()
    assert made(network()) == alone
    assert not handed_out, "units are handed out after the end"


def test_workers_that_would_do_nothing_are_refused():
    with pytest.raises(snnc.UsageError, match="scheduler=: only Dask has schedulers") as refused:
        snnc.workers("local", scheduler="tcp://localhost:8786")
    assert "--" not in str(refused.value)
    with pytest.raises(snnc.UsageError, match="jobs=: nothing is split"):
        snnc.workers(None, jobs=2)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_killed_worker_changes_no_byte(network, small_units):
    alone = made(network())
    with dask_cluster() as (workers, kill):
        watched = Watched(workers, kill, "_packed")
        with done_by(watched):
            assert made(network()) == alone
        assert watched.left <= 0, "nothing was killed"
        assert set(watched.names) >= PARTS


def verdict(capsys, *words):
    """The exit code and what `snnc verify` prints as JSON."""
    code = run("verify", *words, "--json", "-q")
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_samples_of_verify_by_processes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(verify, "MANY", 7)
    net = fixed_chain(2, (30, 12, 5), bias=40)
    store.save(net, tmp_path / "net.snnc")
    words = [tmp_path / "net.snnc", "--against", "reference", "--random", "0.3", "--samples", "20", "--steps", "12"]
    alone = verdict(capsys, *words)
    assert alone[0] == 0
    assert verdict(capsys, *words, "--executor", "local", "--jobs", 2, "--resume", tmp_path / "kept.json") == alone
    assert len(json.loads((tmp_path / "kept.json").read_text())["pieces"]) == 3
    assert verdict(capsys, *words, "--resume", tmp_path / "kept.json") == alone


@pytest.mark.parametrize("verb", ["check", "map", "quantise"])
def test_a_verb_prints_the_same_from_finished_units(verb, network, small_units, tmp_path, capsys):
    net = network() if verb == "quantise" else snnc.quantise(network(), "loihi2")
    store.save(net, tmp_path / "net.snnc")
    out = [] if verb == "check" else ["-o", tmp_path / "out", "--force"]
    out += ["--strategy", "greedy"] if verb == "map" else []
    hw = "loihi2" if verb == "quantise" else "kapoho_point"
    words = [verb, tmp_path / "net.snnc", "--hw", hw, "--json", *out]
    results = []
    for more in ([], ["--work", tmp_path / "work"], ["--work", tmp_path / "work"]):
        assert run(*words, *more) == 0
        results.append((without_seconds(capsys.readouterr().out), (tmp_path / "out").read_bytes() if out else None))
    assert results[0] == results[1] == results[2]
    assert len(list((tmp_path / "work").glob("*.npz"))) > 5


def without_seconds(text):
    """JSON without times."""
    body = json.loads(text)
    for strategy in body.get("strategies", []):
        del strategy["seconds"]
    return body


def test_a_full_disk_leaves_what_was_there(network, small_units, tmp_path):
    store.save(network(), tmp_path / "net.snnc")
    (tmp_path / "fixed.snnc").write_bytes(b"earlier")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); from snnc.base import units; units.SYNAPSES = 5000;"
        "from snnc.cli import main; main(sys.argv[1:])"
    )
    words = ["quantise", tmp_path / "net.snnc", "--hw", "loihi2", "-o", tmp_path / "fixed.snnc", "--force", "-q"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words), "--work", str(tmp_path / "work")],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "cannot write: File too large" in done.stderr
    assert (tmp_path / "fixed.snnc").read_bytes() == b"earlier"

"""A Dask cluster of separate processes: its workers die, its scheduler is lost, nobody comes."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cases.work import Watched, squares, squaring

from snnc.base import cluster
from snnc.errors import RunError

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install '.[cluster]'")
pytestmark = pytest.mark.filterwarnings("default")
SCHEDULER = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1"]


def env():
    """Return an environment in which programs find the work of these tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def scheduler():
    """A scheduler in a process of its own, without workers, and its address."""
    with subprocess.Popen(SCHEDULER, stderr=subprocess.PIPE, text=True, env=env()) as process:
        for line in process.stderr:
            if at := re.search(r"Scheduler at: +(tcp://\S+)", line):
                yield process, at[1]
                break
        process.kill()


def test_a_killed_worker_changes_nothing(tmp_path):
    with cluster.dask(2) as workers:
        assert squares(workers.results(squaring(tmp_path, 3, 1), range(6))) == [0, 1, 4, 9, 16, 25]
    assert not any((tmp_path / "lives").iterdir()), "nothing was killed"


@pytest.mark.slow
def test_a_unit_that_kills_its_workers_is_given_up(tmp_path):
    told = r"unit 2 of 3 \(squares\) was given up: 4 workers died while they worked on it; give the workers more memory"
    with pytest.raises(RunError, match=told), cluster.dask(2) as workers:
        squares(workers.results(squaring(tmp_path, 1, 9), range(3)))


def test_without_workers_nobody_waits_for_ever(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.1)
    monkeypatch.setattr(cluster, "POLL_S", 0.1)
    with (
        pytest.raises(
            RunError, match=r"has had no workers for .* unit 1 of 3 \(squares\) waits for one; start some: dask worker"
        ),
        cluster.dask(1, scheduler[1]) as workers,
    ):
        squares(workers.results(squaring(tmp_path), range(3)))


def test_a_connection_that_is_lost_while_a_result_comes_is_the_schedulers(scheduler, tmp_path, monkeypatch):
    """The client takes itself for connected for a moment after the scheduler is gone."""
    client_was = []

    def result(future, timeout=None):
        client_was.append(future.client.status)
        raise distributed.comm.CommClosedError("connection reset by peer")

    monkeypatch.setattr(distributed.Future, "result", result)
    with pytest.raises(RunError, match=r"the scheduler was lost after 0 of 3 units"), cluster.dask(1, scheduler[1]) as workers:
        squares(workers.results(squaring(tmp_path), range(3)))
    assert client_was == ["running"]


def test_a_scheduler_that_is_lost_is_told_at_once(scheduler, tmp_path):
    process, address = scheduler
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", "--nthreads", "1"],
        stderr=subprocess.DEVNULL, env=env(),
    )  # fmt: skip
    told = r"the scheduler was lost after \d+ of 50 units \(squares\); start it and its workers, and run the same command again"
    started = []

    def lose():
        started.append(time.monotonic())
        process.send_signal(signal.SIGKILL)

    try:
        with pytest.raises(RunError, match=told) as lost, cluster.dask(1, address) as workers:
            squares(Watched(workers, lose, "squared").results(squaring(tmp_path), range(50)))
        assert str(lost.value).startswith(address)
        assert time.monotonic() - started[0] < 20
    finally:
        worker.kill()
        worker.wait()

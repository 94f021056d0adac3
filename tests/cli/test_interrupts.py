"""Signals at the command line: none is lost, and none is waited for."""

import os
import signal
import subprocess
import sys
import time

import pytest

from snnc import cli
from snnc.base.cluster import dask


class Swallows:
    """Gets a signal while it is finalised, where Python ignores exceptions."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


def waits_while(_):
    """Until the signal comes: what was given is finalised before."""
    del _
    time.sleep(20)
    pytest.fail("nothing came")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, cli._Ended)])
def test_a_signal_that_a_finaliser_swallows_comes_again(number, error):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    try:
        with pytest.raises(error), cli._ended_by_signals():
            waits_while(Swallows(number))
    finally:
        signal.signal(signal.SIGINT, before)
    assert sys.unraisablehook is not None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_native_code_makes_of_an_interrupt_is_one(tmp_path):
    code = f"""
import pathlib, time
from snnc import cli
def verb():
    pathlib.Path({str(tmp_path / "started")!r}).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    raise ValueError("invalid matrix")
cli._Verbs.invoke = lambda self, ctx: verb()
cli.start()
"""
    assert interrupted(["-c", code, "targets"], tmp_path / "started", {}) == (130, "", "error: interrupted")


def interrupted(words, started, env):
    """Exit code, output and errors of a program that gets an interrupt once a file is there."""
    program = subprocess.Popen(
        [sys.executable, *words], env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    give_up = time.monotonic() + 60
    while not started.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    return program.returncode, out, err.strip()


def test_while_torch_is_loaded_nothing_is_raised_in_it(tmp_path):
    """Its C++ aborts the process with an exception that nothing there expects."""
    (tmp_path / "torch.py").write_text(
        f"""
import pathlib, time
try:
    pathlib.Path({str(tmp_path / "started")!r}).touch()
    time.sleep(60)
except BaseException as error:
    print("raised")
    raise
"""
    )
    env = {"PYTHONPATH": str(tmp_path)}
    words = ["-m", "snnc", "train", "-o", str(tmp_path / "a.snnc")]
    assert interrupted(words, tmp_path / "started", env) == (130, "", "error: interrupted")


def test_an_interrupted_program_does_not_wait_for_its_threads(tmp_path):
    code = f"""
import pathlib, threading, time
from snnc import cli
def verb():
    threading.Thread(target=time.sleep, args=(600,)).start()
    pathlib.Path({str(tmp_path / "started")!r}).touch()
    print("kept")
    time.sleep(600)
cli._Verbs.invoke = lambda self, ctx: verb()
cli.start()
"""
    assert interrupted(["-c", code, "targets"], tmp_path / "started", {}) == (130, "kept\n", "error: interrupted")


@pytest.mark.parametrize(("error", "closed"), [(KeyboardInterrupt, []), (ValueError, ["client", "cluster"])])
def test_a_cluster_is_closed_unless_that_would_be_waited_for(monkeypatch, error, closed):
    seen = []

    class Fake:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append(self.name)

    distributed = pytest.importorskip("dask.distributed", reason="dask.distributed is not installed: pip install '.[cluster]'")
    monkeypatch.setattr(distributed, "LocalCluster", lambda **_: Fake("cluster"))
    monkeypatch.setattr(distributed, "Client", lambda _: Fake("client"))
    with pytest.raises(error), dask(1):
        raise error
    assert seen == closed

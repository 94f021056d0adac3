"""Programs of artifacts that fail, never end, say too much or leave something else."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases.exported import export, proof, saved
from cases.networks import fixed_chain

from snnc.cli import main
from snnc.errors import DataError, RunError, WriteError
from snnc.simulation.reference import simulate
from snnc.targets import runner
from snnc.verification.prove import from_noise


@pytest.fixture
def artifact(tmp_path):
    """The folder of an export to Lava."""
    return export("lava", fixed_chain(), tmp_path / "a").root


def test_a_program_that_leaves_no_outputs(artifact):
    (artifact / "run.py").write_text("print('nothing to see')\n")
    with pytest.raises(RunError, match="no usable outputs"):
        proof(artifact)


def outputs_of(net):
    """What a right program leaves."""
    run = simulate(net, from_noise(net, 4, 0.5, 0)(0, 1), record=True)
    states = {f"{name}.{v}": value for name, kept in run.states.items() for v, value in kept.items()}
    return {**run.spikes, **states, "_by": np.array("a program")}


def that_leaves(artifact, **arrays):
    """Replace the program of an artifact by one that leaves these outputs."""
    np.savez(artifact.parent / "outputs.npz", **arrays)
    (artifact / "run.py").write_text(f"import shutil, sys\nshutil.copy({str(artifact.parent / 'outputs.npz')!r}, sys.argv[2])\n")


def test_a_program_must_leave_every_state(artifact):
    net = fixed_chain()
    that_leaves(artifact, **outputs_of(net))
    assert proof(artifact).verdict.first is None
    assert proof(artifact).notes == ("run.py is not what was exported",)
    for missing in ("hidden1.u", "output.v"):
        that_leaves(artifact, **{name: array for name, array in outputs_of(net).items() if name != missing})
        with pytest.raises(RunError, match=f"no usable outputs: .*{missing}"):
            proof(artifact)


def test_what_a_program_says_is_bounded(artifact, monkeypatch):
    """One that never stops talking is ended, and neither fills the disk nor the memory."""
    limit = 1 << 20
    monkeypatch.setattr("snnc.targets.runner.MAX_WRITTEN_BYTES", limit)
    (artifact / "run.py").write_text("import os\nwhile True:\n    print('y' * 1000, flush=True)\n")
    with pytest.raises(RunError, match=r"exit code (1|120); it says: (OSError: .*File too large|y)"):
        proof(artifact)
    monkeypatch.setenv("SNNC_LAVA_PYTHON", "/usr/bin/yes")
    with pytest.raises(RunError, match=rf"wrote more than {limit} bytes; it says: \S"):
        proof(artifact)


def test_the_first_error_and_the_last_words_are_read(tmp_path):
    path = tmp_path / "messages"
    for filling in (0, 10, runner.READ_BYTES, 10 * runner.READ_BYTES):
        path.write_text(f"ValueError: the cause\n{'x' * filling}\nthe last words")
        said = runner._head_and_tail(path)
        assert said.startswith("ValueError: the cause\n")
        assert said.endswith("\nthe last words")
        assert said.count("the last words") == 1
        assert len(said) <= 2 * runner.READ_BYTES


def test_outputs_that_swell_are_refused(artifact, monkeypatch):
    outputs = outputs_of(fixed_chain())
    np.savez_compressed(artifact.parent / "small.npz", **outputs)
    (artifact / "run.py").write_text(f"import shutil, sys\nshutil.copy({str(artifact.parent / 'small.npz')!r}, sys.argv[2])\n")
    assert proof(artifact).verdict.first is None
    monkeypatch.setattr("snnc.targets.runner.MAX_WRITTEN_BYTES", (artifact.parent / "small.npz").stat().st_size)
    with pytest.raises(RunError, match=r"no usable outputs: .* bytes"):
        proof(artifact)


def npz_of(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def npy():
    content = io.BytesIO()
    np.save(content, np.arange(3))
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04garbage", b"PK\x05\x06" + bytes(18), npy(), npz_of(hidden1=np.zeros(3))[:-40], b"\x80\x04N."],
    ids=["empty", "garbage", "empty archive", "npy", "truncated", "pickle"],
)
def test_outputs_that_are_none_are_one_error(artifact, content, capsys):
    path = saved(fixed_chain(), artifact.parent)
    (artifact / "run.py").write_text(f"import sys\nopen(sys.argv[2], 'wb').write({content!r})\n")
    with pytest.raises(SystemExit) as end:
        main(["verify", str(artifact), "--against", str(path), "--random", "0.3", "--samples", "1", "--as-it-is"])
    assert end.value.code == 1
    assert "error: " + str(artifact) + ": the program left no usable outputs" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["hidden1", "hidden1.v"])
@pytest.mark.parametrize(
    "array", [np.zeros((1, 4, 7), np.int32), np.zeros((1, 4, 20), "U1"), np.zeros(()), np.zeros((1, 4, 20), "i4,i4")]
)
def test_outputs_of_another_shape_or_type_are_one_error(artifact, name, array):
    that_leaves(artifact, **{**outputs_of(fixed_chain()), name: array})
    with pytest.raises((RunError, DataError), match="population 'hidden1'"):
        proof(artifact)


def test_a_program_that_speaks_before_it_dies(artifact):
    (artifact / "run.py").write_text("import sys\nprint('first')\nsys.exit('the last words')\n")
    with pytest.raises(RunError, match="exit code 1; it says: the last words"):
        proof(artifact)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_too_and_leaves_nothing(artifact, number, code):
    path, temporary = saved(fixed_chain(), artifact.parent), artifact.parent / "tmp"
    temporary.mkdir()
    program = "import os, sys, time\nopen(sys.argv[0] + '.pid', 'w').write(f'{os.getpid()} ')\ntime.sleep(1000)\n"
    (artifact / "run.py").write_text(program)
    command = [sys.executable, "-m", "snnc", "verify", artifact, "--against", path, "--random", "0.3", "--json", "--as-it-is"]
    verb = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests may run under nohup, whose programs go on
    )
    started, give_up = artifact / "run.py.pid", time.monotonic() + 60
    while not (started.exists() and started.read_text().endswith(" ")) and time.monotonic() < give_up:
        time.sleep(0.05)
    verb.send_signal(number)
    verb.send_signal(number)
    out, err = verb.communicate(timeout=60)
    assert verb.returncode == code
    assert f"error: ended by {number.name}" in err
    assert json.loads(out)["exit_code"] == code
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


STUBBORN = """
import os, pathlib, runpy, signal, subprocess, sys, time
calls = pathlib.Path(os.environ.get("CALLS", "/nowhere"))
if calls.exists():
    with calls.open("a") as file:
        file.write("called\\n")
    if calls.read_text().count("called") == 2:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        calls.with_name("pids").write_text(f"{os.getpid()} {child.pid} ")
        time.sleep(1000)
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "exported.py"), run_name="__main__")
"""


def is_running(pid):
    """Whether a process computes; one that has ended and that nobody has taken note of does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads who still runs from /proc")
def test_ctrl_c_kills_a_program_that_does_not_listen_and_keeps_what_was_compared(tmp_path):
    net = fixed_chain()
    folder, path, calls = export("npz", net, tmp_path / "a").root, saved(net, tmp_path), tmp_path / "calls"
    (folder / "run.py").rename(folder / "exported.py")
    (folder / "run.py").write_text(STUBBORN)
    calls.touch()
    words = [
        sys.executable,
        "-m",
        "snnc",
        "verify",
        "--as-it-is",
        folder,
        "--against",
        path,
        "--random",
        "0.3",
        "--samples",
        "60",
        "--json",
        "-q",
    ]
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    verb = subprocess.Popen(
        [*words, "--resume", tmp_path / "kept"], env={**env, "CALLS": str(calls)}, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    pids, give_up = tmp_path / "pids", time.monotonic() + 60
    while not (pids.exists() and pids.read_text().endswith(" ")) and time.monotonic() < give_up:
        time.sleep(0.05)
    os.killpg(verb.pid, signal.SIGINT)
    out, _ = verb.communicate(timeout=60)
    assert verb.returncode == 130
    assert json.loads(out)["samples"] == 25
    assert not any(map(is_running, pids.read_text().split()))
    assert list((tmp_path / "tmp").iterdir()) == []
    whole, resumed = (
        subprocess.run([*words, *more], env=env, stdout=subprocess.PIPE, text=True)
        for more in ([], ["--resume", tmp_path / "kept"])
    )
    assert (whole.returncode, json.loads(whole.stdout)) == (resumed.returncode, json.loads(resumed.stdout))
    assert json.loads(whole.stdout)["samples"] == 60


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads who still runs from /proc")
def test_processes_that_have_ended_are_not_waited_for():
    """They stay in their group until who inherited them takes note."""
    sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
    first = subprocess.Popen(sleep, process_group=0)
    other = subprocess.Popen(sleep, process_group=first.pid)
    assert runner._is_running(first.pid)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    os.killpg(first.pid, 0)
    assert not runner._is_running(first.pid)
    other.wait()


@pytest.mark.parametrize("words", [["targets"], ["targets", "--json"], ["check", "none", "--hw", "loihi1", "--json"]])
def test_a_full_output_is_one_error(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "snnc", *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == (2 if "none" in words else 1)
    assert done.stderr.count("\n") == 1
    assert "none: no such file" in done.stderr if "none" in words else "No space left on device" in done.stderr


def test_a_temporary_folder_without_room_is_named(artifact, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("TMPDIR", "/a/small/disk")
    monkeypatch.setattr(runner, "packed", full)
    with pytest.raises(WriteError, match="/a/small/disk: cannot write what Lava reads: No space left on device; set TMPDIR"):
        proof(artifact)

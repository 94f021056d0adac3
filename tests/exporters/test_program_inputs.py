"""Programs of artifacts take rasters by name, or a recording of `snnc simulate`, and refuse all else in one sentence."""

import subprocess
import sys

import numpy as np
import pytest
from cases.networks import fixed_chain, spikes
from snnc.exporters.npz.program import read

from snnc import targets
from snnc.cli import main
from snnc.store import save

SIZES = {"input": 12, "more": 3}
SOUND = {"input": np.ones((2, 5, 12), np.uint8), "more": np.zeros((2, 5, 3), bool)}
WRONG = {
    "other names": ({"x": np.zeros(3), "y": np.zeros(3)}, r"has no array 'input', but 'x', 'y'$"),
    "none": ({}, "has no array 'input', but none$"),
    "floats": (
        SOUND | {"input": np.ones((2, 5, 12))},
        r"'input' is float64 \(2, 5, 12\), expected integers \(samples, steps, 12\)",
    ),
    "another size": (SOUND | {"more": np.ones((2, 5, 4), int)}, r"'more' is int64 \(2, 5, 4\), expected .*steps, 3\)"),
    "one sample": (SOUND | {"more": np.ones((5, 3), int)}, r"'more' is int64 \(5, 3\), expected"),
    "other steps": (
        SOUND | {"more": np.ones((2, 6, 3), int)},
        r"have \(2, 5\) and \(2, 6\) samples and steps, expected the same",
    ),
    "objects": (SOUND | {"more": np.array([None])}, "is damaged, or holds objects"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_arrays_are_refused_with_what_is_expected(case, tmp_path):
    arrays, says = WRONG[case]
    np.savez(tmp_path / "in.npz", **arrays)
    with pytest.raises(SystemExit, match=rf"^error: {tmp_path}/in\.npz.*{says}"):
        read(str(tmp_path / "in.npz"), SIZES)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "in.npz", **SOUND)
    whole = (tmp_path / "in.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    np.save(tmp_path / "one.npy", SOUND["input"])
    for name in ("half.npz", "one.npy", "missing.npz"):
        with pytest.raises(SystemExit, match=r"is missing, or no \.npz file"):
            read(str(tmp_path / name), SIZES)
    (tmp_path / "damaged.npz").write_bytes(whole.replace(b"NUMPY", b"NUMPI"))
    with pytest.raises(SystemExit, match="is damaged, or holds objects"):
        read(str(tmp_path / "damaged.npz"), SIZES)


def test_names_of_a_recording_are_taken_and_nothing_else_of_it(tmp_path):
    np.savez(tmp_path / "in.npz", **{f"spikes/{name}": array for name, array in SOUND.items()}, other=np.array([None]))
    found = read(str(tmp_path / "in.npz"), SIZES)
    assert list(found) == list(SIZES)
    assert all(np.array_equal(found[name], SOUND[name]) for name in SIZES)


def test_numbers_that_onnx_would_cast_are_refused(tmp_path):
    program, sent = targets.export("onnx", fixed_chain(), None, tmp_path / "a").root / "run.py", spikes(fixed_chain())
    np.savez(tmp_path / "in.npz", input=sent["input"] * np.int64(257))
    done = subprocess.run([sys.executable, program, tmp_path / "in.npz", tmp_path / "out.npz"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: input input has 0 .. 257, its messages are uint8\n")


@pytest.mark.parametrize("target", ["npz", "onnx", pytest.param("lava", marks=pytest.mark.lava)])
def test_a_program_runs_on_what_simulate_wrote_and_refuses_other_files(target, tmp_path):
    net = fixed_chain()
    save(net, tmp_path / "net.snnc")
    np.savez(tmp_path / "in.npz", **spikes(net))
    words = ["simulate", str(tmp_path / "net.snnc"), "--inputs", str(tmp_path / "in.npz"), "--out", str(tmp_path / "seen.npz")]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    program = targets.export(target, net, None, tmp_path / "a").root / "run.py"

    def run(given):
        words = [sys.executable, program, tmp_path / given, tmp_path / "out.npz"]
        return subprocess.run(words, capture_output=True, text=True)

    done = run("seen.npz")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "seen.npz") as seen, np.load(tmp_path / "out.npz") as out:
        for p in net.populations:
            assert np.array_equal(out[p.name], seen[f"spikes/{p.name}"])
            assert out[p.name].any()
    refused = run("net.snnc")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"error: {tmp_path / 'net.snnc'} ")

"""What a chain keeps of its runs for the report: the first samples, the one that diverged, and how often neurons fire."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import fixed_chain, spikes

from snnc.errors import FileError
from snnc.pipeline.recording import SAMPLES, Recorder, read_recording
from snnc.simulation.reference import simulate
from snnc.simulation.run import classes
from snnc.verification.compare import compare

NET = fixed_chain()
INPUTS = spikes(NET, samples=SAMPLES + 12)
RUN = simulate(NET, INPUTS, record=True)
LABELS = np.arange(100) % 10


def other(sample, step, neuron):
    """The run with one spike more or less."""
    raster = RUN.spikes["hidden1"].copy()
    raster[sample, step, neuron] ^= 1
    return replace(RUN, by="other", spikes={**RUN.spikes, "hidden1": raster})


def part(run, start, stop):
    states = {name: {v: trace[start:stop] for v, trace in found.items()} for name, found in run.states.items()}
    return replace(run, spikes={name: raster[start:stop] for name, raster in run.spikes.items()}, states=states)


@pytest.fixture
def kept(tmp_path):
    """A comparison in two parts that diverges in the second, after the samples that are kept anyway; and its file."""
    recorder, candidate = Recorder(NET, LABELS), other(SAMPLES + 7, 3, 5)
    for first, last in ((0, SAMPLES + 2), (SAMPLES + 2, SAMPLES + 12)):
        pair = part(RUN, first, last), part(candidate, first, last)
        recorder.keep("target_against_fixed", first, *pair, compare(*pair))
        recorder.count(pair[0])
    recorder.write(tmp_path / "recorded.npz")
    return tmp_path / "recorded.npz"


def test_the_first_samples_and_the_diverging_one_are_kept(kept):
    pair = read_recording(kept, NET).pairs["target_against_fixed"]
    assert pair.samples.tolist() == [*range(SAMPLES), SAMPLES + 7]
    assert pair.labels.tolist() == LABELS[pair.samples].tolist()
    for name, raster in RUN.spikes.items():
        np.testing.assert_array_equal(pair.spikes[0][name], raster[pair.samples])
    assert np.argwhere(pair.spikes[0]["hidden1"] != pair.spikes[1]["hidden1"]).tolist() == [[SAMPLES, 3, 5]]
    np.testing.assert_array_equal(pair.classes[0], classes(RUN, NET.output)[pair.samples])


def test_rates_are_means_over_all_samples(kept):
    rates = read_recording(kept, NET).rates
    assert rates["hidden1"].sum() > 0
    for name, raster in RUN.spikes.items():
        np.testing.assert_allclose(rates[name], raster.sum(axis=1).mean(axis=0))


def test_equal_runs_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        recorder = Recorder(NET, LABELS)
        recorder.keep("pair", 0, RUN, RUN)
        recorder.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("runs/pair/1/hidden1", np.zeros((2, 3, 4), np.uint8), "runs/pair/1/hidden1 is uint8 of shape (2, 3, 4)"),
        ("rates/hidden1", np.full(20, np.nan), "rates of hidden1 are no rates"),
        ("labels/pair", np.zeros(SAMPLES), "labels/pair is float64"),
        ("samples/other", np.zeros(2, int), "There is no item named"),
        ("runs/pair/0/input", np.array([object()]), "holds object, no numbers"),
    ],
)
def test_a_damaged_recording_gets_one_sentence(key, value, told, tmp_path):
    recorder, path = Recorder(NET, LABELS), tmp_path / "recorded.npz"
    recorder.keep("pair", 0, RUN, RUN)
    recorder.count(RUN)
    recorder.write(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, key: value})
    with pytest.raises(FileError, match="is no recording of this network") as error:
        read_recording(path, NET)
    assert told in str(error.value)


def test_what_unpacks_to_too_much_is_not_read(tmp_path):
    path = tmp_path / "recorded.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (65 << 20,)})
        packed.writestr("samples/pair.npy", head.getvalue() + bytes(65 << 20))
    with pytest.raises(FileError, match=r"samples/pair has 68,157,440 bytes, at most 67,108,864 more are read"):
        read_recording(path, NET)
    path.write_bytes(b"no zip")
    with pytest.raises(FileError, match="is no recording"):
        read_recording(path, NET)

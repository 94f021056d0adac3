"""CIFAR-10 in both layouts: what is read, what is refused, and that a hostile pickle is only data."""

import pickle
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from snnc import data
from snnc.data import plain_pickle
from snnc.data.sets import cifar10
from snnc.errors import DataError

NAMES = [name for names in cifar10.FILES.values() for name in names]


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """Twenty records a file, so that tests are quick."""
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(cifar10, "RECORDS", 20)


def batch(name, records=20):
    """Labels (two and two of each class) and random pixels."""
    rng = np.random.default_rng(NAMES.index(name))
    return rng.permutation(records) % 10, rng.integers(0, 256, (records, 3072), dtype=np.uint8)


def binary(name, records=20):
    labels, pixels = batch(name, records)
    return np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1).tobytes()


def string(text):
    return b"U" + bytes([len(text)]) + text


def python2(name):
    """A batch as Python 2's cPickle wrote the original ones (protocol 2), byte for byte but for the memo's numbers."""
    labels, pixels = batch(name)
    count = b"K" + bytes([len(labels)])
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            string(b"batch_label") + b"q\x02" + string(b"testing batch 1 of 1") + b"q\x03",
            string(b"labels") + b"q\x04]q\x05(" + b"".join(b"K" + bytes([n]) for n in labels) + b"e",
            string(b"data") + b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09",
            b"(K\x01" + count + b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<i", pixels.size) + pixels.tobytes() + b"tb",
            string(b"filenames") + b"q\x0c](" + b"".join(string(b"cat_%d.png" % i) for i in range(20)) + b"eu.",
        ]
    )


def write(folder, content, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}{suffix}").write_bytes(content(name))
    return folder


def python3(protocol):
    """A batch that was saved again by Python 3."""
    return lambda name: pickle.dumps({"labels": batch(name)[0].tolist(), "data": batch(name)[1]}, protocol)


@pytest.mark.parametrize("named", [".", "cifar-10-batches-X", "cifar10", "cifar10/cifar-10-batches-X"])
@pytest.mark.parametrize(("layout", "suffix"), [("bin", ".bin"), ("py", "")])
def test_both_layouts_hold_the_same_wherever_they_lie(layout, suffix, named, tmp_path):
    write(tmp_path / named.replace("X", layout), binary if layout == "bin" else python2, suffix)
    train, test = (data.load("cifar10", split, tmp_path) for split in ("train", "test"))
    assert (train.images.shape, test.images.shape, train.shape) == ((100, 3072), (20, 3072), (3, 32, 32))
    assert (train.images == np.concatenate([batch(name)[1] for name in NAMES[:5]])).all()
    assert (train.labels == np.concatenate([batch(name)[0] for name in NAMES[:5]])).all()
    assert (test.labels == batch("test_batch")[0]).all()
    assert (test.images == batch("test_batch")[1]).all()
    assert train.classes == 10


def test_the_original_layout_is_a_pickle_that_the_pickle_module_reads_alike():
    """Holds our imitation of Python 2's file against Python's own reader."""
    raw = python2("test_batch")
    if tuple(map(int, np.__version__.split(".")[:2])) >= (2, 0):
        raw = raw.replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
    theirs, ours = pickle.loads(raw, encoding="bytes"), plain_pickle.read(raw, "")
    assert theirs.keys() == ours.keys() == {b"batch_label", b"labels", b"data", b"filenames"}
    assert all(theirs[key] == ours[key] for key in (b"batch_label", b"labels", b"filenames"))
    assert (theirs[b"data"] == np.frombuffer(ours[b"data"].content, np.uint8).reshape(ours[b"data"].shape)).all()


@pytest.mark.parametrize("protocol", [3, 4])
def test_batches_saved_again_by_python_3(protocol, tmp_path):
    write(tmp_path, python3(protocol))
    test = data.load("cifar10", "test", tmp_path)
    assert (test.images == batch("test_batch")[1]).all()


def test_a_whole_file_has_ten_thousand_records(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", 10_000)
    (tmp_path / "test_batch.bin").write_bytes(binary("test_batch", 10_000))
    test = data.load("cifar10", "test", tmp_path)
    assert test.images.shape == (10_000, 3072)
    assert not test.images.flags.writeable


class Attack:
    """What a hostile pickle asks for when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


ran = []


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("attack", [Attack(ran.append, 1), Attack(eval, "ran.append(1)"), Attack(Path.touch, Path("owned"))])
def test_a_pickle_that_would_run_code_is_refused(attack, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules["builtins"].__dict__, "ran", ran)
    raw = pickle.dumps({b"labels": [1] * 20, b"data": attack}, protocol)
    (tmp_path / "test_batch").write_bytes(raw)
    with pytest.raises(DataError, match=r"holds what no such data set holds|is no pickle") as error:
        data.load("cifar10", "test", tmp_path)
    assert "get the original file" in error.value.fix
    assert not ran
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"cposix\nsystem\n(U\x09touch hitR.", "posix.system, which would be imported"),
        (b"cnumpy\nload\n(U\x01xtR.", "numpy.load, which would be imported"),
        (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x86R.", "a call of numpy.core.multiarray._reconstruct"),
        (b"cnumpy\ndtype\nU\x01O\x85R.", "a call of numpy.dtype with"),
        (b"}K\x01K\x02s.", "a key of type int"),
        (b"}]U\x01as.", "a key of type list"),
        (b"](K\x01K\x02tb.", "a state for list"),
        (b"\x80\x02P1\n.", "the operation PERSID"),
        (b"(ios\nsystem\n.", "the operation INST"),
        (b"]" * 300_000, "more than 200000 operations"),
        (b"e.", "is no pickle"),
        (b"\x85.", "is no pickle"),
        (b"h\x07.", "is no pickle"),
        (b"(.", "is no pickle"),
        (b"T\xff\xff\xff\x7fabc", "is no pickle"),
        (b"r\xff\xff\xff\xffN.", "is no pickle"),
        (b"", "is no pickle"),
        (b"\x89PNG\r\n", "the operation PERSID"),
        (b"K\x01.", "is no dict with data of (20, 3072) bytes"),
        (b"}.", "and 20 labels from 0 to 9"),
    ],
)
def test_what_is_no_batch_is_refused_with_a_reason(raw, says, tmp_path):
    (tmp_path / "test_batch").write_bytes(raw)
    with pytest.raises(DataError) as error:
        data.load("cifar10", "test", tmp_path)
    assert says in str(error.value)
    assert str(tmp_path / "test_batch") in str(error.value)


def test_damaged_pickles_never_do_anything_but_fail_or_load(tmp_path):
    """Bytes flipped at random, most of them outside the pixels: no other exception, and no array of another size."""
    raw, rng = python2("test_batch"), random.Random(0)
    start = raw.index(b"cnumpy")
    for _ in range(400):
        damaged = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.choice([rng.randrange(start + 150), rng.randrange(len(raw) - 400, len(raw))])] = rng.randrange(256)
        (tmp_path / "test_batch").write_bytes(damaged)
        try:
            assert data.load("cifar10", "test", tmp_path).images.shape == (20, 3072)
        except DataError:
            continue


@pytest.mark.parametrize(
    ("labels", "pixels", "says"),
    [
        ([1] * 19 + [10], 20, "labels from 0 to 9"),
        ([1] * 19 + [-1], 20, "labels from 0 to 9"),
        ([True] * 20, 20, "labels from 0 to 9"),
        ([1] * 20, 21, "(20, 3072) bytes"),
        ([1] * 20, 20, "has 0, 20, 0, 0, 0, 0, 0, 0, 0, 0 images of the classes, expected 2 of each"),
    ],
)
def test_pickled_batches_of_another_content(labels, pixels, says, tmp_path):
    content = {"labels": labels, "data": np.zeros((pixels, 3072), np.uint8)}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content, 4))
    with pytest.raises(DataError) as error:
        data.load("cifar10", "test", tmp_path)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw[:-1], "has 61459 bytes, expected 61460"),
        (lambda raw: raw + b"x", "has more than 61460 bytes"),
        (lambda raw: b"\x0a" + raw[1:], "has 1 labels above 9, the first in record 0"),
    ],
)
def test_damaged_records(change, says, tmp_path):
    (tmp_path / "test_batch.bin").write_bytes(change(binary("test_batch")))
    with pytest.raises(DataError) as error:
        data.load("cifar10", "test", tmp_path)
    assert says in str(error.value)


def test_missing_files_are_listed_with_the_folder(tmp_path):
    with pytest.raises(DataError, match="none was given"):
        data.load("cifar10", "train")
    with pytest.raises(DataError) as error:
        data.load("cifar10", "train", tmp_path)
    assert error.value.what == "has no data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin"
    assert "cifar-10-batches-py" in error.value.fix
    home = write(tmp_path / "cifar-10-batches-py", python2)
    (home / "data_batch_3").unlink()
    with pytest.raises(DataError, match="has no data_batch_3") as error:
        data.load("cifar10", "train", tmp_path)
    assert error.value.where == str(home)


def test_a_batch_that_stands_in_for_another_is_noticed(tmp_path):
    write(tmp_path, lambda name: bytes([1, *bytes(3072)] * 20) if name == "data_batch_2" else binary(name), ".bin")
    with pytest.raises(DataError, match="expected 10 of each"):
        data.load("cifar10", "train", tmp_path)

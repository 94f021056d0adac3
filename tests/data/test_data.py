"""Data sets: what they hold, and what is said of files that are missing, damaged or hostile."""

import gzip
import struct
import tracemalloc
from io import BytesIO
from urllib.error import URLError

import numpy as np
import pytest

from snnc import data
from snnc.errors import DataError, UsageError

IMAGES = "t10k-images-idx3-ubyte"
HEADER = struct.pack(">4I", 0x803, 10_000, 28, 28)


@pytest.fixture(autouse=True)
def no_folder_in_the_environment(monkeypatch):
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)


def test_digits():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
    train, test = data.load("digits"), data.load("digits", "test")
    assert (train.images.shape, test.images.shape) == ((1437, 64), (360, 64))
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert set(train.labels) == set(test.labels) == set(range(10))
    assert train.classes == 10
    assert train.sha256 == data.load("digits").sha256 != test.sha256
    assert not train.images.flags.writeable
    assert len(train.first(7)) == 7


def test_every_fifth_digit_is_a_test_sample():
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed: pip install '.[train]'")
    pixels, labels = sklearn.load_digits(return_X_y=True)
    test = data.load("digits", "test")
    assert (test.labels == labels[::5]).all()
    assert (test.images == (pixels[::5].astype(int) * 255 + 8) // 16).all()


def test_mnist(mnist):
    train, test = data.load("mnist", "train", mnist), data.load("mnist", "test", mnist)
    assert (train.images.shape, test.images.shape) == ((60_000, 784), (10_000, 784))
    assert list(train.labels[:5]) == [5, 0, 4, 1, 9]
    assert list(test.labels[:5]) == [7, 2, 1, 0, 4]
    assert train.shape == (28, 28)


def test_mnist_from_the_environment_and_unpacked(mnist, tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    for name in (IMAGES, "t10k-labels-idx1-ubyte"):
        (tmp_path / "mnist" / name).write_bytes(gzip.decompress((mnist / f"{name}.gz").read_bytes()))
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path))
    assert data.load("mnist", "test").sha256 == data.load("mnist", "test", mnist).sha256


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "starts with nothing, expected 00000803"),
        (b"\x89PNG" + b"0" * 100, "starts with 89504e47"),
        (HEADER[:9], "ends within its header, after 9 bytes"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"0" * 50, "announces an array of (4294967295,"),
        (HEADER + b"0" * 100, "has 116 bytes, expected 7840016"),
        (HEADER + bytes(7_840_001), "has more than 7840016 bytes, expected 7840016"),
        (HEADER + bytes(7_840_000), "has MD5"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_damaged_file_is_named_with_a_remedy(content, says, packed, tmp_path):
    path = tmp_path / (f"{IMAGES}.gz" if packed else IMAGES)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    with pytest.raises(DataError) as error:
        data.load("mnist", "test", tmp_path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "get the original" in error.value.fix


@pytest.mark.parametrize("cut", [0.5, 0.01])
def test_a_truncated_gzip_file(cut, tmp_path):
    packed = gzip.compress(HEADER + np.random.default_rng(0).bytes(7_840_000), 1)
    (tmp_path / f"{IMAGES}.gz").write_bytes(packed[: int(cut * len(packed))])
    with pytest.raises(DataError, match="is no whole gzip file"):
        data.load("mnist", "test", tmp_path)


def test_a_file_that_is_no_gzip(tmp_path):
    (tmp_path / f"{IMAGES}.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="is no whole gzip file"):
        data.load("mnist", "test", tmp_path)


def test_a_file_that_swells_does_not_fill_the_memory(tmp_path):
    with gzip.open(tmp_path / f"{IMAGES}.gz", "wb", 1) as file:
        for _ in range(40):
            file.write(bytes(5_000_000))
    tracemalloc.start()
    with pytest.raises(DataError):
        data.load("mnist", "test", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_missing_files_are_listed(tmp_path):
    for folder in (None, tmp_path / "no", tmp_path):
        with pytest.raises(DataError) as error:
            data.load("mnist", "train", folder)
        assert "train-images-idx3-ubyte" in error.value.fix
        assert "folder=" in error.value.fix
        assert "--data-dir" in error.value.as_options[2]


@pytest.mark.parametrize(
    ("name", "split", "says"),
    [("mnits", "train", "did you mean 'mnist'"), ("digits", "all", "split='all' is no 'train' or 'test'")],
)
def test_unknown_names(name, split, says):
    with pytest.raises((DataError, UsageError), match=says):
        data.load(name, split)


def served(monkeypatch, answer):
    """Let the mirror answer with ``answer(file name)``."""
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: BytesIO(answer(url.rpartition("/")[2])))


def test_a_download_is_checked_before_it_is_written(monkeypatch, tmp_path):
    served(monkeypatch, lambda name: gzip.compress(HEADER))
    with pytest.raises(DataError, match="expected"):
        data.download("mnist", tmp_path)
    served(monkeypatch, lambda name: b"<html>")
    with pytest.raises(DataError, match="no gzip file"):
        data.download("mnist", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_download_without_network(monkeypatch, tmp_path):
    def unreachable(url, timeout):
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(DataError, match="no route to host"):
        data.download("mnist", tmp_path)


def test_a_download_that_succeeds(mnist, monkeypatch, tmp_path):
    served(monkeypatch, lambda name: (mnist / name).read_bytes())
    data.download("mnist", tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    assert data.load("mnist", "test", tmp_path).sha256 == data.load("mnist", "test", mnist).sha256

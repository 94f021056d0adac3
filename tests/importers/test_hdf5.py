"""HDF5 files of strangers: what they may hold; all else is refused in one sentence, in bounded time and memory."""

import os
import resource
import time

import numpy as np
import pytest

from snnc.base import hdf5
from snnc.errors import FileError, MissingDependencyError

h5py = pytest.importorskip("h5py", reason="reading HDF5 needs h5py: pip install '.[exchange]'")
hdf5_child = pytest.importorskip("snnc.base.hdf5_child", reason="needs h5py")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5"


def written(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def sound(file):
    file["a/weights"] = np.arange(6, dtype=">f4").reshape(2, 3)
    file["a/name"] = "LIF"
    file["a/fixed"] = np.array([b"dense"], "S10")
    file.create_dataset("a/edges", data=[("x.1", "y"), ("y", "ü")])
    file.create_dataset("a/packed", data=np.ones(1000), compression="gzip")
    file.create_dataset("a/nothing", data=h5py.Empty("f"))
    file.create_group("empty")


def test_plain_content_is_read(path):
    found = hdf5.read(written(path, sound))
    inside = found.group("a")
    assert np.array_equal(inside.integers("weights"), [[0, 1, 2], [3, 4, 5]])
    assert inside.text("name") == "LIF"
    assert inside.text("fixed") == "dense"
    assert inside.texts("edges") == [["x.1", "y"], ["y", "ü"]]
    assert inside.numbers("packed").sum() == 1000
    assert "nothing" not in inside
    assert list(found.group("empty")) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.group("b"), "'a/b' is missing"),
        (lambda g: g.group("name"), "'a/name' is no group"),
        (lambda g: g.text("weights"), "'a/weights' is no text"),
        (lambda g: g.numbers("name"), "'a/name' holds no numbers"),
        (lambda g: g.texts("name"), "'a/name' is no table of texts"),
        (lambda g: g.integers("half"), r"'a/half' holds 0\.5, expected integers"),
        (lambda g: g.integers("huge"), r"'a/huge' holds 1e\+30, expected integers"),
        (lambda g: g.numbers("nan"), "'a/nan' holds 1 numbers that are NaN or infinite"),
    ],
)
def test_an_entry_of_another_kind_is_named(call, message):
    tree = {
        "name": "LIF",
        "weights": np.ones(3),
        "half": np.array([1, 0.5]),
        "huge": np.array(1e30),
        "nan": np.array([np.nan, 1]),
    }
    with pytest.raises(FileError, match=rf"^x\.h5: {message}; write the file again$"):
        call(hdf5.Group(tree, "x.h5", "a"))


def deep(file):
    group = file
    for _ in range(60):
        group = group.create_group("g")


def loop(file):
    file.create_group("a")["b"] = file


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (3,))
    file.create_virtual_dataset("v", layout)


def filtered(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(32123, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((4,)), plan)


HOSTILE = {
    "soft link": (lambda f: f.update(x=h5py.SoftLink("/etc")), "'x' is a link, perhaps out of the file"),
    "external link": (lambda f: f.update(x=h5py.ExternalLink("/etc/passwd", "/")), "'x' is a link, perhaps out of the file"),
    "virtual": (virtual, "'v' keeps its values in another file"),
    "external storage": (
        lambda f: f.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
        "'x' keeps its values in another file",
    ),
    "references": (lambda f: f.create_dataset("x", data=[f.ref], dtype=h5py.ref_dtype), "'x' holds object objects"),
    "ragged": (lambda f: f.create_dataset("x", (3,), h5py.vlen_dtype("i4")), "'x' holds object objects"),
    "compound": (lambda f: f.create_dataset("x", (3,), "i4,f4"), "'x' holds .* objects, expected numbers or text"),
    "complex": (lambda f: f.create_dataset("x", (3,), "c8"), "'x' holds complex64 objects"),
    "long double": (lambda f: f.create_dataset("x", (3,), "f16"), "'x' holds .*128 objects"),
    "opaque": (lambda f: f.create_dataset("x", (3,), "V8"), "'x' holds .* objects"),
    "type": (lambda f: f.update(x=np.dtype("f8")), "'x' is neither a group nor a data set"),
    "deep": (deep, "nests groups more than 40 deep"),
    "loop": (loop, "is in the file under two names"),
    "huge": (lambda f: f.create_dataset("x", (1 << 40,), "f8", chunks=(1024,)), "'x' declares 8,796,093,022,208 bytes"),
    "hollow": (
        lambda f: f.create_dataset("x", (1 << 24,), "f8", chunks=(1024,)),
        r"'x' declares 134,217,728 bytes \(shape \(16777216,\)\), of which 0 are in the file",
    ),
    "huge chunk": (
        lambda f: f.create_dataset("x", (1,), "f8", chunks=(1 << 28,), maxshape=(None,)),
        "'x' declares 2,147,483,648 bytes",
    ),
    "texts": (lambda f: f.create_dataset("x", (1 << 30,), "S1", chunks=(1024,)), "'x' declares 1,073,741,824 texts"),
    "filter": (filtered, "'x' is compressed with filter 32123"),
    "no UTF-8": (lambda f: f.create_dataset("x", data=np.array([b"\xff\xfe"])), "is damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_is_refused_in_one_sentence(case, path):
    fill, message = HOSTILE[case]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with pytest.raises(FileError, match=message) as error:
        hdf5.read(written(path, fill))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_too_many_objects_are_refused(path, monkeypatch):
    monkeypatch.setattr(hdf5_child, "MAX_OBJECTS", 5)
    with h5py.File(written(path, sound)) as file, pytest.raises(SystemExit, match="holds more than 5 objects"):
        hdf5_child.read_group(file, "", 0, hdf5_child.Content())


@pytest.mark.parametrize("name", ["nothing.h5", "folder", "text.h5", "empty.h5", "picture.h5"])
def test_a_file_of_another_kind_is_refused(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.h5").write_text("LIF\n")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "picture.h5").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(FileError, match=r"no such file|no regular file|no HDF5 file"):
        hdf5.read(tmp_path / name)


@pytest.mark.parametrize("part", [0.01, 0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_refused(part, path):
    raw = written(path, sound).read_bytes()
    path.write_bytes(raw[: max(8, int(len(raw) * part))])
    with pytest.raises(FileError, match="is damaged"):
        hdf5.read(path)


def test_a_damaged_file_is_read_or_refused(path):
    raw = written(path, sound).read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(10):
        bad = np.frombuffer(raw, np.uint8).copy()
        at = rng.integers(8, len(raw), 30)
        bad[at] = rng.integers(0, 256, len(at), np.uint8)
        path.write_bytes(bad.tobytes())
        try:
            hdf5.read(path)
        except FileError:
            refused += 1
    assert refused > 3


def test_reading_takes_bounded_time(path):
    with pytest.raises(FileError, match=r"was not read within 0\.01 s"):
        hdf5.read(written(path, sound), timeout_s=0.01)


def test_a_death_without_a_word_is_explained(path, monkeypatch):
    monkeypatch.setattr(hdf5, "_call", lambda *_: (-11, b"", "Segmentation fault\n"))
    with pytest.raises(FileError, match="is damaged: the HDF5 library could not read it"):
        hdf5.read(written(path, sound))


def test_modules_beside_the_file_are_not_imported(path, monkeypatch):
    (path.parent / "h5py.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(path.parent)
    assert "a" in hdf5.read(written(path, sound))


def test_without_h5py_the_remedy_is_named(path, monkeypatch):
    written(path, sound)
    monkeypatch.setattr(hdf5, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[exchange\]'"):
        hdf5.read(path)


if os.geteuid() != 0:  # root may read everything

    def test_a_file_that_may_not_be_read_is_named(path):
        written(path, sound).chmod(0)
        with pytest.raises(FileError, match="cannot be read"):
            hdf5.read(path)

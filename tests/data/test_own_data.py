"""Data of one's own: every reader returns the samples that were written, and what is none ends in one sentence."""

import io
import json
import zipfile

import numpy as np
import pytest
from cases import own_data
from click.testing import CliRunner

import snnc
from snnc.cli import main
from snnc.errors import SnncError
from snnc.network.events import Events

h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py: pip install '.[exchange]'")

READERS = {"npz": own_data.npz, "hdf5": own_data.h5, "factory": own_data.factory}
TABLES = {"rasters": own_data.dense, "events": own_data.events}


def both(source, seed=0):
    return [snnc.data(source, split, split_seed=seed) for split in ("train", "test")]


def as_events(arrays, numbers):
    e = arrays
    every = Events.of((2, 3, 5), e["offsets"], e["t"], e["x"], e["y"], e["p"])
    return every[numbers]


def same(data, arrays, numbers):
    assert (data.labels == arrays["labels"][numbers]).all()
    if data.kind == "events":
        wanted = as_events(arrays, numbers)
        for name in ("offsets", "t", "place"):
            assert (getattr(data.samples, name) == getattr(wanted, name)).all()
    else:
        assert (data.samples == arrays["rasters"][numbers]).all()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", TABLES)
def test_a_reader_returns_what_was_written(reader, kind, tmp_path):
    arrays = TABLES[kind]()
    train, test = both(READERS[reader](tmp_path, arrays))
    assert (len(train), len(test)) == (16, 4)
    assert (np.bincount(test.labels) == 2).all()
    everything = [json.dumps(d.sha256) for d in (train, test)]
    assert everything == [json.dumps(d.sha256) for d in both(READERS[reader](tmp_path, arrays))]
    marked = arrays | {"split": np.arange(own_data.SAMPLES) % 5 == 0}
    source = READERS[reader](tmp_path, marked)
    same(snnc.data(source, "test"), arrays, np.arange(0, 20, 5))
    same(snnc.data(source, "train"), arrays, np.flatnonzero(np.arange(20) % 5))
    with pytest.raises(snnc.UsageError, match="says its own split; leave out split_seed="):
        snnc.data(source, split_seed=1)


def test_splits_by_name_and_by_file(tmp_path):
    arrays, other = own_data.dense(), own_data.dense(1)
    named = {f"train_{k}": v for k, v in arrays.items()} | {f"test/{k}": v for k, v in other.items()}
    source = own_data.h5(tmp_path, named)
    same(snnc.data(source, "train"), arrays, slice(None))
    same(snnc.data(source, "test"), other, slice(None))
    (tmp_path / "files").mkdir()
    np.savez(tmp_path / "files" / "train.npz", **arrays)
    np.savez(tmp_path / "files" / "test.npz", **other)
    same(snnc.data(tmp_path / "files", "train"), arrays, slice(None))
    same(snnc.data(tmp_path / "files", "test"), other, slice(None))


@pytest.mark.parametrize("kind", ["raster.npy", "events.npy", "events.npz"])
def test_a_folder_for_each_class(kind, tmp_path):
    arrays = own_data.dense() if kind == "raster.npy" else own_data.events()
    source = own_data.classes(tmp_path, arrays, kind)
    train, test = both(source)
    assert train.names == ("class0", "class1")
    assert (len(train), len(test)) == (16, 4)
    in_order = np.argsort(arrays["labels"], kind="stable")
    for label in (0, 1):
        home = tmp_path / "split" / "test" / f"class{label}"
        home.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / f"class{label}").rename(home)
        (tmp_path / "split" / "train").mkdir(exist_ok=True)
    own_data.classes(tmp_path, arrays, kind)
    (tmp_path / "own").rename(tmp_path / "split" / "train2")
    (tmp_path / "split" / "train").rmdir()
    (tmp_path / "split" / "train2").rename(tmp_path / "split" / "train")
    data = snnc.data(tmp_path / "split", "test")
    if data.kind == "rasters":
        assert (data.samples == arrays["rasters"][in_order]).all()
    else:
        wanted = as_events(arrays, in_order)
        assert (data.samples.t == wanted.t).all()
        assert len(data.samples.place) == len(wanted.place)


def test_sounds_become_events_of_their_bands(tmp_path):
    for i in range(4):
        own_data.sound(tmp_path / "own" / "low" / f"{i}.wav", 200 + i)
        own_data.sound(tmp_path / "own" / "high" / f"{i}.wav", 2000 + i)
    train, test = both(tmp_path / "own")
    assert train.names == ("high", "low")
    assert train.shape == test.shape == (2, 1, 40)
    bands = [np.bincount(train.of(train.labels == label).samples.place % 40, minlength=40).argmax() for label in (0, 1)]
    assert bands[0] > bands[1] + 8
    rising = train.samples.place < 40
    assert 0.4 < rising.mean() < 0.6  # silence before and after


FACTORIES = """
import numpy as np
import snnc

EVENTS = np.zeros(9, [("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int8)])
EVENTS["t"], EVENTS["x"] = np.arange(9) * 100, np.arange(9) % 4

class Frames:
    def __len__(self):
        return 10
    def __getitem__(self, i):
        return (np.arange(12).reshape(4, 3) + i) % 2, i % 2

class Tonic(Frames):
    sensor_size = (4, 2, 2)
    def __getitem__(self, i):
        return EVENTS, i % 2

class Fails(Frames):
    def __getitem__(self, i):
        if i == 3:
            raise ValueError("the file of sample three is gone")
        return super().__getitem__(i)

class Unequal(Frames):
    def __getitem__(self, i):
        return np.ones((4 + (i == 5), 3), int), i % 2

def frames(): return {"rasters": Frames()}
def tonic(): return Tonic()
def plain(): return Frames()
def fails(): return {"rasters": Fails()}
def unequal(): return {"rasters": Unequal()}
def raises(): raise RuntimeError("no network")
def nothing(): return 3
def texts(): return {"rasters": np.array(["a", "b"]), "labels": np.arange(2)}
def own(split): return snnc.Dataset("own", split, np.eye(4, dtype=int) * (9 if split == "test" else 5), (2, 2), np.arange(4) % 2)
def wrong(): return own("test")
def objects(): return {"rasters": np.array([[{}]]), "labels": np.arange(1)}
def torch_set():
    import torch
    return {"rasters": torch.utils.data.TensorDataset(torch.ones(10, 4, 3), torch.arange(10) % 2)}
"""


@pytest.fixture
def factories(tmp_path):
    (tmp_path / "factories.py").write_text(FACTORIES)
    return f"{tmp_path / 'factories.py'}:"


def test_a_function_of_the_users_returns_data(factories):
    frames = snnc.data(factories + "frames", "test", split_seed=0)
    assert (frames.samples.shape, frames.kind) == ((2, 4, 3), "rasters")
    assert snnc.data(factories + "tonic", split_seed=0).shape == (2, 2, 4)
    assert snnc.data(factories + "own", "test").images.max() == 9
    assert snnc.data(factories + "own", "train").images.max() == 5
    pytest.importorskip("torch", reason="a Dataset of torch")
    assert snnc.data(factories + "torch_set", split_seed=0).samples.shape == (8, 4, 3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fails", "sample 3: raises ValueError: the file of sample three is gone; correct the Dataset"),
        ("unequal", r"sample 5: has shape \(5, 3\), sample 0 has \(4, 3\); pad or cut"),
        ("plain", 'sample 0: returns samples of int64, neither events nor said what they are; return {"rasters": dataset}'),
        ("raises", "raises RuntimeError: no network .factories.py:34.; correct the function"),
        ("nothing", "returns int, no data set"),
        ("wrong", r"returns the test split, asked for train; let the function take the split: def wrong\(split\)"),
        ("objects", "of objects, expected numbers"),
        ("texts", "has rasters of <U1, expected numbers"),
        ("missing", "has no function 'missing'"),
    ],
)
def test_a_function_that_returns_none_is_one_sentence(factories, name, says):
    with pytest.raises(SnncError, match=says) as error:
        snnc.data(factories + name, split_seed=0)
    assert error.value.exit_code == 2


BAD = {  # what is wrong with the arrays -> what is said
    "no labels": (lambda a: a.pop("labels"), "holds no labels; add an array called labels"),
    "labels short": (lambda a: a.update(labels=a["labels"][:-1]), r"has labels of shape \(19,\) for 20 samples"),
    "labels nan": (lambda a: a.update(labels=a["labels"] * np.nan), "has labels that are no whole numbers from 0 on"),
    "labels negative": (lambda a: a.update(labels=a["labels"] - 1), "has labels that are no whole numbers"),
    "one class": (lambda a: a.update(labels=a["labels"] * 0), "has samples of one class only"),
    "other names": (lambda a: a.update(frames=np.zeros(3)), "holds 'frames', which is no name of samples or labels; name"),
    "split of twos": (lambda a: a.update(split=np.full(20, 2)), r"has a split of 2, expected 0 \(train\) or 1"),
    "split short": (lambda a: a.update(split=np.arange(19) % 2), r"has a split of shape \(19,\), expected 0 \(train\) or 1"),
    "rasters": {
        "nan": (lambda a: a.update(rasters=a["rasters"] * np.nan), "sample 0: has rasters with nan, expected whole numbers"),
        "fraction": (lambda a: a.update(rasters=a["rasters"] + (np.arange(20) // 7 == 1)[:, None, None] / 2), "sample 7: has"),
        "negative": (lambda a: a.update(rasters=a["rasters"] - 9), "has rasters with -"),
        "flat": (lambda a: a.update(rasters=a["rasters"][:, 0]), r"has rasters of shape \(20, 5\), expected \(samples, steps"),
        "empty": (lambda a: a.update(rasters=a["rasters"][:0], labels=a["labels"][:0]), "holds rasters of 0 samples; add"),
        "other steps": (lambda a: a.update(labels=np.tile(np.arange(7), (20, 1))), "has labels of 7 steps for rasters of 6"),
        "two kinds": (lambda a: a.update(images=a["rasters"]), "2 kinds of samples, expected one"),
        "offsets": (lambda a: a.update(offsets=np.arange(3)), "holds offsets beside rasters"),
        "complex": (lambda a: a.update(rasters=a["rasters"] * 1j), "complex128"),
    },
    "events": {
        "out of order": (lambda a: a.update(t=a["t"][::-1]), r"sample \d+: has an event at \d+ us after one at \d+ us"),
        "outside": (lambda a: a.update(x=a["x"] + 1), r"sample \d+: has an event with x = 5, expected 0 \.\. 4"),
        "nan": (lambda a: a.update(t=a["t"] * np.nan), "sample 0: has an event with t = nan"),
        "polarity": (lambda a: a.update(p=a["p"] * 2), r"has an event with p = 2, expected 0 \.\. 1"),
        "no offsets": (lambda a: a.pop("offsets"), "holds t, but no offsets"),
        "mixed lengths": (lambda a: a.update(x=a["x"][1:]), r"has \d+ times and \d+ of another column"),
        "offsets beyond": (lambda a: a.update(offsets=a["offsets"] + 1), r"has offsets from 1 to \d+ for \d+ events"),
        "far away": (lambda a: (a.update(x=a["x"] + (1 << 30)), a.pop("sensor")), r"with x = \d+, expected 0 \.\. 16777215"),
        "sensor of nothing": (lambda a: a.update(sensor=np.array([2, 0, 5])), r"own\S*: has a sensor of \(2, 0, 5\)"),
        "sensor": (lambda a: a.update(sensor=np.array([5, 3])), "has a sensor that is not polarities, rows and columns"),
        "sensor nan": (lambda a: a.update(sensor=np.array([2, np.nan, 5])), "has a sensor that is not"),
        "offsets float": (lambda a: a.update(offsets=a["offsets"] * np.nan), "has offsets of float64, expected whole numbers"),
    },
}  # fmt: skip
IN_HDF5 = {"no labels", "nan", "complex", "out of order", "outside", "mixed lengths", "no offsets"}  # which takes a process each
CASES = [
    (reader, kind, name, *case)
    for reader in READERS
    for kind in TABLES
    for name, case in {**{k: v for k, v in BAD.items() if k not in TABLES}, **BAD[kind]}.items()
    if reader != "hdf5" or name in IN_HDF5
]


@pytest.mark.parametrize(("reader", "kind", "name", "spoil", "says"), CASES, ids=["-".join(case[:3]) for case in CASES])
def test_bad_data_is_one_sentence(reader, kind, name, spoil, says, tmp_path):
    if reader == "hdf5" and name == "complex":
        says = "expected numbers or text"  # compound numbers never leave the reading process
    arrays = TABLES[kind]()
    spoil(arrays)
    with pytest.raises(SnncError, match=says) as error:
        snnc.data(READERS[reader](tmp_path, arrays), split_seed=0)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert "own" in str(error.value)


def hostile_npz(folder):
    np.savez(folder / "own.npz", rasters=np.array([{}, 3], object), labels=np.arange(2))
    return folder / "own.npz"


def bomb_npz(folder):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 2, 2)})
    with zipfile.ZipFile(folder / "own.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("rasters.npy", header.getvalue() + bytes(1000))
    return folder / "own.npz"


def bomb_h5(folder):
    with h5py.File(folder / "own.h5", "w") as file:
        file.create_dataset("rasters", (1 << 36, 2, 2), "u1", chunks=(1 << 20, 2, 2), compression="gzip")
        file["labels"] = np.arange(2)
    return folder / "own.h5"


def rows_of_one_heap(folder):
    """A million rows that are all the same ten thousand numbers in the file."""
    with h5py.File(folder / "own.h5", "w") as file:
        rows = file.create_dataset("spikes/times", (1 << 20,), h5py.vlen_dtype(np.float64))
        rows[0] = np.zeros(10_000)
    raw = (folder / "own.h5").read_bytes()
    with h5py.File(folder / "own.h5") as file:
        at = file["spikes/times"].id.get_offset()
    (folder / "own.h5").write_bytes(raw[:at] + raw[at : at + 16] * (1 << 20) + raw[at + (16 << 20) :])
    return folder / "own.h5"


def link_h5(folder):
    with h5py.File(folder / "own.h5", "w") as file:
        file["rasters"] = h5py.ExternalLink("/etc/passwd", "x")
    return folder / "own.h5"


def pickled_npy(folder):
    for label in "ab":
        (folder / "own" / label).mkdir(parents=True)
        np.save(folder / "own" / label / "0.npy", np.array([{}], object))
    return folder / "own"


def one_class(folder):
    (folder / "own" / "a").mkdir(parents=True)
    np.save(folder / "own" / "a" / "0.npy", np.zeros((3, 2), int))
    return folder / "own"


def mixed_lengths(folder):
    for steps, label in enumerate("ab", 3):
        (folder / "own" / label).mkdir(parents=True)
        np.save(folder / "own" / label / "0.npy", np.zeros((steps, 2), int))
    return folder / "own"


def mixed_kinds(folder):
    mixed_lengths(folder)
    (folder / "own" / "b" / "notes.txt").write_text("x")
    return folder / "own"


def stereo(folder):
    own_data.sound(folder / "own" / "a" / "0.wav")
    own_data.sound(folder / "own" / "b" / "0.wav", channels=2)
    return folder / "own"


def no_sound(folder):
    for label in "ab":
        (folder / "own" / label).mkdir(parents=True)
        (folder / "own" / label / "0.wav").write_bytes(b"RIFFxxxxWAVE")
    return folder / "own"


def cut_sound(folder):
    for label in "ab":
        path = own_data.sound(folder / "own" / label / "0.wav")
    path.write_bytes(path.read_bytes()[:-100])
    return folder / "own"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (hostile_npz, "holds object, no numbers"),
        (bomb_npz, "says that it is uint8 of shape"),
        (bomb_h5, r"declares [0-9,]+ bytes"),
        (rows_of_one_heap, "holds more numbers than are read of a file of this size"),
        (link_h5, "is a link, perhaps out of the file"),
        (pickled_npy, "is no .npy file .it holds object, no numbers"),
        (one_class, "has 1 folders of classes, at least 2 are needed"),
        (mixed_lengths, r"has shape \(4, 2\), 0.npy has \(3, 2\); pad or cut"),
        (mixed_kinds, "holds 2 .npy, 1 .txt in its classes, expected files of one kind"),
        (stereo, "has 2 channels"),
        (no_sound, "is no WAV file"),
        (cut_sound, r"has \d+ bytes of sound, announces \d+"),
    ],
)
def test_a_hostile_file_is_one_sentence(make, says, tmp_path):
    with pytest.raises(SnncError, match=says) as error:
        snnc.data(make(tmp_path), split_seed=0)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ["digit", "nowhere.npz", "own.txt", "own.py"])
def test_what_names_no_data_is_one_sentence(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.txt").write_text("x")
    done = CliRunner().invoke(main, ["data", source])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_snnc_data_shows_what_is_there(tmp_path):
    source = own_data.npz(tmp_path, own_data.dense())
    done = CliRunner().invoke(main, ["data", source, "--split-seed", "0", "--json", "--sample", "2"])
    body = json.loads(done.stdout)
    data = snnc.data(source, split_seed=0)
    assert (body["samples"], body["kind"], body["steps"], body["classes"]) == (16, "rasters", 6, {"0": 8, "1": 8})
    assert body["messages_per_slot"] == np.count_nonzero(data.samples) / data.samples.size
    assert len(body["picture"]) == own_data.PLACES
    assert [[mark != " " for mark in line.ljust(6)] for line in body["picture"]] == (data.samples[2].T > 0).tolist()
    shown = CliRunner().invoke(main, ["data", "braille"])
    assert "540,736" in shown.stdout
    assert CliRunner().invoke(main, ["data", source, "--split-seed", "0", "--sample", "99"]).exit_code == 2


def test_every_verb_takes_a_file(tmp_path):
    """Train, prune, quantise with fine-tuning, simulate and verify on rasters of one's own, without a split of their own."""
    pytest.importorskip("torch", reason="the chain trains")
    source = ["--data", own_data.npz(tmp_path, own_data.dense()), "--split-seed", "3"]

    def done(*words):
        result = CliRunner().invoke(main, [str(word) for word in (*words, *source)])
        assert result.exit_code == 0, result.output
        return result

    net = tmp_path / "n.snnc"
    done(
        "train",
        "--encoding",
        "events",
        "-T",
        6,
        "--hidden",
        8,
        "--epochs",
        2,
        "-q",
        "-o",
        net,
        "--event-bits",
        2,
        "--threshold",
        0.1,
    )
    done("prune", net, "--connectivity", 0.5, "--epochs", 1, "-q", "-o", tmp_path / "p.snnc")
    done("quantise", tmp_path / "p.snnc", "--hw", "loihi2", "--finetune-epochs", 1, "-q", "-o", tmp_path / "f.snnc")
    assert json.loads(done("simulate", tmp_path / "f.snnc", "--json", "-q").stdout)["samples"] == 4
    done("verify", tmp_path / "f.snnc", "--against", "reference", "-q")
    assert snnc.load(tmp_path / "f.snnc").encoding.count_bits == 2
    refused = CliRunner().invoke(main, ["train", *source, "-q", "-o", str(tmp_path / "x.snnc")])
    assert refused.exit_code == 2
    assert "use --encoding events" in refused.stderr


def test_events_that_are_left_out_are_said(tmp_path):
    pytest.importorskip("torch", reason="the chain trains")
    source = own_data.npz(tmp_path, own_data.events())
    train, test = both(source)
    said = []
    settings = {"encoding": "events", "steps": 4, "dt_s": 0.001, "hidden": (4,), "epochs": 1, "test": test, "say": said.append}
    net = snnc.train(train, **settings)
    late = (train.samples.t >= 4000).mean()
    assert 0.1 < late < 0.3
    assert said == [f"{late:.1%} of the events come after step 4, at 0.004 s, and are left out"]
    snnc.prune(net, train, test=test, connectivity=0.5, epochs=1, say=said.append)
    assert said[1:] == said[:1]
    snnc.train(train, **{**settings, "steps": 5})
    assert len(said) == 2


MODULES = """
import torch, snntorch
from torch import nn

class Events(nn.Module):
    def __init__(self, time):
        super().__init__()
        self.fc, self.out, self.time = nn.Linear(30, 2, bias=False), snntorch.Leaky(beta=0.5, threshold=0.2), time
        nn.init.uniform_(self.fc.weight, -0.2, 0.6)
    def forward(self, raster):
        mem, fired = self.out.init_leaky(), []
        for step in range(raster.shape[self.time]):
            spikes, mem = self.out(self.fc(raster.select(self.time, step)), mem)
            fired.append(spikes)
        return torch.stack(fired, self.time)

def first(): return Events(0)
def second(): return Events(1)
"""


def test_an_imported_network_and_a_module_take_events(tmp_path):
    pytest.importorskip("snntorch", reason="the modules are snnTorch's: pip install '.[train]'")
    source = ["--data", own_data.npz(tmp_path, own_data.events()), "--split-seed", "3"]
    (tmp_path / "modules.py").write_text(MODULES)

    def done(*words):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result

    net = tmp_path / "n.snnc"
    told = ["--time-axis", "first", "--input-shape", "30", "--dt", "0.001", "--encoding", "events", "-T", 5, "--message-bits", 3]
    done("import", f"{tmp_path / 'modules.py'}:first", *told, "-o", net, "-q")
    encoding = snnc.load(net).encoding
    assert (encoding.kind, encoding.bin_us, encoding.count_bits, encoding.steps) == ("events", 1000, 3, 5)
    body = json.loads(done("simulate", net, *source, "--json", "-q").stdout)
    events = snnc.data(source[1], "test", split_seed=3).samples
    assert 0 < body["spikes"]["input"] <= len(events.t)
    given = ["--input", "events", "--bin-us", 1000, "-T", 5, "--connectivity", 0.5, "--epochs", 1, "-q"]
    done("prune", f"{tmp_path / 'modules.py'}:second", *source, *given, "-o", tmp_path / "w.safetensors")


def test_splits_that_do_not_go_together_are_refused_before_training():
    pytest.importorskip("torch", reason="training needs torch")
    arrays = own_data.dense()

    def split(name, steps=6, places=5, classes=2):
        rasters = np.resize(arrays["rasters"], (20, steps, places))
        return snnc.Dataset("own", name, rasters, (places,), np.arange(20) % classes)

    for wrong, says in (
        (split("test", steps=7), "has 7 steps, the encoding 6"),
        (split("test", places=4), r"has inputs of \(4,\), the training split of \(5,\)"),
        (split("test", classes=3), "has 3 classes, the training split 2"),
        (snnc.data("digits", "test"), "holds images, which encoding 'events' does not take"),
    ):
        with pytest.raises(snnc.DataError, match=says):
            snnc.train(split("train"), test=wrong, encoding="events", steps=6, hidden=(4,), epochs=1)

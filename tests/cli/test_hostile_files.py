"""Files of strangers: one sentence, the exit code that is documented, and little memory, whatever is in them."""

import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.exported import content, export, saved
from cases.networks import fixed_chain, spikes
from conftest import snnc

from snnc import neurons, store, targets
from snnc.base.npz import open_arrays, packed
from snnc.chips.profile import load as load_profile
from snnc.errors import DoesNotFitError, FileError, SnncError, of_memory
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.synapses import Synapses
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate
from snnc.verification.prove import from_noise, verify_artifact

GB = 1 << 30


def peak_and_message(*words, limit=None):
    """(exit code, peak memory in bytes, stderr) of the command line in a process of its own; ``limit``: of its address space.

    Its own peak is read from /proc: `getrusage` counts what the tests held when they forked, too.
    """
    program = (
        "import resource, sys\n"
        f"limit = {limit!r}\n"
        "if limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "from snnc.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "sys.stderr.flush()\n"
        "own = next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print('PEAK', own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )
    peak = re.search(r"PEAK (\d+) (\d+)", done.stdout)
    return done.returncode, 1024 * max(int(peak[1]), int(peak[2])) if peak else None, done.stderr


def header(dtype, shape):
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": dtype, "fortran_order": False, "shape": shape})
    return made.getvalue()


def npz(path, **entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                for part in data if isinstance(data, list) else [data]:
                    entry.write(part)


def encrypted(path):
    npz(path, **{"spikes/input": header("|u1", (1, 1, 12)) + bytes(12)})
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    path.write_bytes(data)


HOSTILE_NPZ = {
    "declares terabytes": lambda p: npz(p, **{"spikes/input": header("|u1", (1 << 40, 4, 12)) + bytes(64)}),
    "declares less than it has": lambda p: npz(p, **{"spikes/input": header("|u1", (1, 4, 12)) + bytes(640)}),
    "a deep header": lambda p: npz(p, **{"spikes/input": b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 9999 + b"\n" + bytes(99)}),
    "a header of no tokens": lambda p: npz(p, **{"spikes/input": b"\x93NUMPY\x01\x00\x10\x00" + b"'''{'descr': 12\n\n"}),
    "encrypted": encrypted,
    "objects": lambda p: npz(p, **{"spikes/input": header("|O", (1, 1, 12)) + b"cposix\nsystem\n"}),
    "negative": lambda p: npz(p, **{"spikes/input": header("|u1", (-1, 4, 12)) + bytes(64)}),
    "nothing": lambda p: p.write_bytes(b""),
    "half": lambda p: (npz(p, **{"spikes/input": header("|u1", (1, 1, 12)) + bytes(12)}), os.truncate(p, 60)),
    "a folder": lambda p: p.mkdir(),
    "a pipe": os.mkfifo,
    "a loop": lambda p: p.symlink_to(p.name),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE_NPZ)
def test_rasters_of_strangers(what, tmp_path, capsys):
    """By every verb that reads them."""
    net, file = saved(fixed_chain(1), tmp_path), tmp_path / "x.npz"
    HOSTILE_NPZ[what](file)
    for words in (
        ("map", net, "--hw", "loihi1", "--rates", file, "-o", tmp_path / "m.json"),
        ("simulate", net, "--inputs", file, "-q"),
        ("verify", net, "--against", "reference", "--inputs", file, "-q"),
    ):
        assert snnc(*words) == 2, words
        assert capsys.readouterr().err.count("\n") == 1


def test_rasters_that_unpack_to_gigabytes_take_little_memory(tmp_path):
    net, file = saved(fixed_chain(1), tmp_path), tmp_path / "x.npz"
    npz(file, **{"spikes/input": [header("<i8", (1, 12_500_000, 12)), *[bytes(1 << 24)] * 72]})
    for words in (
        ("map", net, "--hw", "loihi1", "--rates", file, "-o", tmp_path / "m.json"),
        ("simulate", net, "--inputs", file, "-q"),
        ("verify", net, "--against", "reference", "--inputs", file, "-q"),
    ):
        code, peak, message = peak_and_message(*words)
        assert (code, message.count("\n")) == (2, 1)
        assert peak < GB / 2


def test_arrays_are_read_whole_and_in_parts(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"a": rng.integers(0, 9, (5, 4)), "file": rng.random(7), "allow_pickle": np.asfortranarray(rng.random((3, 4)))}
    (tmp_path / "x.npz").write_bytes(packed(arrays))
    with open_arrays(tmp_path / "x.npz", "file", max_bytes=1 << 20, fix="") as file:
        for name, array in arrays.items():
            np.testing.assert_array_equal(file[name], array)
            np.testing.assert_array_equal(np.concatenate(list(file.chunks(name))), array)
    with (
        pytest.raises(FileError, match="at most 10 more are read"),
        open_arrays(tmp_path / "x.npz", "f", max_bytes=10, fix="") as file,
    ):
        file["a"]


def test_hdf5_that_unpacks_to_gigabytes_takes_little_memory(tmp_path):
    h5py = pytest.importorskip("h5py")
    for kind, shape in (("i1", (20_000, 40_000)), ("f8", (10_000, 10_000))):
        with h5py.File(tmp_path / "x.nir", "w") as file:
            file.create_dataset(
                "node/nodes/a/weight", shape=shape, dtype=kind, compression="gzip", chunks=(1000, 1000), fillvalue=1
            )
            file["node/nodes/a/weight"][:1000, :1000] = 1
        code, peak, message = peak_and_message("import", tmp_path / "x.nir", "--dt", "1e-4", "-o", tmp_path / "n.snnc")
        assert (code, message.count("error")) == (2, 1)
        assert peak < GB / 2


NAMES = ("file", "allow_pickle", "args", "kwds", "self", "int", "main", "lambda", "None", "i", "s", "u")


@pytest.mark.parametrize("target", ["npz", "onnx", "c", "nir", "netx", "verilog", pytest.param("lava", marks=pytest.mark.slow)])
def test_names_that_languages_know(target, tmp_path):
    """Populations and connections of such names compute what the network does."""
    pytest.importorskip({"onnx": "onnxruntime", "nir": "h5py", "netx": "h5py"}.get(target, "numpy"))
    for first, second, third in zip(NAMES[::3], NAMES[1::3], NAMES[2::3], strict=True):
        net = renamed(fixed_chain(1, (12, 20, 5)), dict(zip(("input", "hidden1", "output"), (first, second, third), strict=True)))
        artifact = export(target, net, tmp_path / first)
        assert verify_artifact(artifact, net, from_noise(net, 8, 0.5, 0), 2).exact, (first, second, third)


def renamed(net, names):
    populations = tuple(replace(p, name=names[p.name]) for p in net.populations)
    return replace(
        net,
        populations=populations,
        connections=tuple(replace(c, src=names[c.src], dst=names[c.dst], name=f"{names[c.src]}_") for c in net.connections),
    )


def test_equal_networks_give_equal_bytes(tmp_path):
    """Whatever the order in which the settings of a stage were given, nested ones too."""
    net = fixed_chain(1)
    a = replace(net, done=(Stage("train", {"a": 1, "b": {"x": [{"k": 1, "l": 2}], "y": 3}}),))
    b = replace(net, done=(Stage("train", {"b": {"y": 3, "x": [{"l": 2, "k": 1}]}, "a": 1}),))
    assert store.dumps(a) == store.dumps(b)
    for target in ("npz", "c", "lava", "onnx", "nir"):
        one, other = (content(export(target, x, tmp_path / f"{target}{i}").root) for i, x in enumerate((a, b)))
        assert one == other, target
    back = store.load(saved(b, tmp_path))
    assert content(export("npz", back, tmp_path / "back").root) == content(tmp_path / "npz0")


def outside(kernel, padding):
    """A network whose only convolution has one weight, which meets the padding in every place."""
    weights = np.zeros((1, 1, *kernel), np.int64)
    weights[0, 0, 0, 0] = 2
    op = replace(Conv2d.from_kernel(weights, (1, 1, 1), padding=padding, mask=weights != 0), sign_mode="mixed")
    neuron = fixed_chain(1).populations[1].neuron
    populations = (Population("input", (1, 1, 1), None), Population("output", (1, 1, 1), neuron))
    return Network("x", populations, (Connection("c", "input", "output", op),), 1e-3, fixed_chain().numeric)


def test_weights_that_meet_only_padding_are_shown(tmp_path, capsys):
    net = outside((3, 3), 1)
    assert net.connections[0].op.synapse_count == 0
    path = saved(net, tmp_path)
    assert snnc("inspect", path) == 0
    assert re.search(r"c +│ +1 │ +0 │ +11.11 % +│ +0.00 %", capsys.readouterr().out)
    assert snnc("check", path, "--hw", "loihi1") == 2  # the core map unrolls it to a connection without synapses
    assert "has no weight other than 0" in capsys.readouterr().err


DEEP = (f"a{'.a' * 20_000} = 1", f"[a{'.a' * 60_000}]", f'x = {{"a"{" . b" * 20_000} = 1}}', "a.1" * 30_000)


@pytest.mark.parametrize("text", DEEP, ids=["key", "table", "inline", "digits"])
def test_deep_keys_are_refused_at_once(text, tmp_path, capsys):
    path = tmp_path / "deep.toml"
    path.write_text(text)
    start = time.process_time()
    with pytest.raises(SnncError, match="dots, at most 200 are read"):
        load_profile(path)
    assert snnc("run", path, "-o", tmp_path / "o") == 2
    assert time.process_time() - start < 5
    assert capsys.readouterr().err.count("\n") == 1


def sparse(n, synapses, values):
    """A Dense operator of few synapses between many neurons."""
    rng = np.random.default_rng(0)
    rows, columns = np.sort(rng.choice(n, synapses, replace=False)), rng.integers(0, n, synapses)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    return Dense(Synapses((n, n), indptr, columns.astype(np.int32), values(synapses)))


def test_sparse_networks_are_never_made_dense(tmp_path):
    neuron = neurons.get("lif").example()
    populations = (Population("input", (200_000,), None), Population("output", (200_000,), neuron))
    op = sparse(200_000, 5_000, lambda k: np.full(k, 0.5))
    net = Network("wide", populations, (Connection("c", "input", "output", op),), 1e-3)
    store.save(net, tmp_path / "float.snnc")
    code, peak, message = peak_and_message("quantise", tmp_path / "float.snnc", "--hw", "loihi1", "-o", tmp_path / "q.snnc")
    assert (code, "Traceback" in message) == (0, False), message
    assert peak < GB
    code, peak, _ = peak_and_message("inspect", tmp_path / "q.snnc", "--against", tmp_path / "float.snnc")
    assert code == 0
    assert peak < GB


def test_weights_are_looked_up_at_places():
    rng = np.random.default_rng(0)
    a = Synapses.from_dense(rng.integers(1, 9, (6, 7)), rng.random((6, 7)) < 0.5)
    b = Synapses.from_dense(rng.integers(1, 9, (6, 7)), rng.random((6, 7)) < 0.5)
    values, exist = a.at(b)
    np.testing.assert_array_equal(values, a.to_dense()[b.rows, b.indices])
    np.testing.assert_array_equal(exist, a.mask()[b.rows, b.indices])
    none = Synapses((6, 7), np.zeros(7, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
    assert not none.at(b)[1].any()


def chain_of(count):
    neuron = fixed_chain(1).populations[1].neuron
    one = Dense(Synapses.from_dense(np.array([[100]])), 0, "excitatory")
    populations = (Population("p0", (1,), None), *(Population(f"p{i}", (1,), neuron) for i in range(1, count)))
    connections = tuple(Connection(f"c{i}", f"p{i - 1}", f"p{i}", one) for i in range(1, count))
    return Network("long", populations, connections, 1e-3, fixed_chain().numeric)


def test_many_populations_take_time_as_their_number():
    def seconds(count):
        start = time.process_time()
        net = chain_of(count)
        assert [p.name for p in net.ordered] == [f"p{i}" for i in range(count)]
        assert net.output.name == f"p{count - 1}"
        assert all(net.into(p.name) for p in net.populations[1:])
        return time.process_time() - start

    seconds(500)
    assert seconds(20_000) < 12 * max(seconds(4_000), 0.05)


def test_the_order_of_computation_comes_in_rounds():
    """As before, when each round was looked for among all that waited."""
    rng = np.random.default_rng(0)
    neuron = fixed_chain(1).populations[1].neuron
    one = Dense(Synapses.from_dense(np.array([[100]])), 0, "excitatory")
    for _ in range(20):
        names = [f"p{i}" for i in rng.permutation(12)]
        populations = tuple(Population(n, (1,), None if n == "p0" else neuron) for n in names)
        joins = {(i, j) for i, j in rng.integers(0, 12, (20, 2)).tolist() if i < j}
        connections = tuple(Connection(f"c{i}_{j}", f"p{i}", f"p{j}", one) for i, j in sorted(joins))
        waiting = {n: {c.src for c in connections if c.dst == n} for n in names}
        order = []
        while ready := [n for n, before in waiting.items() if not any(b in waiting for b in before)]:
            order += ready
            for n in ready:
                del waiting[n]
        assert [p.name for p in Network("n", populations, connections, 1e-3, fixed_chain().numeric).ordered] == order


def test_delays_that_c_cannot_count_are_refused():
    neuron = fixed_chain(1).populations[1].neuron
    populations = (Population("input", (1,), None), Population("output", (40_000,), neuron))
    first = Dense(Synapses.from_dense(np.full((40_000, 1), 100)), 0, "excitatory")
    again = sparse(40_000, 100, lambda k: np.full(k, 100))
    again = replace(again, sign_mode="excitatory")
    connections = (Connection("c", "input", "output", first), Connection("r", "output", "output", again, 65_536))
    net = Network("late", populations, connections, 1e-3, fixed_chain().numeric)
    (problem,) = targets.load("c").problems(net, None)
    assert "keeps 2,621,480,000 messages" in problem
    assert "at most 2,147,483,647" in problem


def test_a_range_proof_of_too_many_neurons_is_refused_with_the_figure(monkeypatch):
    from snnc.analysis.range_proof import prove_ranges

    net = convolutional()
    monkeypatch.setattr("snnc.analysis.range_proof.MOST_NEURONS", 10)
    with pytest.raises(DoesNotFitError, match=r"neurons, of each of which a range proof takes about 100 bytes .* at most 10 are"):
        prove_ranges(net)


@pytest.mark.parametrize("megabytes", [700, 1000])
def test_a_limit_of_memory_is_one_sentence(megabytes, tmp_path):
    net = fixed_chain(1, (40, 60, 10))
    store.save(replace(net, populations=net.populations), tmp_path / "net.snnc")
    raster = np.zeros((40_000, 16, 40), np.uint8)
    np.savez_compressed(tmp_path / "in.npz", input=raster)
    words = ("simulate", tmp_path / "net.snnc", "--inputs", tmp_path / "in.npz", "--engine", "reference", "-q")
    code, _, message = peak_and_message(*words, limit=megabytes << 20)
    assert "Traceback" not in message
    assert (code, message.count("error:")) in ((0, 0), (1, 1)), message


def test_ledgers_and_folders_of_strangers_are_one_sentence(tmp_path, capsys):
    """A recording that lacks the rates of a population, and one of other packing."""
    from snnc.pipeline.recording import read_recording

    net = fixed_chain(1)
    run = simulate(net, spikes(net))
    rates = {f"rates/{name}": raster.sum(axis=1).mean(axis=0) for name, raster in run.spikes.items()}
    del rates["rates/hidden1"]
    (tmp_path / "recorded.npz").write_bytes(packed(rates))
    with pytest.raises(FileError, match="rates/hidden1"):
        read_recording(tmp_path / "recorded.npz", net)
    with zipfile.ZipFile(tmp_path / "recorded.npz", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("samples/x.npy", header("|u1", (1,)) + b"1")
    with pytest.raises(FileError, match="packed in a way"):
        read_recording(tmp_path / "recorded.npz", net)
    assert json.dumps({"ok": capsys.readouterr().err}) == '{"ok": ""}'


def test_a_lack_of_memory_is_one_behind_what_a_library_makes_of_it():
    error = RuntimeError("unexpected pos 2688 vs 2582")
    assert not of_memory(error)
    error.__context__ = MemoryError()
    assert of_memory(error)

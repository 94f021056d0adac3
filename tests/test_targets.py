"""Export and artifacts, without Lava."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from cases import LOIHI, fixed_chain, fixed_loops, float_chain, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from snnc.exporters import _lava, _program

from snnc import hw, neurons, ops, store, targets
from snnc.cli import main
from snnc.errors import DataError, FileError, MissingDependencyError, RunError, UnsupportedError, WriteError
from snnc.ir import Connection, Stage
from snnc.place import place
from snnc.proof import from_images, from_noise, verify_artifact
from snnc.scaling import bias_parts
from snnc.simulate import simulate
from snnc.split import split
from snnc.synapses import Synapses
from snnc.verify import compare, join


def mapped(net, chip="loihi1"):
    profile = hw.load(chip)
    return place(net, split(net, profile), profile)


def export(target, net, out, **options):
    return targets.export(target, net, mapped(net) if targets.load(target).NEEDS_MAPPING else None, out, **options)


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("model", neurons.names())
def test_every_target_answers_for_every_neuron(name, model):
    """A pair that is declared to work exports; one that is not gives its reason."""
    target = targets.load(name)
    assert target.SUMMARY
    assert target.neuron_problem("no such model")
    assert target.operator_problem("no such operator")
    for kind, problem in targets.support_matrix()[name][model].items():
        assert problem == (target.neuron_problem(model) or target.operator_problem(kind))


@pytest.mark.parametrize("name", targets.names())
def test_two_exports_are_byte_identical(name, tmp_path):
    net = fixed_chain(bias=640).after(Stage("quantise", {"seed": 3}))
    a, b = export(name, net, tmp_path / "a"), export(name, store.load(saved(net, tmp_path)), tmp_path / "b")
    assert content(a.root) == content(b.root)
    assert a.files == b.files
    assert set(content(a.root)) == {*a.files, "manifest.json"}
    assert targets.altered_files(a) == []
    for archive in a.root.glob("*.npz"):
        with zipfile.ZipFile(archive) as file:
            assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def saved(net, folder):
    store.save(net, folder / "net.snnc")
    return folder / "net.snnc"


@pytest.mark.parametrize("name", targets.names())
def test_what_was_written_is_read_again(name, tmp_path):
    net = fixed_chain().after(Stage("train", {"epochs": 2}))
    written = export(name, net, tmp_path / "a")
    assert targets.read_artifact(tmp_path / "a") == written
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["done"] == [{"name": "train", "settings": {"epochs": 2}}]
    assert manifest["network"]["hash"] == net.hash
    hop = name in ("lava", "loihi", "sanafe")  # a chip's
    assert manifest["latency"] == {"input": 0, "hidden1": hop, "output": 2 * hop}
    assert manifest["encoding"]["kind"] == "rate"


def test_the_mapping_is_written(tmp_path):
    net = fixed_chain()
    export("loihi", net, tmp_path / "a")
    assert json.loads((tmp_path / "a" / "mapping.json").read_text()) == json.loads(json.dumps(mapped(net).to_json()))


def test_an_artifact_is_replaced_only_when_asked(tmp_path):
    first = export("lava", fixed_chain(), tmp_path / "a")
    before = content(first.root)
    with pytest.raises(FileError, match="exists already"):
        export("lava", fixed_chain(bias=64), tmp_path / "a")
    assert content(first.root) == before
    export("lava", fixed_chain(bias=64), tmp_path / "a", force=True)
    assert content(first.root) != before


def test_a_foreign_folder_is_never_replaced(tmp_path, capsys):
    path, home = saved(fixed_chain(), tmp_path), tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    (home / "manifest.json").write_text('{"name": "of another program"}')
    with pytest.raises(FileError, match="is not a folder that snnc wrote"):
        export("lava", fixed_chain(), home, force=True)
    with pytest.raises(SystemExit) as end:
        main(["export", str(path), "-t", "lava", "-o", str(home), "--force"])
    assert end.value.code == 2
    assert set(content(home)) == {"thesis.tex", "manifest.json"}


def test_a_failing_export_leaves_nothing(tmp_path, monkeypatch):
    def full(net, folder, max_synapses):
        (folder / "network.json").write_text("{}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snnc.exporters._lava_files.write", full)
    with pytest.raises(FileError, match="No space left"):
        export("lava", fixed_chain(), tmp_path / "a")
    with pytest.raises(UnsupportedError):
        targets.export("lava", float_chain(), None, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def with_delays(**delays):
    """`fixed_loops` with other delays."""
    net = fixed_loops()
    return replace(net, connections=tuple(replace(c, delay_steps=delays.get(c.name, c.delay_steps)) for c in net.connections))


def all_at_once():
    """A network with several things that cannot be exported."""
    net = with_delays(back=1)
    populations = tuple(replace(p, neuron=p.neuron and replace(p.neuron, bias=8191)) for p in net.populations)
    return replace(net, populations=populations)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (float_chain(), ["float network; quantise it first"]),
        (
            all_at_once(),
            [
                "a loop through 'hidden1', 'output' has fewer delay steps than hops",
                "'hidden1' has a bias of 8191",
                "'output' has a bias of 8191",
            ],
        ),
        (
            with_delays(twin=63, again=70),
            ["'again' needs a delay of 69 steps, Lava's synapses have at most 62; shorten it", "'twin' needs a delay of 63"],
        ),
        (
            replace(fixed_chain(), numeric=replace(fixed_chain().numeric, state_bits=23, state_shift=5)),
            ["state_bits = 23", "state_shift = 5"],
        ),
    ],
)
def test_everything_unsupported_is_said_at_once(net, said, tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        targets.export("lava", net, None, tmp_path / "a")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    for part in said:
        assert part in str(caught.value)


def test_a_current_that_wraps_twice_is_refused(tmp_path):
    """Lava wraps once a step, so that 8 synapses of 254 << 7 are just possible, and 9 are not."""
    for count, fits in ((8, True), (9, False)):
        net = fixed_chain(sizes=(count, 2, 2))
        op = replace(net.connections[0].op, synapses=Synapses.from_dense(np.full((2, count), 254)), exponent=7)
        net = replace(net, connections=(Connection("fc1", "input", "hidden1", op), net.connections[1]))
        assert bool(_lava.problems(net, _lava.neuron_problem, _lava.operator_problem)) != fits


def said_by_export(capsys, path, *words):
    """The exit code of an export and its message."""
    with pytest.raises(SystemExit) as end:
        main(["export", str(path), "-o", str(path.parent / "exported"), *words])
    assert (path.parent / "exported").exists() == (end.value.code == 0)
    return end.value.code, capsys.readouterr().err


def own_profile(folder, name, old, new):
    """loihi1 with one line changed, as a profile of the user's own."""
    text = (hw.folder() / "loihi1.toml").read_text()
    assert old in text
    (folder / f"{name}.toml").write_text(text.replace(old, new))
    return str(folder / f"{name}.toml")


def test_graded_input_needs_a_chip_that_has_it(tmp_path, capsys):
    net = fixed_chain()
    graded = (replace(net.populations[0], message_bits=4), *net.populations[1:])
    path = saved(replace(net, populations=graded), tmp_path)
    code, said = said_by_export(capsys, path, "-t", "loihi")
    assert code == 4
    assert "sends 4-bit messages, loihi1 has no graded spikes" in said
    assert said_by_export(capsys, path, "-t", "lava")[0] == 0


def test_export_refuses_what_check_refuses(tmp_path, capsys):
    """A profile of the user's own is asked, even one that is named as one of ours."""
    path = saved(fixed_chain(), tmp_path)
    for name in ("loihi1", "mychip"):
        chip = own_profile(tmp_path, name, '["lif", "cuba"]', '["cuba"]')
        with pytest.raises(SystemExit) as end:
            main(["check", str(path), "--hw", chip, "--json"])
        assert end.value.code == 4
        capsys.readouterr()
        code, said = said_by_export(capsys, path, "-t", "loihi", "--hw", chip)
        assert code == 4
        assert "has neurons 'lif'" in said


@pytest.mark.parametrize("target", targets.names())
def test_a_current_that_can_wrap_is_not_exported(target, tmp_path, capsys):
    net = fixed_chain(sizes=(60, 4, 2), density=1.0, model="cuba")
    strong = replace(net.connections[0], op=replace(net.connections[0].op, exponent=5))
    code, said = said_by_export(capsys, saved(replace(net, connections=(strong, net.connections[1])), tmp_path), "-t", target)
    assert code in (3, 4)
    assert "and wraps at" in said


def test_a_chip_that_export_cannot_know_or_use(tmp_path, capsys):
    net = fixed_chain()
    path = saved(replace(net, numeric=replace(net.numeric, profile="mychip")), tmp_path)
    code, said = said_by_export(capsys, path, "-t", "loihi")
    assert (code, "was quantised for 'mychip'" in said, "name its file with --hw" in said) == (2, True, True)
    code, said = said_by_export(capsys, path, "-t", "lava", "--hw", "loihi1")
    assert (code, "target 'lava' maps to no chip" in said) == (2, True)


def test_a_mapping_of_another_network_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match=r"'hidden1' has neurons 0 .. 19, the mapping puts \[\(0, 9\)\]"):
        targets.export("loihi", fixed_chain(), mapped(fixed_chain(sizes=(12, 9, 5))), tmp_path / "a")
    with pytest.raises(UnsupportedError, match="no mapping"):
        targets.export("loihi", fixed_chain(), None, tmp_path / "a")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.one_of(st.integers(-(1 << 20), 1 << 20), st.builds(lambda m, e: m << e, st.integers(-4096, 4095), st.integers(0, 7))))
def test_a_bias_is_factored_exactly_or_refused(bias):
    possible = any(bias % (1 << e) == 0 and -4096 <= bias // (1 << e) <= 4095 for e in range(8))
    mantissa, exponent = bias_parts(bias, LOIHI)
    assert (exponent >= 0) == possible
    if possible:
        assert mantissa * 2**exponent == bias
        assert -4096 <= mantissa <= 4095
        assert 0 <= exponent <= 7


@pytest.fixture
def artifact(tmp_path):
    return export("lava", fixed_chain(), tmp_path / "a").root


def test_altered_files_are_named(artifact):
    (artifact / "weights.npz").write_bytes(b"x")
    (artifact / "run.py").unlink()
    assert targets.altered_files(targets.read_artifact(artifact)) == ["run.py", "weights.npz"]


def test_files_that_the_manifest_does_not_list_are_named(artifact):
    edited(artifact, files={})
    (artifact / "more").mkdir()
    (artifact / "more" / "x.so").write_bytes(b"x")
    assert targets.altered_files(targets.read_artifact(artifact)) == []
    assert targets.foreign_files(targets.read_artifact(artifact)) == ["more/x.so", "network.json", "run.py", "weights.npz"]


def edited(artifact, **changes):
    manifest = json.loads((artifact / "manifest.json").read_text()) | changes
    (artifact / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "snnc.artifact/9"}, "schema"),
        ({"files": {"../../etc/passwd": "0"}}, "outside"),
        ({"files": {"/etc/passwd": "0"}}, "outside"),
        ({"files": {"link/x": "0"}}, "leads out"),
        ({"files": 3}, "damaged"),
        ({"latency": {"input": -1}}, "latency of -1"),
        ({"latency": {"input": 10**9}}, "latency of 1000000000"),
        ({"latency": {"input": "soon"}}, "damaged"),
        ({"latency": {}}, "no population"),
        ({"network": None}, "damaged"),
        ({"dt_s": []}, "damaged"),
    ],
)
def test_a_hostile_manifest_is_one_sentence(artifact, changes, said):
    (artifact / "link").symlink_to("/")
    edited(artifact, **changes)
    with pytest.raises(FileError, match=said) as caught:
        targets.read_artifact(artifact)
    assert "manifest.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_no_manifest(artifact, text):
    (artifact / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError):
        targets.read_artifact(artifact)


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(FileError, match="no such file; name a folder that snnc export wrote"):
        targets.read_artifact(tmp_path)


def test_a_manifest_too_large(artifact, monkeypatch):
    monkeypatch.setattr(targets, "MAX_MANIFEST_BYTES", 10)
    with pytest.raises(FileError, match="at most 10"):
        targets.read_artifact(artifact)


def proof(artifact, net=None):
    net = net or fixed_chain()
    return verify_artifact(targets.read_artifact(artifact), net, from_noise(net, 4, 0.5, 0), 1, timeout_s=20)


def test_verify_against_another_network(artifact):
    with pytest.raises(Exception, match="has populations hidden1, input, output, the network 'case' has hidden1, hidden2"):
        proof(artifact, fixed_chain(sizes=(12, 20, 9, 5)))


def test_verify_without_a_program(artifact):
    (artifact / "run.py").unlink()
    with pytest.raises(FileError, match=r"run\.py: no such file"):
        proof(artifact)


def without_packages(folder):
    """An interpreter that finds no installed package."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_without_lava_export_works_and_verify_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    path = saved(fixed_chain(), tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["export", str(path), "-t", "loihi", "-o", str(tmp_path / "a")])
    assert end.value.code == 0
    assert "on 2 cores of loihi1" in capsys.readouterr().out
    monkeypatch.setenv("SNNC_LAVA_PYTHON", without_packages(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "a"), "--against", str(path), "--random", "0.3", "--samples", "2", "--json"])
    assert end.value.code == MissingDependencyError.exit_code
    said = json.loads(capsys.readouterr().out)
    assert "No module named 'numpy'" in said["message"]
    assert "pip install numpy scipy" in said["fix"]
    assert "pip install --no-deps --ignore-requires-python lava-nc==0.10.0" in said["fix"]


def test_an_interpreter_that_is_not_there(artifact, monkeypatch):
    monkeypatch.setenv("SNNC_LAVA_PYTHON", "/no/such/python")
    with pytest.raises(RunError, match="SNNC_LAVA_PYTHON"):
        proof(artifact)


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
    monkeypatch.setattr("snnc.exporters._program.MAX_WRITTEN_BYTES", limit)
    (artifact / "run.py").write_text("import os\nwhile True:\n    print('y' * 1000, flush=True)\n")
    with pytest.raises(RunError, match=r"exit code (1|120); it says: (OSError: .*File too large|y)"):
        proof(artifact)
    monkeypatch.setenv("SNNC_LAVA_PYTHON", "/usr/bin/yes")
    with pytest.raises(RunError, match=rf"wrote more than {limit} bytes; it says: \S"):
        proof(artifact)


def test_the_first_error_and_the_last_words_are_read(tmp_path):
    path = tmp_path / "messages"
    for filling in (0, 10, _program.READ_BYTES, 10 * _program.READ_BYTES):
        path.write_text(f"ValueError: the cause\n{'x' * filling}\nthe last words")
        said = _program._head_and_tail(path)
        assert said.startswith("ValueError: the cause\n")
        assert said.endswith("\nthe last words")
        assert said.count("the last words") == 1
        assert len(said) <= 2 * _program.READ_BYTES


def test_outputs_that_swell_are_refused(artifact, monkeypatch):
    outputs = outputs_of(fixed_chain())
    np.savez_compressed(artifact.parent / "small.npz", **outputs)
    (artifact / "run.py").write_text(f"import shutil, sys\nshutil.copy({str(artifact.parent / 'small.npz')!r}, sys.argv[2])\n")
    assert proof(artifact).verdict.first is None
    monkeypatch.setattr("snnc.exporters._program.MAX_WRITTEN_BYTES", (artifact.parent / "small.npz").stat().st_size)
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
        main(["verify", str(artifact), "--against", str(path), "--random", "0.3", "--samples", "1"])
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


def test_the_end_of_a_file_is_no_interruption(tmp_path, monkeypatch, capsys):
    def empty(path):
        raise EOFError("No data left in file")

    monkeypatch.setattr(store, "load", empty)
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net"), "-t", "lava", "-o", str(tmp_path / "a")])
    assert (end.value.code, capsys.readouterr().err.strip()) == (1, "error: a file ends too early: No data left in file")


def test_a_program_that_speaks_before_it_dies(artifact):
    (artifact / "run.py").write_text("import sys\nprint('first')\nsys.exit('the last words')\n")
    with pytest.raises(RunError, match="exit code 1; it says: the last words"):
        proof(artifact)


def test_images_must_suit_the_network():
    net = fixed_chain()
    source = from_images(net, np.full((4, 12), 200, np.uint8))
    np.testing.assert_array_equal(source(0, 4)["input"][2:], source(2, 2)["input"])
    with pytest.raises(Exception, match="samples have 9 pixels"):
        from_images(net, np.zeros((4, 9), np.uint8))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export", "NET", "-t", "lova", "-o", "OUT"], 4, "did you mean 'lava'?"),
        (["export", "NET", "-t", "loihi", "--hw", "loihi9", "-o", "OUT"], 2, "loihi9"),
        (["export", "FLOAT", "-t", "loihi", "-o", "OUT"], 4, "quantise it first"),
        (["export", "NONE", "-t", "lava", "-o", "OUT"], 2, "no such file"),
        (["verify", "NONE", "--against", "NET", "--random", "0.3"], 2, "no such file"),
    ],
)
def test_mistakes_get_one_sentence_and_a_code(words, code, said, tmp_path, capsys):
    store.save(fixed_chain(), tmp_path / "net")
    store.save(float_chain(), tmp_path / "float")
    places = {"NET": "net", "FLOAT": "float", "NONE": "none", "OUT": "out"}
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / places[w]) if w in places else w for w in words])
    assert end.value.code == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_targets_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["targets", "--json"])
    listed = json.loads(capsys.readouterr().out)["targets"]
    assert set(listed) == set(targets.names())
    assert listed["loihi"]["needs_mapping"]
    lava = targets.load("lava")
    assert listed["lava"]["neurons"] == {model: lava.neuron_problem(model) for model in neurons.names()}
    assert listed["lava"]["operators"] == dict.fromkeys(ops.kinds(), "")
    assert not listed["lava"]["neurons"]["lif"] + listed["lava"]["neurons"]["cuba"]
    with pytest.raises(SystemExit):
        main(["targets"])
    said = capsys.readouterr().out
    for name in targets.names():
        assert name in said
    assert "lava, cuba_subtract: Lava 0.10.0's LIF resets to zero only" in said


def test_verdicts_on_successive_samples_become_one():
    net = fixed_chain()
    first, second = (simulate(net, spikes(net, samples=3, seed=seed), record=True) for seed in (0, 1))
    output = second.spikes["output"].copy()
    output[1, 2, 3] ^= 1
    wrong = replace(second, spikes={**second.spikes, "output": output})
    joined = join([(0, compare(first, first)), (3, compare(second, wrong)), (6, compare(second, wrong))])
    assert (joined.first.sample, joined.first.population, joined.first.step, joined.first.neuron) == (4, "output", 2, 3)
    assert joined.mismatches == 2
    assert joined.spikes["output"] == (3 * output.size, 2)
    assert joined.fired["output"] == first.spikes["output"].sum() + 2 * second.spikes["output"].sum()
    assert not joined.exact
    with pytest.raises(DataError):
        join([])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_too_and_leaves_nothing(artifact, number, code):
    path, temporary = saved(fixed_chain(), artifact.parent), artifact.parent / "tmp"
    temporary.mkdir()
    program = "import os, sys, time\nopen(sys.argv[0] + '.pid', 'w').write(f'{os.getpid()} ')\ntime.sleep(1000)\n"
    (artifact / "run.py").write_text(program)
    command = [sys.executable, "-m", "snnc", "verify", artifact, "--against", path, "--random", "0.3", "--json"]
    verb = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(WriteError, match="/a/small/disk: cannot write what Lava reads: No space left on device; set TMPDIR"):
        proof(artifact)


def test_verify_says_that_it_runs_only_when_it_does(tmp_path, capsys):
    path = saved(fixed_chain(), tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "none"), "--against", str(path), "--random", "0.3"])
    assert end.value.code == 2
    assert "running" not in capsys.readouterr().err

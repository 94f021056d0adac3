"""Every target: what it says of itself, and folders that appear whole or not at all."""

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest
from cases.exported import content, export, said_by_export, saved
from cases.networks import CHIPS, chain_for, fixed_chain, float_chain
from conftest import ROOT, snnc

from snnc import neurons, ops, store, targets
from snnc.cli import main
from snnc.errors import FileError
from snnc.network.model import Stage

EIGHT_BITS = ("syntzulu", "xylo")  # whose weights have no exponents; tests of their own show a current that could wrap


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
    net = chain_for(name, bias=640).after(Stage("quantise", {"seed": 3}))
    a, b = export(name, net, tmp_path / "a"), export(name, store.load(saved(net, tmp_path)), tmp_path / "b")
    assert content(a.root) == content(b.root)
    assert a.files == b.files
    assert set(content(a.root)) == {*a.files, "manifest.json"}
    assert targets.altered_files(a) == []
    for archive in a.root.glob("*.npz"):
        with zipfile.ZipFile(archive) as file:
            assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("name", ["nir", "npz", "onnx"])
def test_two_exports_of_floats_are_byte_identical(name, tmp_path):
    a, b = (export(name, float_chain(model="cuba"), tmp_path / folder) for folder in "ab")
    assert content(a.root) == content(b.root)
    assert set(content(a.root)) == {*a.files, "manifest.json"}


@pytest.mark.parametrize("name", targets.names())
def test_what_was_written_is_read_again(name, tmp_path):
    net = chain_for(name).after(Stage("train", {"epochs": 2}))
    written = export(name, net, tmp_path / "a")
    assert targets.read_artifact(tmp_path / "a") == written
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["done"] == [{"name": "train", "settings": {"epochs": 2}}]
    assert manifest["network"]["hash"] == net.hash
    first, second = {"lava": (1, 1), "loihi": (1, 1), "sanafe": (1, 1), "catalyst_n1": (1, 2), "xylo": (0, 1)}.get(
        name, (0, 0)
    )  # hops of chips
    assert manifest["latency"] == {"input": 0, "hidden1": first, "output": first + second}
    assert manifest["encoding"]["kind"] == "rate"


WRITE = """
import sys
from conftest import ROOT, snnc
from cases.networks import chain_for
from cases.exported import export
from snnc import targets
for name in targets.names():
    export(name, chain_for(name, bias=640), __import__("pathlib").Path(sys.argv[1]) / name)
"""


def test_another_process_writes_the_same_bytes(tmp_path):
    """Where sets and dictionaries of texts have another order, in another folder, at another time."""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT / "tests")}
    subprocess.run([sys.executable, "-c", WRITE, tmp_path], env=environment, check=True)
    for name in targets.names():
        here = export(name, chain_for(name, bias=640), tmp_path / f"{name} again")
        assert content(here.root) == content(tmp_path / name), name


@pytest.mark.parametrize("name", targets.names())
def test_an_artifact_is_replaced_only_when_asked(name, tmp_path):
    first = export(name, chain_for(name), tmp_path / "a")
    before = content(first.root)
    with pytest.raises(FileError, match="exists already"):
        export(name, chain_for(name, threshold=299), tmp_path / "a")
    assert content(first.root) == before
    export(name, chain_for(name, threshold=299), tmp_path / "a", force=True)
    assert content(first.root) != before


@pytest.mark.parametrize("name", targets.names())
def test_a_foreign_folder_is_never_replaced(name, tmp_path, capsys):
    path, home = saved(chain_for(name), tmp_path), tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    (home / "manifest.json").write_text('{"name": "of another program"}')
    with pytest.raises(FileError, match="is not a folder that snnc wrote"):
        export(name, chain_for(name), home, force=True)
    assert (
        snnc("export", path, "-t", name, *(["--hw", "loihi1"] if targets.load(name).NEEDS_MAPPING else []), "-o", home, "--force")
        == 2
    )
    assert set(content(home)) == {"thesis.tex", "manifest.json"}


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_export_leaves_nothing(name, failure, tmp_path, monkeypatch):
    """The disk is full, or the user gives up, when all files but the manifest are written: what was there stays as it was."""
    target = targets.load(name)
    whole, before = target.export, content(export(name, chain_for(name), tmp_path / "a").root)

    def failing(*given):
        whole(*given)
        assert list(given[2].iterdir())
        raise failure

    monkeypatch.setattr(target, "export", failing)
    for place, force in (("a", True), ("b", False)):
        with pytest.raises((FileError, KeyboardInterrupt)):
            export(name, chain_for(name, bias=64), tmp_path / place, force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert content(tmp_path / "a") == before


LIMITED = """
import resource, signal, sys
from conftest import snnc
from cases.networks import CHIPS
from snnc import targets
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for name in targets.names():
    chip = ["--hw", "loihi1"] if targets.load(name).NEEDS_MAPPING else []
    print(name, snnc("export", sys.argv[2] + name if name in CHIPS else sys.argv[1], "-t", name, "-o", sys.argv[3], *chip))
"""


def test_a_file_that_cannot_be_written_is_one_error(tmp_path):
    """By the system itself, somewhere within each export: no file may be larger than this."""
    path = saved(fixed_chain(sizes=(60, 80, 5)), tmp_path)
    for name in CHIPS:
        net = chain_for(name, sizes=(12, 20, 5) if name == "xylo" else (40, 20, 5))
        store.save(net, tmp_path / f"net.snnc.{name}")
    here = sorted(tmp_path.iterdir())
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", LIMITED, path, f"{path}.", tmp_path / "a"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.splitlines() == [f"{name} 1" for name in targets.names()]
    assert len(re.findall("^error: .*File too large", done.stderr, re.MULTILINE)) == len(targets.names()), done.stderr
    assert sorted(tmp_path.iterdir()) == here


def test_a_target_that_cannot_run_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(targets.load("npz"), "run")
    monkeypatch.setattr(targets.load("npz"), "NOT_RUN", "its chip is not here", raising=False)
    path = saved(fixed_chain(), tmp_path)
    assert snnc("export", path, "-t", "npz", "-o", tmp_path / "a") == 0
    assert "it cannot be run here: its chip is not here" in capsys.readouterr().out
    assert snnc("verify", tmp_path / "a", "--against", path, "--random", "0.3") == 4
    assert "artifacts of target 'npz' cannot be run here; its chip is not here" in capsys.readouterr().err
    assert snnc("targets", "--json") == 0
    said = json.loads(capsys.readouterr().out)["targets"]
    assert (said["npz"]["verified_by"], said["onnx"]["verified_by"]) == ("", "onnxruntime")


@pytest.mark.parametrize("target", [name for name in targets.names() if name not in EIGHT_BITS])
def test_a_current_that_can_wrap_is_not_exported(target, tmp_path, capsys):
    net = chain_for(target, sizes=(60, 4, 2), density=1.0, model="cuba")
    strong = replace(net.connections[0], op=replace(net.connections[0].op, exponent=5))
    code, said = said_by_export(capsys, saved(replace(net, connections=(strong, net.connections[1])), tmp_path), "-t", target)
    assert code in (3, 4)
    assert "and wraps at" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["export", "NET", "-t", "lova", "-o", "OUT"], 2, "did you mean 'lava'?"),
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
    assert {model for model, why in listed["lava"]["neurons"].items() if why} == {"xylo", "xylo_output"}
    with pytest.raises(SystemExit):
        main(["targets"])
    said = capsys.readouterr().out
    for name in targets.names():
        assert name in said
    assert "netx, cuba_subtract: netx has no neuron 'cuba_subtract'" in said

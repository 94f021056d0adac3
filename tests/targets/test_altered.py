"""Edits of what every target exports, of every kind: each is named before anything runs, or proved to be an export itself."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cases.exported import content, export, mapped, saved
from cases.networks import CHIPS, fixed_chain
from conftest import snnc

from snnc import chips, targets
from snnc.errors import AlteredError, FileError
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.model import Stage
from snnc.targets.integrity import alterations
from snnc.verification.prove import from_noise, verify_artifact

QUICK = ("npz", "loihi")  # each export is written anew in a moment; the other targets are tried in the slow tests
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in targets.names() if name not in CHIPS]
EVIL = "raise SystemExit('an altered program ran')\n"


def network():
    return replace(fixed_chain(bias=640), done=(Stage("train", {"b": 1, "a": 2}), Stage("quantise", {"hw": "loihi1"})))


@pytest.fixture(params=NAMES)
def artifact(request, tmp_path):
    """The folder of an export to each target that takes the network."""
    net = network()
    if targets.load(request.param).problems(net, mapped(net)):
        pytest.skip(f"target {request.param} does not take the network of the test")
    return export(request.param, net, tmp_path / "a").root


def altered(folder, net=None):
    """What is said of the artifact; a manifest that is none of ours is refused when it is read."""
    try:
        return alterations(targets.read_artifact(folder), net or network())
    except FileError as error:
        return (str(error),)


def manifest(folder, change):
    path = folder / "manifest.json"
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole, indent=1) + "\n")


def with_hash(folder, name):
    """Write the hash of a file into the manifest, as an attacker does."""
    path = folder / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

    def change(whole):
        whole["files"][name] = digest
        if digest is None:
            del whole["files"][name]

    manifest(folder, change)


FILE_EDITS = {
    "a byte more": lambda data: data + b"\n",
    "a byte less": lambda data: data[:-1],
    "a bit flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
    "empty": lambda data: b"",
    "a digit changed": lambda data: data.replace(b"1", b"2", 1) if b"1" in data else data + b"2",
}


def test_an_export_is_unaltered(artifact):
    assert altered(artifact) == ()


@pytest.mark.parametrize("hashed", [False, True], ids=["", "hash adjusted"])
def test_edits_of_every_file_are_named(artifact, hashed):
    """With and without the edited file's hash in the manifest."""
    before = content(artifact)
    for name in sorted(set(before) - {"manifest.json"}):
        for what, edit in FILE_EDITS.items():
            (artifact / name).write_bytes(edit(before[name]))
            if hashed:
                with_hash(artifact, name)
            assert any(name in sentence for sentence in altered(artifact)), (name, what)
        (artifact / name).unlink()
        if hashed:
            with_hash(artifact, name)
        assert any(name in sentence for sentence in altered(artifact)), (name, "deleted")
        (artifact / name).write_bytes(before[name])
        (artifact / "manifest.json").write_bytes(before["manifest.json"])
        assert altered(artifact) == ()


FOREIGN = ("numpy.py", "json.py", "sitecustomize.py", "more/x.so", "__pycache__/run.cpython-311.pyc", "stdint.h")


@pytest.mark.parametrize("hashed", [False, True], ids=["", "listed"])
@pytest.mark.parametrize("name", FOREIGN)
def test_files_beside_the_program_are_named(artifact, name, hashed):
    (artifact / name).parent.mkdir(exist_ok=True)
    (artifact / name).write_text(EVIL)
    if hashed:
        with_hash(artifact, name)
    assert any(name in sentence for sentence in altered(artifact))


def test_links_beside_the_program_are_named(artifact, tmp_path):
    (tmp_path / "numpy").mkdir()
    (artifact / "numpy").symlink_to(tmp_path / "numpy")
    (artifact / "loop").symlink_to("loop")
    assert altered(artifact) == ("loop is no file of the export", "numpy is no file of the export")


MANIFEST_EDITS = {
    "network": lambda m: m["network"].update(hash="0" * 64),
    "network name": lambda m: m["network"].update(name="another"),
    "dt_s": lambda m: m.update(dt_s=m["dt_s"] * 2),
    "encoding": lambda m: m.update(encoding={"kind": "rate", "steps": 3, "seed": 0}),
    "profile": lambda m: m.update(profile="loihi2" if m["profile"] != "loihi2" else "loihi1"),
    "profile of nobody": lambda m: m.update(profile="/etc/passwd"),
    "latency": lambda m: m["latency"].update({next(iter(m["latency"])): 7}),
    "range_proof": lambda m: m.update(range_proof=None if m["range_proof"] else {"proved": True}),
    "done": lambda m: m["done"][-1]["settings"].update(hw="loihi2"),
    "done, dropped": lambda m: m.update(done=[]),
    "snnc": lambda m: m.update(snnc="9.9.9"),
    "schema": lambda m: m.update(schema="snnc.artifact/9"),
    "more": lambda m: m.update(more=1),
    "target": lambda m: m.update(target="npz" if m["target"] != "npz" else "onnx"),
    "numeric": lambda m: m.update(numeric="complex"),
}


@pytest.mark.parametrize("what", MANIFEST_EDITS)
def test_edits_of_the_manifest_are_named(artifact, what):
    manifest(artifact, MANIFEST_EDITS[what])
    assert altered(artifact)


def test_a_number_in_the_range_proof_is_held_against_a_new_proof(artifact):
    def change(whole):
        whole["range_proof"] = json.loads(json.dumps(whole["range_proof"]).replace("1", "2", 1))

    manifest(artifact, change)
    assert altered(artifact) == ("manifest.json says another range_proof than an export of the network",)


def test_a_manifest_written_otherwise(artifact):
    path = artifact / "manifest.json"
    path.write_text(path.read_text().replace("\n", "\n\n", 1))
    assert altered(artifact) == ("manifest.json holds what an export writes, but not its bytes",)


def test_a_network_of_another_history_or_another_weight(artifact):
    net = network()
    other = replace(net, done=net.done[:1])
    said = altered(artifact, other)
    assert said[0] == "manifest.json says another done than an export of the network"
    assert all(sentence.endswith("is not what an export writes") for sentence in said[1:])  # nir and onnx hold the history, too
    first = net.connections[0]
    weights = first.op.synapses.values.copy()
    weights[0] += 2 if weights[0] < 0 else -2
    first = replace(first, op=first.op.with_values(weights))
    said = altered(artifact, replace(net, connections=(first, *net.connections[1:])))
    assert said == (f"the artifact was made from network {net.hash[:12]}, this one is {said[0].split()[-1]}",)


def mapping_edit(folder, change):
    path = folder / "mapping.json"
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole, indent=1, sort_keys=True))
    if not path.read_bytes().endswith(b"\n"):
        path.write_bytes(path.read_bytes() + b"\n")
    with_hash(folder, "mapping.json")


MAPPING_EDITS = {
    "used": lambda m: m["cores"][0]["used"].update({next(iter(m["cores"][0]["used"])): 0}),
    "start": lambda m: m["cores"][0]["slices"][0].update(start=1),
    "dropped": lambda m: m["cores"].pop(),
    "index": lambda m: m["cores"][0].update(index=10**6),
    "profile": lambda m: m.update(profile="loihi2"),
    "formats": lambda m: m["cores"][0].update(formats={}),
    "more": lambda m: m.update(more=1),
}


@pytest.mark.parametrize("what", MAPPING_EDITS)
def test_edits_of_the_mapping_are_named(what, tmp_path):
    folder = export("loihi", network(), tmp_path / "a").root
    mapping_edit(folder, MAPPING_EDITS[what])
    assert altered(folder)


@pytest.mark.parametrize("what", ["another core", "another seed"])
def test_a_mapping_that_is_as_good_is_an_export_of_its_own(what, tmp_path):
    """It is what `snnc export --mapping` writes of it, byte for byte."""
    folder = export("loihi", network(), tmp_path / "a").root

    def change(whole):
        if what == "another seed":
            whole["seed"] += 1
        else:
            whole["cores"][-1]["index"] += 1

    mapping_edit(folder, change)
    assert altered(folder) == ()


def test_nothing_altered_is_run(tmp_path, capsys):
    net = network()
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    ran = tmp_path / "ran"
    (folder / "run.py").write_text(f"open({str(ran)!r}, 'w')\n" + (folder / "run.py").read_text())
    with_hash(folder, "run.py")
    words = ("verify", folder, "--against", path, "--random", "0.3", "--samples", "6", "--json", "-q")
    assert snnc(*words) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["what"]) == (False, "run.py is not what an export writes")
    assert not ran.exists()
    with pytest.raises(AlteredError, match=r"run\.py is not what an export writes; export again, or run it .* --as-it-is"):
        verify_artifact(targets.read_artifact(folder), net, from_noise(net, 4, 0.5, 0), 1)
    assert snnc(*words, "--as-it-is") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["altered"]) == (True, ["run.py is not what an export writes"])
    assert ran.exists()
    assert snnc(*words[:-2], "-q", "--as-it-is") == 0
    assert "EXACT, YET ALTERED: " in capsys.readouterr().out


def test_a_program_takes_no_module_from_beside_it(tmp_path, capsys):
    """Even where the user has an altered artifact run."""
    net = network()
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    (folder / "numpy.py").write_text(EVIL)
    words = ("verify", folder, "--against", path, "--random", "0.3", "--samples", "6", "-q")
    assert snnc(*words) == 1
    assert "numpy.py is no file of the export" in capsys.readouterr().err
    assert snnc(*words, "--as-it-is") == 0


def test_a_sparse_file_and_a_loop_are_one_sentence(tmp_path, capsys):
    net = network()
    path, folder = saved(net, tmp_path), export("npz", net, tmp_path / "a").root
    os.truncate(folder / "run.py", 20 << 30)
    (folder / "network.json").unlink()
    (folder / "network.json").symlink_to("network.json")
    assert snnc("verify", folder, "--against", path, "--random", "0.3", "-q") == 2
    assert capsys.readouterr().err.count("\n") == 1
    (folder / "network.json").unlink()
    assert snnc("verify", folder, "--against", path, "--random", "0.3", "-q") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "network.json is not what was exported; run.py is not what was exported" in said


def test_a_chip_of_the_users_own(tmp_path, capsys):
    """A profile that a manifest names is not opened; the user names it."""
    own = tmp_path / "mychip.toml"
    own.write_text((Path(chips.folder()) / "loihi1.toml").read_text())
    profile, net = chips.load(str(own)), network()
    path = saved(net, tmp_path)
    folder = targets.export("npz", net, place(net, split(net, profile), profile), tmp_path / "a").root
    words = ("verify", folder, "--against", path, "--random", "0.3", "--samples", "4", "-q")
    assert snnc(*words) == 1
    assert "name its file with --hw" in capsys.readouterr().err
    assert snnc(*words, "--hw", own) == 0


def test_the_edits_are_many():
    assert 2 * (len(FILE_EDITS) + 1) + 2 * len(FOREIGN) + len(MANIFEST_EDITS) + len(MAPPING_EDITS) + 6 >= 50

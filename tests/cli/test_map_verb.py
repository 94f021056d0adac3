"""snnc map, the files that it writes, and what export believes of them."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from cases.mappings import LOIHI1
from cases.networks import fixed_chain, float_chain, spikes
from click.testing import CliRunner

from snnc import chips, store
from snnc.cli import main
from snnc.mapping.choose import map_by
from snnc.mapping.picture import picture
from snnc.mapping.task import Task
from snnc.simulation.reference import simulate


@pytest.fixture
def model(tmp_path):
    store.save(fixed_chain(0, (12, 40, 30, 5)), tmp_path / "net.snnc")
    return tmp_path / "net.snnc"


def mapped_by(*words):
    return CliRunner().invoke(main, ["map", *map(str, words)])


def test_map_verb_writes_a_mapping_and_a_picture(model, tmp_path):
    done = mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "m.json", "--picture", tmp_path / "m.svg")
    assert done.exit_code == 0, done.output
    for part in ("greedy", "sequential", "lower bound", "packets x hops", "footprint", "unknown without --rates"):
        assert part in done.stdout
    content = json.loads((tmp_path / "m.json").read_text())
    assert (content["schema"], content["profile"]) == ("snnc.mapping/1", "loihi1")
    svg = (tmp_path / "m.svg").read_text()
    assert svg.count("<title>core ") == len(content["cores"])
    ElementTree.fromstring(svg)
    assert mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "m.json").exit_code == 2
    again = mapped_by(model, "--hw", "loihi1", "-o", tmp_path / "n.json", "--picture", tmp_path / "n.svg")
    assert again.exit_code == 0
    assert (tmp_path / "n.json").read_bytes() == (tmp_path / "m.json").read_bytes()
    assert (tmp_path / "n.svg").read_text() == svg


def test_without_hw_it_is_the_chip_that_the_network_is_for(model, tmp_path):
    own, named = (mapped_by(model, *words, "--strategy", "greedy", "--json") for words in ((), ("--hw", "loihi1")))
    first, second = (json.loads(done.stdout) for done in (own, named))
    assert first["profile"] == second["profile"] == store.load(model).numeric.profile == "loihi1"
    checked = [CliRunner().invoke(main, ["check", str(model), *words]) for words in ((), ("--hw", "loihi1"))]
    assert checked[0].exit_code == 0
    assert checked[0].stdout == checked[1].stdout


@pytest.mark.parametrize("verb", ["map", "check"])
def test_a_network_for_no_chip_needs_a_name(verb, tmp_path):
    store.save(float_chain(), tmp_path / "float.snnc")
    fixed = fixed_chain()
    store.save(replace(fixed, numeric=replace(fixed.numeric, profile="mine")), tmp_path / "mine.snnc")
    for name, says in (("float", "is for no chip yet; name a chip with --hw"), ("mine", "no profile of snnc's; name its .toml")):
        done = CliRunner().invoke(main, [verb, str(tmp_path / f"{name}.snnc")])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert says in done.stderr


def test_map_verb_takes_rates_of_a_recorded_run(model, tmp_path):
    net = store.load(model)
    run = simulate(net, spikes(net))
    np.savez_compressed(tmp_path / "run.npz", **{f"spikes/{name}": raster for name, raster in run.spikes.items()})
    done = mapped_by(model, "--hw", "loihi1", "--strategy", "greedy", "--rates", tmp_path / "run.npz", "--json")
    body = json.loads(done.stdout)
    assert body["activation_sparsity"] == pytest.approx(1 - sum(run.spikes[p].sum() for p in ("hidden1", "hidden2", "output"))
                                                        / (3 * 16 * 75))  # fmt: skip
    assert [s["strategy"] for s in body["strategies"]] == [body["best"]] == ["greedy"]
    (tmp_path / "no.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "other.npz", **{"spikes/input": np.ones((1, 2, 3), np.uint8)})
    np.savez(tmp_path / "flat.npz", **{"spikes/input": np.ones(3)})
    missing = "has no spikes of the 12"
    for name, message in (("no", "is no file of rasters"), ("other", missing), ("flat", missing)):
        wrong = mapped_by(model, "--hw", "loihi1", "--rates", tmp_path / f"{name}.npz")
        assert (wrong.exit_code, message in wrong.stderr) == (2, True), wrong.stderr


def test_map_verb_refuses_what_the_chip_lacks(model, tmp_path):
    assert mapped_by(model, "--hw", "akd1000").exit_code == 4
    small = tmp_path / "small.toml"
    cores = '[chip]\ncores = { value = 1, confidence = "derived", source = "test" }\n[limits]\n'
    small.write_text(f'title = "s"\nextends = "loihi1"\n{cores}neurons_per_core = '
                     '{ value = 9, confidence = "derived", source = "test" }\n')  # fmt: skip
    done = mapped_by(model, "--hw", small)
    assert (done.exit_code, "needs 9 cores, small has 1" in done.stderr) == (3, True), done.stderr


def test_a_picture_of_two_chips():
    net = fixed_chain(0, (12, 140, 5))
    profile = replace(chips.load("kapoho_bay"), limits={**LOIHI1.limits, "neurons_per_core": 1})
    mapped = map_by(Task.of(net, profile), "greedy")
    assert mapped.cores == 145
    assert picture(mapped, profile).count("<title>core ") == 145


@pytest.fixture
def written(model, tmp_path):
    path = tmp_path / "m.json"
    assert mapped_by(model, "--hw", "loihi1", "--strategy", "greedy", "-o", path).exit_code == 0
    return path


def exported(model, mapping, *words):
    return CliRunner().invoke(
        main, ["export", str(model), "-t", "loihi", "-o", str(model.parent / "out"), "--mapping", str(mapping), *words]
    )


def test_a_mapping_is_exported_as_it_was_made(model, written):
    done = exported(model, written)
    assert done.exit_code == 0, done.output
    assert "on 1 cores of loihi1" in done.stdout
    assert json.loads((model.parent / "out" / "mapping.json").read_text()) == json.loads(written.read_text())


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("snnc.mapping/1", "snnc.mapping/2", 2, "expected 'snnc.mapping/1'"),
        ('"profile": "loihi1"', '"profile": "loihi2"', 2, "is for 'loihi2', not for 'loihi1'"),
        ('"stop": 40', '"stop": 39', 2, "they are to cover 0 .. 40"),
        ('"stop": 40', '"stop": 1e18', 2, "is no whole number"),
        ('"stop": 40', '"stop": 99999999', 2, "they are to cover 0 .. 40"),
        ('"population": "hidden1"', '"population": 3', 2, "is no text"),
        ('"population": "hidden1"', '"population": "hiden"', 2, "they are to cover 0 .. 40"),
        ('"index": 0', '"index": 128', 2, "names cores that loihi1 has not"),
        ('"index": 0', '"index": -1', 2, "names cores that loihi1 has not"),
        ('"index": 0', '"index": true', 2, "is no whole number"),
        ('"slices"', '"slice"', 2, "is damaged"),
        ("{", "[", 2, "is not JSON"),
    ],
)
def test_a_mapping_file_is_not_believed(model, written, old, new, code, message):
    text = written.read_text()
    assert old in text
    written.write_text(text.replace(old, new, 1))
    done = exported(model, written)
    assert (done.exit_code, message in done.stderr) == (code, True), done.stderr
    assert not (model.parent / "out").exists()


def test_a_mapping_is_held_against_the_chip_once_more(model, written, tmp_path):
    small = tmp_path / "loihi1.toml"
    limit = 'neurons_per_core = { value = 60, confidence = "derived", source = "test" }'
    small.write_text(f'title = "s"\nextends = "loihi1"\n[limits]\n{limit}\n')
    done = exported(model, written, "--hw", str(small))
    assert (done.exit_code, "needs 75 neurons, a core of loihi1 has 60" in done.stderr) == (3, True), done.stderr

"""Plug-ins of another package: one of every kind is found by its entry point and used in a chain; a broken one breaks no other.

The package is that of docs/how-to/publish-a-plug-in.md, and lies in tests/plug_in/.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from conftest import ROOT

from snnc import store

PACKAGE = ROOT / "tests" / "plug_in"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]


def install(folder, entries, name=PROJECT["name"]):
    """Write what an installer leaves beside the modules of a distribution."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [line for group, points in entries.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder on whose path the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE / "snnc_example", folder / "snnc_example")
    install(folder, PROJECT["entry-points"])
    return folder


def run(folder, *words, code=0, cwd=None):
    """What the command line prints with the packages of a folder."""
    call = [sys.executable, "-m", "snnc", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_page_shows_this_package():
    page = (ROOT / "docs" / "how-to" / "publish-a-plug-in.md").read_text()
    for file in ("pyproject.toml", "snnc_example/plain_lif.py"):
        assert f"\n{(PACKAGE / file).read_text()}```" in page


def test_it_is_written_with_public_names_only():
    for path in (PACKAGE / "snnc_example").glob("*.py"):
        for line in (line for line in path.read_text().splitlines() if line.startswith(("import snnc", "from snnc"))):
            assert re.match(r"import snnc$|from snnc import |from snnc\.plugin import |from snnc_example\.", line), line


def test_one_of_every_kind_is_listed(installed):
    listed = json.loads(run(installed, "targets", "--json").stdout)["targets"]
    assert listed["json_rows"]["neurons"]["plain_lif"] == listed["c"]["neurons"]["plain_lif"] == ""
    assert "json_rows has no neuron 'cuba'" in listed["json_rows"]["neurons"]["cuba"]
    assert "example_chip" in {p["name"] for p in json.loads(run(installed, "profiles", "--json").stdout)["profiles"]}
    assert "snnc-example 1.0" in run(installed, "doctor", "--no-run").stdout
    plug_ins = json.loads(run(installed, "doctor", "--no-run", "--json").stdout)["plug_ins"]
    assert {p["name"] for p in plug_ins} == {name for points in PROJECT["entry-points"].values() for name in points}
    assert {p["problem"] for p in plug_ins} == {""}
    assert {p["brought_by"] for p in plug_ins} == {"snnc-example 1.0"}


def test_its_importer_neuron_operator_chip_strategy_and_target_make_a_chain(installed, tmp_path):
    rng = np.random.default_rng(0)
    weights = {"weights": rng.normal(0.3, 0.4, (10, 12)).round(3).tolist(), "gains": rng.uniform(1.0, 2.0, 10).round(3).tolist()}
    (tmp_path / "net.weights.json").write_text(json.dumps(weights))
    for words in (
        "import net.weights.json -o net.snnc",
        "quantise net.snnc --hw example_chip -o fixed.snnc",
        "check fixed.snnc --hw example_chip",
        "map fixed.snnc --hw example_chip --strategy pairs -o mapping.json",
        "export fixed.snnc -t json_rows -o program",
    ):
        run(installed, *words.split(), cwd=tmp_path)
    verdict = run(
        installed, *["verify", "program", "--against", "fixed.snnc", "--random", "0.4", "--samples", "5"], cwd=tmp_path
    ).stdout
    assert "EXACT" in verdict.splitlines()[-1]
    described = json.loads(run(installed, "inspect", "fixed.snnc", "--json", cwd=tmp_path).stdout)
    assert "plain_lif" in json.dumps(described)
    assert "one_to_one" in json.dumps(described)
    assert len(json.loads((tmp_path / "mapping.json").read_text())["cores"]) == 10  # pairs of 20 neurons
    gone = run(tmp_path, "inspect", "fixed.snnc", code=4, cwd=tmp_path)  # where the package is not installed
    assert "plain_lif" in gone.stderr


def test_its_data_set_trains_and_its_method_prunes(installed, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    run(installed, *["train", "--data", "stripes", "--hidden", "16", "--epochs", "2", "-q", "-o", "net.snnc"], cwd=tmp_path)
    words = "prune net.snnc --data stripes --method one_shot --connectivity 0.2 --epochs 1 -q -o pruned.snnc"
    run(installed, *words.split(), cwd=tmp_path)
    kept = sum(c.op.synapses.count for c in store.load(tmp_path / "pruned.snnc").connections)
    assert kept == round(0.2 * (64 * 16 + 16 * 2))


BROKEN = {  # group -> name -> what the entry point names, and what is said of it
    "snnc.targets": {
        "bad": ("snnc_bad", "target 'bad': of snnc-bad 1.0 cannot be imported (ZeroDivisionError: division by zero); update or"),
        "gone": ("snnc_nowhere", "target 'gone': of snnc-bad 1.0 cannot be imported (ModuleNotFoundError: "),
        "c": ("snnc_bad", "target 'c': is offered by snnc-bad 1.0 and by snnc itself; rename it in snnc-bad 1.0"),
    },
    "snnc.neurons": {
        "bad": ("snnc_bad", "neuron model 'bad': of snnc-bad 1.0 cannot be imported"),
        "lies": ("lies", "neuron model 'lies': of snnc-bad 1.0 does not do what it says: compares with '>=', and 0 of "),
    },
    "snnc.ops": {
        "bad": ("json", "operator 'bad': of snnc-bad 1.0 is the module 'json'; give file and entry point one name"),
        "json": ("json", "operator 'json': of snnc-bad 1.0 has no OP; add it to the module"),
    },
    "snnc.importers": {"dumps": ("json:dumps", "importer 'dumps': of snnc-bad 1.0 is no module: json:dumps")},
    "snnc.chips": {
        "loihi1": ("json", "chip 'loihi1': is offered by snnc-bad 1.0 and by snnc itself"),
        "bad": ("json", "bad.toml of snnc-bad 1.0: has no bad.toml"),
        "wrong": ("snnc_wrong", "wrong.toml of snnc-bad 1.0: has no title"),
    },
    "snnc.methods": {"bad": ("snnc_bad", "pruning method 'bad': of snnc-bad 1.0 cannot be imported")},
    "snnc.datasets": {"bad": ("snnc_bad", "data set 'bad': of snnc-bad 1.0 cannot be imported")},
    "snnc.strategies": {"bad": ("snnc_bad", "strategy 'bad': of snnc-bad 1.0 cannot be imported")},
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A folder on whose path a package is installed of which nothing works."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "snnc_bad.py").write_text("1 / 0\n")
    honest = (PACKAGE / "snnc_example" / "plain_lif.py").read_text()
    (folder / "lies.py").write_text(honest.replace('comparator=">"', 'comparator=">="'))
    (folder / "snnc_wrong").mkdir()
    (folder / "snnc_wrong" / "__init__.py").write_text("")
    (folder / "snnc_wrong" / "wrong.toml").write_text("[chip]\n")
    install(folder, {group: {name: value for name, (value, _) in points.items()} for group, points in BROKEN.items()}, "snnc-bad")
    return folder


def test_those_that_do_not_work_name_their_distribution_and_break_no_list(broken):
    plug_ins = json.loads(run(broken, "doctor", "--no-run", "--json").stdout)["plug_ins"]
    problems = {(p["kind"], p["name"]): p["problem"] for p in plug_ins}
    expected = [problem for points in BROKEN.values() for _, problem in points.values()]
    assert len(problems) == len(expected)
    assert [e for e in expected if not any(p.startswith(e) for p in problems.values())] == []
    listed = run(broken, "targets", "--json")
    assert {"loihi", "npz"} < set(json.loads(listed.stdout)["targets"])
    assert listed.stderr.count("left out: ") == 7  # targets, neurons and operators
    profiles = run(broken, "profiles")
    assert "kapoho_bay" in profiles.stdout
    assert profiles.stderr.count("left out: ") == 3


def test_the_name_of_one_that_does_not_work_is_refused(broken, tmp_path):
    fixed = ROOT / "tests" / "report_run" / "fixed.snnc"
    for target in ("c", "bad"):
        refused = run(broken, "export", fixed, "-t", target, "-o", tmp_path / "out", code=5).stderr
        assert "snnc-bad 1.0" in refused
        assert "Traceback" not in refused
    run(broken, "export", fixed, "-t", "npz", "-o", tmp_path / "npz")
    assert "snnc-bad 1.0" in run(broken, "check", fixed, "--hw", "loihi1", code=5).stderr
    run(broken, "check", fixed, "--hw", "loihi2", "--remedies")


def test_two_packages_with_one_name_are_refused(tmp_path):
    for name in ("snnc-one", "snnc-two"):
        install(tmp_path, {"snnc.neurons": {"twice": "snnc_bad"}}, name)
    plug_ins = json.loads(run(tmp_path, "doctor", "--no-run", "--json").stdout)["plug_ins"]
    assert [p["problem"] for p in plug_ins] == [
        "neuron model 'twice': is offered by snnc-one 1.0 and by snnc-two 1.0; rename it in snnc-one 1.0, or uninstall that"
    ]

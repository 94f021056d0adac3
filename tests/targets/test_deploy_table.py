"""The deployment table: rebuilt on digits and held against results/deploy_table.json, and that pages show what the file has."""

import copy
import importlib.util
import json
import sys

import pytest
from cases import peers
from conftest import ROOT

from snnc import targets

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")

ROWS = json.loads((ROOT / "results" / "deploy_table.json").read_text())["rows"]
QUICK = ("c", "npz")
MARKS = {"lava": [pytest.mark.lava], "loihi": [pytest.mark.lava], "verilog": [pytest.mark.hdl]}


@pytest.fixture(scope="module")
def deploy():
    """The benchmark as a module; it imports from benchmarks/peers."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("deploy_table", ROOT / "benchmarks" / "deploy_table.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["deploy_table"] = module  # dataclasses look there
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


def of_digits():
    for target in sorted(key.partition("/")[2] for key in ROWS if key.startswith("digits/")):
        yield pytest.param(target, marks=[*MARKS.get(target, ()), *([] if target in QUICK else [pytest.mark.slow])])


@pytest.mark.parametrize("target", list(of_digits()))
def test_the_table_of_digits_is_what_it_was(deploy, target, monkeypatch):
    if target == "syntzulu":
        monkeypatch.setenv("SNNC_SYNTZULU_RTL", str(peers.rtl("SNNC_SYNTZULU_RTL", "syntzulu")))
    before = ROWS[f"digits/{target}"]
    now = deploy.row("digits", target, before["asked"], None)
    assert deploy.drift(before, now) == []
    if "exact" in now:
        assert now["exact"]
        assert all(now["fired"].values())


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("accuracy", "value"), 0.5, "accuracy"),
        (("exact",), False, "exact"),
        (("slots",), 1, "slots"),
        (("uses", "table_bytes", "value"), 1, "uses"),
        (("uses", "table_bytes", "how"), "measured", "uses"),
        (("operations", "value"), 1.5, "operations"),
    ],
)
def test_drift_is_seen(deploy, path, value, field):
    before = ROWS["digits/c"]
    now = copy.deepcopy(before)
    assert deploy.drift(before, now) == []
    place = now
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != value
    place[path[-1]] = value
    assert deploy.drift(before, now) == [field]
    assert "refused" in deploy.drift(before, {**before, "refused": "why"})


def test_every_target_has_a_row_for_every_network(deploy):
    assert {*ROWS} == {f"{name}/{target}" for name in deploy.NETWORKS for target in targets.names()}
    for key, row in ROWS.items():
        assert row.get("exact") or "refused" in row, key


def test_pages_show_what_the_file_has(deploy):
    for page, text in deploy.pages(ROWS).items():
        assert deploy.table([ROWS["mnist/c"]], network=False).splitlines()[-1] in text
        assert page.read_text() == text, "python benchmarks/deploy_table.py writes the table"

"""`snnc report`: what a folder holds is told, what it does not hold is called so, and no text in it is taken for markup."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
from cases.report_folders import EVIL, RUN, change, copy, diverged, hostile
from click.testing import CliRunner
from conftest import ROOT

from snnc import chips, store
from snnc.analysis.range_proof import prove_ranges
from snnc.budget.check import check
from snnc.cli import main
from snnc.report.grids import density, grid

pytest.importorskip("matplotlib", reason="the report needs matplotlib: pip install '.[report]'")

SECTIONS = (
    "summary",
    "training",
    "accuracy",
    "layers",
    "confusion",
    "weights",
    "sparsity",
    "budget",
    "map",
    "rasters",
    "divergence",
    "activity",
    "energy",
    "ranges",
    "provenance",
)
NEEDS = {  # file: the sections that lack something without it
    "summary.json": {"divergence", "activity", "confusion", "energy"},
    "pruned.metrics.jsonl": {"layers"},
    "fixed.snnc": {"summary", "weights", "budget", "map", "rasters", "energy", "ranges", "provenance"},
    "pruned.snnc": {"weights"},
    "recorded.npz": {"rasters"},
    "loihi/mapping.json": {"map", "energy"},
}


def snnc(*words):
    return CliRunner().invoke(main, [str(w) for w in words])


def page(folder, out, *more):
    """The page of a folder, and what was printed about it."""
    done = snnc("report", folder, "-o", out, "--json", *more)
    assert done.exit_code == 0, done.output
    return out.read_text(), json.loads(done.stdout)


def words(folder, *more):
    """The report as Markdown by section, without drawing; and the keys of those that lack something."""
    out = folder.parent / f"report{len(list(folder.parent.iterdir()))}.md"
    text, printed = page(folder, out, "--md", *more)
    parts = re.split(r"^## .*$", text.replace("\\", ""), flags=re.MULTILINE)[1:]
    return dict(zip(printed["sections"], parts, strict=True)), set(printed["not_recorded"])


def part(html, key):
    """The text of a section of a page, without its tags."""
    found = re.search(rf'<section id="{key}">(.*?)</section>', html, re.DOTALL)[1]
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The page of the small run, and what was printed about it."""
    return page(RUN, tmp_path_factory.mktemp("report") / "report.html")


def test_all_sections_are_there_and_nothing_is_missing(small):
    html, printed = small
    assert tuple(printed["sections"]) == SECTIONS
    assert printed["not_recorded"] == []
    assert printed["bytes"] == len(html.encode()) < 1_000_000
    assert re.findall(r'<section id="(\w+)"', html) == list(SECTIONS)


def test_the_numbers_are_those_of_the_files(small):
    html, summary = small[0], json.loads((RUN / "summary.json").read_text())
    told = part(html, "summary")
    for stage, key in (("trained", "test_accuracy_torch"), ("pruned", "test_accuracy"), ("fixed", "test_accuracy")):
        assert f"{100 * summary['stages'][stage][key]:.2f} %" in told
    verdict = summary["target_against_fixed"]
    assert f"EXACT. All of {verdict['spike_slots']:,} spike slots and {verdict['states']:,} states" in told
    fixed = store.load(RUN / "fixed.snnc")
    for core in check(fixed, chips.load("loihi1")).cores:
        for usage in core.uses:
            assert f"{usage.used:,} of {usage.limit:,} {100 * usage.share:.1f} %" in part(html, "budget")
    counted = summary["activity"]["fixed"]
    for name, spikes in counted["spikes"].items():
        assert f"{spikes / counted['samples']:,.1f}" in part(html, "activity"), name
    assert fixed.hash in part(html, "provenance")
    told = part(html, "ranges")
    for certificate in prove_ranges(fixed).certificates:
        for register in certificate.registers:
            assert f"{certificate.population}.{register.state}" in told
            assert f"{register.margin:,} cannot {register.overflow}" in told


def test_figures_say_in_words_what_they_show(small):
    figures = re.findall(r'<svg [^>]*role="img" aria-label="([^"]*)"', small[0])
    assert len(figures) == 14  # training 4, accuracy, connectivity, two layers, confusion, two connections, sparsity 3
    lines = [json.loads(line) for line in (RUN / "pruned.metrics.jsonl").read_text().splitlines()]
    assert f"while pruning {100 * lines[-1]['test_accuracy']:.2f} % at" in figures[4]
    best = max(lines, key=lambda line: line["test_accuracy"])
    assert f"best: epoch {best['epoch']}, {100 * best['test_accuracy']:.2f} %" in figures[2]
    assert all(len(words) > 40 for words in figures)


def test_the_page_needs_nothing_else(small):
    html = small[0]
    for address in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", html) + re.findall(r"url\(([^)]*)\)", html):
        assert address.startswith("#"), address
    assert "default-src 'none'" in html
    assert "@import" not in html


def test_equal_folders_give_equal_bytes(small, tmp_path):
    assert page(copy(tmp_path / "run"), tmp_path / "again.html")[0] == small[0]


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_missing_is_called_not_recorded(name, tmp_path):
    (copy(tmp_path / "run") / name).unlink()
    told, lacking = words(tmp_path / "run")
    assert lacking == NEEDS[name]
    for key in lacking:
        assert "Not recorded" in told[key]


def test_values_of_another_kind_are_not_recorded(tmp_path):
    folder = copy(tmp_path / "run")

    def spoil(body):
        body["stages"]["pruned"] = {"test_accuracy": "much", "parameter_connectivity": float("nan")}
        body["activity"] = body["source"] = [1]
        body["target_against_fixed"]["exact"] = "yes"
        body["network_hash"] = "0" * 64

    change(folder / "summary.json", spoil)
    (folder / "chain.json").write_text("{}")
    told, lacking = words(folder)
    assert lacking == {"divergence", "activity", "energy"}
    assert "| pruned | *not recorded* | *not recorded* | *not recorded* |" in told["summary"]
    assert "target against fixed: not recorded." in told["summary"]
    assert "the verdicts are not about this one" in told["summary"]
    assert "nan" not in told["summary"].lower()


def test_a_folder_with_nothing_but_a_configuration_has_a_page(tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(RUN / "chain.json", tmp_path / "run")
    told, lacking = words(tmp_path / "run")
    assert lacking == set(SECTIONS)
    assert "%" not in told["summary"]


def test_a_folder_made_by_hand_has_a_page(tmp_path):
    """Networks under any name, their metrics, and an exported program: what they tell of themselves is shown."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for stage, name in (("pruned", "a.snnc"), ("fixed", "z.snnc")):
        shutil.copy(RUN / f"{stage}.snnc", folder / name)
    shutil.copy(RUN / "pruned.metrics.jsonl", folder / "a.metrics.jsonl")
    shutil.copytree(RUN / "loihi", folder / "program")
    told, lacking = words(folder)
    assert lacking == {"confusion", "rasters", "divergence", "activity", "energy"}
    pruned = store.load(RUN / "pruned.snnc")
    assert f"| pruned | {100 * pruned.done[-1].settings['reached']['test_accuracy']:.2f} % |" in told["summary"]
    assert "Fits loihi1" in told["budget"]
    assert "cores of loihi1" in told["map"]
    shutil.copy(RUN / "pruned.snnc", folder / "b.snnc")
    refused = snnc("report", folder, "--md")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "two networks that could be pruned: a.snnc and b.snnc" in refused.stderr


def test_the_confusion_matrix_is_that_of_the_test_samples(small):
    counts = json.loads((RUN / "summary.json").read_text())["confusion"]
    fixed = json.loads((RUN / "summary.json").read_text())["stages"]["fixed"]["test_accuracy"]
    right, total = sum(counts[i][i] for i in range(10)), sum(map(sum, counts))
    assert right / total == fixed
    told = part(small[0], "confusion")
    assert f"{total:,} test samples" in told
    worst = max((counts[a][b], a, b) for a in range(10) for b in range(10) if a != b)
    assert f"{worst[1]} taken for {worst[2]} {worst[0]}" in told


@pytest.mark.parametrize("counts", [[[1, 2]], [[1, "2"], [3, 4]], [[-1]], [], {"a": 1}, [[True]]])
def test_a_matrix_that_is_none_is_not_recorded(counts, tmp_path):
    folder = copy(tmp_path / "run")
    change(folder / "summary.json", lambda body: body.update(confusion=counts))
    assert words(folder)[1] == {"confusion"}


def test_energy_is_events_times_the_costs_of_the_profile(small):
    counted, costs = json.loads((RUN / "summary.json").read_text())["activity"]["fixed"], chips.load("loihi1").costs
    operations = sum(counted["synaptic_operations"].values()) / counted["samples"]
    updates = counted["steps"] * (counted["neurons"]["hidden1"] + counted["neurons"]["output"])
    told = part(small[0], "energy")
    assert f"synapse read {operations:,.1f} {operations * costs.synapse_sparse_pj / 1e3:,.3f} nJ" in told
    assert f"{updates:,.1f} {updates * (costs.neuron_access_pj + costs.neuron_update_pj) / 1e3:,.3f} nJ" in told
    assert "Estimated, not measured" in told
    assert "second-hand" in told


def test_a_picture_of_a_matrix_shades_by_size_and_colours_by_sign():
    drawn = grid("k", "four cells", np.array([[1.0, -0.5, 0.0], [1.0, 1.0, 1e-9]]), ("column", 3), ("row", 2))
    assert re.findall(r'd="([^"]*)" fill="var\(--c(\d)\)" fill-opacity="([^"]*)"', drawn) == [
        ("M1 0h1v1h-1z", "2", "0.5"),
        ("M2 1h1v1h-1z", "1", "0.125"),
        ("M0 0h1v1h-1zM0 1h2v1h-2z", "1", "1"),
    ]
    part = density(np.array([0, 0, 3]), np.array([0, 1, 3]), (4, 4), (2, 2))
    assert part.tolist() == [[0.5, 0.0], [0.0, 0.25]]


def test_a_divergence_is_told_with_its_place_and_values(tmp_path):
    folder, first = diverged(tmp_path / "run")
    told, _ = words(folder)
    assert "target against fixed: NOT EXACT. 1 spikes differ in lava 0.10.0" in told["summary"]
    assert f"first at sample {first.sample}, step {first.step}, neuron {first.neuron} of hidden1" in told["divergence"]
    assert "| spike | {} | {} |".format(*first.spike) in told["divergence"]
    assert (first.sample, first.step, first.neuron) == (2, 5, 7)
    assert "target against fixed: 1 slots differ" in told["rasters"]


def test_text_from_files_is_never_markup(tmp_path):
    folder = hostile(tmp_path / "run")
    html = page(folder, tmp_path / "report.html")[0]
    assert EVIL not in html
    assert html.count("<script") == html.count("</script>") == 2  # its own, and the data of the rasters
    assert "<img" not in html
    assert "&lt;img src=x onerror=" in html
    text = snnc("report", folder, "--md").stdout
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>)", text)
    assert "http:" not in text
    assert "@team" not in text
    assert "](" not in text.replace("\\](", "").replace("\\]\\(", "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", "{", "summary.json: is not JSON"),
        ("summary.json", "[1]", "summary.json: is no JSON object"),
        ("pruned.metrics.jsonl", "{\n", "pruned.metrics.jsonl: is no file of metrics"),
        ("fixed.snnc", "x", "fixed.snnc: is not an snnc network"),
        ("recorded.npz", "x", "recorded.npz: is no recording of this network"),
        ("loihi/mapping.json", "{}", "mapping.json: has schema None"),
    ],
)
def test_a_damaged_file_gets_one_sentence(name, content, message, tmp_path):
    (copy(tmp_path / "run") / name).write_text(content)
    done = snnc("report", tmp_path / "run", "--md", "-o", tmp_path / "report.md")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert message in done.stderr
    assert not (tmp_path / "report.md").exists()


def test_a_file_that_the_folder_names_is_not_opened(tmp_path):
    folder = copy(tmp_path / "run")
    change(folder / "summary.json", lambda body: body.update(profile=str(ROOT / "hw_profiles" / "loihi2.toml")))
    change(folder / "chain.json", lambda body: body["goal"].update(target="../../elsewhere"))
    assert words(folder)[1] == {"summary", "budget", "map", "energy"}
    assert words(folder, "--hw", ROOT / "hw_profiles" / "loihi1.toml")[1] == {"map", "energy"}


def test_the_verb_says_what_it_wants(tmp_path):
    assert "the page needs a name; add -o report.html" in snnc("report", RUN).stderr
    assert "holds no run, no sweep and no .snnc files" in snnc("report", tmp_path, "--md").stderr
    assert "is no folder" in snnc("report", tmp_path / "none", "--md").stderr
    (tmp_path / "there.html").write_text("mine")
    refused = snnc("report", RUN, "-o", tmp_path / "there.html")
    assert (refused.exit_code, (tmp_path / "there.html").read_text()) == (2, "mine")
    assert snnc("report", RUN, "--md", "--json").exit_code == 2


def test_markdown_has_the_same_tables(small):
    text = snnc("report", RUN, "--md").stdout
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == re.findall(r"<h2[^>]*>([^<]*)", small[0])
    summary = json.loads((RUN / "summary.json").read_text())
    assert re.search(rf"\| pruned \| {100 * summary['stages']['pruned']['test_accuracy_torch']:.2f} % \|", text)
    for line in re.findall(r"^\|.*$", text, re.MULTILINE):
        assert line.endswith(" |")


def test_without_matplotlib_there_is_markdown_and_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = snnc("report", RUN, "-o", tmp_path / "report.html")
    assert (done.exit_code, "pip install '.[report]'" in done.stderr) == (5, True)
    assert snnc("report", RUN, "--md").exit_code == 0


def test_a_sweep_is_one_beside_the_networks_that_it_starts_from(tmp_path):
    row = "none-1-0.json"
    shutil.copy(ROOT / "results" / "mnist_gradr" / row, tmp_path / row)
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": "snnc.sweep/1", "name": "g"}))
    for seed in (0, 1):
        shutil.copy(RUN / "pruned.snnc", tmp_path / f"trained-{seed}-0123abcd.snnc")
    done = snnc("report", tmp_path, "--json", "-o", tmp_path / "report.html")
    assert json.loads(done.stdout)["sections"] == ["accuracy", "pruning", "provenance"]


def test_a_sweep_is_a_table_and_a_curve(tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(ROOT / "results" / "mnist_gradr", folder, ignore=shutil.ignore_patterns("*-[1-9].json"))  # one seed a row
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    change(folder / "none-1-0.json", lambda body: body.update(variant=EVIL))
    html, printed = page(folder, tmp_path / "report.html")
    assert printed["sections"] == ["accuracy", "pruning", "provenance"]
    for row in rows:
        assert f"{100 * row['test_accuracy']:.2f} %" in part(html, "accuracy")
        assert row["network_hash"] in part(html, "provenance")
    assert part(html, "pruning").count("at the end of each epoch of pruning.") == 2 * 6, "two figures of each method"
    assert "magnitude: test accuracy at the end of each epoch of pruning: 25 %, seed 0 ends at" in html
    assert html.count("<script") == 1
    (folder / "none-1-0.json").write_text(json.dumps({"schema": "snnc.sweep-run/1", "variant": "x"}))
    assert "has no connectivity" in snnc("report", folder, "--md").stderr

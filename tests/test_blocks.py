"""Every code block of the documents runs: as it is written, on small files of the names that it uses."""

import importlib
import re
import subprocess
import sys

import numpy as np
import pytest
from cases.blocks import LANGUAGES, PAGES, blocks, commands, lines, prepare, words
from cases.networks import fixed_chain, spikes
from conftest import ROOT, snnc

from snnc import importers
from snnc.simulation.reference import simulate

LEFT_OUT = {  # how a line begins, and why it is not run
    "make ": "the suite runs under make; that the target exists is tested below",
    ". .venv/bin/activate": "the suite runs in an environment",
    "pip install ": "needs the network; the extras and the versions are held against pyproject.toml and the Makefile below",
    "python -m venv peers": "needs the network",
    "python benchmarks/": "takes up to an hour; its options are tested below",
    "snnc export results/mnist_run/fixed.snnc": "the next line needs MNIST; tests/verification/test_coverage.py covers less",
    "snnc verify program --against results/mnist_run/fixed.snnc": "takes a minute, and MNIST",
    "git clone ": "needs the network",
    "snnc export fixed.snnc -t catalyst_n1": "needs a network for the chip; tests/exporters/test_catalyst_n1.py exports one",
    "snnc export fixed.snnc -t xylo": "needs a network for the chip; tests/exporters/test_chip_targets.py exports one",
    "snnc verify chip --against fixed.snnc": "needs the chip's RTL or simulator; tests/exporters/test_chip_targets.py has them",
    "iceprog ": "programs a board; tests/exporters/test_verilog_boards.py simulates one that reads its flash",
    "snnc build ": "synthesises for minutes; tests/exporters/test_verilog_build.py builds less",
    "snnc train --data mnist": "trains for minutes, on MNIST; the verb runs on other data elsewhere",
    "snnc export fitted.fixed.snnc": "of what the line before it trains",
    "snnc run examples/braille.toml -o out/braille": "trains for minutes; tests/pipeline/test_chain.py runs shorter chains",
    "snnc export out/braille/fixed.snnc": "of what the line before it trains",
    "snnc verify letters": "of what the lines before it train",
    "snnc prune dense.snnc --data mnist": "trains for minutes; tests/training/test_prune_to_fit.py runs the verb on less",
}
SLOW = {"README.md": [pytest.mark.lava], "docs/tutorial.md": [pytest.mark.lava], "docs/simulator.md": []}  # minutes
ELSEWHERE = {
    "docs/from-python.md": "tests/api/test_chain_example.py",
    "docs/how-to/write-a-target.md": "tests/exporters/test_write_a_target.py",
    "docs/how-to/publish-a-plug-in.md": "tests/test_plug_ins.py",
}  # what its blocks need is made there
WITH_CODE = ("docs/data.md", "docs/own-models.md", "docs/simulator.md", "docs/targets.md")


def name(page):
    return page.relative_to(ROOT).as_posix()


def left_out(line):
    return any(line.startswith(begin) for begin in LEFT_OUT)


def with_commands():
    pages = [name(page) for page in PAGES if any(not left_out(line) for line in commands(page)) and name(page) not in ELSEWHERE]
    return [pytest.param(page, marks=[pytest.mark.slow, *SLOW[page]] if page in SLOW else []) for page in pages]


@pytest.mark.parametrize("page", with_commands())
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch, request):
    """One after the other; those of docs/import.md are alternatives, and each has a folder of its own."""
    if page == "docs/simulator.md":
        monkeypatch.setenv("SNNC_DATA", str(request.getfixturevalue("mnist")))
    alone = page == "docs/import.md"
    for i, (language, text) in enumerate(blocks(ROOT / page)):
        folder = tmp_path / str(i * alone)
        if language == "sh" and not folder.exists():
            folder.mkdir()
            prepare(page, folder)
        for line in lines(text) if language == "sh" else ():
            run(line, folder, monkeypatch, in_process=page not in SLOW)


def run(line, folder, monkeypatch, in_process):
    """A command, as it is written, in a folder."""
    if left_out(line):
        return
    assert line.startswith("snnc "), f"{line!r} is not run: say why in LEFT_OUT"
    if in_process:
        monkeypatch.chdir(folder)
        assert snnc(*words(line)) == 0, line
        return
    done = subprocess.run([sys.executable, "-m", "snnc", *words(line)], cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    assert " verify " not in line or "EXACT" in done.stdout, line


def test_what_is_left_out_is_in_a_page():
    """So that no exception outlives its line."""
    found = [line for page in PAGES for line in commands(page)]
    assert [begin for begin in LEFT_OUT if not any(line.startswith(begin) for line in found)] == []


def test_every_block_has_a_language_and_every_language_a_test():
    code = {page: {language for language, _ in blocks(ROOT / page)} & {"python", "c"} for page in map(name, PAGES)}
    assert {language for page in PAGES for language, _ in blocks(page)} <= set(LANGUAGES)
    assert {page for page, found in code.items() if found} == {*WITH_CODE, *ELSEWHERE}
    assert {name(page) for page in PAGES if any(kind == "toml" for kind, _ in blocks(page))} == {
        "docs/how-to/write-a-profile.md",  # the test of the commands reads it
        "docs/how-to/publish-a-plug-in.md",  # tests/test_plug_ins.py
        "docs/scale.md",  # tested below
        "docs/training.md",  # tests/training/test_layers.py
    }


def test_the_description_of_the_scale_page_is_read(tmp_path):
    (text,) = [text for language, text in blocks(ROOT / "docs" / "scale.md") if language == "toml"]
    path = tmp_path / "ring.toml"
    path.write_text(text)
    net = importers.read(str(path)).network
    assert (net.tiles, [p.size for p in net.populations]) == (4, [400, 4000])


def test_no_command_hides_in_an_indented_block_or_among_output():
    command = re.compile(r"^\s*(snnc|python|make|pip) ", re.MULTILINE)
    for page in PAGES:
        assert not re.search(r"^ {4,}(snnc|python|make|pip) ", page.read_text(), re.MULTILINE), page
        assert not any(command.search(text) for language, text in blocks(page) if language == "text"), page


def test_the_targets_of_make_exist():
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wanted = {line.split()[1] for page in PAGES for line in commands(page) if line.startswith("make ")}
    named = {found for page in PAGES for found in re.findall(r"`make ([a-z-]+)`", page.read_text())}
    assert wanted | named <= rules
    assert {"demo", "test"} <= wanted


def test_what_is_installed_by_hand_is_what_the_suite_runs_with():
    said = [line for page in PAGES for line in commands(page) if line.startswith("pip install ")]
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert {extra for line in said for found in re.findall(r"\[([\w,]+)\]", line) for extra in found.split(",")} <= extras
    for line in (line for line in said if "lava-nc" in line):
        assert line.removeprefix("pip install ") in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands(page) if line.startswith("python benchmarks/")])
def test_the_options_of_benchmarks_exist(line):
    program, *rest = words(line)
    said = subprocess.run([sys.executable, ROOT / program, "--help"], capture_output=True, text=True, check=True).stdout
    options = [word for word in rest if word.startswith("--")]
    assert options
    assert [option for option in options if option not in said] == []


def test_the_data_page_loads_and_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(prepare("docs/data.md", tmp_path))
    first, second = [text for language, text in blocks(ROOT / "docs" / "data.md") if language == "python"]
    names = {"snnc": importlib.import_module("snnc")}
    exec(compile(first, "data.md", "exec"), names)
    assert names["net"].encoding.kind == "events"
    assert "def gestures(split)" in second  # tonic is no package of the suite
    compile(second, "data.md", "exec")


def code(page, language):
    """The one block of a language in a page."""
    (text,) = [text for found, text in blocks(ROOT / page) if found == language]
    return compile(text, page, "exec") if language == "python" else text


def test_the_training_loop_of_the_docs_prunes():
    """docs/own-models.md, with a network and a loader as its reader has them."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
    torch.manual_seed(0)
    names = {"net": torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.Linear(30, 5)), "epochs": 10, "loader": range(20)}
    exec(code("docs/own-models.md", "python"), names)
    for _ in range(200):
        names["optimizer"].zero_grad()
        names["net"](torch.rand(8, 20)).square().sum().backward()
        names["optimizer"].step()
    weights = [layer.weight for layer in names["net"]]
    kept = sum(int(torch.count_nonzero(weight)) for weight in weights)
    assert kept == round(0.05 * sum(weight.numel() for weight in weights))


def test_the_stream_of_the_docs_runs(tmp_path, monkeypatch):
    """docs/simulator.md: the stream ends as the output fires, and goes on from what was kept."""
    pytest.importorskip("numba", reason="the engine needs numba: pip install '.[engine]'")
    from snnc.simulation import engine
    from snnc.simulation.engine import saved

    monkeypatch.chdir(tmp_path)
    net = fixed_chain(threshold=100)
    inputs = spikes(net, samples=1, steps=12)
    chunks = [{"input": part} for part in np.split(inputs["input"], 6, axis=1)]
    names = {"net": net, "chunks": chunks}
    exec(code("docs/simulator.md", "python"), names)
    expected, done = simulate(net, inputs).spikes["output"], names["state"].steps
    assert expected[:, :done].any()
    assert 0 < done < 12
    rest = engine.stream(net, chunks[done // 2 :], state=saved.load(tmp_path / "state"))
    assert np.array_equal(np.concatenate([run.spikes["output"] for run, _ in rest], axis=1), expected[:, done:])


def test_the_onnx_session_of_the_docs_runs(tmp_path):
    prepare("docs/targets.md", tmp_path)
    (tmp_path / "a.py").write_text(dict(blocks(ROOT / "docs/targets.md"))["python"])
    said = subprocess.run([sys.executable, "a.py"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r"\[\[[ 0-9]+\]\]", said)) == 3
    assert re.search("[1-9]", said)


def test_the_c_program_of_the_docs_runs(tmp_path):
    prepare("docs/targets.md", tmp_path)
    (tmp_path / "a.c").write_text(code("docs/targets.md", "c"))
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsanitize=undefined,address"]
    files = [tmp_path / "a.c", tmp_path / "c" / "snn.c"]
    subprocess.run(["gcc", *strict, "-I", tmp_path / "c", *files, "-o", tmp_path / "run"], check=True)
    said = subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch("[01]{20}", said)
    assert "1" in said

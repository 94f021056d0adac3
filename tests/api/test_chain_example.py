"""The chain from Python: the script, the notebook and what the documents say of them are in step, and the notebook runs."""

import re

import pytest
from conftest import ROOT

jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed (extra dev)")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (extra dev)")
pytest.importorskip("nbclient", reason="nbclient is not installed (extra dev)")
pytest.importorskip("torch", reason="the notebook trains")

from docs.chain_notebook import NOTEBOOK, SCRIPT, cells, executed, printed  # noqa: E402

KERNEL = pytest.mark.filterwarnings("default")  # what jupyter's own packages warn of is not ours
QUICK = {
    "epochs=20": "epochs=2",
    "epochs=30": "epochs=2",
    "samples=100": "samples=10",
    '"loihi"': '"npz"',
    ", mapping=core_map": "",
}


def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


def without_numbers(text):
    return re.sub(r"[\d,.]+", "#", text).replace("cores", "core")


def test_script_and_notebook_are_in_step():
    assert cells(jupytext.reads(SCRIPT.read_text(), fmt="py:percent")) == cells(stored())


def test_the_notebook_holds_its_outputs_and_no_place_of_a_machine():
    assert all(cell.execution_count for cell in stored().cells if cell.cell_type == "code")
    assert printed(stored()).count("exact: True") == 2
    assert not re.search(r"/(work|tmp|root|home)/", NOTEBOOK.read_text())


def test_the_documents_say_what_it_prints():
    assert f"```text\n{printed(stored())}```" in (ROOT / "docs" / "from-python.md").read_text()


@KERNEL
def test_the_cells_run_quickly_with_fewer_epochs(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    script = SCRIPT.read_text()
    for words, fewer in QUICK.items():
        assert words in script
        script = script.replace(words, fewer)
    notebook = executed(script)
    assert printed(notebook).count(" 0 mismatches") == 2
    assert "474 of 9,472 synapses" in printed(notebook)
    assert "<table>" in notebook.cells[-1].outputs[-1].data["text/html"]


@KERNEL
@pytest.mark.slow
@pytest.mark.lava
def test_the_notebook_runs_and_prints_what_it_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    again = printed(executed(SCRIPT.read_text()))
    assert without_numbers(again) == without_numbers(printed(stored()))
    assert again.count(" 0 mismatches, exact: True") == 2

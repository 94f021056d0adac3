"""Write examples/chain.ipynb from examples/chain.py, with its outputs: python docs/chain_notebook.py."""

from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRIPT, NOTEBOOK = EXAMPLES / "chain.py", EXAMPLES / "chain.ipynb"
LONGEST_S = 600  # that a cell may take


def cells(notebook: Any) -> list[tuple[str, str]]:
    """Return the kind and the source of every cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def executed(script: str) -> Any:
    """Return the notebook of a script in jupytext's percent format, run; what goes to stderr is left out.

    Raises nbclient.exceptions.CellExecutionError if a cell fails.
    """
    notebook = jupytext.reads(script, fmt="py:percent")
    NotebookClient(notebook, timeout=LONGEST_S, kernel_name="python3").execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    return notebook


def printed(notebook: Any) -> str:
    """Return what the cells print."""
    streams = (out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs)
    return "".join(out.text for out in streams if out.output_type == "stream")


if __name__ == "__main__":
    made = executed(SCRIPT.read_text())
    nbformat.write(made, NOTEBOOK)
    print(printed(made), end="")

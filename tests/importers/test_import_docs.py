"""The table of neurons in docs/import.md is that of the code.

`SNNC_WRITE_DOCS=1 pytest tests/importers/test_import_docs.py` writes it.
"""

import os

import pytest
from conftest import ROOT

pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.from_snntorch.neurons import ACCEPTED, NO_RESET, READOUT, RECURRENT, REFUSED

PAGE = ROOT / "docs" / "import.md"
START, END = "<!-- made by tests/importers/test_import_docs.py -->\n", "<!-- end -->\n"


def delay(rule):
    return "any" if rule.reset_delay is None else str(rule.reset_delay)


def table():
    rows = [(*rule[:2], delay(rule), f"`{model}`") for rule, model in ACCEPTED.items()]
    rows += [(*rule[:2], delay(rule), f"refused: {why}") for rule, why in REFUSED.items()]
    for layer in sorted({rule.layer for rule in ACCEPTED}):
        rows.append((layer, "none", "any", f"refused: {NO_RESET}" if layer in RECURRENT else f"`{READOUT}`, at the end only"))
    order = list(dict.fromkeys(rule.layer for rule in ACCEPTED))
    rows.sort(key=lambda row: (order.index(row[0]), ["zero", "subtract", "none"].index(row[1]), row[2]))
    lines = ["| layer | reset_mechanism | reset_delay | becomes |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), "| others | | | refused |", ""])


def test_the_table_of_neurons_is_that_of_the_code():
    text = PAGE.read_text()
    before, rest = text.split(START)
    shown, after = rest.split(END)
    if os.environ.get("SNNC_WRITE_DOCS"):
        PAGE.write_text(before + START + table() + END + after)
        return
    assert shown == table()

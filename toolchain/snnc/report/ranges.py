"""What is certain about the range of every register, for all inputs that there can be. Part of report."""

from collections.abc import Iterator

from snnc.analysis.range_proof import RULES, Certificate, RangeProof, prove_ranges
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network
from snnc.report.blocks import Cell, Section, Share, Table, Text, not_recorded
from snnc.report.folder import RunFolder

TITLE = "Range certificates"


def ranges(run: RunFolder) -> Section:
    """Show for every register how far it can go, and whether it could wrap or saturate."""
    if run.fixed is None or not isinstance(run.fixed.numeric, Fixed):
        return Section("ranges", TITLE, (not_recorded("fixed.snnc, from whose integers they follow"),))
    return Section("ranges", TITLE, certificates(run.fixed))


def certificates(net: Network) -> tuple[Text, Table]:
    """Show what `snnc.analysis.range_proof` proves of the integers of a network."""
    proof = prove_ranges(net)
    unproved = [c.population for c in proof.certificates if not c.holds]
    verdict = (
        Text(f"It is not proved that no register of {', '.join(unproved)} wraps or saturates.", "bad")
        if unproved
        else Text(f"No register wraps or saturates, {_inputs(proof)}. Rule: {RULES[proof.rule]}.", "good")
    )
    rows = tuple(row for c in proof.certificates for row in _rows(c))
    columns = ("register", "reaches at most", "nearest to its end", "left to the end", "verdict")
    return verdict, Table(f"What each register has to hold, for {proof.scope}", columns, rows)


def _inputs(proof: RangeProof) -> str:
    return f"for {proof.scope}" if proof.budgets else "whatever the input"


def _rows(c: Certificate) -> Iterator[tuple[Cell, ...]]:
    if not c.registers:
        yield c.population, "no bound is known", f"{c.endless:,} neurons", "-", "not proved"
    for r in c.registers:
        far, end = (r.high, r.ends[1]) if r.upward else (r.low, r.ends[0])
        verdict = f"cannot {r.overflow}" if r.margin >= 0 else f"may {r.overflow}"
        yield (
            f"{c.population}.{r.state}",
            Share(far / end, f"{far:,} of {end:,}"),
            f"neuron {r.neuron:,}",
            f"{r.margin:,}",
            verdict,
        )

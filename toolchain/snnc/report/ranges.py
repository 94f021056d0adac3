"""What is certain about the range of every register, for all inputs that there can be. Part of report."""

from snnc.arith import Fixed
from snnc.bounds import current_bound
from snnc.ir import Network
from snnc.report.blocks import Section, Share, Table, Text, not_recorded
from snnc.report.folder import RunFolder

TITLE = "Range certificates"


def ranges(run: RunFolder) -> Section:
    """For every population how far its current can go, and whether the register could wrap."""
    if run.fixed is None or not isinstance(run.fixed.numeric, Fixed):
        return Section("ranges", TITLE, (not_recorded("fixed.snnc, from whose integers they follow"),))
    return Section("ranges", TITLE, certificates(run.fixed))


def certificates(net: Network) -> tuple[Text, Table]:
    """What `snnc.bounds` proves of the integers of a network."""
    bounds = current_bound(net)
    wrapping = [name for name, bound in bounds.items() if bound.wraps]
    rows = tuple(
        (f"{name}.u", Share(bound.reach / bound.limit, f"{bound.reach:,} of {bound.limit:,}"), f"{name} neuron {bound.neuron:,}",
         "can wrap" if bound.wraps else "cannot wrap")
        for name, bound in bounds.items()
    )  # fmt: skip
    verdict = (
        Text(f"The current of {', '.join(wrapping)} can wrap around for some input.", "bad")
        if wrapping
        else Text("No current can wrap around, whatever the input: it follows from the integers of the weights.", "good")
    )
    columns = ("register", "of its range", "reached by", "verdict")
    return verdict, Table("The largest |u| that any input can bring about", columns, rows)

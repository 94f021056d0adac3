"""The first section: what was proved, how well it classifies, how little is left, and whether it fits. Part of report."""

from collections.abc import Iterator
from typing import Any

from snnc.budget.check import Budget
from snnc.mapping.usage import words_for
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.model import Network
from snnc.report.blocks import Block, Section, Table, Text, not_recorded
from snnc.report.facts import at, flag, number, percent, text, whole
from snnc.report.folder import RunFolder

STAGES = ("trained", "pruned", "fixed")
PROOFS = {"float_against_torch": "float against torch", "target_against_fixed": "target against fixed"}


def overview(run: RunFolder, budget: Budget | None) -> Section:
    """Show verdicts, accuracies, connectivities and whether it fits."""
    blocks: list[Block] = [Text(*_verdict(run.summary, key, title)) for key, title in PROOFS.items()]
    blocks += [*_others(run), Text(*fit(budget)) if budget else not_recorded("whether it fits, as the chip is unknown")]
    return Section("summary", "Summary", (*blocks, _stages(run)))


def _verdict(summary: Any, key: str, title: str) -> tuple[str, Any]:
    verdict, exact = at(summary, key), flag(summary, key, "exact")
    if exact is None:
        return f"{title}: not recorded.", "note"
    who = text(verdict, "candidate") or "the other run"
    slots, states, samples = (whole(verdict, k) for k in ("spike_slots", "states", "samples"))
    with_states = "" if states == 0 else f" and {_count(states)} states"
    over = f"{_count(slots)} spike slots{with_states} of {_count(samples)} samples"
    if exact:
        return f"{title}: EXACT. All of {over} are equal in {who}.", "good"
    if at(verdict, "first") is None:
        return f"{title}: PROVES NOTHING. A population never fired in {over}.", "bad"
    return f"{title}: NOT EXACT. {_count(whole(verdict, 'mismatches'))} spikes differ in {who}, of {over}.", "bad"


def _count(value: int | None) -> str:
    return "an unrecorded number of" if value is None else f"{value:,}"


def _others(run: RunFolder) -> Iterator[Text]:
    differing, of = whole(run.summary, "fixed_against_float", "classes_differing"), whole(run.summary, "test_samples")
    if differing is not None and of is not None:
        yield Text(f"fixed against float: {differing:,} of {of:,} test samples are classified differently.")
    hashed = text(run.summary, "network_hash")
    if run.fixed and hashed and hashed != run.fixed.hash:
        yield Text("summary.json was written for another network than fixed.snnc: the verdicts are not about this one.", "bad")


def fit(budget: Budget) -> tuple[str, Any]:
    """Tell whether the network fits the chip, in a sentence with its tone."""
    binding = budget.binding
    tightest = f" Nearest to its limit: {words_for(binding.resource)}, {percent(binding.share, 1)}." if binding else ""
    if not budget.fits:
        return f"Does not fit {budget.profile}. {' '.join(budget.problems)}{tightest}", "bad"
    cores = f" in {budget.chip.used:,} of {budget.chip.limit:,} cores" if budget.chip and budget.chip.limit else ""
    unknown = f" Not public, so not checked: {'; '.join(budget.unknown)}." if budget.unknown else ""
    return f"Fits {budget.profile}{cores}.{tightest}{unknown}", "good"


def _stages(run: RunFolder) -> Table:
    samples = whole(run.summary, "test_samples")
    keys = ("test_accuracy_torch", "test_accuracy", "parameter_connectivity", "synapse_connectivity")
    stages = run.summary if run.summary is not None else {"stages": _by_networks(run)}
    shown = {stage: tuple(percent(number(stages, "stages", stage, key)) for key in keys) for stage in STAGES}
    shown["trained"] = (shown["trained"][0], shown["trained"][1] or "-", *shown["trained"][2:])  # only torch ran it
    shown["fixed"] = (shown["fixed"][0] or "-", *shown["fixed"][1:])  # torch has no such numbers
    return Table(
        f"Accuracy on {samples:,} test samples" if samples else "Accuracy on the test samples",
        ("stage", "torch, float32", "snnc", "parameter connectivity", "synapse connectivity"),
        tuple((stage, *cells) for stage, cells in shown.items()),
    )


def _by_networks(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Return what the networks themselves tell of the stages, for a folder without a summary."""
    stages = {}
    for name in STAGES:
        net: Network | None = getattr(run, name)
        if net:
            stages[name] = {
                "parameter_connectivity": parameter_connectivity(net),
                "synapse_connectivity": synapse_connectivity(net),
                "test_accuracy_torch": _reached(net),
            }
    return stages


def _reached(net: Network) -> float | None:
    """Return the accuracy that the last training of a network wrote into it."""
    reached = [number(stage.settings, "reached", "test_accuracy") for stage in net.done]
    return next((accuracy for accuracy in reached[::-1] if accuracy is not None), None)

"""Draw docs/images/chain.svg, the picture of the README, with the numbers of a run: python docs/chain_picture.py SUMMARY.json."""

import json
import sys
from pathlib import Path
from typing import Any

PICTURE = Path(__file__).parent / "images" / "chain.svg"
BOX, GAP, TOP = (150, 86), 22, 16
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .verb { font-weight: 600 } .number { fill: #0b5cad } .edge { stroke: #57606a; fill: none }
rect { fill: #f6f8fa; stroke: #8c959f } .proof { stroke: #1a7f37; fill: none; stroke-width: 1.5 } .proved { fill: #1a7f37; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .number { fill: #79c0ff } rect { fill: #161b22; stroke: #6e7681 } .edge { stroke: #8b949e }
  .proof { stroke: #3fb950 } .proved { fill: #3fb950 }
}
"""  # noqa: E501


def stages(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (verb, first line, second line) of each stage of the chain."""
    made, chip, verdict = summary["stages"], {row["resource"]: row for row in summary["chip"]}, summary["target_against_fixed"]
    cores, words = chip["cores"], chip["synapse_words_per_core"]
    return [
        ("train", f"{made['trained']['test_accuracy_torch']:.2%} accuracy", "all synapses"),
        (
            "prune (Grad R)",
            f"{made['pruned']['test_accuracy']:.2%} accuracy",
            f"{made['pruned']['synapse_connectivity']:.2%} of them",
        ),
        ("quantise", f"{made['fixed']['test_accuracy']:.2%} accuracy", f"integers of {summary['profile']}"),
        ("check, map", f"{cores['used']} of {cores['limit']} cores", f"{words['percent']:.1f}% of core memory"),
        ("export", "a Lava program", "runs without snnc"),
        ("verify", f"{verdict['spike_slots']:,} spikes", f"{verdict['mismatches']} mismatches"),
    ]


def drawn(summary: dict[str, Any]) -> str:
    """Return the picture as SVG text."""
    (width, height), boxes = BOX, stages(summary)
    total = len(boxes) * (width + GAP) - GAP + 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {TOP + height + 52}" role="img">',
        "<title>The chain of snnc, with the numbers of make demo</title>",
        f"<style>{STYLE}</style>",
    ]
    for i, (verb, first, second) in enumerate(boxes):
        x = 1 + i * (width + GAP)
        parts.append(f'<rect x="{x}" y="{TOP}" width="{width}" height="{height}" rx="6"/>')
        for line, (text, kind) in enumerate(((verb, "verb"), (first, "number"), (second, "number"))):
            parts.append(
                f'<text class="{kind}" x="{x + width / 2}" y="{TOP + 26 + 22 * line}" text-anchor="middle">{text}</text>'
            )
        if i:
            parts.append(f'<path class="edge" d="M{x - GAP} {TOP + height / 2}h{GAP - 6}l-5 -4m5 4l-5 4"/>')
    centres = [1 + i * (width + GAP) + width / 2 for i in range(len(boxes))]
    y = TOP + height
    for first, last, text in ((1, 0, "float = torch"), (5, 2, "program = integers, spike for spike")):
        depth = 22
        parts.append(f'<path class="proof" d="M{centres[first]} {y}v{depth}H{centres[last]}v-{depth}"/>')
        middle = (centres[first] + centres[last]) / 2
        parts.append(f'<text class="proved" x="{middle}" y="{y + depth + 18}" text-anchor="middle">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(drawn(json.loads(Path(sys.argv[1]).read_text())))

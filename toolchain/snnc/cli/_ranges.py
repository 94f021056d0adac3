"""The range proof for people and for scripts, and its options. Part of `snnc check`."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from snnc.analysis.range_proof import Certificate, RangeProof, Register, prove_ranges
from snnc.base.files import write_bytes
from snnc.network.model import Network
from snnc.report.terminal import print_table
from snnc.verification.refute import Driven, refute

DOES = {"wrap": "wraps around", "saturate": "saturates", "clamp": "saturates"}


@dataclass(frozen=True)
class JudgedRanges:
    """A range proof, and for populations without a certificate how far an input drove their registers (None: not tried)."""

    proof: RangeProof
    driven: dict[str, Driven | None]

    def verdict(self, c: Certificate) -> str:
        """Return "proved", "refuted" or "unknown"."""
        driven = self.driven.get(c.population)
        return "proved" if c.holds else "refuted" if driven and driven.beyond else "unknown"

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; they describe a raster by its size and its messages, and `write_inputs` writes it."""
        body = self.proof.to_json()
        for c in self.proof.certificates:
            entry = {"verdict": self.verdict(c)}
            if d := self.driven.get(c.population):
                entry["tried"] = _tried(d)  # type: ignore[assignment]
            body["populations"][c.population] |= entry
        return body


def _tried(d: Driven) -> dict[str, Any]:
    return {
        "neuron": d.target.neuron, "state": d.target.state, "overflow": d.overflow,
        "value": d.value, "step": d.step, "beyond": d.beyond,
        "steps": next(iter(d.inputs.values())).shape[1], "messages": {k: int(np.count_nonzero(x)) for k, x in d.inputs.items()},
    }  # fmt: skip


def judge_ranges(net: Network, steps: int | None, max_spikes: int | None, *, try_inputs: bool) -> JudgedRanges:
    """Return the proof, and with ``try_inputs`` also inputs that try to do what the proof could not exclude."""
    proof = prove_ranges(net, steps=steps, max_spikes_per_step=max_spikes)
    open_ones = [c for c in proof.certificates if not c.holds] if try_inputs else []
    return JudgedRanges(proof, {c.population: refute(net, proof, c) for c in open_ones})


def write_inputs(judged: JudgedRanges, path: Path, force: bool) -> None:
    """Write the inputs that made a register wrap or saturate, as arrays ``population/input`` of (1, steps, n)."""
    arrays = {
        f"{name}/{source}": raster
        for name, d in judged.driven.items()
        if d and d.beyond
        for source, raster in d.inputs.items()
    }  # fmt: skip
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
    write_bytes(path, packed.getvalue(), force=force)


def print_proof(name: str, judged: JudgedRanges) -> None:
    """Print the most that each register has to hold, and what an input did where that exceeds the register."""
    proof = judged.proof
    states = list(dict.fromkeys(r.state for c in proof.certificates for r in c.registers))
    rows = [
        (c.population, judged.verdict(c), f"{c.current[0]:,} .. {c.current[1]:,}", *(_span(c, state) for state in states),
         f"{c.silent:,} of {c.neurons:,}")
        for c in proof.certificates
    ]  # fmt: skip
    spans = (f"{state} (of its register)" for state in states)
    columns = ("population", "no wrap, no saturation", "input of a step", *spans, "never fire")
    print_table(f"{name}: what registers have to hold at most, {_scope(proof)}", columns, rows)
    for c in proof.certificates:
        if not c.holds:
            click.echo(_sentence(c, judged.driven.get(c.population), proof))
    if proof.holds:
        click.echo(f"{name}: no register can wrap or saturate, {_scope(proof)} (network {proof.network_hash[:12]})")


def _scope(proof: RangeProof) -> str:
    time = f"within {proof.steps:,} steps" if proof.steps else "ever"
    return f"{time}, for {proof.scope}"


def _span(c: Certificate, state: str) -> str:
    r = next((r for r in c.registers if r.state == state), None)
    return f"{r.low:,} .. {r.high:,} ({_share(r):.1%})" if r else "-"


def _share(r: Register) -> float:
    return max(r.high / r.ends[1], r.low / r.ends[0])


def _sentence(c: Certificate, driven: Driven | None, proof: RangeProof) -> str:
    r = c.worst
    if driven and driven.beyond:
        steps = next(iter(driven.inputs.values())).shape[1]
        where, does = f"population {c.population!r}, neuron {driven.target.neuron}", DOES[driven.overflow]
        return (
            f"{where}: {does}: an input of {steps:,} steps leads to {driven.value:,} in step {driven.step}; the reference agrees"
        )
    place = f"population {c.population!r}" + (f", neuron {r.neuron}" if r else "")
    if r is None:
        return f"{place}: unknown: no bound is known of the states of {c.endless:,} neurons; no input led one past its register"
    past = f"{r.state} has a bound of {-r.margin:,} beyond {r.ends[1] if r.upward else r.ends[0]:,}"
    if driven is None:
        return f"{place}: unknown: {past}; no input was tried, as too much lies before it"
    return f"{place}: unknown: {past}, not shown reachable; the input tried led neuron {driven.target.neuron} to {driven.value:,}"

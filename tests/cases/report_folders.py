"""Run folders for the tests of the report: that of a small chain, one whose program spiked otherwise, one that means harm."""

import json
import shutil
from dataclasses import asdict, replace

from conftest import ROOT

from snnc import store
from snnc.pipeline.recording import RECORDING, Recorder, read_recording
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

RUN = ROOT / "tests" / "report_run"
EVIL = (
    "</script><script>window.harmed=1</script><img src=x onerror='window.harmed=1'>\"]]>-->`@team` [a](http://evil.example)|$x$"
)


def copy(folder, run=RUN):
    """A run, the small one, to be changed."""
    shutil.copytree(run, folder)
    return folder


def change(path, edit):
    """Edit a JSON file in place."""
    body = json.loads(path.read_text())
    edit(body)
    path.write_text(json.dumps(body))


def diverged(folder, run=RUN):
    """The run, had the program sent one spike more or less; returns the folder and the first divergence."""
    copy(folder, run)
    net = store.load(folder / "fixed.snnc")
    pair = read_recording(folder / RECORDING, net).pairs["target_against_fixed"]
    reference = simulate(net, {net.inputs[0].name: pair.spikes[0][net.inputs[0].name]}, record=True)
    raster = reference.spikes["hidden1"].copy()
    raster[2, 5, 7] ^= 1
    candidate = replace(reference, by="lava 0.10.0", spikes={**reference.spikes, "hidden1": raster})
    verdict = compare(reference, candidate)
    recorder = Recorder(net, pair.labels)
    recorder.keep("target_against_fixed", 0, reference, candidate, verdict)
    recorder.write(folder / RECORDING)
    change(
        folder / "summary.json",
        lambda body: body["target_against_fixed"].update(exact=False, mismatches=1, first=asdict(verdict.first)),
    )
    return folder, verdict.first


def hostile(folder):
    """The run with harm in every text that a file can hold."""
    copy(folder)

    def spoil(body):
        for key, value in list(body.items()):
            if isinstance(value, dict):
                spoil(value)
            elif isinstance(value, str):
                body[key] = EVIL
        body[EVIL] = EVIL

    for name in ("summary.json", "chain.json"):
        change(folder / name, spoil)
    change(folder / "summary.json", lambda body: body.update(profile="loihi1"))
    change(folder / "chain.json", lambda body: body["goal"].update(target="loihi"))
    lines = [json.loads(line) for line in (folder / "pruned.metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line["layers"] = {EVIL: next(iter(line["layers"].values()))}
    (folder / "pruned.metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    net = store.load(folder / "fixed.snnc")
    store.save(
        replace(net, done=tuple(replace(s, settings={**s.settings, EVIL: EVIL}) for s in net.done)),
        folder / "fixed.snnc",
        force=True,
    )
    return folder

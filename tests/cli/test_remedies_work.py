"""Remedies that are tried: each refusal is provoked, what its message says to add or to run is done, and the refusal is gone."""

import re
import shlex

import numpy as np
import pytest
from cases.networks import fixed_chain, float_chain
from click.testing import CliRunner

from snnc import store
from snnc.cli import VERBS, main

ONE = (
    r"(?<![\w-])--[a-z][a-z-]*(?: (?!--)[\w.:=/-]+(?=$|[,;)]| or | and | --))?"  # an option, with its value if that ends a clause
)
TOGETHER = re.compile(rf"{ONE}(?: {ONE})*")
COMMAND = re.compile(r"snnc ((?:" + "|".join(VERBS) + r")\b[^;,()]*)")
PROSE = {"with", "to", "or", "and"}

CASES = {  # what is refused -> what an option of the remedy is given where the message leaves it open
    "export fixed.snnc -t npz -o program": {"out": "elsewhere"},
    "quantise float.snnc --hw loihi1 -o fixed.snnc": {"out": "other.snnc"},
    "verify altered --against fixed.snnc --random 0.4 --samples 3 -q": {},
    "simulate plain.snnc": {"inputs": "rasters.npz"},
    "import net.xyz -o n.snnc": {"from": "nir"},
    "import net.nir -o n.snnc": {"dt": "1e-4"},
    "import net.nir --dt 1e-4 -o n.snnc": {"discretise": "euler"},
    "export own.snnc -t loihi -o own": {"hw": "mine.toml"},
    "train --kernel fused --device cuda --hidden 8 --epochs 1 -o t.snnc -q": {},
    "train --neuron li --hidden 8 --epochs 1 -o t.snnc -q": {"readout": "li --neuron lif", "neuron": "lif"},  # one and the other
    "prune float.snnc --epochs 1 -o p.snnc -q": {},
    "prune float.snnc --fit loihi1:cores=1,packets=1 --method none --epochs 1 -o p.snnc -q": {},
    "prune float.snnc --connectivity 0.9 --prior paper --epochs 1 -o p.snnc -q": {},
    "train --loss membrane --hidden 8 --epochs 1 -o t.snnc -q": {},
    "export floats.snnc -t onnx --max-synapses 10 -o c": {},
    "report nowhere -o r.html": {},
    "check fixed.snnc --hw loihi9": {},
    "targts": {},
    "export fixed.snnc -t nxp -o x": {},
    "inspect float.snnx": {},
    "simplify float.snnc -o s.snnc": {},
}


def run(text):
    """(exit code, the error that is told) of a command line."""
    done = CliRunner().invoke(main, shlex.split(text))
    return done.exit_code, done.stderr[max(done.stderr.rfind("error: "), 0) :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the commands name."""
    from dataclasses import replace

    from cases.convolutions import convolutional

    from snnc import chips, targets
    from snnc.network.arithmetic import Float

    folder = tmp_path_factory.mktemp("refused")
    fixed, plain = fixed_chain(), replace(fixed_chain(), encoding=None)
    own = replace(fixed, numeric=replace(fixed.numeric, profile="mine"))
    nets = {
        "fixed": fixed,
        "float": float_chain(sizes=(64, 20, 10)),
        "plain": plain,
        "own": own,
        "floats": convolutional(Float()),
    }
    for name, net in nets.items():
        store.save(net, folder / f"{name}.snnc")
    for name in ("program", "altered"):
        targets.export("npz", fixed, None, folder / name)
    (folder / "altered" / "run.py").write_text((folder / "program" / "run.py").read_text() + "\n")
    np.savez(folder / "rasters.npz", input=np.ones((1, 4, 12), np.uint8))
    profile = (chips.folder() / "loihi1.toml").read_text()
    (folder / "mine.toml").write_text(re.sub(r'^name = "loihi1"', 'name = "mine"', profile, flags=re.MULTILINE))
    for name in ("net.xyz", "net.nir"):
        _write_nir(folder / name)
    return folder


def _write_nir(path):
    nir = pytest.importorskip("nir", reason="the NIR package writes the file")
    ones = np.ones(3)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([3])}),
        "fc": nir.Linear(weight=np.eye(3)),
        "n": nir.LIF(tau=ones * 1e-3, r=ones, v_leak=ones * 0, v_threshold=ones),
        "output": nir.Output(output_type={"output": np.array([3])}),
    }
    nir.write(path, nir.NIRGraph(nodes, [("input", "fc"), ("fc", "n"), ("n", "output")]))


@pytest.mark.parametrize("words", CASES)
def test_what_the_message_says_makes_the_refusal_go(words, folder, monkeypatch):
    monkeypatch.chdir(folder)
    code, said = run(words)
    assert code in (1, 2, 3, 4, 5), said
    assert said.count("\n") == 1
    verb = words.split()[0]
    remedies = list(told(words, said, CASES[words]))
    for command in remedies:
        again, then = run(command)
        assert (again, then) != (code, said), f"{command!r} is refused alike"
        assert "no such option" not in then.lower(), then
    if "--" in said.rpartition(";")[2] and verb in VERBS:
        assert remedies, f"no remedy of {said!r} was tried"


def told(words, said, open_values):
    """The commands that a message proposes: those it writes out, and the refused one with an option added or changed."""
    for command in COMMAND.findall(said):
        yield f"{command} --help"
    fix = COMMAND.sub("", said.rpartition(";")[2]).strip()
    for options in TOGETHER.findall(fix):
        command = words
        for option, _, value in (one.partition(" ") for one in re.findall(ONE, options)):
            value = "" if value in PROSE else open_values.get(option[2:], value)
            kept = re.sub(rf" ({option}|{option[1:3]})(?= )[^-]*(?= -|$)", "", f"{command} ").strip()
            command = f"{kept} {option} {value}".strip()
        yield command

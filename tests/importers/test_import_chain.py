"""Every kind of population that an importer makes can be quantised, and is exact in every target that takes it."""

from functools import cache

import pytest

import snnc
from snnc import chips, targets
from snnc.errors import UnsupportedError
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.arithmetic import Fixed
from snnc.passes.quantise import quantise
from snnc.verification.prove import from_noise, verify_artifact

pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from cases.imported_networks import MADE, MODULES, NIR

CHIP = "loihi1"
RUNNABLE = tuple(name for name in targets.names() if targets.is_runnable(targets.load(name)))
SMALL = (*NIR, *MODULES, "counts", "netx image", "netx average")
QUICK = {  # a target for each kind of population; the slow test takes all
    "bias neuron": "c", "output without neurons": "onnx", "threshold": "nir", "no memory": "netx", "CubaLI": "npz",
    "delay": "sanafe", "values": "verilog", "Synaptic with a bias": "c", "Synaptic that waits": "onnx", "Lapicque": "npz",
    "RLeaky one to one": "nir", "own parameters": "sanafe", "counts": "verilog", "netx image": "npz", "netx average": "netx",
    "keeps all": "loihi",
}  # fmt: skip
READ = ("output without neurons", "LI", "CubaLI", "I", "values", "Leaky that is read", "Synaptic that is read", "netx image",
        "netx average")  # fmt: skip
LATE = ("Synaptic that waits", "Lapicque", "RSynaptic")  # cuba_refractory
SOFT = ("Leaky", "Synaptic with a bias")  # cuba_subtract
CURRENT = ("bias neuron", "netx average")  # cuba
REFUSED = {  # among SMALL
    "npz": (), "c": (), "onnx": (), "verilog": (),
    "nir": (*LATE, *SOFT, "netx image"),
    "sanafe": (*READ, *LATE, *SOFT, *CURRENT, "counts"), "lava": (), "loihi": READ,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function: name -> (network as it was imported, the same in the integers of a chip)."""
    folder = tmp_path_factory.mktemp("made")

    @cache
    def of(name):
        net = MADE[name](folder)
        return net, net if isinstance(net.numeric, Fixed) else quantise(net, chips.load("loihi2"))

    return of


def mapped(target, net):
    """The mapping that a target needs, or None if it needs none."""
    profile = chips.load(CHIP)
    return place(net, split(net, profile), profile) if targets.load(target).NEEDS_MAPPING else None


def exported(target, net, folder):
    """The artifact of a target, or None if it says no."""
    try:
        return targets.export(target, net, mapped(target, net), folder)
    except UnsupportedError:
        return None


def must_be_exact(artifact, net):
    verdict = verify_artifact(artifact, net, from_noise(net, 25, 0.35, 0), 2).verdict
    assert verdict.exact, verdict
    assert sum(verdict.fired.values()) > 20


@pytest.mark.lava
@pytest.mark.hdl
@pytest.mark.parametrize(("name", "target"), QUICK.items())
def test_what_is_imported_is_exact_in_a_target(name, target, made, tmp_path):
    _, fixed = made(name)
    artifact = exported(target, fixed, tmp_path / "a")
    assert artifact
    must_be_exact(artifact, fixed)


def test_a_decay_that_the_chip_does_not_hold_is_told(made):
    said = []
    snnc.quantise(made("no memory")[0], CHIP, say=said.append)
    assert said == [
        "note: decay_v of 'n1' is 1 and becomes 4095 / 4096, the most that loihi1 holds: a small rest of the state stays"
    ]
    snnc.quantise(made("delay")[0], CHIP, say=said.append)
    assert len(said) == 1


@pytest.mark.parametrize("target", REFUSED)
def test_a_target_says_no_to_no_more_than_it_has_to(target, made):
    networks = {name: made(name)[1] for name in SMALL}
    refusing = {name for name, net in networks.items() if targets.load(target).problems(net, mapped(target, net))}
    assert refusing == {*REFUSED[target]}


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.hdl
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", MADE)
def test_whatever_is_imported_is_exact_in_every_target_that_takes_it(name, target, made, tmp_path):
    net, fixed = made(name)
    for number, one in enumerate(dict.fromkeys((net, fixed)) if target == "nir" else (fixed,)):
        if artifact := exported(target, one, tmp_path / str(number)):
            must_be_exact(artifact, one)

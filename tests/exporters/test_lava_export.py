"""What the targets lava and loihi write and refuse, without running Lava."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.exported import export, mapped, proof, said_by_export, saved, without_packages
from cases.networks import LOIHI, fixed_chain, fixed_loops, float_chain
from hypothesis import given, settings
from hypothesis import strategies as st
from snnc.exporters import lava

from snnc import chips, targets
from snnc.cli import main
from snnc.errors import MissingDependencyError, RunError, UnsupportedError
from snnc.network.arithmetic import bias_parts
from snnc.network.model import Connection
from snnc.network.synapses import Synapses


@pytest.fixture
def artifact(tmp_path):
    """The folder of an export to Lava."""
    return export("lava", fixed_chain(), tmp_path / "a").root


def test_the_mapping_is_written(tmp_path):
    net = fixed_chain()
    export("loihi", net, tmp_path / "a")
    assert json.loads((tmp_path / "a" / "mapping.json").read_text()) == json.loads(json.dumps(mapped(net).to_json()))


def with_delays(**delays):
    """`fixed_loops` with other delays."""
    net = fixed_loops()
    return replace(net, connections=tuple(replace(c, delay_steps=delays.get(c.name, c.delay_steps)) for c in net.connections))


def all_at_once():
    """A network with several things that cannot be exported."""
    net = with_delays(back=1)
    populations = tuple(replace(p, neuron=p.neuron and replace(p.neuron, bias=8191)) for p in net.populations)
    return replace(net, populations=populations)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (float_chain(), ["float network; quantise it first"]),
        (
            all_at_once(),
            [
                "a loop through 'hidden1', 'output' has fewer delay steps than hops",
                "'hidden1' has a bias of 8191",
                "'output' has a bias of 8191",
            ],
        ),
        (
            with_delays(twin=63, again=70),
            ["'again' needs a delay of 69 steps, Lava's synapses have at most 62; shorten it", "'twin' needs a delay of 63"],
        ),
        (
            replace(fixed_chain(), numeric=replace(fixed_chain().numeric, state_bits=23, state_shift=5)),
            ["state_bits = 23", "state_shift = 5"],
        ),
    ],
)
def test_everything_unsupported_is_said_at_once(net, said, tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        targets.export("lava", net, None, tmp_path / "a")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    for part in said:
        assert part in str(caught.value)


def test_a_current_that_wraps_twice_is_refused(tmp_path):
    """Lava wraps once a step, so that 8 synapses of 254 << 7 are just possible, and 9 are not."""
    for count, fits in ((8, True), (9, False)):
        net = fixed_chain(sizes=(count, 2, 2))
        op = replace(net.connections[0].op, synapses=Synapses.from_dense(np.full((2, count), 254)), exponent=7)
        net = replace(net, connections=(Connection("fc1", "input", "hidden1", op), net.connections[1]))
        assert bool(lava.problems(net, None)) != fits


def own_profile(folder, name, old, new):
    """loihi1 with one line changed, as a profile of the user's own."""
    text = (chips.folder() / "loihi1.toml").read_text()
    assert old in text
    (folder / f"{name}.toml").write_text(text.replace(old, new))
    return str(folder / f"{name}.toml")


def test_graded_input_needs_a_chip_that_has_it(tmp_path, capsys):
    net = fixed_chain()
    graded = (replace(net.populations[0], message_bits=4), *net.populations[1:])
    path = saved(replace(net, populations=graded), tmp_path)
    code, said = said_by_export(capsys, path, "-t", "loihi")
    assert code == 4
    assert "sends 4-bit messages, loihi1 has no graded spikes" in said
    assert said_by_export(capsys, path, "-t", "lava")[0] == 0


def test_export_refuses_what_check_refuses(tmp_path, capsys):
    """A profile of the user's own is asked, even one that is named as one of ours."""
    path = saved(fixed_chain(), tmp_path)
    for name in ("loihi1", "mychip"):
        chip = own_profile(tmp_path, name, '["lif", "cuba"]', '["cuba"]')
        with pytest.raises(SystemExit) as end:
            main(["check", str(path), "--hw", chip, "--json"])
        assert end.value.code == 4
        capsys.readouterr()
        code, said = said_by_export(capsys, path, "-t", "loihi", "--hw", chip)
        assert code == 4
        assert "has neurons 'lif'" in said


def test_a_chip_that_export_cannot_know_or_use(tmp_path, capsys):
    net = fixed_chain()
    path = saved(replace(net, numeric=replace(net.numeric, profile="mychip")), tmp_path)
    code, said = said_by_export(capsys, path, "-t", "loihi")
    assert (code, "was quantised for 'mychip'" in said, "name its file with --hw" in said) == (2, True, True)
    code, said = said_by_export(capsys, path, "-t", "lava", "--hw", "loihi1")
    assert (code, "target 'lava' maps to no chip" in said) == (2, True)


def test_a_mapping_of_another_network_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match=r"'hidden1': slices end at neurons \[0, 9\], they are to cover 0 .. 20"):
        targets.export("loihi", fixed_chain(), mapped(fixed_chain(sizes=(12, 9, 5))), tmp_path / "a")
    with pytest.raises(UnsupportedError, match="no mapping"):
        targets.export("loihi", fixed_chain(), None, tmp_path / "a")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.one_of(st.integers(-(1 << 20), 1 << 20), st.builds(lambda m, e: m << e, st.integers(-4096, 4095), st.integers(0, 7))))
def test_a_bias_is_factored_exactly_or_refused(bias):
    possible = any(bias % (1 << e) == 0 and -4096 <= bias // (1 << e) <= 4095 for e in range(8))
    mantissa, exponent = bias_parts(bias, LOIHI)
    assert (exponent >= 0) == possible
    if possible:
        assert mantissa * 2**exponent == bias
        assert -4096 <= mantissa <= 4095
        assert 0 <= exponent <= 7


def test_without_lava_export_works_and_verify_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    path = saved(fixed_chain(), tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["export", str(path), "-t", "loihi", "-o", str(tmp_path / "a")])
    assert end.value.code == 0
    assert "on 2 cores of loihi1" in capsys.readouterr().out
    monkeypatch.setenv("SNNC_LAVA_PYTHON", without_packages(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "a"), "--against", str(path), "--random", "0.3", "--samples", "2", "--json"])
    assert end.value.code == MissingDependencyError.exit_code
    said = json.loads(capsys.readouterr().out)
    assert "No module named 'numpy'" in said["message"]
    assert "pip install numpy scipy" in said["fix"]
    assert "pip install --no-deps --ignore-requires-python lava-nc==0.10.0" in said["fix"]


def test_an_interpreter_that_is_not_there(artifact, monkeypatch):
    monkeypatch.setenv("SNNC_LAVA_PYTHON", "/no/such/python")
    with pytest.raises(RunError, match="SNNC_LAVA_PYTHON"):
        proof(artifact)

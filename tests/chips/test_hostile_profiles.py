"""A hostile or broken profile is refused with one short sentence, at once."""

import os
import time

import pytest
from click.testing import CliRunner

from snnc import chips
from snnc.cli import main
from snnc.errors import ProfileError

SOURCE = 'source = "t", confidence = "derived"'
DEEP = ".".join("a" * 5000)


def one(part, key, value):
    """Loihi 1 with one other entry."""
    return f'title = "x"\nextends = "loihi1"\n[{part}]\n{key} = {{ value = {value}, {SOURCE} }}\n'


def entry(lines):
    """Loihi 1 with cores described by lines."""
    return f'title = "x"\nextends = "loihi1"\n[chip.cores]\n{lines}\n'


CASES = {
    "negative limit": (one("limits", "neurons_per_core", -5), "is -5, expected 1 to"),
    "1e18 cores": (one("chip", "cores", 10**18), "is 1000000000000000000, expected 1 to"),
    "1e18 cores as a float": (one("chip", "cores", "1e18"), "is 1e+18, expected a whole number"),
    "more digits than Python reads": (one("chip", "cores", "9" * 5000), "is not TOML"),
    "many cores of many chips": (
        'title = "x"\nextends = "loihi2"\n[chip]\n'
        f"cores = {{ value = 1048576, {SOURCE} }}\nchips = {{ value = 16384, {SOURCE} }}\n",
        "chip.cores times chip.chips is 17,179,869,184",
    ),
    "a word for a number": (one("chip", "cores", '"many"'), "is 'many', expected a whole number"),
    "true for a number": (one("chip", "cores", "true"), "is True, expected a whole number"),
    "a cost that is no number": (one("costs", "spike_pj", '"much"'), "expected a number"),
    "a negative cost": (one("costs", "spike_pj", -1), "is -1, expected 0 to 1e+09"),
    "an endless cost": (one("costs", "spike_pj", "inf"), "is inf, expected 0 to 1e+09"),
    "a cost that is not": (one("costs", "spike_pj", "nan"), "is nan, expected 0 to 1e+09"),
    "fewer waits than tiles": (one("costs", "barrier_ns", "[1.0]"), "costs.barrier_tiles has 4 numbers, costs.barrier_ns 1"),
    "some costs": (
        f'title = "x"\nextends = "loihi2"\n[costs]\nspike_pj = {{ value = 1, {SOURCE} }}\n', "has no costs.hop_vertical_pj"
    ),
    "no source": (entry('value = 3\nconfidence = "derived"'), "chip.cores has no source"),
    "a blank source": (entry('value = 3\nconfidence = "derived"\nsource = " "'), "has an empty source"),
    "a source that is a list": (entry('value = 3\nconfidence = "derived"\nsource = ["a"]'), "has an empty source"),
    "no value": (entry('confidence = "derived"\nsource = "a"'), "chip.cores has no value"),
    "nothing": ("", "has no title"),
    "a title only": ('title = "x"', "has no chip.cores"),
    "another file's name to extend": ('title = "x"\nextends = "../../etc/passwd"', "is no profile of snnc's own"),
    "lists in lists": (f"title = {'[' * 5000}{']' * 5000}", "is nested too deeply"),
    "tables in tables": (f"title = {'{a=' * 3000}1{'}' * 3000}", "is nested too deeply"),
    "a deep value": (entry(f'source = "a"\nconfidence = "derived"\nvalue.{DEEP} = 1'), "dots, at most 200"),
    "a deep confidence": (entry(f'value = 3\nsource = "a"\nconfidence.{DEEP} = 1'), "dots, at most 200"),
    "a deep key": (f'title = "x"\nchip.{DEEP} = 1', "dots, at most 200"),
    "a long word": (one("chip", "cores", f'"{"x" * 1_000_000}"'), "is 'xxx"),
    "a long key": (f'title = "x"\n[{"k" * 100_000}]', "has an unknown key"),
    "a huge file": ('title = "x"\n#' + "a" * (2 << 20), "a configuration has at most 1048576"),
    "bytes": (b"\x00\xff\xfe" * 100, "is not TOML"),
    "a title twice": ('title = "x"\ntitle = "y"', "is not TOML"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_with_one_sentence_at_once(case, tmp_path):
    content, message = CASES[case]
    path = tmp_path / "chip.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    begun = time.process_time()
    with pytest.raises(ProfileError) as caught:
        chips.load(path)
    assert time.process_time() - begun < 2
    told = str(caught.value)
    assert message in told
    assert told.startswith(f"{path}: ")
    assert "\n" not in told
    assert len(told) < len(str(path)) + 700


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe.toml"
    os.mkfifo(path)
    done = CliRunner().invoke(main, ["profiles", "check", str(path)])
    assert (done.exit_code, "is no regular file" in done.stderr) == (2, True), done.stderr

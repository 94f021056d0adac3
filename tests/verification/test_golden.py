"""The reference says what real Lava 0.10.0 said when it was recorded. Needs no Lava."""

from collections import Counter

import pytest
from cases import golden
from cases.lava_networks import counted

from snnc.simulation.reference import simulate
from snnc.verification.compare import compare


@pytest.mark.parametrize("path", golden.FILES, ids=lambda path: path.stem)
def test_the_reference_says_what_lava_said(path, tmp_path):
    net, inputs, recorded = golden.read(path, tmp_path)
    verdict = compare(simulate(net, inputs, record=True), recorded)
    assert verdict.candidate == "lava 0.10.0"
    assert verdict.first is None, verdict.first


def test_the_recordings_are_all_there_and_reach_every_limit(tmp_path):
    seen = Counter()
    for path in golden.FILES:
        net, inputs, _ = golden.read(path, tmp_path)
        with counted() as limits:
            seen.update(compare(reference := simulate(net, inputs), reference).fired)
        seen.update(limits)
    assert [path.stem for path in golden.FILES] == golden.NAMES
    assert min(seen[name] for name in ("wrap", "saturate", "many", "alike", "output")) >= 20, seen


def test_the_edges_of_u_are_met_exactly(tmp_path):
    """+2**23 stays and -2**23 becomes +2**23, which only these recorded sums reach."""
    path = next(path for path in golden.FILES if path.stem == "edges")
    u = golden.read(path, tmp_path)[2].states["forgetful"]["u"][0, 0]
    unit = 2 << 13
    assert u.tolist() == [2**23 - unit, 2**23, -(2**23) + unit, 2**23 - unit, 2**23, -(2**23) + unit]

"""Grad R once the synapses have settled: a few change places, and their number stays."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from cases.regression import TOTAL, Regression  # noqa: E402
from torch import nn  # noqa: E402

from snnc.training.methods.grad_r import GradR  # noqa: E402


def test_settled_synapses_change_places_and_their_number_stays():
    task = Regression(connectivity=0.2, steps=400).run(300)
    optimizer = task.optimizer
    assert optimizer.settled
    optimizer.changes()
    came = []
    for steps in (30, 30, 30, 10):
        task.run(steps)
        changes = optimizer.changes()
        assert sum(c.existing for c in changes) == sum(task.existing) == round(0.2 * TOTAL)
        came.append(sum(c.regrown for c in changes))
    assert min(came[:-1]) > 0 == came[-1], "the last steps change nothing"
    assert came[0] > came[-2]


def test_the_weakest_goes_for_the_pruned_one_that_its_gradient_asks_for_most():
    p = nn.Parameter(torch.tensor([5.0, 4.0, 3.0, 0.1, 0.02, 0.01]))
    optimizer = GradR([{"params": [p], "prune": True}], steps=100, rewire=0.5, lr=1e-4, connectivity=4 / 6)
    for _ in range(51):
        p.grad = torch.ones(6)
        optimizer.step()
    assert optimizer.settled
    assert optimizer.exists(p).tolist() == [True] * 4 + [False] * 2
    for _ in range(4):
        p.grad = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, -30.0])
        optimizer.step()
    assert optimizer.exists(p).tolist() == [True, True, True, False, False, True]
    assert p[5] > 0, "it starts against its gradient"

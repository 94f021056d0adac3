"""Grad R: one step by hand, pruned synapses move and grow back, the connectivity is reached exactly and stays."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import float_chain

from snnc import data, store
from snnc.errors import ConfigError, DataError
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
from cases.regression import TOTAL, Regression  # noqa: E402
from torch import nn  # noqa: E402

from snnc.training.loop.record import Record, read_checkpoint  # noqa: E402
from snnc.training.methods.grad_r import GradR, Pull  # noqa: E402
from snnc.training.models.feedforward import from_network  # noqa: E402
from snnc.training.pruning.prune import prune  # noqa: E402
from snnc.training.settings import PruneConfig, TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402


def weight(*values):
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def one_group(p, **settings):
    return GradR([{"params": [p], "prune": True}], **{"connectivity": 0.5, "steps": 1000, **settings})


def step(optimizer, p, *gradient):
    p.grad = torch.tensor(gradient, dtype=p.dtype)
    optimizer.step()


def test_two_steps_by_hand():
    """A constant gradient makes Adam's step lr * sign(gradient), so that only Grad R's own rule is left.

    lr 0.1, alpha 0.5, connectivity 0.5: the prior's centre is ln(1) / alpha = 0, its pull 0.05 towards it.
    Step 1: theta = (0.5, 0.2) - (1, -1) * (0.1, -0.1) - 0.05 = (0.35, 0.05), so w = (0.35, -0.05).
    Step 2: theta = (0.35, 0.05) - 0.1 - 0.05 = (0.2, -0.1), so w = (0.2, 0): the second synapse is pruned.
    """
    p = weight(0.5, -0.2)
    optimizer = one_group(p, lr=0.1, alpha=0.5, prior="paper", eps=0.0)
    step(optimizer, p, 0.1, -0.3)
    assert p.tolist() == pytest.approx([0.35, -0.05], abs=1e-12)
    step(optimizer, p, 0.1, -0.3)
    assert optimizer.state[p]["theta"].tolist() == pytest.approx([0.2, -0.1], abs=1e-12)
    assert p.tolist() == pytest.approx([0.2, 0.0], abs=1e-12)
    assert optimizer.exists(p).tolist() == [True, False]


def test_a_pruned_synapse_grows_back_with_its_sign():
    """Without a prior: the redefined gradient s * dL/dw moves theta below 0, too, and brings it back."""
    p = weight(0.5, -0.2)
    optimizer = one_group(p, lr=0.1, prior="paper", alpha=1e-12, betas=(0.0, 0.0), eps=0.0)
    for _ in range(4):
        step(optimizer, p, -1.0, -1.0)
    assert p[1] == 0
    assert optimizer.state[p]["theta"][1].item() == pytest.approx(-0.2)
    optimizer.changes()
    for _ in range(3):
        step(optimizer, p, -1.0, 1.0)
    assert p[1].item() == pytest.approx(-0.1)
    change = optimizer.changes()[0]
    assert (change.existing, change.pruned, change.regrown) == (2, 0, 1)


@pytest.mark.parametrize(("connectivity", "after"), [(1.0, [-0.25, -0.15, -0.05, 0.05]), (0.1, [-0.35, -0.45, -0.55, -0.65])])
def test_a_theta_below_its_centre_turns_where_many_stay(connectivity, after):
    """250 weights of size 1: the centre is -75 / 250; a step is 0.1. From -0.25 to -0.35, which is -0.25 of the other sign."""
    p = nn.Parameter(torch.ones(1, 250, dtype=torch.float64))
    optimizer = one_group(p, connectivity=connectivity, alpha=1e-12, lr=0.1, betas=(0.0, 0.0))
    optimizer.state[p]["theta"][0, 0] = -0.25
    passed = []
    for _ in after:
        p.grad = torch.zeros_like(p)
        p.grad[0, 0] = 1.0
        optimizer.step()
        passed.append(optimizer.state[p]["theta"][0, 0].item())
    assert passed == pytest.approx(after)
    assert p[0, 0].item() == pytest.approx(min(0.0, -after[-1]))


def test_what_is_not_pruned_follows_torchs_adam():
    torch.manual_seed(0)
    ours, theirs, pruned = weight(0.3, -1.0, 0.0), weight(0.3, -1.0, 0.0), weight(1.0, 2.0)
    optimizer = GradR([{"params": [pruned], "prune": True}, {"params": [ours]}], connectivity=0.5, steps=50, lr=0.01)
    adam = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(50):
        gradient = torch.randn(3, dtype=torch.float64)
        ours.grad, theirs.grad, pruned.grad = gradient.clone(), gradient.clone(), torch.ones(2, dtype=torch.float64)
        optimizer.step()
        adam.step()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("connectivity", [1.0, 0.5, 0.05, 0.005])
@pytest.mark.parametrize("rewire", [0.75, 1.0])
def test_the_connectivity_is_reached_exactly_and_kept(connectivity, rewire):
    task = Regression(connectivity=connectivity, rewire=rewire).run(200)
    assert sum(task.existing) == round(connectivity * TOTAL)
    assert min(task.existing) >= 1
    masks = [task.optimizer.exists(p).clone() for p in task.optimizer.pruned]
    for p, mask in zip(task.optimizer.pruned, masks, strict=True):
        assert ((p != 0) == mask).all()
    task.run(50)
    for p, mask in zip(task.optimizer.pruned, masks, strict=True):
        assert not p[~mask].any(), "a pruned weight came back"


@pytest.mark.parametrize(("connectivity", "reach", "within"), [(0.5, 1000, 0.03), (0.05, 1000, 0.06), (0.05, 1.5, 0.03)])
def test_the_schedule_is_followed_on_the_way(connectivity, reach, within):
    """A pull on all weights meets more resistance from the gradient than one on the small ones, and lags behind a little."""
    task = Regression(connectivity=connectivity, steps=400, reach=reach)
    for fraction in (0.25, 0.5, 0.75):
        task.run(100)
        done = min(1, fraction / 0.75)
        wanted = connectivity + (1 - connectivity) * (1 - done) ** 3
        assert sum(task.existing) / TOTAL == pytest.approx(wanted, abs=within)


def test_synapses_come_and_go_while_rewiring():
    task = Regression(connectivity=0.5, lr=0.01).run(60)
    theta = [task.optimizer.state[p]["theta"].clone() for p in task.optimizer.pruned]
    task.optimizer.changes()
    task.run(30)
    changes = task.optimizer.changes()
    assert all(c.regrown > 0 and c.pruned > 0 for c in changes)
    for p, before in zip(task.optimizer.pruned, theta, strict=True):
        pruned = before <= 0
        assert pruned.any()
        assert (task.optimizer.state[p]["theta"][pruned] != before[pruned]).all()


def test_no_layer_loses_all_its_synapses():
    """All weights of the second layer are alike and unwanted: each would go in the same step."""
    torch.manual_seed(0)
    first, second = nn.Parameter(torch.rand(50, 50) + 1), nn.Parameter(torch.full((4, 4), 0.1))
    optimizer = GradR([{"params": [first, second], "prune": True}], connectivity=0.01, steps=100)
    for _ in range(100):
        first.grad, second.grad = -first.detach(), torch.ones(4, 4)
        optimizer.step()
        assert second.any()
    assert int((first != 0).sum() + (second != 0).sum()) == round(0.01 * 2516)


@pytest.mark.parametrize("pause", [40, 149, 150, 170])
def test_a_restored_state_continues_bit_for_bit(pause, tmp_path):
    straight = Regression().run(200)
    half = Regression().run(pause)
    torch.save({"model": half.model.state_dict(), "optimizer": half.optimizer.state_dict()}, tmp_path / "half.pt")
    saved = torch.load(tmp_path / "half.pt", weights_only=True)
    other = Regression()
    other.model.load_state_dict(saved["model"])
    other.optimizer.load_state_dict(saved["optimizer"])
    other.samples = half.samples
    other.run(200 - pause)
    for a, b in zip(straight.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert straight.existing == other.existing


def test_a_state_of_before_the_cap_is_continued():
    """Checkpoints of earlier versions have no cap; below 50 synapses of a neuron there is none now either."""
    now, before = Regression().run(40), Regression()
    state = copy.deepcopy(now.optimizer.state_dict())
    for one in state["state"].values():
        one.pop("cap", None)
    before.model.load_state_dict(now.model.state_dict())
    before.optimizer.load_state_dict(state)
    before.samples.set_state(now.samples.get_state())
    for a, b in zip(now.run(60).model.parameters(), before.run(60).model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_pruned_theta_gathers_around_the_centre_of_the_prior(monkeypatch):
    """However long the prior pulls: theta sinks to one mean weight below 0, from where it can return."""
    p = nn.Parameter(torch.rand(100, 100) + 0.5)
    optimizer = one_group(p, connectivity=0.1, steps=10_000)
    monkeypatch.setattr(optimizer, "_steer", lambda done: None)
    optimizer.param_groups[0].update(pull=0.1, reach=10.0)
    optimizer.param_groups[0]["lr"] = 0.1
    optimizer.state[p]["floor"] = 1.0
    for _ in range(300):
        p.grad = torch.zeros_like(p)
        optimizer.step()
    theta = optimizer.state[p]["theta"] / optimizer.state[p]["scale"]
    assert theta.median().item() == pytest.approx(-1, abs=0.05)


def test_the_pull_by_hand():
    """Strength 0.3 over stiffness r + 0.1, falling to 0 where theta * stiffness is 0.2, no further than the centre.

    (0.05, r 0.9): 0.3 * (1 - 0.05 / 0.2) = 0.225, but the centre is 0.15 below. (0.1, r 1.4): 0.2 * (1 - 0.15 / 0.2) = 0.05.
    (0.5, r 0.9): out of reach. Pruned: 0.01 towards -0.1. (0.05, r 0): a stiffness of 0.1, as far as the centre again.
    """
    pull = Pull(strength=0.3, reach=0.2, weak=0.01, centre=-0.1, cap=math.inf, floor=0.1)
    theta = torch.tensor([0.05, 0.1, 0.5, -0.05, -0.2, 0.05], dtype=torch.float64)
    r = torch.tensor([0.9, 1.4, 0.9, 0.3, 0.3, 0.0], dtype=torch.float64)
    assert pull.on(theta, r).tolist() == pytest.approx([0.15, 0.05, 0, 0.01, -0.01, 0.15])
    pull = pull._replace(cap=0.9, steady=0.02)  # (0.1, r 1.4) now: 0.3 * (1 - 0.1 / 0.2) = 0.15, and 0.02 on all that exist
    assert pull.on(theta, r).tolist() == pytest.approx([0.17, 0.17, 0.02, 0.01, -0.01, 0.17])


def test_synapses_that_the_loss_does_not_hear_go_first():
    """Large weights without a gradient, as those into a neuron that has lost its output, make room for small ones with one."""
    torch.manual_seed(0)
    p = nn.Parameter(torch.cat([torch.full((500,), 2.0), torch.rand(500) * 0.1 + 0.1]))
    heard = torch.arange(1000) >= 500
    optimizer = one_group(p, connectivity=0.3, steps=200, rewire=1.0)
    for _ in range(200):
        p.grad = torch.randn(1000) * heard
        optimizer.step()
    assert int(optimizer.exists(p).sum()) == 300
    assert not optimizer.exists(p)[~heard].any()


@pytest.mark.parametrize(("neurons", "lowest", "highest"), [(8, 0.4, 0.7), (80, 0.95, 1.0)])
def test_who_goes_first_depends_on_how_many_synapses_a_neuron_keeps(neurons, lowest, highest):
    """Half of 800 weights hear a weaker gradient. With 50 left to a neuron, size decides; with 5, size times gradient."""
    torch.manual_seed(0)
    p = nn.Parameter(torch.rand(neurons, 800 // neurons) + 0.5)
    strength = torch.where(torch.arange(800).view_as(p) % 2 == 0, 0.3, 1.0)
    optimizer = one_group(p, connectivity=0.5, steps=400, rewire=1.0)
    for _ in range(400):
        p.grad = torch.randn_like(p) * strength
        optimizer.step()
    pruned = ~optimizer.exists(p)
    assert int(pruned.sum()) == 400
    assert lowest <= float((pruned & (strength < 1)).sum() / pruned.sum()) <= highest


def test_old_moments_bring_no_pruned_weight_back():
    task = Regression().run(150)
    assert task.optimizer.settled
    for p in task.optimizer.pruned:
        gone = ~task.optimizer.exists(p)
        assert task.optimizer.state[p]["exp_avg"][gone].any()
        p.grad = torch.zeros_like(p)
    task.optimizer.step()
    assert sum(task.existing) == round(0.05 * TOTAL)


def test_the_papers_prior_does_not_reach_the_target():
    task = Regression(connectivity=0.05, prior="paper").run(250)
    assert sum(task.existing) > 3 * 0.05 * TOTAL
    assert not task.optimizer.settled


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"connectivity": 0.0}, "cannot be"),
        ({"connectivity": 1.2}, "cannot be"),
        ({"connectivity": 1e-4}, "fewer than the 2 layers"),
        ({"connectivity": 0.6, "prior": "paper"}, "no centre"),
    ],
)
def test_impossible_targets_are_refused_before_training(settings, says):
    with pytest.raises(ConfigError, match=says):
        Regression(**settings)


def test_an_optimizer_without_prunable_weights_is_refused():
    with pytest.raises(ConfigError, match="nothing to prune"):
        GradR([{"params": [weight(1.0)]}], connectivity=0.5, steps=10)


@pytest.fixture(scope="module")
def trained():
    images = data.load("digits").first(400)
    return images, train(images, None, TrainConfig(hidden=(24,), steps=8, epochs=2, lr=0.01, loss="counts", batch_size=32))


CONFIG = PruneConfig(connectivity=0.1, epochs=4, lr=0.02, loss="counts", batch_size=16)


@pytest.mark.parametrize("connectivity", [0.5, 0.05, 0.005])
def test_a_network_is_pruned_exactly(trained, connectivity, tmp_path):
    images, net = trained
    record = Record.beside(tmp_path / "a.snnc", quiet=True)
    pruned = prune(net, images, replace(CONFIG, connectivity=connectivity), record=record)
    total = 64 * 24 + 24 * 10
    assert sum(c.op.synapses.count for c in pruned.connections) == round(connectivity * total)
    assert parameter_connectivity(pruned) == synapse_connectivity(pruned) == pytest.approx(connectivity, abs=1e-3)
    store.save(pruned, tmp_path / "a.snnc")
    model = from_network(store.load(tmp_path / "a.snnc"))
    assert sum(int((linear.weight != 0).sum()) for linear in model.linears.values()) == round(connectivity * total)
    lines = [json.loads(line) for line in record.metrics.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert connectivity < 0.5 or sum(line["regrown_cumulated"] for line in lines) > 0
    assert sum(line["layers"]["fc1"]["pruned"] for line in lines) > 0
    assert [s.name for s in pruned.done] == ["train", "prune"]


def test_equal_seeds_give_equal_bytes(trained):
    images, net = trained
    first, second, other = (prune(net, images, replace(CONFIG, seed=seed)) for seed in (1, 1, 2))
    assert store.dumps(first) == store.dumps(second)
    assert first.hash != other.hash


class StopsAfter(Record):
    """Ctrl-C right after the checkpoint of epoch 2."""

    def keep(self, state, metrics):
        super().keep(state, metrics)
        if state["epoch"] == 2:
            raise KeyboardInterrupt


def test_an_interrupted_pruning_resumes_to_the_same_bytes(trained, tmp_path):
    images, net = trained
    checkpoint = tmp_path / "a.ckpt"
    with pytest.raises(KeyboardInterrupt):
        prune(net, images, CONFIG, record=StopsAfter(checkpoint, None, True))
    assert read_checkpoint(checkpoint)["epoch"] == 2
    resumed = prune(net, images, CONFIG, resume=checkpoint)
    assert store.dumps(resumed) == store.dumps(prune(net, images, CONFIG))


def test_a_pruned_network_can_be_pruned_further(trained):
    images, net = trained
    once = prune(net, images, replace(CONFIG, epochs=1))
    twice = prune(once, images, replace(CONFIG, connectivity=0.05, epochs=2))
    assert parameter_connectivity(twice) == pytest.approx(0.05, abs=1e-3)
    with pytest.raises(ConfigError, match=r"below 0\.1"):
        prune(twice, images, CONFIG)


def test_what_cannot_be_pruned_is_explained(trained):
    images, net = trained
    with pytest.raises(ConfigError, match="fewer than the 2 layers"):
        prune(net, images, replace(CONFIG, connectivity=1e-4))
    with pytest.raises(DataError, match="64 pixels"):
        prune(float_chain(), images, CONFIG)
    with pytest.raises(ConfigError, match="encoded"):
        prune(replace(net, encoding=None), images, CONFIG)


def test_delays_are_kept(trained):
    images, net = trained
    delayed = replace(net, connections=tuple(replace(c, delay_steps=1) for c in net.connections))
    pruned = prune(delayed, images, CONFIG)
    assert [c.delay_steps for c in pruned.connections] == [1, 1]
    assert parameter_connectivity(pruned) == pytest.approx(CONFIG.connectivity, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "either a connectivity or a sparsity"),
        ({"connectivity": 0.1, "sparsity": 0.9}, "either"),
        ({"connectivity": 0.0}, "cannot be"),
        ({"sparsity": 1.0}, "cannot be"),
        ({"connectivity": 1.5}, "cannot be"),
        ({"connectivity": float("nan")}, "not finite"),
        ({"connectivity": 0.6, "prior": "paper"}, "no centre"),
    ],
)
def test_impossible_settings(settings, says):
    with pytest.raises(ConfigError, match=says):
        PruneConfig(**settings)
    assert np.isclose(PruneConfig(sparsity=0.95).target, 0.05)


def test_a_synapse_that_is_reborn_after_rewiring_starts_against_its_gradient():
    """Faintly, on the side to which its gradient leads."""
    torch.manual_seed(0)
    p = nn.Parameter(torch.rand(400) * 0.2 + 0.1)
    signs = torch.where(torch.rand(400) < 0.5, -1.0, 1.0)
    optimizer, born = one_group(p, connectivity=0.3, steps=400, rewire=0.4), 0
    for i in range(400):
        heard = torch.arange(400) % 2 == (i > 200)  # others matter from then on
        before = optimizer.exists(p).clone()
        p.grad = signs * heard + 0.01 * torch.randn(400)
        optimizer.step()
        new = optimizer.exists(p) & ~before
        if i > 170 and new.any():
            born += int(new.sum())
            assert (p[new].sign() == -optimizer.state[p]["exp_avg"][new].sign()).all()
    assert born > 5

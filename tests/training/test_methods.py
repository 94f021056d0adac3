"""All pruning methods: a step of each by hand, exact connectivity, no weight that comes back, states that continue."""

import math

import numpy as np
import pytest

from snnc.errors import ConfigError
from snnc.training import methods
from snnc.training.settings import PruneConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from cases.regression import TOTAL, Regression  # noqa: E402
from torch import nn  # noqa: E402

from snnc.training.methods import deep_r  # noqa: E402
from snnc.training.methods.ch3_l3 import ch3_l3, removal_score  # noqa: E402
from snnc.training.methods.lamp import lamp  # noqa: E402
from snnc.training.pruning.exchange import erdos_renyi  # noqa: E402
from snnc.training.pruning.prune import changes, pruner  # noqa: E402
from snnc.training.pruning.quota import highest  # noqa: E402

PRUNING = [name for name in methods.names() if name != "none"]
FINAL = 200  # steps of a Regression


def optimizer_of(method, *values, connectivity=0.5, steps=2, **settings):
    """One layer of float64 weights, rewired over all steps; without a gradient Adam stands still."""
    p = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    group = {"params": [p], "prune": True, "name": "fc1"}
    common = {"connectivity": connectivity, "steps": steps, "rewire": 1.0, "lr": 0.1, "eps": 1e-12}
    return p, methods.get(method)([group], **{**common, **settings})


def step(optimizer, p, *gradient):
    p.grad = torch.tensor(gradient, dtype=p.dtype)
    optimizer.step()


def near(*values):
    return pytest.approx(values, abs=1e-9)


def test_methods_are_found_by_file():
    known = {
        "grad_r",
        "deep_r",
        "soft_deep_r",
        "magnitude",
        "stds",
        "set",
        "rigl",
        "lamp",
        "lottery",
        "ch3_l3",
        "neuron_pruning",
        "none",
    }
    assert known <= set(methods.names())
    with pytest.raises(ConfigError, match="did you mean 'stds'"):
        methods.get("std")


def test_deep_r_by_hand():
    """lr 0.1, alpha 0.5, no noise, two of four active; Adam's first steps are lr * sign(gradient), as that is constant.

    Step 1: theta = (0.5, 0.2) - (0.1, -0.1) - 0.1 * 0.5 = (0.35, 0.25), w = (0.35, -0.25); the dormant ones feel nothing.
    Step 2 with g = (1, -4): Adam's mean turns for none, theta = (0.2, ...) and so on, until the second falls below 0.
    """
    p, optimizer = optimizer_of("deep_r", 0.5, -0.2, 0.1, 0.05, steps=100, alpha=0.5, temperature=1e-30)
    assert p.tolist() == near(0.5, -0.2, 0, 0)
    step(optimizer, p, 1.0, 1.0, 1.0, 1.0)
    assert p.tolist() == near(0.35, -0.25, 0, 0)
    step(optimizer, p, 1.0, 1.0, 1.0, 1.0)
    assert p.tolist() == near(0.2, -0.3, 0, 0)
    step(optimizer, p, 1.0, 1.0, 1.0, 1.0)
    step(optimizer, p, 1.0, 1.0, 1.0, 1.0)
    assert p.tolist() == near(0, -0.4, 0, 0)
    active = optimizer.exists(p)
    assert active[1]
    assert active.sum() == 2, "the first went, a random other one took its place, with theta = 0"
    assert optimizer.state[p]["theta"][active].tolist() in ([0.0, pytest.approx(0.4)], [pytest.approx(0.4), 0.0])


@pytest.mark.parametrize("method", ["deep_r", "soft_deep_r"])
def test_the_noise_has_the_strength_of_the_temperature(method):
    """All weights are active and far from 0: without gradient and pull, what is left is sqrt(2 eta T) nu."""
    lr, temperature = 0.01, 0.02
    p, optimizer = optimizer_of(method, *[5.0] * 20_000, connectivity=1.0, steps=10, lr=lr, alpha=1e-12, temperature=temperature)
    moves = []
    for _ in range(2):
        before = p.detach().clone()
        step(optimizer, p, *[0.0] * 20_000)
        moves.append((p.detach() - before) / math.sqrt(2 * lr * temperature))
    for move in moves:
        assert abs(move.mean()) < 4 / math.sqrt(20_000)
        assert move.std().item() == pytest.approx(1, abs=0.02)
    assert abs(torch.corrcoef(torch.stack(moves))[0, 1]) < 0.03, "each step draws anew"


def test_deep_r_always_has_its_number_of_active_synapses():
    task = Regression("deep_r", connectivity=0.05, lr=0.02)
    regrown = 0
    for _ in range(120):
        task.run(1)
        active = [task.optimizer.exists(p) for p in task.optimizer.pruned]
        assert sum(int(a.sum()) for a in active) == round(0.05 * TOTAL)
        for p, a in zip(task.optimizer.pruned, active, strict=True):
            assert not p[~a].any()
        regrown += sum(c.regrown for c in task.optimizer.changes())
    assert regrown > 100


def test_dormant_synapses_are_counted_past_the_active_ones():
    active = np.array([0, 1, 4, 6, 7])
    assert deep_r._dormant(active, np.arange(4)).tolist() == [2, 3, 5, 8]
    assert deep_r._dormant(active[:0], np.arange(3)).tolist() == [0, 1, 2]


def test_of_equal_scores_the_first_are_kept_and_each_layer_keeps_its_best():
    scores = [torch.tensor([1.0, 3.0, 3.0, 3.0, 5.0]), torch.tensor([[0.5, 0.25]])]
    masks = highest(scores, 4)
    assert [mask.tolist() for mask in masks] == [[0, 1, 1, 0, 1], [[1, 0]]]
    assert sum(int(mask.sum()) for mask in highest([torch.zeros(9)], 4)) == 4
    assert sum(int(mask.sum()) for mask in highest(scores, 7)) == 7


def test_deep_r_wakes_dormant_synapses_everywhere_alike():
    """Each active synapse dies in each step, so that all places are drawn; none is preferred."""
    p, optimizer = optimizer_of("deep_r", *[1e-9] * 1000, connectivity=0.1, steps=10_000, alpha=1.0)
    woken = torch.zeros(1000)
    for _ in range(300):
        step(optimizer, p, *[1.0] * 1000)
        woken += optimizer.exists(p)
    expected = 300 * 0.1
    assert ((woken - expected) ** 2 / expected).sum().item() == pytest.approx(900, rel=0.25), "chi square, 1000 places"


def test_soft_deep_r_by_hand():
    """The dormant ones start between theta_min = -(T / alpha) (1 - p) / p and 0, and no gradient moves them."""
    p, optimizer = optimizer_of("soft_deep_r", 0.5, -0.2, 0.1, 0.05, steps=100, alpha=0.5, temperature=1e-20)
    dormant = optimizer.state[p]["theta"][2:].clone()
    assert ((dormant < 0) & (dormant >= -2e-20)).all()
    step(optimizer, p, 1.0, 1.0, 1.0, 1.0)
    assert p.tolist()[:2] == near(0.35, -0.25)
    assert abs(optimizer.state[p]["theta"][2:]).max() < 1e-9


def test_soft_deep_r_reaches_the_connectivity_that_its_lower_bound_stands_for():
    """Without a gradient the walk's own balance is a part p of active synapses, from a start with none of it."""
    p, optimizer = optimizer_of(
        "soft_deep_r", *[1e-3] * 4000, connectivity=0.2, steps=10**6, lr=1.0, alpha=0.01, temperature=1e-4
    )
    for _ in range(600):
        step(optimizer, p, *[0.0] * 4000)
    assert optimizer.exists(p).float().mean().item() == pytest.approx(0.2, abs=0.04)
    assert optimizer.state[p]["theta"].min() >= -(1e-4 / 0.01) * 4 - 1e-12


def test_magnitude_by_hand():
    """Half of the rewiring is done after step 1 of 2: 2 + 2 * 0.5**3 = 2 weights stay, and only they are trained."""
    p, optimizer = optimizer_of("magnitude", 0.5, -0.2, 0.1, 0.05)
    step(optimizer, p, 1.0, 1.0, -1.0, -1.0)
    assert p.tolist() == near(0.4, -0.3, 0, 0)
    step(optimizer, p, 1.0, 1.0, -1.0, -1.0)
    assert p.tolist() == near(0.3, -0.4, 0, 0)
    assert optimizer.settled


def test_lamp_by_hand():
    """Squares 1, 4, 9 of a layer score 1/14, 4/13 and 9/9; 0.0225 and 0.04 of the other 0.36 and 1. Three of five stay."""
    scores = lamp(torch.tensor([[3.0, -1.0], [0.0, 2.0]], dtype=torch.float64))
    assert scores.tolist() == [near(1, 1 / 14), near(0, 4 / 13)]
    assert lamp(torch.zeros(2)).tolist() == [0, 0]
    layers = [nn.Parameter(torch.tensor(values, dtype=torch.float64)) for values in ([3.0, -1.0, 2.0], [-0.15, 0.2])]
    groups = [{"params": [p], "prune": True, "name": f"fc{i}"} for i, p in enumerate(layers)]
    optimizer = methods.get("lamp")(groups, connectivity=0.6, steps=2, rewire=1.0, lr=0.0)
    step(optimizer, layers[0], 0.0, 0.0, 0.0)
    step(optimizer, layers[0], 0.0, 0.0, 0.0)
    assert [p.tolist() for p in layers] == [near(3, 0, 0), near(-0.15, 0.2)]


def test_lamp_does_not_depend_on_the_scale_of_a_layer():
    weights = torch.rand(20, 30, dtype=torch.float64) - 0.5
    assert lamp(weights * 7).flatten().tolist() == near(*lamp(weights).flatten().tolist())
    assert lamp(weights).argmax() == weights.abs().argmax()
    assert (lamp(weights).flatten().argsort() == weights.abs().flatten().argsort()).all()


def exchanging(method, *values, steps=100, **settings):
    """An optimizer of four of eight weights that exchanges in its 6th step, the first that is the fifth look."""
    p, optimizer = optimizer_of(method, *values, steps=steps, **settings)
    optimizer._look_steps = 1
    for _ in range(5):
        step(optimizer, p, *[0.0] * len(values))
    return p, optimizer


def test_rigl_by_hand():
    """In step 6 of 10 a part 0.15 * (1 + cos(0.5 pi)) = 0.15 of ten synapses is dropped, one: the 0.2. Of the places that are
    free then, the one with gradient -7 grows, at 0, and no weight takes a step; the step after it does."""
    values = [0.9, 0.2, *[0.5] * 4, *[-0.6] * 4, 0.1, 0.1, 0.1, 0.1]
    p, optimizer = exchanging("rigl", *values, steps=10, connectivity=10 / 14)
    assert p.tolist() == near(*values[:10], 0, 0, 0, 0)
    step(optimizer, p, *[9.0] * 1, 3.0, *[1.0] * 8, 2.0, -7.0, 3.0, 0.5)
    assert p.tolist() == near(0.9, 0, *values[2:10], 0, 0, 0, 0)
    assert optimizer.exists(p).nonzero().flatten().tolist() == [0, *range(2, 10), 11]
    step(optimizer, p, *[0.0] * 11, 1.0, *[0.0] * 2)
    assert p[11] < -0.01
    assert not p[[1, 10, 12, 13]].any()


def test_a_dropped_synapse_with_the_strongest_gradient_stays():
    values = [0.9, 0.2, *[0.5] * 4, *[-0.6] * 4, 0.1, 0.1, 0.1, 0.1]
    p, optimizer = exchanging("rigl", *values, steps=10, connectivity=10 / 14)
    step(optimizer, p, 0.0, 8.0, *[0.0] * 8, 2.0, -7.0, 3.0, 0.5)
    assert p.tolist() == near(*values[:10], 0, 0, 0, 0)


def test_rigl_exchanges_fewer_and_fewer():
    task = Regression("rigl", connectivity=0.2, steps=1000)
    came = []
    for i in range(3):
        task.run(225 + (i == 0))  # three exchanges each, of the nine every 75 steps
        came.append(sum(c.regrown_cumulated for c in task.optimizer.changes()))
    assert came[0] > came[1] > came[2] > 0


def test_set_by_hand():
    """A part 0.3 of four positive weights is one, the smallest; of four negative ones the largest, -0.15. Two random others
    take their places; all others have taken their step."""
    values = [0.9, 0.2, 0.5, 0.4, -0.15, -0.6, -0.7, -0.8, *[0.1] * 40]
    p, optimizer = exchanging("set", *values, connectivity=8 / 48)
    step(optimizer, p, *[1e-3] * 48)
    assert not p[[1, 4]].any()
    moved = [v - 0.1 * 0.1 / math.sqrt(0.001) * math.sqrt(1 - 0.999**6) / (1 - 0.9**6) for v in values[:8]]
    assert p[[0, 2, 3, 5, 6, 7]].tolist() == near(*[moved[i] for i in (0, 2, 3, 5, 6, 7)])
    born = p[8:].nonzero().flatten()
    assert len(born) == 2
    assert optimizer.exists(p).sum() == 8


def test_the_ch3_l3_score_by_hand():
    """Rows a to d, columns X to Z. The one path of length three from a to Y is a - X - b - Y. X is linked to a, b and d, so d
    alone is outside: e(X) = 1. b is linked to X, Y and Z: e(b) = 1. The score is 1 / sqrt(2 * 2). With a second path over c,
    linked to X and Y, b and c are both inside: e(X) = 1, e(b) = 1, e(c) = 0, so 1 / 2 + 1 / sqrt(2)."""
    links = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]]) > 0
    assert ch3_l3(links)[0].tolist() == near(0, 0.5, 0.5)
    links[2] = torch.tensor([True, True, False])
    assert ch3_l3(links)[0, 1].item() == pytest.approx(0.5 + 0.5**0.5)


@pytest.mark.parametrize("compiled", [True, False])
def test_ch3_l3_scores_are_sums_over_paths(compiled, monkeypatch):
    """Against the definition on a graph that does not know of sides: Muscoloni et al., for paths of length three."""
    if not compiled:
        monkeypatch.setattr("snnc.training.methods.ch3_l3.kernels", lambda: None)
    rows, columns = 9, 7
    links = torch.rand(rows, columns, generator=torch.Generator().manual_seed(0)) < 0.35
    near_to = {i: {rows + j for j in range(columns) if links[i, j]} for i in range(rows)}
    near_to.update({rows + j: {i for i in range(rows) if links[i, j]} for j in range(columns)})
    scores = ch3_l3(links)
    for u in range(rows):
        for v in sorted({rows + j for j in range(columns)} - near_to[u]):
            paths = [(a, b) for a in near_to[u] for b in near_to[a] - {u} if v in near_to[b]]
            community = {u, v}.union(*paths)
            outside = {node: len(near_to[node] - community) for path in paths for node in path}
            expected = sum(1 / math.sqrt((1 + outside[a]) * (1 + outside[b])) for a, b in paths)
            assert scores[u, v - rows].item() == pytest.approx(expected)
    assert not scores[links].any()
    assert scores.any()


def test_the_removal_score_by_hand():
    """Columns sum up to 1 and 4, rows to 4 and 1: 1 / 2 + 1 / 5, 3 / 5 + 3 / 5, and 1 / 5 + 1 / 2."""
    assert removal_score(torch.tensor([[1.0, -3.0], [0.0, 1.0]])).flatten().tolist() == pytest.approx([0.7, 1.2, 0, 0.7])


def test_ch3_l3_draws_by_the_scores():
    """Of scores 3, 1, 0 and 4 in places that are free but for the last, the first is drawn 3 times of 4, the third never."""
    p, optimizer = optimizer_of("ch3_l3", 1.0, 1.0, 1.0, 1.0)
    scores, free, drawn = torch.tensor([3.0, 1.0, 0.0, 4.0]), torch.tensor([1.0, 1.0, 1.0, 0.0]), torch.zeros(4)
    for i in range(2000):
        optimizer.param_groups[0]["step"] = i
        drawn += optimizer._drawn(p, scores, free, 1, draw=1)
    assert drawn.sum() == 2000
    assert drawn[0] == pytest.approx(1500, abs=4 * math.sqrt(2000 * 0.75 * 0.25))
    assert not drawn[2:].any()
    assert optimizer._drawn(p, scores, free, 3, draw=1).tolist() == [1, 1, 1, 0], "all that are free, path or not"


def test_a_step_of_ch3_l3():
    """In step 6 of 100, 0.15 * (1 + cos(0.06 pi)) = 0.297 of 20 links are exchanged, five. What is new starts at 0 and has a path
    of length three without what went; the others have taken their step."""
    torch.manual_seed(0)
    weights = torch.rand(6, 8, dtype=torch.float64) + 0.5
    p = nn.Parameter(weights.clone())
    optimizer = methods.get("ch3_l3")([{"params": [p], "prune": True}], connectivity=20 / 48, steps=100, rewire=1.0, lr=0.1)
    optimizer._look_steps = 1
    for _ in range(5):
        step(optimizer, p, *torch.zeros(6, 8).tolist())
    before = optimizer.exists(p)
    step(optimizer, p, *torch.ones(6, 8).tolist())
    after = optimizer.exists(p)
    born, stayed = after & ~before, after & before
    assert after.sum() == before.sum() == 20
    assert 0 < born.sum() <= 5
    assert (ch3_l3(stayed)[born] > 0).all()
    assert not p[born].any()
    assert (p[stayed] < weights[stayed]).all()
    assert not p[~after].any()


def test_neuron_pruning_by_hand():
    """Two neurons between one input and two outputs. All masks are 0, so weights are a half of their values, and a quarter
    behind a neuron. Adam's first step is 0.1 against the sign of a gradient. That of a mask has the sign of weight * gradient
    plus lambda * c / 2, with lambda a tenth of the layer's mean |weight * gradient|: 0.03 and 0.0225. The last weight has no
    gradient, so the penalty alone pulls its mask down. The first neuron: 0.5 - 0.1 + 0.0225 > 0, so its mask falls and its
    synapses are no more; the second: -0.3 + 0.0225 < 0."""
    into, out = ([[0.4], [0.2]], [[0.5, -0.3], [0.1, 0.4]])
    layers = [nn.Parameter(torch.tensor(rows, dtype=torch.float64)) for rows in (into, out)]
    groups = [{"params": [p], "prune": True, "name": name} for p, name in zip(layers, "ab", strict=True)]
    optimizer = methods.get("neuron_pruning")(groups, connectivity=0.5, steps=100, rewire=1.0, lr=0.1, eps=1e-12)
    assert [p.tolist() for p in layers] == [into, out]
    for p, gradient in zip(layers, ([[1.0], [-1.0]], [[1.0, 1.0], [-1.0, 0.0]]), strict=True):
        p.grad = torch.tensor(gradient, dtype=torch.float64)
    optimizer.step()
    up, down = (1 / (1 + math.exp(-a * 5 * 200**0.01)) for a in (0.1, -0.1))
    assert layers[0].flatten().tolist() == near(0.7 * down, 0.5 * up)
    assert layers[1].flatten().tolist() == near(1.9 * down * down, -1.3 * up * up, 0.5 * up * down, 1.6 * down * up)
    assert [optimizer.exists(p).flatten().tolist() for p in layers] == [[False, True], [False, True, False, False]]
    optimizer.settle()
    assert layers[0].flatten().tolist() == near(0, 0.5)


def test_lottery_by_hand():
    """Five rounds of 2 steps, each keeps (2 / 32) ** 0.2 of what is left: 18, 11, 6, 3, 2 of 32. After each, what is left is
    where it was at first, although it moved in between."""
    values = [0.01 * (i + 1) for i in range(32)]
    p, optimizer = optimizer_of("lottery", *values, connectivity=2 / 32, steps=10)
    left = []
    for i in range(10):
        step(optimizer, p, *[-1.0] * 32)
        if i % 2:
            kept = optimizer.exists(p)
            left.append(int(kept.sum()))
            assert p[kept].tolist() == near(*values[32 - left[-1] :])
        else:
            assert (p[p != 0] > torch.tensor(values, dtype=p.dtype)[p != 0]).all()
    assert left == [18, 11, 6, 3, 2]
    assert optimizer.settled


def test_lottery_rewinds_to_an_early_step_and_biases_too():
    task = Regression("lottery", connectivity=0.1, steps=100)
    task.run(2)
    early = [p.detach().clone() for p in task.model.parameters()]
    task.run(13)
    assert task.optimizer.settled is False
    for p, then in zip(task.model.parameters(), early, strict=True):
        kept = p != 0
        assert 0 < kept.float().mean() <= 1
        assert torch.equal(p[kept], then[kept])


@pytest.mark.parametrize(
    ("shapes", "total", "counts"),
    [
        ([(10, 10), (10, 10)], 40, [20, 20]),
        ([(100, 100), (10, 100)], 310, [200, 110]),  # 200 of 10,000 and 110 of 1,000
        ([(4, 3), (100, 100)], 2000, [12, 1988]),  # 7 / 207 of 2,000 are more than the 12 that there are
        ([(3, 3), (50, 50)], 2, [1, 1]),
    ],
)
def test_erdos_renyi_by_hand(shapes, total, counts):
    assert erdos_renyi(shapes, total) == counts


def test_stds_by_hand():
    """Two of four are to stay, so d is the third, 0.1. Theta = (0.4, -0.3, 0.2, 0.15) after the step, the gradient reaching
    those below d, too; w = (0.3, -0.2, 0.1, 0.05). Next, d rises to 0.2."""
    p, optimizer = optimizer_of("stds", 0.5, -0.2, 0.1, 0.05, steps=3)
    optimizer._rewiring_steps = 2
    step(optimizer, p, 1.0, 1.0, -1.0, -1.0)
    assert p.tolist() == near(0.3, -0.2, 0.1, 0.05)
    step(optimizer, p, 1.0, 1.0, -1.0, -1.0)
    assert optimizer.state[p]["theta"].tolist() == near(0.3, -0.4, 0.3, 0.25)
    assert optimizer.settled
    assert optimizer.exists(p).sum() == 2


def test_stds_weights_turn_their_sign_through_0():
    p, optimizer = optimizer_of("stds", 0.15, 0.5, connectivity=1.0, steps=100)
    for _ in range(3):
        step(optimizer, p, 1.0, 0.0)
    assert p.tolist() == near(-0.15, 0.5)


def test_none_is_adam_and_keeps_what_is_pruned():
    p, optimizer = optimizer_of("none", 0.5, 0.0, -0.2, connectivity=1.0, steps=100)
    theirs = nn.Parameter(p.detach().clone())
    adam = torch.optim.Adam([theirs], lr=0.1, eps=1e-12)
    for gradient in ([1.0, 2.0, 0.5], [0.3, -1.0, 0.2], [-2.0, 1.0, 0.1]):
        theirs.grad = torch.tensor(gradient, dtype=torch.float64)
        adam.step()
        step(optimizer, p, *gradient)
    assert p[1] == 0
    assert p[[0, 2]].tolist() == near(*theirs[[0, 2]].tolist())


@pytest.mark.parametrize("connectivity", [0.5, 0.05, 0.005])
@pytest.mark.parametrize("method", PRUNING)
def test_every_method_ends_exactly_and_nothing_comes_back(method, connectivity):
    task = Regression(method, connectivity=connectivity).run(FINAL)
    optimizer = task.optimizer
    assert sum(task.existing) == optimizer.target == round(connectivity * TOTAL)
    assert min(task.existing) >= 1
    masks = [optimizer.exists(p).clone() for p in optimizer.pruned]
    for p, mask in zip(optimizer.pruned, masks, strict=True):
        optimizer.state[p]["exp_avg"].fill_(1.0)
        assert torch.equal(p != 0, mask)
    task.run(3)
    for p, mask in zip(optimizer.pruned, masks, strict=True):
        assert not p[~mask].any(), "a pruned weight came back"
        assert torch.equal(optimizer.exists(p), mask)


@pytest.mark.parametrize("method", PRUNING)
def test_a_connectivity_for_each_layer_on_weights_of_any_shape(method):
    torch.manual_seed(0)
    shapes = {"conv1": (8, 3, 3, 3), "conv2": (16, 8, 3, 3), "fc1": (10, 64)}
    weights = {name: nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}
    bias = nn.Parameter(torch.zeros(10))
    config = PruneConfig(method=method, connectivity=0.1, layer=("fc1=0.03", "conv1=0.5"))
    optimizer = pruner(weights, [bias], config, steps=40)
    for _ in range(40):
        for p in (*weights.values(), bias):
            p.grad = torch.randn_like(p)
        optimizer.step()
    existing = {name: line["existing"] for name, line in changes(weights, optimizer)["layers"].items()}
    assert existing == {"conv1": 108, "conv2": 115, "fc1": 19}
    assert existing == {name: int((p != 0).sum()) for name, p in weights.items()}
    assert bias.all()


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("pause", [40, 149, 170])
def test_a_restored_state_continues_bit_for_bit(method, pause, tmp_path):
    settings = {"connectivity": 0.05 if method != "none" else 1.0}
    straight, half, other = (Regression(method, **settings) for _ in range(3))
    straight.run(FINAL)
    half.run(pause)
    torch.save({"model": half.model.state_dict(), "optimizer": half.optimizer.state_dict()}, tmp_path / "half.pt")
    saved = torch.load(tmp_path / "half.pt", weights_only=True)
    other.model.load_state_dict(saved["model"])
    other.optimizer.load_state_dict(saved["optimizer"])
    other.samples = half.samples
    other.run(FINAL - pause)
    for a, b in zip(straight.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert straight.optimizer.changes() == other.optimizer.changes()


@pytest.mark.parametrize("method", ["grad_r", "deep_r", "soft_deep_r", "stds"])
def test_synapses_are_seen_to_come_and_go(method):
    """At first all exist, so that none can be new against then; but some have been away in between."""
    task = Regression(method, connectivity=0.3, lr=0.01, steps=400)
    for i in range(5):
        found = task.run(50).optimizer.changes()
        assert all(c.pruned > 0 and c.regrown_cumulated > 0 for c in found)
        assert all(c.regrown_cumulated >= c.regrown and c.pruned_cumulated >= c.pruned for c in found)
        assert i == 0 or all(c.regrown > 0 for c in found)
        assert sum(c.regrown_cumulated for c in found) > sum(c.regrown for c in found)


def test_changes_add_up():
    task = Regression("grad_r", connectivity=0.1)
    before = sum(c.existing for c in task.optimizer.changes())
    for _ in range(8):
        found = task.run(25).optimizer.changes()
        now = sum(c.existing for c in found)
        assert now == before + sum(c.regrown - c.pruned for c in found)
        assert now == before + sum(c.regrown_cumulated - c.pruned_cumulated for c in found)
        before = now


WEIGHTS = {"fc1": (20, 30), "fc2": (5, 20)}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"connectivity": 0.1, "layer": ("fc3=0.1",)}, "no layer 'fc3'.*did you mean 'fc"),
        ({"connectivity": 1e-3}, "keeps 1 of 700 weights, fewer than the 2 layers"),
        ({"connectivity": 0.1, "layer": ("fc2=0.004",)}, "fc2: .*keeps 0 of 100 weights"),
        ({"layer": ("fc1=0.1",)}, "no connectivity for fc2"),
        ({"connectivity": 0.1, "alpha": 0.1, "method": "magnitude"}, "magnitude has no alpha"),
        ({"connectivity": 0.1, "temperature": 0.1, "method": "grad_r"}, "grad_r has no temperature"),
        ({"connectivity": 0.1, "prior": "paper", "method": "stds"}, "stds has no prior"),
    ],
)
def test_what_cannot_be_is_refused_before_training(settings, says):
    weights = {name: nn.Parameter(torch.rand(shape)) for name, shape in WEIGHTS.items()}
    with pytest.raises(ConfigError, match=says):
        pruner(weights, [], PruneConfig(**settings), steps=10)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"connectivity": 0.1, "method": "gradr"}, "did you mean 'grad_r'"),
        ({"connectivity": 0.1, "layer": ("fc1",)}, "is no NAME=NUMBER"),
        ({"connectivity": 0.1, "layer": ("fc1=0",)}, "a connectivity of 0 cannot be"),
        ({"connectivity": 0.1, "layer": ("fc1=1.5",)}, "a connectivity of 1.5 cannot be"),
    ],
)
def test_impossible_settings(settings, says):
    with pytest.raises(ConfigError, match=says):
        PruneConfig(**settings)


def test_all_layers_by_name_need_no_common_connectivity():
    weights = {name: nn.Parameter(torch.rand(shape)) for name, shape in WEIGHTS.items()}
    optimizer = pruner(weights, [], PruneConfig(layer=("fc1=0.1", "fc2=0.5")), steps=10)
    assert optimizer.target == 60 + 50

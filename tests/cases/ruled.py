"""Networks whose synapses are given by rules. Used by the tests of rules, of their import and of maps in levels."""

from snnc import neurons
from snnc.network.model import Connection, Network, Population
from snnc.ops.dense import Dense
from snnc.rules.rule import Draw, Rule
from snnc.rules.ruled import Ruled

N = 200


def rules(tiles=1, n=N):
    """Every pattern, with every kind of draw."""
    own = {"tiles": tiles, "offset": 1 % tiles}
    return {
        "one_to_one": Rule("one_to_one", n, n, Draw.constant(0.9), 1, tiles=tiles),
        "fixed_probability": Rule(
            "fixed_probability", n, n, Draw.normal(0.3, 0.05, 0.1, 0.5), 2, probability=0.1, delay=Draw.normal(5, 2, 1, 9), **own
        ),
        "fixed_in_degree": Rule(
            "fixed_in_degree", n, n, Draw.normal(0.3, 0.05, 0.1, 0.5), 3, in_degree=10, delay=Draw("uniform", 1, 3), tiles=tiles
        ),
        "all_to_all": Rule("all_to_all", n, n, Draw("uniform", -0.02, -0.005), 4, tiles=tiles),
    }


def network(tiles=1, n=N, name="ruled"):
    """An input and two populations that keep each other going."""
    model = neurons.get("cuba_refractory")
    cells = model(threshold=1.0, decay_u=0.5, decay_v=0.1, bias=0.0, period=2)
    shape = (tiles, n) if tiles > 1 else (n,)
    ends = (("drive", "cells"), ("cells", "cells"), ("cells", "others"), ("others", "cells"))
    return Network(
        name,
        (Population("drive", shape, None), Population("cells", shape, cells), Population("others", shape, cells)),
        tuple(
            Connection(pattern, src, dst, Dense(Ruled(rule)), int(src == "others"))
            for (src, dst), (pattern, rule) in zip(ends, rules(tiles, n).items(), strict=True)
        ),
        1e-3,
    )

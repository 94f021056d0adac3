"""Notes on what the files of some tools leave out, though the tools' spikes depend on it. Used by the NIR importer.

A file does not name its writer; the numbers that a tool puts into ``r`` and ``w_in`` give it away. The network is what the file
says, and may still fire otherwise than in the tool, so that a note says what to look at. Sources: snntorch/export_nir.py of
snnTorch 1.0.0, sinabs/nir.py of sinabs 3.1.3, norse/torch/utils/export_nir.py of Norse 1.1.0, nir_exchange/to_nir.py of
SpikingJelly 2.0.0, rockpool/nn/modules/torch/nir.py of Rockpool 3.1.0.
"""

from collections.abc import Callable, Iterator

import numpy as np

from snnc.importers.nir.graph import Graph, Node
from snnc.importers.nir.neurons import Clock, Floats

NEAR = 1e-4  # how far, of 1, a number in float32 may be from what it was computed as
OF_SNNTORCH = 1e-4  # seconds: the step that snnTorch writes for all its networks
OF_SINABS = 1.0  # sinabs' time constants are in steps

SNNTORCH = (
    "looks as if snnTorch wrote it (r = tau / 1e-4 and v_reset = 0), whose files say a reset to zero whatever reset_mechanism was"
    " ('subtract' where none was given), and leave out reset_delay, graded_spikes_factor and inhibition: to be sure of all these,"
    " import the module itself (snnc import FILE.py:FACTORY)"
)
SINABS = (
    "looks as if sinabs wrote it (r = 1), whose files leave out MultiSpike and MembraneSubtract (its defaults), norm_input=False"
    " (that of ExpLeak), tau_syn, min_v_mem and the value of MembraneReset: neurons here fire once a step and reset to 0, as with"
    " spike_fn=SingleSpike and reset_fn=MembraneReset(), and in Norse with v_reset = 0"
)
NORSE = (
    "looks as if Norse or SpikingJelly wrote it (r = 1): files of Norse 1.1.0 leave out v_reset, reset_method and the start at"
    " v_leak, and SpikingJelly also fires where v equals v_threshold; compare the spikes with the tool's"
)
SPIKINGJELLY = (
    "looks as if SpikingJelly wrote it (r = 1, 1 / dt or tau / dt), which also fires where v equals v_threshold, NIR only above;"
    " if weights are round numbers, lower v_threshold by a millionth in the file"
)
ROCKPOOL = (
    "looks as if Rockpool wrote it (r = tau exp(-dt / tau) / dt), whose neurons subtract their thresholds and fire several times"
    " a step, which no file of it says: they fire otherwise than here; train for Xylo with snnc train --neuron xylo"
)


def notes(graph: Graph, clock: Clock) -> Iterator[str]:
    """Yield what the file may leave out, by whoever seems to have written it, by its currents and by its loops."""
    yield from _of_writers(graph, clock)
    yield from (
        f"node {node.name!r} ({node.kind}) has w_in = 1: NIR adds dt / tau_syn of a spike's weight to the current, while Norse"
        " and Rockpool, which write 1, add all of it; if one of these wrote it, set w_in to tau_syn / dt"
        for node in graph.of("CubaLIF", "CubaLI") if "w_in" not in node.fields or (_numbers(node, "w_in") == 1).all()
    )  # fmt: skip
    yield from (
        f"node {node.name!r} (IF) has r = 1: NIR adds dt of its input, here {clock.dt_s:g}, while Norse and sinabs, which write"
        " 1, add all of it; if one of these wrote it, set r to 1 / dt"
        for node in graph.of("IF") if clock.dt_s != 1 and _alike(_numbers(node, "r"), np.ones(1))
    )  # fmt: skip
    yield from (
        f"node {name!r} gets what {back!r} behind it sends, a step later; a layer that the module calls twice in a step is"
        " written the same: if it is one, give each call a layer of its own"
        for name, back in _returns(graph)
    )


def _of_writers(graph: Graph, clock: Clock) -> Iterator[str]:
    """Yield what the tool that seems to have written the file leaves out of it."""
    leaky, firing = graph.of("LIF", "CubaLIF"), graph.of("LIF", "CubaLIF", "IF")
    if not _resets(leaky) and _every(leaky, lambda node: _tau(node) / OF_SNNTORCH):
        yield SNNTORCH + _other_steps(clock, OF_SNNTORCH, "euler")
    elif _every(leaky, lambda node: _tau(node) * np.exp(-clock.dt_s / _tau(node)) / clock.dt_s):
        yield ROCKPOOL
    elif _every([*firing, *graph.of("LI")], lambda node: np.ones(1)):
        timed = graph.of("LIF", "CubaLIF", "LI")
        if all((_tau(node) >= OF_SINABS).all() for node in timed):  # no neuron's time constant is a second
            yield SINABS + _other_steps(clock, OF_SINABS, "exp" if timed else None)
        elif firing:
            yield NORSE
    elif firing and all(_of_spikingjelly(node, clock) for node in firing):
        yield SPIKINGJELLY


def _of_spikingjelly(node: Node, clock: Clock) -> bool:
    r = _numbers(node, "r")
    return _alike(r, _tau(node) / clock.dt_s) or (node.kind != "IF" and _alike(r, np.ones(1)))


def _returns(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield (node, node behind it that leads back to it) of loops that are in no nested graph, where tools write recurrences."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {name: i for i, name in enumerate(graph.nodes)}
    ends = np.array([(number[a], number[b]) for a, b in graph.edges], int).reshape(-1, 2).T
    loops = connected_components(coo_array((np.ones(ends.shape[1]), ends), (len(number),) * 2), connection="strong")[1]
    for name, before in graph.before.items():
        back = [src for src in before if "." not in src and loops[number[src]] == loops[number[name]]]
        if back and len(before) > 1 and "." not in name:
            yield name, back[0]


def _other_steps(clock: Clock, dt_s: float, rule: str | None) -> str:
    """Return what to say of steps that are not the tool's."""
    if np.isclose(clock.dt_s, dt_s, NEAR, 0) and rule in (None, clock.rule):
        return ""
    return f"; its steps need --dt {dt_s:g}" + (f" --discretise {rule}" if rule else "")


def _resets(nodes: list[Node]) -> bool:
    """Return whether any of these nodes resets to another voltage than 0."""
    return any("v_reset" in node.fields and _numbers(node, "v_reset").any() for node in nodes)


def _every(nodes: list[Node], expected: Callable[[Node], Floats]) -> bool:
    """Return whether there are nodes, and ``r`` of all is what a tool computes it as."""
    return bool(nodes) and all(_alike(_numbers(node, "r"), expected(node)) for node in nodes)


def _alike(values: Floats, others: Floats) -> bool:
    return (values.size == others.size or 1 in (values.size, others.size)) and bool(np.allclose(values, others, NEAR, 0))


def _tau(node: Node) -> Floats:
    """Return the time constants of the voltage; 1 for those that have none."""
    return _numbers(node, "tau_mem" if node.kind == "CubaLIF" else "tau") if node.kind != "IF" else np.ones(1)


def _numbers(node: Node, name: str) -> Floats:
    return np.ravel(node.fields.numbers(name))

"""What a NIR file says is what the imported network computes; what cannot be said is refused."""

import json
import time

import h5py
import numpy as np
import pytest

nir = pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
pytest.importorskip("torch", reason="convolutions are checked with torch: pip install '.[train]'")

from cases.nir_graphs import FIRING, GRAPHS, Player, chain, flat, leaky, settled, weights  # noqa: E402
from click.testing import CliRunner  # noqa: E402

from snnc.cli import main  # noqa: E402
from snnc.errors import ConfigError, FileError, UnsupportedError  # noqa: E402
from snnc.importers import ImportConfig, read  # noqa: E402
from snnc.importers.nir.build import legal  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402

STEPS = 120


def written(graph, path):
    nir.write(path, settled(graph))
    return str(path)


def imported(graph, dt, rule, path):
    return read(written(graph, path), ImportConfig(dt_s=dt, discretise=rule))


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_the_network_computes_the_equations_of_the_file(make, tmp_path):
    rng = np.random.default_rng(7)
    graph, dt, rule = make(rng)
    found = imported(graph, dt, rule, tmp_path / "x.nir")
    source = found.network.inputs[0]
    raster = (rng.random((STEPS, source.size)) < 0.3).astype(np.uint8)
    played = Player(graph, dt, rule).play(raster.reshape(STEPS, *source.shape).astype(float))
    run = simulate(found.network, {source.name: raster[None]}, record=True)
    nodes, own = flat(graph)[0], legal(played)
    assert len(played) > 1
    for name, values in played.items():
        if type(nodes[name]).__name__ in FIRING:
            assert 0.05 < values.mean() < 0.5, f"{name} fires {values.mean():.3f} of the time"
            assert (values != run.spikes[own[name]][0]).sum() == 0, name
        else:
            assert values.std() > 0.01
            np.testing.assert_allclose(run.states[own[name]]["v"][0], values, rtol=1e-5, atol=1e-6)


def lif(n, **changed):
    values = {"tau": np.full(n, 1e-3), "r": np.ones(n), "v_leak": np.zeros(n), "v_threshold": np.ones(n), "v_reset": np.zeros(n)}
    return nir.LIF(**values | changed)


def eye(n, m=None):
    return nir.Linear(np.eye(n, m or n))


def conv(shape=(2, 2, 3, 3), **changed):
    fields = {"input_shape": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(shape[0])}
    return nir.Conv2d(weight=np.ones(shape), **fields | changed)


def pool(kind=nir.SumPool2d):
    two = np.array([2, 2])
    return kind(two, two, 0 * two)


def loop():
    """Two linear nodes that feed each other."""
    nodes = {"input": nir.Input(np.array([3])), "a": eye(3), "b": eye(3), "n": lif(3), "output": nir.Output(np.array([3]))}
    edges = [("input", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def two_inputs():
    graph = chain(eye(3), lif(3), shape=[3])
    inside = {"x": nir.Input(np.array([3])), "y": nir.Input(np.array([3])), "n": lif(3), "z": nir.Output(np.array([3]))}
    graph.nodes["1"] = nir.NIRGraph(inside, [("x", "n"), ("y", "n"), ("n", "z")], type_check=False)
    graph.nodes["output"] = nir.Output(np.array([3]))
    return graph


def input_within():
    """An Input behind weights."""
    graph = chain(eye(3), nir.Input(np.array([3])), lif(3), shape=[3])
    graph.nodes["output"] = nir.Output(np.array([3]))
    return graph


def voltages(*neurons):
    """Neurons that go to one output."""
    nodes = {"input": nir.Input(np.array([3])), "w": eye(3), "output": nir.Output(np.array([3]))}
    nodes |= {f"n{i}": one for i, one in enumerate(neurons)}
    ways = [edge for i in range(len(neurons)) for edge in (("w", f"n{i}"), (f"n{i}", "output"))]
    return nir.NIRGraph(nodes, [("input", "w"), *ways], type_check=False)


ones = np.ones
REFUSED = {
    "input within": (input_within(), "node '1' is an Input and gets what '0' sends; take out the edge, or the node"),
    "voltages": (voltages(lif(3), nir.I(ones(3))), "node 'output' gets the voltage of 'n1' beside what others send"),
    "tau": (chain(eye(3), lif(3, tau=np.array([1e-3, 0, 1e-3])), shape=[3]), "node '1' (LIF) has a time constant of 0 s"),
    "short": (chain(eye(3), lif(3, tau=ones(3) * 1e-5), shape=[3]), "a time constant of 1e-05 s, less than the step of 0.0001 s"),
    "threshold": (chain(eye(3), lif(3, v_reset=2 * ones(3)), shape=[3]), "node '1' (LIF) fires at 1, which is below its v_reset"),
    "voltage": (chain(eye(3), nir.I(ones(3)), eye(3), lif(3), shape=[3]), "node '1' (I) sends its voltage to '2'"),
    "sizes": (chain(eye(3), lif(3), eye(5, 4), lif(5), shape=[3]), "node '2' takes 4 values, it gets 3"),
    "broadcast": (chain(conv(), lif(5), shape=[2, 6, 6]), "node '1' takes 5 values, it gets 32"),
    "matrix": (chain(nir.Linear(ones((2, 3, 3))), lif(3), shape=[3]), "node '0' has weights of shape (2, 3, 3)"),
    "channels": (chain(conv(), lif(32), shape=[3, 6, 6]), "node '0' convolves 2 channels, its input has shape (3, 6, 6)"),
    "flat conv": (chain(conv(), lif(32), shape=[72]), "node '0' gets values of shape (72,), expected 3 axes"),
    "no place": (chain(conv(), lif(32), shape=[2, 2, 2]), "has a kernel of (3, 3)"),
    "stride": (chain(conv(stride=0), lif(32), shape=[2, 6, 6]), "node '0' has a window with stride (0, 0)"),
    "same": (chain(conv((2, 2, 2, 2), padding="same"), lif(72), shape=[2, 6, 6]), "has padding 'same' with kernel (2, 2)"),
    "gain": (chain(conv(), lif(32, r=np.arange(1.0, 33)), shape=[2, 6, 6]), "node '1' (LIF) scales neurons of one channel"),
    "delay": (chain(eye(3), nir.Delay(ones(3) * 1.5e-4), lif(3), shape=[3]), "delays by 1.5 steps of 0.0001 s"),
    "early": (chain(eye(3), nir.Delay(-ones(3)), lif(3), shape=[3]), "node '1' (Delay) delays by -10000 steps"),
    "late conv": (chain(conv(), nir.Delay(np.arange(32) * 1e-4), lif(32), shape=[2, 6, 6]), "with a delay for each neuron"),
    "late bias": (chain(nir.Affine(np.eye(3), ones(3)), nir.Delay(ones(3)), lif(3), shape=[3]), "node '1' (Delay) gets a bias"),
    "loop": (loop(), "nodes 'a', 'b' are on or behind a loop without neurons"),
    "ends": (two_inputs(), "graph '1' has 2 inputs, so that an edge cannot tell which"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_mapped_is_refused_with_its_reason(case, tmp_path):
    graph, message = REFUSED[case]
    path = without_shapes(graph, tmp_path / "x.nir")
    with pytest.raises(UnsupportedError) as error:
        read(path, ImportConfig(dt_s=1e-4, discretise="euler"))
    assert message in str(error.value)
    assert path in str(error.value)
    assert "\n" not in str(error.value)


def without_shapes(graph, path):
    """A file without the shapes that nir.write asks for, as they cannot be told of a wrong graph; the importer needs none."""
    for node in graph.nodes.values():
        if isinstance(node, nir.Flatten | nir.Output):
            node.input_type = node.output_type = {"input": np.ones(1, int), "output": np.ones(1, int)}
        elif isinstance(node, nir.Conv2d):
            node.input_shape = np.ones(1, int)
    nir.write(path, graph)
    with h5py.File(path, "r+") as file:
        for node in file["node/nodes"].values():
            if "input_shape" in node:
                del node["input_shape"]
    return str(path)


def test_an_infinite_time_constant_is_explained(tmp_path):
    path = without_shapes(chain(eye(3), lif(3, tau=np.array([1e-3, np.inf, 1e-3])), shape=[3]), tmp_path / "x.nir")
    with pytest.raises(FileError, match=r"node '1' \(LIF\): has a tau that is infinite: snnTorch writes Leaky\(beta=1\) so"):
        read(path, ImportConfig(dt_s=1e-4, discretise="euler"))


def test_everything_is_refused_in_one_go(tmp_path):
    graph = chain(
        eye(3), lif(3, tau=np.zeros(3)), nir.Delay(np.full(3, 1.5e-4)), eye(3), lif(3, v_reset=np.full(3, 5.0)), shape=[3]
    )
    path = without_shapes(graph, tmp_path / "x.nir")
    with pytest.raises(UnsupportedError, match=r"3 things cannot be imported: .*'2'.*; .*'1'.*; .*'4'"):
        read(path, ImportConfig(dt_s=1e-4, discretise="euler"))


def test_unknown_nodes_are_all_named(tmp_path):
    path = written(chain(eye(3), lif(3), eye(3), lif(3), shape=[3]), tmp_path / "x.nir")
    with h5py.File(path, "r+") as file:
        for name in ("1", "2"):
            del file[f"node/nodes/{name}/type"]
            file[f"node/nodes/{name}/type"] = "Izhikevich"
    with pytest.raises(
        UnsupportedError, match=r"2 things .* node '1' is a 'Izhikevich'; replace it by .*; node '2' is a 'Izhikevich'"
    ):
        read(path, ImportConfig(dt_s=1e-4))


def test_what_a_node_does_not_have_is_named(tmp_path):
    path = written(chain(eye(3), lif(3), shape=[3]), tmp_path / "x.nir")
    with h5py.File(path, "r+") as file:
        file["node/nodes/1/t_ref"] = np.full(3, 2e-3)
    with pytest.raises(
        UnsupportedError, match=r"node '1' \(LIF\) has 't_ref', which NIR does not know .*; write it again without"
    ):
        read(path, ImportConfig(dt_s=1e-4, discretise="euler"))


def test_an_output_of_several_neurons_is_their_sum(tmp_path):
    nir.write(tmp_path / "x.nir", voltages(lif(3, v_threshold=0.3 * ones(3)), lif(3, v_threshold=0.5 * ones(3))))
    net = read(str(tmp_path / "x.nir"), ImportConfig(dt_s=1e-4, discretise="euler")).network
    raster = (np.random.default_rng(1).random((1, 200, 3)) < 0.8).astype(np.uint8)
    run = simulate(net, {"input": raster}, record=True)
    fired = [run.spikes[name].astype(float) for name in ("n0", "n1")]
    assert min(spikes.mean() for spikes in fired) > 0.05
    assert net.output.name == "output"
    np.testing.assert_array_equal(run.states["output"]["v"], fired[0] + fired[1])


def test_a_small_file_cannot_ask_for_much_memory_or_time(tmp_path):
    wide = nir.NIRGraph(
        {"input": nir.Input(np.array([1 << 24])), "output": nir.Output(np.array([1 << 24]))}, [], type_check=False
    )
    for i in range(5):
        wide.nodes[f"n{i}"] = nir.LIF(*np.ones((4, 1)))
        wide.edges += [("input", f"n{i}"), (f"n{i}", "output")]
    nir.write(tmp_path / "wide.nir", wide)
    outer = chain(nir.Linear(np.ones((1, 1 << 14))), nir.Linear(np.ones((1 << 14, 1))), lif(1 << 14), shape=[1 << 14])
    many = chain(*(nir.Threshold(np.ones(1)) for _ in range(2000)), shape=[1])
    start = time.monotonic()
    for graph, message in ((outer, "268,435,456 weights with the node before it"), (many, "beyond 2,000 nodes")):
        with pytest.raises((FileError, UnsupportedError), match=message):
            read(without_shapes(graph, tmp_path / "x.nir"), ImportConfig(dt_s=1e-4, discretise="euler"))
    with pytest.raises(UnsupportedError, match="its nodes send 117,440,512 values"):
        read(str(tmp_path / "wide.nir"), ImportConfig(dt_s=1e-4, discretise="euler"))
    assert time.monotonic() - start < 60


def test_the_step_and_the_rule_are_asked_for(tmp_path):
    path = written(chain(eye(3), lif(3), shape=[3]), tmp_path / "x.nir")
    with pytest.raises(ConfigError, match=r"x\.nir: has no time step; add --dt in seconds: snnTorch .* 1e-4"):
        read(path, ImportConfig())
    with pytest.raises(ConfigError, match=r"has time constants, and does not say .*; add --discretise"):
        read(path, ImportConfig(dt_s=1e-4))


def test_without_time_constants_no_rule_is_asked_for(tmp_path):
    path = written(chain(eye(3), nir.Threshold(np.full(3, 0.5)), shape=[3]), tmp_path / "x.nir")
    assert read(path, ImportConfig(dt_s=1e-4)).network.dt_s == 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "2.0"}, "is of NIR version '2.0'"),
        ({"node/type": "LIF"}, "holds a single 'LIF'"), ({"node": None}, "holds no NIR graph"),
        ({"node/nodes/1/r": None}, "'node/nodes/1/r' is missing"),
        ({"node/edges": [["input", "x"]]}, "names the node 'x', which is not in"),
        ({"node/edges": np.ones((2, 2))}, "'node/edges' is no table of texts"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused(change, message, tmp_path):
    path = written(chain(eye(3), lif(3), shape=[3]), tmp_path / "x.nir")
    with h5py.File(path, "r+") as file:
        for name, value in change.items():
            del file[name]
            if value is not None:
                file[name] = value
    with pytest.raises((FileError, UnsupportedError), match=message):
        read(path, ImportConfig(dt_s=1e-4, discretise="euler"))


def test_names_are_legal_unique_and_remembered(tmp_path):
    assert legal(["a.b", "a_b", "0", "n0", "a b", "x" * 80]) == {
        "a.b": "a_b_2", "a_b": "a_b", "0": "n0_2", "n0": "n0", "a b": "a_b_3", "x" * 80: "x" * 64,
    }  # fmt: skip
    found = imported(chain(eye(3), leaky(3, 0.9), shape=[3]), 1e-4, "euler", tmp_path / "x.nir")
    stage = found.network.done[-1]
    assert stage.settings["names"] == {"populations": {"n1": "1"}, "connections": {"n0": "0"}}
    assert [(part.place, part.became) for part in found.parts][:2] == [("0", "connection n0"), ("1", "population n1")]


def test_the_command_imports_quantises_and_checks(tmp_path):
    rng = np.random.default_rng(0)
    parts = [
        nir.Affine(weights(rng, 40, 30), rng.normal(0, 0.1, 40)),
        leaky(40, 0.9),
        nir.Linear(weights(rng, 10, 40)),
        leaky(10, 0.8),
    ]
    source, net, fixed = written(chain(*parts, shape=[30]), tmp_path / "x.nir"), tmp_path / "a.snnc", tmp_path / "b.snnc"
    words = [
        "import",
        source,
        "--dt",
        "1e-4",
        "--discretise",
        "euler",
        "--encoding",
        "rate",
        "-T",
        "20",
        "-o",
        str(net),
        "--json",
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["from"], said["populations"]) == ("nir", {"input": [30], "n1": [40], "n3": [10]})
    assert CliRunner().invoke(main, ["quantise", str(net), "--hw", "loihi1", "-o", str(fixed)]).exit_code == 0
    assert CliRunner().invoke(main, ["check", str(fixed), "--hw", "loihi1"]).exit_code == 0
    again = CliRunner().invoke(main, [*words[:2], "-o", str(tmp_path / "c.snnc")])
    assert again.exit_code == 2
    assert "add --dt" in again.stderr

"""netx files of lava-dl: their integers become a fixed network as they stand."""

from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from cases.networks import spikes

from snnc import targets
from snnc.errors import FileError, SnncError, UnsupportedError
from snnc.importers import ImportConfig, read
from snnc.simulation.reference import simulate

h5py = pytest.importorskip("h5py", reason="netx files need h5py: pip install '.[exchange]'")
from cases.netx import CUBA, content, dense, even, layer, planes, put, spiking, written  # noqa: E402

PIXELS = ImportConfig(pixel_range="0:1")


def lava_layer(x, weight, neuron, bias=0, delay=0, again=None):
    """What Lava computes in a layer, in plain loops: (steps, n_src) -> (steps, n)."""
    steps, n = len(x), len(weight)
    u, v, out = np.zeros(n, int), np.zeros(n, int), np.zeros((steps, n), int)
    late = np.broadcast_to(delay, n)
    for t in range(steps):
        current = np.array([weight[i] @ x[t - late[i]] if t >= late[i] else 0 for i in range(n)])
        if again is not None and t:
            current += again @ out[t - 1]
        u = np.sign(u) * (np.abs(u) * (4096 - neuron["iDecay"]) >> 12) + (current << 6)
        v = np.sign(v) * (np.abs(v) * (4096 - neuron["vDecay"]) >> 12) + u + (np.asarray(bias, int) << 6)
        out[t] = v > neuron["vThMant"] << 6
        v[out[t] > 0] = 0
    return out


def test_the_integers_compute_what_netx_builds_of_them(tmp_path):
    layers = spiking(np.random.default_rng(3))
    net = read(written(layers, tmp_path / "a.net"), ImportConfig()).network
    inputs = spikes(net, samples=1, steps=150, rate=0.3)
    run = simulate(net, inputs)
    x = inputs["input"][0].astype(int)
    for i, fields in enumerate(layers[1:4], start=1):
        parts = {name: fields[name].astype(int) for name in ("weight", "bias", "delay") if name in fields}
        again = fields["weight_rec"].astype(int) if "weight_rec" in fields else None
        x = lava_layer(x, neuron=fields["neuron"], again=again, **parts)
        assert 0.05 < x.mean() < 0.5, i
        assert np.array_equal(run.spikes[f"layer{i}"][0], x), i


def test_a_pixel_enters_times_the_weight_of_the_input_layer(tmp_path):
    net = read(written(planes(np.random.default_rng(1)), tmp_path / "a.net", tSample=20), PIXELS).network
    assert (net.encoding.kind, net.encoding.steps) == ("constant", 20)
    pixels = np.arange(84, dtype=np.uint8)[None, None] * 3
    run = simulate(net, {"input": np.repeat(pixels, 2, 1)}, record=True)
    expected = ((36 * pixels[0, 0].astype(int) >> 8) - 3) << 6
    silent = expected <= 80 << 6
    assert np.array_equal(run.states["layer0"]["v"][0, 0][silent], expected[silent])


@pytest.mark.parametrize(
    ("weights", "exponent", "values", "sign"),
    [
        ([2, -4], 0, [2, -4], "mixed"), ([1, -1], -1, [2, -2], "mixed"), ([127, -128], -1, [254, -256], "mixed"),
        ([1, 255], 0, [1, 255], "excitatory"), ([-255, -1], 0, [-255, -1], "inhibitory"), ([254, -256], 0, [254, -256], "mixed"),
    ],
)  # fmt: skip
def test_weights_keep_their_value(weights, exponent, values, sign, tmp_path):
    layers = [layer("input", (2,)), layer("dense", (1,), weight=np.float32([weights]), neuron=CUBA)]
    op = read(written(layers, tmp_path / "a.net"), ImportConfig()).network.connections[0].op
    assert (op.exponent, op.sign_mode, op.synapses.values.tolist()) == (exponent, sign, values)


def one(**changed):
    """A file of one layer with something else in it."""
    fields = layer("dense", (2,), weight=np.float32([[2, -2, 4], [6, 8, -2]]), neuron=CUBA) | changed
    return [layer("input", (3,)), {name: value for name, value in fields.items() if value is not None}]


REFUSED = {
    "odd": (one(weight=np.float32([[129, -2, 0]] * 2)), "odd weights of both signs beyond -128 .. 127"),
    "large": (one(weight=np.float32([[300, -2, 0]] * 2)), "has weights -2 .. 300, mixed weights reach -256 .. 254"),
    "fraction": (one(weight=np.float32([[0.5, -2, 0]] * 2)), "'layer/1/weight' holds 0.5, expected integers"),
    "zero": (one(weight=np.zeros((2, 3))), r"layer 1 \(dense\) has no weight other than 0"),
    "shape": (one(weight=np.ones((2, 4))), r"weight of shape \(2, 4\), expected \(2, 3\)"),
    "missing": (one(weight=None), "'layer/1/weight' is missing"),
    "complex": (one(weight={"real": np.ones((2, 3)), "imag": np.ones((2, 3))}), "has complex weights"),
    "delay": (one(delay=np.array([3, 70])), "has delays 3 .. 70, 0 to 62 are possible"),
    "delays": (one(delay=np.arange(5)), r"has delays of shape \(5,\) for 3 -> 2 neurons"),
    "turned delays": (one(delay=np.zeros((3, 2)) + 1), r"has delays of shape \(3, 2\) for 3 -> 2 neurons"),
    "features": (one(inFeatures=4), r"has inFeatures \[4\], its weights say \[3\]"),
    "recurrent delay": (one(type=np.array([b"dense_rec"]), weight_rec=np.ones((2, 2)), delay=np.array([1, 2])), "netx drops"),
    "clipped together": (
        one(type=np.array([b"dense_rec"]), weight=np.full((2, 3), 255.0), weight_rec=-np.ones((2, 2))), "which netx clips to 254",
    ),
    "sdnn": (one(neuron={**CUBA, "type": "SDNN"}), "has neurons of type 'SDNN'"),
    "graded": (one(neuron={**CUBA, "gradedSpike": True}), "sends graded spikes"),
    "bits": (one(neuron={**CUBA, "messageBits": 16}), "sends graded spikes"),
    "no leak": (one(neuron={**CUBA, "iDecay": 0}), "has iDecay 0 and vDecay 200, a chip holds 1 to 4096"),
    "full leak": (one(neuron={**CUBA, "vDecay": 4096}), "has iDecay 1024 and vDecay 4096"),
    "bias": (one(bias=np.arange(3)), "has 3 biases for 2 neurons"),
    "no neuron": (one(neuron=None, bias=np.ones(2)), "has a bias and no neuron"),
    "huge shape": (one(shape=np.array([1 << 40])), "with at most 16,777,216 neurons"),
    "no shape": (one(shape=None), "'layer/1/shape' is"),
    "kind": ([layer("input", (3,)), layer("dense_comp", (2,))], "layer 1 is a 'dense_comp', which netx does not run as spikes"),
    "first": ([layer("flatten", (3,))], "layer 0 is 'flatten'; the first layer has to be 'input', or one with weights"),
    "later": ([*one(), layer("input", (2,))], "layer 2 is 'input', which only the first layer can be"),
    "groups": ([*one(), layer("average", (3,))], r"layer 2 \(average\) averages 2 neurons into 3 groups"),
    "decays": (one(neuron={**CUBA, "vDecay": np.arange(3)}), "has vDecay for 3 neurons of 2"),
    "threshold": (one(neuron={**CUBA, "vThMant": np.array([90, 1 << 18])}), "has neurons that never fire"),
    "average": ([layer("input", (3,)), layer("average", (1,)), *one()[1:]], "layer 1 is 'average', which only the last can be"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused(case, tmp_path):
    layers, message = REFUSED[case]
    with pytest.raises(SnncError, match=message) as error:
        read(written(layers, tmp_path / "a.net"), ImportConfig())
    assert "a.net" in str(error.value)
    assert "\n" not in str(error.value)


def test_everything_is_refused_in_one_go(tmp_path):
    layers = [
        layer("input", (3,)),
        *one(delay=np.array([3, 70]))[1:],
        *one(neuron={**CUBA, "type": "RF"}, weight=np.ones((2, 2)))[1:],
    ]
    with pytest.raises(UnsupportedError, match=r"2 things cannot be imported: layer 1 .*; layer 2 "):
        read(written(layers, tmp_path / "a.net"), ImportConfig())


def test_files_of_another_kind_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.net", "w") as file:
        file["node/type"] = "NIRGraph"
    with pytest.raises(FileError, match="holds no netx network"):
        read(str(tmp_path / "a.net"), ImportConfig())
    with h5py.File(tmp_path / "a.net", "w") as file:
        put(file, {"layer": {"0": layer("input", (3,)), "2": layer("flatten", (3,))}})
    with pytest.raises(FileError, match="holds 2 layers, and none named '1'"):
        read(str(tmp_path / "a.net"), ImportConfig())


def test_a_network_of_dense_layers_without_an_input_layer(tmp_path):
    """As slayer writes it; a kernelSize of a dense layer, which netx does not read, says nothing."""
    rng = np.random.default_rng(5)
    layers = [
        dense(rng, 15, 24, delay=rng.integers(0, 9, 15).astype(np.float32), kernelSize=np.array([5, 5])),
        dense(rng, 11, 15, delay=rng.integers(0, 9, 11).astype(np.float32)),
        dense(rng, 3, 11),
    ]
    net = read(written(layers, tmp_path / "a.net"), ImportConfig()).network
    assert [(p.name, p.shape) for p in net.ordered] == [("input", (24,)), ("layer0", (15,)), ("layer1", (11,)), ("layer2", (3,))]
    x = spikes(net, samples=1, steps=80, rate=0.4)
    run = simulate(net, x)
    out = x["input"][0].astype(int)
    for i, fields in enumerate(layers):
        out = lava_layer(out, fields["weight"].astype(int), CUBA, delay=fields.get("delay", np.zeros(1)).astype(int))
        assert 0.02 < out.mean() < 0.6, i
        assert np.array_equal(run.spikes[f"layer{i}"][0], out), i
    back = targets.export("netx", net, None, tmp_path / "b").root / "network.net"
    assert {key: value.tolist() for key, value in content(back).items()} == {
        key: value.tolist() for key, value in content(tmp_path / "a.net").items()
    }


def test_a_convolution_first_is_asked_for_the_shape_of_its_input(tmp_path):
    rng = np.random.default_rng(5)
    path = written([layer("conv", (3, 4, 5), weight=even(rng, 3, 2, 3, 2, 1), neuron=CUBA)], tmp_path / "a.net")
    with pytest.raises(SnncError, match=r"begins with a convolution .* add --input-shape"):
        read(path, ImportConfig())
    net = read(path, ImportConfig(input_shape="2x6x6")).network
    assert (net["input"].shape, net["layer0"].shape) == ((2, 6, 6), (3, 4, 5))


def test_each_neuron_may_have_its_own_decays(tmp_path):
    rng = np.random.default_rng(6)
    neuron = {**CUBA, "iDecay": rng.integers(500, 4097, 9), "vDecay": rng.integers(50, 900, 9), "vThMant": np.array([60])}
    fields = layer("dense", (9,), weight=even(rng, 9, 20), neuron=neuron)
    net = read(written([fields], tmp_path / "a.net"), ImportConfig()).network
    x = spikes(net, samples=1, steps=80, rate=0.4)
    want = lava_layer(x["input"][0].astype(int), fields["weight"].astype(int), neuron)
    assert 0.05 < want.mean() < 0.5
    assert np.array_equal(simulate(net, x).spikes["layer0"][0], want)


def test_an_average_at_the_end_counts_the_spikes_of_its_groups(tmp_path):
    rng = np.random.default_rng(7)
    path = written([dense(rng, 12, 20), layer("average", (4,), numOutputs=4)], tmp_path / "a.net")
    net = read(path, ImportConfig()).network
    x = spikes(net, samples=3, steps=60, rate=0.4)
    run = simulate(net, x)
    counts = run.spikes["layer0"].reshape(3, 60, 4, 3).sum(axis=(1, 3))
    assert counts.min() > 0
    assert np.array_equal(run.states["layer1"]["v"].sum(axis=1), 64 * counts)


def test_what_black_and_white_were_is_asked_for(tmp_path):
    """Pixels from -1 to 1 enter times the weight of the input layer, plus its bias."""
    path = written(planes(np.random.default_rng(1)), tmp_path / "a.net")
    with pytest.raises(SnncError, match="add --pixel-range with what black and white were"):
        read(path, ImportConfig())
    net = read(path, ImportConfig(pixel_range="-1:1")).network
    pixels = np.arange(84, dtype=np.uint8)[None, None] * 3
    run = simulate(net, {"input": np.repeat(pixels, 2, 1)}, record=True)
    expected = ((72 * pixels[0, 0].astype(int) >> 8) - 36 - 3) << 6
    silent = expected <= 80 << 6
    assert np.array_equal(run.states["layer0"]["v"][0, 0][silent], expected[silent])
    assert len(np.unique(run.states["layer0"]["v"][0, 0])) > 20


FIXTURES = peers.FOLDER / "lava-dl/tests/lava/lib/dl/netx"


@pytest.mark.slow
@peers.needs("lava-dl", "peers")
def test_the_files_of_lava_dl_compute_what_lava_dl_says():
    """Networks that lava-dl ships, against the spikes that slayer computed for them."""
    net = read(str(FIXTURES / "gts/ntidigits/ntidigits.net"), ImportConfig()).network
    spikes_in = np.load(FIXTURES / "gts/ntidigits/input.npy").T[None].astype(np.uint8)
    truth = np.load(FIXTURES / "gts/ntidigits/output.npy").T
    out = simulate(net, {"input": spikes_in}).spikes["layer4"][0]  # before the average at the end
    assert truth.sum() == 22572
    assert np.array_equal(out[:-4], truth[4:])  # slayer adds a step in each of three layers and at the input
    net = read(str(FIXTURES / "tiny.net"), PIXELS).network
    image = np.load(FIXTURES / "gts/tinynet/input_bias.npy").transpose(2, 1, 0).reshape(-1).astype(np.int64)
    first = replace(net["layer0"], neuron=replace(net["layer0"].neuron, bias=image << 6))
    net = replace(net, populations=tuple(first if p.name == "layer0" else p for p in net.populations))
    truth = np.load(FIXTURES / "gts/tinynet/output.npy")[0].reshape(36, -1).T
    out = simulate(net, {"input": np.zeros((1, 16, 768), np.uint8)}).spikes["layer2"][0]
    assert truth.sum() == 92
    assert np.array_equal(out[:-1], truth[1:])

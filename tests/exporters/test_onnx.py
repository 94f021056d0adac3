"""What is in the ONNX files, as others read them."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain, fixed_loops, float_chain, spikes
from cases.programs import run
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from snnc.exporters.onnx import program as _onnx_program

from snnc import targets
from snnc.errors import DoesNotFitError, RunError, UnsupportedError
from snnc.network.arithmetic import Float
from snnc.network.model import Stage
from snnc.simulation.reference import simulate


def exported(net, folder, **options):
    return targets.export("onnx", net, None, folder / "a", **options).root


def model(root, name="step"):
    return onnx.load(root / f"{name}.onnx")


def altered(root, name, change):
    """Change one number in a model; returns the name of what was changed."""
    found = model(root, name)
    graph = found.graph if name == "step" else found.graph.node[0].attribute[0].g
    change(graph)
    (root / f"{name}.onnx").write_bytes(found.SerializeToString())


def constant(graph, name, add):
    """Add to the first number of a constant."""
    tensor = next(t for t in graph.initializer if t.name.endswith(name))
    array = numpy_helper.to_array(tensor).copy()
    array.reshape(-1)[0] += np.array(add, array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


@pytest.mark.parametrize("name", ["step", "sequence"])
@pytest.mark.parametrize("net", [fixed_loops(), float_chain(), convolutional(delays=True)], ids=["loops", "float", "conv"])
def test_the_strict_checker_takes_the_files(net, name, tmp_path):
    found = model(exported(net.after(Stage("train", {"seed": 7})), tmp_path), name)
    onnx.checker.check_model(found, full_check=True)
    facts = {p.key: p.value for p in found.metadata_props}
    assert facts["snnc.network_hash"] == json.dumps(net.hash)
    assert json.loads(facts["snnc.done"])[-1] == {"name": "train", "settings": {"seed": 7}}
    assert json.loads(facts["snnc.numeric"])["kind"] == net.numeric.kind
    assert (found.opset_import[0].version, found.ir_version, found.producer_name) == (18, 8, "snnc")
    assert {n.domain for n in found.graph.node} == {""}, "operators of the standard only"


@pytest.mark.parametrize("net", [fixed_loops(), float_chain(model="cuba_refractory")], ids=["fixed", "float"])
def test_a_second_runtime_says_the_same(net, tmp_path):
    """The evaluator of the package onnx, which is written in NumPy."""
    root, inputs = exported(net, tmp_path), spikes(net, samples=2)
    by_onnxruntime = run("onnx", net, inputs, root)
    session, evaluator = onnxruntime.InferenceSession(root / "step.onnx"), ReferenceEvaluator(str(root / "step.onnx"))
    states = _onnx_program.start_states(session, 2)
    names = [o.name for o in session.get_outputs()]
    for step in range(16):
        found = dict(zip(names, evaluator.run(names, {**states, "input": inputs["input"][:, step]}), strict=True))
        states = {name: found[f"{name}.next"] for name in states}
        for p in net.populations[1:]:
            assert np.array_equal(found[p.name], by_onnxruntime.spikes[p.name][:, step])
            assert np.array_equal(found[f"{p.name}.v.next"], by_onnxruntime.states[p.name]["v"][:, step])
    assert by_onnxruntime.spikes["output"].any()


def test_a_sequence_can_be_continued(tmp_path):
    """The states after five steps are those before the sixth, delays included."""
    net = fixed_loops()
    session = onnxruntime.InferenceSession(exported(net, tmp_path) / "sequence.onnx")
    inputs = np.moveaxis(spikes(net, samples=3)["input"], 1, 0)
    names = [o.name for o in session.get_outputs()]
    states = _onnx_program.start_states(session, 3)
    whole = dict(zip(names, session.run(names, {**states, "input": inputs}), strict=True))
    first = dict(zip(names, session.run(names, {**states, "input": inputs[:5]}), strict=True))
    states = {name: first[f"{name}.next"] for name in states}
    rest = dict(zip(names, session.run(names, {**states, "input": inputs[5:]}), strict=True))
    for p in net.populations[1:]:
        assert whole[p.name].any()
        assert np.array_equal(whole[p.name], np.concatenate([first[p.name], rest[p.name]]))
    assert all(np.array_equal(whole[f"{name}.next"], rest[f"{name}.next"]) for name in states)


def test_the_voltages_of_a_readout_come_with_the_sequence(tmp_path):
    net = fixed_chain(model="li")
    session = onnxruntime.InferenceSession(exported(net, tmp_path) / "sequence.onnx")
    inputs = spikes(net)
    feeds = {**_onnx_program.start_states(session, 3), "input": np.moveaxis(inputs["input"], 1, 0)}
    (trace,) = session.run(["output.trace"], feeds)
    assert np.array_equal(np.moveaxis(trace, 0, 1), simulate(net, inputs).states["output"]["v"])


CHANGES = {
    "weight": lambda graph: constant(graph, "fc1.0.weights", 1),
    "threshold": lambda graph: constant(graph, "hidden1.threshold_lift", -64),
    "bias": lambda graph: constant(graph, "hidden1.bias", 1),
    "leak": lambda graph: constant(graph, "hidden1.decay_v_kept", 1),
    "shift": lambda graph: constant(graph, "int64:64", 1),
}


@pytest.mark.parametrize("name", ["step", "sequence"])
@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_number_in_a_file_is_found(name, what, tmp_path):
    """In one file the two no longer agree, in both they are no longer the network."""
    net = fixed_chain(density=0.9, bias=64)
    root, inputs = exported(net, tmp_path), spikes(net, samples=6)
    reference = simulate(net, inputs, record=True).states["hidden1"]["v"]
    assert np.array_equal(_onnx_program.run_network(*_onnx_program.models(root), inputs)["hidden1.v"], reference)
    altered(root, name, CHANGES[what])
    assert targets.altered_files(targets.read_artifact(root)) == [f"{name}.onnx"]
    with pytest.raises(SystemExit, match=r"step\.onnx and sequence\.onnx differ in hidden1"):
        _onnx_program.run_network(*_onnx_program.models(root), inputs)
    altered(root, "sequence" if name == "step" else "step", CHANGES[what])
    assert not np.array_equal(_onnx_program.run_network(*_onnx_program.models(root), inputs)["hidden1.v"], reference)


def test_models_that_differ_are_one_error(tmp_path):
    root = exported(fixed_chain(), tmp_path)
    altered(root, "sequence", CHANGES["weight"])
    with pytest.raises(RunError, match=r"onnxruntime failed with exit code 1; it says: step\.onnx and sequence\.onnx differ"):
        targets.load("onnx").run(targets.read_artifact(root), spikes(fixed_chain()), True, 60)


def test_a_file_that_is_no_model_is_one_error(tmp_path):
    root = exported(fixed_chain(), tmp_path)
    (root / "step.onnx").write_bytes(b"\x00" * 100)
    with pytest.raises(RunError, match=r"onnxruntime failed with exit code 1; it says: .*Protobuf") as caught:
        targets.load("onnx").run(targets.read_artifact(root), spikes(fixed_chain()), True, 60)
    assert "\n" not in str(caught.value)


def test_weights_are_sparse_where_that_is_smaller(tmp_path):
    """9 bytes a weight, against one for each place; kernels and weights are stored once."""
    for density, sparse in ((0.03, True), (0.5, False)):
        net = fixed_chain(sizes=(200, 100, 5), density=density)
        root = exported(net, tmp_path, force=True)
        said = json.loads((root / "sizes.json").read_text())["weight_bytes"]
        count = net.connections[0].op.synapses.count
        assert said["fc1"] == (9 * count if sparse else 200 * 100)
        assert said["fc1"] < (root / "step.onnx").stat().st_size < said["fc1"] + said["fc2"] + 12_000
        assert any(n.op_type == "Constant" for n in model(root).graph.node) == sparse
    net = convolutional()
    assert json.loads((exported(net, tmp_path, force=True) / "sizes.json").read_text())["weight_bytes"]["c1"] == 6 * 2 * 3 * 2


def test_floats_are_unrolled_only_so_far(tmp_path):
    with pytest.raises(DoesNotFitError, match="--max-synapses"):
        targets.export("onnx", convolutional(Float()), None, tmp_path / "a", max_synapses=100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "said"), [("MAX_FILE_BYTES", "an ONNX file holds at most 10"), ("MAX_DENSE_BYTES", "takes 240 bytes")]
)
def test_files_that_would_be_too_large_are_refused(limit, said, tmp_path, monkeypatch):
    monkeypatch.setattr(f"snnc.exporters.onnx.{limit}", 10)
    with pytest.raises(UnsupportedError, match=said):
        exported(fixed_chain(), tmp_path)

"""Every function of the API refuses arguments of a wrong type in one sentence of snnc's own that names the argument."""

import inspect
import re

import numpy as np
import pytest
from cases.networks import fixed_chain, float_chain, spikes

import snnc
from snnc.base.public import Count, Seconds, fits, named_by_argument, public

pytest.importorskip("torch", reason="training and reading need torch")

NET, REAL = fixed_chain(), float_chain()
FUNCTIONS = {name: thing for name in snnc.__all__ if inspect.isfunction(thing := getattr(snnc, name))} | {
    "report": snnc.report.write_report,
    "data": snnc.data.load,
    "parameter_groups": snnc.optim.parameter_groups,
}
TAKEN = {"prune": {"model": snnc.Network, "data": str}}  # beside what a hint says that only type checkers resolve
GIVEN = {  # what each function needs at least
    "data": ("never",), "limit": (NET,),
    "check": (NET, "loihi1"), "contrast": (REAL, REAL), "evaluate": (REAL,), "export": (NET, "npz", "never"), "inspect": (NET,),
    "load": ("never",), "map": (NET, "loihi1"), "parameter_groups": (None,), "prove_ranges": (NET,), "prune": (REAL,),
    "prune_to_fit": (REAL, "loihi1:cores=1"), "quantise": (REAL, "loihi1"), "read": ("never.nir",), "remedies": (NET, "loihi1"),
    "report": ("never",), "save": (NET, "never/never.snnc"), "simplify": (NET,), "simulate": (NET, spikes(NET)), "supported": (),
    "train": (), "verify": (NET, "reference"), "workers": (),
}  # fmt: skip


class Odd:
    """What no function takes."""


def wrong_values(hint, taken):
    """Values of several types, of those that a hint rules out and that are not of the type ``taken``."""
    candidates = [None, "three", b"bytes", 3, -1, 2.5, float("nan"), True, [], {}, {1}, object(), Odd, np.zeros(3), NET, 1 << 80]
    return [value for value in candidates if not fits(value, hint) and not isinstance(value, taken)] + [Odd()]


CASES = [
    (name, parameter)
    for name, function in FUNCTIONS.items()
    for parameter in inspect.signature(function).parameters.values()
    if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
]


def test_every_function_is_public():
    """`chips`, `neurons` and `targets` take nothing."""
    assert FUNCTIONS.keys() == GIVEN.keys()
    for name, function in FUNCTIONS.items():
        assert "public.<locals>" in function.__code__.co_qualname or not inspect.signature(function).parameters, name


@pytest.mark.parametrize(("name", "parameter"), CASES, ids=lambda x: getattr(x, "name", x))
def test_a_wrong_type_is_one_sentence(name, parameter):
    function = FUNCTIONS[name]
    hint = snnc.base.public._Signature(function.__wrapped__).hints.get(parameter.name, Odd)
    names = list(inspect.signature(function).parameters)
    for value in wrong_values(hint, TAKEN.get(name, {}).get(parameter.name, ())):
        given = dict(zip(names, GIVEN[name], strict=False)) | {parameter.name: value}
        with pytest.raises(snnc.SnncError) as error:
            function(**given)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 400
        assert error.value.exit_code in (2, 5)
        assert re.search(rf"{parameter.name}=|{type(value).__name__} is |is a path, expected", str(error.value)), str(error.value)


def test_numbers_of_numpy_are_numbers():
    assert snnc.verify(NET, "reference", noise=np.float32(0.5), samples=np.int64(3), seed=np.uint8(1)).samples == 3
    config = snnc.TrainConfig(hidden=np.array([8, 4]), epochs=np.int64(2), lr=np.float64(0.5))
    assert config == snnc.TrainConfig(hidden=(8, 4), epochs=2, lr=0.5)
    assert [type(x) for x in (*config.hidden, config.epochs, config.lr)] == [int, int, int, float]


@pytest.mark.parametrize("source", [None, 3, NET, [1]])
def test_what_is_no_module_is_neither_read_nor_pruned(source):
    for call in (snnc.read, lambda x: snnc.prune(x, connectivity=0.5)):
        if call is not snnc.read and source is NET:
            continue  # a network that cannot be pruned, which another test holds
        with pytest.raises(snnc.UsageError, match=rf"^{type(source).__name__} is no torch module; pass "):
            call(source)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: snnc.verify(REAL, "reference", noise=0.5, cover=True), r"^cover=True: coverage is counted"),
        (lambda: snnc.verify(NET, NET, noise=0.5, counterexample="x"), r"^counterexample=: .* or against='reference'$"),
        (lambda: snnc.prune(REAL), r"give connectivity=0\.05, say$"),
        (lambda: snnc.train(device="cuda", kernel="fused"), r"use kernel='auto' or device='cpu'$"),
        (lambda: snnc.read("net.xyz"), r"add format=: "),
        (lambda: snnc.save(NET, __file__), r"exists already; pick another path= or add force=True to replace it$"),
    ],
)
def test_errors_name_arguments_and_the_command_line_options(call, says):
    with pytest.raises(snnc.SnncError, match=says) as error:
        call()
    assert "--" not in str(error.value)
    assert "--" in "".join(error.value.as_options)


def test_commands_in_a_message_stay_commands():
    names = {"hw": ("chip", str), "force": ("force", bool), "strategy": ("strategy", str)}
    text = "it fits: snnc map --hw loihi1 --strategy greedy; or name --hw loihi2, and add --force to replace --nothing"
    told = named_by_argument(text, names)
    command = "it fits: snnc map --hw loihi1 --strategy greedy; "
    assert told == command + "or name chip='loihi2', and add force=True to replace --nothing"


def test_a_range_is_part_of_a_hint():
    @public
    def wait(times: Count, seconds: Seconds = 1.0, word: "Nowhere" = "any") -> tuple:  # noqa: F821 - for type checkers only
        return times, seconds, word

    assert wait(np.int8(2), word=3) == (2, 1.0, 3)
    for wrong, says in (
        ({"times": 0}, r"times=0 is no whole number from 1 on"),
        ({"times": 1, "seconds": 0}, r"no number above 0"),
    ):
        with pytest.raises(snnc.UsageError, match=says):
            wait(**wrong)
    with pytest.raises(TypeError, match=r"wait\(\) missing 1 required"):
        wait()


def test_without_labels_there_is_no_accuracy():
    from snnc.verification.evaluate import Recorded

    evaluation = snnc.evaluate(NET, Recorded(spikes(NET)))
    assert (evaluation.accuracy, evaluation.correct) == (None, None)
    assert "right" not in repr(evaluation)

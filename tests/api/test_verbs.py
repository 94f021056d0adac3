"""The verbs of the command line are the functions of the API: the same options, the same defaults, the same results."""

import inspect
import json
from dataclasses import fields

import click
import numpy as np
import pytest
from conftest import snnc as command_line

pytest.importorskip("torch", reason="the chain trains")

import snnc
from snnc.cli import VERBS, main
from snnc.training.pruning.own_settings import OwnConfig

FUNCTIONS = {
    "check": ("check", "remedies", "prove_ranges"),
    "export": ("export",),
    "import": ("read",),
    "inspect": ("inspect",),
    "limit": ("limit",),
    "map": ("map",),
    "prune": ("prune", "prune_to_fit"),
    "quantise": ("quantise",),
    "report": ("report",),
    "simplify": ("simplify",),
    "simulate": ("evaluate", "contrast"),
    "train": ("train",),
    "verify": ("verify",),
}
WITHOUT = {"build", "data", "doctor", "profiles", "run", "sweep", "targets"}  # lists, tools, and what makes folders of files
SETTINGS = {
    "import": (snnc.ImportConfig,),
    "prune": (snnc.PruneConfig, OwnConfig),
    "quantise": (snnc.QuantiseConfig,),
    "train": (snnc.TrainConfig,),
}
CALLED = {  # an option's name in the verb -> the parameter's
    "data_name": "data",
    "data_dir": "folder",
    "profile": "chip",
    "profile_name": "chip",
    "importer": "format",
    "rate": "noise",
    "kept": "resume",
    "smallest": "counterexample",
    "mapped": "mapping",
    "as_markdown": "markdown",
    "fit": "goal",
    "budget": "max_spikes_per_step",
    "lanes": "options",
    "narrow": "options",
}
PRINTED = {"as_json", "quiet"}
PART_OF_DATA = {"split_seed"}  # of the source that data may be
FILES = {  # read or written by the verb, around the call
    ("check", "force"), ("check", "inputs"), ("import", "force"), ("import", "out"), ("limit", "force"), ("limit", "out"),
    ("map", "force"), ("map", "out"), ("map", "svg"), ("prune", "out"), ("quantise", "force"), ("quantise", "out"),
    ("simplify", "force"), ("simplify", "out"), ("simulate", "force"), ("simulate", "out"), ("train", "download"),
    ("train", "out"), ("train", "state_dict"),
}  # fmt: skip
OTHER_FUNCTIONS = {  # asks for one more function, or for many processes
    ("check", "search"): "remedies", ("check", "wanted"): "prove_ranges", ("quantise", "fewer"): "simplify",
    ("verify", "level"): "",  # with a device it is snnc.verify's netlist
    ("simulate", "against"): "contrast",
    **{(verb, name): "workers" for verb in ("check", "map", "quantise", "simulate", "verify")
       for name in ("executor", "jobs", "scheduler", "work")},
}  # fmt: skip
RECORDED = {"map": "rates", "simulate": "", "verify": "inputs"}  # a file with rasters; simulate counts them without labels
PYTHON_ONLY = {"candidate", "config", "data", "inputs", "keep", "net", "model", "own", "reference", "say", "settings", "source",
               "test", "watch"}  # fmt: skip
OTHER_DEFAULTS = {("verify", "data_name"), ("prune", "quiet")}  # verify takes no data for granted; a library is quiet


def options_of(verb):
    context = click.Context(main, info_name=verb)
    command = main.get_command(context, verb)
    return click.Context(command), [p for p in command.params if isinstance(p, click.Option)]


def function(name):
    thing = getattr(snnc, name)
    return thing if inspect.isfunction(thing) else type(thing).__call__


def parameters_of(verb):
    return {k: p for name in FUNCTIONS[verb] for k, p in inspect.signature(function(name)).parameters.items()}


def called(verb, option):
    if (verb, option) == ("verify", "model"):
        return "against"
    if (verb, option) == ("verify", "device"):
        return "netlist"
    return RECORDED[verb] if option == "recorded" else CALLED.get(option, option)


def test_every_verb_has_its_functions():
    assert FUNCTIONS.keys() | WITHOUT == set(VERBS)
    assert {name for names in FUNCTIONS.values() for name in names} <= set(snnc.__all__)


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_every_option_is_a_parameter(verb):
    _, options = options_of(verb)
    known = parameters_of(verb).keys() | {f.name for config in SETTINGS.get(verb, ()) for f in fields(config)}
    for option in (o.name for o in options if o.name not in PRINTED | PART_OF_DATA and (verb, o.name) not in FILES):
        if (verb, option) in OTHER_FUNCTIONS or (verb, option) == ("simulate", "recorded"):
            assert OTHER_FUNCTIONS.get((verb, option), "") in ("", *snnc.__all__)
            continue
        assert called(verb, option) in known, f"snnc {verb} has {option}, snnc.{FUNCTIONS[verb][0]} has not"


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_every_parameter_is_an_option(verb):
    _, options = options_of(verb)
    named = {called(verb, o.name) for o in options} | {o.name for o in options}
    arguments = {"chip", "against", "folder", "out"}  # of some verbs an argument, not an option
    for parameter in parameters_of(verb).keys() - PYTHON_ONLY - arguments:
        assert parameter in named, f"snnc.{FUNCTIONS[verb][0]} takes {parameter}, snnc {verb} does not"


def default_of(option, context):
    """What the verb gets if the option is not given; click has a mark of its own for none."""
    value = option.get_default(context)
    value = None if "UNSET" in repr(value) else value
    return option.callback(context, option, value) if option.callback else value


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_defaults_are_equal(verb):
    context, options = options_of(verb)
    parameters = parameters_of(verb)
    settings = {f.name: f.default for config in SETTINGS.get(verb, ()) for f in fields(config)}
    compared = 0
    for option in options:
        name = called(verb, option.name)
        if (
            (verb, option.name) in FILES | OTHER_DEFAULTS
            or option.name in PRINTED | PART_OF_DATA
            or name not in {*parameters, *settings}
        ):
            continue
        default = settings[name] if name in settings else parameters[name].default
        value = default_of(option, context)
        if option.required or default is inspect.Parameter.empty or (value, default) == (None, "auto"):
            continue
        compared += 1
        assert value == default, f"snnc {verb} --{option.name}"
    assert compared or verb in ("simplify", "import")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The chain by the command line, and from Python."""
    folder = tmp_path_factory.mktemp("both")
    words = {
        "train": ["--hidden", "16", "--epochs", "2", "-o", folder / "dense.snnc"],
        "prune": [folder / "dense.snnc", "--connectivity", "0.3", "--epochs", "2", "-o", folder / "sparse.snnc"],
        "quantise": [folder / "sparse.snnc", "--hw", "loihi1", "--finetune-epochs", "1", "-o", folder / "fixed.snnc"],
        "export": [folder / "fixed.snnc", "-t", "npz", "-o", folder / "program"],
    }
    for verb, rest in words.items():
        assert command_line(verb, *rest) == 0, verb
    dense = snnc.train("digits", hidden=(16,), epochs=2)
    sparse = snnc.prune(dense, "digits", connectivity=0.3, epochs=2)
    fixed = snnc.quantise(sparse, "loihi1", finetune_epochs=1)
    return folder, dense, sparse, fixed


def printed(capsys, *words):
    code = command_line(*words, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_networks_are_equal_to_the_byte(made, tmp_path):
    folder, *networks = made
    for name, net in zip(("dense", "sparse", "fixed"), networks, strict=True):
        snnc.save(net, tmp_path / f"{name}.snnc")
        assert (tmp_path / f"{name}.snnc").read_bytes() == (folder / f"{name}.snnc").read_bytes()
        assert snnc.load(folder / f"{name}.snnc").hash == net.hash


def test_exports_are_equal_to_the_byte(made, tmp_path):
    folder, _, _, fixed = made
    artifact = snnc.export(fixed, "npz", tmp_path / "program")
    for name in (*artifact.files, "manifest.json"):
        assert (tmp_path / "program" / name).read_bytes() == (folder / "program" / name).read_bytes()


def test_check_says_the_same(made, capsys):
    folder, _, _, fixed = made
    code, body = printed(capsys, "check", folder / "fixed.snnc", "--hw", "loihi1")
    budget = snnc.check(fixed, "loihi1")
    assert code == 0
    assert {key: body[key] for key in budget.to_json()} == json.loads(json.dumps(budget.to_json()))
    assert body["range_proof"]["holds"] == snnc.prove_ranges(fixed).holds


def test_map_says_the_same(made, capsys, tmp_path):
    folder, _, _, fixed = made
    assert command_line("map", folder / "fixed.snnc", "--hw", "loihi1", "--strategy", "greedy", "-o", tmp_path / "map.json") == 0
    core_map = snnc.map(fixed, "loihi1", strategy="greedy")
    assert json.loads((tmp_path / "map.json").read_text()) == json.loads(json.dumps(core_map.to_json()))


def test_verify_and_simulate_say_the_same(made, capsys):
    folder, _, _, fixed = made
    _, body = printed(capsys, "verify", folder / "program", "--against", folder / "fixed.snnc", "--samples", 20)
    verification = snnc.verify(folder / "program", fixed, data="digits", samples=20)
    assert (body["exact"], body["accuracy"]) == (verification.exact, verification.accuracy)
    assert {k: (v["compared"], v["mismatches"]) for k, v in body["spikes"].items()} == verification.verdict.spikes
    _, body = printed(capsys, "simulate", folder / "fixed.snnc", "--samples", 30)
    evaluation = snnc.evaluate(fixed, samples=30)
    assert (body["accuracy"], body["spikes"]) == (evaluation.accuracy, dict(evaluation.spikes))


def test_a_chip_is_a_name_a_path_or_a_profile(made):
    _, _, _, fixed = made
    from snnc.chips import folder, load

    for chip in ("loihi1", folder() / "loihi1.toml", str(folder() / "loihi1.toml"), load("loihi1")):
        assert snnc.check(fixed, chip).to_json() == snnc.check(fixed, "loihi1").to_json()
        assert snnc.map(fixed, chip, strategy="greedy") == snnc.map(fixed, "loihi1", strategy="greedy")


def test_export_maps_if_the_target_needs_it_and_measures_a_mapping_anew(made, tmp_path):
    _, dense, _, fixed = made
    artifact = snnc.export(fixed, "loihi", tmp_path / "in_order")
    assert "mapping.json" in artifact.files
    core_map = snnc.map(fixed, "loihi1", strategy="greedy")
    snnc.export(fixed, "loihi", tmp_path / "greedy", mapping=core_map)
    assert json.loads((tmp_path / "greedy" / "mapping.json").read_text())["strategy"] == "greedy"
    other = snnc.quantise(snnc.train("digits", hidden=(17,), epochs=1), "loihi1")
    with pytest.raises(snnc.NetworkError, match=r"they are to cover 0 \.\. 17"):
        snnc.export(other, "loihi", tmp_path / "other", mapping=core_map)
    with pytest.raises(snnc.UnsupportedError, match="is a float network"):
        snnc.export(dense, "loihi", tmp_path / "float")
    with pytest.raises(snnc.UsageError, match="maps to no chip"):
        snnc.export(fixed, "c", tmp_path / "c", mapping=core_map)


def test_rasters_are_held_against_the_inputs(made):
    _, dense, _, fixed = made
    rasters = np.random.default_rng(0).integers(0, 2, (3, 8, 64))
    run = snnc.simulate(fixed, rasters)
    assert np.array_equal(run.spikes["output"], snnc.simulate(fixed, {"input": rasters > 0}, by="reference").spikes["output"])
    assert snnc.verify(fixed, "reference", inputs=rasters).samples == 3
    for wrong, says in (
        (rasters[0], "has shape"), (rasters * 2, r"holds 0 \.\. 2, the input sends 0 \.\. 1"), (rasters[:0], "has shape"),
        (rasters * 0.5, "expected integers"), ({"in": rasters}, "got rasters for in, its inputs are input"),
    ):  # fmt: skip
        with pytest.raises(snnc.DataError, match=says):
            snnc.simulate(fixed, wrong)
    for given in ({}, {"data": "digits", "noise": 0.5}):
        with pytest.raises(snnc.UsageError, match="exactly one"):
            snnc.verify(fixed, "reference", **given)
    with pytest.raises(snnc.UsageError, match="'elsewhere' is no network"):
        snnc.verify(dense, "elsewhere", noise=0.5)


def test_wrong_settings_name_the_nearest_one():
    with pytest.raises(snnc.ConfigError, match=r"unknown key 'epoch'.*did you mean 'epochs'"):
        snnc.train("digits", epoch=1)
    with pytest.raises(snnc.ConfigError, match="given beside config"):
        snnc.train("digits", epochs=1, config=snnc.TrainConfig())

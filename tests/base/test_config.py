"""Settings: what cannot be is refused before anything runs, in one sentence that names the key."""

import tomllib
from pathlib import Path

import pytest

from snnc.base.config import from_table
from snnc.errors import ConfigError
from snnc.importers import ImportConfig
from snnc.training.settings import FinetuneConfig, PruneConfig, TrainConfig


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('hidden = ["x"]', "hidden = 'x' is no whole number"),
        ("hidden = [1.5]", "hidden = 1.5 is no whole number"),
        ("hidden = [true]", "hidden = True is no whole number"),
        ("hidden = [[1]]", r"hidden = \[1\] is no whole number"),
        ("hidden = 16", r"hidden = 16 is no list; write a list such as \[128\]"),
        ("hidden = [16, 0]", "hidden = 0 is out of range; use 1 to 100000"),
        ("hidden = [1000000000]", "hidden = 1000000000 is out of range"),
        ("hidden = [90000, 90000]", "8,100,000,000 weights between hidden layers"),
        ("epochs = true", "epochs = True is no whole number"),
        ("bias = 1", "bias = 1 is no switch"),
        ("lr = [0.1]", "is no number"),
        ("lr = nan", "lr = nan is not finite"),
        ("dt_s = inf", "dt_s = inf is not finite"),
        ("threshold = inf", "threshold = inf is not finite"),
        ("threshold = 1e6", "threshold = 1000000.0 is out of range; use 0.001 to 1000"),
        ("loss = ['counts']", "is not possible; use one of: counts, rate"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(line, message):
    with pytest.raises(ConfigError, match=message) as error:
        from_table(TrainConfig, tomllib.loads(line), "a.toml [train]")
    assert error.value.where == "a.toml [train]"


def test_a_path_may_be_text_and_nothing_else():
    assert ImportConfig(weights="a/b.safetensors").weights == ImportConfig(weights=Path("a/b.safetensors")).weights
    with pytest.raises(ConfigError, match="weights = 3 is no path"):
        ImportConfig(weights=3)


def test_values_that_can_be_are_taken():
    config = from_table(TrainConfig, tomllib.loads("hidden = [1, 100000]\nthreshold = 1000\nlr = 1"), "a.toml")
    assert (config.hidden, config.threshold, config.lr) == ((1, 100_000), 1000, 1)
    assert TrainConfig(hidden=()).hidden == ()


@pytest.mark.parametrize("make", [lambda v: PruneConfig(sparsity=0.5, alpha=v), lambda v: FinetuneConfig(lr=v)])
def test_no_setting_is_infinite(make):
    with pytest.raises(ConfigError, match="inf is not finite"):
        make(float("inf"))

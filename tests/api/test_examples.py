"""The examples in the docstrings of the API run, and print what they say."""

import doctest
import inspect

import pytest
from api.test_names import stub

pytest.importorskip("torch", reason="the examples train")

import snnc

NAMES = [name for name in snnc.__all__ if name not in ("__version__", "optim", "plugin")]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_each_name_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(stub()[name]), {}, name, None, None)
    assert test.examples
    told = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
    assert not failed, "".join(told)

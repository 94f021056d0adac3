"""Python files of users as they stand: scripts that read arguments, modules of packages, names of what is no factory."""

import sys

import pytest

from snnc.base.factory import Factory, made
from snnc.errors import FileError

PARSER = """
import argparse
parser = argparse.ArgumentParser()
{}
args = parser.parse_args()
def make(): return args.hidden
"""
NET = """
class Net:
    def __init__(self, hidden=3): pass
    def forward(self, x): return x
    def __call__(self, x): return self.forward(x)
def sized(hidden, *, depth): return Net(hidden)
net = Net()
"""


def made_of(path, code, name="make"):
    path.write_text(code)
    return made(Factory(path, name))


def test_the_arguments_of_snnc_are_none_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["snnc", "import", "net.py:make", "--input-shape", "12"])
    before = list(sys.path)
    assert made_of(tmp_path / "net.py", PARSER.format("parser.add_argument('--hidden', type=int, default=10)")) == 10
    assert (sys.argv[0], sys.path) == ("snnc", before)


def test_a_script_that_ends_is_told_with_its_line(tmp_path):
    with pytest.raises(FileError, match=r"raises SystemExit: 2 \(net\.py:5\) when it is imported; put what a script does"):
        made_of(tmp_path / "net.py", PARSER.format("parser.add_argument('--hidden', required=True)"))


def test_a_file_of_a_package_imports_what_lies_beside_it(tmp_path):
    inner = tmp_path / "nets_of_mine" / "small"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("")
    (inner.parent / "sizes.py").write_text("HIDDEN = 7\n")
    (inner / "layers.py").write_text("from ..sizes import HIDDEN\n")
    before = list(sys.path)
    assert made_of(inner / "net.py", "from .layers import HIDDEN\ndef make():\n    return HIDDEN\n") == 7
    assert sys.path == before


def test_the_remedy_of_a_relative_import_leads_on(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "layers.py").write_text("HIDDEN = 7\n")
    code = "from .layers import HIDDEN\ndef make():\n    return HIDDEN\n"
    with pytest.raises(FileError, match=r"relative import .* package; add an empty __init__\.py to each folder of its package"):
        made_of(tmp_path / "plain" / "net.py", code)
    (tmp_path / "plain" / "__init__.py").write_text("")
    assert made_of(tmp_path / "plain" / "net.py", code) == 7


def test_a_path_that_the_file_adds_stays_its_own(tmp_path):
    (tmp_path / "net.py").write_text("import sys\nsys.path.insert(0, 'elsewhere')\ndef make():\n    return 1\n")
    before = list(sys.path)
    assert made(Factory(tmp_path / "net.py", "make")) == 1
    assert sys.path == ["elsewhere", *before]
    sys.path.remove("elsewhere")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net", r"is a Net and no function that makes one; add def make\(\): return net and name make"),
        ("sized", r"needs arguments \(hidden, depth\); add def make\(\): return sized\(\.\.\.\) with them, and name make"),
    ],
)
def test_what_is_no_factory_is_told(name, says, tmp_path):
    with pytest.raises(FileError, match=says):
        made_of(tmp_path / "net.py", NET, name)

"""The code blocks of the documents, and the files that they name: made small, so that the commands run in seconds."""

import re
import shlex
from pathlib import Path

import numpy as np
from conftest import ROOT

from cases.exported import export
from cases.networks import fixed_chain
from cases.report_folders import RUN
from snnc import store

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LANGUAGES = ("sh", "python", "c", "toml", "text")
MODEL = """
import snntorch
import torch
from snntorch import utils
from torch import nn


def make():
    layers = (nn.Linear(64, 12), snntorch.Leaky(0.9, init_hidden=True, reset_mechanism="zero"), nn.Linear(12, 10))
    return Net(*layers, snntorch.Leaky(0.9, init_hidden=True, reset_mechanism="zero", output=True))


class Net(nn.Sequential):
    def forward(self, x):
        {forward}
"""
FRAME = "return super().forward(x)"
IMAGES = """import torch
        utils.reset(self)
        return torch.stack([super(Net, self).forward(x.flatten(1))[0] for _ in range(4)], dim=1)"""


def blocks(page):
    """(language, text) of each fenced block, in the order of the page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def lines(text):
    """The commands of a shell block, without their remarks; lines that go on are joined."""
    joined = text.replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in joined if line.strip() and not line.startswith("#")]


def commands(page):
    """The lines of all shell blocks of a page."""
    return [line for language, text in blocks(page) if language == "sh" for line in lines(text)]


def spans(page):
    """The commands of snnc in the text of a page, as far as they name a verb."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`(snnc [a-z][^`]*)`", text)]


def words(line):
    """Those of a command, without the program."""
    return shlex.split(line)[1:]


def prepare(page, folder):
    """Put the files that a page's commands read into a folder."""
    FILES.get(page, lambda folder: None)(folder)
    return folder


def _model(forward):
    def write(folder):
        import torch
        from safetensors.torch import save_file

        (folder / "net.py").write_text(MODEL.format(forward=forward))
        names = {}
        exec(compile((folder / "net.py").read_text(), "net.py", "exec"), names)
        torch.manual_seed(0)
        for name in ("net", "start"):
            save_file(names["make"]().state_dict(), folder / f"{name}.safetensors")

    return write


def _imports(folder):
    import nir

    _model(FRAME)(folder)
    tau, ones, zeros = np.full(4, 1e-3), np.ones(4), np.zeros(4)
    leaky = nir.LIF(tau=tau, r=ones, v_leak=zeros, v_threshold=ones, v_reset=zeros)
    nir.write(folder / "model.nir", nir.NIRGraph.from_list(nir.Linear(np.eye(4)), leaky))
    (export("netx", fixed_chain(), folder / "netx").root / "network.net").rename(folder / "network.net")


def _fixed(folder):
    store.save(store.load(RUN / "fixed.snnc"), folder / "fixed.snnc")


def _pruned(folder):
    _fixed(folder)
    store.save(store.load(RUN / "pruned.snnc"), folder / "pruned.snnc")


def _recordings(folder):
    """Twenty samples of two classes: events on the left or on the right half of a sensor, within a second."""
    rng = np.random.default_rng(0)
    labels, each = np.arange(20) % 2, 30
    t = np.sort(rng.integers(0, 1_000_000, (20, each)), axis=1).ravel()
    x, y, p = (
        rng.integers(4, size=20 * each) + 4 * labels.repeat(each),
        rng.integers(4, size=20 * each),
        rng.integers(2, size=20 * each),
    )
    np.savez(folder / "recordings.npz", t=t, x=x, y=y, p=p, offsets=np.arange(21) * each, labels=labels)


def _runs(folder):
    (folder / "out").mkdir()
    (folder / "out" / "mnist").symlink_to(RUN)
    (folder / "out" / "sweep").symlink_to(ROOT / "results" / "mnist_gradr")


def _mnist(folder):
    net = store.load(ROOT / "results" / "mnist_run" / "fixed.snnc")
    store.save(net, folder / "fixed.snnc")
    export("npz", net, folder / "program")


def _programs(folder):
    export("onnx", fixed_chain(threshold=100), folder / "program")
    export("c", fixed_chain(threshold=100), folder / "c")


def _program(folder):
    _fixed(folder)
    export("c", store.load(folder / "fixed.snnc"), folder / "program")


def _examples(folder):
    (folder / "examples").symlink_to(ROOT / "examples")


def _readme(folder):
    """The examples; and a user's own network, its weights and its data."""
    from safetensors.torch import save_file

    from cases import users_data, users_networks

    _examples(folder)
    rasters, labels = users_data.bars(folder / "events.npz")
    net, _ = users_data.fitted("Norm", rasters, labels)
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folder / "net.safetensors")
    (folder / "net.py").write_text(f"{Path(users_networks.__file__).read_text()}\n\nmake = Norm\n")


def _chip(folder):
    _fixed(folder)
    ((_, text),) = [block for block in blocks(ROOT / "docs/how-to/write-a-profile.md") if block[0] == "toml"]
    (folder / "my_chip.toml").write_text(text)


FILES = {
    "docs/data.md": _recordings,
    "README.md": _readme,
    "docs/tutorial.md": _examples,
    "docs/import.md": _imports,
    "docs/own-models.md": _model(IMAGES),
    "docs/report.md": _runs,
    "docs/proof.md": _pruned,
    "docs/fpga.md": _fixed,
    "docs/how-to/fit-my-chip.md": _fixed,
    "docs/how-to/read-a-divergence.md": _program,
    "docs/how-to/write-a-profile.md": _chip,
    "docs/simulator.md": _mnist,
    "docs/targets.md": _programs,
}

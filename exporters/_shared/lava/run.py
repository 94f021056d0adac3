"""Runs the program of an artifact of the targets `lava` and `loihi`, in the Python that SNNC_LAVA_PYTHON names or in this one."""

from snnc.simulation.run import Rasters, Run
from snnc.targets import runner
from snnc.targets.target import Artifact

LAVA = runner.Runner(
    "Lava",
    "pip install numpy scipy scikit-learn networkx asteval && pip install --no-deps --ignore-requires-python lava-nc==0.10.0",
    "SNNC_LAVA_PYTHON",
)


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Run the artifact on input rasters (samples, steps, n); raises what `runner.run` does."""
    return runner.run(artifact, inputs, record, timeout_s, LAVA)

"""Runs a file that was written for another tool by reading it back. For `nir` and `netx`.

The reader is `snnc import`; what it finds in the file is simulated by the reference. So it is proved that the file holds the
network, not what another tool makes of it.
"""

from pathlib import Path

from snnc.errors import RunError
from snnc.importers import ImportConfig, read
from snnc.network.model import Network
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

READER = "snnc import"


def remark(file: str) -> str:
    """Return what a verdict on the file does not say."""
    return f"{file} was read back by {READER} and simulated; docs/targets.md says what other tools make of such files"


def run(
    artifact: Artifact, file: str, inputs: Rasters, record: bool, config: ImportConfig = ImportConfig(), *, names_kept: bool
) -> Run:
    """Simulate what ``file`` in the artifact holds, on rasters (samples, steps, n). ``names_kept``: whether it holds the names
    of the populations, else they come in the order of the manifest.

    Nothing is executed. Raises what `read` raises for a file that is missing or damaged, RunError if its populations are not
    those of the manifest.
    """
    net = read(str(artifact.root / file), config).network
    ours = _names(artifact, artifact.root / file, net, names_kept)
    theirs = {name: inputs[ours[name]] for name in (p.name for p in net.inputs) if ours[name] in inputs}
    computed = simulate(net, theirs, record=record)
    return Run(
        f"{READER} of {file}", artifact.dt_s,
        {name: computed.spikes[back] for back, name in ours.items()},
        {name: computed.states[back] for back, name in ours.items() if back in computed.states},
        artifact.latency, {ours[name]: model for name, model in computed.models.items()},
    )  # fmt: skip


def _names(artifact: Artifact, path: Path, net: Network, names_kept: bool) -> dict[str, str]:
    """Return names in the file -> names in the manifest."""
    theirs = [p.name for p in net.populations]
    if len(theirs) != len(artifact.latency) or (names_kept and set(theirs) != set(artifact.latency)):
        what = f"holds populations {', '.join(theirs)}, the manifest names {', '.join(artifact.latency)}"
        raise RunError(what, where=str(path), fix="export again")
    return dict(zip(theirs, theirs if names_kept else artifact.latency, strict=True))

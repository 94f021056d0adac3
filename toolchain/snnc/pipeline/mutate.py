"""Programs that are wrong in one number, exported and run on the samples of a verification: which does it catch?"""

from pathlib import Path
from tempfile import TemporaryDirectory

import snnc.targets as targets
from snnc.chips.profile import Profile
from snnc.errors import SnncError
from snnc.pipeline.arguments import Say
from snnc.pipeline.contest import Contest
from snnc.pipeline.samples import Samples
from snnc.targets.target import Artifact
from snnc.verification.mutations import Caught, Mutant, mutants
from snnc.verification.prove import compare_batches, running


def caught_by(chosen: Contest, given: Samples, count: int, chip: Profile | None, say: Say) -> tuple[Caught, ...]:
    """Export programs that are wrong in one number, and compare each with the network on the samples until it differs."""
    if not count or chosen.artifact is None:
        return ()
    tried = list[Caught]()
    for mutant in mutants(chosen.net, count):
        say(f"mutant {len(tried) + 1} of {count}: {mutant.what}")
        tried.append(_tried(chosen, chosen.artifact, mutant, given, chip))
    return tuple(tried)


def _tried(chosen: Contest, artifact: Artifact, mutant: Mutant, given: Samples, chip: Profile | None) -> Caught:
    with TemporaryDirectory(prefix="snnc-mutant-") as folder:
        try:
            exported = targets.export_like(artifact, mutant.net, chip, Path(folder) / "artifact")
            run = running(exported, chosen.net, chosen.timeout_s)
            for samples in (range(given.data), range(given.data, given.count)):
                for part in compare_batches(chosen.net, run, given.source, samples, by=chosen.by):
                    if (first := part.verdict.first) is not None:
                        where = f"sample {first.sample}, population {first.population!r}, step {first.step}"
                        return Caught(mutant.what, True, where)
        except SnncError as error:
            return Caught(mutant.what, True, f"refused: {error}")
    return Caught(mutant.what, False, "no spike and no state differs on these samples")

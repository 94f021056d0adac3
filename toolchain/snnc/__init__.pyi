"""The public API: where each name lives. `__init__.py` reads this file and imports a name when it is first used.

`snnc.chips`, `data`, `neurons`, `report` and `targets` are packages and can be called. Inside snnc, the package is imported as
``import snnc.chips as chips``: for a type checker ``from snnc import chips`` is the function.
"""

from snnc import optim as optim
from snnc import plugin as plugin
from snnc.analysis.range_proof import RangeProof as RangeProof
from snnc.analysis.range_proof import prove_ranges as prove_ranges
from snnc.base.version import __version__ as __version__
from snnc.budget.check import Budget as Budget
from snnc.budget.remedies import Remedy as Remedy
from snnc.chips import names as chips
from snnc.chips.profile import Profile as Profile
from snnc.data import load as data
from snnc.data.dataset import Dataset as Dataset
from snnc.errors import AlteredError as AlteredError
from snnc.errors import ConfigError as ConfigError
from snnc.errors import DataError as DataError
from snnc.errors import DoesNotFitError as DoesNotFitError
from snnc.errors import FileError as FileError
from snnc.errors import MissingDependencyError as MissingDependencyError
from snnc.errors import NetworkError as NetworkError
from snnc.errors import ProfileError as ProfileError
from snnc.errors import RunError as RunError
from snnc.errors import SnncError as SnncError
from snnc.errors import UnsupportedError as UnsupportedError
from snnc.errors import UsageError as UsageError
from snnc.errors import WriteError as WriteError
from snnc.importers import ImportConfig as ImportConfig
from snnc.importers import Imported as Imported
from snnc.importers import import_network as read
from snnc.mapping.model import CoreMap as CoreMap
from snnc.network.model import Connection as Connection
from snnc.network.model import Network as Network
from snnc.network.model import Population as Population
from snnc.network.synapses import Synapses as Synapses
from snnc.neurons import names as neurons
from snnc.passes.quantise import QuantiseConfig as QuantiseConfig
from snnc.passes.simplify import Simplified as Simplified
from snnc.passes.simplify import simplify as simplify
from snnc.pipeline.chip import check as check
from snnc.pipeline.chip import export as export
from snnc.pipeline.chip import map as map
from snnc.pipeline.chip import remedies as remedies
from snnc.pipeline.limit import limit as limit
from snnc.pipeline.quantise import quantise as quantise
from snnc.pipeline.simulate import contrast as contrast
from snnc.pipeline.simulate import evaluate as evaluate
from snnc.pipeline.simulate import simulate as simulate
from snnc.pipeline.train import Fitted as Fitted
from snnc.pipeline.train import prune as prune
from snnc.pipeline.train import prune_to_fit as prune_to_fit
from snnc.pipeline.train import train as train
from snnc.pipeline.verify import Verification as Verification
from snnc.pipeline.verify import verify as verify
from snnc.pipeline.workers import workers as workers
from snnc.report import write_report as report
from snnc.report.inspection import Inspection as Inspection
from snnc.report.inspection import inspect as inspect
from snnc.report.write import Page as Page
from snnc.simulation.run import Run as Run
from snnc.store import load as load
from snnc.store import save as save
from snnc.targets import names as targets
from snnc.targets.target import Artifact as Artifact
from snnc.targets.target import support_matrix as supported
from snnc.training.pruning.pruned import PrunedModule as PrunedModule
from snnc.training.settings import PruneConfig as PruneConfig
from snnc.training.settings import TrainConfig as TrainConfig
from snnc.verification.compare import Divergence as Divergence
from snnc.verification.compare import Verdict as Verdict
from snnc.verification.evaluate import Contrast as Contrast
from snnc.verification.evaluate import Evaluation as Evaluation

__all__ = [
    "AlteredError",
    "Artifact",
    "Budget",
    "ConfigError",
    "Connection",
    "Contrast",
    "CoreMap",
    "DataError",
    "Dataset",
    "Divergence",
    "DoesNotFitError",
    "Evaluation",
    "FileError",
    "Fitted",
    "ImportConfig",
    "Imported",
    "Inspection",
    "MissingDependencyError",
    "Network",
    "NetworkError",
    "Page",
    "Population",
    "Profile",
    "ProfileError",
    "PruneConfig",
    "PrunedModule",
    "QuantiseConfig",
    "RangeProof",
    "Remedy",
    "Run",
    "RunError",
    "Simplified",
    "SnncError",
    "Synapses",
    "TrainConfig",
    "UnsupportedError",
    "UsageError",
    "Verdict",
    "Verification",
    "WriteError",
    "__version__",
    "check",
    "chips",
    "contrast",
    "data",
    "evaluate",
    "export",
    "inspect",
    "limit",
    "load",
    "map",
    "neurons",
    "optim",
    "plugin",
    "prove_ranges",
    "prune",
    "prune_to_fit",
    "quantise",
    "read",
    "remedies",
    "report",
    "save",
    "simplify",
    "simulate",
    "supported",
    "targets",
    "train",
    "verify",
    "workers",
]

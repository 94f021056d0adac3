"""From a network to a program for a target, and back: the contract of a target, artifacts, and how their programs are run."""

from snnc.base.callable import make_callable
from snnc.targets.artifact import altered_files, export, foreign_files, must_be_exportable, read_artifact
from snnc.targets.integrity import alterations, export_like, fingerprint, must_be_unaltered
from snnc.targets.target import (
    EXPORTERS,
    Artifact,
    RunnableTarget,
    Target,
    is_runnable,
    load,
    must_be_ready,
    names,
    reason_not_run,
    refusals,
    remark,
    support_matrix,
    takes_mapping,
    use_rtl,
    working,
)

__all__ = [
    "EXPORTERS",
    "Artifact",
    "RunnableTarget",
    "Target",
    "alterations",
    "altered_files",
    "export",
    "export_like",
    "fingerprint",
    "foreign_files",
    "is_runnable",
    "load",
    "must_be_exportable",
    "must_be_ready",
    "must_be_unaltered",
    "names",
    "read_artifact",
    "reason_not_run",
    "refusals",
    "remark",
    "support_matrix",
    "takes_mapping",
    "use_rtl",
    "working",
]

make_callable(__name__, names)

"""What a run folder or a sweep holds, as a page that a person opens and as Markdown. Behind `snnc report` and `snnc.report`."""

from snnc.base.callable import make_callable
from snnc.report.write import Page, write_report

__all__ = ["Page", "write_report"]

make_callable(__name__, write_report)

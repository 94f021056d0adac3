"""Gradual magnitude pruning: every few steps the smallest weights are pruned, permanently.

Zhu, Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", arXiv 1710.01878, section 3:
the sparsity rises as a cubic, and a masked weight is not trained. The publication gives every layer the same sparsity; here
the layers of a budget compete by magnitude in units of their scale. The publication's rule is a connectivity for each layer.
"""

from snnc.training.pruning.masked import GradualOptimizer


class Magnitude(GradualOptimizer):
    """Gradual magnitude pruning on Adam; nothing grows back."""


METHOD = Magnitude

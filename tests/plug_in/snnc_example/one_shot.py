"""Pruning method `one_shot`: the smallest weights go at once, at the beginning."""

from snnc.plugin import PruningOptimizer


class OneShot(PruningOptimizer):
    """Adam on the weights that are largest at the beginning."""

    def _begin(self):
        self.settle()

    def _exists(self, p):
        return self.state[p]["mask"] > 0

    def _score(self, p):
        return p.detach().abs() / self.state[p]["scale"]

    def _rewire(self, p, group):
        p.sub_(self._adam(p, group))


METHOD = OneShot

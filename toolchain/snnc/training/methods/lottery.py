"""Lottery ticket: train, prune the smallest weights, put the others back to where they were early on, and train again.

Frankle, Carbin, "The lottery ticket hypothesis", ICLR 2019, arXiv 1803.03635, section 2 (iterative pruning, globally over the
layers); Frankle, Dziugaite, Roy, Carbin, "Linear mode connectivity and the lottery ticket hypothesis", ICML 2020,
arXiv 1912.05671: the weights go back to those after a few steps instead of the first ones, biases as well.

The publications train to the end in each round and prune 20 % a time; the rounds here share the steps of one training evenly
(``rewire`` of all), and each keeps the same part of what is left. More epochs come closer to the publications. What trains after
the last round is the ticket.
"""

from snnc.training.pruning.masked import MaskedOptimizer

ROUNDS = 5
REWIND = 0.02  # of all steps: the weights go back to those after this part


class Lottery(MaskedOptimizer):
    """Iterative magnitude pruning with rewinding, on Adam, whose running mean starts anew in each round."""

    def _begin(self) -> None:
        self._remember()

    def _after(self) -> None:
        step, length = int(self.param_groups[0]["step"]), max(1, self._rewiring_steps // ROUNDS)
        if step == min(round(REWIND * self._steps), length - 1):
            self._remember()
        finished = min(ROUNDS, step // length)
        if step == self._rewiring_steps or (step % length == 0 and finished < ROUNDS):
            self._end_round(ROUNDS if step == self._rewiring_steps else finished)

    def _remember(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["early"] = p.detach().clone()

    def _end_round(self, finished: int) -> None:
        """Prune to the share of this round, and rewind all that trains."""
        for budget in self._budgets:
            share = (budget.target / budget.existing) ** (finished / ROUNDS)
            kept = budget.target if finished == ROUNDS else max(budget.target, round(budget.existing * share))
            self._keep_highest(budget, kept)
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["early"] * (self.state[p]["mask"] if group["prune"] else 1))
                self.state[p]["exp_avg"].zero_()  # the squares stay: Adam has corrected their start already


METHOD = Lottery

"""What would make a network fit a chip, as the sentences that people read."""

from snnc.budget.check import check
from snnc.budget.remedies import remedies


def advised(net, profile):
    return [str(remedy) for remedy in remedies(net, profile, check(net, profile))]

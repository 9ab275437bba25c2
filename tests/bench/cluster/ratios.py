"""Numbers from a machine that does other things too: medians, and how far they scatter."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median between its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values):
        if len(values) == 1:
            return cls(*values * 3)
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))

    def __str__(self):
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def ratios(values, base):
    """The spread of what was measured, divided by what was measured in the same round: what slowed it slowed both."""
    return Spread.of([value / unit for value, unit in zip(values, base, strict=True)])


def undisturbed(values, base, best=min):
    """The same of the best runs of each, which were disturbed least, whichever rounds they were in."""
    return best(values) / best(base)

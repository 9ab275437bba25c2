"""Numbers from a machine that does other things too: medians, and how far they scatter."""

import math
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


@dataclass(frozen=True)
class Interval:
    """A median, and what it lies in with a confidence of 95 %, by the ranks of the values alone (binomial distribution)."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values):
        ordered, count = sorted(values), len(values)
        outside, rank = 0.0, 0
        while rank < count // 2 and outside + math.comb(count, rank) / 2**count <= 0.025:
            outside += math.comb(count, rank) / 2**count
            rank += 1
        lowest = max(rank - 1, 0)
        return cls(ordered[lowest], statistics.median(ordered), ordered[count - 1 - lowest])

    def text(self, unit="", digits=1, sign=""):
        return f"{self.median:{sign}.{digits}f}{unit} ({self.low:{sign}.{digits}f} to {self.high:{sign}.{digits}f})"


def added(values, base):
    """By how much what was measured is more than what was measured in the same round."""
    return Interval.of([value - unit for value, unit in zip(values, base, strict=True)])


def ratios(values, base):
    """The spread of what was measured, divided by what was measured in the same round: what slowed it slowed both."""
    return Spread.of([value / unit for value, unit in zip(values, base, strict=True)])


def undisturbed(values, base, best=min):
    """The same of the best runs of each, which were disturbed least, whichever rounds they were in."""
    return best(values) / best(base)

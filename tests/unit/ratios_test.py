"""What the measurements make of their numbers."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench" / "cluster"))

from ratios import Interval, Spread, added, ratios, undisturbed  # noqa: E402  (the path above comes first)


class Ratios(unittest.TestCase):
    def test_a_median_lies_between_its_quartiles(self):
        self.assertEqual(Spread.of([5, 1, 3, 2, 4]), Spread(2, 3, 4))

    def test_one_value_has_no_spread(self):
        self.assertEqual(str(Spread.of([1.5])), "1.500 (1.500 to 1.500)")

    def test_values_are_divided_round_by_round(self):
        # The machine was ten times slower in the last round; that is no cost of ours.
        self.assertEqual(ratios([1.1, 1.1, 11.0], [1.0, 1.0, 10.0]), Spread(1.1, 1.1, 1.1))

    def test_the_best_runs_need_not_be_of_one_round(self):
        self.assertEqual(undisturbed([2.0, 9.0], [8.0, 1.0]), 2.0)
        self.assertEqual(undisturbed([2.0, 9.0], [4.5, 1.0], max), 2.0)

    def test_the_median_of_forty_lies_between_the_fourteenth_and_the_twenty_seventh(self):
        # P(X <= 13) = 0.019 and P(X <= 14) = 0.040 for 40 tosses of a coin
        self.assertEqual(Interval.of(range(1, 41)), Interval(14, 20.5, 27))

    def test_few_values_have_no_narrower_interval_than_all_of_them(self):
        self.assertEqual(Interval.of([3, 1, 2]), Interval(1, 2, 3))
        self.assertEqual(Interval.of([7]), Interval(7, 7, 7))

    def test_what_is_added_is_counted_round_by_round(self):
        self.assertEqual(added([12, 102, 7], [10, 100, 5]), Interval(2, 2, 2))
        self.assertEqual(Interval(-0.25, 1, 2).text(" ms", 2, "+"), "+1.00 ms (-0.25 to +2.00)")

    def test_a_round_that_lacks_a_value_is_an_error(self):
        with self.assertRaises(ValueError):
            ratios([1.0, 2.0], [1.0])


if __name__ == "__main__":
    unittest.main()

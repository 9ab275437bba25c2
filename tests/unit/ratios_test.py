"""What the measurements make of their numbers."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench" / "cluster"))

from ratios import Spread, ratios, undisturbed  # noqa: E402  (the path above comes first)


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

    def test_a_round_that_lacks_a_value_is_an_error(self):
        with self.assertRaises(ValueError):
            ratios([1.0, 2.0], [1.0])


if __name__ == "__main__":
    unittest.main()

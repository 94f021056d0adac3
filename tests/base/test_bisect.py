"""Bisection finds the edge that looking at every number finds."""

import pytest

from snnc.base.bisect import first, last


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (3, 4), (-5, 12), (1, 100)])
def test_the_first_that_holds_is_the_edge(low, high):
    for edge in range(low, high + 1):
        assert first(lambda n, edge=edge: n >= edge, low, high) == edge


@pytest.mark.parametrize(("low", "high"), [(0, 1), (3, 5), (-5, 12), (1, 100)])
@pytest.mark.parametrize("tolerance", [1, 2, 7])
def test_the_last_that_holds_is_the_edge_up_to_the_tolerance(low, high, tolerance):
    for edge in range(low, high):
        found = last(lambda n, edge=edge: n <= edge, low, high, tolerance)
        assert edge - tolerance < found <= edge


def test_numbers_known_at_both_ends_are_not_asked_for():
    asked = []
    last(lambda n: asked.append(n) or True, 0, 8)
    assert sorted(asked) == [4, 6, 7]

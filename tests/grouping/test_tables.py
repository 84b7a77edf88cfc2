"""Names of branches, in full or by their last part, and of what is written of them."""

import pytest

from hep_peaksum.grouping.tables import check_names, choose, find_branch, is_pattern

NAMES = ["h/h.x", "h/h.y", "x", "g/x", "cov[3]", "h/h.c[2]"]


@pytest.mark.parametrize(
    ("name", "branch"),
    [("h.x", "h/h.x"), ("h/h.x", "h/h.x"), ("x", "x"), ("g/x", "g/x"), ("cov[3]", "cov[3]")],
)
def test_a_branch_is_named_in_full_or_by_its_last_part(name, branch):
    assert find_branch(name, NAMES, "a.root, T") == branch
    assert find_branch(name, NAMES[::-1], "a.root, T") == branch


def test_a_branch_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"^a\.root, T: no branch 'h\.z' \(did you mean 'h\.[xy]'.*; there are h\.x"
    ):
        find_branch("h.z", NAMES, "a.root, T")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["h.*"], ["h/h.x", "h/h.y", "h/h.c[2]"]),
        (["cov[3]"], ["cov[3]"]),  # a name, of which the brackets are no pattern
        (["h.c[2]", "h.x"], ["h/h.x", "h/h.c[2]"]),
        (["x"], ["x", "g/x"]),
        (["h.[xy]"], ["h/h.x", "h/h.y"]),
    ],
)
def test_branches_are_chosen_by_names_and_patterns_in_the_order_of_the_file(patterns, chosen):
    assert choose(patterns, NAMES, "a.root, T") == chosen


def test_a_name_with_brackets_is_no_pattern():
    names = ("h.*", "h.[xy]", "cov[3]", "h.c[2]", "h/h.c[2]", "x")
    assert [is_pattern(name, NAMES) for name in names] == [True, True, False, False, False, False]


def test_two_branches_of_one_name_are_refused_and_one_named_twice_is_not():
    assert check_names([("x", "h/h.x"), ("y", "h/h.y"), ("x", "h/h.x")]) == {"x": "h/h.x", "y": "h/h.y"}
    with pytest.raises(
        ValueError, match=r"^'h/h\.x' and 'g/x' would both be written as 'x': choose one of them"
    ):
        check_names([("x", "h/h.x"), ("x", "g/x")])
    with pytest.raises(ValueError, match=r"^'3d' would be written as '3d': names begin with a letter"):
        check_names([("3d", "3d")])

"""Pictures of windows: the marks in the cells, and the settings in words."""

import pytest
from figures import assert_drawable, overlapping_texts, texts_by_place

from hep_peaksum import PeakSumSettings, preset, presets
from hep_peaksum.plotting.rules import MARGIN, MAX_WIDTH, draw_windows


def drawn_marks(axes):
    """Return the marks of a window as drawn, {(row offset, col offset): mark}."""
    return {(y, x): mark for (x, y), mark in texts_by_place(axes).items()}


def test_the_search_window_shows_the_comparisons():
    search, total = draw_windows(PeakSumSettings(tie_rule="diagonal", sum_window=".x.\nxox\n.x.")).axes
    assert drawn_marks(search) == {
        (-1, -1): "=", (-1, 0): "=", (-1, 1): "=",
        (0, -1): "=", (0, 0): "o", (0, 1): ">",
        (1, -1): ">", (1, 0): ">", (1, 1): ">",
    }  # fmt: skip
    assert set(drawn_marks(total)) == {(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)}
    assert search.get_ylim() == (1.5, -1.5)  # the lowest row on top, as in a drawn window


def test_seed_window_gates_and_donuts_are_drawn():
    settings = PeakSumSettings(
        seed_window="ox", sum_window="gxo", pileup=[{"kind": "ring_median"}, {"kind": "donut", "length": 3}]
    )
    figure = draw_windows(settings)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "search window",
        "seed window",
        "sum window",
        "pile-up ring_median",
        "pile-up donut",
    ]
    assert drawn_marks(figure.axes[1]) == {(0, 0): "o", (0, 1): "x"}
    assert drawn_marks(figure.axes[2]) == {(0, -2): "g", (0, -1): "x", (0, 0): "o"}
    ring = drawn_marks(figure.axes[3])
    assert sum(mark == "s" for mark in ring.values()) == 3 * 5 - 3
    assert ring[0, -2] == "x"
    heights = [text.get_position()[1] for text in figure.texts]
    assert 0 < min(heights) <= max(heights) < 1
    texts = [text.get_text() for text in figure.texts]
    assert "gated: added only if the cell one step nearer to the seed is added" in texts


def test_windows_go_on_in_another_line_where_one_is_full():
    donuts = [{"kind": "donut", "name": f"donut{depth}", "depth": depth} for depth in range(1, 6)]
    figure = draw_windows(PeakSumSettings(search_window=(9, 9), sum_window=(9, 9), pileup=donuts))
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 2 + len(donuts)
    assert max(box.x1 for box in boxes) < 1
    assert figure.get_size_inches()[0] <= MAX_WIDTH + MARGIN
    assert not any(
        one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n]
    )  # they lie beside and below one another
    assert len({round(box.y1, 3) for box in boxes}) > 1


@pytest.mark.parametrize("rule", ["first", "last", "greedy", "greedy-residual"])
def test_rules_without_marks_are_described_in_words(rule):
    text = " ".join(text.get_text() for text in draw_windows(PeakSumSettings(tie_rule=rule)).texts)
    assert {"first": "the lower (row, col)", "last": "the higher (row, col)"}.get(
        rule, "from the highest"
    ) in text or (rule == "greedy-residual" and "the highest remaining cell is a seed" in text)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(presets()))
def test_the_windows_of_every_preset_are_drawn(name):
    figure = draw_windows(preset(name)[0], title=name, notes=[("source", presets()[name])])
    assert overlapping_texts(figure) == []


def test_windows_are_saved(tmp_path):
    assert_drawable(draw_windows(preset("cms-l1-jet")[0]), tmp_path / "windows.png")

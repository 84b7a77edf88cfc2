"""The definition of a peak, as plainly as possible: one cell at a time, no arrays, no kernels.

It is the specification of every kernel, and must not import the package. Numbers are Python's own: ints add
exactly, floats add as float64 in the order written here. A grid is one event, a list of rows.
"""


def read_window(window):
    """Return {(row offset, col offset): mark}, row by row; ``(rows, cols)`` is all ``x`` around the seed ``o``.

    In a drawing the top line is the lowest row offset and the leftmost character the lowest column offset,
    counted from the ``o``; ``.`` is not part of the window.

    >>> read_window("x.o")
    {(0, -2): 'x', (0, 0): 'o'}
    """
    if not isinstance(window, str):
        rows, cols = window
        lines = [["x"] * cols for _ in range(rows)]
        lines[rows // 2][cols // 2] = "o"
    else:
        lines = window.split()
    marks = {(i, j): mark for i, line in enumerate(lines) for j, mark in enumerate(line) if mark != "."}
    (seed_i, seed_j) = next(place for place, mark in marks.items() if mark == "o")
    return {(i - seed_i, j - seed_j): mark for (i, j), mark in marks.items()}


def neighbour(grid, row, col, offset, periodic):
    """Return (row, col) of the cell at an offset, or None beyond the edge of a non-periodic axis."""
    place = [row + offset[0], col + offset[1]]
    for axis, size in enumerate((len(grid), len(grid[0]))):
        if periodic[axis]:
            place[axis] %= size
        if not 0 <= place[axis] < size:
            return None
    return tuple(place)


def is_strict(tie_rule, mark, cell, other, offset):
    """Return whether the cell must exceed the other, which then wins a tie, or may equal it."""
    d, p = offset
    return {
        "all": False,
        "none": True,
        "first": other < cell,
        "last": other > cell,
        "diagonal": d + p > 0 or (d + p == 0 and d > 0),
        "lexicographic": d > 0 or (d == 0 and p > 0),
        "drawn": mark == ">",
    }[tie_rule]


def find_peaks(
    grid,
    *,
    search_window,
    sum_window,
    threshold,
    comparison=">",
    tie_rule="first",
    periodic=(False, False),
    cell_threshold=None,
    mask=None,
    masked="absent",
):
    """Return every seed of one event as (row, col, seed, sum, n_cells), in the order of (row, col).

    A cell is a seed if it passes the threshold and beats every other cell of its search window: it is higher,
    or equal if the tie rule allows it. A masked cell is never a seed; for other cells it does not exist (None
    below) or holds 0.
    """
    is_masked = [[mask is not None and mask[r][c] for c in range(len(grid[0]))] for r in range(len(grid))]
    masked_value = {"absent": None, "zero": 0}[masked]
    cells = [
        [masked_value if is_masked[r][c] else grid[r][c] for c in range(len(grid[0]))] for r in range(len(grid))
    ]
    search = {offset: mark for offset, mark in read_window(search_window).items() if mark != "o"}
    peaks = []
    for row in range(len(cells)):
        for col in range(len(cells[0])):
            seed = cells[row][col]
            if is_masked[row][col] or not (seed > threshold if comparison == ">" else seed >= threshold):
                continue
            beaten = False
            for offset, mark in search.items():
                place = neighbour(cells, row, col, offset, periodic)
                other = cells[place[0]][place[1]] if place else None
                if other is None:
                    continue
                strict = is_strict(tie_rule, mark, (row, col), place, offset)
                beaten = beaten or other > seed or (other == seed and strict)
            if not beaten:
                total, n_cells = sum_around(cells, row, col, read_window(sum_window), periodic, cell_threshold)
                peaks.append((row, col, seed, total, n_cells))
    return peaks


def sum_around(cells, row, col, offsets, periodic, cell_threshold=None):
    """Return (sum, n_cells) of the cells at the offsets that exist and are not below the cell threshold.

    They are added to 0 in the order of the offsets; the seed has to pass the cell threshold too.
    """
    total, n_cells = 0, 0
    for offset in offsets:
        place = neighbour(cells, row, col, offset, periodic)
        value = cells[place[0]][place[1]] if place else None
        if value is not None and (cell_threshold is None or value >= cell_threshold):
            total += value
            n_cells += 1
    return total, n_cells


def chunky_donut(cells, row, col, half, depth=3, periodic=(False, False)):
    """Return the sum of the three lowest of the four strips beside the square window around (row, col).

    The window reaches `half` cells from its centre. Each strip lies along one of its sides, as long as the side
    and `depth` cells deep. Cells that do not exist add nothing.
    """
    along, before, after = (
        range(-half, half + 1),
        range(-half - depth, -half),
        range(half + 1, half + depth + 1),
    )
    strips = (
        [(d, p) for d in before for p in along],
        [(d, p) for d in after for p in along],
        [(d, p) for d in along for p in before],
        [(d, p) for d in along for p in after],
    )
    low, middle, high, _ = sorted(sum_around(cells, row, col, strip, periodic)[0] for strip in strips)
    return low + middle + high

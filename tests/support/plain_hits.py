"""Hits added up in cells as plainly as possible: one hit at a time, in the order of the file, no arrays."""


def plain_cells(events, place, n_rows, n_cols):
    """Return the sum of the hits in every cell of every event, in their order.

    `place` returns row, col and value of a hit, or None for a hit that does not count.
    """
    cells = [[[0.0] * n_cols for _ in range(n_rows)] for _ in events]
    for event, hits in zip(cells, events, strict=True):
        for hit in hits:
            if (found := place(hit)) is not None:
                row, col, value = found
                event[row][col] += value
    return cells

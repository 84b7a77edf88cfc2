"""Saddles from their definition, in plain loops that do not import the package."""


def around(cell, shape, periodic):
    """Return the up to eight cells around a cell."""
    cells = set()
    for d in (-1, 0, 1):
        for p in (-1, 0, 1):
            row, col = cell[0] + d, cell[1] + p
            row = row % shape[0] if periodic[0] else row
            col = col % shape[1] if periodic[1] else col
            if 0 <= row < shape[0] and 0 <= col < shape[1]:
                cells.add((row, col))
    return cells - {cell}


def reached(values, start, level, shape, periodic):
    """Return the heights of all cells that are connected to one by cells that are not below a level."""
    seen, new = {start}, [start]
    while new:
        for cell in around(new.pop(), shape, periodic):
            if cell in values and cell not in seen and values[cell] >= level:
                seen.add(cell)
                new.append(cell)
    return [values[cell] for cell in seen]


def saddle(values, start, shape, periodic):
    """Return the highest level at which a cell is connected to a higher one; without one, the lowest reached.

    `values` are the heights of the cells that exist, by (row, col).
    """
    for level in sorted(set(values.values()), reverse=True):
        if level <= values[start] and max(reached(values, start, level, shape, periodic)) > values[start]:
            return level
    return min(reached(values, start, min(values.values()), shape, periodic))

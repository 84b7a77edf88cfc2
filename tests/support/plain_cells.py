"""Cells of a file in plain loops: the places and values of hits, read with uproot, put on axes one at a time.

It knows a config as YAML only, and must not import the package.
"""

import math

import uproot

OF_PI = {"pi": math.pi, "-pi": -math.pi, "2pi": 2 * math.pi}


def labels_of(text):
    """Return the labels of ``"-2..-1, 1..2"`` or ``"1..7 step 2"``."""
    labels = []
    for part in str(text).split(","):
        first, _, last = part.partition(" step ")[0].strip().partition("..")
        labels.extend(range(int(first), int(last or first) + 1, int(part.partition(" step ")[2] or 1)))
    return labels


def index_on(axis, value):
    """Return the cell of a value on an axis of a config, or None."""
    if "labels" in axis:
        labels = labels_of(axis["labels"])
        return labels.index(int(value)) if int(value) in labels else None
    start, stop = (OF_PI.get(axis[word], axis[word]) for word in ("start", "stop"))
    if not math.isfinite(value):
        return None
    place = (float(value) - start) / (stop - start)
    if axis.get("periodic"):
        place %= 1.0
    return int(place * axis["bins"]) if 0 <= place < 1 else None


def derived(way, numbers):
    """Return a coordinate of x, y and z: eta or phi; eta of a point on the z axis is on no axis of cells."""
    x, y, *rest = (float(each) for each in numbers)
    if way == "eta" and x == y == 0:
        return math.inf
    return math.asinh(rest[0] / math.hypot(x, y)) if way == "eta" else math.atan2(y, x)


def branches_of(source):
    """Return the branches that a row, column, layer or value of a config is made of."""
    if isinstance(source, dict):
        names = next(iter(source.values()))
        return names if isinstance(names, list) else [names]
    return [] if isinstance(source, int) else [source]


def value_of(source, numbers):
    """Return a row, column, layer or value of a config for one hit; `numbers` are those of its branches."""
    if isinstance(source, int):
        return source
    if not isinstance(source, dict):
        return numbers[0]
    if "bits" in source:
        first, last = source["first"], source["last"]
        return (int(numbers[0]) >> first) & ((1 << (last - first + 1)) - 1)
    (way, _), *_ = source.items()
    return derived(way, numbers)


def hit_cells(config, grid, most=None):
    """Return {(event, row, col): sum of the hits} for hits of a config, all layers added."""
    section = config["grids"][grid]
    (path, tree), *_ = config["datasets"]["data"]["files"].items()
    sources = [section["hits"][word] for word in ("row", "col", "value")]
    conditions = section.get("where", [])
    names = [branches_of(source) for source in sources] + [[each["branch"]] for each in conditions]
    with uproot.open(path) as file:
        columns = [[file[tree][name].array(entry_stop=most).tolist() for name in group] for group in names]
    cells = {}
    for event in range(len(columns[0][0])):
        for hit in range(len(columns[0][0][event])):
            numbers = [[column[event][hit] for column in group] for group in columns]
            if any(numbers[3 + n] != [each["equals"]] for n, each in enumerate(conditions)):
                continue
            row, col, value = (
                value_of(source, each) for source, each in zip(sources, numbers[:3], strict=True)
            )
            place = (index_on(section["rows"], row), index_on(section["cols"], col))
            if None not in place:
                key = (event, *place)
                cells[key] = cells.get(key, 0) + value
    return cells

"""Hits of detectors whose cells have numbers, or stand on a lattice, as files hold them; with the true cells.

Each function returns the branches of a tree, the encoding of ids or None, and the true cells of all hits. What
is random is the same in every run.
"""

import math
from typing import NamedTuple

import awkward as ak
import numpy as np
import uproot

N_EVENTS = 30


class Truth(NamedTuple):
    """The cell of every hit: what tells layers and modules apart, and numbers of neighbours along both ways.

    `n_turn` is the number of columns in a full turn, or None; `window` is "square" or "hexagon".
    """

    apart: np.ndarray
    row: np.ndarray
    col: np.ndarray
    n_turn: int | None = None
    window: str = "square"


def showers(seed, n_rows, n_cols, n_layers=1, n_hits=60, turn=False, n_events=N_EVENTS):
    """Return event, layer, row and col of different cells in each event, most of them near each other."""
    random = np.random.default_rng(seed)
    found = []
    for event in range(n_events):
        row, col = random.uniform(0, n_rows), random.uniform(0, n_cols)
        rows = np.rint(random.normal(row, n_rows / 6, n_hits)).astype(int)
        cols = np.rint(random.normal(col, n_cols / 8, n_hits)).astype(int)
        rows[::5], cols[::5] = random.integers(0, n_rows, n_hits)[::5], random.integers(0, n_cols, n_hits)[::5]
        cols = cols % n_cols if turn else cols
        layers = random.integers(0, n_layers, n_hits)
        inside = (rows >= 0) & (rows < n_rows) & (cols >= 0) & (cols < n_cols)
        cells = np.unique(np.stack([layers, rows, cols], axis=1)[inside], axis=0)
        found += [(event, *cell) for cell in random.permutation(cells).tolist()]
    return np.array(found).T


def write(path, event, columns, encoding=None, name="Hits", tree="events"):
    """Write hits, one list an event for every column; energies are different for all hits."""
    counts = np.bincount(event, minlength=event.max() + 1)
    energy = np.random.default_rng(5).permutation(len(event)) + 1.0
    columns = {**columns, "energy": energy}
    branches = {f"{name}.{word}" if name else word: ak.unflatten(v, counts) for word, v in columns.items()}
    with uproot.recreate(path) as file:
        file.mktree(tree, {key: values.type.content for key, values in branches.items()})
        file[tree].extend(branches)
        if encoding is not None:
            keys = ak.Array([["other", f"{name}__CellIDEncoding"]])
            file.mkrntuple(
                "metadata", {"GPStringKeys": keys, "GPStringValues": ak.Array([[["a"], [encoding]]])}
            )
    return energy


def encoded(encoding, **numbers):
    """Return the ids of cells, of fields `name:width` or `name:offset:width`, of which not all are given."""
    ids, first = np.zeros(len(next(iter(numbers.values()))), np.uint64), 0
    for part in encoding.split(","):
        name, *bits = part.split(":")
        first, width = (int(bits[0]), int(bits[1])) if len(bits) == 2 else (first, int(bits[0]))
        value = np.asarray(numbers.get(name, np.full(len(ids), 3 if name == "system" else 0))).astype(np.int64)
        mask = np.uint64((1 << abs(width)) - 1)
        ids |= (value.astype(np.uint64) & mask) << np.uint64(first)
        first += abs(width)
    return ids


def around_beam(radius, phi, z):
    """Return positions as float32, as EDM4hep stores them."""
    words = ("position.x", "position.y", "position.z")
    return {
        word: values.astype("f4")
        for word, values in zip(words, (radius * np.cos(phi), radius * np.sin(phi), z), strict=True)
    }


def eta_phi_grid():
    """A segmentation in eta and phi, as DD4hep has it, with numbers below 0."""
    encoding = "system:4,layer:8:5,eta:-9,phi:10"
    event, layer, row, col = showers(1, 40, 64, 4, turn=True)
    eta, phi = (row - 19.5) * 0.05, (col + 0.5) * math.tau / 64
    radius = 1500 + 60.0 * layer
    columns = {
        **around_beam(radius, phi, radius * np.sinh(eta)),
        "cellID": encoded(encoding, layer=layer, eta=row - 20, phi=col),
    }
    return event, columns, encoding, Truth(layer, row, col, 64)


def theta_module():
    """Modules around the beam, cells equally wide in theta, as in the ALLEGRO calorimeter of FCC-ee."""
    encoding = "system:4,cryo:1,type:3,subtype:3,layer:8,module:11,theta:10"
    event, layer, row, col = showers(2, 50, 96, 6, turn=True)
    theta, phi = 0.9 + 0.03 * row, (col + 0.25) * math.tau / 96
    radius = 2100 + 35.0 * layer
    columns = {
        **around_beam(radius, phi, radius / np.tan(theta)),
        "cellID": encoded(encoding, cryo=np.ones(len(row)), layer=layer, module=col, theta=row + 30),
    }
    return event, columns, encoding, Truth(layer, row, col, 96)


def merged_numbers():
    """Cells that are two modules and four steps in theta, and have the numbers of the first, as in ALLEGRO."""
    encoding = "system:4,cryo:1,type:3,subtype:3,layer:8,module:11,theta:10"
    event, layer, row, col = showers(20, 50, 96, 6, turn=True, n_hits=90)
    theta, phi = 0.9 + 0.03 * row, (col + 0.5) * math.tau / 96
    radius = 2100 + 35.0 * layer
    columns = {
        **around_beam(radius, phi, radius / np.tan(theta)),
        "cellID": encoded(encoding, layer=layer, module=2 * col, theta=4 * row + 20),
    }
    return event, columns, encoding, Truth(layer, row, col, 96)


def staves():
    """Twelve flat staves around the beam, with local x and y in each, counted from their middle."""
    encoding = "system:5,side:-2,module:8,layer:9,x:32:-16,y:-16"
    event, layer, row, col = showers(3, 40, 12 * 9, 3, turn=True)
    module, x = col // 9, col % 9 - 4
    radius, pitch = 1800 + 40.0 * layer, 90.0
    middle = (module + 0.5) * math.tau / 12
    along = {
        "position.x": radius * np.cos(middle) - x * pitch * np.sin(middle),
        "position.y": radius * np.sin(middle) + x * pitch * np.cos(middle),
        "position.z": (row - 19.5) * 50.0,
    }
    ids = encoded(encoding, module=module, layer=layer, x=x, y=row - 20)
    columns = {**{word: values.astype("f4") for word, values in along.items()}, "cellID": ids}
    return event, columns, encoding, Truth(layer, row, col, 108)


def endcap_rows():
    """Crystals across the beam, by row and column of the field names of ePIC."""
    encoding = "system:0:8,sector:8:4,row:12:8,column:20:8"
    event, _, row, col = showers(4, 30, 36)
    noise = np.random.default_rng(6).normal(0, 1e-4, len(row))
    columns = {
        "position.x": ((col - 17.5) * 20.5 + noise).astype("f4"),
        "position.y": ((row - 14.5) * 20.5).astype("f4"),
        "position.z": np.full(len(row), -1750, "f4"),
        "cellID": encoded(encoding, row=row + 2, column=col + 5),
    }
    return event, columns, encoding, Truth(0 * row, row, col)


def two_endcaps():
    """Two endcaps of the same numbers, which only their side tells apart."""
    encoding = "system:8,side:-2,layer:8,x:-12,y:-12"
    event, both, row, col = showers(7, 24, 24, 8)
    side, layer = np.where(both % 2, 1, -1), both // 2
    columns = {
        "position.x": ((col - 11.5) * 30).astype("f4"),
        "position.y": ((row - 11.5) * 30).astype("f4"),
        "position.z": (side * (2000 + 25.0 * layer)).astype("f4"),
        "cellID": encoded(encoding, side=side, layer=layer, x=col - 12, y=row - 12),
    }
    return event, columns, encoding, Truth(both, row, col)


def towers_in_modules():
    """Modules of 4 x 2 towers across the beam, by the fields of the forward calorimeter of ePIC."""
    encoding = "system:0:8,moduleIDx:8:6,moduleIDy:14:6,towerx:22:2,towery:24:1,layerz:29:4"
    event, layer, row, col = showers(8, 24, 40, 5)
    columns = {
        "position.x": ((col - 19.5) * 50).astype("f4"),
        "position.y": ((row - 11.5) * 50).astype("f4"),
        "position.z": (3300 + 190.0 * layer).astype("f4"),
        "cellID": encoded(
            encoding, moduleIDx=col // 4, moduleIDy=row // 2, towerx=col % 4, towery=row % 2, layerz=layer
        ),
    }
    return event, columns, encoding, Truth(layer, row, col)


def turned_phi():
    """Numbers that begin at 1 and fall along phi, with a dead sector."""
    encoding = "system:8,layer:4,tower:8,wedge:8"
    event, layer, row, col = showers(9, 20, 30, 2, turn=True)
    event, layer, row, col = (each[(col < 11) | (col > 13)] for each in (event, layer, row, col))
    radius = 900 + 100.0 * layer
    columns = {
        **around_beam(radius, -(col + 0.5) * math.tau / 30 + 1, (row - 9.5) * 80),
        "cellID": encoded(encoding, layer=layer + 1, tower=row + 1, wedge=col + 1),
    }
    return event, columns, encoding, Truth(layer, row, col, 30)


def only_positions():
    """A barrel without ids: cells of equal length in z, layers by their radius."""
    event, layer, row, col = showers(10, 30, 48, 4, turn=True)
    radius = 1200 + 45.0 * layer
    return (
        event,
        around_beam(radius, (col + 0.5) * math.tau / 48, (row - 14.5) * 55.5),
        None,
        Truth(layer, row, col, 48),
    )


def tiles_in_depth():
    """Square tiles across the beam with gaps, layers by unequal steps in z, noise in the positions."""
    event, layer, row, col = showers(11, 18, 18, 5)
    event, layer, row, col = (each[(row != 7) & (col != 3)] for each in (event, layer, row, col))
    z = np.array([10.0, 22.0, 35.0, 60.0, 100.0])[layer]
    noise = np.random.default_rng(12).normal(0, 1e-4, (2, len(row)))
    columns = {
        "x": (col * 31.0 - 263.5 + noise[0]).astype("f4"),
        "y": (row * 31.0 - 263.5 + noise[1]).astype("f4"),
        "z": z.astype("f4"),
    }
    return event, columns, None, Truth(layer, row, col)


def hexagons(seed, pitch, orientation, shifts, n=8, n_hits=70, n_modules=1, noise=0.0, n_events=N_EVENTS):
    """Hexagonal modules: cells by axial coordinates; every layer shifted by the next of some shifts."""
    random = np.random.default_rng(seed)
    n_layers = 2 * len(shifts) if len(shifts) > 1 else 1
    event, layer, row, col = showers(seed, 2 * n + 1, 2 * n + 1, n_layers, n_hits, n_events=n_events)
    q, r = row - n, col - n
    keep = np.abs(q + r) <= n
    event, layer, q, r = (each[keep] for each in (event, layer, q, r))
    module = random.integers(0, n_modules, len(q))
    across, up = pitch * (q + r / 2), pitch * math.sqrt(0.75) * r
    if orientation == "flat":
        across, up = pitch * math.sqrt(0.75) * q, pitch * (r + q / 2)
    shift = np.array(shifts)[layer % len(shifts)]
    place = np.array([(0.0, 0.0), (2.31, 1.17), (-1.3, 2.9)])[module] * (2 * n + 1) * pitch / 2
    x, y = across + shift[:, 0] + place[:, 0] + 3.3, up + shift[:, 1] + place[:, 1] - 7.7
    x, y = x + random.normal(0, noise * pitch, len(x)), y + random.normal(0, noise * pitch, len(x))
    columns = {"x": x.astype("f4"), "y": y.astype("f4"), "layer": layer.astype("i4")}
    if n_modules > 1:
        columns["wafer"] = module.astype("i4")
    return event, columns, None, Truth(layer + 100 * module, q, r, None, "hexagon")


def wafers():
    """Cells by u and v in wafers, which numbers of their own tell apart, without positions."""
    event, both, row, col = showers(14, 8, 8, 18, n_hits=120)
    columns = {
        "layer": (both // 6 + 1).astype("i4"),
        "waferU": (both % 3 - 1).astype("i4"),
        "waferV": (both // 3 % 2).astype("i4"),
        "cellU": row.astype("i4"),
        "cellV": col.astype("i4"),
    }
    return event, columns, None, Truth(both, row, col)


def crystals_in_blocks():
    """A scanner: blocks of 8 x 8 crystals with one number for each, hits anywhere in a crystal."""
    event, _, row, col = showers(15, 32, 16 * 8, turn=True)
    random = np.random.default_rng(16)
    sector, across = col // 8, (col % 8 - 3.5) * 4 + random.uniform(-1.9, 1.9, len(col))
    middle, radius = (sector + 0.5) * math.tau / 16, random.uniform(400, 420, len(col))
    columns = {
        "posX": (radius * np.cos(middle) - across * np.sin(middle)).astype("f4"),
        "posY": (radius * np.sin(middle) + across * np.cos(middle)).astype("f4"),
        "posZ": ((row - 15.5) * 4 + random.uniform(-1.9, 1.9, len(row))).astype("f4"),
        "rsectorID": sector.astype("i4"),
        "moduleID": (row // 8).astype("i4"),
        "crystalID": (row % 8 * 8 + col % 8).astype("i4"),
    }
    return event, columns, None, Truth(0 * row, row, col, 128)


def flat_modules():
    """A scanner: 12 flat modules of 3 blocks of 4 x 4 crystals, whose ends are further out."""
    event, _, row, col = showers(18, 12, 12 * 4, turn=True)
    sector, across = col // 4, (col % 4 - 1.5) * 4
    middle = sector * math.tau / 12
    columns = {
        "globalPosX": (150 * np.cos(middle) - across * np.sin(middle)).astype("f4"),
        "globalPosY": (150 * np.sin(middle) + across * np.cos(middle)).astype("f4"),
        "globalPosZ": ((row // 4 - 1) * 20 + (row % 4 - 1.5) * 4).astype("f4"),
        "rsectorID": sector.astype("i4"),
        "moduleID": (row // 4).astype("i4"),
        "crystalID": (row % 4 * 4 + col % 4).astype("i4"),
    }
    return event, columns, None, Truth(0 * row, row, col, 48)


def rows_in_modules():
    """Rows and columns that are counted in every module, with positions."""
    event, _, row, col = showers(17, 30, 45)
    columns = {
        "modX": (col // 9).astype("i4"),
        "modY": (row // 10).astype("i4"),
        "row": (row % 10).astype("i4"),
        "col": (col % 9).astype("i4"),
        "x": ((col - 22) * 5.5).astype("f4"),
        "y": ((row - 15) * 5.5).astype("f4"),
    }
    return event, columns, None, Truth(0 * row, row, col)


def ids_without_encoding():
    """Bits of an id that nothing in the file explains."""
    event, columns, _, truth = endcap_rows()
    return event, columns, None, truth


def tower_keys():
    """Two numbers in 16 bits each, and no positions."""
    event, _, row, col = showers(18, 30, 70)
    key = (row.astype("u4") << 16 | col.astype("u4")).astype("u4")
    return event, {"tower_key": key}, None, Truth(0 * row, row, col)

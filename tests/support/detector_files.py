"""ROOT files as detectors write them: showers on cells, in the branches and words of several experiments.

Each function returns the branches of a tree; what is random is the same in every run.
"""

import awkward as ak
import numpy as np
import uproot

N = 40  # events


def write_tree(path, branches, tree="Events"):
    """Write a tree; jagged arrays get a counter, fixed ones keep their shape."""
    with uproot.recreate(path) as file:
        file.mktree(tree, {name: types(values) for name, values in branches.items()})
        file[tree].extend(branches)
    return str(path)


def types(values):
    if isinstance(values, ak.Array):
        return values.type.content
    return np.dtype((values.dtype, values.shape[1:]))


def cells(seed, shape, n_events=N):
    """Return energies of all cells: noise, and a shower that is two cells wide in each event."""
    random = np.random.default_rng(seed)
    energies = random.normal(0, 0.02, (n_events, *shape))
    rows, cols = np.indices(shape)
    for event in range(n_events):
        row, col = (random.uniform(0, size) for size in shape)
        energies[event] += random.exponential(10) * np.exp(-(((rows - row) ** 2 + (cols - col) ** 2) / 2))
    return energies


def as_hits(energies, threshold=0.1):
    """Return index of row and column, and energy, of the cells above a threshold, jagged."""
    event, row, col = np.nonzero(energies > threshold)
    counts = np.bincount(event, minlength=len(energies))
    return (ak.unflatten(each, counts) for each in (row, col, energies[event, row, col]))


def typed(values, dtype):
    return ak.values_astype(values, dtype)


def nanoaod(n_eta=24, n_phi=36):
    """Towers in eta and phi beside what NanoAOD has: generator particles, weights, identity."""
    row, col, energy = as_hits(cells(1, (n_eta, n_phi)))
    random = np.random.default_rng(2)
    counts = random.integers(3, 9, N)
    particles = {
        f"GenPart_{word}": ak.unflatten(random.normal(size=counts.sum()).astype("f4"), counts)
        for word in ("eta", "phi", "pt")
    }
    return {
        "run": np.full(N, 1, "u4"),
        "luminosityBlock": np.full(N, 1, "u4"),
        "event": np.arange(N, dtype="u8"),
        **particles,
        "LHEPdfWeight": random.normal(1, 0.1, (N, 100)).astype("f4"),
        "CaloTower_eta": typed((row + 0.5) * 0.25 - 3.0, "float32"),
        "CaloTower_phi": typed((col + 0.5) * (2 * np.pi / n_phi) - np.pi, "float32"),
        "CaloTower_energy": typed(energy, "float32"),
    }


def atlas(n_eta=80, n_phi=64):
    """Cells by eta and phi, phi from 0 to 2 pi, energies in MeV that only the title or name could tell."""
    row, col, energy = as_hits(cells(3, (n_eta, n_phi)))
    return {
        "cell_eta": typed((row + 0.5) * 0.025 - 1.0, "float32"),
        "cell_phi": typed((col + 0.5) * (2 * np.pi / n_phi), "float32"),
        "cell_E_MeV": typed(energy * 1000, "float32"),
        "cell_sampling": typed(row * 0 + 2, "int32"),
    }


def degrees():
    """Hits with an azimuth from 0 to 360 degrees in steps of 5; one column is dead."""
    energies = cells(4, (12, 72), 60)
    energies[:, :, 17] = 0
    row, col, energy = as_hits(energies)
    return {
        "hit_eta": typed((row + 0.5) * 0.5 - 3.0, "float32"),
        "hit_phi": typed((col + 0.5) * 5.0, "float32"),
        "hit_energy": typed(energy, "float32"),
    }


def gaps():
    """Hits by labels: layers 1 to 6 and 19 only, a dead column 5, rows from -4 to 4 without 0."""
    energies = cells(5, (8, 16))
    energies[:, :, 5] = 0
    row, col, energy = as_hits(energies)
    return {
        "rechit_ieta": typed(ak.where(row < 4, row - 4, row - 3), "int16"),
        "rechit_iphi": typed(col + 1, "int16"),
        "rechit_layer": typed(ak.where(col % 7 == 6, 19, col % 7 + 1), "int16"),
        "rechit_energy": typed(energy, "float32"),
    }


def clue():
    """The columns of CLUE's CSV files: x, y, layer, weight."""
    row, col, energy = as_hits(cells(6, (20, 20)))
    return {
        "x": typed(col * 1.2 - 12.0, "float32"),
        "y": typed(row * 1.2 - 12.0, "float32"),
        "layer": typed(col % 3 + 1, "int32"),
        "weight": typed(energy, "float32"),
    }


def belle():
    """Digits by the number of a crystal, as Belle II's ECL writes them."""
    row, col, energy = as_hits(cells(7, (12, 12)))
    return {
        "ECLCalDigits.m_CellId": typed(row * 12 + col + 1, "int32"),
        "ECLCalDigits.m_Energy": typed(energy, "float32"),
        "ECLCalDigits.m_Time": typed(energy, "float32"),
    }


def channels(*, in_order=False):
    """Hits of a test beam by channel, raw counts; cables are in no order unless they are."""
    row, col, energy = as_hits(cells(8, (5, 5)))
    channel = row * 5 + col if in_order else (row * 5 + col) * 7 % 25
    return {"hit_channel": typed(channel, "int32"), "hit_adc": typed(energy * 100, "int32")}


def flat():
    """All 24 x 16 cells, one after the other."""
    return {"calo": cells(9, (24, 16), 100).reshape(100, -1).astype("f4")}


def layered():
    """Cells as [layer][row][col]."""
    return {"edep": np.stack([cells(seed, (6, 4)) for seed in (10, 11, 12)], axis=1).astype("f4")}


def crystals():
    """A branch for each of 25 crystals, and some others."""
    energies = cells(13, (5, 5)).reshape(N, 25)
    return {
        **{f"Ecell{n + 1}": energies[:, n] for n in range(25)},
        "Ebeam": np.full(N, 5.0),
        "run": np.ones(N, "i4"),
    }


def raw_counts():
    """Raw counts by channel: pedestals and the signal."""
    energies = cells(14, (5, 5)).reshape(N, 25)
    return {"adc": (100 + 20 * energies).astype("i4"), "event": np.arange(N)}


def hexagons():
    """Hits of a high-granularity calorimeter by u and v of hexagonal cells, and layer."""
    row, col, energy = as_hits(cells(15, (16, 16)))
    return {
        "rechit_iu": typed(col, "int32"),
        "rechit_iv": typed(row, "int32"),
        "rechit_layer": typed(row % 4 + 1, "int32"),
        "rechit_energy": typed(energy, "float32"),
    }


def calice():
    """Hits by indices I, J and layer K, as CALICE's test beams write them."""
    row, col, energy = as_hits(cells(16, (24, 24)))
    return {
        "ahc_hitI": typed(col + 1, "int32"),
        "ahc_hitJ": typed(row + 1, "int32"),
        "ahc_hitK": typed(row % 5 + 1, "int32"),
        "ahc_hitEnergy": typed(energy, "float32"),
        "ahc_nHits": np.asarray(ak.num(energy)).astype("i4"),
    }


def polar():
    """Hits by polar angle and azimuth, as of a lepton collider."""
    row, col, energy = as_hits(cells(17, (20, 40)))
    return {
        "ecl_theta": typed(0.3 + (row + 0.5) * 0.1, "float32"),
        "ecl_phi": typed((col + 0.5) * (2 * np.pi / 40) - np.pi, "float32"),
        "ecl_energy": typed(energy, "float32"),
    }


def as_rows(energies):
    """Return event, row, col and energy of the cells above a threshold, one number a hit."""
    row, col, energy = as_hits(energies)
    event = np.repeat(np.arange(len(energies)), ak.to_numpy(ak.num(energy)))
    return (event.astype("i4"), *(ak.to_numpy(ak.flatten(each)) for each in (row, col, energy)))


def pads():
    """Pads by row and column, with counts that are called by a word alone."""
    row, col, energy = as_hits(cells(20, (9, 12)))
    return {"padRow": typed(row, "u1"), "padCol": typed(col, "u1"), "ADC": typed(energy * 100, "u2")}


def odd_labels():
    """Hits of which only every second label in phi is a cell, as in the forward calorimeter of CMS."""
    row, col, energy = as_hits(cells(21, (8, 12), 100))
    return {
        "hfHitIEta": typed(ak.where(row < 4, row - 4, row - 3), "i2"),
        "hfHitIPhi": typed(2 * col + 1, "i2"),
        "hfHitEnergy": typed(energy, "float32"),
    }


def barrel():
    """Hits by position on a cylinder, as podio writes them: 12 cells in eta, 20 in phi."""
    row, col, energy = as_hits(cells(22, (12, 20), 100))
    eta, phi = (row + 0.5) * 0.1 - 0.6, (col + 0.5) * (2 * np.pi / 20) - np.pi
    values = {
        "energy": energy,
        "position.x": 1500 * np.cos(phi),
        "position.y": 1500 * np.sin(phi),
        "position.z": 1500 * np.sinh(eta),
    }
    return {f"ECalBarrel.{word}": typed(each, "float32") for word, each in values.items()}


def chips():
    """Hits at the centres of 16 x 16 pads with a gap in the middle, beside chip and channel of each."""
    row, col, energy = as_hits(cells(27, (16, 16)))
    centre = 5.5 * np.arange(16) - 41.25 + np.where(np.arange(16) < 8, -1, 1)
    wiring = np.random.default_rng(5).permutation(16)
    x, y = (ak.unflatten(centre[ak.flatten(each)], ak.num(each)) for each in (col, row))
    channel = ak.unflatten(wiring[ak.flatten(4 * (row % 4) + col % 4)], ak.num(row))
    return {
        **{f"hit_{name}": typed(each, "float32") for name, each in (("x", x), ("y", y), ("energy", energy))},
        "hit_chip": typed(4 * (row // 4) + col // 4, "int32"),
        "hit_chan": typed(channel, "int32"),
    }


def rows_of_hits():
    """One row per hit: event, index of the cell along x and y, energy."""
    event, row, col, energy = as_rows(cells(23, (6, 6)))
    return {"event": event, "ix": col.astype("i4"), "iy": row.astype("i4"), "Edep": energy}


def rows_of_channels():
    """One row per hit, of which a number says the channel; two runs count events from 0."""
    event, row, col, energy = as_rows(cells(24, (6, 6)))
    run, event = np.divmod(event, 20)
    return {
        "RunID": run.astype("i4"),
        "EventID": event.astype("i4"),
        "ModuleID": (row * 6 + col).astype("i4"),
        "ModuleEnergy": energy,
    }


def numbered_cells():
    """A branch for each of 4 x 5 cells, with the numbers of both row and column in its name."""
    energies = cells(25, (4, 5))
    return {f"cell_r{row}_c{col}": energies[:, row, col] for row in range(4) for col in range(5)}


def padded_numbers():
    """A branch for each of 4 x 4 channels, whose numbers have leading zeros."""
    energies = cells(26, (4, 4)).reshape(N, 16)
    return {f"ch{number:02d}": energies[:, number] for number in range(16)}


def waveforms():
    """Samples in time of 16 channels."""
    return {"waveform": np.random.default_rng(27).normal(size=(N, 16, 256)).astype("f4")}


def shifted_turn():
    """Hits whose first cell in phi has its middle at 0, and z along a barrel."""
    row, col, energy = as_hits(cells(28, (10, 36), 100))
    return {
        "hit_z": typed((row + 0.5) * 20.0, "float32"),
        "hit_phi": typed(col * (2 * np.pi / 36), "float32"),
        "hit_energy": typed(energy, "float32"),
    }


def module_of_turn():
    """Hits of one module, whose cells of 0.05 in phi do not close a turn."""
    row, col, energy = as_hits(cells(29, (10, 16), 100))
    return {
        "hit_eta": typed((row + 0.5) * 0.1, "float32"),
        "hit_phi": typed((col + 0.5) * 0.05, "float32"),
        "hit_energy": typed(energy, "float32"),
    }


def three_indices():
    """Hits by three indices, the third along the beam."""
    row, col, energy = as_hits(cells(30, (12, 12)))
    return {
        "simhit_ix": typed(col, "i2"),
        "simhit_iy": typed(row, "i2"),
        "simhit_iz": typed((row + col) % 5, "i2"),
        "simhit_edep": typed(energy, "float32"),
    }


def square():
    """Counts of 8 x 8 cells, beside the pedestals of all of them."""
    counts = (100 + 20 * cells(31, (8, 8))).astype("i2")
    return {"ped": np.full((N, 8, 8), 100, "i2"), "adc": counts}


def slots():
    """Counts by channel of a board, and the slot of the board."""
    row, col, energy = as_hits(cells(32, (8, 8)))
    return {"slot": typed(row, "u1"), "channel": typed(col, "u1"), "adc": typed(energy * 100, "u2")}


def towers_of_three():
    """Towers of two calorimeters and clusters, with the index as part of a word, as sPHENIX writes them."""
    row, col, energy = as_hits(cells(33, (12, 16)))
    inner, outer = (
        {
            f"{name}TowE": typed(energy * scale, "float32"),
            f"{name}TowiEta": typed(row, "i4"),
            f"{name}TowiPhi": typed(col, "i4"),
            f"{name}Ped": typed(col, "float32"),
        }
        for name, scale in (("emc", 1.0), ("ohc", 0.5))
    )
    seeds = dict.fromkeys(("clusterE", "clusterEta", "clusterPhi"), energy[:, :1])
    return inner | outer | {name: typed(values, "float32") for name, values in seeds.items()}


def in_one_word():
    """Positions in mm and energies of which the names are one word, as LCTuple writes them."""
    row, col, energy = as_hits(cells(34, (12, 12)))
    values = {
        "scpox": col * 5.5 - 30.25,
        "scpoy": row * 5.5 - 30.25,
        "scpoz": 7.0 + 15.0 * (row % 3),
        "scene": energy,
        "stmox": energy - 1,
        "stmoy": energy - 2,
    }
    return {name: typed(each, "float32") for name, each in values.items()}


def floats_only():
    """One row per hit of layers, all numbers floats, as a TNtuple has them."""
    event, row, col, energy = as_rows(cells(35, (6, 6)))
    columns = {"evt": event, "lay": (row + col) % 3, "ix": col, "iy": row, "edep": energy}
    return {name: each.astype("f4") for name, each in columns.items()}


def pixels():
    """One row per pixel of a telescope: plane and numbers of the pixel, and no energy, as EUDAQ writes them."""
    event, row, col, _ = as_rows(cells(36, (9, 12)))
    return {
        "id_plane": (row % 2).astype("i4"),
        "id_x": col.astype("f8"),
        "id_y": row.astype("f8"),
        "i_run": np.full(len(event), 33, "i4"),
        "i_event": event,
    }


def tables():
    """One row per cell of a crossing, as a table of ALICE O2."""
    event, row, col, energy = as_rows(cells(37, (9, 12)))
    return {
        "fIndexBCs": event * 3,
        "fCellNumber": (row * 12 + col).astype("i2"),
        "fAmplitude": energy.astype("f4"),
    }


def together(parts):
    """Return columns of hits, event by event, with those of all parts one after the other."""
    return (ak.concatenate(each, axis=1) for each in zip(*parts, strict=True))


def samplings():
    """Cells of a barrel by eta and phi, those of the third sampling twice as wide in eta, as in ATLAS Tile."""
    parts = []
    for sampling, n, width in ((12, 20, 0.1), (13, 18, 0.1), (14, 7, 0.2)):
        row, col, energy = as_hits(cells(38 + sampling, (n, 16), 60), 0.03)
        eta, phi = (row - (n - 1) / 2) * width, (col + 0.5) * (2 * np.pi / 16) - np.pi
        parts.append((eta, phi, energy, row * 0 + sampling))
    eta, phi, energy, sampling = together(parts)
    return {
        "cell_eta": typed(eta, "float32"),
        "cell_phi": typed(phi, "float32"),
        "cell_e": typed(energy, "float32"),
        "cell_sampling": typed(sampling, "i4"),
    }


def disc():
    """Crystals of a disc with a large hole, by index and position, as of CLAS12."""
    energies = cells(52, (12, 12), 80) + 0.05
    rows, cols = np.indices((12, 12)) - 5.5
    energies[:, np.hypot(rows, cols) < 2.5] = 0
    row, col, energy = as_hits(energies)
    return {
        "hits_idx": typed(col + 1, "i1"),
        "hits_idy": typed(row + 1, "i1"),
        "hits_x": typed((col - 5.5) * 1.5, "float32"),
        "hits_y": typed((row - 5.5) * 1.5, "float32"),
        "hits_z": typed(row * 0 + 190, "float32"),
        "hits_energy": typed(energy, "float32"),
    }


def chessboard():
    """A branch for each of 5 x 5 crystals, from A1 to E5, and others that end in numbers."""
    energies = cells(53, (5, 5))
    crystals = {f"{'ABCDE'[row]}{col + 1}": energies[:, row, col] for row in range(5) for col in range(5)}
    return crystals | {"MCP1": energies[:, 0, 0], "run": np.ones(N, "i4")}


def digitiser():
    """Raw counts of 25 channels in 60 samples, on a pedestal."""
    pulse = np.exp(-((np.arange(60) - 30) ** 2) / 50)
    return {"digi": (250 + 20 * cells(54, (25, 1)).clip(0) * pulse).astype("u2")}


def decimal_ids():
    """Hits of 7 x 9 crystals whose numbers are 100 times that of the column of crystals, and that in it."""
    row, col, energy = as_hits(cells(55, (7, 9)))
    return {"ecal_channelId": typed(row * 100 + col, "i4"), "ecal_energy": typed(energy, "float32")}


def frames():
    """Pixels above a threshold, and for how long, as frames of Timepix."""
    row, col, energy = as_hits(cells(56, (16, 16)))
    return {"PixX": typed(col, "i2"), "PixY": typed(row, "i2"), "ToT": typed(energy * 100, "i4")}


def arrays():
    """All crystals of a barrel, their numbers beside their energies, and those of two endcaps."""
    energies = np.abs(cells(57, (12, 16)))  # never 0
    row, col = (np.broadcast_to(each.ravel(), (N, 192)) for each in np.indices((12, 16)))
    ends = cells(58, (2, 36)).clip(0).reshape(N, 72)
    iy, ix = (np.broadcast_to(np.tile(each.ravel() + 1, 2), (N, 72)) for each in np.indices((6, 6)))
    return {
        "energy_EB": energies.reshape(N, 192).astype("f4"),
        "ieta": (row - 6 + (row >= 6)).astype("i4"),
        "iphi": (col + 1).astype("i4"),
        "energy_EE": ends.astype("f4"),
        "ix": ix.astype("i4"),
        "iy": iy.astype("i4"),
        "iz": np.broadcast_to(np.repeat([-1, 1], 36), (N, 72)).astype("i4"),
    }


def labels_as_floats():
    """Towers of which the labels are stored as floats, beside clusters, as sPHENIX writes them."""
    row, col, energy = as_hits(cells(59, (12, 16)), 0.01)
    return {
        "clusterE": typed(energy[:, :2], "float32"),
        "clusterEta": typed(row[:, :2] * 0.1, "float32"),
        "clusterPhi": typed(col[:, :2] * 0.3, "float32"),
        "emcTowE": typed(energy, "float32"),
        "emcTowiEta": typed(row, "float32"),
        "emcTowiPhi": typed(col, "float32"),
    }


def indices():
    """Crystals by an index in x and one in y, of which none is 0, beside clusters, as in HPS."""
    row, col, energy = as_hits(cells(60, (6, 14)), 0.01)
    return {
        "EcalHits.index_x_": typed(col - 7 + (col >= 7), "i4"),
        "EcalHits.index_y_": typed(row - 3 + (row >= 3), "i4"),
        "EcalHits.energy_": energy,
        **{f"EcalClusters.{word}_": energy[:, :2] for word in ("x", "y", "z", "energy")},
    }


def two_ends():
    """Layers of two endcaps with the same numbers, and cells behind each other."""
    row, col, energy = as_hits(cells(61, (8, 8), 60))
    end, layer = (ak.unflatten(np.arange(ak.sum(ak.num(row))) // n % 2, ak.num(row)) for n in (1, 2))
    return {
        "hit_x": typed((col - 3.5) * 10, "float32"),
        "hit_y": typed((row - 3.5) * 10, "float32"),
        "hit_z": typed((end * 2 - 1) * (300 + 10 * layer), "float32"),
        "hit_layer": typed(layer + 1, "i4"),
        "hit_energy": typed(energy, "float32"),
    }


def two_detectors():
    """Towers of two detectors around the beam in one list, by labels that begin at 0 in both."""
    parts = []
    for detector, shape in ((1, (12, 32)), (2, (6, 8))):
        row, col, energy = as_hits(np.abs(cells(70 + detector, shape, 40)), 0.001)
        parts.append((row, col, energy, row * 0 + detector))
    row, col, energy, detector = together(parts)
    return {
        "tower_ieta": typed(row, "i4"),
        "tower_iphi": typed(col, "i4"),
        "tower_caloid": typed(detector, "i4"),
        "tower_e": typed(energy, "float32"),
        "tower_x": typed(np.cos(col), "float32"),
        "tower_y": typed(np.sin(col), "float32"),
        "tower_z": typed(row - 2.5, "float32"),
    }


def two_pitches():
    """Two fine layers of a flat detector before two of cells twice as wide, by x and y."""
    parts = []
    for layer, n, width in ((0, 16, 10), (1, 16, 10), (2, 8, 20), (3, 8, 20)):
        row, col, energy = as_hits(cells(62 + layer, (n, n), 60), 0.03)
        x, y = (col - (n - 1) / 2) * width, (row - (n - 1) / 2) * width
        parts.append((x, y, energy, row * 0 + layer))
    x, y, energy, layer = together(parts)
    return {
        "hit_x": typed(x, "float32"),
        "hit_y": typed(y, "float32"),
        "hit_layer": typed(layer, "i4"),
        "hit_energy": typed(energy, "float32"),
    }


def detector_last():
    """Blocks under names that end with the detector, beside its showers, as in GlueX."""
    row, col, energy = as_hits(cells(65, (6, 8)))
    hits = {"hit_row_fcal": typed(row, "i4"), "hit_col_fcal": typed(col, "i4"), "hit_Efcal": energy}
    hits |= {"hit_tfcal": energy * 0 + 20, "hit_x_fcal": col * 4.0, "hit_y_fcal": row * 4.0}
    return hits | {f"{word}_fcal": energy[:, :1] for word in ("E", "x", "y", "z")}


def two_sides():
    """Crystals of a barrel without a label 0, the sign of which a side repeats, as in CMS."""
    row, col, energy = as_hits(cells(66, (10, 12), 60))
    row = ak.where(row < 5, row - 5, row - 4)
    labels = {"iEta": row, "iPhi": col + 1, "Zside": ak.where(row > 0, 1, -1)}
    return {f"ebRechit{word}": typed(each, "i4") for word, each in labels.items()} | {"ebRechitE": energy}

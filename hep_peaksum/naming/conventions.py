"""What names mean: words of coordinates and energies, the order of physics, what is documented about files."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from hep_peaksum.kernels import Array
from hep_peaksum.library.geometries import named_grid
from hep_peaksum.naming.branches import Branch, Tree

# The two coordinates of a hit, rows first; labels are preferred to coordinates.
PAIRS = (
    ("ieta", "iphi"),
    ("row", "col"),
    ("iy", "ix"),
    ("iv", "iu"),
    ("j", "i"),
    ("wire", "tick"),
    ("iz", "iphi"),
    ("eta", "phi"),
    ("theta", "phi"),
    ("y", "x"),
    ("z", "phi"),
    ("iy", "iz"),
    ("ix", "iz"),
)
ROLES = {
    "ieta": r"i_?eta|tower_?i_?eta",
    "iphi": r"i_?phi|tower_?i_?phi",
    "row": r"(?:adc|cell|pix)?i?_?row(?:_?id)?",  # adcrow, cellrow
    "col": r"(?:adc|cell|pix)?i?_?col(?:umn)?(?:_?id)?",
    "iy": r"i_?y|(?:index|idx)_?y",
    "ix": r"i_?x|(?:index|idx)_?x",
    "iz": r"i_?z|(?:index|idx)_?z",
    "iv": r"(?:i_?)?v",
    "iu": r"(?:i_?)?u",
    "wire": r"wire(?:_?id|_?number)?",
    "tick": r"tick|time_?tick|peak_?tick|time_?bin|peak_?t(?:ime)?",  # hit_peakT of LArSoft
    "j": r"j",
    "i": r"i",
    "eta": r"eta",
    "theta": r"theta",
    "phi": r"phi",
    "x": r"x(?:_?pos(?:ition)?)?",
    "y": r"y(?:_?pos(?:ition)?)?",
    "z": r"z(?:_?pos(?:ition)?)?",
}
LABELS = (  # the roles that are no positions
    *("ieta", "iphi", "row", "col", "iy", "ix", "iz", "irho", "iv", "iu", "j", "i"),
)
DEPTHS = ("irho", "iz")  # numbers of cells that are those of layers, where others are rows and columns
GLUED = re.compile(r"(.*?)_?(ieta|iphi)")  # hcalTPieta
GLUED_LABEL = re.compile(r"(.+)i_(eta|phi)")  # emcTowiEta; with floats multi_eta may be something else
CAMEL_LABEL = re.compile(r".*[a-z0-9]i(Eta|Phi)")
# PixX, cellX, xpad, XCellID, eta_bin; with floats these may be positions.
_NOUN, _NUMBER = "cell|pix|pixel|pad|crystal|tower|bin", "id|no|idx|index|number"
_AXIS = "[xyz]|eta|phi|rho"
NUMBER_OF_CELL = re.compile(
    rf"(?:(.*)_)?(?:(?:{_NOUN})_?({_AXIS})|({_AXIS})_?(?:(?:{_NOUN})_?(?:{_NUMBER})?|{_NUMBER}))"
)
IN_ONE_WORD = re.compile(r"(.+?(?<![p_]))(?:pos?)?([xyz])")  # scpox or hitx; px is a momentum
# Positions and directions of something else than the hit.
OTHER_POSITIONS = re.compile(
    r"(^|_)(vertex|vtx|vx|momentum|mom|end|endpoint|spin|source|step|pre|post|direction|dir|err|error|rms|ref"
    r"|reference|point|local|beam|prod|outer|centroid|dimensions?|d|crystal_last|phantom)(_|$)"
)
COUNTS = ("amplitude", "amp", "adc", "charge", "signal", "pe", "value", "weight")  # no energies yet
VALUES = (
    *("iet", "et", "edep", "e_dep", "sumedep", "edeposit", "energy_deposit", "energy", "e", "ene", "en"),
    *("energies", "de", "total_energy_deposit", "tot", "total_energy"),
    *("a_c", "a_p", "a_amp_p"),  # Podd of JLab
    *("pt", *COUNTS),
)
NOUNS = ("cell", "hit", "crystal", "tower", "pixel", "pix")  # whose energy it is, before or behind it
LAYERS = (
    *("layer", "layer_id", "layer_no", "layer_number", "ilayer", "i_layer", "lay", "depth", "plane"),
    *("sampling", "calo_sample", "k", "iz", "il", "l"),
)
CHANNELS = (
    *("channel", "channel_id", "chan", "ch", "cell_id", "cellid", "det_id", "detid", "crystal", "crystal_id"),
    *("tower_key", "key", "abs_id", "absid", "tower_id", "module_id", "block_id", "copy_no", "copy_number"),
    *("cell", "cel", "component", "strip", "fiber", "fibre", "bar"),
    *("cell_no", "mod_id", "crystal_no", "tower_no", "soft_id", "hw_id"),
    *("cell_number", "pmt_id", "tile_id", "pixel_id", "cell_index", "index", "id"),
)
MODULES = (  # that a channel may be of
    *("module", "mod", "sector", "slot", "board", "crate", "card", "chip", "asic", "fpga", "supermodule", "sm"),
    *("disk", "disc", "ring", "stave", "wafer", "block", "rdo", "roc", "fec", "tpc", "cryostat"),
    *("sensor", "iden", "detector", "lane", "arm", "half", "quadrant", "station"),  # iden: EUTelescope
)
SECTIONS = ("section", "subdet", "subdetector", "side", "zside", "view")
PLANES = ("plane", "plane_id", "plane_no")
BARS = ("cell", "strip", "bar")  # one beside the other in a plane
RUNS = (
    *("run", "id_run", "run_nr", "run_number", "runnumber", "run_num", "runnum", "run_id", "runid", "run_no"),
    "i_run",
)
BLOCKS = (
    *("luminosity_block", "lumi_block", "lumi_block_num", "lumi", "ls", "lbn", "spill", "spill_number"),
    *("spill_id", "spill_no", "spill_num", "i_spill"),
)
EVENTS = (
    *("event_id", "event", "evt", "evt_id", "event_number", "evt_number", "ievent", "i_event", "eventid"),
    *("ievt", "i_evt"),
    *("event_no", "evtno", "evtnum", "evt_num", "event_num", "evnum", "ev", "entry"),
    "index_bcs",  # the bunch crossing, in tables of ALICE O2
)

# Integers of hits that number nothing of the detector.
NO_NUMBERS = re.compile(
    r"(^|_)(track|step|parent|primary|photon|particle|pdg\w*|encoding|contrib\w*|incident|n|process|type|status"
    r"|quality|flags?|time(?:_?stamp)?|baseline|tdc|adc|\w*amplitude\w*|charge|counts?|sca|is|compton|rayleigh|source|event|run|begin|end|index|noise|gain)(_|$)"
)

# What is measured beside the energy of a cell; of cells that are in time, the energies are.
BESIDE = re.compile(
    r"(^|_)(?<!in_)(?<!of_)(times?|t0|toa|tof|tdc|noise|rms|chi2|quality|status|mult|multiplicity)(_|$)"
)

# From what is searched to what hardly ever is, by words in lower case; the first that fits counts.
_ORDER = {
    "weights": "weight lhe pdf_?w scale_?factor (^|_)sf(_|$)",
    "covariances": "cov error sigma uncert jacobian pedestal (^|_)peds?(_|$) (^|_)tdc(_|$) time_?stamp",
    "ids": "(^|_)(u?ids?|index|idx|indices|pdg|links?|bits?|flags?|status|type)(_|$) volume_?id hlt prescale "
    "decision trigger_?pass",
    "generator particles": "gen(?!eric) truth (^|_)mc sim_?particle (^|_)particle reconstructed_?part",
    "tracks": "track vertex (^|_)sv(_|$) mpgd si_?barrel tof tagger_?sim recoil roman pixel strip muon rich "
    "dirc scoring",
    "clusters": "cluster (^|_)clus(_|$) (^|_)cl[23]d(_|$) egamma e_?flow",
    "objects": "jet photon electron tau hadron met(_|$) upgrade sum missing wave cand trig_?obj analysis",
    "towers": "tower (^|_)tows?(_|$)",
    "cells": "cell crystal ecl",
    "hits": "hit [a-z]?cal(_|$) ec_?al hc_?al emc lkr bgo csi "
    "calo hgc grid digi scfi tp(_|$) edep ec_?energy hc_?energy eabs",
}
ORDER = {kind: re.compile("|".join(patterns.split())) for kind, patterns in _ORDER.items()}
FIRST = (
    *("towers", "cells", "hits", "others", "clusters", "objects", "tracks"),
    *("generator particles", "covariances", "weights", "ids"),
)


class Place(NamedTuple):
    """Where a coordinate belongs: hits with the same stem of their names, and which coordinate it is."""

    stem: str
    role: str


def place_of(words: str, *, is_whole: bool = False) -> Place | None:
    """Return what coordinate of which hits the words of a branch name, or None; `is_whole` is one of integers.

    >>> place_of("position_x"), place_of("hit_ieta"), place_of("hcal_tpieta"), place_of("beta")
    (Place(stem='', role='x'), Place(stem='hit', role='ieta'), Place(stem='hcal_tp', role='ieta'), None)
    >>> place_of("emc_towi_eta", is_whole=True), place_of("id_x")
    (Place(stem='emc_tow', role='ieta'), Place(stem='id', role='ix'))
    >>> place_of("hit_xcell_id", is_whole=True), place_of("pix_y", is_whole=True), place_of("cell_x")
    (Place(stem='hit', role='ix'), Place(stem='', role='iy'), Place(stem='cell', role='x'))
    >>> place_of("hit_xpad", is_whole=True), place_of("phi_bin", is_whole=True), place_of("phi_bin")
    (Place(stem='hit', role='ix'), Place(stem='', role='iphi'), None)
    """
    if is_whole and (match := GLUED_LABEL.fullmatch(words)):
        return Place(match[1], f"i{match[2]}")
    if is_whole and (match := NUMBER_OF_CELL.fullmatch(words)):
        return Place(match[1] or "", f"i{match[2] or match[3]}")
    for role, pattern in ROLES.items():
        match = re.fullmatch(rf"(?:(.*)_)?(?:{pattern})", words)
        if match:
            stem = match[1] or ""
            if role in ("x", "y", "z", "eta", "theta", "phi") and OTHER_POSITIONS.search(stem):
                return None
            if role in ("x", "y") and re.search("(^|_)id$", stem):  # the number of a pixel: id_x
                return Place(stem, f"i{role}")
            return Place(re.sub(r"((^|_)(pos|position|coord|global))+$", "", stem), role)
    match = GLUED.fullmatch(words)
    return Place(match[1], match[2]) if match else None


def places_in_one_word(names: Collection[str]) -> dict[str, Place]:
    """Return the coordinates whose names are one word with that of the hits, by name.

    Such are names that differ in a last x and y, if there is an energy that begins as they do.

    >>> sorted(places_in_one_word(["scpox", "scpoy", "scpoz", "scene", "stmox", "stmoy"]))
    ['scpox', 'scpoy', 'scpoz']
    >>> places_in_one_word(["hitx", "hity", "hite"])["hitx"], places_in_one_word(["hitx", "hity"])
    (Place(stem='hit', role='x'), {})
    """
    found = {}
    for name in names:
        match = IN_ONE_WORD.fullmatch(name)
        if match is None or len(match[1]) < 2 or OTHER_POSITIONS.search(match[1]):
            continue
        has_both = all(f"{name[:-1]}{axis}" in names for axis in "xy")
        if has_both and any(match[1] + word.replace("_", "") in names for word in VALUES):
            found[name] = Place(match[1], match[2])
    return found


def is_of_module(stem: str) -> bool:
    """Return whether a stem names a module, so that what follows is the place of a module rather than a cell.

    >>> is_of_module("hit_wafer"), is_of_module("hit")
    (True, False)
    """
    return stem.rpartition("_")[2] in ("wafer", "mod", "module", "sector", "chip", "block")


def names_module(words: str) -> bool:
    """Return whether the words of an integer say that it is the number of a module, a board or a layer.

    >>> names_module("ecal_adc_sector"), names_module("slot_id"), names_module("hit_ped")
    (True, True, False)
    """
    names = (*MODULES, *LAYERS, *SECTIONS)
    plain = re.sub(r"_?(id|no|nr|number|index)$", "", words)
    return any(plain == name or plain.endswith(f"_{name}") for name in names)


def may_number(words: str) -> bool:
    """Return whether an integer of hits, by the words of its name, may number modules or cells.

    >>> may_number("rsector_id"), may_number("wafer_u"), may_number("track_id"), may_number("n_contribs")
    (True, True, False, False)
    """
    return NO_NUMBERS.search(words) is None


def may_measure(words: str) -> bool:
    """Return whether a number of hits, by the words of its name, may be an energy: no time, error or angle.

    >>> may_measure("sci"), may_measure("time"), may_measure("sigma_e"), may_measure("t"), may_measure("xhit")
    (True, False, False, False, False)
    """
    is_other = re.search(
        r"(^|_)(t|t0|toa|tof|theta|phi|eta|r|rho|perp|angle|chi2|radius|distance|size|width|[xyz](cell|hit)g?"
        r"|t_?(avg|mean|rms|min|max))(_|$)",
        words,
    )
    return is_other is None and may_number(words) and likeness(words) not in ("weights", "covariances", "ids")


def in_lower_case(name: str) -> str:
    """Return the words of a name, with underscores between them.

    >>> in_lower_case("ECLHits.m_cellId"), in_lower_case("hcalTPieta")
    ('eclhits_m_cell_id', 'hcal_tpieta')
    """
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def likeness(name: str, otherwise: str = "") -> str:
    """Return what a name sounds like, one of `FIRST`; if it says nothing, what another name sounds like.

    >>> [likeness(name) for name in ("CaloTower", "hit_energy", "LHEPdfWeight", "GenPart_eta", "abc")]
    ['towers', 'hits', 'weights', 'generator particles', 'others']
    >>> likeness("cl3d_pt")  # of the trigger of CMS HGCAL
    'clusters'
    """
    text = in_lower_case(name)
    kind = next((kind for kind, pattern in ORDER.items() if pattern.search(text)), "others")
    return likeness(otherwise) if kind == "others" and otherwise else kind


def holds_cells(name: str, otherwise: str = "") -> bool:
    """Return whether something may be hits or cells by its name or another, not objects, tracks or particles.

    >>> holds_cells("EcalHits"), holds_cells("GenPart")
    (True, False)
    """
    return likeness(name, otherwise) in ("towers", "cells", "hits", "others")


def order(name: str, otherwise: str = "") -> int:
    """Return the place of a name in the order of physics; what is reconstructed comes before what is simulated.

    >>> order("EcalRecHits") < order("EcalSimHits") < order("TrackerHits")
    True
    """
    is_simulated = "sim_hit" in in_lower_case(name) or "sim_calorimeter" in in_lower_case(name)
    return 2 * FIRST.index(likeness(name, otherwise)) + is_simulated


def order_of_cells(name: str, otherwise: str = "") -> int:
    """Return the place of an array of cells in the order of physics, times and noises after energies.

    Raw counts come after the energies that are made of them.

    >>> order_of_cells("cell_E") < order_of_cells("cell_noise") == order_of_cells("TimeLG")
    True
    >>> order_of_cells("BTowHit.mE") < order_of_cells("BTowHit.mAdc")
    True
    """
    words = in_lower_case(name)
    if BESIDE.search(words):
        return max(order(name, otherwise), 2 * FIRST.index("covariances"))
    is_raw = re.search(r"(^|_)adcs?(_|$)", words) is not None
    return order(name, otherwise) | is_raw  # the last bit is that of what is simulated, too


class Units(NamedTuple):
    """The energy of one count, the unit of lengths, and the source of both; empty where unknown.

    `is_flat` says that the detectors of such files are planes across the beam.
    """

    energy: str = ""
    length: str = ""
    source: str = ""
    is_flat: bool = False


# Where the unit of energies is written down, by what a tree or a class is called.
DOCUMENTED = (
    (r"edm4hep::", Units("1 GeV", "mm", "EDM4hep stores GeV and mm")),
    (r"ldmx::", Units("1 MeV", "mm", "LDMX stores MeV and mm", is_flat=True)),
    (r"^Delphes$", Units("1 GeV", "", "Delphes stores GeV")),
    (r"xAOD::|AuxDyn\.", Units("1 MeV", "mm", "xAOD stores MeV and mm")),
    (r"TotalEnergyDeposit$", Units("1 MeV", "mm", "GATE 10 stores MeV and mm")),
)
# GATE's tree of hits has these columns.
GATE = {"PDGEncoding", "edep", "posX"}
GATE_UNITS = Units("1 MeV", "mm", "GATE stores MeV and mm")
IN_NAMES = re.compile(r"(?:^|[^A-Za-z])(keV|MeV|GeV|TeV)(?:$|[^A-Za-z])|[a-z](keV|MeV|GeV|TeV)$")
LENGTHS = re.compile(r"(?:[\[(]\s*|_)(mm|cm)(?:\s*[\])]|$)")

# The fields of the ids of LDMX (DetDescr/EcalID.h), by the beginning of a collection's name.
LDMX_IDS = {"Ecal": {"cell": (0, 11), "module": (12, 16), "layer": (17, 22)}}


def units_of(tree: Tree, value: Branch | None, place: Branch | None) -> Units:
    """Return the units of cells or hits: as names and titles say, otherwise as documented for such files."""
    texts = [tree.name, *(text for each in (value, place) if each for text in (tree.owner(each), each.name))]
    fitting = (units for pattern, units in DOCUMENTED if any(re.search(pattern, text) for text in texts))
    is_gate = all(any(name.endswith(word) for name in tree.names) for word in GATE)
    known = GATE_UNITS if is_gate else next(fitting, Units())
    if value is not None and (match := IN_NAMES.search(value.name) or IN_NAMES.search(value.title)):
        known = known._replace(energy=f"1 {match[1] or match[2]}", source=f"as the name of {value.name} says")
    if place is not None and (match := LENGTHS.search(place.name) or LENGTHS.search(place.title)):
        known = known._replace(length=match[1])
    return known


def unit_comments(tree: Tree, units: Units, value: Branch) -> list[tuple[str, str]]:
    """Return the source of the unit, or what to write if there is none."""
    if units.energy:
        return [("unit", units.source)]
    if tree.is_geant4:
        why = "the file does not say it; Geant4, which wrote it, counts in MeV"
        return [("unit", f"unit: 1 MeV  # if one count is that: {why}")]
    return [("unit", f"unit: 1 GeV  # if one count of {value.config_name} is that: the file does not say it")]


def named_geometry(roles: Sequence[str], collection: str, row: Array, col: Array) -> str:
    """Return the geometry of the package that hits of this collection lie on, or an empty text."""
    if list(roles) != ["ieta", "iphi"] or not re.search(r"L1CaloTower", collection):
        return ""
    grid = named_grid("cms-l1-towers")
    fits = all((axis.find(places) >= 0).all() for axis, places in ((grid.rows, row), (grid.cols, col)))
    return "cms-l1-towers" if fits else ""


def widest_towers(edges: Array) -> tuple[float, float] | None:
    """Return the largest usual widths of Delphes towers in eta and phi; `edges` has shape (tower, 4).

    Towers whose four edges are all 0 have none, and do not count.
    """
    widths = []
    for low, high in ((0, 1), (2, 3)):
        width = (edges[:, high] - edges[:, low]).astype(np.float64).round(4)
        values, numbers = np.unique(width[width > 0], return_counts=True)
        if not len(values):
            return None
        widths.append(float(values[numbers >= 0.02 * numbers.sum()].max()))
    return widths[0], widths[1]

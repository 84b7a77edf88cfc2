"""The reference of keys: complete, found by any part of its path, and the same in docs."""

import pytest
from places import DOCS

from hep_peaksum.clustering.fields import FIELDS
from hep_peaksum.config.model import Config
from hep_peaksum.config.reference import config_keys, every_key, fields_page, find_keys, keys_at, keys_page
from hep_peaksum.config.schema import INTERNAL, SECTIONS
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.settings.model import PeakSumSettings
from hep_peaksum.settings.pileup import Pileup

NAMES = [key.name for key in every_key()]


def test_the_sections_stand_in_the_order_of_a_file():
    assert [key.name for key in config_keys()] == list(SECTIONS)
    assert set(SECTIONS) == set(Config.model_fields) - set(INTERNAL)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        pytest.param(PeakSumSettings, "clusters.NAME", id="settings"),
        pytest.param(Pileup, "clusters.NAME.pileup.N", id="pileup"),
        pytest.param(Grid, "grids.NAME", id="grid"),
        pytest.param(Axis, "grids.NAME.cols", id="axis"),
    ],
)
def test_the_keys_of_a_model_stand_where_users_write_them(model, place):
    assert {f"{place}.{name}" for name in model.model_fields} <= set(NAMES)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("overlap", ["clusters.NAME.overlap"]),
        ("clusters.overlap", ["clusters.NAME.overlap"]),
        ("clusters.Jet.overlap", ["clusters.NAME.overlap"]),
        ("clusters", ["clusters", "matches.NAME.clusters", "output.clusters"]),
        ("clusters.Jet", ["clusters"]),
        ("hits", ["grids.NAME.hits"]),
        ("hits.row", ["grids.NAME.hits.row"]),
        ("pileup.0.kind", ["clusters.NAME.pileup.N.kind"]),
        ("kind", ["clusters.NAME.pileup.N.kind"]),
        ("histograms.h.axes.1.bins", ["histograms.NAME.axes.N.bins"]),
        (
            "bins",
            [
                *(f"grids.NAME.{axis}.bins" for axis in ("rows", "cols", "depth")),
                *(f"measurements.NAME.{axis}.bins" for axis in ("axis", "ratio_axis")),
                "histograms.NAME.axes.N.bins",
            ],
        ),
        ("row.encoding.from_file", ["grids.NAME.hits.row.encoding.from_file"]),
        ("run", ["run"]),
        ("Jet", []),
        ("grids.calo", ["grids"]),
        ("hits.overlap", []),
        ("", []),
        ("clusters.", []),
    ],
)
def test_a_key_is_found_by_the_end_of_its_path(text, names):
    assert [key.name for key in find_keys(text)] == names


def test_a_key_knows_its_type_default_and_options():
    (overlap,) = find_keys("overlap")
    assert overlap.default == "shared"
    assert list(overlap.options)[:2] == ["shared", "highest"]
    assert all(overlap.options.values())
    (window,) = find_keys("search_window")
    assert (window.type, window.default) == ("[rows, cols] or a drawing", "[3, 3]")
    assert window.example == "search_window: |\n  ===\n  =o>\n  >>>"
    (retries,) = find_keys("retries")
    assert (retries.type, retries.default) == ("whole number from 0", "2")
    (directory,) = find_keys("directory")
    assert directory.is_required
    (comparison,) = find_keys("seed_comparison")
    assert comparison.default == "'>'"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ([], "clusters"),
        (["clusters", "Jet"], "tie_rule"),
        (["clusters", "Jet", "pileup", "0"], "includes_cluster"),
        (["clusters", "Jet", "reference"], "sum_where"),
        (["grids", "calo"], "geometry"),
        (["grids", "calo", "rows"], "periodic"),
        (["histograms", "h", "axes", "0"], "edges"),
        (["events"], "schema"),
    ],
)
def test_the_known_keys_of_a_place_are_listed(path, key):
    assert key in keys_at(path)


@pytest.mark.parametrize("path", [["no"], ["run", "workers"], ["datasets", "a", "metadata", "year", "x"]])
def test_a_place_without_keys_has_none(path):
    assert keys_at(path) == []


def test_the_first_sentence_is_short_enough_for_a_list():
    for key in every_key():
        assert len(key.summary) <= 160, key.name


@pytest.mark.parametrize(("page", "text"), [("keys.md", keys_page), ("fields.md", fields_page)])
def test_a_page_of_docs_is_current(page, text):
    """If not: python -m hep_peaksum.config.reference"""
    assert (DOCS / page).read_text(encoding="utf-8") == text()


def test_every_key_and_every_field_is_on_its_page():
    keys, fields = keys_page(), fields_page()
    for key in every_key():
        assert f"`{key.path[-1]}`" in keys or f"## `{key.name}" in keys
    for name in FIELDS:
        assert f"| `{name}` |" in fields


def test_keys_of_several_kinds_of_a_map_say_whose_they_are():
    (measurements,) = (key for key in config_keys() if key.name == "measurements")
    keys = {key.path[-1]: key for key in measurements.keys}
    assert keys["nth"].description == "Of rate: of a field of clusters: the n-th highest of an event counts."
    assert keys["of"].description.startswith(
        "Of response: without a match: field of clusters, of which the highest of an event counts. Of scaling: "
    )
    assert keys["fit"].type == "one of gaussian, crystal_ball, or list, each one of stochastic, noise, constant"
    assert [key.path[-1] for key in keys["pass"].keys] == ["field", "thresholds", "nth"]

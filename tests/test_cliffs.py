"""The list of variants that the benchmark of cliffs measures is complete, and what it measures is right."""

from pathlib import Path

import numpy as np
import pytest

from hep_peaksum import PeakSumSettings, presets
from hep_peaksum.clustering.fields import fields_of
from hep_peaksum.settings.pileup import PileupKind
from tests.benchmarks import cliffs, variants

N_EVENTS = 40


@pytest.fixture(scope="module")
def options():
    return list(variants.options(N_EVENTS))


def test_every_key_of_the_settings_is_tried_or_has_a_reason(options):
    tried = {key for _, key, _ in variants.option_keys()}
    assert tried | set(variants.REASONS) == set(PeakSumSettings.model_fields)
    assert tried & set(variants.REASONS) == set()
    assert len({variant.name for variant in options}) == len(options)


def test_a_new_key_without_a_value_is_told(monkeypatch):
    class WithAnother(PeakSumSettings):
        depth_of_view: int = 3
        flag: bool = False

    monkeypatch.setattr(variants, "PeakSumSettings", WithAnother)
    assert variants.keys_without_variant() == ["depth_of_view"]
    assert ("flag=true", "flag", {"flag": True}) in list(variants.option_keys())


def test_an_entry_of_a_key_that_has_gone_is_told():
    keys = {entry.partition("=")[0] for entry in (*variants.VALUES, *variants.BESIDE, *variants.FIELDS_OF)}
    assert keys | set(variants.REASONS) <= set(PeakSumSettings.model_fields)


def test_every_variant_differs_from_the_default_in_its_key():
    for name, key, keys in variants.option_keys():
        default = PeakSumSettings.model_fields[key].default
        assert getattr(PeakSumSettings(**keys), key) != default, name


def test_every_option_finds_clusters(options):
    """And in hits as in the cells that they are of, so that the two columns are of one search."""
    for variant in options:
        clusters = variant.search()
        assert sum(map(len, clusters)) > 0, variant.name
        if "mask" in variant.data.given or variant.name.startswith("nonfinite"):
            continue
        assert variant.search(variant.hits).to_list() == clusters.to_list(), variant.name


def test_every_field_and_preset_has_a_variant():
    data = variants.showers(N_EVENTS)
    settings = PeakSumSettings(pileup=PileupKind.__args__)
    found = {variant.name: variant.search() for variant in variants.fields(N_EVENTS)}
    assert list(found) == list(fields_of(data.grid, settings))
    assert all(name in clusters.fields for name, clusters in found.items())

    of_presets = {variant.name: variant.search() for variant in variants.all_presets(N_EVENTS)}
    assert list(of_presets) == list(presets())


def test_presets_are_measured_on_their_own_grid():
    shapes = {variant.name: variant.data.cells.shape for variant in variants.all_presets(200)}
    assert shapes["cms-l1-jet"] == (10, 80, 72)  # 4 x 5 toy events side by side
    assert shapes["lhcb-l0"] == (16, 64, 52)
    assert shapes["keras-3x3"] == (200, 24, 16)


def test_toy_events_lie_side_by_side():
    plane = variants.image("showers", 32).cells[0]
    events = variants.toy.make_events(4, seed=1).grids
    np.testing.assert_array_equal(plane[:24, :16], events[0])
    np.testing.assert_array_equal(plane[:24, 16:], events[1])
    np.testing.assert_array_equal(plane[24:, :16], events[2][:8])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_memory_is_that_beyond_what_is_there_and_what_comes_out():
    """Of a search that takes 64 MB for a while, and of one that gives 32 MB back."""
    data = variants.Data(np.zeros((1, 8, 8)), None)

    class Takes:
        def search(self, _):
            return np.ones(1 << 23)[:0]

    class Gives:
        def search(self, _):
            return np.ones(1 << 22)

    assert cliffs.extra_memory(Takes(), data) == pytest.approx(64 * 2**20, rel=0.1)
    assert cliffs.extra_memory(Gives(), data) < 4 * 2**20


def test_missed_bounds_are_marked():
    assert cliffs.marked(10, 10) == "10.0"
    assert cliffs.marked(10.1, 10) == "**10.1**"


def test_time_is_that_to_the_plain_search_of_the_same_cells():
    """Of the plain search itself, and of a twin that is slow by intention."""
    data = variants.showers(2000)
    settings = {"same": PeakSumSettings(), "slow": PeakSumSettings(kernel="scipy")}
    chosen = [variants.Variant(name, each, data) for name, each in settings.items()]
    for as_hits in (False, True):
        ratios = cliffs.to_plain(chosen, 5, as_hits=as_hits)
        assert 0.5 < ratios["same"] < 2
        assert ratios["slow"] > 5


@pytest.mark.slow
def test_every_option_field_and_preset_has_its_row():
    tables = {table.name: table for table in cliffs.cliffs(100, 1, (32, 64))}
    rows = {name: [next(iter(row.values())) for row in table.rows] for name, table in tables.items()}
    assert rows["options"] == ["plain", *(name for name, _, _ in variants.option_keys())]
    assert rows["fields"] == [variant.name for variant in variants.fields(100)]
    assert rows["presets"] == list(presets())
    assert set(rows["hard"]) < set(rows["options"])
    assert len(rows["images"]) == 2 * len(variants.IMAGES) * len(cliffs.WINDOWS)
    for table in tables.values():
        assert all(set(row) == set(table.columns) for row in table.rows), table.name

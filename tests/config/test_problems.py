"""What can be wrong in a config: all of it is reported at once, a line each."""

import numpy as np
import pytest
from small_config import problems, small

from hep_peaksum.config.load import parse_config
from hep_peaksum.config.sections import RunOptions

BINS, THREE_AND_THREE = "bins: 1, start: 0, stop: 9", "{field: a.b, thresholds: [3, 3]}"
EDGES = "edges must be two or more finite numbers"
DRAWN = "a window is drawn with 'o', 'x', 'g', '.', '>' and '='"
EXECUTORS = "'iterative', 'futures', 'threads', 'dask', 'parsl' or 'taskvine'"
WRONG = {
    # what stands for a map, a list or a number, and is none
    "a_comma_in_a_number": (
        "run={chunksize: 100,000}",
        "run.chunksize: the comma after 100 ends the value: write 100_000 without a comma",
    ),
    "a_comma_in_a_text": (
        "run.chunksize=100,000",
        "run.chunksize: '100,000' is not a whole number: write 100_000 without a comma",
    ),
    "a_decimal_comma": (
        "clusters={Jet: {grid: calo, seed_threshold: 1,5}}",
        "clusters.Jet.seed_threshold: the comma after 1 ends the value: write 1.5 without a comma",
    ),
    **{
        f"a_decimal_comma_in_{number}": (
            f"clusters={{Jet: {{grid: calo, seed_threshold: {number}}}}}",
            f"clusters.Jet.seed_threshold: the comma after 1 ends the value: write {written} without a comma",
        )
        for number, written in (("1,1", "1.1"), ("1,99", "1.99"), ("1,100", "1_100"), ("1,000", "1_000"))
    },
    **{
        f"{value}_for_a_size": (f"run={{max_basket: {value}}}", f"run.max_basket: {shown} is not a size: ")
        for value, shown in (("true", "True"), ("1.5", "1.5"), ("0", "0"), ("1 TB", "'1 TB'"))
    },
    "a_number_for_a_key": ("run={3: 4}", "run.3: unknown key; there are executor, workers, chunksize"),
    "a_size_for_regions": (
        "grids.calo.regions=[4, 8]",
        "grids.calo.regions: [4, 8] is not a map of names: write {NAME: [4, 8]}",
    ),
    "text_for_regions": (
        "grids.calo.regions=4x8",
        "grids.calo.regions: '4x8' is not a map of names: write {NAME: [4, 8]}",
    ),
    "text_for_a_size": (
        "grids.calo.regions={card: 4x8}",
        "grids.calo: regions 'card' are drawn for (1, 3) cells, the grid has (24, 16): write {card: [4, 8]}",
    ),
    "a_list_for_identify": (
        "events={identify: [run, event]}",
        "events.identify: ['run', 'event'] is not a map of names: write it as in `identify: {run: Event/run, ",
    ),
    "a_list_for_friends": (
        "friends=[t]",
        "friends: ['t'] is not a map of names: write it as in `friends: {ev: l1EventTree/L1EventTree}`",
    ),
    "a_number_for_a_mask": (
        "grids.calo.mask=3",
        "grids.calo.mask: 3 is not a mask: give the path of a .npy file",
    ),
    "a_number_for_labels": (
        "grids.calo.rows={labels: 3}",
        "grids.calo.rows.labels: 3 is not a list of labels: write '1..3', or n: 3",
    ),
    "another_word_for_a_key": (
        "clusters.Jet.threshold=1 GeV",
        "clusters.Jet.threshold: unknown key (did you mean 'seed_threshold'?)",
    ),
    # unknown keys, at every level
    "unknown_section": ("dataset={}", "dataset: unknown key (did you mean 'datasets'?)"),
    "unknown_section_far": ("colour=red", "colour: unknown key"),
    "unknown_key_of_a_dataset": (
        "datasets.data.meta_data={}",
        "datasets.data.meta_data: unknown key (did you mean 'metadata'?)",
    ),
    "unknown_key_of_events": ("events={shema: base}", "events.shema: unknown key (did you mean 'schema'?)"),
    "unknown_identity": ("events.identify={run: r, lumi: r, event: e}", "events.identify.lumi: "),
    "unknown_key_of_a_grid": ("grids.calo.row={n: 24}", "grids.calo.row: unknown key (did you mean 'rows'?)"),
    "unknown_unit_of_a_grid": (
        "grids.calo.units=1 GeV",
        "grids.calo.units: unknown key (did you mean 'unit'?)",
    ),
    "unknown_geometry_word": (
        "grids.calo.geometri=x",
        "grids.calo.geometri: unknown key (did you mean 'geometry'?)",
    ),
    "unknown_key_of_an_axis": (
        "grids.calo.rows={n: 24, periodik: true}",
        "grids.calo.rows.periodik: unknown key (did you mean 'periodic'?)",
    ),
    "unknown_key_of_dense": (
        "grids.calo.dense.brunch=e",
        "grids.calo.dense.brunch: unknown key (did you mean 'branch'?)",
    ),
    "unknown_key_of_clusters": (
        "clusters.Jet.seed_treshold=1",
        "clusters.Jet.seed_treshold: unknown key (did you mean 'seed_threshold'?)",
    ),
    "unknown_field_word": (
        "clusters.Jet.field=[sum]",
        "clusters.Jet.field: unknown key (did you mean 'fields'?)",
    ),
    "unknown_key_of_output": ("output.plot=false", "output.plot: unknown key (did you mean 'plots'?)"),
    "unknown_key_of_run": ("run.worker=2", "run.worker: unknown key (did you mean 'workers'?)"),
    "a_key_that_is_a_number": ("run={3: 4}", "run.3: "),
    # wrong types and values
    "true_for_one_worker": ("run.workers=true", "run.workers: True "),
    "true_for_a_threshold": (
        "clusters.Jet.seed_threshold=true",
        "clusters.Jet.seed_threshold: True is not a number",
    ),
    "true_for_a_number_of_cells": ("grids.calo.rows={n: true}", "grids.calo.rows.n: True "),
    "one_for_a_picture": ("output.plots=1", "output.plots: 1 "),
    "one_for_periodic": ("grids.calo.rows={n: 24, periodic: 1}", "grids.calo.rows.periodic: 1 "),
    "a_float_of_workers": ("run.workers=1.5", "run.workers: 1.5 "),
    "a_word_of_workers": ("run.workers=two", "run.workers: 'two' "),
    "no_workers": ("run.workers=0", "run.workers: 0 "),
    "no_directory": ("output.directory=", "output.directory: has no value, expected text"),
    "an_empty_directory": ("output.directory=''", "output.directory: '' "),
    "a_list_of_sections": ("clusters=[Jet]", "clusters: ['Jet'] "),
    "a_list_of_clusters": ("clusters=[{Jet: {grid: calo}}]", "clusters: [{'Jet': {'grid': 'calo'}}] "),
    "a_list_of_grids": ("grids=[{calo: {}}]", "grids: [{'calo': {}}] "),
    "grids_that_are_a_number": ("grids=3", "grids: 3 "),
    "a_list_of_events": ("events=[{a: 1}]", "events: [{'a': 1}] "),
    "a_list_of_histograms": ("histograms=[{a: 1}]", "histograms: [{'a': 1}] "),
    "a_collection_that_is_a_word": ("clusters.Jet=calo", "clusters.Jet: 'calo' "),
    "a_grid_that_is_a_number": ("clusters.Jet.grid=3", "clusters.Jet.grid: 3 "),
    "a_grid_that_is_a_map": ("clusters.Jet.grid=[{a: 1}]", "clusters.Jet.grid.0: "),
    "a_preset_that_is_a_number": ("clusters.Jet.preset=3", "clusters.Jet.preset: 3 "),
    "no_clusters": ("clusters={}", "clusters: "),
    "an_empty_section": ("run=", "run: has no value, expected a map of keys"),
    "a_list_for_a_threshold": ("clusters.Jet.seed_threshold=[1]", "clusters.Jet.seed_threshold: [1] "),
    "a_list_for_a_cell_threshold": ("clusters.Jet.cell_threshold=[1]", "clusters.Jet.cell_threshold: [1] "),
    "an_even_window": (
        "clusters.Jet.search_window=[2, 3]",
        "clusters.Jet.search_window: [2, 3] is not a window",
    ),
    "a_unit_of_thresholds": (
        "clusters.Jet.seed_threshold=4 Gev",
        "clusters.Jet.seed_threshold: '4 Gev' is not an e",
    ),
    "a_unit_without_its_vowel": (
        "clusters.Jet.seed_threshold=4 GV",
        "clusters.Jet.seed_threshold: '4 GV' is not an energy (did you mean 'GeV'?)",
    ),
    "a_letter_for_a_unit": (
        "clusters.Jet.seed_threshold=4 V",
        "clusters.Jet.seed_threshold: '4 V' is not an energy: write",
    ),
    "not_a_number": (
        "clusters.Jet.seed_threshold=.nan",
        "clusters.Jet.seed_threshold: nan is not a finite number",
    ),
    "unknown_tie_rule": ("clusters.Jet.tie_rule=firts", "clusters.Jet.tie_rule: 'firts' "),
    "unknown_format": ("output.clusters=[parquet, csv]", "output.clusters.1: 'csv' "),
    "unknown_executor": ("run.executor=dsk", "run.executor: 'dsk' "),
    "unknown_schema": (
        "events.schema=nano",
        "events.schema: 'nano' is none of base, nanoaod, delphes, edm4hep",
    ),
    "an_identifier_that_is_a_list": (
        "events.identify={run: [r]}",
        "events.identify.run: ['r'] is neither the name of a branch nor a whole number",
    ),
    "one_name_for_both_axes": (
        "grids.calo.rows={n: 24, name: x}|grids.calo.cols={n: 16, name: x}",
        "grids.calo: rows and cols are both named 'x'",
    ),
    "a_sum_window_with_marks": (
        "clusters.Jet.sum_window='=o='",
        "clusters.Jet: sum_window is drawn with",
    ),
    "hits_and_dense": (
        "grids.calo.hits={row: a, col: b, value: c}",
        "grids.calo: a grid is filled either from hits",
    ),
    "another_shape": ("grids.calo.rows={n: 23}", "grids.calo: shape [24, 16] does not fit"),
    "axes_that_are_no_list": ("grids.calo.dense.axes={row: 0}", "grids.calo.dense.axes: "),
    "lists_among_axes": (
        "grids.calo.dense.axes=[[row, col]]",
        "grids.calo.dense.axes.0: ['row', 'col'] is not one of",
    ),
    "a_wrong_axis_of_dense": (
        "grids.calo.rows={n: 24}|grids.calo.cols={n: 16}|grids.calo.dense.axes=[row, colum]",
        "grids.calo.dense.axes.1: 'colum' ",
    ),
    "no_branch_of_dense": ("grids.calo.dense={shape: [24, 16]}", "grids.calo.dense: give either branch, "),
    # what is not there
    "unknown_preset": (
        "clusters.Jet.preset=cms-jet",
        "clusters.Jet.preset: no preset is called 'cms-jet' (did you mean 'cms-l1-jet'?): there are cms-l1",
    ),
    "unknown_geometry": (
        "grids.calo.geometry=cms",
        "grids.calo.geometry: no geometry is called 'cms' (did you mean 'cms-l1-towers'?): there are",
    ),
    "unknown_grid": (
        "clusters.Jet.grid=cal",
        "clusters.Jet.grid: no grid 'cal' (did you mean 'calo'?); there are calo",
    ),
    "unknown_friend": (
        "events.keep=['ev:Event/nPV']",
        "events.keep: 'ev:Event/nPV': no friend 'ev': name its tree in the section friends",
    ),
    "unknown_field": (
        "clusters.Jet.fields=[peak_summ]",
        "clusters.Jet.fields: no field is called 'peak_summ' (did you mean 'peak_sum'?)",
    ),
    "positions_that_are_not_there": (
        "clusters.Jet.fields=[pt]",
        "clusters.Jet.fields: field 'pt' needs positions on an axis",
    ),
    "layers_that_are_not_there": (
        "clusters.Jet.fields=[layer_sums]",
        "clusters.Jet.fields: field 'layer_sums' needs layers",
    ),
    "a_window_that_meets_itself": (
        "grids.calo.cols={n: 16, periodic: true}|clusters.Jet.search_window=[3, 17]",
        "clusters.Jet: search_window is longer than the periodic axis cols (16 cells)",
    ),
    "a_histogram_of_no_collection": (
        "histograms={h: {axes: [{field: Tau.sum, edges: [0, 1]}]}}",
        "histograms.h: 'Tau.sum' belongs to no collection: there are Jet",
    ),
    "a_histogram_of_no_field": (
        "histograms={h: {axes: [{field: Jet.summ, edges: [0, 1]}]}}",
        "histograms.h: no field is called 'summ'",
    ),
    "a_histogram_of_layers_that_are_not_there": (
        "histograms={h: {axes: [{field: Jet.layer_sums, edges: [0, 1]}]}}",
        "histograms.h: ",
    ),
    "a_histogram_of_the_grid_where_there_is_one_only": (
        "histograms={h: {axes: [{field: Jet.grid, edges: [0, 1]}]}}",
        "histograms.h: ",
    ),
    "a_histogram_without_bins": (
        "histograms={h: {axes: [{field: Jet.peak_sum}]}}",
        "histograms.h.axes.0: an axis is given by one of",
    ),
    "a_histogram_with_a_wrong_key": (
        "histograms={h: {axes: [{field: Jet.peak_sum, edges: [0, 1], bin: 3}]}}",
        "histograms.h.axes.0.bin: unknown key (did you mean 'bins'?)",
    ),
    "a_histogram_of_two_kinds": (
        "histograms={h: {axes: [{field: Jet.peak_sum, edges: [0, 1]}, {field: nJet, edges: [0, 1]}]}}",
        "histograms.h: the axes Jet.peak_sum, nJet are numbers of events and fields of clusters: make a ",
    ),
    # keys that are fine each on their own
    "a_derived_field_of_nothing": (
        "derive={Jet: {a: {}}}",
        "derive.Jet.a: a derived field is made by module:function or by correctionlib: give one of the two",
    ),
    "a_derived_field_of_both": (
        "derive={Jet: {a: {function: 'm:f', correctionlib: jec.json, name: L1, inputs: [seed]}}}",
        "derive.Jet.a: a derived field is made by module:function or by correctionlib: give one of the two",
    ),
    "a_derived_field_of_no_function": (
        "derive={Jet: {a: {function: f}}}",
        "derive.Jet.a.function: 'f' is not written as module:function",
    ),
    "a_correction_without_inputs": (
        "derive={Jet: {a: {correctionlib: jec.json, name: L1}}}",
        "derive.Jet.a: correctionlib needs the name of the correction and its inputs: add them",
    ),
    "a_condition_on_nothing": (
        "events={where: [{min: 3}]}",
        "events.where.0: a condition has one of branch, field, lumi_mask, module:function, any; here: none",
    ),
    "a_condition_on_two_things": (
        "events={where: [{branch: b, field: nJet, min: 3}]}",
        "events.where.0: a condition has one of branch, field, lumi_mask, module:function, any; here: bran",
    ),
    "a_condition_that_compares_nothing": ("events={where: [{branch: b}]}", "events.where.0: "),
    "a_lumi_mask_that_is_compared": (
        "events={where: [{lumi_mask: a.json, min: 3}]}",
        "events.where.0: lumi_mask is not compared with a number: drop min 3",
    ),
    "a_bit_of_a_field": (
        "events={where: [{field: nJet, bit: 3}]}",
        "events.where.0: contains and bit are of branches, not of field: name the branch",
    ),
    "a_factor_of_two_kinds": (
        "events={weight: {w: {source: b, number: 2}}}",
        "events.weight.w: a factor is a branch or function (source), or a number: give one of the two",
    ),
    "thresholds_that_are_equal": (
        f"measurements={{t: {{efficiency: M, axis: {{field: a.b, {BINS}}}, pass: {THREE_AND_THREE}}}}}",
        "measurements.t.pass.thresholds: give one or more, all different",
    ),
    "a_leading_response_of_nothing": (
        f"measurements={{t: {{response: leading, of: Jet.seed, ratio_axis: {{{BINS}}}}}}}",
        "measurements.t.response: leading needs of and to, and only it has them",
    ),
    "a_response_of_a_match_without_ratio": (
        f"measurements={{t: {{response: M, ratio_axis: {{{BINS}}}}}}}",
        "measurements.t.response: a match needs ratio, and leading has none",
    ),
    "a_leading_response_to_no_number": (
        f"measurements={{t: {{response: leading, of: Jet.seed, to: e, ratio_axis: {{{BINS}}}}}}}",
        "measurements.t.to: 'e' is not a number of the dataset: write dataset.NAME, a key of its metadata",
    ),
    "a_rate_of_two_kinds": (
        f"measurements={{t: {{rate: nJet, axis: {{{BINS}}}, crossing_rate: 1 Hz, bunches: 3}}}}",
        "measurements.t: give bunches and orbit, or crossing_rate, or cross_section and instantaneous_lum",
    ),
    "a_rate_of_bunches_without_an_orbit": (
        f"measurements={{t: {{rate: nJet, axis: {{{BINS}}}, bunches: 3}}}}",
        "measurements.t: give bunches and orbit, or crossing_rate, or cross_section and instantaneous_lum",
    ),
    "gates_of_cells": (
        "clusters.Jet.sum_window=gxoxg|clusters.Jet.sum_over=cells",
        "clusters.Jet: sum_over 'cells' together with gated cells 'g': gates are towers, draw them as 'x'",
    ),
    "gates_of_seeds": (
        "clusters.Jet.seed_window=gxoxg",
        "clusters.Jet: seed_window is drawn with a gated cell 'g': only the cells of a sum window have gates",
    ),
    "a_net_sum_of_no_saturated_seed": (
        "clusters.Jet.saturated_net=3",
        "clusters.Jet: saturated_net 3 without saturated_seeds: list the values of such seeds",
    ),
    "a_pool_threshold_without_towers": (
        "clusters.Jet.pool_threshold=3",
        "clusters.Jet: pool_threshold 3 without towers: set coarsen, or leave it out",
    ),
    "a_gap_in_sigma": (
        "clusters.Jet.min_seed_gap=3 sigma",
        "clusters.Jet: min_seed_gap '3 sigma' is in sigma: give counts, or an energy",
    ),
    "strips_of_even_length": (
        "clusters.Jet.pileup=[{kind: donut, length: 2}]",
        "clusters.Jet.pileup.0.length: 2 is even: strips lie symmetrically about the seed, give an odd number",
    ),
    "layer_sums_of_the_highest_cells": (
        "clusters.Jet={grid: calo, coarsen: [2, 2], pool_by: max, fields: [layer_sums]}",
        "clusters.Jet.fields: field 'layer_sums' is undefined for towers that hold their highest cell: set ",
    ),
    "a_branch_that_is_two_cells": (
        "grids.calo.dense={branches: [a, b, a], shape: [1, 3]}",
        "grids.calo.dense.branches: 'a' occurs twice, and a branch is one cell: name every branch once",
    ),
    "fewer_branches_than_cells": (
        "grids.calo.dense={branches: [a, b], shape: [1, 3]}",
        "grids.calo: branches: 2 branches for 3 cells: name one for every cell",
    ),
    "a_luminosity_without_an_inverse": (
        "datasets.data.luminosity=59.8 fb",
        "datasets.data.luminosity: ",
    ),
    # mistakes of one letter, one bracket or one habit too many
    "a_comparison_as_it_is_said": (
        "events={where: [nPV > 1]}",
        "events.where.0: 'nPV > 1' is not written as module:function: write a comparison as {branch: nPV, ",
    ),
    "limits_that_leave_nothing": (
        "events={where: [{branch: b, min: 10, max: 5}]}",
        "events.where.0: min 10 and max 5 leave no number that passes: are they exchanged?",
    ),
    "limits_that_exclude_each_other": (
        "events={where: [{branch: b, min: 5, below: 5}]}",
        "events.where.0: min 5 and below 5 leave no number that passes: are they exchanged?",
    ),
    "absolute_limits_that_leave_nothing": (
        "select={Best: {from: Jet, where: [{field: seed, abs_min: 3, abs_max: 2}]}}",
        "select.Best.where.0: abs_min 3 and abs_max 2 leave no number that passes: are they exchanged?",
    ),
    "a_view_that_is_sorted_downwards": (
        "select={Best: {from: Jet, sort: -seed}}",
        "select.Best.sort: '-seed' is not the name of a field alone, such as eta",
    ),
    "a_field_of_a_view_with_its_collection": (
        "select={Best: {from: Jet, where: [{field: Jet.seed, min: 1}]}}",
        "select.Best.where.0.field: 'Jet.seed' is not the name of a field alone, such as eta",
    ),
    "a_sum_of_a_collection": (
        "sums={HT: Jet}",
        "sums.HT: 'Jet' is not a field of a collection, such as Jet.pt",
    ),
    "an_axis_that_is_no_list": (
        "histograms={h: {axes: {field: Jet.seed, edges: [0, 1]}}}",
        "histograms.h.axes: {'field': 'Jet.seed', 'edges': [0, 1]} is not a list: write it as in `axes: [{",
    ),
    "edges_that_fall": (
        "histograms={h: {axes: [{field: Jet.seed, edges: [0, 10, 5]}]}}",
        f"histograms.h.axes.0: {EDGES}, each larger than the one before, not 5 after 10",
    ),
    "a_window_in_one_line": (
        "clusters.Jet.search_window=xxx/xox/xxx",
        f"clusters.Jet.search_window: {DRAWN}, not with '/': begin a new line for every row, below `|`",
    ),
    "a_window_with_blanks": (
        "clusters.Jet.search_window=x o x",
        f"clusters.Jet.search_window: {DRAWN}, not with ' ': leave out the blanks between cells",
    ),
    "a_large_window": (
        "clusters.Jet.search_window=Xox",
        f"clusters.Jet.search_window: {DRAWN}, not with 'X': cells are a small 'x'",
    ),
    "an_executor_of_others": (
        "run.executor=processes",
        f"run.executor: 'processes' is not one of {EXECUTORS} (did you mean 'futures'?)",
    ),
    "a_noise_below_zero": (
        "grids.calo.noise=-0.3",
        "grids.calo.noise: -0.3 is below 0: give the standard deviation of a cell",
    ),
    "a_noise_below_zero_with_its_unit": (
        "grids.calo.noise=-30 MeV",
        "grids.calo.noise: '-30 MeV' is below 0: give the standard deviation of a cell",
    ),
    "an_estimate_that_is_not_there": (
        "clusters.Jet.pileup=[ring_median]|clusters.Jet.subtract=donut",
        "clusters.Jet.subtract: no pile-up estimate is named 'donut'; there are ring_median",
    ),
    # names become folders, branches and columns
    "a_collection_with_an_underscore": ("clusters={Cal_Jet: {grid: calo}}", "clusters.Cal_Jet: 'Cal_Jet' "),
    "a_collection_that_begins_with_a_number": ("clusters={4Jet: {grid: calo}}", "clusters.4Jet: '4Jet' "),
    "a_grid_with_a_blank": (
        "grids={calo: {dense: {branch: e, shape: [24, 16]}}, b c: {}}",
        "grids.b c: 'b c' ",
    ),
}


@pytest.mark.parametrize(("setting", "problem"), WRONG.values(), ids=WRONG)
def test_a_problem_is_one_line_that_begins_with_the_key(setting, problem):
    found = problems(small(*setting.split("|")))
    if "b c" not in problem:
        assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("section", ["datasets", "grids", "clusters", "output"])
def test_a_section_that_is_missing_is_named(section):
    content = small()
    del content[section]
    remedy = f"`hep-peaksum keys {section}` explains it"
    assert problems(content) == [f"{section}: missing, the config needs it: {remedy}"]


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("datasets.data.files", "add it, as in `files: {data/*.root: Events}`"),
        ("output.directory", "add it, as in `directory: results/zerobias`"),
    ],
)
def test_a_key_that_is_missing_is_named(path, remedy):
    content = place = small()
    *above, last = path.split(".")
    for key in above:
        place = place[key]
    del place[last]
    assert problems(content) == [f"{path}: missing, the config needs it: {remedy}"]


def test_a_collection_without_a_grid_is_refused():
    (problem,) = problems(small("clusters.Jet={}"))
    assert problem.startswith("clusters.Jet.grid: ")


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", ".", "/tmp", "", "a b", "a\nb", "a\\b", "~", ".hidden", "x" * 201]
)
def test_the_name_of_a_dataset_stays_in_its_folder(name):
    content = small()
    content["datasets"][name] = content["datasets"].pop("data")
    (problem,) = problems(content)
    assert problem.startswith("datasets.")


@pytest.mark.parametrize("name", ["zerobias", "Run2018A", "ttbar-2018.v1", "2018", "a_b+c"])
def test_usual_names_of_datasets_are_accepted(name):
    content = small()
    content["datasets"][name] = content["datasets"].pop("data")
    assert list(parse_config(content).datasets) == [name]


@pytest.mark.parametrize("plots", [["png"], ["png", "svg"]])
def test_a_picture_whose_name_no_file_can_have_is_refused(plots):
    name, histogram = "h" * 246, {"axes": [{"field": "nJet", "edges": [0, 1]}]}  # data-NAME.png is shorter
    content = small()
    content["output"]["plots"], content["histograms"] = plots, {name[:-4]: histogram, name[:-3]: histogram}
    (problem,) = problems(content)
    assert problem.startswith(f"histograms.{name[:-3]}: its picture 'datasets-hhh")
    assert problem.endswith("of 256 bytes, and a file has at most 255: choose shorter names")
    content["output"]["plots"] = False
    assert parse_config(content)


def test_names_of_collections_and_measurements_are_those_of_pictures_too():
    (problem,) = problems(small(f"clusters={{{'J' * 240}: {{grid: calo}}}}"))
    assert problem.startswith(f"clusters.{'J' * 240}: its picture 'datasets-JJJ")
    rate = "{rate: nJet, axis: {bins: 1, start: 0, stop: 9}, crossing_rate: 1 Hz}"
    (problem,) = problems(small(f"measurements={{{'m' * 250}: {rate}}}"))
    assert problem.startswith(f"measurements.{'m' * 250}: its picture 'datasets-mmm")


def test_all_problems_are_reported_at_once():
    content = small(
        "run.workers=true",
        "run.chunksise=3",
        "output.clusters=[csv]",
        "clusters.Jet.tie_rule=al",
        "clusters.Jet.seed_treshold=3",
        "clusters.Tau={grid: calo, preset: tau}",
        "grids.calo.rows={n: 0}",
        "datasets.data.file=3",
    )
    del content["output"]["directory"]
    starts = sorted(problem.partition(": ")[0] for problem in problems(content))
    assert starts == [
        "clusters.Jet.seed_treshold",
        "clusters.Jet.tie_rule",
        "clusters.Tau.preset",
        "datasets.data.file",
        "grids.calo.rows.n",
        "output.clusters.0",
        "output.directory",
        "run.chunksise",
        "run.workers",
    ]


def test_all_problems_between_sections_are_reported_at_once():
    content = small(
        "clusters.Jet.grid=[cal, cala]",
        "clusters.Tau={grid: calo, fields: [pt]}",
        "histograms={h: {axes: [{field: Muon.pt, edges: [0, 1]}]}}",
        "events.keep=['ev:x']",
    )
    assert [problem.partition(": ")[0] for problem in problems(content)] == [
        *("clusters.Jet.grid", "clusters.Jet.grid", "clusters.Tau.fields", "histograms.h", "events.keep"),
    ]


def test_problems_within_and_between_sections_are_reported_together():
    found = problems(small("run.worker=2", "clusters.Jet.grid=cal"))
    assert sorted(problem.partition(": ")[0] for problem in found) == ["clusters.Jet.grid", "run.worker"]


def test_an_unknown_preset_does_not_hide_an_unknown_key():
    found = problems(small("clusters.Jet={grid: calo, preset: tau, tie_rul: all}"))
    assert len(found) == 2


def test_a_histogram_needs_its_field_on_every_grid_of_the_collection():
    content = small("clusters.Jet.grid=[calo, towers]")
    towers = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    content["grids"] = {"towers": towers, **content["grids"]}
    content["histograms"] = {"h": {"axes": [{"field": "Jet.pt", "edges": [0, 1]}]}}
    (problem,) = problems(content)
    assert "'pt'" in problem
    content["clusters"]["Jet"]["grid"] = ["towers", "calo"]
    (problem,) = problems(content)
    assert "'pt'" in problem


def test_fields_must_exist_on_every_grid_of_the_collection():
    content = small("clusters.Jet={grid: [towers, calo], fields: [peak_sum, pt]}")
    content["grids"]["towers"] = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    (problem,) = problems(content)
    assert problem.startswith("clusters.Jet.fields: field 'pt' needs positions")


def test_by_default_a_collection_of_several_grids_has_the_fields_of_all():
    content = small("clusters.Jet={grid: [calo, towers]}")
    content["grids"]["towers"] = {"geometry": "cms-l1-towers", "hits": {"row": "a", "col": "b", "value": "c"}}
    config = parse_config(content)
    assert config.written_fields("Jet") == ("peak_sum", "seed", "row", "col", "n_cells", "energy")
    assert list(config.booked) == ["nJet", "Jet_energy"]


def test_layer_sums_need_a_single_grid():
    content = small("clusters.Jet={grid: [deep, deeper], fields: [layer_sums]}")
    for name in ("deep", "deeper"):
        content["grids"][name] = {"dense": {"branch": "e", "shape": [3, 4, 5], "axes": ["layer", "row", "col"]}}
    (problem,) = problems(content)
    assert (
        problem == "clusters.Jet.fields: field 'layer_sums' exists for one grid only, not for several: drop it"
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("run.workers=two", "run.workers: 'two' is not a whole number: write a number, or leave the key out"),
        ("run.workers=1.5", "run.workers: 1.5 is not a whole number"),
        ("run.workers=true", "run.workers: True is not a whole number"),
        ("run.workers=0", "run.workers: 0 is below 1, the smallest value allowed"),
        (
            "run.workers=",
            "run.workers: has no value, expected a whole number: give it one, or leave the key out",
        ),
        ("clusters.Jet.w0=big", "clusters.Jet.w0: 'big' is not a number: write a number, or leave the key out"),
        ("clusters.Jet.w0=0", "clusters.Jet.w0: 0 is not above 0"),
        (
            "clusters.Jet.subtract=3",
            (
                "clusters.Jet.subtract: 3 is not the name of a pile-up estimate: write one of those under "
                "pileup, such as chunky_donut"
            ),
        ),
        (
            "clusters.Jet.fields=[3]",
            "clusters.Jet.fields.0: 3 is not the name of a field: write one such as peak_sum",
        ),
        (
            "clusters.Jet.preset=3",
            "clusters.Jet.preset: 3 is not the name of a preset: `hep-peaksum presets` lists them",
        ),
        ("clusters.Jet.depth=2", "clusters.Jet.depth: unknown key (did you mean clusters.Jet.pileup.N.depth?)"),
        ("clusters.Jet.sum=2", "clusters.Jet.sum: unknown key (did you mean clusters.Jet.reference.sum?)"),
        (
            "grids.calo.regions={a: [1, 1], b: [4]}",
            (
                "grids.calo.regions.b: [4] is not a number of cells: "
                "give [rows, cols], two whole numbers from 1 to 1000000"
            ),
        ),
        (
            "grids.calo.rows={edges: [0, 1, 2]}",
            (
                "grids.calo: shape [24, 16] does not fit the axes ['row', 'col'] of a grid of (2, 16) cells: "
                "rows needs 25 edges for 24 cells, and has 3"
            ),
        ),
        (
            "grids.calo.rows={bins: 2, start: 0, stop: 1}",
            (
                "grids.calo: shape [24, 16] does not fit the axes ['row', 'col'] of a grid of (2, 16) cells: "
                "rows needs bins: 24, and has 2"
            ),
        ),
        ("clusters.Jet.grid=3", "clusters.Jet.grid: 3 is not a list: write it as in `grid: towers`"),
        ("run=4", "run: 4 is not a map of keys; its keys are " + ", ".join(RunOptions.model_fields)),
        (
            "clusters=[Jet]",
            "clusters: ['Jet'] is not a map of names: write name: {...} for each, without hyphens",
        ),
        ("clusters={}", "clusters: empty, it needs 1 or more entries"),
        (
            "grids={dense: {branch: e}, rows: {n: 24}, cols: {n: 16}}",
            "grids: write dense, rows, cols below a name of your choice, as in grids: {NAME: {dense: ...}}",
        ),
        (
            "clusters={grid: calo}",
            "clusters: write grid below a name of your choice, as in clusters: {NAME: {grid: ...}}",
        ),
        ("output.plots=gif", "output.plots: 'gif' is not one of 'png', 'pdf' or 'svg'"),
        ("output.directory=''", "output.directory: '' is empty, expected text"),
        (
            "run.on_bad_file=stopp",
            "run.on_bad_file: 'stopp' is not one of 'stop' or 'skip' (did you mean 'stop'?)",
        ),
        ("clusters.Jet.order=size", "clusters.Jet.order: 'size' is not one of 'sum' or 'position'"),
        ("run.scheduler=host", "run.scheduler: 'host' is not an address such as tcp://host:8786"),
        ("run.cluster=mine", "run.cluster: 'mine' is not a function written as module:function"),
        (
            "clusters={Cal_Jet: {grid: calo}}",
            (
                "clusters.Cal_Jet: 'Cal_Jet' is not a name of letters and digits that begins with a letter "
                "(columns are Jet_pt, and readers take what is before the first _ for the collection): "
                "write CalJet"
            ),
        ),
        (
            "friends={a b: tree}",
            "friends.a b: 'a b' is not a name of letters, digits and _ that begins with a letter",
        ),
        (
            "histograms={h: {axes: [{field: Jet.pt*2, edges: [0, 1]}]}}",
            "histograms.h.axes.0.field: 'Jet.pt*2' is not a field such as Jet.pt, or nJet",
        ),
        (
            "grids.calo.saturated=[high]",
            "grids.calo.saturated.0: 'high' is not a number: write a number, or leave the key out",
        ),
        ("clusters.Jet.fields=[sum]", "clusters.Jet.fields: no field is called 'sum'"),
        (
            "clusters.Jet.stronger=rows",
            "clusters.Jet.stronger: unknown key (did you mean 'keep_stronger_side'?)",
        ),
    ],
)
def test_a_problem_is_a_plain_sentence(setting, problem):
    (found,) = problems(small(setting))
    assert found.startswith(problem) if "no field" in problem else found == problem


def test_a_long_value_is_cut_short():
    (problem,) = problems(small(f"run.workers={list(range(100))}"))
    assert problem.startswith("run.workers: [0, 1, 2, ")
    assert problem.endswith(" ... is not a whole number")
    assert len(problem) < 110


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            ["clusters.Jet.seed_threshold=4 GeV"],
            "clusters.Jet: seed_threshold '4 GeV' is an energy, and the grid has no unit: give unit, such as",
        ),
        (
            ["grids.calo.noise=30 MeV"],
            "grids.calo: noise '30 MeV' is an energy, and the grid has no unit: give unit",
        ),
        (
            ["grids.other={dense: {branch: f, shape: [24, 16]}, unit: 1}", "clusters.Jet.grid=[calo, other]"],
            "clusters.Jet: energies of calo in counts and other in GeV cannot be compared: give both",
        ),
    ],
)
def test_an_energy_needs_the_unit_of_the_grid(overrides, problem):
    content = small(*overrides)
    del content["grids"]["calo"]["unit"]
    (found,) = problems(content)
    assert found.startswith(problem)


@pytest.mark.parametrize("key", ["datasets.data.allow_duplicates", "output.report"])
def test_a_flag_of_the_config_is_true_or_false(key):
    (problem,) = problems(small(f"{key}=1"))
    assert problem.startswith(f"{key}: ")
    assert "true or false" in problem


def test_a_branch_may_have_the_name_of_what_is_not_written():
    """Which events pass is a column of its own only where events are written under variations."""
    content = small()
    content["events"] = {**content.get("events", {}), "keep": ["pass_nominal"]}
    assert parse_config(content).events.kept == ("pass_nominal",)
    content["variations"] = {"Up": {"clusters.Jet.seed_threshold": 2}}
    content["events"]["write_variations"] = ["Up"]
    (problem,) = problems(content)
    assert problem.startswith(
        "events.keep: 'pass_nominal' would be the column 'pass_nominal', which says which"
    )


@pytest.mark.parametrize(
    ("layers", "several"), [("sum", "several grids"), ("each", "layers that are searched ")]
)
def test_a_reference_is_of_one_plane(layers, several):
    content = small()
    cells = {"branch": "more", "shape": [2, 24, 16], "axes": ["layer", "row", "col"]}
    content["grids"]["more"] = {**content["grids"]["calo"], "dense": cells, "layers": layers}
    content["clusters"]["Jet"] |= {"grid": ["calo", "more"], "reference": {"row": "r", "col": "c", "sum": "s"}}
    (problem,) = problems(content)
    assert problem.startswith(f"clusters.Jet.reference: row and col do not say which of {several}")


def test_a_map_of_every_layer_needs_their_number(tmp_path):
    np.save(tmp_path / "noise.npy", np.ones((3, 24, 16)))
    calo = {"dense": {"branch": "e", "axes": ["layer", "row", "col"]}, "rows": {"n": 24}, "cols": {"n": 16}}
    content = small()
    content["grids"]["calo"] = {**calo, "noise": str(tmp_path / "noise.npy")}
    (problem,) = problems(content)
    assert problem.endswith(
        "(24, 16): for a map of every layer, give the number of layers in the shape of dense"
    )
    calo["dense"]["shape"] = [3, 24, 16]
    assert parse_config(content)

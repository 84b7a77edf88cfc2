"""The exported C++ header, compiled by a C++ compiler: the same bits as `find_clusters`, or an error."""

import ctypes
import shutil
import subprocess

import awkward as ak
import numpy as np
import pytest
from exported_searches import GRIDS, SHAPE, tied_events

from hep_peaksum import PeakSumSettings, cpp_header, find_clusters, preset

COMPILER = shutil.which("g++") or shutil.which("clang++")
pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler"),
    pytest.mark.slow,  # a compilation takes a second
]
TYPES = {
    "float32": "float", "float64": "double", "int16": "std::int16_t", "int64": "std::int64_t",
    "uint8": "std::uint8_t", "uint64": "std::uint64_t", "bool": "bool",
}  # fmt: skip
MAIN = """
#include "peaksum.hpp"
#include <cstring>
static std::string message;
template <class Cell> int run(const Cell* cells, std::size_t n, double* out) {{
  try {{
    const auto found = peaksum::find(std::vector<Cell>(cells, cells + n));
    for (std::size_t i = 0; i < found.size(); ++i) {{ {copies} }}
    return static_cast<int>(found.size());
  }} catch (const std::invalid_argument& error) {{ message = error.what(); return -1; }}
}}
extern "C" {{
const char* last_message() {{ return message.c_str(); }}
{functions}
}}
"""


def compiled(folder, header, fields, kinds=tuple(TYPES), *, flags=()):
    """Return a library with a function for every type of cells, which writes the fields one after the other."""
    copies = " ".join(f"*out++ = static_cast<double>(found.{name}[i]);" for name in fields)
    functions = "\n".join(
        f"int find_{name}(const {word}* cells, std::size_t n, double* out) {{ return run(cells, n, out); }}"
        for name, word in TYPES.items()
        if name in kinds
    )
    (folder / "peaksum.hpp").write_text(header)
    (folder / "main.cpp").write_text(MAIN.format(copies=copies, functions=functions))
    command = [COMPILER, "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags]
    subprocess.run([*command, "-o", "peaksum.so", "main.cpp"], cwd=folder, check=True, capture_output=True)
    library = ctypes.CDLL(str(folder / "peaksum.so"))
    library.last_message.restype = ctypes.c_char_p
    return library


def clusters_of(library, event, n_fields):
    """Return the clusters of one event, a row each; an error of the header is a ValueError."""
    cells = np.ascontiguousarray(event)
    out = np.empty((cells.size, n_fields))
    function = getattr(library, f"find_{cells.dtype}")
    n = function(
        ctypes.c_void_p(cells.ctypes.data), ctypes.c_size_t(cells.size), ctypes.c_void_p(out.ctypes.data)
    )
    if n < 0:
        raise ValueError(library.last_message().decode())
    return out[:n]


def expected(events, settings, grid, mask=None):
    """Return the clusters of every event, a row each with all fields, and the names of the fields."""
    clusters = find_clusters(events, settings, grid, mask=mask)
    rows = [
        [[float(cluster[name]) for name in clusters.fields] for cluster in event]
        for event in clusters.to_list()
    ]
    return rows, clusters.fields


def check(folder, settings, grid, kinds, mask=None):
    fields = find_clusters(np.zeros((1, *grid.shape)), settings, grid).fields
    library, n_clusters = compiled(folder, cpp_header(settings, grid, mask=mask), fields, kinds), 0
    for kind in kinds:
        events = tied_events(kind).reshape(-1, *grid.shape)
        rows, _ = expected(events, settings, grid, mask)
        n_clusters += sum(map(len, rows))
        assert [clusters_of(library, event, len(fields)).tolist() for event in events] == rows
    assert n_clusters > 0


def test_every_search_gives_the_same_bits(settings, tmp_path):
    check(tmp_path, settings, GRIDS["et"], ["float32", "int16"])


def test_every_type_gives_the_same_bits(tmp_path):
    check(tmp_path, PeakSumSettings(tie_rule="last"), GRIDS["et"], TYPES)


def test_every_plane_gives_the_same_bits(grid, tmp_path):
    check(tmp_path, PeakSumSettings(tie_rule="diagonal", sum_window=(3, 5)), grid, ["float32", "int64"])


def test_masked_cells_do_not_exist(tmp_path):
    mask = np.random.default_rng(3).random(SHAPE) < 0.3
    check(tmp_path, PeakSumSettings(sum_window=(3, 5)), GRIDS["et"], ["float32", "float64", "int64"], mask)


def test_the_jets_of_a_level_1_trigger(tmp_path):
    settings, grid = preset("cms-l1-jet")
    settings = settings.model_copy(update={"pileup": ()})
    events = np.random.default_rng(1).integers(0, 12, (5, *grid.shape))
    rows, fields = expected(events, settings, grid)
    library = compiled(tmp_path, cpp_header(settings, grid), fields, [str(events.dtype)])
    assert sum(map(len, rows)) > 10
    assert [clusters_of(library, event, len(fields)).tolist() for event in events] == rows


BAD_CELLS = {
    "nan": (np.array([0, np.nan] + [0] * 61), r"cell \(0, 1\) is not finite"),
    "infinite": (np.array([0.0] * 62 + [-np.inf], np.float32), r"cell \(6, 8\) is not finite"),
    "too_few": (np.zeros(62), "62 cells, expected 7 x 9"),
    "beyond_int64": (np.array([2**63] + [0] * 62, np.uint64), r"cell \(0, 0\) .* beyond a 64-bit integer"),
}


@pytest.mark.parametrize(("cells", "message"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_cells_that_cannot_be_searched_are_an_error(cells, message, tmp_path):
    library = compiled(tmp_path, cpp_header(PeakSumSettings(), GRIDS["indices"]), ["row"], [str(cells.dtype)])
    with pytest.raises(ValueError, match=message):
        clusters_of(library, cells, 1)


def test_uint64_as_large_as_int64_holds_is_exact(tmp_path):
    library = compiled(tmp_path, cpp_header(PeakSumSettings(), GRIDS["indices"]), ["row", "col"], ["uint64"])
    cells = np.zeros(63, np.uint64)
    cells[[20, 22]] = 2**62, 2**62 + 1  # the same number as doubles
    assert clusters_of(library, cells, 2).tolist() == [[2, 4], [2, 2]]


def test_a_compiler_that_rounds_as_it_likes_is_refused(tmp_path):
    (tmp_path / "peaksum.hpp").write_text(cpp_header(PeakSumSettings(), GRIDS["indices"]))
    (tmp_path / "main.cpp").write_text('#include "peaksum.hpp"\n')
    command = [COMPILER, "-std=c++17", "-ffast-math", "-fsyntax-only", "main.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "without -ffast-math" in done.stderr


def test_two_headers_can_be_used_together(tmp_path):
    for name in ("loose", "tight"):
        settings = PeakSumSettings(seed_threshold=1 if name == "loose" else 3)
        (tmp_path / f"{name}.hpp").write_text(cpp_header(settings, GRIDS["et"], namespace=name))
    (tmp_path / "main.cpp").write_text(
        '#include "loose.hpp"\n#include "tight.hpp"\n'
        "int main() { std::vector<double> cells(63); cells[9] = 2;"
        " return 10 * loose::find(cells).size() + tight::find(cells).size(); }"
    )
    subprocess.run([COMPILER, "-std=c++17", "main.cpp"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "a.out"], check=False).returncode == 10


def test_the_columns_are_the_fields_of_find_clusters_in_their_order():
    header = cpp_header(PeakSumSettings(), GRIDS["et"])
    columns = header.partition("struct Clusters {")[2].partition("std::size_t")[0]
    names = [line.split()[-1].strip(";") for line in columns.splitlines() if line.strip()]
    assert names == ak.fields(find_clusters(np.zeros((1, *SHAPE)), PeakSumSettings(), GRIDS["et"]))


def test_a_threshold_of_zero_is_compared_with_zero():
    """Every double is written exactly, beside the least integer that passes: from 0.5 on that is 1."""
    plane = GRIDS["indices"]
    for threshold, literals in ((0, "0x0.0p+0, INT64_C(0)"), (0.5, "0x1.0000000000000p-1, INT64_C(1)")):
        header = cpp_header(PeakSumSettings(cell_threshold=threshold, sum_threshold=threshold), plane)
        assert f"!(grid[other] >= detail::choose<Number>({literals}))" in header
        assert f"if (peak.sum >= detail::choose<Number>({literals}))" in header

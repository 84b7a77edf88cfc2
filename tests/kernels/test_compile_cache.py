"""Compiled kernels are taken from the cache on disk, and compiled anew after an edit of any file of them."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from compilation import IN_HALF_THE_TIME
from long_tests import LONG

import hep_peaksum
from hep_peaksum.kernels import numba_compile, numba_hits, numba_kernel, numba_peaks
from hep_peaksum.loops import numba_saddles, numba_seeds

PACKAGE = Path(hep_peaksum.__file__).parent
CACHED = [
    numba_kernel._search,
    numba_hits._search,
    numba_peaks._argsort,
    numba_peaks._sum_cells,
    numba_saddles._find_saddles,
    numba_seeds._accept,
]

# Searches a plane in which two cells reach the bound, one of them exactly.
SEARCH = """
import json
import numpy as np
from hep_peaksum.kernels import LOWER_INDEX_WINS, Periodic, Rule, SearchCell, numba_hits, numba_kernel
around = [(d, p) for d in (-1, 0, 1) for p in (-1, 0, 1)]
search = tuple(SearchCell(d, p, LOWER_INDEX_WINS) for d, p in around if (d, p) != (0, 0))
rule, periodic = Rule(search, 3, tuple(around), None), Periodic(False, False)
grids = np.zeros((1, 4, 8), np.float32)
grids[0, 1, 1], grids[0, 1, 5], grids[0, 2, 5] = 3, 5, 2
hits = np.array([0, 3]), np.array([9, 13, 21], np.int32), np.array([3, 5, 2], np.float32)
peaks = {
    "grids": numba_kernel.find_peaks(grids, rule, periodic).peaks,
    "hits": numba_hits.find_peaks_in_hits(*hits, (4, 8), rule, periodic).peaks,
}
n_compiled = sum(sum(m._search.stats.cache_misses.values()) for m in (numba_kernel, numba_hits))
sums = {name: dict(zip(p.cell.tolist(), p.sum.tolist())) for name, p in peaks.items()}
print(json.dumps({"n_compiled": n_compiled, **sums}))
"""

UNEDITED = {"grids": {"9": 3, "13": 7}, "hits": {"9": 3, "13": 7}}
EDITS = {  # file: (text, replacement, which of these results changes)
    "kernels/numba_vectors": ('vectors.load(place), ">=",', 'vectors.load(place), ">",', {"grids": {"13": 7}}),
    "kernels/numba_peaks": ("bounds.zero, 0", "bounds.zero + 1, 0", {"hits": {"9": 4, "13": 8}}),
    "kernels/numba_hits": (
        "n_candidates += level >= bound",
        "n_candidates += level > bound",
        {"hits": {"13": 7}},
    ),
    "kernels/numba_kernel": ("sum_a += type(zero)", "sum_a -= type(zero)", {"grids": {"9": -3, "13": 7}}),
    "kernels/offset_tables": ("OffsetTables", "Tables", {}),  # cached signatures name this class
    "kernels/numba_compile": ("forceinline=True", "forceinline=False", {}),
    "kernels/scipy_kernel": ('"""The readable', '"""A readable', {}),
    "kernels/__init__": ('"""The contract', '"""A contract', {}),
    "loops/numba_saddles": ("if k >= 0:  # not NO_PEAK", "if k > 0:  # not NO_PEAK", {}),
    "loops/saddles": ('"""Saddles', '"""The saddles', {}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a copy of the package and a cache of what it compiled."""
    folder = tmp_path_factory.mktemp("edited")
    without = shutil.ignore_patterns("__pycache__", "library", "configs")
    shutil.copytree(PACKAGE, folder / "hep_peaksum", ignore=without)
    assert search(folder) == (UNEDITED, 2)
    return folder


def search(folder):
    """Return the sums by cell, and how many functions were compiled."""
    sums = json.loads(run(folder, SEARCH)[0])
    return sums, sums.pop("n_compiled")


def run(folder, script):
    """Return what a script prints, with the package and the cache of the folder."""
    places = {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    environment = {**os.environ, **IN_HALF_THE_TIME, **places}
    command = [sys.executable, "-B", "-c", script]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.slow
def test_nothing_is_compiled_twice(folder):
    assert search(folder) == (UNEDITED, 0)


DAMAGE = {
    "swapped": lambda _, other: other,
    "flipped": lambda content, _: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "truncated": lambda content, _: content[: len(content) // 2],
    "zeros": lambda content, _: bytes(len(content)),
    "empty": lambda *_: b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_code_that_is_not_what_was_saved_is_not_loaded(tmp_path, damage):
    files = numba_compile._ContentNamedFiles(str(tmp_path), "search", (0, 0))
    for key in ("float32", "float64"):
        files.save(key, f"the code of {key}, some hundred bytes of it" * 9)
    paths = sorted(tmp_path.glob("*.nbc"))
    contents = [path.read_bytes() for path in paths]
    for path, content, other in zip(paths, contents, reversed(contents), strict=True):
        path.write_bytes(DAMAGE[damage](content, other))
    for key in ("float32", "float64"):
        with pytest.raises(ValueError, match=r"\.nbc is damaged"):
            files.load(key)


# The same search in other numbers.
OTHER_TYPE = SEARCH.replace("np.float32", "np.float64")


@pytest.mark.slow
@LONG
def test_code_of_another_type_is_compiled_anew(folder, tmp_path):
    """As numba leaves it when processes compile for different types at the same time."""
    run(folder, OTHER_TYPE)
    shutil.copytree(folder / "cache", tmp_path / "cache")
    of_function = defaultdict(list)
    for path in sorted((folder / "cache").rglob("*.nbc")):
        of_function[path.name.rsplit(".", 2)[0]].append(path)
    try:
        for paths in of_function.values():
            contents = [path.read_bytes() for path in paths]
            for path, content, other in zip(paths, contents, reversed(contents), strict=True):
                path.write_bytes(DAMAGE["swapped"](content, other))
        assert search(folder)[0] == UNEDITED
        assert json.loads(run(folder, OTHER_TYPE)[0]) == {"n_compiled": 2, **UNEDITED}
        assert search(folder) == (UNEDITED, 0)
    finally:
        shutil.rmtree(folder / "cache")
        shutil.copytree(tmp_path / "cache", folder / "cache")


def test_processes_that_compile_at_the_same_time_do_not_take_each_others_code(tmp_path, monkeypatch):
    """One has read the index, and saves when the other has saved."""
    one, other = (numba_compile._ContentNamedFiles(str(tmp_path), "search", (0, 0)) for _ in range(2))
    opened, codes = one._open_for_write, {"float32": "code of float32", "float64": "code of float64"}

    def open_late(path):
        if path.endswith(".nbc"):
            other.save("float64", codes["float64"])
        return opened(path)

    monkeypatch.setattr(one, "_open_for_write", open_late)
    one.save("float32", codes["float32"])
    for key, code in codes.items():
        assert other.load(key) in (code, None)
    assert other.load("float32") == codes["float32"]


# Numba's own readiness to compile: LAPACK, and the extensions of other packages.
UNREADY = """
import sys
print(json.dumps([name in sys.modules for name in ("scipy.linalg", "vector.backends._numba_object")]))
import awkward as ak, numba, vector
length = numba.njit(lambda v: v.rho)
total = numba.njit(lambda events: events[0].pt + len(events[1].jets))
events = ak.Array([{"pt": 3.0, "jets": []}, {"pt": 4.0, "jets": [1, 2]}])
product = numba.njit(lambda a, b: np.dot(a, b))
print(length(vector.obj(x=3.0, y=4.0)), total(events), product(np.eye(2), np.ones(2)).tolist())
"""


@pytest.mark.slow
def test_kernels_from_the_cache_wait_for_nothing_else_and_other_functions_compile_after_them(folder):
    lines = run(folder, SEARCH + UNREADY)[1:]
    assert lines == ["[false, false]", "5.0 5.0 [1.0, 1.0]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=[] if file == "kernels/numba_peaks" else LONG) for file in EDITS]
)
def test_an_edit_of_any_compiled_file_is_noticed(folder, file):
    path, (text, replacement, changed) = folder / "hep_peaksum" / f"{file}.py", EDITS[file]
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace(text, replacement), encoding="utf-8")
    try:
        assert search(folder) == ({**UNEDITED, **changed}, 2)
    finally:
        path.write_text(source, encoding="utf-8")


@pytest.mark.parametrize("file", EDITS)
def test_what_is_edited_there_is_in_the_file(file):
    """Also where the edit itself takes too long to be tried every time."""
    text, replacement, _ = EDITS[file]
    source = (PACKAGE / f"{file}.py").read_text(encoding="utf-8")
    assert text in source
    compile(source.replace(text, replacement), file, "exec")


def test_every_compiled_file_is_part_of_the_names_of_cached_files():
    folders = PACKAGE / "kernels", PACKAGE / "loops"
    assert set(numba_compile.SOURCES) == {path for folder in folders for path in folder.glob("*.py")}
    for dispatcher in CACHED:
        assert numba_compile.SOURCE_DIGEST[:16] in dispatcher._cache._cache_file._index_name


def test_without_a_writable_cache_kernels_are_compiled_and_a_warning_says_so(monkeypatch, caplog):
    def no_locator(function):
        raise RuntimeError(f"cannot cache function {function.__name__!r}: no locator available")

    monkeypatch.setattr(numba_compile, "_SourceCache", no_locator)
    numba_compile._warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        double, half = (numba_compile.cached_jit(each) for each in (lambda x: 2 * x, lambda x: x / 2))

    assert half(double(np.float64(4))) == 4
    assert caplog.text.count("numba finds no writable cache") == 1

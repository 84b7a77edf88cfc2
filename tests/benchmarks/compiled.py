"""The plain C++ loop (`loops.cpp`), compiled if there is a compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np

from hep_peaksum.kernels import Array, accumulator
from tests.benchmarks.cases import Case

SOURCE = Path(__file__).parent / "loops.cpp"
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
TIES = {"first": "other < here", "diagonal": "d + p > 0 || (d + p == 0 && d > 0)"}
C_TYPES = {"float32": "float", "float64": "double", "int16": "std::int16_t", "int64": "std::int64_t"}


def compiler() -> str | None:
    """Return the path of a C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("clang++")


def definitions(case: Case) -> dict[str, str | int]:
    """Return the macros of the loop: sizes and types are constants, as one would write them."""
    assert not case.grid.rows.periodic
    return {
        "CELL": C_TYPES[case.grids.dtype.name],
        "NUMBER": C_TYPES[np.dtype(accumulator(case.grids.dtype)).name],
        "ROWS": case.grid.shape[0],
        "COLS": case.grid.shape[1],
        "REACH": case.reach,
        "PERIODIC_COLS": int(case.grid.cols.periodic),
        "LOSES_TIE": TIES[case.settings.tie_rule],
    }


def compile_loops(case: Case, folder: Path) -> Path:
    """Compile the loop for a case and return the path of the library."""
    library = folder / "loops.so"
    macros = [f"-D{name}={value}" for name, value in definitions(case).items()]
    command = [str(compiler()), *FLAGS, *macros, "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Loops:
    """The loop for one case."""

    def __init__(self, case: Case, bound: float, folder: Path) -> None:
        number = np.dtype(accumulator(case.grids.dtype))
        c_number = ctypes.c_double if number == np.float64 else ctypes.c_int64
        self._find = ctypes.CDLL(str(compile_loops(case, folder))).find
        self._find.restype = ctypes.c_int64
        self._find.argtypes = [ctypes.c_void_p, ctypes.c_int64, c_number, *[ctypes.c_void_p] * 6]
        self._bound = number.type(bound).item()
        self._types = (np.int64,) * 3 + (number, number, np.int64)

    def allocate(self, capacity: int) -> list[Array]:
        """Return new columns for that many clusters; the system assigns memory only where they are written."""
        return [np.empty(capacity, dtype) for dtype in self._types]

    def __call__(self, grids: Array, columns: list[Array]) -> list[Array]:
        """Return event, row, column, seed, sum and number of cells of every cluster, written to `columns`."""
        pointers = [column.ctypes.data for column in columns]
        n_clusters = self._find(grids.ctypes.data, len(grids), self._bound, *pointers)
        return [column[:n_clusters] for column in columns]

"""Files that say something of single cells: maps of noise and mask, cell tables, and what goes with them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema

from hep_peaksum.calibration.calibrated_cells import Calibrator
from hep_peaksum.calibration.cell_places import PLANES, table_axes
from hep_peaksum.calibration.cell_table import CellTable
from hep_peaksum.calibration.run_calibrations import EVERY, Calibrations, Order
from hep_peaksum.calibration.table_files import CellTableError
from hep_peaksum.clustering.validation import AS_MASK
from hep_peaksum.geometry.axis import Axis
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.inputs.functions import local_place
from hep_peaksum.inputs.paths import expand_variables
from hep_peaksum.kernels import Array
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.thresholds import parse_threshold
from hep_peaksum.settings.units import in_sigmas


def _parse_noise(value: object) -> object:
    """Return the noise as a threshold, or as the path of a map."""
    if isinstance(value, str) and value.endswith(".npy"):
        return value
    if not isinstance(value, (int, float, str)):
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    value = parse_threshold(value, others=", a number of counts, or the path of a .npy file")
    if in_sigmas(value) is not None:
        msg = f"{value!r} is not a noise: give counts, an energy, or the path of a .npy file"
        raise ValueError(msg)
    return value


Noise = Annotated[
    int | float | str,
    BeforeValidator(_parse_noise),
    WithJsonSchema({"title": "number, energy, or path of a .npy file", "type": ["number", "string"]}),
]


def _parse_map_path(value: object) -> object:
    if isinstance(value, (str, type(None))):
        return value
    msg = f"{value!r} is not a mask: give the path of a .npy file"
    raise ValueError(msg)


MapPath = Annotated[str, BeforeValidator(_parse_map_path)]


def check_map(key: str, path: str, shapes: Sequence[tuple[int, ...]], otherwise: str = "") -> tuple[Array, str]:
    """Return a map of noise or a mask, and its digest; one that has none of these shapes is a ValueError.

    `otherwise` is what the error ends with where the map itself does not say what is wrong with it.
    """
    try:
        content, digest = _read_array(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        reason = "it holds no array of numbers" if "pickle" in str(reason) else reason
        msg = f"{key}: {path!r} cannot be read as a .npy file ({reason})"
        raise ValueError(msg) from None
    kinds, word = ("b", "bool") if key == "mask" else ("fiu", "numbers")
    if content.dtype.kind not in kinds or content.shape not in shapes:
        expected = f"{word} of shape {' or '.join(map(str, shapes))}"
        msg = f"{key}: {path!r} holds {content.dtype} of shape {content.shape}, expected {expected}"
        msg += _how_to_mend(content, shapes[0], word) or otherwise
        raise ValueError(msg)
    return content, digest


def read_map(path: str, digests: Sequence[str]) -> Array:
    """Return a map that was checked; one whose digest is none of these is a ValueError."""
    content, digest = _read_array(path)
    if digest not in digests:
        msg = f"{path} has changed since the job began: start over in another directory"
        raise ValueError(msg)
    return content


def check_noise_map(path: str, noise: Array, mask: Array | None) -> None:
    """Raise a ValueError if a map holds what is no noise, for a cell that is used."""
    noise, is_used = np.broadcast_arrays(noise, True if mask is None else ~mask)
    is_wrong = is_used & ~(np.isfinite(noise) & (noise >= 0))
    if is_wrong.any():
        place = tuple(int(each[0]) for each in np.nonzero(is_wrong))
        *_, row, col = place
        msg = f"noise: {path!r} holds {noise[place]} for cell (row {row}, col {col}), expected 0 or above: "
        msg += "mend the map, or mask the cell"
        raise ValueError(msg)


def _read_array(path: str) -> tuple[Array, str]:
    """Return the array in a .npy file, never a pickle, and a digest of the file."""
    content = Path(local_place(path)[0]).read_bytes()
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if not isinstance(array, np.ndarray):
        msg = f"it holds several arrays, {', '.join(array)}: write one of them with numpy.save"
        raise ValueError(msg)
    return array, hashlib.sha256(content).hexdigest()[:16]


def _how_to_mend(content: Array, shape: tuple[int, ...], word: str) -> str:
    """Return what to do about a map of another type or shape, where that is plain to see."""
    if content.shape == shape:
        return f": {AS_MASK}" if word == "bool" else ": convert it to numbers"
    return ": transpose it, rows come first" if content.shape == shape[::-1] else ""


class CommonMode(FrozenModel):
    """Channels whose pedestals move together from event to event."""

    by: str = Field(
        EVERY,
        description="Column of the cell table; channels with the same entry share a common mode. all: one "
        "common mode for all channels.",
        examples=["asic"],
    )


def _parse_table_path(value: object) -> object:
    if isinstance(value, str) and value.endswith((".csv", ".parquet")):
        return value
    msg = f"{value!r} is not a cell table: give the path of a .csv or .parquet file"
    raise ValueError(msg)


TablePath = Annotated[
    str,
    BeforeValidator(_parse_table_path),
    WithJsonSchema({"title": "path of a .csv or .parquet file", "type": "string"}),
]


@lru_cache(maxsize=16)
def _read(path: str, _folder: str, digests: tuple[str, ...]) -> CellTable:
    """Return the table of a file with one of some digests; any other is an error, which is not cached."""
    table = CellTable.read(path)
    if table.digest not in digests:
        msg = f"{path} has changed since the job began: start over in another directory"
        raise CellTableError(msg)
    return table


def read_table(path: str, digests: tuple[str, ...] = ()) -> CellTable:
    """Return the table at a path, which may hold variables.

    Raises
    ------
    CellTableError
        If it cannot be read, or is none; or if there are digests, and its own is none of these.
    """
    name = expand_variables(path)
    # a worker may be of an earlier job, which ran in another folder
    return _read(name, str(Path.cwd()), digests) if digests else CellTable.read(name)


def axes_of_table(path: object, given: dict[str, Any], *, is_needed: bool) -> dict[str, Axis]:
    """Return the axes that a table describes and the config does not; none where the table has no places.

    `is_needed` says whether there must be a table.
    """
    missing = [word for word in ("rows", "cols") if word not in given]
    if not missing or (path is None and not is_needed):
        return {}
    if not isinstance(path, str):  # the error about cells is enough: none about rows and cols
        return {word: Axis(n=1) for word in missing}
    try:
        return _axes(read_table(path), missing)
    except CellTableError as error:
        msg = f"cells: {error}"
        raise ValueError(msg) from None


def _axes(table: CellTable, words: Sequence[str]) -> dict[str, Axis]:
    if not any({*names} <= {*table.columns} for names in (("row", "col"), *PLANES)):
        return {}
    axes = dict(zip(("rows", "cols"), table_axes(table), strict=True))
    return {word: axes[word] for word in words}


@lru_cache(maxsize=16)
def make_calibrator(
    table: CellTable,
    grid: Grid,
    order: Order,
    n_layers: int | None,
    *,
    depth: Axis | None,
    layers: Literal["sum", "each"],
    scale: float,
    common_mode: str | None,
    fill_dead: bool,
) -> Calibrator:
    """Return what a table does to raw values; the same for the same arguments, with what it has worked out.

    Raises
    ------
    CellTableError
        If the table does not fit the grid.
    """
    calibrations = Calibrations(
        table, grid, order=order, n_layers=n_layers, depth=depth, scale=scale, common_mode=common_mode
    )
    return Calibrator(calibrations, layers=layers, fill_dead=fill_dead)


def table_noises(table: CellTable, scale: float) -> Array | None:
    """Return the noise of every good row in the unit of the grid; None if the table has none."""
    if "noise" in table:
        noise = table["noise"]
    elif "noise_raw" in table:
        noise = table["noise_raw"] * np.abs(table.columns.get("gain", np.ones(1)))
    else:
        return None
    return np.asarray(noise[table.good] * abs(scale))

"""Parquet parts: events with clusters as flat columns, written and read block by block.

The columns have NanoAOD names (`run`, `nJet`, `Jet_pt`, ...), which coffea's NanoAODSchema, RDataFrame, pandas,
polars and DuckDB read as they are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from awkward.contents import Content, NumpyArray, RecordArray

from hep_peaksum import block_sizes
from hep_peaksum.events.section import IDENTITY, is_in_range
from hep_peaksum.results.atomic_write import atomic_write

# What a batch takes beside its values: several hundred parts that are nearly empty are written at once.
BYTES_OF_A_BATCH = 20_000
# The types that parquet, TTree and RNTuple share.
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
PRIMITIVES = {"bool", "float32", "float64", *INTEGERS}
COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Event numbers are nearly consecutive.
ENCODINGS = {"event": "DELTA_BINARY_PACKED"}
Columns = dict[str, ak.Array]
# The same as awkward's layouts: every step on high-level arrays takes several times as long.
Layouts = dict[str, Content]


def flat_columns(events: ak.Array) -> Columns:
    """Return the columns, named as in NanoAOD, of events with clusters.

    Parameters
    ----------
    events
        Records of shape (event,) with `run`, `luminosityBlock` and `event`; every other field is a number,
        a list of numbers, or a collection of clusters: a list of records.

    Returns
    -------
    dict[str, ak.Array]
        Numbers stay as they are; a collection `Jet` gives `nJet` (int32) and a list `Jet_<field>` for every
        field; a list `x` of plain numbers gives `nx` and `x`.

        Readers of flat columns do not support nested lists, so a field with a value per layer becomes a
        collection of its own: `layer_sums` of `Jet` is `nJetLayer` and `JetLayer_sum`, all layers of the first
        cluster first. ``ak.unflatten(events.JetLayer.sum, n_layers, axis=1)`` restores it; if there is no
        cluster at all, awkward needs the counts as an array, ``np.full(n_clusters, n_layers)``.

    Raises
    ------
    TypeError
        If a field is none of the above.
    ValueError
        If an identifier is missing, or names contradict each other: readers take `nX` as the length of every
        column `X_*`.

    >>> events = ak.Array([{"run": 1, "luminosityBlock": 2, "event": 3, "Jet": [{"pt": 30.0}, {"pt": 20.0}]}])
    >>> for name, column in flat_columns(events).items():
    ...     print(name, column)
    run [1]
    luminosityBlock [2]
    event [3]
    nJet [2]
    Jet_pt [[30, 20]]
    """
    return {name: ak.Array(column) for name, column in _flat_layouts(ak.materialize(events)).items()}


def _flat_layouts(events: ak.Array) -> Layouts:
    """Return the columns of `flat_columns` as layouts."""
    layout = ak.to_layout(events)
    columns = {name: _identifier(name, layout) for name in IDENTITY}
    for field in layout.fields:
        if field in IDENTITY:
            continue
        for name, values in _flatten_collection(field, layout[field].to_packed()):
            if name in columns:
                msg = f"two columns are called {name!r}: rename the collection or the branch {field!r}"
                raise ValueError(msg)
            columns[name] = _plain_column(name, values)
    return _add_counters(columns)


def _identifier(name: str, events: Content) -> Content:
    if name not in events.fields:
        msg = f"events have no {name!r}: readers of NanoAOD need {', '.join(IDENTITY)}"
        raise ValueError(msg)
    values = _plain_column(name, events[name].to_packed())
    numbers = values.data if isinstance(values, NumpyArray) else np.empty(0)
    if numbers.dtype == IDENTITY[name]:
        return values
    with np.errstate(invalid="ignore"):
        identifier = numbers.astype(IDENTITY[name])
    is_same = is_in_range(name, numbers) & (identifier == numbers)
    if not isinstance(values, NumpyArray) or not is_same.all():
        msg = f"{name!r} of type {values.form.type} does not fit into {IDENTITY[name]}: {ak.Array(values)}"
        raise ValueError(msg)
    return NumpyArray(identifier)


def _flatten_collection(name: str, values: Content) -> Iterator[tuple[str, Content]]:
    """Yield the columns of a collection; fields with a value per layer become another collection."""
    if not values.fields:
        yield name, values
        return
    if "_" in name:
        msg = f"collection {name!r}: to readers its name ends at the first '_'; use a name without"
        raise ValueError(msg)
    for field in values.fields:
        inner = getattr(values[field].form.type, "content", None)
        if isinstance(inner, ak.types.RegularType):
            item, _, quantity = field.rpartition("_")
            suffix = "".join(word.capitalize() for word in item.split("_")) or "Item"
            flat = ak.flatten(values[field], axis=2, highlevel=False)
            yield f"{name}{suffix}_{quantity.removesuffix('s')}", flat.to_packed()
        else:
            yield f"{name}_{field}", values[field]


def _plain_column(name: str, values: Content) -> Content:
    """Return packed values without awkward's parameters, so that every part has the same schema."""
    if not COLUMN_NAME.fullmatch(name):
        msg = f"{name!r} is not a column name in every format: use letters, digits and '_', a letter first"
        raise ValueError(msg)
    column_type = values.form.type
    if isinstance(column_type, ak.types.RegularType):
        values = ak.from_regular(values, axis=1, highlevel=False).to_packed()
    is_list = isinstance(column_type, (ak.types.ListType, ak.types.RegularType))
    item_type = column_type.content if is_list else column_type
    is_text = "__array__" in item_type.parameters
    if is_text or not isinstance(item_type, ak.types.NumpyType) or item_type.primitive not in PRIMITIVES:
        kind = column_type if is_text else ak.without_parameters(values, highlevel=False).form.type
        msg = f"{name!r} is of type {kind}: a column holds a number or a list of numbers per event"
        raise TypeError(msg)
    has_parameters = column_type.parameters or item_type.parameters
    return ak.without_parameters(values, highlevel=False) if has_parameters else values


def _add_counters(columns: Layouts) -> Layouts:
    """Return the columns with the counter of every collection in front of it."""
    collections: dict[str, Layouts] = defaultdict(dict)
    for name, values in columns.items():
        collections[name.partition("_")[0]][name] = values
    counters = {
        f"n{prefix}": _counter(prefix, members, columns.get(f"n{prefix}"))
        for prefix, members in collections.items()
        if f"n{prefix}" in columns or any(values.is_list for values in members.values())
    }
    result = {}
    for prefix, members in collections.items():
        if f"n{prefix}" in counters:
            result[f"n{prefix}"] = counters[f"n{prefix}"]
        result |= {name: values for name, values in members.items() if name not in counters}
    return result


def _counter(prefix: str, members: Layouts, given: Content | None) -> Content:
    """Return the common length of the lists of a collection; a given counter must agree."""
    if all(values.is_list for values in members.values()) and (len(members) == 1 or prefix not in members):
        offsets = [np.asarray(values.offsets) for values in members.values()]
        lengths = np.diff(offsets[0])
        are_equal = all(np.array_equal(offsets[0], others) for others in offsets[1:])
        if given is not None:
            are_equal &= isinstance(given, NumpyArray) and np.array_equal(lengths, given.data)
        if are_equal:
            return NumpyArray(lengths.astype(np.int32))
    names = ", ".join(members if given is None else [f"n{prefix}", *members])
    msg = f"{names}: readers take n{prefix} as the length of every {prefix}_*; leave one out, or rename it"
    raise ValueError(msg)


def write_part(blocks: Iterable[ak.Array], path: Path) -> None:
    """Write events, block by block, as flat columns to a parquet file.

    The schema depends on the types only, even if there is no event or no cluster.

    Raises
    ------
    ValueError
        If there is no block, not even one without events: the columns are unknown.
    """
    writer: pq.ParquetWriter | None = None
    with atomic_write(path) as file, ExitStack() as open_writers:
        for events in blocks:
            columns = _flat_layouts(events)
            records = RecordArray([*columns.values()], [*columns])
            table = ak.to_arrow_table(records, list_to32=True, extensionarray=False)
            if writer is None:
                writer = open_writers.enter_context(_parquet_writer(file, table))
            writer.write_table(table)
        if writer is None:
            msg = f"no blocks for {path}: its columns are unknown; pass at least a block without events"
            raise ValueError(msg)
    pa.default_memory_pool().release_unused()  # or arrow keeps the memory of the part


def _parquet_writer(file: Any, table: pa.Table) -> pq.ParquetWriter:
    """Return a writer, with a dictionary for the columns whose values repeat in this first table.

    Rows, columns and positions of cells repeat; sums hardly ever do. For 100k events with 4 clusters each this
    takes two thirds of the time of a dictionary for every column at level 3, and the file is smaller. Splitting
    floats into bytes would be smaller still, but arrow up to 16 cannot read that if a list is empty.
    Lists have no minima and maxima, which saves an eighth of the time: readers skip events by these, not items.
    """
    repeating = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        is_list = pa.types.is_list(column.type)
        values = column.combine_chunks().values if is_list else column
        if name not in ENCODINGS and (pa.types.is_integer(values.type) or _repeats(values)):
            repeating.append(f"{name}.list.element" if is_list else name)
    return pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_compliant_nested_type=True,
        use_dictionary=repeating,
        column_encoding=ENCODINGS,
        write_page_checksum=True,  # for other readers; our own is that of the whole file
        write_statistics=[field.name for field in table.schema if not pa.types.is_list(field.type)],
    )


def _repeats(values: pa.Array) -> bool:
    """Whether fewer than half of the first values are different; all NaN are one.

    Arrow's own functions would be imported for this alone, and pandas with a conversion to numpy, which takes
    as long as a small job.
    """
    sample = values.slice(0, block_sizes.DICTIONARY_SAMPLE).to_pylist()
    return 2 * len({None if value != value else value for value in sample}) < len(sample)  # noqa: PLR0124


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Raise what arrow finds wrong with a part inside the block as a ValueError of one line that names it."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = (
            f"{path}: the part cannot be read ({reason}): run the command of its job again, which makes it anew"
        )
        raise ValueError(msg) from None


def part_schema(path: Path) -> pa.Schema:
    """Return the names and the types of the columns of a part."""
    with _one_line_errors(path):
        return pq.read_schema(path)


def count_events(path: Path) -> int:
    """Return the number of events in a part."""
    with _one_line_errors(path):
        return int(pq.read_metadata(path).num_rows)


def read_columns(path: Path, columns: Sequence[str]) -> ak.Array:
    """Return some columns of a part."""
    with _one_line_errors(path):
        return ak.from_parquet(path, columns=columns)


def read_event(path: Path, place: int) -> ak.Record:
    """Return one event of a part by its index; only the row group that holds it is read."""
    with _one_line_errors(path):
        groups = pq.read_metadata(path)
    first = 0
    for number in range(groups.num_row_groups):
        n_events = groups.row_group(number).num_rows
        if place < first + n_events:
            with _one_line_errors(path):
                return ak.from_parquet(path, row_groups={number})[place - first]
        first += n_events
    msg = f"{path} has {first} events, and no event {place}"
    raise ValueError(msg)


def read_parts(paths: Iterable[Path]) -> Iterator[ak.Array]:
    """Yield the events of parts in their order as records of flat columns, in batches worth writing.

    Without any event there is one array of length 0, with the types.

    Raises
    ------
    ValueError
        If the columns of two parts differ.
    """
    first: tuple[Path, pa.Schema] | None = None
    pending: list[pa.RecordBatch] = []
    n_events = n_bytes = n_arrays = 0
    for path in paths:
        with path.open("rb") as file, pq.ParquetFile(file) as part:
            schema = part.schema_arrow
            first = first or (path, schema)
            if not schema.equals(first[1]):
                one, other = (_joined([], each).type.content for each in (first[1], schema))
                msg = f"{path} has the columns {other}, but {first[0]} has {one}: start over"
                raise ValueError(msg)
            for batch in part.iter_batches(block_sizes.MERGE_READ_EVENTS):
                pending.append(batch)
                n_events += batch.num_rows
                n_bytes += batch.nbytes + BYTES_OF_A_BATCH
                if n_events >= block_sizes.MERGE_WRITE_EVENTS or n_bytes >= block_sizes.MERGE_WRITE_BYTES:
                    yield _joined(pending, schema)
                    n_arrays, n_events, n_bytes, pending = n_arrays + 1, 0, 0, []
    if first is not None and (n_events or not n_arrays):
        yield _joined(pending, first[1])


def _joined(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> ak.Array:
    """Return batches as one array, and release what arrow keeps of them."""
    array = ak.from_arrow(pa.Table.from_batches(batches, schema).combine_chunks())
    pa.default_memory_pool().release_unused()
    return array

"""What can be wrong between sections of a config that are fine each on their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from hep_peaksum.analysis.derived import origin_of
from hep_peaksum.analysis.selection import CUT_FLOW, CUT_FLOW_ENTRIES, NOMINAL, VARIATION
from hep_peaksum.clustering.discriminant import search_grid
from hep_peaksum.clustering.fields import COORDINATES, check_fields, fields_of
from hep_peaksum.clustering.validation import check_energies, check_windows
from hep_peaksum.config.formats import COLLECTIONS, DATASETS, LONGEST_FILE_NAME, PICTURE
from hep_peaksum.config.sections import ClusterInput
from hep_peaksum.events.section import IDENTITY, PASS, WEIGHT
from hep_peaksum.inputs.functions import user_function
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.measuring.matches import OF_MATCHES, PLACE
from hep_peaksum.measuring.measurements import FITTED, NEGATIVE, OFFLINE_RATE, THRESHOLD
from hep_peaksum.settings.messages import shown
from hep_peaksum.suggestions import did_you_mean

Job = Any  # hep_peaksum.config.model.Job, which imports this module


def name_problems(job: Job) -> Iterator[str]:
    """Yield the names of columns, and of histograms, that would hide one another."""
    taken, owners = _taken_columns(job), set[str]()
    for variation in ("", *job.events.write_variations):
        for name in job.clusters:
            whole = f"{name}{variation}"
            if whole in taken:
                yield f"clusters.{name}: {whole!r} is a column that {taken[whole]}: choose another name"
            if whole in owners:
                columns = f"in the variation {variation!r} its columns would be those of {whole!r}"
                yield f"clusters.{name}: {columns}: choose another name"
            owners.add(whole)
    kept = job.events.kept_names()
    names = list(kept.values())
    for branch, name in kept.items():
        rename = f"give it a name, {{NAME: {branch}}}"
        owner = _owner(name, owners)
        if name in taken:
            what = f"the column {name!r}, which {taken[name]}"
            yield f"events.keep: {branch!r} would be {what}: drop it, or {rename}"
        elif owner is not None:
            yield f"events.keep: {branch!r} would be {name!r}, a column of {owner!r}: {rename}"
        elif names.count(name) > 1:
            yield f"events.keep: {branch!r} and another branch would both be the column {name!r}: {rename}"
    for section, given in (("sums", job.sums), ("references", job.references)):
        for name in (each for each in given if each in (VARIATION, THRESHOLD)):
            yield f"{section}.{name}: {name!r} is an axis of histograms already: choose another name"
    yield from _histogram_name_problems(job)


def _taken_columns(job: Job) -> dict[str, str]:
    """Return the columns that a job writes by itself, each with what it does."""
    columns, written = dict.fromkeys(IDENTITY, "identifies events"), job.events.write_variations
    if job.events.weight:
        columns[WEIGHT] = "holds the weight of events"
    passes = (PASS.format(each) for each in (NOMINAL, *written)) if written else ()
    return columns | dict.fromkeys(passes, "says which events pass")


def _owner(name: str, collections: Iterable[str]) -> str | None:
    """Return the collection to which a column of this name would belong, if there is one."""
    return next((c for c in collections if name in (c, f"n{c}") or name.startswith(f"{c}_")), None)


def _histogram_name_problems(job: Job) -> Iterator[str]:
    """Yield the names of histograms and measurements that are those of others, also in the ROOT file.

    There every variation and every threshold is a histogram of its own, `pt_ScaleUp`, `turn_on_20`.
    """
    named: list[tuple[str, str, tuple[str, ...]]] = []
    with suppress(ValueError):  # without its grid a collection has no default ones; what is wrong has been said
        named += [(f"histograms.{name}", name, ()) for name in job.booked]
    for name, each in job.measurements.items():
        others = {"scaling": (OFFLINE_RATE,), "resolution": ()}.get(each.kind, (NEGATIVE,))
        labels = getattr(each, "labels", ())
        named += [(f"measurements.{name}", f"{name}{other}", labels) for other in ("", *others)]
    owners = dict.fromkeys((CUT_FLOW, CUT_FLOW_ENTRIES), ("the cut flow", ""))
    for key, name, labels in named:
        words = itertools.product(("", *job.variations), ("", *labels))
        names = ["_".join(filter(None, (name, *each))) for each in words]
        if hidden := [each for each in names if owners.setdefault(each, (key, name)) != (key, name)]:
            yield f"{key}: {hidden[0]!r} is a name of {owners[hidden[0]][0]}, too: choose another name"


def picture_name_problems(job: Job, datasets: Iterable[str], formats: Iterable[str]) -> Iterator[str]:
    """Yield the names of histograms and measurements whose pictures file systems cannot hold."""
    suffix, owner = max(formats, key=len, default=None), max((DATASETS, *datasets), key=len)
    named = {f"measurements.{name}": [f"{name}{OFFLINE_RATE}"] for name in job.measurements}
    with suppress(ValueError):  # without its grid a collection has no default ones; what is wrong has been said
        for name in job.booked:
            collection, _, field = name.partition("_")
            key = f"histograms.{name}" if job.histograms is not None else f"clusters.{collection}"
            named[key] = [*named.get(key, ()), name, COLLECTIONS.format(field=field)]
    for key, names in named.items() if suffix else ():
        picture = f"{PICTURE.format(owner=owner, name=max(names, key=len))}.{suffix}"
        if (size := len(picture.encode())) > LONGEST_FILE_NAME:
            problem = f"its picture {shown(picture)} would have a name of {size} bytes"
            yield f"{key}: {problem}, and a file has at most {LONGEST_FILE_NAME}: choose shorter names"


def cluster_problems(name: str, clusters: ClusterInput, grids: Mapping[str, GridInput]) -> Iterator[str]:
    """Yield what is wrong between a collection and the grids that it names."""
    for grid_name in dict.fromkeys(clusters.grid):
        if (n_times := clusters.grid.count(grid_name)) > 1:
            said = f"{grid_name!r} is named {n_times} times, and so often would every cluster count"
            yield f"clusters.{name}.grid: {said}: name it once"
        if grid_name not in grids:
            near = did_you_mean(grid_name, grids)
            yield f"clusters.{name}.grid: no grid {grid_name!r}{near}; there are {', '.join(grids)}"
            continue
        key = f"clusters.{name}"
        try:
            check_energies(clusters.settings, grids[grid_name].grid)
            check_windows(clusters.settings, grids[grid_name].grid)
            key += ".fields"
            _check_fields(clusters, grid_name, grids[grid_name])
            key = f"clusters.{name}"
            _check_codes(clusters, grid_name, grids[grid_name])
        except ValueError as error:
            yield f"{key}: {error}"
        yield from _noise_problems(name, clusters, grid_name, grids[grid_name])
    has_separate_layers = any(grids[grid].layers == "each" for grid in clusters.grid if grid in grids)
    if clusters.reference is not None and (len(clusters.grid) > 1 or has_separate_layers):
        several = "layers that are searched separately" if has_separate_layers else "several grids"
        yield f"clusters.{name}.reference: row and col do not say which of {several}: compare one at a time"
    units = {name: grids[name].grid.energy_unit for name in clusters.grid if name in grids}
    if len(set(units.values())) > 1:
        in_words = " and ".join(f"{name} in {unit}" for name, unit in units.items())
        yield f"clusters.{name}: energies of {in_words} cannot be compared: give both grids a unit, or neither"
    if len(clusters.grid) > 1 and "layer_sums" in (clusters.fields or ()):
        yield f"clusters.{name}.fields: field 'layer_sums' exists for one grid only, not for several: drop it"


def _check_fields(clusters: ClusterInput, name: str, source: GridInput) -> None:
    """Raise a ValueError if a collection has fields that its grid does not give."""
    fields = clusters.fields or ()
    if clusters.fields is not None:
        check_fields(clusters.fields, clusters.settings, search_grid(clusters.settings, source.grid))
    for name_of_field in {"time", "seed_time"}.intersection(fields) if not source.has_times else ():
        msg = f"field {name_of_field!r} needs the time of hits, and grid {name!r} has none: give hits.time"
        raise ValueError(msg)
    if "layer_sums" in fields and not source.has_layers:
        msg = f"field 'layer_sums' needs layers, and grid {name!r} has none: name a layer axis"
        raise ValueError(msg)
    if "layer_sums" in fields and source.layers == "each":
        msg = f"field 'layer_sums' is of layers that are summed, and grid {name!r} has layers: each: drop one"
        raise ValueError(msg)


def _noise_problems(name: str, clusters: ClusterInput, grid: str, source: GridInput) -> Iterator[str]:
    """Yield what a collection needs the noise of a grid for that has none."""
    needed = {key: repr(getattr(clusters.settings, key)) for key in clusters.settings.keys_with_noise}
    if "noise" in (clusters.fields or ()):
        needed["fields"] = "field 'noise'"
    if not source.has_noise:
        for key, value in needed.items():
            yield f"clusters.{name}.{key}: {value} needs the noise of grid {grid!r}: add noise to the grid"


def _check_codes(clusters: ClusterInput, name: str, source: GridInput) -> None:
    """Raise a ValueError if seeds are compared with codes that calibrated cells do not hold."""
    if clusters.settings.saturated_seeds and source.cells is not None:
        msg = f"saturated_seeds are codes of raw values, and cells of grid {name!r} are calibrated: give the "
        msg += "codes as saturated in the grid, where they are compared with the raw values"
        raise ValueError(msg)


def view_problems(job: Job) -> Iterator[str]:
    """Yield what is wrong with derived fields, views, sums, and the conditions on clusters."""
    for name, derived in job.derive.items():
        yield from _derived_problems(job, name, derived)
    seen = list(job.clusters)
    for name, view in job.select.items():
        if name in job.clusters:
            yield f"select.{name}: {name!r} is a collection already: choose another name"
        if view.from_ not in seen:
            known = f"{did_you_mean(view.from_, seen)}; there are {', '.join(seen)}"
            yield f"select.{name}.from: no collection or earlier view {view.from_!r}{known}"
        else:
            yield from field_problems(job, name, view.fields, f"select.{name}")
        seen.append(name)
    taken = {*_taken_columns(job), WEIGHT, *job.events.kept_names().values(), *seen}
    collections = [f"{name}{each}" for each in ("", *job.events.write_variations) for name in job.clusters]
    for name, field in job.sums.items():
        if {name, name.removeprefix("n")} & taken or _owner(name, collections):
            yield f"sums.{name}: {name!r} is the name of something else: choose another name"
        collection, _, column = field.partition(".")
        yield from field_problems(job, collection, [column], f"sums.{name}")
    for number, condition in enumerate(job.events.where):
        for field in condition.fields():
            yield from event_value_problems(job, field, f"events.where.{number}.field")


def _derived_problems(job: Job, name: str, derived: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the derived fields of a collection."""
    if name not in job.clusters:
        view = f": derive it for {origin_of(job.select, name)!r}" if name in job.select else ""
        yield f"derive.{name}: no collection {name!r}{view or did_you_mean(name, job.clusters)}"
        return
    before: list[str] = []
    for field, how in derived.items():
        key = f"derive.{name}.{field}"
        if any(field in fields_of(grid, job.clusters[name].settings) for grid in job.grids_of(name)):
            yield f"{key}: {field!r} is a field already: choose another name"
        elif field in COORDINATES and any(grid.is_eta_phi for grid in job.grids_of(name)):
            yield f"{key}: {field!r} is a coordinate of four-vectors: choose another name"
        if any(field == f"{match}{word}" for match in job.matches for word in OF_MATCHES):
            yield f"{key}: {field!r} is a field that a match writes: choose another name"
        for each in how.fields:
            if each in derived and each not in before:
                yield f"{key}.inputs: {each!r} is derived after it: move it up"
        yield from field_problems(job, name, how.fields, f"{key}.inputs")
        before.append(field)


def event_value_problems(job: Job, field: str, key: str) -> Iterator[str]:
    """Yield what is wrong with a number of an event: nCollection, a sum, or Collection.field."""
    if field in job.sums:
        return
    name, dot, column = field.partition(".")
    if not dot:
        name = field.removeprefix("n")
    known = [*job.clusters, *job.select]
    if (not dot and not field.startswith("n")) or name not in known:
        numbers = [*job.sums, *(f"n{each}" for each in known)]
        near = f"{did_you_mean(field, numbers)}; there are {', '.join(numbers)}"
        yield f"{key}: {field!r} is neither a sum, nor nCollection, nor Collection.field{near}"
    elif dot:
        yield from field_problems(job, name, [column], key)


def field_problems(job: Job, name: str, fields: Iterable[str], key: str) -> Iterator[str]:
    """Yield the fields that a collection or a view does not have."""
    collection = origin_of(job.select, name)
    if collection not in job.clusters:
        if name not in job.select:  # else it has been said what is wrong with the view
            known = [*job.clusters, *job.select]
            yield f"{key}: no collection {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
        return
    others = [*job.derive.get(collection, {}), *["grid"] * (len(job.clusters[collection].grid) > 1)]
    for field in fields:
        for grid in job.grids_of(collection) if field not in others else ():
            try:
                check_fields([field], job.clusters[collection].settings, grid)
            except ValueError as error:
                yield f"{key}: {error}"
                break


def measurement_problems(job: Job) -> Iterator[str]:
    """Yield what is wrong with references, matches and measurements."""
    for name, reference in job.references.items():
        if reference.grid is not None and reference.grid not in job.grids:
            yield f"references.{name}.grid: no grid {reference.grid!r}{did_you_mean(reference.grid, job.grids)}"
        if name in job.clusters or name in job.select:
            yield f"references.{name}: {name!r} is a collection already: choose another name"
    for name, match in job.matches.items():
        yield from _match_problems(job, name, match)
    for name, each in job.measurements.items():
        key = f"measurements.{name}"
        if each.uses is not None and each.uses not in job.matches:
            near = f"{did_you_mean(each.uses, job.matches)}; there are {', '.join(job.matches) or 'none'}"
            yield f"{key}.{each.kind}: no match {each.uses!r}{near}"
            continue
        for word, field in each.fields():
            if each.uses is None:
                yield from _event_number_problems(job, field, f"{key}.{word}")
            else:
                yield from _side_problems(job, each.uses, each.sides[word], field, f"{key}.{word}")
        yield from _underlying_problems(job, each, key)


# The keys that name another measurement, and its kind, by the kind of those that are made of others.
UNDERLYING = {"resolution": {"resolution": "response"}, "scaling": {"scaling": "efficiency", "rate": "rate"}}


def _underlying_problems(job: Job, each: Any, key: str) -> Iterator[str]:
    """Yield what is wrong with the measurements that a measurement is made of."""
    for word, kind in UNDERLYING.get(each.kind, {}).items():
        name = getattr(each, word)
        other = job.measurements.get(name)
        if name is not None and getattr(other, "kind", "") != kind:
            yield f"{key}.{word}: no {kind} {name!r}{did_you_mean(name, job.measurements)}"
        elif kind == "response" and other.divisor is None:
            problem = f"response {name!r} is of a match, whose objects may have any energy"
            yield f"{key}.{word}: {problem}: name one of leading clusters, with to"
        elif kind == "response" and each.width in FITTED and each.width != other.fit:
            given = "has no fit" if other.fit is None else f"is fitted with {other.fit!r}"
            yield f"{key}.width: response {name!r} {given}: add fit: {each.width} to it, or take another width"


def function_problems(job: Job) -> Iterator[str]:
    """Yield the functions of the user that cannot be imported, also those of variations.

    They are not looked for as a config is read: it may be read where they are not.
    """
    nominal = dict(job.function_keys())
    named = {
        f"variations.{variation}.{key}": name
        for variation, varied in job.varied_jobs.items()
        for key, name in varied.function_keys()
        if nominal.get(key) != name
    }
    for key, name in (nominal | named).items():
        try:
            user_function(name)
        except ValueError as error:
            yield f"{key}: {error}"


def dataset_problems(job: Job, datasets: Iterable[str], others: Iterable[str] | None = ()) -> Iterator[str]:
    """Yield the datasets that are named and not there, and those that lack what is measured in them.

    `others` are there, and not read; None stands for any, in the config of a job that has been checked.
    """
    read = [*datasets]
    known = [*dict.fromkeys([*read, *(others or ())])]
    holders = {
        **{f"events.where.{number}": each for number, each in enumerate(job.events.where)},
        **{f"events.weight.{name}": each for name, each in job.events.weight.items()},
        **{f"references.{name}": each for name, each in job.references.items()},
        **{f"matches.{name}": each for name, each in job.matches.items()},
        **{f"measurements.{name}": each for name, each in job.measurements.items()},
    }
    named = {f"{key}.datasets": holder.datasets or () for key, holder in holders.items()}
    named = {} if others is None else {**named, "output.stack": job.output.stack}
    for key, names in named.items():
        for name in (name for name in names if name not in known):
            yield f"{key}: no dataset {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
    for name, each in job.measurements.items():
        measured = [one for one in each.datasets or read if one in read]
        for key in _references_of(job, each):
            lacking = ", ".join(one for one in measured if not job.references[key].is_for(one))
            if lacking:
                problem = f"{lacking} has no {key!r}, by references.{key}.datasets"
                yield f"measurements.{name}: {problem}: name the datasets to be measured in datasets"


def _references_of(job: Job, measurement: Any) -> Iterator[str]:
    """Yield the references that a measurement needs."""
    match = job.matches.get(measurement.uses)
    names = [field.partition(".")[0] for _, field in measurement.fields()]
    names += [] if match is None else [match.reference]
    yield from dict.fromkeys(name for name in names if name in job.references)


def _match_problems(job: Job, name: str, match: Any) -> Iterator[str]:
    """Yield what is wrong with a match."""
    key, place = f"matches.{name}", PLACE[match.by]
    yield from field_problems(job, match.clusters, place, f"{key}.clusters")
    reference = job.references.get(match.reference)
    if reference is None:
        near = (
            f"{did_you_mean(match.reference, job.references)}; there are {', '.join(job.references) or 'none'}"
        )
        yield f"{key}.reference: no reference {match.reference!r}{near}"
    elif reference.place != place:
        given = "one number per event" if reference.place is None else " and ".join(reference.place)
        fitting = (f"write by: {by}" for by, words in PLACE.items() if words == reference.place)
        remedy = next(fitting, "name objects with a place")
        yield f"{key}.by: {match.by} needs {' and '.join(place)}, and {match.reference!r} has {given}: {remedy}"
    elif reference.grid is not None:
        yield from _cell_problems(job, match, reference.grid, f"{key}.by")


def _cell_problems(job: Job, match: Any, grid: str, key: str) -> Iterator[str]:
    """Yield what keeps clusters and objects on a grid from having the same cells."""
    searched = job.clusters.get(origin_of(job.select, match.clusters))
    if searched is None or (searched.grid == (grid,) and searched.settings.coarsen == (1, 1)):
        return
    is_pooled = searched.grid == (grid,)
    given = "of towers, not of cells" if is_pooled else f"on grid {', '.join(searched.grid)}"
    ways = "match by delta_r or distance"
    yield f"{key}: {match.clusters!r} is {given}, and {match.reference!r} is on grid {grid!r}: {ways}"


def _event_number_problems(job: Job, field: str, key: str) -> Iterator[str]:
    """Yield what is wrong with a number of every event, which a measurement without a match compares."""
    name, _, column = field.partition(".")
    reference = job.references.get(name)
    if reference is None:
        yield from event_value_problems(job, field, key)
    elif reference.place is not None:
        remedy = "measure them with a match, or name a scalar, a sum, nCollection or Collection.field"
        yield f"{key}: {name!r} has any number of objects in an event, not one number: {remedy}"
    elif column and column not in reference.field_names:
        yield f"{key}: {name!r} has no field {column!r}; there are {', '.join(reference.field_names)}"


def _side_problems(job: Job, match_name: str, side: str, field: str, key: str) -> Iterator[str]:
    """Yield what is wrong with a field of the clusters of a match, or of its objects."""
    match = job.matches[match_name]
    name, dot, column = field.partition(".")
    meant, what = getattr(match, side), {"clusters": "clusters", "reference": "objects"}[side]
    known = job.references if side == "reference" else (*job.clusters, *job.select)
    if meant not in known:
        return  # which has been said
    if name != meant or not dot:
        names = job.references[meant].field_names if side == "reference" else ()
        example = f"one of {', '.join(f'{meant}.{each}' for each in names)}" if names else f"{meant}.FIELD"
        yield f"{key}: {field!r} is no field of {meant!r}, the {what} of {match_name!r}: write {example}"
    elif side == "clusters":
        yield from field_problems(job, name, [column], key)
    elif column not in (names := job.references[name].field_names):
        near = did_you_mean(column, names)
        yield f"{key}: {name!r} has no field {column!r}{near}; there are {', '.join(names)}"

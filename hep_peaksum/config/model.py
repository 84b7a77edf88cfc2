"""The whole YAML file, composed of its sections, and what can be wrong between sections.

`Job` is the part that decides the results; `Config` adds the data, the output and the way the job is run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from hep_peaksum.analysis.derived import CollectionField, Derived, FieldName, ViewInput, origin_of, view_fields
from hep_peaksum.analysis.histograms import HistogramInput, check_histogram, default_histograms, needed_fields
from hep_peaksum.analysis.selection import NOMINAL
from hep_peaksum.clustering import fields
from hep_peaksum.clustering.discriminant import search_grid
from hep_peaksum.clustering.fields import check_fields
from hep_peaksum.config.formats import RESERVED
from hep_peaksum.config.problems import (
    cluster_problems,
    dataset_problems,
    measurement_problems,
    name_problems,
    picture_name_problems,
    view_problems,
)
from hep_peaksum.config.sections import (
    ClusterInput,
    CollectionName,
    Dataset,
    DatasetName,
    Output,
    RunOptions,
    VariationName,
)
from hep_peaksum.config.variations import changed, written_place
from hep_peaksum.events.barns import Luminosity
from hep_peaksum.events.section import IDENTITY, EventsInput, Identifier
from hep_peaksum.geometry.grid import Grid
from hep_peaksum.inputs.branch_names import Name, includes, split_branch
from hep_peaksum.inputs.functions import check_contents, digests_of
from hep_peaksum.inputs.grid import GridInput
from hep_peaksum.inputs.hits import HitFunction
from hep_peaksum.measuring.matches import PLACE, MatchInput, highest_by
from hep_peaksum.measuring.measurements import Measurement, ResponseInput
from hep_peaksum.measuring.references import ReferenceObjects
from hep_peaksum.settings.frozen_model import FrozenModel
from hep_peaksum.settings.messages import problems_of
from hep_peaksum.suggestions import did_you_mean


class Job(FrozenModel):
    """What a processor needs to know: grids, clusters, histograms, and how events are read."""

    grids: Annotated[dict[Name, GridInput], Field(min_length=1)] = Field(
        description="Grids by name: the plane of the cells, and the branches that fill it."
    )
    clusters: Annotated[dict[CollectionName, ClusterInput], Field(min_length=1)] = Field(
        description="Collections of clusters by name, which begins their columns (Jet: Jet_pt). Each names "
        "its grid and, directly beside it, the keys of the search."
    )
    friends: dict[Name, str] = Field(
        default_factory=dict,
        description="Other trees of the same files with the same entries, by alias. Their branches are "
        "then written alias:branch.",
        examples=[{"ev": "l1EventTree/L1EventTree"}],
    )
    events: EventsInput = Field(
        default_factory=lambda: EventsInput.model_validate({}),
        description="How events are read, what identifies them, and what is carried along.",
    )
    derive: dict[CollectionName, dict[FieldName, Derived]] = Field(
        default_factory=dict,
        description="Fields that are computed from the clusters of a collection, by function or correctionlib. "
        "They are written, and used, like any other.",
        examples=[{"Jet": {"pt_cal": "mysite:calibrate"}}],
    )
    select: dict[CollectionName, ViewInput] = Field(
        default_factory=dict,
        description="Views of collections by name: clusters that meet conditions, in some order. A view "
        "is used wherever a collection is.",
    )
    sums: dict[Name, CollectionField] = Field(
        default_factory=dict,
        description="Sums of a field over the clusters of an event, by the name of their column.",
        examples=[{"HT": "JetBarrel.net_pt"}],
    )
    variations: dict[VariationName, dict[str, Any]] = Field(
        default_factory=dict,
        description="Variations by name: keys of grids, clusters, derive, select, references or events.weight "
        "with other values. They are clustered from the same reading and fill an axis of every histogram.",
        examples=[{"ScaleUp": {"grids.ecal.scale": 1.03}}],
    )
    references: dict[CollectionName, ReferenceObjects] = Field(
        default_factory=dict,
        description="Objects of the same entry by name, with their place and their fields, that clusters are "
        "matched with; or numbers of the event.",
    )
    matches: dict[CollectionName, MatchInput] = Field(
        default_factory=dict,
        description="Matches by name: which cluster belongs to which object. The index of the object and the "
        "distance are written as fields of the clusters, Jet_NAMEIdx and Jet_NAMEDistance.",
        examples=[{"JetGen": {"clusters": "Jet", "reference": "GenJet", "by": "cell"}}],
    )
    measurements: dict[Name, Measurement] = Field(
        default_factory=dict,
        description="Measurements by name: efficiency, purity, response, resolution, rate or scaling. They are "
        "written as histograms, and as tables in the summary.",
    )
    dataset_metadata: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Numbers of the datasets that measurements divide by."
    )
    digests: dict[str, str] = Field(
        default_factory=dict,
        description="Digests of the files and modules that the config names: other ones make another job.",
    )
    histograms: dict[Name, HistogramInput] | None = Field(
        None,
        description="Histograms by name. Left out, every collection gets the number of clusters, their energy "
        "and their position; {} is none.",
    )

    @model_validator(mode="after")
    def _identify(self) -> Job:
        """Find the digests of what results depend on besides the config, unless they are known."""
        if not self.digests:
            digests = digests_of(*self.named_contents)
            object.__setattr__(self, "digests", digests)  # frozen, and validation must return this object
        return self

    def files(self) -> set[str]:
        """Return the files on which results depend, as they are named, also those of variations."""
        own = [path for source in self.grids.values() for path in source.files()]
        own += [path for condition in self.events.where for path in condition.files()]
        derived = (each for fields in self.derive.values() for each in fields.values())
        own += [each.correctionlib for each in derived if each.correctionlib is not None]
        return {*own}.union(*(job.files() for job in self.varied_jobs.values()))

    def functions(self) -> set[str]:
        """Return the functions of the user on which results depend, also those of variations."""
        own = [function for _, function in self.function_keys()]
        own += [self.events.schema_name] if ":" in self.events.schema_name else []
        return {*own}.union(*(job.functions() for job in self.varied_jobs.values()))

    def check_contents(self) -> None:
        """Raise a ChangedContentError if files or modules are not what they were when the job began."""
        check_contents(self.digests, *self.named_contents)

    @cached_property
    def named_contents(self) -> tuple[set[str], set[str]]:
        """The files, and the functions of the user, on which results depend."""
        return self.files(), self.functions()

    @cached_property
    def varied_jobs(self) -> dict[str, Job]:
        """The job of every variation; of those that are wrong, none: `problems` says why."""
        jobs = {}
        for name in self.variations:
            with suppress(ValueError):
                jobs[name] = self.varied(name)
        return jobs

    def grids_of(self, collection: str) -> list[Grid]:
        """Return the grids that a collection searches: those of its towers, if it pools cells."""
        clusters = self.clusters[collection]
        grids = []
        for source in (self.grids[name] for name in clusters.grid if name in self.grids):
            with suppress(ValueError):  # cells that do not divide into towers: `problems` says so
                grids.append(search_grid(clusters.settings, source.grid))
        return grids

    def has_separate_layers(self, collection: str) -> bool:
        """Return whether every layer is searched by itself, on any of the collection's grids."""
        return any(self.grids[name].layers == "each" for name in self.clusters[collection].grid)

    def written_fields(self, collection: str) -> tuple[str, ...]:
        """Return the fields of a collection that are written."""
        clusters, grids = self.clusters[collection], self.grids_of(collection)
        if clusters.fields is not None:
            return check_fields(clusters.fields, clusters.settings, grids[0])
        separate = self.has_separate_layers(collection)
        by_grid = [fields.default_fields(clusters.settings, grid, separate_layers=separate) for grid in grids]
        filled = ("n_filled",) if any(self.grids[name].fill_dead for name in clusters.grid) else ()
        return (*(name for name in by_grid[0] if all(name in names for names in by_grid)), *filled)

    def computed_fields(self, collection: str, *, is_written: bool = True) -> tuple[str, ...]:
        """Return the fields that are written, and those that only histograms, views or measurements need.

        Of what is not written only the latter, unless a function of the user may look at any field.
        """
        names = [collection, *(name for name in self.select if origin_of(self.select, name) == collection)]
        needed = [field for name in names for field in needed_fields(self.booked, name)]
        needed += view_fields(self.select, collection)
        needed += [field for each in self.derive.get(collection, {}).values() for field in each.fields]
        for field in self._used_fields():
            name, _, column = field.partition(".")
            needed += [column] if column and name in names else []
        derived = self.derive.get(collection, {})
        needed = [field for field in needed if field not in (*derived, "grid")]  # which is there by itself
        looks_at_any = any(each.function is not None for each in derived.values())
        written = self.written_fields(collection) if is_written or looks_at_any else ()
        return tuple(dict.fromkeys((*written, *needed)))

    def _used_fields(self) -> Iterator[str]:
        """Yield the fields that sums, conditions, matches and measurements use, as Collection.field."""
        yield from self.sums.values()
        for condition in self.events.where:
            yield from condition.fields()
        for match in self.matches.values():
            yield from (f"{match.clusters}.{word}" for word in PLACE[match.by])
            yield from self._height_of(match)
        for measurement in self.measurements.values():
            yield from (field for _, field in measurement.fields())

    def _height_of(self, match: MatchInput) -> Iterator[str]:
        """Yield the field by which the clusters of a match are the highest, if it takes these."""
        origin = origin_of(self.select, match.clusters)
        tables = (
            [{*fields.fields_of(grid)} for grid in self.grids_of(origin)] if origin in self.clusters else []
        )
        if match.pairing == "highest" and tables:
            yield f"{match.clusters}.{highest_by(set.intersection(*tables))}"

    def branches(self) -> list[str]:
        """Return every branch that is read."""
        return list(dict.fromkeys(branch for _, branch in self.branch_keys()))

    @property
    def run_source(self) -> Identifier:
        """The branch that holds the run of an event, or the run of all."""
        return self.events.identify.get("run", "run")

    def branch_keys(self, dataset: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a branch, each with the branch; of one dataset, or of all."""
        for name, source in self.grids.items():
            yield from source.branch_keys(f"grids.{name}")
        for word, identifier in self.events.identify.items():
            if isinstance(identifier, str):
                yield f"events.identify.{word}", identifier
        for branch in self.events.kept:
            yield "events.keep", branch
        for key, branch, datasets in self.event_branch_keys():
            if dataset is None or includes(datasets, dataset):
                yield key, branch
        for name, clusters in self.clusters.items():
            if clusters.reference is not None:
                yield from clusters.reference.branch_keys(f"clusters.{name}.reference")

    def event_branch_keys(self) -> Iterator[tuple[str, str, tuple[str, ...] | None]]:
        """Yield the keys of conditions and weights that name a branch, the branch, and the datasets with it."""
        for number, condition in enumerate(self.events.where):
            for key, branch in condition.branch_keys(f"events.where.{number}"):
                yield key, branch, condition.datasets
        for name, term in self.events.weight.items():
            yield from term.branch_keys(f"events.weight.{name}", self.friends)
        for name, reference in self.references.items():
            yield from reference.branch_keys(f"references.{name}")

    def function_keys(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that name a function of the user, each with the function, as module:function."""
        for name, source in self.grids.items():
            if isinstance(source.hits, HitFunction):
                yield f"grids.{name}.hits", source.hits.function
        for number, condition in enumerate(self.events.where):
            yield from condition.function_keys(f"events.where.{number}")
        for name, term in self.events.weight.items():
            if term.is_function(self.friends):
                yield f"events.weight.{name}", str(term.source)
        for name, derived in self.derive.items():
            for field, how in derived.items():
                if how.function is not None:
                    yield f"derive.{name}.{field}", how.function

    def typed_branches(self) -> list[str]:
        """Return the branches whose types decide on the results: of cells, of what is kept, of identifiers."""
        values = [name for source in self.grids.values() for name in source.value_branches]
        identity = () if self.events.identify else IDENTITY
        return list(dict.fromkeys([*values, *self.events.kept, *identity]))

    def collections(self) -> list[str]:
        """Return the collections whose encodings of ids are read from the files."""
        return list(dict.fromkeys(name for source in self.grids.values() for name in source.collections))

    @cached_property
    def booked(self) -> dict[str, HistogramInput]:
        """The histograms of the config, or the default ones of every collection."""
        if self.histograms is not None:
            return self.histograms
        return {
            name: histogram
            for collection in self.clusters
            for name, histogram in default_histograms(collection, self.grids_of(collection)).items()
        }

    def problems(self) -> Iterator[str]:
        """Yield what is wrong between sections that are fine each on their own."""
        nominal = [*self._nominal_problems()]
        yield from nominal
        yield from self._variation_problems(nominal)

    def _nominal_problems(self) -> Iterator[str]:
        """Yield what is wrong without variations."""
        for name, clusters in self.clusters.items():
            yield from cluster_problems(name, clusters, self.grids)
        yield from view_problems(self)
        yield from measurement_problems(self)
        for key, histogram in (self.histograms or {}).items():
            yield from self._histogram_problems(key, histogram)
        yield from name_problems(self)
        for key, branch in self.branch_keys():
            alias, _ = split_branch(branch)
            if alias and alias not in self.friends:
                near = did_you_mean(alias, self.friends)
                yield f"{key}: {branch!r}: no friend {alias!r}{near}: name its tree in the section friends"

    def _histogram_problems(self, key: str, histogram: HistogramInput) -> Iterator[str]:
        """Yield what is wrong with a histogram."""
        names = {name: origin_of(self.select, name) for name in (*self.clusters, *self.select)}
        settings = {name: self.clusters[each].settings for name, each in names.items() if each in self.clusters}
        try:  # also what a collection finds wrong with its grids
            grids = {name: self.grids_of(names[name]) for name in settings}
            check_histogram(histogram, settings, grids, self.derived_names(), self.sums)
        except ValueError as error:
            yield f"histograms.{key}: {error}"

    def _variation_problems(self, nominal: Collection[str]) -> Iterator[str]:
        """Yield what is wrong with the variations, besides what is wrong without them."""
        for name in self.events.write_variations:
            if name not in self.variations:
                near, known = did_you_mean(name, self.variations), ", ".join(self.variations) or "none"
                yield f"events.write_variations: no variation {name!r}{near}; there are {known}"
        for name in self.variations:
            if name == NOMINAL:
                yield f"variations.{name}: this is the name of what is not varied: choose another"
            try:
                problems = list(self.varied(name).problems())
            except ValidationError as error:
                problems = [written_place(problem) for problem in problems_of(error)]
            except ValueError as error:
                problems = [str(error)]
            yield from (f"variations.{name}: {problem}" for problem in problems if problem not in nominal)

    def derived_names(self) -> dict[str, list[str]]:
        """Return the derived fields of every collection and view."""
        return {
            name: [*self.derive.get(origin_of(self.select, name), ())]
            for name in (*self.clusters, *self.select)
        }

    def varied(self, name: str) -> Job:
        """Return the job of a variation.

        Raises
        ------
        ValueError
            If a key cannot be varied, or its value is wrong.
        """
        content = self.model_dump(mode="json", include=set(Job.model_fields), by_alias=True, exclude_none=True)
        content["events"] = {**content["events"], "write_variations": []}
        # a histogram has the same axes for all, also a default one
        booked = {key: each.model_dump(mode="json", exclude_none=True) for key, each in self.booked.items()}
        content["histograms"] = booked
        return Job.model_validate(changed(content, self.variations[name]))


class Config(Job):
    """The whole YAML file."""

    datasets: Annotated[dict[DatasetName, Dataset], Field(min_length=1)] = Field(
        description="Datasets by name: the files of each sample. The name is that of its folder in the results."
    )
    luminosity: Luminosity | None = Field(
        None,
        description="Integrated luminosity to which datasets with a cross section are normalised: a number of "
        "/pb, or with its unit.",
        examples=["59.8 /fb"],
    )
    output: Output = Field(description="The directory of the results, and their formats.")
    run: RunOptions = Field(
        default_factory=RunOptions, description="How the job is run; nothing here changes the results."
    )

    def problems(self, others: Collection[str] | None = ()) -> Iterator[str]:
        """Yield the problems between the sections; `others` as for `dataset_problems`."""
        yield from super().problems()
        yield from dataset_problems(self, self.datasets, others)
        yield from picture_name_problems(self, self.datasets, self.output.plots)
        yield from self._unknown_divisors()
        by_folder: dict[str, str] = {}
        for name, dataset in self.datasets.items():
            if dataset.cross_section is not None and self.luminosity is None:
                yield f"datasets.{name}.cross_section: there is no luminosity to normalise to: add luminosity"
            if name in RESERVED:
                yield f"datasets.{name}: {name!r} is a name of the results folder itself: choose another name"
            yield from self._divisor_problems(name, dataset)
            first = by_folder.setdefault(name.casefold(), name)
            if first != name:
                yield f"datasets.{name}: {first!r} and {name!r} would be one folder on many systems: rename one"

    def _has_metadata(self, word: str) -> bool:
        """Return whether a dataset has metadata of this name."""
        return any(word in dataset.metadata for dataset in self.datasets.values())

    def _unknown_divisors(self) -> Iterator[str]:
        """Yield the numbers that responses divide by, and no dataset has."""
        known = list(dict.fromkeys(word for dataset in self.datasets.values() for word in dataset.metadata))
        for key, each in self.measurements.items():
            word = each.divisor if isinstance(each, ResponseInput) else None
            if word is not None and not self._has_metadata(word):
                there = f"{did_you_mean(word, known)}; there are {', '.join(known) or 'none'}"
                remedy = f"add metadata: {{{word}: 20}} to every dataset"
                yield f"measurements.{key}.to: no dataset has {word!r} in its metadata{there}: {remedy}"

    def _divisor_problems(self, name: str, dataset: Dataset) -> Iterator[str]:
        """Yield the numbers that a response needs of a dataset and that are none."""
        for key, each in self.measurements.items():
            word = each.divisor if isinstance(each, ResponseInput) else None
            if word is None or not includes(each.datasets, name) or not self._has_metadata(word):
                continue
            number = dataset.metadata.get(word)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not number:
                given = "is not there" if number is None else f"is {number!r}"
                problem = f"measurements.{key} divides by it, and it {given}: give a number that is not 0"
                yield f"datasets.{name}.metadata.{word}: {problem}"

    def job(self) -> dict[str, Any]:
        """Return the part of the config that decides the results of a chunk, as plain values."""
        dump = self.model_dump(
            mode="json",
            include=set(Job.model_fields),
            exclude={"clusters": {"__all__": {"reference"}}},  # not used by the job
            by_alias=True,
            exclude_none=True,
        )
        return {**dump, "dataset_metadata": self.divisors()}

    def divisors(self) -> dict[str, dict[str, float]]:
        """Return the numbers of the datasets that measurements divide by."""
        responses = (each for each in self.measurements.values() if isinstance(each, ResponseInput))
        words = [each.divisor for each in responses if each.divisor is not None]
        return {
            name: {word: float(dataset.metadata[word]) for word in words if word in dataset.metadata}
            for name, dataset in self.datasets.items()
            if words
        }

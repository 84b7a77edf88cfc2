"""Clusters as the four-vectors of coffea: in memory, and where coffea reads what a job has written."""

from __future__ import annotations

from itertools import product
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents import NanoAODSchema, transforms
from coffea.nanoevents.methods import base, nanoaod, vector

DIRECTION = ("pt", "eta", "phi")
INDEX = "Idx"  # Jet_genJetIdx is the index of a GenJet, as in NanoAOD
OWN = ("PeakSumClusterM", "PeakSumClusterE")
behavior: dict[Any, Any] = dict(nanoaod.behavior)


class _Referring(base.NanoCollection):  # type: ignore[misc]
    """Objects of a collection that may refer to those of another one."""

    def matched(self, collection: str) -> Any:
        """Return the object of another collection to which each of these refers; None where there is none.

        ``events.Jet.matched("GenJet")`` follows the column `Jet_genJetIdx`, in which -1 refers to nothing.
        """
        field = f"{_index_of(collection)}G"
        if field not in ak.fields(self):
            own = self.layout.purelist_parameter("collection_name") or "Cluster"
            column = f"{own}_{_index_of(collection)}"
            msg = f"there is no column {column} in a file, or no collection {collection}"
            raise ValueError(msg)
        return self._events()[collection]._apply_global_index(self[field])


behavior |= ak._util.copy_behaviors("PtEtaPhiMLorentzVector", "PeakSumClusterM", behavior)
behavior |= ak._util.copy_behaviors("PtEtaPhiELorentzVector", "PeakSumClusterE", behavior)


@ak.mixin_class(behavior)
class PeakSumClusterM(vector.PtEtaPhiMLorentzVector, _Referring):  # type: ignore[misc]
    """A cluster of a file that coffea reads, with a mass."""


@ak.mixin_class(behavior)
class PeakSumClusterE(vector.PtEtaPhiELorentzVector, _Referring):  # type: ignore[misc]
    """A cluster of a file that coffea reads, with an energy."""


for _name, _kind in product(OWN, ("Array", "Record")):
    _class = globals()[f"{_name}{_kind}"]
    _class.ProjectionClass2D = getattr(vector, f"TwoVector{_kind}")
    _class.ProjectionClass3D = getattr(vector, f"ThreeVector{_kind}")
    _class.ProjectionClass4D = _class
    _class.MomentumClass = getattr(vector, f"LorentzVector{_kind}")


def _add_to_all_vectors() -> None:
    """Let clusters be added to the jets and leptons of coffea, which mostly know only their own kind."""
    kinds = [name for name, kind in behavior.items() if isinstance(kind, type) and isinstance(name, str)]
    kinds = [name for name in kinds if issubclass(behavior[name], vector.LorentzVector)]
    for ufunc, own, other in product((np.add, np.subtract), OWN, kinds):
        of_vectors = behavior[ufunc, "PtEtaPhiELorentzVector", "PtEtaPhiMLorentzVector"]
        behavior[ufunc, own, other] = behavior[ufunc, other, own] = of_vectors


_add_to_all_vectors()


def _index_of(collection: str) -> str:
    return f"{collection[:1].lower()}{collection[1:]}{INDEX}"


def to_coffea(clusters: ak.Array) -> ak.Array:
    """Return clusters as the four-vectors of coffea, with all their fields.

    They have `delta_r`, `nearest`, `metric_table` and the rest of `coffea.nanoevents.methods.vector`, and can
    be added to the jets and leptons of coffea's schemas.

    Parameters
    ----------
    clusters
        As from `find_clusters`, with the fields `pt`, `eta` and `phi`, or any other objects that have them. The
        fourth component is `mass` if there is one, else `energy`, else they are massless.

    Raises
    ------
    ValueError
        If a field is missing.

    >>> clusters = ak.Array([[{"pt": 30.0, "eta": 0.1, "phi": 0.0}, {"pt": 40.0, "eta": 0.1, "phi": 0.5}]])
    >>> float(round(to_coffea(clusters)[0, 0].delta_r(to_coffea(clusters)[0, 1]), 3))
    0.5
    """
    fields = ak.fields(clusters)
    if missing := [name for name in DIRECTION if name not in fields]:
        words = ", ".join(missing)
        msg = f"clusters have no {words}: four-vectors need pt, eta and phi, those of a plane of eta and phi"
        raise ValueError(msg)
    columns = {name: clusters[name] for name in fields}
    if "mass" in columns:
        columns.pop("energy", None)  # vectors have one of them
    elif "energy" not in columns:
        columns["mass"] = ak.zeros_like(columns["pt"])
    name = f"PeakSumCluster{'M' if 'mass' in columns else 'E'}"
    return ak.zip(columns, depth_limit=2, with_name=name, behavior=behavior)


class PeakSumSchema(NanoAODSchema):  # type: ignore[misc]
    """The schema with which coffea reads results: every collection with `pt`, `eta`, `phi` has four-vectors.

    For TTree, RNTuple and parquet. The fourth component is `mass` if there is one, else `energy`, else they are
    massless. If the file has a column `Jet_genJetIdx` and a collection `GenJet`,
    ``events.Jet.matched("GenJet")`` are the objects that the jets refer to.

    >>> from coffea.processor import IterativeExecutor, Runner
    >>> runner = Runner(executor=IterativeExecutor(), schema=PeakSumSchema)
    """

    warn_missing_crossrefs = False
    all_cross_references: dict[str, str] = {}  # noqa: RUF012 -- as in coffea
    nested_items: dict[str, Any] = {}  # noqa: RUF012
    nested_index_items: dict[str, Any] = {}  # noqa: RUF012
    special_items: dict[str, Any] = {}  # noqa: RUF012
    full_like_items: dict[str, Any] = {}  # noqa: RUF012
    rename_items: dict[str, str] = {}  # noqa: RUF012
    alias_items: dict[str, str] = {}  # noqa: RUF012
    mixins: dict[str, str] = {}  # noqa: RUF012

    def _build_collections(self, field_names: list[str], input_contents: list[Any]) -> Any:
        forms = dict(zip(field_names, input_contents, strict=True))
        collections = [name[1:] for name in forms if name.startswith("n") and name[1:2].isupper()]
        offsets = {name: transforms.counts2offsets_form(forms[f"n{name}"]) for name in collections}
        vectors = [name for name in collections if all(f"{name}_{each}" in forms for each in DIRECTION)]
        for name in vectors:
            if f"{name}_mass" in forms:
                forms.pop(f"{name}_energy", None)  # vectors have one of them
            elif f"{name}_energy" not in forms:
                forms[f"{name}_mass"] = transforms.full_like_from_offsets_form(offsets[name], 0.0)
            for target in collections:
                index = f"{name}_{_index_of(target)}"
                if index in forms:
                    forms[f"{index}G"] = transforms.local2global_form(forms[index], offsets[target])
        self.mixins = {name: f"PeakSumCluster{'M' if f'{name}_mass' in forms else 'E'}" for name in vectors}
        return super()._build_collections([*forms], [*forms.values()])

    @classmethod
    def behavior(cls) -> dict[Any, Any]:
        """Return the behaviors of the collections."""
        return behavior

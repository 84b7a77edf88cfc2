"""The integers of hits that may number layers, modules and cells: branches, fields of ids, and bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from hep_peaksum.geometry.bit_fields import BitField, read_encoding
from hep_peaksum.kernels import Array
from hep_peaksum.lattices.numbering import Integers, bit_parts
from hep_peaksum.naming import conventions
from hep_peaksum.naming.branches import Branch, Tree
from hep_peaksum.naming.groups import Group


def integers_of(
    tree: Tree, group: Group, numbers: dict[Branch, Array]
) -> tuple[Integers | None, list[Integers]]:
    """Return the integer that names the layer, if one does, and others that may number modules and cells."""
    fields = _fields(tree, group, numbers)
    channel = [group.channel] if group.channel is not None and not fields else []  # it may be one of a module
    others = [branch_integers(each, numbers) for each in (*group.integers, *channel)]
    integers = [*fields, *(each for each in others if len(np.unique(each.values)) > 1)]
    layer = None
    if group.layer is not None and len(np.unique(numbers[group.layer])) > 1:
        layer = Integers("layer", group.layer.config_name, numbers[group.layer])
    else:
        words = [word.replace("_", "") for word in conventions.LAYERS]
        named = [each for each in fields if each.name.lower() in words]
        layer = min(named, key=lambda each: words.index(each.name.lower()), default=None)
    return layer, [each for each in integers if each is not layer]


def _fields(tree: Tree, group: Group, numbers: dict[Branch, Array]) -> list[Integers]:
    """Return the fields of ids, as an encoding in the file or the documentation of LDMX has them."""
    channel = group.channel
    if channel is None or channel.dtype.kind not in "iu":
        return []
    fields: dict[str, BitField] = {}
    with suppress(ValueError):  # an encoding that is none says nothing
        fields = read_encoding(tree.encodings.get(group.collection, ""))
    sources: dict[str, dict[str, Any]] = {
        name: {"field": name, "encoding": {"from_file": group.collection}} for name in fields
    }
    if tree.owner(channel).startswith("vector<ldmx::"):
        known = next(
            (ids for begin, ids in conventions.LDMX_IDS.items() if group.collection.startswith(begin)), {}
        )
        fields = {name: BitField(*bits) for name, bits in known.items()}
        sources = {name: {"first": first, "last": last} for name, (first, last) in known.items()}
    return [
        Integers(name, {"bits": channel.config_name, **sources[name]}, values, field.is_signed)
        for name, field in fields.items()
        if field.last < 8 * channel.dtype.itemsize
        and len(np.unique(values := field.of(numbers[channel]).astype(np.int64))) > 1
    ]


def branch_integers(branch: Branch, numbers: Mapping[Branch, Array]) -> Integers:
    """Return the numbers of a branch as integers of hits."""
    name = branch.config_name.rpartition("/")[2]
    return Integers(name, branch.config_name, numbers[branch].astype(np.int64))


def bits_of(integers: Sequence[Integers]) -> list[Integers]:
    """Return parts of the bits of branches that may be those of rows, columns and modules."""
    return [
        Integers(
            f"bits {first} to {last} of {each.name}", {"bits": each.source, "first": first, "last": last}, part
        )
        for each in integers
        if isinstance(each.source, str)
        for first, last in bit_parts(each.values)
        if len(np.unique(part := BitField(first, last).of(each.values))) > 1
    ]

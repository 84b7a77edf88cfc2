"""Events of many chunks in memory, added by concatenation; awkward would add number to number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import awkward as ak
import vector

if TYPE_CHECKING:
    from typing_extensions import Self

ChunkKey = tuple[int, str, int]  # the place of the file among those of its dataset, its path, the first entry


class EventChunks:
    """The events of some chunks of a dataset, which coffea can add, always in event order.

    Everything else is that of the array of all events: ``chunks.Jet.pt``, ``chunks[0]``, ``len(chunks)``,
    ``ak.num(chunks.Jet)``. The array itself is ``chunks.array``.

    Parameters
    ----------
    chunks
        Events, shape (event,), by their place.

    >>> first, second = (EventChunks({(1, "a.root", i): ak.Array([{"n": i}])}) for i in (0, 1))
    >>> (second + first).n.to_list()
    [0, 1]
    """

    def __init__(self, chunks: Mapping[ChunkKey, ak.Array]) -> None:
        self._chunks = dict(chunks)

    def __add__(self, other: object) -> EventChunks:
        """Return the events of both; a chunk that is in both is a ValueError."""
        total = EventChunks(self._chunks)
        total += other
        return total

    def __iadd__(self, other: object) -> Self:
        if not isinstance(other, EventChunks):
            msg = f"events of chunks are added to others, not to {type(other).__name__}"
            raise TypeError(msg)
        for key in other._chunks.keys() & self._chunks.keys():
            _, path, start = key
            msg = f"the chunk of {path} that begins at entry {start} would be added twice"
            raise ValueError(msg)
        self._chunks.update(other._chunks)
        self.__dict__.pop("array", None)
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[dict[ChunkKey, ak.Array]]]:
        """Pickle the chunks alone: the array of all would be the same events again."""
        return type(self), (self._chunks,)

    @cached_property
    def array(self) -> ak.Array:
        """All events in one array, file by file."""
        vector.register_awkward()  # the arrays may come from another process
        chunks = [self._chunks[key] for key in sorted(self._chunks)]
        return chunks[0] if len(chunks) == 1 else ak.concatenate(chunks)

    def __len__(self) -> int:
        return sum(map(len, self._chunks.values()))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def __getitem__(self, where: Any) -> Any:
        return self.array[where]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "array":
            raise AttributeError(name)
        return getattr(self.array, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.array.fields]

    def __repr__(self) -> str:
        return f"<EventChunks {self.array.typestr}>"

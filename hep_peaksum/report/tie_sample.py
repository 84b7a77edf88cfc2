"""How much of the result depends on the tie rule, in the first events of every dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hep_peaksum.calibration.calibrated_cells import taken_apart
from hep_peaksum.config.model import Config
from hep_peaksum.diagnostics.ties import RULES, TieAudit, audit_ties
from hep_peaksum.reading.blocks import read_cells
from hep_peaksum.report.accounts import Table
from hep_peaksum.report.displays import of_its_file
from hep_peaksum.results.checkpoints import Chunk
from hep_peaksum.results.chunk_files import part_paths
from hep_peaksum.results.manifest import Content

N_EVENTS = 100  # of a dataset
MOST_CELLS = 1_000_000  # of all events that are looked at
MOST_AUDITS = 10


def tie_table(directory: Path, config: Config, content: Content, unreadable: dict[str, str]) -> Table:
    """Return the seeds that every tie rule gives; why a dataset cannot be read is added to `unreadable`."""
    rows: list[tuple[object, ...]] = []
    for dataset, name, grid in _searches(config):
        chunks = (Chunk.of_name(dataset, path.stem) for path in part_paths(directory, dataset))
        chunk = next((each for each in chunks if each and each.n_entries), None)
        if chunk is None or dataset in unreadable or len(rows) == MOST_AUDITS:
            continue
        try:
            audit = _audit(of_its_file(config, content, chunk), dataset, name, grid)
        except (OSError, ValueError, RuntimeError) as error:
            unreadable[dataset] = str(error).splitlines()[0]
            continue
        label = name if len(config.clusters[name].grid) == 1 else f"{name} on {grid}"
        counts = [audit.n_seeds[rule] for rule in RULES]
        rows.append((dataset, label, audit.n_events, audit.n_dependent, *counts))
    columns = ("dataset", "collection", "events", "depend on the rule", *RULES)
    return Table.of("Seeds under every tie rule, in the first events of a file", columns, rows)


def _searches(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield every dataset with every collection and every grid of it."""
    for dataset in config.datasets:
        for name, collection in config.clusters.items():
            for grid in collection.grid:
                yield dataset, name, grid


def _audit(config: Config, dataset: str, collection: str, grid: str) -> TieAudit:
    """Return the audit of the first events, with the kernel that has nothing to compile."""
    source = config.grids[grid]
    settings = config.clusters[collection].settings.model_copy(update={"kernel": "scipy"})
    n_events = max(1, min(N_EVENTS, MOST_CELLS // source.n_cells))
    maps = source.mask_map(), source.noise_map()
    audits = []
    for block in read_cells(config, grid, dataset, max_events=n_events):
        cells, mask, noise = taken_apart(block, *maps)
        audit = audit_ties(cells, settings, source.grid, mask=mask, noise=noise, layers=source.layers)
        audits.append(audit)
    return TieAudit.joined(audits)

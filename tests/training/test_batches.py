"""Batches for training: every event once an epoch, whoever reads it, with its own image, clusters and truth."""

import gc
import itertools
import re
import tracemalloc
from collections import Counter

import awkward as ak
import numpy as np
import pytest
from places import DOCS

from hep_peaksum import batches, find_clusters
from hep_peaksum.config.load import parse_config
from hep_peaksum.config.yaml_io import ConfigError
from hep_peaksum.training.batches import Batch

EVENTS = {"a.root": (70, 1), "b.root": (1, 2), "c.root": (33, 3)}  # number of events, seed of the cells
ALL = Counter(1000 * seed + n for n_events, seed in EVENTS.values() for n in range(n_events))


@pytest.fixture
def sample(write_events, job):
    """Return a config of three files in two datasets; the branch `event` is another number for every event."""
    paths = {name: write_events(name, *of_file, truth=truth(*of_file)) for name, of_file in EVENTS.items()}
    files = {"first": [paths["a.root"], paths["b.root"]], "second": [paths["c.root"]]}
    datasets = {name: {"files": dict.fromkeys(each, "Events")} for name, each in files.items()}
    return parse_config(job(datasets=datasets))


def truth(n_events, seed):
    """Return lists of different lengths that tell to which event they belong."""
    return ak.Array([[1000 * seed + n] * (n % 3) for n in range(n_events)])


def numbers(epoch):
    """Return the numbers of the events of all batches."""
    return [int(n) for batch in epoch for n in batch.branches["event"]]


@pytest.mark.parametrize(
    ("batch_size", "buffer"), [(7, 1), *itertools.product([1, 7, 104, 1000], [12, 10_000])]
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_event_comes_once_an_epoch(sample, batch_size, buffer, shuffle):
    found = batches(sample, batch_size, branches=["event"], buffer=buffer, shuffle=shuffle)
    for _ in range(2):
        epoch = list(found)
        assert Counter(numbers(epoch)) == ALL
        assert [len(batch.images) for batch in epoch[:-1]] == [batch_size] * (len(epoch) - 1)
        assert len(epoch) == len(found) == -(-104 // batch_size)


def test_all_columns_of_an_event_stay_together(sample, random_cells):
    cells = {
        1000 * seed + n: each
        for n_events, seed in EVENTS.values()
        for n, each in enumerate(random_cells(n_events, seed))
    }
    settings, grid = sample.clusters["Jet"].settings, sample.grids["calo"].grid
    for batch in batches(sample, 10, clusters=["Jet"], branches=["event", "truth"], buffer=20):
        events = [int(n) for n in batch.branches["event"]]
        assert batch.images.tolist() == [cells[n].tolist() for n in events]
        assert batch.dataset.tolist() == [int(n >= 3000) for n in events]
        assert batch.branches["truth"].to_list() == [[n] * (n % 1000 % 3) for n in events]
        expected = find_clusters(np.stack([cells[n] for n in events]), settings, grid)
        for name in ("row", "col", "peak_sum", "pt", "eta", "phi"):
            assert batch.clusters["Jet"][name].to_list() == expected[name].to_list()


def test_an_order_is_that_of_its_seed_and_epoch(sample):
    first, again, other = (batches(sample, 9, branches=["event"], buffer=30, seed=seed) for seed in (1, 1, 2))
    orders = [numbers(first), numbers(first), numbers(other)]
    assert len({tuple(order) for order in orders}) == 3
    assert [numbers(again), numbers(again)] == orders[:2]
    again.epoch = 1
    assert numbers(again) == orders[1]


def test_without_shuffling_the_order_is_that_of_the_files(sample):
    assert numbers(batches(sample, 9, branches=["event"], buffer=30, shuffle=False)) == list(ALL)


def test_events_of_a_batch_come_from_all_over_the_sample(write_events, job):
    """A buffer of a tenth of the events: a batch in the middle spans most of the file."""
    config = parse_config(job(write_events("many.root", 2000)))
    epoch = [batch.branches["event"] for batch in batches(config, 50, branches=["event"], buffer=200)]
    assert np.median([np.ptp(events.astype(int)) for events in epoch]) > 1000
    assert np.mean([abs(np.diff(events.astype(int))).mean() for events in epoch]) > 200


@pytest.mark.parametrize("n", [2, 3, 50])
def test_processes_share_the_events(sample, n):
    parts = [batches(sample, 4, branches=["event"], buffer=8, shard=(k, n)) for k in range(n)]
    assert Counter(itertools.chain.from_iterable(numbers(part) for part in parts)) == ALL
    assert sum(part.n_events for part in parts) == 104


def test_workers_share_the_events_of_each_process(sample):
    parts = [batches(sample, 4, branches=["event"], buffer=8, shard=(k, 2)) for k in range(2)]
    found = Counter(
        n for part in parts for worker in range(3) for n in numbers(part.of_worker(worker, 3, key=7))
    )
    assert found == ALL


def test_only_the_datasets_that_are_asked_for(sample):
    (batch,) = batches(sample, 100, datasets=["second"], branches=["event"])
    assert sorted(batch.branches["event"]) == list(range(3000, 3033))
    assert set(batch.dataset) == {1}


def test_a_batch_becomes_what_the_training_needs(sample):
    found = batches(sample, 50, to=lambda batch: (batch.images[..., None], batch.dataset))
    shapes = [(images.shape, labels.shape) for images, labels in found]
    assert shapes == [((50, 6, 8, 1), (50,)), ((50, 6, 8, 1), (50,)), ((4, 6, 8, 1), (4,))]


def test_endless_batches_go_on_with_the_next_epoch(sample):
    found = batches(sample, 30, branches=["event"], seed=3)
    many = list(itertools.islice(found.endless(), 2 * len(found)))
    again = batches(sample, 30, branches=["event"], seed=3)
    assert numbers(many) == numbers(again) + numbers(again)


def test_a_config_is_a_path_or_its_content(sample, write_events, job, tmp_path):
    import yaml

    content = job(write_events("d.root", 5))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for config in (content, tmp_path / "config.yaml", str(tmp_path / "config.yaml")):
        assert [len(batch.images) for batch in batches(config, 3)] == [3, 2]


@pytest.fixture
def usual_collection():
    """Have Python look for garbage as often as by default: other tests run commands, which change it."""
    thresholds = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*thresholds)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_sample(write_events, job, usual_collection):
    peaks = []
    for n_files in (2, 12):
        files = [write_events(f"{n_files}-{k}.root", 400, k) for k in range(n_files)]
        config = parse_config(job(*files))
        list(batches(config, 10, buffer=200))  # what is allocated once
        tracemalloc.start()
        for number, _ in enumerate(batches(config, 10, buffer=200)):
            if number % 20 == 0:
                gc.collect()  # closed files of uproot are circles of objects
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 12 * 400 * 6 * 8 * 4, "less than the images of all events"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"batch_size": 0}, "batch_size is 0, expected a whole number from 1"),
        ({"buffer": 0}, "buffer is 0, expected a whole number from 1"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0"),
        ({"shard": (2, 2)}, r"shard is \(2, 2\), expected this process and the number of processes"),
        ({"grid": "cello"}, r"no grid 'cello' \(did you mean 'calo'\?\): the config has calo"),
        ({"clusters": ["Jett"]}, r"no collection 'Jett' \(did you mean 'Jet'\?\): the config has Jet"),
        (
            {"datasets": ["frist"]},
            r"no dataset 'frist' \(did you mean 'first'\?\): the config has first, second",
        ),
    ],
)
def test_what_is_not_in_the_config_is_an_error(sample, options, problem):
    with pytest.raises(ValueError, match=problem):
        batches(sample, **{"batch_size": 4, **options})


def test_one_name_is_no_list_of_names(sample):
    with pytest.raises(TypeError, match=r"'Jet' is one name, expected a list of them, as in \['Jet'\]"):
        batches(sample, 4, clusters="Jet")


def test_a_missing_branch_or_file_is_an_error_not_a_loss(sample, job, tmp_path):
    with pytest.raises(ValueError, match=r"no branch 'evnt' \(did you mean 'event'\?\)"):
        list(batches(sample, 4, branches=["evnt"]))
    with pytest.raises(ConfigError, match=r"gone\.root"):
        batches(job(str(tmp_path / "gone.root")), 4)


def test_an_event_that_does_not_fit_is_named_by_file_and_entry(write_root, job):
    cells = ak.Array([[1.0] * 48, [1.0] * 48, [1.0] * 47])
    path = write_root("short.root", {"Events": {"cells": cells}})
    with pytest.raises(ValueError, match=r"short\.root: entry 2: cells: 47 values where the grid needs 48"):
        list(batches(job(path, events={}), 1, shuffle=False, buffer=4))


@pytest.fixture
def page(write_events, job, tmp_path, monkeypatch):
    """Return the snippets of the page by what they are for, and the names that the first one defines."""
    import yaml

    path = write_events("d.root", 90, true_energy=np.arange(90, dtype="f4"))
    (tmp_path / "peaksum.yaml").write_text(yaml.safe_dump(job(path)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    section = (DOCS / "use-it-from.md").read_text(encoding="utf-8").partition("## Training")[2]
    first, *others = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)[:4]
    names = {}
    exec(first, names)
    return dict(zip(("keras", "torch", "tensorflow"), others, strict=True)), names


def test_the_batches_of_the_page_are_images_and_truth(page):
    shapes = [(images.shape, truth.shape) for images, truth in page[1]["batches"]]
    assert shapes == [((64, 6, 8, 1), (64,)), ((26, 6, 8, 1), (26,))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_torch_gets_what_the_page_shows(page):
    snippets, names = page
    names["torch"] = pytest.importorskip("torch", reason="torch is not installed")
    exec(snippets["torch"], names)
    assert sorted(float(e) for _, truth in names["loader"] for e in truth) == list(range(90))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_keras_on_tensorflow_trains_as_the_page_shows(page):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    import keras

    snippets, names = page
    model = keras.Sequential([keras.Input((6, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mae")
    names["model"] = model
    for word in ("keras", "tensorflow"):
        exec(snippets[word], names)
        assert len(model.history.history["loss"]) == 10


def arrays(batch: Batch):
    """Make of a batch what frameworks take; at the top, so that processes can be started with it."""
    return batch.images, batch.branches["event"].astype("i8")


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_torch_workers_share_the_events(sample, n_workers):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    found = batches(sample, 8, branches=["event"], buffer=16, to=arrays)
    torch.manual_seed(1)
    loader = torch.utils.data.DataLoader(
        found.torch(), batch_size=None, num_workers=n_workers, persistent_workers=n_workers > 1
    )
    epochs = [[int(n) for _, events in loader for n in events] for _ in range(3)]
    assert [Counter(epoch) for epoch in epochs] == [ALL] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3, "every epoch has an order of its own"


@pytest.mark.slow
def test_torch_orders_are_those_of_the_seeds(sample):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    orders = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found = batches(sample, 8, branches=["event"], buffer=16, to=arrays).torch()
        loader = torch.utils.data.DataLoader(found, batch_size=None, num_workers=2)
        orders.append([int(n) for _, events in loader for n in events])
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.slow
def test_torch_workers_may_be_started_afresh(sample):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    found = batches(sample, 8, branches=["event"]).torch()
    loader = torch.utils.data.DataLoader(found, None, num_workers=2, multiprocessing_context="spawn")
    assert Counter(numbers(loader)) == ALL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tensorflow_gets_every_event_once_an_epoch(sample):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    found = batches(sample, 10, branches=["event"], buffer=20, to=arrays).tensorflow()
    assert [spec.shape.as_list() for spec in found.element_spec] == [[None, 6, 8], [None]]
    epochs = [[int(n) for _, events in found for n in events.numpy()] for _ in range(2)]
    assert [Counter(epoch) for epoch in epochs] == [ALL] * 2
    assert epochs[0] != epochs[1]

"""Prefetching changes neither items nor errors nor their order, and leaves no thread behind."""

import threading
import time

import pytest

from hep_peaksum.reading.prefetch import prefetch


def test_the_next_item_is_made_while_the_last_one_is_used():
    made = threading.Event()

    def items():
        yield 1
        made.set()
        yield 2

    result = prefetch(items())
    assert next(result) == 1
    assert made.wait(10)
    assert list(result) == [2]


def test_at_most_one_item_is_prefetched():
    made = []
    result = prefetch(made.append(n) or n for n in range(10))
    next(result)
    time.sleep(0.1)
    assert made == [0, 1]
    result.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        msg = "no third"
        raise ValueError(msg)

    result = prefetch(items())
    assert [next(result), next(result)] == [1, 2]
    with pytest.raises(ValueError, match="no third"):
        next(result)
    assert list(result) == []


@pytest.mark.parametrize("n_used", [0, 1, 3])
def test_no_thread_outlives_its_items(n_used):
    before = set(threading.enumerate())
    result = prefetch(prefetch(range(3)))
    for _ in range(n_used):
        next(result)
    result.close()
    assert set(threading.enumerate()) <= before

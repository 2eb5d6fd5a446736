"""Reading ahead: results in order, a bounded number ahead, errors in place, and an early end."""

import threading

import pytest

from claran_core.common.read_ahead import read_ahead


def test_results_come_in_order_and_reading_stays_within_ahead() -> None:
    read, worked = [], []
    for value in read_ahead(lambda item: read.append(item) or 10 * item, range(20), ahead=3):
        worked.append(value)
        assert len(read) <= len(worked) + 3
    assert worked == [10 * item for item in range(20)]


def test_the_next_item_is_read_while_the_caller_works_on_one() -> None:
    second = threading.Event()
    for value in read_ahead(lambda item: second.set() if item else None, range(2)):
        assert second.wait(10) and value is None


def test_an_error_is_raised_in_place_of_its_result() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise ValueError("no good")
        return item

    values = read_ahead(read, range(5))
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(ValueError, match="no good"):
        next(values)


def test_no_items_give_no_results() -> None:
    assert list(read_ahead(lambda item: item, [])) == []


def test_without_reading_ahead_items_are_read_in_the_callers_thread() -> None:
    threads = []
    for _ in read_ahead(lambda item: threads.append(threading.current_thread()), range(3), ahead=0):
        pass
    assert threads == [threading.current_thread()] * 3


def test_several_workers_read_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)
    assert list(read_ahead(lambda item: together.wait() >= 0, range(6), ahead=6, workers=3)) == [True] * 6


def test_closing_it_early_stops_the_reads_and_drops_the_rest() -> None:
    read, stopped = [], threading.Event()

    def slow(item: int) -> None:
        read.append(item)
        if item:
            assert stopped.wait(10)

    values = read_ahead(slow, range(100), ahead=50, stop=stopped.set)
    next(values)
    values.close()
    assert stopped.is_set() and len(read) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]

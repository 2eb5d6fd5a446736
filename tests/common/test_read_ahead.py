"""What comes next is read while what came is worked on: in order, not too far ahead, errors in place."""

import threading

import pytest

from claran_core.common.read_ahead import read_ahead


def test_order_is_kept_and_no_more_is_read_than_asked_for():
    read, worked = [], []
    for value in read_ahead(lambda item: read.append(item) or 10 * item, range(20), ahead=3):
        worked.append(value)
        assert len(read) <= len(worked) + 3
    assert worked == [10 * item for item in range(20)]


def test_the_next_is_read_while_one_is_worked_on():
    second = threading.Event()
    for value in read_ahead(lambda item: second.set() if item else None, range(2)):
        assert second.wait(10) and value is None


def test_an_error_comes_where_its_result_would_have_come():
    def read(item):
        if item == 2:
            raise ValueError("no good")
        return item

    values = read_ahead(read, range(5))
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(ValueError, match="no good"):
        next(values)


def test_nothing_gives_nothing():
    assert list(read_ahead(lambda item: item, [])) == []

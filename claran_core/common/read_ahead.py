"""Reading what comes next while what came is worked on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["read_ahead"]

Item = TypeVar("Item")
Content = TypeVar("Content")


def read_ahead(
    read: Callable[[Item], Content], items: Iterable[Item], *, ahead: int = 1
) -> Iterator[Content]:
    """Yield what `read` returns for each item, in their order.

    Parameters
    ----------
    read : callable
        Called in other threads; what it raises is raised where its result would have come.
    items : iterable
        What to read.
    ahead : int
        How many items are read beyond the one that is worked on: memory holds so many more.
    """
    waiting: deque[Future[Content]] = deque()
    with ThreadPoolExecutor(ahead) as pool:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

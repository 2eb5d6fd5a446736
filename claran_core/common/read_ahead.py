"""Prepare the next items in threads while the caller works on the current one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["read_ahead"]

Item = TypeVar("Item")
Content = TypeVar("Content")


def read_ahead(
    read: Callable[[Item], Content],
    items: Iterable[Item],
    *,
    ahead: int = 1,
    workers: int = 1,
    stop: Callable[[], None] | None = None,
) -> Generator[Content, None, None]:
    """Yield what `read` returns for each item, in the order of the items.

    If the generator is closed early or `read` raises, items that have not been started are dropped, and the
    generator waits only for those being read.

    Parameters
    ----------
    read : callable
        Called in other threads.  What it raises is raised in place of its result.
    items : iterable
        Items to read.
    ahead : int
        Number of items read beyond the current one, all of them held in memory; 0: each item is read in the
        caller's thread when its turn comes.
    workers : int
        Number of threads.
    stop : callable, optional
        Called when the items are abandoned, so that slow reads can end early.
    """
    if ahead == 0:
        yield from map(read, items)
        return
    waiting: deque[Future[Content]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BaseException:  # GeneratorExit and KeyboardInterrupt included
        if stop is not None:
            stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)

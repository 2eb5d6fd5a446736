"""Run Snakemake with one status check per second, to keep the tests of Slurm short.

The executor plugin adds ten seconds to the pause between two checks whenever no job has ended.  That spares
the controller of a real cluster, but here it would be most of the run time.  Nothing else differs from
``python -m snakemake``.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

PAUSE_S = 1.0


async def pause(executor: RemoteExecutor) -> None:
    """Wait until the next status check."""
    await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    RemoteExecutor.sleep = pause
    sys.exit(main())

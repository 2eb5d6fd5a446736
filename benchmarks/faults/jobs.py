"""The jobs that Snakemake plans, to be executed one by one in this process."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

from claran_core.common.paths import REPOSITORY

__all__ = ["Files", "execute", "planned_jobs"]


class Files:
    """Input or output of a job: by name as attribute or key, as Snakemake gives it to a script."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        try:
            return self._entries[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an entry, or the default."""
        return self._entries.get(name, default)

    def changed(self, **entries: Any) -> "Files":
        """Return the same with other entries."""
        return Files(self._entries | entries)


def planned_jobs(folder: Path, *targets: str) -> list[SimpleNamespace]:
    """Return all jobs of a run, in an order in which they can be executed.

    Parameters
    ----------
    folder : Path
        Folder of the run, with its ``settings.yaml``.
    *targets : str
        Stages.
    """
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[folder / "settings.yaml"]),
            snakefile=REPOSITORY / "Snakefile",
            workdir=folder,
        )
        workflow.dag(dag_settings=DAGSettings(targets=set(targets), forceall=True)).execute_workflow(
            executor="dryrun"
        )
        built = workflow._workflow
        return [
            _described(job, built.config)
            for level in built.dag.toposorted()
            for job in sorted(level, key=str)
            if job.rule.script
        ]


def execute(job: SimpleNamespace, folder: Path) -> bool:
    """Execute the script of a job in a folder; return whether it ended without error."""
    script = REPOSITORY / "workflow" / "scripts" / f"{job.rule}.py"
    before = Path.cwd()
    os.chdir(folder)
    try:
        runpy.run_path(str(script), {"snakemake": job}, "__main__")
    except SystemExit as ended:
        return not ended.code
    finally:
        os.chdir(before)
    return True


def _described(job: Any, config: dict[str, Any]) -> SimpleNamespace:
    """Return what a script needs of a job."""
    return SimpleNamespace(
        rule=job.rule.name,
        input=Files(dict(_named(job.input))),
        output=Files(dict(_named(job.output))),
        params=Files(dict(job.params.items())),
        wildcards=Files(dict(job.wildcards.items())),
        log=list(map(str, job.log)),
        threads=1,
        config=config,
        inputs=list(map(str, job.input)),
        outputs=list(map(str, job.output)),
    )


def _named(files: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and files; a list of files stays a list."""
    for name, entry in files.items():
        yield name, str(entry) if isinstance(entry, str) else [str(path) for path in entry]

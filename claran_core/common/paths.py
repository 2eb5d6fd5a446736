"""All file names of a run.

The workflow calls the same methods with the wildcards ``{shard}`` and ``{method}`` as arguments, so a rule
and its code always use the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EVALUATION_FIGURES", "REPOSITORY", "Results", "missing", "resolve_path"]

REPOSITORY = Path(__file__).resolve().parents[2]

# In the order of the report: paper Fig. 10, then the topics of Tables 8, 10 and 11 and Fig. 13, 14 and 16.
EVALUATION_FIGURES = (
    "precision_recall",
    "confusion",
    "calibration",
    "box_sizes",
    "consensus",
    "completeness",
)


@dataclass(frozen=True)
class Results:
    """File names below the results folder, in the order of the stages."""

    root: Path = Path("results")

    @property
    def config(self) -> Path:
        """The merged configuration of the run."""
        return self.root / "config.yaml"

    @property
    def targets(self) -> Path:
        """Targets with their shards (`claran_core.common.tables.TARGETS`)."""
        return self.root / "targets.parquet"

    def shard_targets(self, shard: str) -> Path:
        """Targets of one shard, written once; added targets do not change it."""
        return self.root / "targets" / f"{shard}.parquet"

    def images(self, band: str) -> Path:
        """Index of the images in the folder of a band (`claran_core.common.tables.IMAGES`)."""
        return self.root / "images" / f"{band}.parquet"

    def shard_images(self, shard: str, band: str) -> Path:
        """Part of that index that the subjects of one shard may need; written only if it changes."""
        return self.root / "images" / band / f"{shard}.parquet"

    def cutouts(self, shard: str, band: str) -> Path:
        """Cut-outs of one shard and band (`claran_core.cutouts.cutout_file`)."""
        return self.root / "cutouts" / shard / f"{band}.arrow"

    def ledger(self, shard: str) -> Path:
        """Status of each (subject, survey) of a shard (`claran_core.common.tables.LEDGER`)."""
        return self.root / "cutouts" / shard / "ledger.parquet"

    def second_ledger(self, shard: str) -> Path:
        """The same of the second radio survey alone."""
        return self.root / "cutouts" / shard / "second_radio.ledger.parquet"

    def journal(self, shard: str) -> Path:
        """Folder of the images that an unfinished or partly failed shard has fetched from archives."""
        return self.root / "cutouts" / shard / ".journal"

    def second_journal(self, shard: str) -> Path:
        """The same of the second radio survey alone."""
        return self.root / "cutouts" / shard / ".second_radio_journal"

    def components(self, shard: str) -> Path:
        """Components of the subjects of one shard (`claran_core.common.tables.COMPONENTS`)."""
        return self.root / "components" / f"{shard}.parquet"

    def noise(self, shard: str) -> Path:
        """Noise of the radio images of one shard (`claran_core.common.tables.NOISE`)."""
        return self.root / "components" / f"{shard}.noise.parquet"

    def fused(self, method: str, shard: str) -> Path:
        """Fused images ``(n, ny, nx, 3)`` uint8 of one shard."""
        return self.root / "fused" / method / f"{shard}.npy"

    def fused_index(self, method: str, shard: str) -> Path:
        """One row per fused image, in the same order (`claran_core.common.tables.FUSED`)."""
        return self.root / "fused" / method / f"{shard}.parquet"

    def shard_labels(self, shard: str) -> Path:
        """Truth of one shard (`claran_core.common.tables.LABELS`)."""
        return self.root / "labels" / f"{shard}.parquet"

    def owners(self, shard: str) -> Path:
        """True source of each component of one shard (`claran_core.common.tables.OWNERS`)."""
        return self.root / "labels" / f"{shard}.owners.parquet"

    @property
    def labels(self) -> Path:
        """Truth of the whole run (`claran_core.common.tables.LABELS`)."""
        return self.root / "labels.parquet"

    def model(self, method: str) -> Path:
        """Folder of one method's training: checkpoint, weights, losses."""
        return self.root / "model" / method

    def checkpoint(self, method: str) -> Path:
        """State of an unfinished training; removed at its end."""
        return self.model(method) / "checkpoint.pt"

    def training_job(self, method: str) -> Path:
        """Settings that the processes of a distributed training read."""
        return self.model(method) / "job.json"

    def weights(self, method: str) -> Path:
        """Weights with their metadata (safetensors)."""
        return self.model(method) / "weights.safetensors"

    def losses(self, method: str) -> Path:
        """Losses of every iteration (`claran_core.common.tables.LOSSES`)."""
        return self.model(method) / "losses.parquet"

    def detections(self, method: str, shard: str) -> Path:
        """Detections of one shard, before any filter (`claran_core.common.tables.DETECTIONS`)."""
        return self.root / "detections" / method / f"{shard}.parquet"

    def candidates(self, method: str, shard: str) -> Path:
        """Scored groups of components of one shard (`claran_core.common.tables.CANDIDATES`)."""
        return self.root / "candidates" / method / f"{shard}.parquet"

    def associated(self, shard: str) -> Path:
        """Sources that subjects of one shard show best (`claran_core.common.tables.ASSOCIATED`)."""
        return self.root / "catalogue" / "associated" / f"{shard}.parquet"

    @property
    def atoms(self) -> Path:
        """Components on the sky with their outcomes (`claran_core.common.tables.ATOMS`)."""
        return self.root / "catalogue" / "atoms.parquet"

    def shard_sources(self, shard: str) -> Path:
        """Measured sources of one shard (`claran_core.catalogue.product.schema.SOURCES`)."""
        return self.root / "catalogue" / "sources" / f"{shard}.parquet"

    @property
    def outcomes(self) -> Path:
        """Outcome of every component (`claran_core.catalogue.product.schema.OUTCOMES`)."""
        return self.root / "catalogue" / "outcomes.parquet"

    @property
    def contours(self) -> Path:
        """Contours of every source (`claran_core.catalogue.product.schema.CONTOURS`)."""
        return self.root / "catalogue" / "contours.parquet"

    @property
    def matched_targets(self) -> Path:
        """The user's targets with what was found near each (`claran_core.catalogue.match_targets`)."""
        return self.root / "catalogue" / "targets.parquet"

    @property
    def catalogue(self) -> Path:
        """The catalogue, the product of a run."""
        return self.root / "catalogue" / "catalogue.parquet"

    @property
    def catalogue_ledger(self) -> Path:
        """The ledger of all shards, one row per (subject, survey)."""
        return self.root / "catalogue" / "ledger.parquet"

    def evaluation(self, method: str) -> Path:
        """Folder of one method's metrics and figures."""
        return self.root / "evaluation" / method

    def metrics(self, method: str) -> Path:
        """All numbers of one method's evaluation (JSON)."""
        return self.evaluation(method) / "metrics.json"

    def evaluation_figures(self, method: str) -> dict[str, Path]:
        """Figures of one method's evaluation, by name."""
        return {name: self.evaluation(method) / f"{name}.png" for name in EVALUATION_FIGURES}

    def true_sources(self, method: str) -> Path:
        """True sources and their detections (`claran_core.evaluation.sources.TRUE_SOURCES`)."""
        return self.evaluation(method) / "sources.parquet"

    def thresholds(self, method: str) -> Path:
        """Counts by minimum probability (`claran_core.evaluation.completeness.THRESHOLDS`)."""
        return self.evaluation(method) / "thresholds.parquet"

    def loss_curves(self, method: str) -> Path:
        """Training losses of one method, as paper Fig. 8 and 9."""
        return self.evaluation(method) / "losses.png"

    def catalogue_evaluation(self, name: str) -> Path:
        """Comparison of the catalogue with the truth of the simulated sky: tables, metrics and figure."""
        return self.root / "evaluation" / "catalogue" / name

    def comparison(self, name: str) -> Path:
        """Comparison of the catalogue with one of the user: matches, metrics and figure."""
        return self.root / "evaluation" / "comparison" / name

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def report_files(self) -> Path:
        """Folder of the report's gallery: data, pictures and code."""
        return self.root / "report"


def missing(files: Mapping[str, Path]) -> set[str]:
    """Return the names of files that do not exist; all are in one folder, which is listed once."""
    folder = next((path.parent for path in files.values()), None)
    present = {entry.name for entry in folder.iterdir()} if folder and folder.is_dir() else set()
    return {name for name, path in files.items() if path.name not in present}


def resolve_path(path: str, working_directory: Path | None = None) -> Path:
    """Return the absolute path of a path in the configuration.

    ``resources/...`` is relative to the repository, any other relative path to `working_directory` (default:
    the current one).
    """
    given = Path(path).expanduser()
    if given.is_absolute():
        return given
    if given.parts[:1] == ("resources",):
        return REPOSITORY / given
    return (working_directory or Path.cwd()) / given

# This part of the workflow holds what all stages share: the checked settings, the file names, the
# shards, and the functions that rules use as input and parameters.
#
# REQUIRED INPUTS: the merged configuration; the target table it names.
# OUTPUTS: none.

import json
import os
import sys

from claran_core import __version__
from claran_core.settings.config import Config, check_pretrained, plain
from claran_core.common.paths import resolve_path
from claran_core.common.errors import ClaranError
from claran_core.evaluation.catalogue_scores import catalogue_summary
from claran_core.evaluation.other_catalogue import find_other_catalogue
from claran_core.evaluation.metrics import summary_line
from claran_core.common.paths import Results
from claran_core.targets.shards import plan
from claran_core.survey.surveys import survey_named
from claran_core.survey.directory.image_index import files_digest
from claran_core.cutouts.providers import folder_of, label_table_of
from claran_core.labels.shard import truth_kind
from claran_core.model.weights_header import given_weights

# Threads of a training that wait for each other must soon sleep: spinning on, they slow it thirtyfold
# where anything else runs on the machine (docs/decisions/018-waiting-threads-sleep.md).
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if workflow.remote_exec:
    # The job of a group of shards: one that fails must not leave those after it unmade.  Snakemake 9 does not hand
    # `keep-going` on to such jobs, and its settings are there only when it executes.
    execute = workflow.execute

    def execute_all(**settings):
        workflow.execution_settings.keep_going = True
        execute(**settings)

    workflow.execute = execute_all

RESULTS = Results(Path("results"))
LOGS = RESULTS.root / "logs"
BENCHMARKS = RESULTS.root / "benchmarks"
CONDA_ENVIRONMENT = Path(workflow.basedir) / "envs" / "claran.yaml"

try:
    CONFIG = Config.from_dict(config)
    TARGET_TABLE = resolve_path(CONFIG.targets.path)
    SHARDS = plan(CONFIG, TARGET_TABLE, RESULTS)
    TRUTH = truth_kind(CONFIG.survey.radio.source, TARGET_TABLE)
    label_table_of(CONFIG.survey.simulated)  # there, if it is given: better told now than by each job
    OTHER_CATALOGUE = find_other_catalogue(CONFIG.evaluation.compare_with)
except ClaranError as error:
    sys.exit(f"claran: {error}")

METHODS = CONFIG.fusion.methods
# Bands whose images lie on disk.
DIRECTORY_BANDS = [
    band for band in ("radio", "infrared") if getattr(CONFIG.survey, band).source == "directory"
]
# What there is to evaluate of the catalogue: against the truth of the simulated sky, beside the user's.
CATALOGUE_EVALUATION = [RESULTS.catalogue_evaluation("metrics.json")] if TRUTH == "simulated" else []
CATALOGUE_COMPARISON = [RESULTS.comparison("metrics.json")] if OTHER_CATALOGUE else []
# What decides how a fused image looks; adding a method must not make the others again.
FUSION = {key: value for key, value in plain(CONFIG.fusion).items() if key != "methods"}
try:
    GIVEN_WEIGHTS, UNFIT_WEIGHTS = given_weights(CONFIG)
    TRAINED_HERE = tuple(method for method in METHODS if method not in GIVEN_WEIGHTS)
    PRETRAINED = check_pretrained(CONFIG.model) if TRAINED_HERE else []
except ClaranError as error:
    sys.exit(f"claran: {error}")
if TRAINED_HERE and not TRUTH:
    sys.exit(
        f"claran: config: no weights for {', '.join(TRAINED_HERE)} and no truth to train them with; "
        f"give model.weights, for example {{{TRAINED_HERE[0]}: my/weights.safetensors}}"
        + "".join(f" ({reason})" for reason in UNFIT_WEIGHTS)
    )


wildcard_constraints:
    shard=r"\d+",  # as claran_core.targets.shards names them
    method="F|D1|D2|D3|D4",  # fusion methods of the paper
    band="radio|infrared",


def for_shards(path, **wildcards):
    """Names of one kind of file for all shards, from a method of `Results`."""
    return [path(shard=shard, **wildcards) for shard in SHARDS.names]


def weights_of(method):
    """The user's weights of a method, or those trained in this run."""
    return str(GIVEN_WEIGHTS.get(method) or RESULTS.weights(method))


def get_weights(wildcards):
    """Weights of the wildcard's method."""
    return weights_of(wildcards.method)


def get_fused(wildcards):
    """Fused images of one method, all shards."""
    return for_shards(RESULTS.fused, method=wildcards.method)


def get_fused_index(wildcards):
    """Tables beside the fused images of one method, all shards."""
    return for_shards(RESULTS.fused_index, method=wildcards.method)


def get_fused_components(wildcards):
    """Components of the subjects of one method's images, all shards."""
    return for_shards(RESULTS.fused_components, method=wildcards.method)


def get_detections(wildcards):
    """Detections of one method, all shards."""
    return for_shards(RESULTS.detections, method=wildcards.method)


def get_sampled_pixels():
    """Settings that decide which pixels a subject has, and nothing else."""
    survey = plain(CONFIG.survey)
    if not CONFIG.survey.uses_archive:
        del survey["archive"]
    return {
        "survey": survey,
        "frame": plain(CONFIG.fusion.frame),
        "seed": CONFIG.seed,
    }


def get_band_survey(wildcards):
    """Settings of the wildcard's survey."""
    return plain(getattr(CONFIG.survey, wildcards.band))


def get_files_digest(wildcards):
    """What changes with the images on disk; asked once, not by each job of a cluster."""
    if not workflow.is_main_process:
        return ""
    options = getattr(CONFIG.survey, wildcards.band)
    try:
        return files_digest(survey_named(options.name), folder_of(options), options.pattern)
    except ClaranError as error:
        sys.exit(f"claran: {error}")


def get_archive_jobs(wildcards):
    """Of the resource that a profile limits so that few jobs of a cluster ask archives at a time."""
    return int(CONFIG.survey.uses_archive)


def get_cutout_runtime(wildcards, attempt):
    """Minutes for the cut-outs of a shard: archives answer about one request per second."""
    return (240 if CONFIG.survey.uses_archive else 60) * attempt


def print_unfit_weights():
    """Tell which weights that ship do not fit the settings, so that others are trained."""
    for reason in UNFIT_WEIGHTS:
        print(f"claran: training anew, because of {reason}")


def print_summary():
    """Tell where the products are, and how good the detections were where truth is known."""
    for method in METHODS:
        if RESULTS.metrics(method).exists():
            print(summary_line(json.loads(RESULTS.metrics(method).read_text())))
            print("Metrics:  ", RESULTS.metrics(method).resolve())
    against_truth = RESULTS.catalogue_evaluation("metrics.json")
    if CATALOGUE_EVALUATION and against_truth.exists():
        print(catalogue_summary(json.loads(against_truth.read_text())))
    for name, path in (("Catalogue:", RESULTS.catalogue), ("Report:   ", RESULTS.report)):
        if path.exists():
            print(name, path.resolve())

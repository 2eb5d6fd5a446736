# This part of the workflow defines what all stages share: the validated settings, the file names, the
# shards, and the functions that give rules their input and parameters.
#
# REQUIRED INPUTS: the merged configuration; the target table that it names.
# OUTPUTS: none.

import json
import os
import sys

from claran_core import __version__
from claran_core.common.errors import ClaranError
from claran_core.common.paths import Results, resolve_path
from claran_core.common.temporary import sweep
from claran_core.cutouts.providers import label_table_of
from claran_core.cutouts.shard_images import plan_images
from claran_core.evaluation.catalogue_scores import catalogue_summary
from claran_core.evaluation.metrics import summary_line
from claran_core.evaluation.other_catalogue import find_other_catalogue
from claran_core.fusion import render
from claran_core.labels.own_labels import read_own_labels
from claran_core.labels.shard import truth_kind
from claran_core.model.weights_choice import given_weights, start_weights
from claran_core.report.notices import read_notices
from claran_core.settings.config import Config
from claran_core.settings.model import check_pretrained
from claran_core.targets.shards import plan

# Threads of a training must sleep soon while they wait for each other.  On a machine with other work, threads
# that spin slow a training down thirtyfold (docs/decisions/018-waiting-threads-sleep.md).
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if workflow.remote_exec:
    # A job of a cluster runs a group of shards, and must go on to the next shard when one fails.  Snakemake 9
    # does not pass `keep-going` on to such jobs; it can be set only when the job executes.
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
    # A job of a cluster needs the names of the shards alone; the process that plans all jobs checks the file.
    SHARDS = plan(CONFIG, TARGET_TABLE, RESULTS, verify=workflow.is_main_process)
    # Labels of the user, and the folder of the images that they name.
    OWN_LABELS, LABEL_IMAGES = (
        name and resolve_path(name) for name in (CONFIG.labels.path, CONFIG.labels.images)
    )
    TRUTH = truth_kind(CONFIG.survey.radio.source, TARGET_TABLE, OWN_LABELS, CONFIG.model.classes)
    if OWN_LABELS and workflow.is_main_process:
        read_own_labels(OWN_LABELS, LABEL_IMAGES, CONFIG.model.classes)  # refused here if they have a fault
    label_table_of(CONFIG.survey.simulated)  # refused here if it is missing, not by each job
    OTHER_CATALOGUE = find_other_catalogue(CONFIG.evaluation.compare_with)
    # Surveys whose images are on disk.
    ON_DISK = [options.role for options in CONFIG.survey.entries if options.source == "directory"]
    HAS_SECOND = CONFIG.survey.second_radio.source != "none"
    # Only the process that plans all jobs looks for changed files, not each job of a cluster.
    IMAGES = {
        role: plan_images(
            getattr(CONFIG.survey, role),
            CONFIG.fusion.frame,
            RESULTS,
            shards=SHARDS.names,
            changed=SHARDS.stale,
        )
        for role in (ON_DISK if workflow.is_main_process else [])
    }
except ClaranError as error:
    sys.exit(f"claran: {error}")

METHODS = CONFIG.fusion.methods
# Evaluations of the catalogue: against the truth of the simulated sky, and against the user's catalogue.
CATALOGUE_EVALUATION = [RESULTS.catalogue_evaluation("metrics.json")] if TRUTH == "simulated" else []
CATALOGUE_COMPARISON = [RESULTS.comparison("metrics.json")] if OTHER_CATALOGUE else []
# Settings that decide how a fused image looks.  Without `methods`: a new method leaves the images of the
# others as they are.
FUSION = CONFIG.fusion.as_dict(exclude={"methods"})
try:
    GIVEN_WEIGHTS, UNFIT_WEIGHTS = given_weights(CONFIG)
    TRAINED_HERE = tuple(method for method in METHODS if method not in GIVEN_WEIGHTS)
    PRETRAINED = check_pretrained(CONFIG.model) if TRAINED_HERE else []
    STARTS = start_weights(CONFIG, GIVEN_WEIGHTS)
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
    method="|".join(render.METHODS),  # all fusion methods that the package can draw
    band="radio|second_radio|infrared",


def for_shards(path, **wildcards):
    """Return the names of one kind of file for all shards, from a method of `Results`."""
    return [path(shard=shard, **wildcards) for shard in SHARDS.names]


def of_shards(path, **wildcards):
    """Return an input function that calls `for_shards`, so that jobs do not list the inputs of other rules."""

    def get_files(_):
        return for_shards(path, **wildcards)

    return get_files


def of_second(path, **wildcards):
    """Return `of_shards` of files of the second radio survey; nothing without one."""
    return of_shards(path, **wildcards) if HAS_SECOND else []


def weights_of(method):
    """Return the user's weights of a method, or those trained in this run."""
    return str(GIVEN_WEIGHTS[method].path if method in GIVEN_WEIGHTS else RESULTS.weights(method))


def why_weights_of(method):
    """Return why a method has its weights."""
    return GIVEN_WEIGHTS[method].reason if method in GIVEN_WEIGHTS else "trained in this run"


def get_weights(wildcards):
    """Return the weights of the wildcard's method."""
    return weights_of(wildcards.method)


def get_start(wildcards):
    """Return the weights that the training of the wildcard's method starts from, if there are any."""
    return [str(STARTS[wildcards.method])] if wildcards.method in STARTS else []


def get_fused(wildcards):
    """Return the fused images of one method, all shards."""
    return for_shards(RESULTS.fused, method=wildcards.method)


def get_fused_index(wildcards):
    """Return the tables beside the fused images of one method, all shards."""
    return for_shards(RESULTS.fused_index, method=wildcards.method)


def get_detections(wildcards):
    """Return the detections of one method, all shards."""
    return for_shards(RESULTS.detections, method=wildcards.method)


def get_sampled_pixels():
    """Return exactly the settings that decide the pixels of a cut-out."""
    survey = CONFIG.survey
    if not survey.uses_archive:
        survey = survey.changed(archive={"order": {}, "services": {}})
    return {
        "survey": survey.as_dict(exclude={"second_radio"}),
        "frame": vars(CONFIG.fusion.frame),
        "seed": CONFIG.seed,
    }


def get_second_pixels():
    """Return exactly the settings that decide the pixels of the second radio survey."""
    survey, none = CONFIG.survey, {"order": {}, "services": {}}
    return {
        "survey": survey.second_radio.as_dict(),
        "simulated": survey.simulated.as_dict(),
        "archive": survey.archive.as_dict() if survey.second_radio.source == "archive" else none,
        "frame": vars(CONFIG.fusion.frame),
        "seed": CONFIG.seed,
    }


def images_of_shards(band):
    """Return an input: the lists of images on disk of one survey, all shards; none for other sources."""
    return of_shards(RESULTS.shard_images, band=band) if band in ON_DISK else []


def get_archive_jobs(wildcards):
    """Return how much of the resource `archive_jobs` a job takes; a profile limits their number on a cluster."""
    return int(CONFIG.survey.uses_archive)


def get_cutout_runtime(wildcards, attempt):
    """Return the minutes for the cut-outs of a shard: archives answer about one request per second."""
    return (240 if CONFIG.survey.uses_archive else 60) * attempt


def get_second_runtime(wildcards, attempt):
    """Return the same for the second radio survey."""
    return (240 if CONFIG.survey.second_radio.source == "archive" else 60) * attempt


def mark_forced_jobs():
    """Mark the files of jobs that the user forces as incomplete, until they are made.

    If the run is interrupted, the next one repeats the rest of these jobs, with or without `-R`.  Without the
    mark it would keep their old files beside new ones.
    """
    dag = workflow.dag
    for job in dag.needrun_jobs():
        if not (dag.forcerules.isdisjoint([job.rule]) and dag.forcefiles.isdisjoint(job.output)):
            workflow.persistence.started(job)


def print_unfit_weights():
    """Print which shipped weights do not fit the settings, so that others are trained, and what is doubtful."""
    for reason in UNFIT_WEIGHTS:
        print(f"claran: training new weights: {reason}")
    for chosen in GIVEN_WEIGHTS.values():
        if chosen.warning:
            print(f"claran: {chosen.warning}")


def print_summary():
    """Print what is unusual, the paths of the products, and the scores of the detections if there is truth."""
    try:
        for notice in read_notices(RESULTS):
            print("Check before use:", notice)
    except ClaranError as error:
        print("claran:", error)
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

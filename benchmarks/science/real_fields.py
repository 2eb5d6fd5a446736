"""Run the pipeline on sets of real radio images, score the catalogues, and draw the failures.

    OMP_NUM_THREADS=1 python -m benchmarks.science.real_fields ../shared FOLDER \
        --weights resources/models/D1.safetensors --cores 2
    python -m benchmarks.science.real_fields ../shared FOLDER --sets large --no-run

Each set is tiled (`claran tile`), run with D1 (``pairs``: and D4) and default settings in FOLDER/SET, and
scored:

- ``large``: 200 FIRST fields around radio galaxies that astronomers sized: the galaxy in one row of the right
  size, FIRST's sources inside rows, and accounting;
- ``wide``: label rows of Radio Galaxy Zoo with a catalogue row of their class over all their components;
- ``vlass``: accounting on VLASS Quick Look images, and pictures of all of them;
- ``lotss``: LoTSS DR1 images against the published catalogue: rows found, flux densities, positions, and
  pictures of the sources that one of both splits;
- ``pairs``: the rows of D1 and D4 at positions with FIRST and W1 images, for pictures;
- ``crowd``: frames of 1 to 60 point sources, seeds 1 to 5: isolated ones with a row of their own.

Accounting: components of at least 10 sigma that neither the catalogue nor the table of outcomes has, and
components listed as artefact or noise within 3 arcsec of a source of the FIRST catalogue.  Pictures are in
FOLDER/pictures: those of failures, and where said so of all images.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.table import Table

from benchmarks.science.real_pictures import Picture, write_pictures
from benchmarks.science.real_runs import RealRun, middle_of, run_workflow
from benchmarks.science.real_scores import (
    accounting,
    crowd_score,
    first_rows,
    label_rows,
    large_fields,
    lines_of_first_rows,
    lines_of_large_fields,
    lines_of_published_rows,
    offsets,
    published_rows,
    suspicious_artefacts,
    unaccounted,
)
from claran_core.common.errors import ClaranError, InputError
from claran_core.survey.surveys import SURVEYS

CROWD_SEEDS = range(1, 6)
COMPONENT_COLUMNS = ["component_id", "subject_id", "scale", "level", "ra", "dec", "snr", "at_edge"]
# Half the width of pictures of components, and the smallest of galaxies, arcsec.
NEAR_ARCSEC, GALAXY_ARCSEC = 60.0, 75.0
# Half the width of pictures of pairs of images, and of VLASS images.
PAIR_ARCSEC, VLASS_ARCSEC = 90.0, 182.0
# Largest number of pictures of a kind.
MAX_PICTURES = 120


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes
    ----------
    shared : Path
        Folder with ``data`` and ``cases``.
    folder : Path
        Folder of the runs and pictures.
    weights : Path
        Weights for D1.
    weights_d4 : Path
        Weights for D4.
    cores : int
        Jobs at a time.
    run : bool
        Whether to run the pipeline; else the catalogues are there.
    whole_fields : bool
        Whether to search the fields of ``large`` as a whole, not only around the galaxies.
    """

    shared: Path
    folder: Path
    weights: Path
    weights_d4: Path
    cores: int
    run: bool
    whole_fields: bool

    @property
    def data(self) -> Path:
        """Folder of the real data."""
        return self.shared / "data"

    def first(self) -> pd.DataFrame:
        """Return the FIRST catalogue."""
        return pd.read_parquet(self.data / "first_catalogue.parquet")


def score_large(options: Options) -> list[str]:
    """Run and score the fields around large galaxies."""
    fields = pd.read_csv(options.data / "large/fields.csv")
    run = RealRun(options.folder / "large", options.data / "large/radio")
    if options.run:
        centres = None if options.whole_fields else fields
        run_workflow(run, options.weights, cores=options.cores, centres=centres)
    catalogue, first = run.table("catalogue"), options.first()
    found, rows = large_fields(fields, catalogue), first_rows(first, fields, catalogue)
    failed = fields.merge(found[~found["whole"]], on="file")
    pictures = [
        Picture(
            run.images / one.file,
            one.ra,
            one.dec,
            max(GALAXY_ARCSEC, 0.8 * one.size),
            f'{one.file[:-8]} {one.size:.0f}" (row {one.extent:.0f}"), rows over {one.rows_over_host}, '
            f"inside {one.rows_inside}",
            one.size,
            [(one.ra, one.dec)],
        )
        for one in failed.itertuples()
    ]
    write_pictures(options.folder / "pictures", "large", pictures[:MAX_PICTURES], catalogue)
    names = " ".join(found.loc[~found["whole"], "file"])
    lines = [*lines_of_large_fields(found), f"not whole: {names}", *lines_of_first_rows(rows)]
    return lines + _accounting(options, run, "large", first)


def score_wide(options: Options) -> list[str]:
    """Run and score the fields with labels of Radio Galaxy Zoo."""
    run = RealRun(options.folder / "wide", options.data / "wide")
    if options.run:
        run_workflow(run, options.weights, cores=options.cores)
    labels = pd.read_csv(run.images / "labels.csv")
    table = pd.read_csv(options.data / "rgz/full_catalogue.csv")
    labels = labels.merge(table[["catalog_id", "cpnts_ras", "cpnts_decs"]], on="catalog_id")
    for new, old in (("component_ra", "cpnts_ras"), ("component_dec", "cpnts_decs")):
        labels[new] = [[float(part) for part in str(value).split(";")] for value in labels[old]]
    catalogue = run.table("catalogue")
    found = label_rows(labels, catalogue)
    pictures = [
        Picture(
            run.images / label.file,
            label.component_ra[0],
            label.component_dec[0],
            max(GALAXY_ARCSEC, label.ang_extent),
            f"{label.catalog_id}: {one.expected}, rows {one.classes or '-'}",
            marks=list(zip(label.component_ra, label.component_dec, strict=True)),
        )
        for label, one in zip(labels.itertuples(), found.itertuples(), strict=True)
        if not one.found
    ]
    write_pictures(options.folder / "pictures", "wide", pictures, catalogue)
    lines = ["label | class | rows over its components | found"]
    lines += [f"{r.catalog_id} | {r.expected} | {r.classes} | {r.found}" for r in found.itertuples()]
    return [*lines, f"found with position and class: {int(found['found'].sum())} of {len(found)}"]


def score_vlass(options: Options) -> list[str]:
    """Run the VLASS Quick Look images, account for their components, and draw every image with its rows."""
    run = RealRun(options.folder / "vlass", options.data / "vlass/radio", "VLASS")
    if options.run:
        run_workflow(run, options.weights, cores=options.cores)
    pictures = [Picture(image, *middle_of(image), VLASS_ARCSEC, image.stem) for image in run.image_files()]
    write_pictures(options.folder / "pictures", "vlass", pictures, run.table("catalogue"), dpi=110)
    return _accounting(options, run, "vlass", options.first())


def score_lotss(options: Options) -> list[str]:
    """Run the LoTSS images, compare with the published rows, and draw what one catalogue splits."""
    run = RealRun(options.folder / "lotss", options.data / "lotss/radio", "LOTSS")
    if options.run:
        run_workflow(run, options.weights, cores=options.cores)
    published, catalogue = (
        Table.read(options.data / "lotss/catalogue.ecsv").to_pandas(),
        run.table("catalogue"),
    )
    found = published_rows(published, catalogue)
    joined = found[found["sharing"] > 1].drop_duplicates("source_id")
    split = found[found["pieces"] > 0]
    for name, places in (("lotss_joined", joined), ("lotss_split", split)):
        places = places.assign(outcome=places["name"])
        marks = list(zip(published["RA"], published["DEC"], strict=True))
        _draw_places(options, run, name, places, marks)
    lost = found[found["sharing"] == 0]
    listed = ", ".join(f"{row.name} ({row.snr:.1f} sigma)" for row in lost.itertuples(index=False))
    lines = [*lines_of_published_rows(found, len(catalogue)), f"published rows not found: {listed or '-'}"]
    return lines + _accounting(options, run, "lotss", options.first())


def score_pairs(options: Options) -> list[str]:
    """Run the positions with radio and infrared images with D1 and D4, and list and draw their rows."""
    folder, lines, catalogues = options.data / "pairs", ["position | method | rows"], {}
    for method, weights in (("D1", options.weights), ("D4", options.weights_d4)):
        infrared = folder / "infrared" if method == "D4" else None
        run = RealRun(options.folder / f"pairs_{method}", folder / "radio", "FIRST", method, infrared)
        if options.run:
            run_workflow(run, weights, cores=options.cores)
        catalogues[method] = run.table("catalogue")
    pictures = []
    for image in run.image_files():
        ra, dec = middle_of(image)
        pictures.append(Picture(image, ra, dec, PAIR_ARCSEC, f"{image.stem}: solid D1, dashed D4"))
        for method, catalogue in catalogues.items():
            apart = np.hypot(*offsets(catalogue["tight_ra"], catalogue["tight_dec"], ra, dec))
            rows = catalogue[apart < PAIR_ARCSEC].itertuples()
            listed = ", ".join(f"{row.morphology} {row.source_probability:.2f}" for row in rows)
            lines.append(f"{image.stem} | {method} | {listed or '-'}")
    write_pictures(options.folder / "pictures", "pairs", pictures, *catalogues.values())
    return lines


def score_crowd(options: Options) -> list[str]:
    """Run and score the frames of many point sources."""
    script, parts = options.shared / "cases/crowd.py", []
    for seed in CROWD_SEEDS:
        run = RealRun(options.folder / f"crowd{seed}", options.folder / f"crowd{seed}" / "images")
        if options.run:
            subprocess.run([sys.executable, str(script), str(run.folder), str(seed)], check=True)
            run_workflow(run, options.weights, cores=options.cores, tiled=False)
        found = crowd_score(pd.read_csv(run.folder / "truth.csv"), run.table("catalogue"))
        parts.append(found.assign(seed=seed))
    whole = pd.concat(parts)
    by_frame = whole.groupby("subject_id")["found"].agg(["sum", "size"])
    lines = ["frame | isolated sources | found"]
    lines += [f"{name} | {row['size']} | {row['sum']}" for name, row in by_frame.iterrows()]
    by_seed = " ".join(f"{value:.3f}" for value in whole.groupby("seed")["found"].mean())
    return [
        *lines,
        f"isolated point sources with a row of their own: {whole['found'].sum()} of {len(whole)} "
        f"({whole['found'].mean():.3f}; by seed {by_seed}); rows over two sources {whole['shared'].sum()}",
    ]


def _accounting(options: Options, run: RealRun, name: str, first: pd.DataFrame) -> list[str]:
    """Account for the components of a run, and draw those that are lost."""
    catalogue, outcomes = run.table("catalogue"), run.optional_table("outcomes")
    files = sorted((run.folder / "results/components").glob("*[0-9].parquet"))
    tables = [pd.read_parquet(path) for path in files]
    components = pd.concat([table[[c for c in COMPONENT_COLUMNS if c in table]] for table in tables])
    found = unaccounted(components, catalogue, outcomes, SURVEYS[run.survey].beam_arcsec)
    lost = found[found["where"] == "neither"]
    _draw_places(options, run, f"{name}_lost", lost.assign(outcome="in neither table"))
    lines = accounting(found)
    if outcomes is None:
        return [*lines, "the run has no table of outcomes"]
    suspicious = suspicious_artefacts(outcomes, first)
    share = suspicious["in_first"].mean() if len(suspicious) else 0.0
    lines.append(f"listed as artefact or noise: {len(suspicious)}, of these sources of FIRST {share:.4f}")
    for outcome, part in suspicious.groupby("outcome"):
        lines.append(f"  {outcome}: {len(part)}, sources of FIRST {int(part['in_first'].sum())}")
    _draw_places(options, run, f"{name}_artefacts", suspicious[suspicious["in_first"]])
    return lines


def _draw_places(
    options: Options,
    run: RealRun,
    name: str,
    places: pd.DataFrame,
    marks: Sequence[tuple[float, float]] | None = None,
) -> None:
    """Draw the surroundings of places (``ra``, ``dec``, ``snr``, ``outcome``), the brightest first.

    Marks are at the positions `marks` (deg), or at each place.
    """
    places = places.sort_values("snr", ascending=False).head(MAX_PICTURES)
    images = run.images_of(places) if len(places) else []
    pictures = [
        Picture(
            image,
            row.ra,
            row.dec,
            NEAR_ARCSEC,
            f"{row.outcome}: {row.snr:.0f} sigma",
            marks=marks or [(row.ra, row.dec)],
        )
        for image, row in zip(images, places.itertuples(), strict=True)
    ]
    write_pictures(options.folder / "pictures", name, pictures, run.table("catalogue"))


SETS: dict[str, Callable[[Options], list[str]]] = {
    "crowd": score_crowd,
    "wide": score_wide,
    "large": score_large,
    "vlass": score_vlass,
    "lotss": score_lotss,
    "pairs": score_pairs,
}


def main(arguments: list[str] | None = None) -> int:
    """Run, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path, help="folder with data/ and cases/")
    parser.add_argument("folder", type=Path, help="folder of the runs")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--weights", type=Path, default=Path("resources/models/D1.safetensors"))
    parser.add_argument("--weights-d4", type=Path, default=Path("resources/models/D4.safetensors"))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--no-run", action="store_true", help="score catalogues that are there")
    parser.add_argument("--whole-fields", action="store_true", help="search all of the large fields")
    given = parser.parse_args(arguments)
    options = Options(
        given.shared,
        given.folder.resolve(),
        given.weights,
        given.weights_d4,
        given.cores,
        not given.no_run,
        given.whole_fields,
    )
    try:
        if not options.data.is_dir():
            raise InputError(f"{options.data}: not found; give the folder that has data/ and cases/")
        for name in given.sets:
            print(f"== {name}", *SETS[name](options), sep="\n", flush=True)
    except ClaranError as error:
        print(f"claran: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

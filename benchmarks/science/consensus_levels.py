"""Measure the difficulty of simulated sources: the table `DIFFICULTY` of the consensus levels.

    python -m benchmarks.science.consensus_levels --subjects 600

Prints the quantiles per class in the form of `claran_core.labels.consensus`, and the resulting levels beside
the published ones.  Run it again after a change of the simulated sky.
"""

import argparse
from unittest import mock

import numpy as np
import pandas as pd

from claran_core.common.constants import QUANTILE_PROBABILITIES
from claran_core.common.morphology import MORPHOLOGIES
from claran_core.labels import dr1_labels
from claran_core.labels.consensus import CONSENSUS, consensus_level
from claran_core.settings.config import load_config
from claran_core.simulation.subjects import select_subjects

__all__ = ["difficulties", "quantiles"]


def difficulties(*, seed: int, n_subjects: int) -> pd.DataFrame:
    """Class and difficulty of every source in subjects chosen as the paper's training set was."""
    # The dr1_labels then hold the difficulty itself where the level would be.
    with mock.patch.object(dr1_labels, "consensus_level", lambda _, difficulty: difficulty):
        table = select_subjects(seed=seed, n_train=n_subjects, n_test=0).labels
    return (
        table[["morphology", "consensus"]]
        .rename(columns={"consensus": "difficulty"})
        .astype({"difficulty": float})
    )


def quantiles(values: pd.Series) -> np.ndarray:
    """Values at the probabilities `QUANTILE_PROBABILITIES`."""
    return np.quantile(values.to_numpy(float), QUANTILE_PROBABILITIES)


def main() -> None:
    """Print the table and the levels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=600)
    parser.add_argument("--seed", type=int, default=load_config().seed)
    options = parser.parse_args()
    table = difficulties(seed=options.seed, n_subjects=options.subjects)
    for name in MORPHOLOGIES:
        values = table.loc[table["morphology"] == name, "difficulty"]
        print(f'        "{name}": ({", ".join(f"{value:.2f}" for value in quantiles(values))}),')
    for name in MORPHOLOGIES:
        values = table.loc[table["morphology"] == name, "difficulty"]
        levels = quantiles(pd.Series([consensus_level(name, value) for value in values]))
        print(f"{name} ({len(values)}): {np.round(levels, 2)}, published {np.round(CONSENSUS[name], 2)}")


if __name__ == "__main__":
    main()

"""What becomes of components that are in no source."""

from pathlib import Path

import numpy as np
from view_tables import ViewTables

from claran_core.catalogue.associate.outcomes import OUTCOMES, artefact_logit, outcomes_of
from claran_core.catalogue.associate.sky_components import find_sky_components
from claran_core.common.ragged import Ragged, starts_of


def test_outcomes(tmp_path: Path) -> None:
    tables = ViewTables()
    tables.view("a")
    ids = [
        tables.component("a", 0.0, snr=400.0),
        tables.component("a", 100.0, snr=6.0),  # 67 times fainter than its neighbour
        tables.component("a", 250.0, snr=6.0),  # too far from it
        tables.component("a", 60.0, snr=9.0),
        tables.component("a", -60.0, snr=8.5),
        tables.component("a", 40.0, snr=20.0, n_pixels=1),
    ]
    atoms = find_sky_components(tables.sky(tmp_path).components, 5.4)
    place = [atoms.ids.tolist().index(one) for one in ids]
    owner = np.full(6, -1)
    owner[place[0]], owner[place[3]] = 1, 0
    artefact = np.full(6, 0.4)
    outcome, probability = outcomes_of(atoms, owner, np.array([0.3, 0.9]), artefact)
    assert [OUTCOMES[outcome[at]] for at in place] == [
        *("source", "artefact", "noise", "source", "artefact", "below_limit"),
    ]
    np.testing.assert_allclose(probability[place], [0.9, 0.4, 0.4, 0.3, 0.4, 1.0])


def test_logit_of_an_artefact_is_that_of_the_component_alone() -> None:
    sets = Ragged(starts_of(np.array([1, 2, 2])), np.array([0, 0, 1, 1, 2]))
    found = artefact_logit(sets, np.array([-2.0, 1.0, np.nan]), 4)
    np.testing.assert_allclose(found, [-2.0, 1.0, -np.inf, -np.inf])

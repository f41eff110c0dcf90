"""How long a run took, by the results that were there before."""

import json

import pytest

from experiments.report import duration


@pytest.mark.parametrize("earlier", [12.5, None])
def test_the_time_belongs_to_the_run_that_made_the_results(tmp_path, earlier):
    assert duration(tmp_path, 3.0, 0, 5) == 3.0
    # Some were there, of a run that was stopped: nobody knows how long they took.
    assert duration(tmp_path, 3.0, 2, 5) is None
    assert duration(tmp_path, 3.0, 5, 5) is None
    (tmp_path / "summary.json").write_text(json.dumps({"seconds": earlier}))
    assert duration(tmp_path, 3.0, 5, 5) == earlier
    assert duration(tmp_path, 3.0, 5, 6) is None
    assert duration(tmp_path, 3.0, 0, 5) == 3.0

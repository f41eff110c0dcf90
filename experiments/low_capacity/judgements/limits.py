"""How sparse the networks can be: our claims, and the rules that judge them, written before the numbers were seen.

A *cell* is a pair of digits and a width of at least 4. A method *reaches* a sparsity in a cell if there, and at every
lower level that was tried, mean accuracy is at most one point below that of the dense networks.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, Verdict, interval, spread
from experiments.low_capacity.judgements.verdicts import HOW_SPARSE
from experiments.low_capacity.limits import (
    FINE_TUNED,
    ITERATIVE,
    NEW_WEIGHTS,
    RANDOM,
    REWOUND,
    SCOPES,
    curve,
    largest,
)
from experiments.low_capacity.protocol import ARMS, CORRECTED
from experiments.low_capacity.published import WIDTHS
from experiments.low_capacity.results import Pair, Results, Study, pair_name

ASKED = 0.95
HIGH = 0.95

Cell = tuple[Pair, int]


def cells(results: Results) -> list[Cell]:
    """Pairs and widths that are judged."""
    return [(pair, width) for pair in results.pairs for width in results.widths if width > WIDTHS[0]]


def reached(results: Results, arm: str, method: str) -> dict[Cell, bool]:
    """In which cells a method reaches 95 %, by the means over seeds."""
    return {cell: largest(results, arm, *cell, method)[0] >= ASKED for cell in cells(results)}


def with_retraining(study: Study) -> Judgement:
    """Count the cells that reach 95 % by each way of retraining, and look for the width from which on all do."""
    results = study.limits
    parts, widths = [], {}
    for method in (FINE_TUNED, ITERATIVE, REWOUND, RANDOM, NEW_WEIGHTS):
        found = reached(results, CORRECTED, method)
        by_seed = np.sum([largest(results, CORRECTED, *cell, method)[1] >= ASKED for cell in found], axis=0)
        parts.append(f"{method}: {sum(found.values())} of {len(found)}, by seed {spread(by_seed, 1)}")
        if method not in (RANDOM, NEW_WEIGHTS):
            short = [width for (_, width), reaches in found.items() if not reaches]
            widths[method] = min((w for w in results.widths if w > max(short, default=WIDTHS[0])), default=np.inf)
    measured = f"cells that reach a true 95 %, {'; '.join(parts)}"
    best = min(widths, key=widths.__getitem__)
    if all(reached(results, CORRECTED, best).values()):
        return Judgement(measured, Verdict.HOLDS)
    if np.isfinite(widths[best]):
        return Judgement(measured, Verdict.CONDITIONAL, f"h >= {widths[best]} ({best})")
    return Judgement(measured, Verdict.FAILS)


def advantage(results: Results, control: str) -> NDArray[np.float64]:
    """Mean accuracy of the rewound tickets minus that of a control, over seeds and levels from 95 % on; by cell."""
    found = []
    for cell in cells(results):
        levels, ticket = curve(results, CORRECTED, *cell, REWOUND)
        _, other = curve(results, CORRECTED, *cell, control)
        found.append((ticket - other)[:, np.array(levels) >= HIGH].mean())
    return np.array(found)


def tickets(study: Study) -> Judgement:
    """Compare the rewound tickets with both controls at high sparsity."""
    parts, better = [], {}
    for control in (RANDOM, NEW_WEIGHTS):
        differences = advantage(study.limits, control)
        parts.append(f"minus that of a {control} {spread(differences, 4)}, better in {np.sum(differences > 0)} cells")
        better[control] = interval(differences)[0] > 0
    measured = f"accuracy of the tickets, mean over cells and levels, {'; '.join(parts)}"
    if all(better.values()):
        return Judgement(measured, Verdict.HOLDS)
    for control, ahead in better.items():
        if ahead:
            return Judgement(measured, Verdict.CONDITIONAL, f"compared with a {control} alone")
    return Judgement(measured, Verdict.FAILS)


def without_retraining(study: Study) -> Judgement:
    """Look at how far the two one-shot rankings reach without retraining, in both arms."""
    results = study.limits
    parts, real = [], {}
    for arm in ARMS:
        for method in SCOPES:
            parts.append(f"{arm}, {method}: {_extremes(results, arm, method)}")
            real[arm, method] = all(reached(results, arm, method).values())
    measured = "; ".join(parts)
    for method in SCOPES:
        if all(real[arm, method] for arm in ARMS):
            return Judgement(measured, Verdict.HOLDS)
    for arm in ARMS:
        if any(real[arm, method] for method in SCOPES):
            return Judgement(measured, Verdict.CONDITIONAL, f"the networks are trained {arm}")
    return Judgement(measured, Verdict.FAILS)


def _extremes(results: Results, arm: str, method: str) -> str:
    """The lowest and the highest limit of the cells, and by seed the median over cells, in percent."""
    found = {cell: largest(results, arm, *cell, method) for cell in cells(results)}
    lowest, highest = (pick(found, key=lambda cell: found[cell][0]) for pick in (min, max))
    ends = [f"{100 * found[cell][0]:g} % ({pair_name(cell[0])} h{cell[1]})" for cell in (lowest, highest)]
    medians = 100 * np.median([by_seed for _, by_seed in found.values()], axis=0)
    return f"{' to '.join(ends)}, median by seed {spread(medians, 1)} %"


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "With retraining after the cut, 95 % of the weights can be removed within one point of dense accuracy",
        'not studied; the paper removes its "95 %" without retraining',
        "a cell (pair x width >= 4) reaches 95 % if there and at every lower level tried mean accuracy is at most one "
        "point below dense; holds if all cells reach it by one of fine-tuning, iterative fine-tuning and rewinding; a "
        "condition if all from some width on do; corrected arm",
        with_retraining,
        "limits.png",
        HOW_SPARSE,
    ),
    Claim(
        "At a true 95 % and above, lottery tickets beat random masks and their own masks with new weights",
        "not studied; Frankle & Carbin 2019 for other networks",
        "for each cell (pair x width >= 4) the mean difference in accuracy over levels >= 95 % and seeds; holds if its "
        "interval over cells lies above 0 for both controls, a condition if for one; corrected arm",
        tickets,
        "sparse_accuracy.png",
        HOW_SPARSE,
    ),
    Claim(
        "Without retraining, a true 95 % stays within one point of dense accuracy",
        "changes of F1 of at most about 0.03 %, even at 99 %",
        "holds if all cells (pair x width >= 4) of both arms reach 95 %, ranked layer by layer or globally; a "
        "condition if those of one arm do",
        without_retraining,
        "limits.png",
        HOW_SPARSE,
    ),
)

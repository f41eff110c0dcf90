"""Results of the low-capacity study that no network has given, for the rules that judge them."""

from experiments.claims import Verdict
from experiments.low_capacity.claims import TRAINED
from experiments.low_capacity.networks import ARMS, AS_RELEASED, CORRECTED, NETWORKS, Trial
from experiments.low_capacity.published import PAIRS
from experiments.table import Table
from experiments.trials import settings

HOLDS, FAILS, OPEN = (verdict.value for verdict in (Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN))
ONLY_AS_RELEASED, ONLY_CONVERGED = (f"holds only if {TRAINED[arm]}" for arm in (AS_RELEASED, CORRECTED))
ONLY_DIVIDED_TWICE = 'holds only if the "95 %" is divided by 100 twice and removes 0.95 %'


def trial_of(arm=CORRECTED, width=24, seed=0, pair=(4, 9), **fields):
    return Trial(arm, *pair, width, seed, "", **{"learning_rate": 0.3} | fields)


def made_up(result, widths=(24,), seeds=3, pairs=PAIRS, part=NETWORKS, rates=(0.3,), levels=()):
    """A table of the same networks in both arms; `result` is a function of the trial."""
    trials = [
        trial_of(arm, width, seed, pair, learning_rate=rate, part=part, levels=levels if arm == CORRECTED else ())
        for arm in ARMS
        for pair in pairs
        for rate in rates
        for width in widths
        for seed in range(seeds)
    ]
    return Table(settings(trial) | result(trial) for trial in trials)


def judge(claims, figure, words=""):
    """The rule of the claim whose first figure this is, and in whose statement these words are."""
    (claim,) = (each for each in claims if each.figures[0] == figure and words in each.statement)
    return claim.judge

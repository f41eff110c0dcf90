"""The claims of the paper and our own, and the rules that judge them."""

from experiments.claims import Claim
from experiments.sensitivity.judgements import pairs, points, portraits, sweep
from experiments.sensitivity.results import Study

CLAIMS: tuple[Claim[Study], ...] = (*sweep.CLAIMS, *pairs.CLAIMS, *portraits.CLAIMS, *points.CLAIMS)

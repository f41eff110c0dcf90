"""The claims of the paper and our own, and the rules that judge them, written before the numbers were seen."""

from experiments.claims import Claim
from experiments.sensitivity.results import Study

CLAIMS: tuple[Claim[Study], ...] = ()

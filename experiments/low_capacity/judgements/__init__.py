"""The claims, the paper's and our own, and the rules that judge them, each written before its number was seen."""

from experiments.claims import Claim
from experiments.low_capacity.judgements import difficulty, inside, limits, networks, rates, saliency
from experiments.low_capacity.judgements.verdicts import GROUPS, OF_THE_PAPER
from experiments.low_capacity.results import Study

# As the paper makes them.
_PAPERS_ORDER = (
    networks.capacity,
    networks.pruning,
    networks.dead,
    inside.separable,
    networks.robustness,
    saliency.kept,
    networks.moderate,
)


def _place(claim: Claim[Study]) -> tuple[int, int]:
    return GROUPS.index(claim.group), _PAPERS_ORDER.index(claim.judge) if claim.group == OF_THE_PAPER else 0


_MODULES = (networks, rates, limits, difficulty, saliency, inside)
CLAIMS: tuple[Claim[Study], ...] = tuple(sorted((c for module in _MODULES for c in module.CLAIMS), key=_place))

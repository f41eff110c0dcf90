"""How capacity, sparsity, noise and saliency play out in small networks, on five pairs of digits.

A reproduction of Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural
Networks" (arXiv 2507.16278), trained as its author's code does ("as released") and to convergence ("corrected").
"""

from experiments.low_capacity import (
    claims,
    claims_checks,
    claims_limits,
    figures,
    figures_inside,
    figures_sparsity,
    networks,
)
from experiments.low_capacity.measures import METRICS, measure
from experiments.statistics import spread
from experiments.study import Study
from experiments.table import Table


def scores(table: Table) -> str:
    """All scores of the networks of both arms as CSV: a row for each network, condition and level."""
    rows = table.where(part=networks.NETWORKS).each("scores")
    named = Table({**row, "pair": row["digits"]} for row in rows)
    return named.csv("arm", "pair", "width", "seed", "condition", "level", "removed", *METRICS)


def sample(table: Table) -> str:
    """How many networks there are."""
    parts = ", ".join(f"{len(rows):,} for the {part}" for part, rows in table.by("part").items())
    return f"{len(table):,} networks: {parts}. {figures.sampled(table.where(part=networks.NETWORKS))}"


def summary(table: Table) -> str:
    """F1 of the network that is looked at closely dense, pruned with the released division, and truly pruned."""
    lines = [
        "F1 of 4v9 with 24 hidden units, mean and 95 % interval over seeds:",
        "",
        '| trained | dense | "95 %" as the released code prunes | a true 95 % removed |',
        "| --- | --- | --- | --- |",
    ]
    for arm, rows in claims.close(table.where(part=networks.NETWORKS)).by("arm").items():
        scores = rows.each("scores")
        pruned = [scores.where(condition=name, level=0.95)["f1"] for name in ("divided twice", "pruned")]
        cells = [spread(f1) for f1 in (rows["scores", 0, "f1"], *pruned)]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


STUDY = Study(
    title="Small networks: capacity, sparsity, noise and saliency",
    introduction='Y. Kumar, "Understanding Generalization, Robustness, and Interpretability in Low-Capacity Neural '
    'Networks" (arXiv 2507.16278), claims of networks of one hidden layer that tell apart two digits of MNIST: the '
    "harder the pair, the more hidden units are needed; 95 % of the weights can be removed without retraining and "
    "without loss; wider networks are the more robust to noise; saliency survives the pruning. Here such networks are "
    'trained as the author\'s code does, by 100 full-batch steps ("as released"), and to convergence ("corrected"), '
    "on the paper's five pairs of digits and on all others.",
    quick=networks.QUICK,
    default=networks.DEFAULT,
    full=networks.FULL,
    options={"seeds": "how many seeds (default: 5, with --full 10)"},
    networks={"learning rates": networks.search, "networks": networks.networks},
    measure=measure,
    cost=networks.cost,
    together=networks.train_group,
    figures=(
        figures_sparsity.collapse,
        figures_sparsity.limits,
        figures_sparsity.sparse_accuracy,
        figures.capacity,
        figures.difficulty,
        figures.capacity_difficulty,
        figures.learning_rate,
        figures_sparsity.pruning,
        figures_sparsity.dead_units,
        figures_inside.representation,
        figures_inside.separability,
        figures_inside.information,
        figures_inside.units,
        figures.corruption,
        figures.matched_robustness,
        figures_inside.saliency,
        figures_inside.saliency_agreement,
        figures_inside.forward_difference,
    ),
    claims=(*claims.CLAIMS, *claims_limits.CLAIMS, *claims_checks.CLAIMS),
    sample=sample,
    summary=summary,
    tables={"scores.csv": scores},
)

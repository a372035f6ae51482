import random

import choix
import evalica
import numpy as np
import pytest
from scipy import optimize

from consensus.ranking import exact_math
from consensus.ranking.bradley_terry import (
    COMPARISONS_MAX,
    ITEMS_MAX,
    LOCAL,
    STRENGTH_ONE,
    Comparison,
    Fit,
    FitDidNotConverge,
    Item,
    PriorParameters,
    fit,
    maximum_a_posteriori,
    probability_best,
    quantise,
)
from protocol.limits import WEIGHT_MAX
from protocol.types import ONE


def random_round(seed: int, items: int, clusters: int, comparisons: int) -> tuple[list[Item], list[Comparison]]:
    """Soft preferences, uneven weights, author records."""
    rng = random.Random(seed)
    names = [*range(clusters), *(rng.randrange(clusters) for _ in range(items - clusters))]
    rng.shuffle(names)
    listed = [Item(name, rng.randrange(2 * ONE), rng.randint(-ONE // 2, ONE // 2)) for name in names]
    pairs = [rng.sample(range(items), 2) for _ in range(comparisons)]
    return listed, [Comparison(i, j, rng.randint(0, ONE), rng.randrange(2 * ONE)) for i, j in pairs]


def singletons(count: int) -> list[Item]:
    return [Item(index) for index in range(count)]


class TestOracles:
    @pytest.mark.parametrize("seed", range(5))
    def test_singletons_without_votes_equal_choix(self, seed: int):
        rng = random.Random(seed)
        count, model = 12, PriorParameters(beta=0.0, tau_u=0.8, tau_v=0.4)
        data = [tuple(rng.sample(range(count), 2)) for _ in range(40)]
        alpha = 1 / (2 * (model.tau_u**2 + model.tau_v**2))
        oracle = choix.opt_pairwise(count, data, alpha=alpha, tol=1e-12)
        # Every other win is told from the loser's side.
        comparisons = [
            Comparison(winner, loser, ONE, ONE) if index % 2 else Comparison(loser, winner, 0, ONE)
            for index, (winner, loser) in enumerate(data)
        ]
        theta = maximum_a_posteriori(singletons(count), comparisons, model).theta
        assert np.max(np.abs(theta - oracle)) < 1e-8

    def test_order_on_dense_data_equals_evalica(self):
        rng = random.Random(3)
        strengths = [0.4 * place for place in range(15)]
        rng.shuffle(strengths)
        wins: list[tuple[int, int]] = []
        for i in range(15):
            for j in range(i):
                won = round(40 / (1 + 2.718281828 ** (strengths[j] - strengths[i])))
                wins += [(i, j)] * won + [(j, i)] * (40 - won)
        virtual = 15
        xs, ys = [winner for winner, _ in wins], [loser for _, loser in wins]
        outcomes = [evalica.Winner.X] * len(wins) + [evalica.Winner.Draw] * 15
        scores = evalica.bradley_terry([*xs, *range(15)], [*ys, *[virtual] * 15], outcomes).scores
        ours = fit(singletons(15), [Comparison(i, j, ONE, ONE) for i, j in wins], PriorParameters(beta=0.0)).strengths
        assert sorted(range(15), key=lambda item: ours[item]) == sorted(range(15), key=lambda item: scores[item])
        assert sorted(range(15), key=lambda item: ours[item]) == sorted(range(15), key=lambda item: strengths[item])

    @pytest.mark.parametrize(
        ("seed", "items", "clusters", "comparisons"), [(1, 7, 3, 20), (2, 12, 5, 30), (3, 9, 1, 15), (4, 6, 6, 0)]
    )
    def test_clusters_equal_a_joint_maximiser_in_u_and_v(self, seed: int, items: int, clusters: int, comparisons: int):
        model = PriorParameters(beta=0.7, tau_u=0.8, tau_v=0.4)
        listed, compared = random_round(seed, items, clusters, comparisons)
        value, gradient = joint_log_posterior(listed, compared, clusters, model)
        start = np.linspace(-0.1, 0.1, clusters + items)
        numeric = optimize.approx_fprime(start, value)
        assert np.max(np.abs(numeric - gradient(start))) < 1e-4, "the oracle must be sound itself"
        solution = optimize.root(gradient, start, tol=1e-13)
        u, v = solution.x[:clusters], solution.x[clusters:]
        theta = u[[item.cluster for item in listed]] + v
        posterior = maximum_a_posteriori(listed, compared, model)
        assert np.max(np.abs(posterior.theta - theta)) < 1e-8
        assert np.max(np.abs(posterior.cluster_strengths() - u - cluster_records(listed, clusters))) < 1e-8

    @pytest.mark.parametrize(
        ("seed", "items", "clusters", "comparisons"), [(1, 8, 3, 12), (2, 20, 4, 60), (3, 5, 5, 4)]
    )
    def test_p_best_equals_sampling_the_same_normal(self, seed: int, items: int, clusters: int, comparisons: int):
        model = PriorParameters()
        listed, compared = random_round(seed, items, clusters, comparisons)
        posterior = maximum_a_posteriori(listed, compared, model)
        precision = precision_at(posterior.theta, listed, compared, model)
        factor = np.triu(posterior.factor)
        # The factor belongs to the last iterate, which lies within one last step of the mode.
        assert np.max(np.abs(factor.T @ factor - precision)) < 1e-5
        rng = np.random.default_rng(seed)
        theta = rng.multivariate_normal(posterior.theta, np.linalg.inv(precision), size=100_000)
        membership = np.array([[item.cluster == name for item in listed] for name in range(clusters)], dtype=float)
        prior = cluster_prior(listed, clusters, model)
        author = np.array([item.author_weight for item in listed]) / ONE
        size = membership.sum(axis=1)
        deviation = (theta - author) @ membership.T - size * prior
        strengths = prior + model.tau_u**2 / (model.tau_v**2 + size * model.tau_u**2) * deviation
        strengths += cluster_records(listed, clusters)
        oracle = np.bincount(strengths.argmax(axis=1), minlength=clusters) / len(theta)
        ours = np.array(probability_best(posterior)) / ONE
        # Three standard errors of 256 draws at one half.
        assert np.max(np.abs(ours - oracle)) < 3 * 0.5 / 16


def cluster_prior(items: list[Item], clusters: int, model: PriorParameters) -> np.ndarray:
    votes = (
        np.array([sum(item.vote_weight for item in items if item.cluster == name) for name in range(clusters)]) / ONE
    )
    logs = np.log((votes + 2 / clusters) / (votes.sum() + 2))
    return model.beta * (logs - logs.mean())


def cluster_records(items: list[Item], clusters: int) -> np.ndarray:
    """Mean author weight of each cluster."""
    name = [item.cluster for item in items]
    return np.bincount(name, [item.author_weight / ONE for item in items], clusters) / np.bincount(name)


def joint_log_posterior(items: list[Item], comparisons: list[Comparison], clusters: int, model: PriorParameters):
    """The formulas of consensus/README.md, written down once more: log posterior of (u, v) and its gradient."""
    name = np.array([item.cluster for item in items])
    author = np.array([item.author_weight for item in items]) / ONE
    prior = cluster_prior(items, clusters, model)
    rows = np.array([(c.first, c.second, c.preference / ONE, c.weight / ONE) for c in comparisons]).reshape(-1, 4)
    first, second, y, w = rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2], rows[:, 3]

    def value(x: np.ndarray) -> float:
        u, v = x[:clusters], x[clusters:]
        theta = u[name] + v
        d = theta[first] - theta[second]
        likelihood = -(w * (y * np.log1p(np.exp(-d)) + (1 - y) * np.log1p(np.exp(d)))).sum()
        squares = ((u - prior) ** 2).sum() / model.tau_u**2 + ((v - author) ** 2).sum() / model.tau_v**2
        return float(likelihood - squares / 2)

    def gradient(x: np.ndarray) -> np.ndarray:
        u, v = x[:clusters], x[clusters:]
        theta = u[name] + v
        residual = w * (y - 1 / (1 + np.exp(theta[second] - theta[first])))
        slope = np.bincount(first, residual, len(items)) - np.bincount(second, residual, len(items))
        slope_u = np.bincount(name, slope, clusters) - (u - prior) / model.tau_u**2
        return np.concatenate((slope_u, slope - (v - author) / model.tau_v**2))

    return value, gradient


def precision_at(
    theta: np.ndarray, items: list[Item], comparisons: list[Comparison], model: PriorParameters
) -> np.ndarray:
    name = np.array([item.cluster for item in items])
    covariance = model.tau_u**2 * (name[:, None] == name[None, :]) + model.tau_v**2 * np.eye(len(items))
    precision = np.linalg.inv(covariance)
    for c in comparisons:
        p = 1 / (1 + np.exp(theta[c.second] - theta[c.first]))
        edge = np.zeros(len(items))
        edge[c.first], edge[c.second] = 1, -1
        precision += c.weight / ONE * p * (1 - p) * np.outer(edge, edge)
    return precision


class TestOrdinaryExtremes:
    def test_without_comparisons_the_prior_speaks(self):
        items = [Item(0, 3 * ONE), Item(1, ONE), Item(1, ONE, author_weight=ONE // 4)]
        model = PriorParameters(beta=0.7)
        posterior = maximum_a_posteriori(items, [], model)
        prior = cluster_prior(items, 2, model)
        assert posterior.theta == pytest.approx([prior[0], prior[1], prior[1] + 0.25], abs=1e-12)
        assert posterior.cluster_strengths() == pytest.approx([prior[0], prior[1] + 0.125], abs=1e-12)
        assert prior[0] > prior[1]

    def test_a_good_record_raises_its_cluster(self):
        """The defect of hbt/1: for the same judgements the better known author's cluster stood lower."""
        compared = [Comparison(0, 1, ONE // 2, ONE)]
        known, unknown = fit([Item(0, author_weight=ONE), Item(1)], compared, PriorParameters()).cluster_strengths
        assert known > unknown

    def test_weight_zero_is_no_comparison(self):
        items = [Item(0), Item(1), Item(1)]
        weightless = [Comparison(0, 1, ONE, 0), Comparison(2, 0, 0, 0)]
        assert fit(items, weightless, PriorParameters()) == fit(items, [], PriorParameters())

    def test_no_voting_weight_at_all_leaves_equal_clusters(self):
        result = fit([Item(0, 0), Item(0, 0), Item(1, 0)], [], PriorParameters())
        assert result.strengths == (0, 0, 0)
        assert result.cluster_strengths == (0, 0)

    def test_items_without_a_win_and_separate_graphs(self):
        wins = [Comparison(0, 1, ONE, ONE), Comparison(2, 3, ONE, ONE)]
        result = fit(singletons(5), wins, PriorParameters(beta=0.0))
        assert result.strengths[0] == result.strengths[2] > 0
        assert result.strengths[1] == result.strengths[3] == -result.strengths[0]
        assert result.strengths[4] == 0

    def test_one_item_and_one_cluster(self):
        assert fit([Item(0)], [], PriorParameters()) == Fit(
            (0,), (0,), (ONE,), (), np.zeros((1, exact_math.DRAWS)), ((0, 0),)
        )
        assert fit([Item(0), Item(0)], [Comparison(0, 1, ONE, ONE)], PriorParameters()).p_best == (ONE,)

    def test_votes_move_the_prior_only_with_beta(self):
        items = [Item(0, 5 * ONE), Item(1, ONE)]
        assert fit(items, [], PriorParameters(beta=0.0)).strengths == (0, 0)
        assert fit(items, [], PriorParameters(beta=0.7)).strengths[0] > 0

    def test_judgements_outweigh_the_majority_when_there_are_enough(self):
        items = [Item(0, ONE)] * 5 + [Item(1, ONE)]
        for_the_minority = [Comparison(5, index, ONE, ONE) for index in range(5)] * 3
        result = fit(items, for_the_minority, PriorParameters())
        assert result.cluster_strengths[1] > result.cluster_strengths[0]
        assert result.p_best[1] > 0.9 * ONE

    @pytest.mark.parametrize("tau_u", [1 / 16, 4.0])
    @pytest.mark.parametrize("tau_v", [1 / 16, 4.0])
    @pytest.mark.parametrize("clusters", [1, 3, 30])
    def test_the_heaviest_inputs_converge(self, tau_u: float, tau_v: float, clusters: int):
        rng = random.Random(5)
        items = [Item(index % clusters, rng.randrange(WEIGHT_MAX)) for index in range(30)]
        order = [Comparison(i, j, ONE, WEIGHT_MAX) for j in range(30) for i in range(j)]
        repeated = order * (COMPARISONS_MAX // len(order))
        theta = maximum_a_posteriori(items, repeated, PriorParameters(0.7, tau_u, tau_v)).theta
        assert np.all(np.diff(theta) < 0), "the data are a total order"

    def test_weights_of_many_sizes_at_all_limits_do_not_converge(self):
        """Every pair against a prior as strong as can be, each on a scale of its own: steps follow one scale at a time.

        Nobody asks this in earnest; who does, gets an exception that `closings` turns into a fault."""
        items, comparisons = [], []
        for pair in range(32):
            items += [Item(2 * pair, WEIGHT_MAX, WEIGHT_MAX), Item(2 * pair + 1, 0, -WEIGHT_MAX)]
            comparisons += [Comparison(2 * pair, 2 * pair + 1, 0, WEIGHT_MAX * 4 >> pair % 7 + 2)] * 4
        with pytest.raises(FitDidNotConverge):
            fit(items, comparisons, PriorParameters(16.0, 4.0, 4.0))

    def test_duels_are_between_clusters_in_doubt(self):
        """One cluster far behind meets nobody; the two in front meet each other."""
        items = [Item(cluster) for cluster in range(3)]
        wins = [Comparison(0, 2, ONE, 8 * ONE), Comparison(1, 2, ONE, 8 * ONE)] * 4
        found = fit(items, wins, PriorParameters(tau_u=4.0, beta=0.0))
        assert len(found.duels) == exact_math.DRAWS
        assert {frozenset(duel) for duel in found.duels} == {frozenset((0, 1))}

    def test_a_duel_is_a_draws_best_and_the_next_other_best(self):
        posterior = maximum_a_posteriori(*random_round(7, 12, 5, 20), PriorParameters())
        best = posterior.prior.cluster_strengths(posterior.draws()).argmax(axis=0).tolist()
        assert len(set(best)) > 2, "the round must be in doubt"
        rivals = [next(each for each in best[draw:] + best[:draw] if each != best[draw]) for draw in range(len(best))]
        assert quantise(posterior).duels == tuple(zip(best, rivals, strict=True))

    def test_where_all_draws_agree_the_second_is_the_rival(self):
        wins = [Comparison(0, 1, ONE, 8 * ONE), Comparison(1, 2, ONE, 8 * ONE)] * 8
        found = fit([Item(cluster) for cluster in range(3)], wins, PriorParameters(tau_u=4.0, beta=0.0))
        assert found.p_best == (ONE, 0, 0) and set(found.duels) == {(0, 1)}

    def test_strengths_are_the_rounded_mode(self):
        listed, compared = random_round(9, 10, 4, 25)
        theta = maximum_a_posteriori(listed, compared, PriorParameters()).theta
        assert fit(listed, compared, PriorParameters()).strengths == tuple(
            round(value * STRENGTH_ONE) for value in theta.tolist()
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("items", "comparisons", "model"),
        [
            ([], [], PriorParameters()),
            ([Item(0)] * (ITEMS_MAX + 1), [], PriorParameters()),
            ([Item(0), Item(2)], [], PriorParameters()),
            ([Item(-1), Item(0)], [], PriorParameters()),
            ([Item(0, -1)], [], PriorParameters()),
            ([Item(0, WEIGHT_MAX + 1)], [], PriorParameters()),
            ([Item(0, 0, -WEIGHT_MAX - 1)], [], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 0, ONE, ONE)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 2, ONE, ONE)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(-1, 1, ONE, ONE)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 1, ONE + 1, ONE)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 1, -1, ONE)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 1, ONE, -1)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 1, ONE, WEIGHT_MAX + 1)], PriorParameters()),
            ([Item(0), Item(0)], [Comparison(0, 1, ONE, ONE)] * (COMPARISONS_MAX + 1), PriorParameters()),
            ([Item(0)], [], PriorParameters(tau_u=0.0)),
            ([Item(0)], [], PriorParameters(tau_v=float("nan"))),
            ([Item(0)], [], PriorParameters(beta=float("inf"))),
            ([Item(0)], [], PriorParameters(beta=-0.1)),
        ],
    )
    def test_out_of_bounds_is_a_bug_of_the_caller(
        self, items: list[Item], comparisons: list[Comparison], model: PriorParameters
    ):
        with pytest.raises(ValueError):
            fit(items, comparisons, model)


def test_a_fit_that_nobody_recomputes_takes_more_and_gives_the_same_bits() -> None:
    listed, compared = [Item(index) for index in range(ITEMS_MAX + 1)], [Comparison(0, ITEMS_MAX, ONE, ONE)]
    with pytest.raises(ValueError, match="1 to 128 items"):
        maximum_a_posteriori(listed, compared, PriorParameters())
    assert maximum_a_posteriori(listed, compared, PriorParameters(), LOCAL).theta[0] > 0.0
    many = [Comparison(0, 1, ONE, ONE)] * (COMPARISONS_MAX + 1)
    with pytest.raises(ValueError, match="at most 32768 comparisons"):
        maximum_a_posteriori(listed[:2], many, PriorParameters())
    assert maximum_a_posteriori(listed[:2], many, PriorParameters(), LOCAL).theta[0] > 0.0
    within = maximum_a_posteriori(listed[:9], compared[:0], PriorParameters()).theta
    assert within.tobytes() == maximum_a_posteriori(listed[:9], compared[:0], PriorParameters(), LOCAL).theta.tobytes()

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from torch.distributions import Normal
from torch.nn import functional as F

from agents.distributions import (
    DISTRIBUTIONS,
    DirectionalGaussian,
    FreeGaussian,
    PowerSpherical,
)


def made(cls, batch=5, vectors=1, dim=4, group=1, noise_scale=0.3, seed=0, dtype=torch.double):
    torch.manual_seed(seed)
    directions = torch.randn(batch, vectors * dim, dtype=dtype, requires_grad=True)
    log_noise_scale = torch.tensor(math.log(noise_scale), dtype=dtype, requires_grad=True)
    distribution = cls(vectors, dim).proba_distribution(directions, log_noise_scale, group)
    return distribution, directions, log_noise_scale


both = pytest.mark.parametrize("cls", DISTRIBUTIONS.values())
gaussians = pytest.mark.parametrize("cls", [DirectionalGaussian, FreeGaussian])


def mean_of(cls, directions, vectors=1, dim=4):
    """Means at the radius 0.5, (B, T * D)."""
    shaped = directions.view(-1, vectors, dim)
    unscaled = shaped if cls is FreeGaussian else F.normalize(shaped, dim=-1)
    return 0.5 * unscaled.flatten(1)


@both
@pytest.mark.parametrize(("vectors", "group"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_shapes_and_the_order_of_groups(cls, vectors, group):
    distribution, directions, _ = made(cls, vectors=vectors, group=group)
    actions = distribution.sample()
    assert actions.shape == (5 * group, vectors * 4)
    assert distribution.log_prob(actions).shape == (5 * group,)
    assert distribution.entropy().shape == (5 * group,)
    expected = mean_of(cls, directions, vectors)
    assert torch.equal(distribution.mode()[::group], expected)
    assert torch.equal(distribution.mode()[group - 1 :: group], expected)
    assert not actions.requires_grad


@both
def test_the_log_density_of_a_group_is_that_of_its_members_one_by_one(cls):
    grouped, directions, log_noise_scale = made(cls, vectors=2, group=3)
    actions = grouped.sample()
    together = grouped.log_prob(actions)
    repeated = directions.repeat_interleave(3, dim=0)
    alone = cls(2, 4).proba_distribution(repeated, log_noise_scale).log_prob(actions)
    torch.testing.assert_close(together, alone)


@gaussians
@pytest.mark.parametrize("vectors", [1, 3])
def test_the_gaussians_are_torchs(cls, vectors):
    distribution, directions, log_noise_scale = made(cls, vectors=vectors)
    peer = Normal(mean_of(cls, directions, vectors), 0.5 * log_noise_scale.exp())
    actions = distribution.sample()
    ours, theirs = distribution.log_prob(actions), peer.log_prob(actions).sum(1)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(distribution.entropy(), peer.entropy().sum(1))
    for source in (directions, log_noise_scale):
        one, other = (
            torch.autograd.grad(value.sum(), source, retain_graph=True)[0]
            for value in (ours, theirs)
        )
        torch.testing.assert_close(one, other)


@gaussians
@pytest.mark.parametrize("group", [1, 3, 4, 6])
def test_each_gaussian_action_alone_has_the_same_distribution_in_any_group(cls, group):
    distribution, directions, _ = made(cls, batch=1, group=group)
    mean = mean_of(cls, directions.detach())
    draws = torch.stack([distribution.sample() for _ in range(4000)])  # (4000, K, 4)
    noise = ((draws - mean) / (0.5 * 0.3)).numpy()
    for member in range(group):
        for coordinate in range(4):
            assert stats.kstest(noise[:, member, coordinate], "norm").pvalue > 1e-4
        covariance = np.cov(noise[:, member].T)
        np.testing.assert_allclose(covariance, np.eye(4), atol=0.12)


def test_the_noise_of_a_group_is_orthogonal_within_each_dimension_of_members():
    distribution, _, _ = made(DirectionalGaussian, batch=7, dim=6, group=9)
    noise = (distribution.sample() - distribution.mode()).view(7, 9, 6)
    for members in (noise[:, :6], noise[:, 6:]):
        products = members @ members.transpose(1, 2)
        off = products - torch.diag_embed(products.diagonal(dim1=1, dim2=2))
        assert off.abs().max() < 1e-12
        assert products.diagonal(dim1=1, dim2=2).min() > 0


def test_given_one_members_noise_the_others_are_alike_for_its_opposite():
    # What keeps baselines over the group unbiased: E[f(others) * noise] = 0 for every f.
    distribution, _, _ = made(DirectionalGaussian, batch=1, dim=4, group=3)
    target = torch.tensor([1.0, 0.5, 0.0, -1.0], dtype=torch.double)
    actions = torch.stack([distribution.sample() for _ in range(5000)])  # (5000, 3, 4)
    noise = (actions - distribution.mode())[:, 0].detach()
    products = noise * torch.cosine_similarity(actions[:, 1], target, dim=-1)[:, None]
    error = products.std(0) / math.sqrt(len(products))
    assert (products.mean(0).abs() < 4 * error).all()


def test_power_spherical_integrates_to_one_and_has_its_entropy():
    distribution, _, _ = made(PowerSpherical, batch=1, dim=3, noise_scale=0.5)
    center = distribution.center[0, 0].detach()
    across = F.normalize(torch.linalg.cross(center, torch.tensor([1.0, 2.0, 3.0]).double()), dim=0)

    def log_density(cosine):
        x = cosine * center + math.sqrt(1 - cosine**2) * across
        return distribution.log_prob(0.5 * x[None]).item()

    # The surface element of a sphere of radius r in three dimensions: 2 pi r^2 d cos.
    ring = 2 * math.pi * 0.25
    total, _ = quad(lambda c: ring * math.exp(log_density(c)), -1, 1)
    assert total == pytest.approx(1, abs=1e-6)
    entropy, _ = quad(lambda c: -ring * math.exp(log_density(c)) * log_density(c), -1, 1)
    assert distribution.entropy().item() == pytest.approx(entropy, abs=1e-6)


def test_power_spherical_samples_follow_its_density():
    distribution, _, _ = made(PowerSpherical, batch=1, dim=5, group=4000, noise_scale=0.4)
    x = distribution.sample() / 0.5
    torch.testing.assert_close(x.norm(dim=1), torch.ones(4000, dtype=torch.double))
    cosine = (x @ distribution.center[0, 0]).detach().numpy()
    kappa, beta = 2 / 0.4**2, 2.0  # beta = (dim - 1) / 2
    assert stats.kstest((1 + cosine) / 2, stats.beta(beta + kappa, beta).cdf).pvalue > 1e-3
    # Around the center no direction is preferred.
    tangent = x - torch.as_tensor(cosine)[:, None] * distribution.center[0, 0]
    mean = F.normalize(tangent, dim=1).mean(0)
    assert mean.abs().max() < 4 / math.sqrt(4000)


@both
def test_the_noise_scale_is_the_deviation_of_a_coordinate_over_the_radius(cls):
    distribution, _, _ = made(cls, batch=1, dim=64, group=64, noise_scale=0.02)
    noise = torch.stack([distribution.sample() for _ in range(50)]) - distribution.mode()
    assert float(noise.detach().std() / 0.5) == pytest.approx(0.02, rel=0.03)
    assert distribution.noise_scale.item() == pytest.approx(0.02)


@pytest.mark.parametrize("cls", [DirectionalGaussian, PowerSpherical])
def test_clipping_is_rare_at_the_default_radius(cls):
    distribution, _, _ = made(cls, batch=64, dim=64, group=8, noise_scale=0.2)
    assert (distribution.sample().abs() > 1).float().mean() < 1e-4


def test_clipping_is_rare_at_the_radius_that_a_free_mean_is_told_to_take():
    torch.manual_seed(0)
    for noise_scale in (1.0, 4.0):
        free = FreeGaussian(1, 64, radius=0.25 / noise_scale)
        directions = F.normalize(torch.randn(64, 64), dim=1)
        free.proba_distribution(directions, torch.tensor(noise_scale).log(), group_size=8)
        assert (free.sample().abs() > 1).float().mean() < 1e-3


@pytest.mark.gpu
@both
def test_on_cuda_they_are_as_on_the_cpu(cls):
    distribution, directions, log_noise_scale = made(cls, vectors=2, group=3)
    actions = distribution.sample()
    there = cls(2, 4).proba_distribution(directions.cuda(), log_noise_scale.cuda(), 3)
    assert there.sample().shape == actions.shape
    torch.testing.assert_close(there.log_prob(actions.cuda()).cpu(), distribution.log_prob(actions))
    torch.testing.assert_close(there.entropy().cpu(), distribution.entropy())


def test_the_length_of_a_free_mean_is_the_states_own():
    free, directions, _ = made(FreeGaussian)
    torch.testing.assert_close(free.center[:, 0], F.normalize(directions, dim=1))
    longer = FreeGaussian(1, 4).proba_distribution(3 * directions, free.log_noise_scale)
    torch.testing.assert_close(longer.mode(), 3 * free.mode())
    torch.testing.assert_close(longer.center, free.center)


@both
def test_the_same_seed_gives_the_same_actions(cls):
    distribution, _, _ = made(cls, group=4)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(distribution.sample())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@both
def test_tempered_noise_is_the_noise_of_another_scale(cls):
    distribution, directions, log_noise_scale = made(cls, dim=3, noise_scale=0.2)
    tempered = distribution.tempered(0.5)
    other = cls(1, 3).proba_distribution(directions, log_noise_scale + math.log(0.5))
    actions = tempered.choose(torch.Generator().manual_seed(3))
    assert torch.equal(actions, other.choose(torch.Generator().manual_seed(3)))
    torch.testing.assert_close(tempered.log_prob(actions), other.log_prob(actions))
    assert distribution.noise_scale.item() == pytest.approx(0.2)  # is left as it was


@both
@pytest.mark.parametrize("group", [1, 5])
def test_choices_are_the_generators_own(cls, group):
    distribution, *_ = made(cls, group=group)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, two = (distribution.choose(torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(distribution.actions_of(one), one)
    torch.testing.assert_close(distribution.log_prob_of(one), distribution.log_prob(one))


@gaussians
def test_the_slope_is_the_change_of_log_density_with_the_cosine(cls):
    distribution, *_ = made(cls, batch=1, dim=3, noise_scale=0.4)
    unit = F.normalize(torch.randn(2, 3, dtype=torch.double), dim=-1)
    length = 2 * distribution.mean.norm()  # of the mean over the radius
    density = [distribution.log_prob(0.5 * one[None]) for one in unit]
    cosines = [(distribution.center[0, 0] @ one) for one in unit]
    found = (density[0] - density[1]) / (cosines[0] - cosines[1])
    torch.testing.assert_close(found, distribution.cosine_slope * length)


@both
def test_what_only_a_softmax_has_is_refused(cls):
    distribution, *_ = made(cls)
    with pytest.raises(ValueError, match=f"{cls.__name__} has no tokens to smooth labels"):
        distribution.log_prob_of(distribution.sample(), 0.1)
    with pytest.raises(ValueError, match=f"{cls.__name__} has no tokens and no token prob"):
        distribution.log_probs()


def test_a_baseline_over_all_groups_shrinks_the_gradient_by_its_own_share_alone():
    # A linear reward w.e, whose gradient estimate, with the mean of all N rewards as the baseline,
    # is 1 - 1 / N of w in expectation where the noise of an action tells nothing of other rewards.
    groups, size, dim, rounds = 16, 8, 8, 400
    direction = torch.zeros(groups, dim, dtype=torch.double)
    direction[:, 0] = 1
    distribution = DirectionalGaussian(1, dim)
    distribution.proba_distribution(direction, torch.tensor(0.0).double(), size)
    torch.manual_seed(0)
    w = torch.randn(dim, dtype=torch.double)
    found = []
    for _ in range(rounds):
        noise = (distribution.sample() - distribution.mode()) / 0.5
        rewards = noise @ w
        estimate = ((rewards - rewards.mean())[:, None] * noise).mean(0)
        found.append((estimate @ w / (w @ w)).item())
    error = np.std(found) / math.sqrt(rounds)
    assert np.mean(found) == pytest.approx(1 - 1 / (groups * size), abs=4 * error)
    assert 4 * error < 0.5 / dim  # a shared frame without signs would shrink it by 1 / D more

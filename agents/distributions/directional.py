"""Action distributions centered on a direction.

A cosine reward depends on directions only. The mean of an action is therefore a direction at a
fixed radius; a free length would drift, because the reward does not constrain it. Only in
`FreeGaussian` does the length depend on the state. Each distribution can give a *group* of K
actions for each state, which share everything computed from the state.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from copy import copy
from typing import Self

import torch
from stable_baselines3.common.distributions import Distribution
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional as F

from ..names import DistributionName

__all__ = [
    "DISTRIBUTIONS",
    "FREE_NOISE",
    "DirectionDistribution",
    "DirectionalGaussian",
    "DistributionName",
    "FreeGaussian",
    "PowerSpherical",
]

FREE_NOISE = 0.25
"""Noise per coordinate with which actions around short means stay within the action space."""


class DirectionDistribution(Distribution):
    """T vectors of dimension D, each around its own direction, as an SB3 `Distribution`.

    Actions are flat, (B * K, T * D): the K actions of a state stand next to each other.

    Args:
        num_vectors: T.
        dim: D.
        radius: length of the mean vectors, or their unit of length if that is free. At 0.5, the
            noise around a mean of fixed length stays far from the action bounds, -1 and 1.

    Attributes:
        center: (B, T, D) unit vectors.
        group_size: K.
    """

    center: Tensor  # (B, T, D)
    log_noise_scale: Tensor  # ()

    def __init__(self, num_vectors: int, dim: int, radius: float = 0.5) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # SB3's has no annotations
        self.num_vectors = num_vectors
        self.dim = dim
        self.radius = radius
        self.group_size = 1

    def proba_distribution_net(
        self, latent_dim: int, log_noise_scale_init: float
    ) -> tuple[nn.Linear, nn.Parameter]:
        """The linear layer that gives the directions, and the logarithm of the noise scale."""
        return (
            nn.Linear(latent_dim, self.num_vectors * self.dim),
            nn.Parameter(torch.tensor(log_noise_scale_init)),
        )

    def proba_distribution(
        self, directions: Tensor, log_noise_scale: Tensor, group_size: int = 1
    ) -> Self:
        """Set the parameters.

        Args:
            directions: (B, T * D) of any length.
            log_noise_scale: () logarithm of the noise's standard deviation, relative to the radius.
            group_size: K, actions for each of the B states.
        """
        vectors = directions.view(len(directions), self.num_vectors, self.dim)
        self.center = F.normalize(vectors, dim=-1)
        self.log_noise_scale = log_noise_scale
        self.group_size = group_size
        return self

    def mode(self) -> Tensor:
        """(B * K, T * D) the directions, scaled to the radius."""
        return (self.radius * self.center).flatten(1).repeat_interleave(self.group_size, dim=0)

    def actions_from_params(
        self, directions: Tensor, log_noise_scale: Tensor, deterministic: bool = False
    ) -> Tensor:
        """Actions for parameters, one for each state."""
        return self.proba_distribution(directions, log_noise_scale).get_actions(deterministic)

    def log_prob_from_params(
        self, directions: Tensor, log_noise_scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Actions for parameters, one for each state, and their log-density."""
        actions = self.actions_from_params(directions, log_noise_scale)
        return actions, self.log_prob(actions)

    @property
    @abstractmethod
    def noise_scale(self) -> Tensor:
        """() typical noise of one coordinate, relative to the radius."""

    @property
    def cosine_slope(self) -> Tensor:
        """(B,) or (1,) slope of the log-probability in the cosine of action and direction."""
        return self.noise_scale.pow(-2).view(1)

    def attach(self, tokens: Tensor) -> None:
        """Set the (V, D) unit vectors of a vocabulary; only distributions over tokens use them."""

    def tempered(self, temperature: float) -> Self:
        """The same distribution with its noise multiplied by the temperature."""
        other = copy(self)
        other.log_noise_scale = self.log_noise_scale + math.log(temperature)
        return other

    @abstractmethod
    def choose(self, generator: torch.Generator | None = None) -> Tensor:
        """Sample choices, one for each of the B * K actions.

        A choice is the input of `log_prob_of`: an action, (T * D,), or the index of a token, ().
        It carries no gradient.

        Args:
            generator: by default torch's global generator.
        """

    def actions_of(self, choices: Tensor) -> Tensor:
        """(n, T * D) actions for n choices."""
        return choices

    def sample(self) -> Tensor:
        """(B * K, T * D) actions, without gradient."""
        return self.actions_of(self.choose())

    def log_prob_of(self, choices: Tensor, smoothing: float = 0.0) -> Tensor:
        """(B * K,) log-probabilities of B * K choices.

        Args:
            choices: from `choose`.
            smoothing: label smoothing over all tokens, in [0, 1); 0 if there are no tokens.

        Raises:
            ValueError: smoothing is not 0, but the distribution is not one over tokens.
        """
        if smoothing:
            raise ValueError(f"{type(self).__name__} has no tokens to smooth labels over")
        return self.log_prob(choices)

    def log_probs(self) -> Tensor:
        """(B, V) log-probabilities of all tokens.

        Raises:
            ValueError: the distribution is not one over tokens.
        """
        raise ValueError(f"{type(self).__name__} has no tokens and no token probabilities")

    def _dot(self, actions: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Actions as (B, K, T, D), and their dot products with (B, T, D) vectors, (B, K, T)."""
        grouped = actions.view(-1, self.group_size, self.num_vectors, self.dim)
        if self.num_vectors == 1:
            # A batched product reads each action once, forward and backward.
            dot = torch.bmm(grouped[:, :, 0], vectors.transpose(1, 2))
        else:
            dot = torch.einsum("bktd,btd->bkt", grouped, vectors)
        return grouped, dot


class DirectionalGaussian(DirectionDistribution):
    """Isotropic Gaussian noise around a direction: a ~ N(radius * u, (radius * noise_scale)^2 I).

    In a group of K > 1 actions, the noise vectors have equal lengths and are mutually orthogonal
    (orthogonal Monte Carlo, Choromanski et al. 2018). Each action alone has the distribution above,
    but together they cover the space: the part of the policy gradient's variance that comes from
    the noise falls from D / K to D / K - 1 times the squared gradient; at K = D, the variance from
    the length remains, 2 / D. Baselines of REINFORCE that are unbiased for independent actions
    remain unbiased: given one action's noise e, the others have the same distribution as for -e, so
    their mean reward is even in e, and its product with the score, which is odd in e, has mean
    zero. The score of a learned noise scale is even in e, so with one, each action draws its own
    length. The groups of a batch take their noise from one random orthonormal frame, which costs
    one QR factorization of a (T * D, T * D) matrix. A random sign for each group keeps the noise of
    one group uncorrelated with the rewards of all others.

    Attributes:
        mean: (B, T, D) mean vectors.
    """

    mean: Tensor  # (B, T, D)

    def proba_distribution(
        self, directions: Tensor, log_noise_scale: Tensor, group_size: int = 1
    ) -> Self:
        """Set the parameters, and `distribution`, over B states, for SB3's `kl_divergence`."""
        super().proba_distribution(directions, log_noise_scale, group_size)
        self.mean = self.radius * self._unscaled_mean(directions.view_as(self.center))
        self._make_normal()
        return self

    def _make_normal(self) -> None:
        normal = Normal(self.mean.flatten(1), self.radius * self.noise_scale, validate_args=False)
        self.distribution = Independent(normal, 1, validate_args=False)

    def _unscaled_mean(self, vectors: Tensor) -> Tensor:  # noqa: ARG002 - for `FreeGaussian`
        """The mean divided by the radius, for the linear layer's vectors; both (B, T, D)."""
        return self.center

    def mode(self) -> Tensor:
        """(B * K, T * D) the means."""
        return self.mean.flatten(1).repeat_interleave(self.group_size, dim=0)

    @property
    def noise_scale(self) -> Tensor:
        """() standard deviation of one coordinate, relative to the radius."""
        return self.log_noise_scale.exp()

    def tempered(self, temperature: float) -> Self:
        """The same distribution with its standard deviation multiplied by the temperature."""
        other = super().tempered(temperature)
        other._make_normal()
        return other

    def choose(self, generator: torch.Generator | None = None) -> Tensor:
        """(B * K, T * D) actions, without gradient."""
        with torch.no_grad():
            mean = self.mean.flatten(1).unsqueeze(1)  # (B, 1, T * D)
            shape = (len(mean), self.group_size, mean.shape[2])
            scale = self.radius * self.noise_scale
            if self.group_size == 1:
                noise = torch.empty(shape, device=mean.device, dtype=mean.dtype)
                noise.normal_(generator=generator)
                return torch.addcmul(mean, noise, scale).flatten(0, 1)
            # A Gaussian vector is a uniform direction times an independent chi-distributed length.
            # A group shares one length, unless the noise scale is learned: with equal lengths, a
            # baseline over the group would cancel its gradient.
            lengths = self.group_size if self.log_noise_scale.requires_grad else 1
            size = (len(mean), lengths, 1)
            half = torch.full(size, shape[2] / 2, device=mean.device, dtype=mean.dtype)
            length = (2 * torch._standard_gamma(half, generator)).sqrt() * scale
            # Groups share a frame, so their noise would be correlated. A random sign for each group
            # makes the noise of one group uncorrelated with the rewards of another.
            sign = torch.randint(2, (len(mean), 1, 1), device=mean.device, generator=generator)
            length = length * (2 * sign - 1)
            frames = _orthonormal_groups(*shape, like=mean, generator=generator)
            return torch.addcmul(mean, frames, length, out=frames).flatten(0, 1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """(B * K,) log-density of (B * K, T * D) actions.

        |a - m|^2 is expanded to |a|^2 - 2 a.m + |m|^2, so that the gradient with respect to m is
        one batched product instead of three passes over all actions.
        """
        grouped, dot = self._dot(actions, self.mean)
        square = torch.linalg.vecdot(grouped, grouped)
        mean_square = torch.linalg.vecdot(self.mean, self.mean).unsqueeze(1)  # (B, 1, T)
        distance = (square - 2 * dot + mean_square).sum(-1)  # (B, K)
        log_std = math.log(self.radius) + self.log_noise_scale
        constant = self.num_vectors * self.dim * (log_std + 0.5 * math.log(2 * math.pi))
        log_prob: Tensor = (-0.5 * distance * (-2 * log_std).exp() - constant).flatten()
        return log_prob

    def entropy(self) -> Tensor:
        """(B * K,) differential entropy."""
        log_std = math.log(self.radius) + self.log_noise_scale
        value = self.num_vectors * self.dim * (log_std + 0.5 * math.log(2 * math.pi * math.e))
        return value.expand(len(self.center) * self.group_size)


class FreeGaussian(DirectionalGaussian):
    """Isotropic Gaussian noise around a vector of any length.

    With v the vector, a ~ N(radius * v, (radius * noise_scale)^2 I).

    The vectors of a new network are short compared with a noise scale of 1 or more, so the first
    actions point in all directions and their rewards are most informative. Learning makes the
    vectors longer, and thereby the noise relatively smaller. Also, an update can turn a short mean
    by a large angle within the probability ratios that PPO allows. The radius times the noise scale
    should be about `FREE_NOISE`, well within the bounds of the action space. Under PPO, the mean
    stays within them too. REINFORCE and A2C keep lengthening it, until a large share of the actions
    is clipped (see `rollout/clipped_fraction`).

    An environment scores the mean of several vectors, in which longer ones weigh more, while
    `agents.answer` returns unit vectors.
    """

    def _unscaled_mean(self, vectors: Tensor) -> Tensor:
        return vectors


class PowerSpherical(DirectionDistribution):
    """Noise on the sphere: p(x) ~ (1 + u.x)^kappa (De Cao and Aziz 2020), x = a / radius.

    The concentration is kappa = 2 / noise_scale^2. For small noise scales, the standard deviation
    of a coordinate is then the noise scale, as in the Gaussian.
    """

    @property
    def noise_scale(self) -> Tensor:
        """() for small values, the standard deviation of one coordinate, relative to the radius."""
        return self.log_noise_scale.exp()

    @property
    def concentration(self) -> Tensor:
        """() kappa."""
        return 2 * (-2 * self.log_noise_scale).exp()

    def _beta(self) -> tuple[Tensor, float]:
        """Parameters of (1 + u.x) / 2 ~ Beta(alpha, beta)."""
        beta = (self.dim - 1) / 2
        return beta + self.concentration, beta

    def choose(self, generator: torch.Generator | None = None) -> Tensor:
        """(B * K, T * D) actions of length radius, without gradient."""
        with torch.no_grad():
            shape = (len(self.center), self.group_size, self.num_vectors)
            alpha, beta = self._beta()
            # Beta(alpha, beta) is the first coordinate of Dirichlet(alpha, beta).
            parameters = torch.stack([alpha, torch.full_like(alpha, beta)]).expand(*shape, 2)
            marginal = torch._sample_dirichlet(parameters.contiguous(), generator)[..., 0]
            along = 2 * marginal - 1  # (B, K, T), u.x
            noise = torch.empty((*shape, self.dim), device=along.device, dtype=along.dtype)
            noise.normal_(generator=generator)
            center = self.center.unsqueeze(1)
            # A uniform direction in the tangent space: the noise minus its component along u.
            noise -= (noise * center).sum(-1, keepdim=True) * center
            tangent = F.normalize(noise, dim=-1)
            across = (1 - along.square()).clamp_min(0).sqrt()
            x = along[..., None] * center + across[..., None] * tangent
            return (self.radius * x).view(-1, self.num_vectors * self.dim)

    def log_prob(self, actions: Tensor) -> Tensor:
        """(B * K,) log-density of the actions' directions, on the sphere of that radius."""
        grouped, dot = self._dot(actions, self.center)
        cosine = dot / torch.linalg.vector_norm(grouped, dim=-1)
        log_one_plus = torch.log1p(cosine.clamp_min(-1 + 1e-6))
        density = self.concentration * log_one_plus - self._log_normalizer()
        return density.sum(-1).flatten()

    def entropy(self) -> Tensor:
        """(B * K,) differential entropy on the sphere of that radius (De Cao and Aziz, eq. 18)."""
        alpha, beta = self._beta()
        mean_log = math.log(2) + torch.digamma(alpha) - torch.digamma(alpha + beta)
        value = self.num_vectors * (self._log_normalizer() - self.concentration * mean_log)
        return value.expand(len(self.center) * self.group_size)

    def _log_normalizer(self) -> Tensor:
        """Logarithm of the integral of (1 + u.x)^kappa over the sphere of that radius."""
        alpha, beta = self._beta()
        return (
            (alpha + beta) * math.log(2)
            + beta * math.log(math.pi)
            + torch.lgamma(alpha)
            - torch.lgamma(alpha + beta)
            + (self.dim - 1) * math.log(self.radius)
        )


def _orthonormal_groups(
    batch: int, size: int, dim: int, *, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """(batch, size, dim) uniform unit vectors; every `dim` of a group are mutually orthogonal.

    The batch shares one Haar-distributed frame. Each group takes a window of it from a random
    start: given the frame, the groups are independent, and each covers all of it in expectation.
    """
    start = torch.randint(dim, (batch,), device=like.device, generator=generator)
    windows = []
    for first in range(0, size, dim):
        width = min(dim, size - first)
        gaussian = torch.empty(dim, dim, device=like.device, dtype=like.dtype)
        gaussian.normal_(generator=generator)
        frame, triangle = torch.linalg.qr(gaussian)
        # The signs make the frame uniform (Mezzadri 2007).
        frame = frame * triangle.diagonal().sign()
        # In two copies of the frame end to end, each window is contiguous and copied at once.
        every = torch.cat([frame, frame]).as_strided((dim, width * dim), (dim, 1))
        windows.append(every.index_select(0, start).view(batch, width, dim))
    return windows[0] if len(windows) == 1 else torch.cat(windows, dim=1)


DISTRIBUTIONS: dict[str, type[DirectionDistribution]] = {
    "gaussian": DirectionalGaussian,
    "free_gaussian": FreeGaussian,
    "power_spherical": PowerSpherical,
}
"""The distributions by their names in the configuration."""

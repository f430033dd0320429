"""The policy that writes texts: an SB3 actor-critic policy whose actions are words."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from torch.nn import functional as F

from llmar_env.spaces import TextIndex, TokenIndex
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

from ..distributions import DirectionalGaussian, DirectionDistribution, TokenSoftmax
from ..networks.device import has_fast_bfloat16
from ..networks.encoder import TextLookup
from ..networks.packing import pack
from ..networks.seq2seq import Memory, Seq2SeqConfig, Writer, features_dim
from .direction import DirectionPolicy
from .observed import as_indices, check_bounds
from .sampling import group_representatives

__all__ = ["DecodingState", "WriterFeatures", "WriterPolicy", "WritingDistribution"]

WritingDistribution = Literal["tokens", "gaussian"]
# Beside a lexical path, the other features have this much less weight at first.
_LEXICAL_START = 0.3


class WriterFeatures(BaseFeaturesExtractor):
    """SB3 features extractor that reads the text and all words written so far at every step.

    Each distinct text of a batch is read once. `DecodingState`, which carries the decoder's state
    from word to word, gives the same features.

    Args:
        observation_space: that of LLMAR/Generate-v0, with row numbers or embeddings.
        config: size of the network.

    Raises:
        ValueError: it is a different space.
    """

    padded_table: Tensor  # (V, D) vectors of the words, with a zero row for EOS

    def __init__(self, observation_space: spaces.Space[Any], config: Seq2SeqConfig) -> None:
        if not isinstance(observation_space, spaces.Dict) or set(observation_space) != {
            "text",
            "written",
        }:
            raise ValueError(
                'a writer observes a Dict of "text" and "written", as in LLMAR/Generate-v0; '
                f"found {observation_space}"
            )
        text, written = observation_space["text"], observation_space["written"]
        source_dim, target_dim = (
            one.dim if isinstance(one, TextIndex | TokenIndex) else (one.shape or (0,))[-1]
            for one in (text, written)
        )
        super().__init__(observation_space, features_dim(target_dim, config))
        self.network = Writer(source_dim, target_dim, config)
        self.lookup = TextLookup() if isinstance(text, TextIndex) else None
        self._checked = False  # whether observed vectors have been compared with their space
        self.register_buffer("padded_table", None, persistent=False)

    def read(self, text: Tensor) -> Memory:
        """Read texts: (B, L, Ds) embeddings or (B, 1) rows."""
        if self.lookup is not None:
            return self.network.read(self.lookup(as_indices(text[:, 0])))
        lengths = (text != 0).any(-1).sum(-1).clamp_min(1)
        return self.network.read(pack(text.float(), lengths))

    def words(self, written: Tensor) -> Tensor:
        """Vectors (..., D) of words that are observed as tokens (...) or as vectors."""
        if self.lookup is None:
            return written.float()
        return F.embedding(as_indices(written), self.padded_table)

    def lengths(self, written: Tensor) -> Tensor:
        """(B,) words in texts observed as (B, M, D) vectors or (B, M) tokens."""
        there = (
            (written != 0).any(-1) if written.ndim == 3 else written != len(self.padded_table) - 1
        )
        return there.sum(-1)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """(B, features) of the next word."""
        text, written = observations["text"], observations["written"]
        if self.training and not self._checked and self.lookup is None:
            space = self._observation_space
            assert isinstance(space, spaces.Dict)
            check_bounds(text, space["text"])
            check_bounds(written, space["written"])
            self._checked = True
        rows, inverse = torch.unique(text, dim=0, return_inverse=True)
        memory = self.read(rows).take(inverse)
        lengths = self.lengths(written)
        previous = self.previous(self.words(written[:, : int(lengths.max())]))
        states = self.network.begin_states(memory)
        features, _ = self.network.write(memory, previous, states)
        places = torch.arange(len(lengths), device=lengths.device)
        return features[places, lengths].float()

    def previous(self, words: Tensor) -> Tensor:
        """(B, T + 1, D) vectors of the word before each place, for (B, T, D) words."""
        bos = self.network.bos.expand(len(words), 1, -1)
        return torch.cat([bos, words], dim=1)


class WriterPolicy(DirectionPolicy):
    """Reads a text and writes another, word by word; each word is a direction.

    With REINFORCE, it carries the decoder's state from word to word. With stock PPO and A2C, it
    reads the whole observation at every step. The weights are the same.

    Args:
        observation_space: that of LLMAR/Generate-v0, with row numbers or embeddings.
        action_space: Box (D,).
        lr_schedule: learning rate as a function of the remaining progress.
        vocabulary: the tokens; required unless the observation space has them.
        writer: size of the network.
        distribution: "tokens", a softmax over scaled cosines, or "gaussian", noise around the
            direction.
        noise_scale: the softmax's temperature, or the noise of a coordinate relative to the radius.
        learn_noise_scale: whether it is learned; by default only the temperature is.
        low_precision: whether to use bfloat16 for matrix products; by default if the device is
            much faster with it.
        **kwargs: passed to `DirectionPolicy`.

    Raises:
        ValueError: a space is not one of those above, or there is no vocabulary.
    """

    distributions: ClassVar[tuple[str, ...]] = ("tokens", "gaussian")
    directions: Tensor  # (V, D) unit vectors of the words and of EOS

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        vocabulary: Vocabulary | None = None,
        writer: Seq2SeqConfig | dict[str, Any] | None = None,
        distribution: WritingDistribution = "tokens",
        noise_scale: float | None = None,
        learn_noise_scale: bool | None = None,
        low_precision: bool | None = None,
        **kwargs: Any,
    ) -> None:
        _require_one_vector(action_space)
        self.low_precision = low_precision
        self.writer = (
            Seq2SeqConfig(**writer) if isinstance(writer, dict) else writer or Seq2SeqConfig()
        )
        tokens = distribution == "tokens"
        self.vocabulary = _vocabulary_of(observation_space) if vocabulary is None else vocabulary
        if "optimizer_class" not in kwargs:
            # SB3's 1e-5 would starve the vectors of rare words, whose gradients are small.
            kwargs.setdefault("optimizer_kwargs", {"eps": 1e-8})
        kwargs.setdefault("features_extractor_class", WriterFeatures)
        kwargs.setdefault("features_extractor_kwargs", {"config": self.writer})
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            distribution=distribution,
            noise_scale=(0.05 if tokens else 0.3) if noise_scale is None else noise_scale,
            learn_noise_scale=tokens if learn_noise_scale is None else learn_noise_scale,
            **kwargs,
        )
        self.register_buffer("directions", None, persistent=False)
        if self.vocabulary is not None:
            self.attach(_texts_of(observation_space), self.vocabulary)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {
            "writer": asdict(self.writer),
            "vocabulary": self.vocabulary,
            "low_precision": self.low_precision,
        }
        return super()._get_constructor_parameters() | own

    def _make_distribution(self, num_vectors: int, dim: int) -> DirectionDistribution:
        if self.distribution == "gaussian":
            return DirectionalGaussian(num_vectors, dim, self.radius)
        return TokenSoftmax(dim, torch.empty(0, dim), self.radius)

    def _build(self, lr_schedule: Schedule) -> None:
        """Make the heads, of which a lexical path leads to a word's direction from the start."""
        super()._build(lr_schedule)
        if self.writer.lexical and not self.net_arch:
            assert isinstance(self.action_net, nn.Linear)
            weight = self.action_net.weight  # (D + 1 or D, features)
            *_, dim = self.action_space.shape or ()
            with torch.no_grad():
                weight[:dim] *= _LEXICAL_START
                weight[:, -dim:] = torch.eye(len(weight), dim)

    @property
    def eos_direction(self) -> Tensor:
        """(1, D) the unit vector of EOS."""
        return self.directions[-1:]

    @property
    def reader(self) -> WriterFeatures:
        """The features extractor."""
        features = self.pi_features_extractor
        assert isinstance(features, WriterFeatures)
        return features

    def use_vectors(self, texts: Tensor | None, words: Tensor, directions: Tensor) -> None:
        """Use other vectors for the same tokens, such as some that are learned with the weights.

        Args:
            texts: (Vs + 1, Ds) of the tokens of the texts, the last row zero; None to keep them.
            words: (V, D) of the words, the last row zero, for EOS.
            directions: (V, D) the unit vectors that words are written by.
        """
        for extractor in {self.pi_features_extractor, self.vf_features_extractor}:
            assert isinstance(extractor, WriterFeatures)
            if texts is not None and extractor.lookup is not None:
                extractor.lookup.padded_table = texts
            extractor.padded_table = words
        self.directions = directions
        self.action_dist.attach(directions)

    def attach(self, texts: EmbeddedTexts | None, vocabulary: Vocabulary) -> None:
        """Set the text store and the vocabulary.

        A model takes both from its environment; one that was loaded without needs this.

        Raises:
            ValueError: the policy was made for another store or vocabulary.
        """
        space = self.observation_space
        assert isinstance(space, spaces.Dict)
        for part, data in (("text", texts), ("written", vocabulary)):
            expected = getattr(space[part], "fingerprint", None)
            if data is not None and expected is not None and data.fingerprint != expected:
                raise ValueError(
                    f"this policy was made for the {type(data).__name__} {expected}, found "
                    f"{data.fingerprint}, whose row numbers stand for different vectors"
                )
        self.vocabulary = vocabulary
        for extractor in {self.pi_features_extractor, self.vf_features_extractor}:
            assert isinstance(extractor, WriterFeatures)
            if texts is not None and extractor.lookup is not None:
                extractor.lookup.attach(texts, self.device)
        tables = (vocabulary.padded_table, vocabulary.directions)
        words, directions = (torch.as_tensor(table, device=self.device) for table in tables)
        self.use_vectors(None, words, directions)

    def _attach_known(self, space: spaces.Space[Any]) -> None:
        """Take texts and vocabulary from a space that has them."""
        carried = _tokens_of(space)
        if carried is not None and (vocabulary := carried.vocabulary) is not None:
            self.attach(_texts_of(space), vocabulary)

    def require_data(self) -> None:
        """Take texts and vocabulary from an environment that was set after loading.

        Raises:
            RuntimeError: there was none.
        """
        lookup = self.reader.lookup
        if self.vocabulary is None or (lookup is not None and lookup.fingerprint is None):
            self._attach_known(self.observation_space)
        if self.vocabulary is None:
            raise RuntimeError(
                "this policy has no vocabulary: load the model with an environment that has its "
                "texts (env=env), or call policy.attach(texts, vocabulary)"
            )

    def bind(self, env: VecEnv) -> None:
        """Take texts and vocabulary from the environments.

        Raises:
            ValueError: as in `attach`; or the environments use another vocabulary, or normalize
                observations.
        """
        super().bind(env)
        self._attach_known(env.observation_space)
        # Not the vocabulary itself: workers would send copies of it.
        prints = env.get_attr("fingerprints") if env.has_attr("fingerprints") else []
        ours = self.vocabulary and self.vocabulary.fingerprint
        for theirs in (one.get("vocabulary", ours) for one in prints):
            if theirs != ours:
                raise ValueError(
                    f"this policy writes with the vocabulary {ours}, but the environment reads "
                    f"with {theirs}"
                )

    def begin(
        self, observations: Any, group_size: int = 1, *, entropy: bool = False
    ) -> DecodingState:
        """Start writing answers to the observed texts, (N, ...), each shown to K neighbors."""
        text = group_representatives(observations["text"], group_size)
        text_on_device = torch.as_tensor(text, device=self.device)
        return DecodingState(self, text_on_device, group_size, entropy=entropy)

    def distributions_at(
        self, memory: Memory, words: Tensor, places: Tensor
    ) -> DirectionDistribution:
        """The distributions of words at places of known texts, all in one pass.

        Args:
            memory: the N encoded input texts.
            words: (N, T - 1, D) vectors of the words written.
            places: (N, T) bool, the places whose distributions are computed.

        Returns:
            The distributions at those places, text by text.
        """
        reader, network = self.reader, self.reader.network
        states = network.begin_states(memory)
        features, _ = network.write(memory, reader.previous(words), states)
        return self.distribution_of(features[places].float())

    @torch.no_grad()
    def scale_temperature(self, factor: float) -> None:
        """Multiply the distribution's common noise scale by a factor."""
        self.log_noise_scale.add_(math.log(factor))

    def precision(self) -> torch.autocast:
        """A context in which matrix products use bfloat16, if low precision is enabled."""
        low = self.low_precision
        low = has_fast_bfloat16(self.device) if low is None else low
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    def extract_features(
        self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor | None = None
    ) -> Any:
        """Features of the policy and of the value function, as in `DirectionPolicy`."""
        self.require_data()
        with self.precision():
            return super().extract_features(obs, features_extractor)

    def distribution_of(self, features: Tensor) -> DirectionDistribution:
        """The distributions of words for (n, features)."""
        return self._get_action_dist_from_latent(self.mlp_extractor.forward_actor(features))


class DecodingState:
    """The state of writing texts, with the decoder's state carried from word to word.

    Each input text is read once, regardless of the number of answers to it. The written words are
    kept, so that whole texts can be evaluated later, with gradient.

    Args:
        policy: the policy that writes.
        text: (B, ...) observations of the input texts.
        group_size: K, number of answers to each.
        entropy: whether `evaluate` returns entropies.

    Attributes:
        num_texts: N = B * K.
    """

    # The longest text of a group is compared with all others up to its end.
    compares_ended = True

    def __init__(
        self, policy: WriterPolicy, text: Tensor, group_size: int = 1, *, entropy: bool = False
    ) -> None:
        self.policy = policy
        self.text = text
        self.group_size = group_size
        self.entropy = entropy
        self.num_texts = len(text) * group_size
        self._words: list[Tensor] = []  # (N,) or (N, D) each, as observed
        self._chosen: list[Tensor] = []  # (N,) tokens or (N, D) actions
        self._running: list[Tensor] = []  # (N,) bool
        policy.set_training_mode(False)
        policy.require_data()
        with torch.no_grad(), policy.precision():
            self._memory = policy.reader.read(text).repeat(group_size)
            self._states = policy.reader.network.begin_states(self._memory)
        self._live = torch.arange(self.num_texts, device=text.device)
        self._live_rows = np.arange(self.num_texts)  # the same, where a step need not wait for CUDA

    @torch.no_grad()
    def act(self, observations: Any, running: NDArray[np.bool_]) -> Tensor:
        """Write the next word of each text that has not ended.

        Args:
            observations: a dict with the texts written so far as "written", (N, M) or (N, M, D).
            running: (N,) bool; once False, a text stays False.

        Returns:
            (N, D) actions; EOS for texts that have ended.
        """
        policy, device = self.policy, self._live.device
        self._drop_ended(running)
        previous = self._previous_words(torch.as_tensor(observations["written"], device=device))
        with policy.precision():
            features, self._states = policy.reader.network.write(
                self._memory, previous[:, None], self._states
            )
            distribution = policy.distribution_of(features[:, 0].float())
            choices = distribution.choose()
        actions = (policy.radius * policy.eos_direction).repeat(self.num_texts, 1)
        actions[self._live] = distribution.actions_of(choices)
        chosen = choices.new_zeros(self.num_texts, *choices.shape[1:])
        chosen[self._live] = choices
        self._chosen.append(chosen)
        self._running.append(torch.as_tensor(running, device=device))
        return actions

    def _drop_ended(self, running: NDArray[np.bool_]) -> None:
        """Continue with only the texts that have not ended."""
        kept = running[self._live_rows]
        if not kept.all():
            self._live_rows = self._live_rows[kept]
            index = torch.as_tensor(kept.nonzero()[0], device=self._live.device)
            self._live, self._memory = self._live[index], self._memory.take(index)
            self._states = self._states.index_select(1, index)

    def _previous_words(self, written: Tensor) -> Tensor:
        """(n, D) vectors of the last word of each text that has not ended."""
        reader = self.policy.reader
        if not self._running:
            return reader.network.bos.expand(len(self._live), -1)
        self._words.append(written[:, len(self._running) - 1])
        return reader.words(self._words[-1][self._live])

    def log_prob(self, policy: WriterPolicy | None = None) -> Tensor:
        """(S, N) log-probabilities of the words at S steps, with gradient; 0 after a text's end.

        Args:
            policy: the policy that assigns the probabilities; by default the one that wrote.
        """
        return self._evaluated(policy or self.policy)[1]

    def evaluate(self) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities (S, N), as in `log_prob`, and entropies (S, N) or None."""
        distribution, log_prob = self._evaluated(self.policy)
        if not self.entropy:
            return log_prob, None
        entropy = distribution.entropy()
        assert entropy is not None  # every distribution of words has one in closed form
        return log_prob, self._by_step(entropy)

    def _evaluated(self, policy: WriterPolicy) -> tuple[DirectionDistribution, Tensor]:
        # The texts were written without dropout, so they are evaluated without it.
        policy.set_training_mode(False)
        running = torch.stack(self._running, dim=1)  # (N, S)
        chosen = torch.stack(self._chosen, dim=1)[running]
        if self._words:
            words = policy.reader.words(torch.stack(self._words, dim=1))
        else:
            words = policy.eos_direction.new_empty(self.num_texts, 0, policy.eos_direction.shape[1])
        with policy.precision():
            memory = policy.reader.read(self.text).repeat(self.group_size)
            distribution = policy.distributions_at(memory, words, running)
            return distribution, self._by_step(distribution.log_prob_of(chosen))

    def _by_step(self, values: Tensor) -> Tensor:
        """(S, N) values from one for each word, text by text; 0 after a text's end."""
        running = torch.stack(self._running, dim=1)
        return values.new_zeros(running.shape).masked_scatter(running, values).t()


def _require_one_vector(action_space: spaces.Space[Any]) -> None:
    if len(action_space.shape or ()) != 1:
        raise ValueError(
            "a writer appends one token per step, with actions Box (D,) as in LLMAR/Generate-v0; "
            f"found {action_space}. There is no policy for LLMAR/Refine-v0 yet"
        )


def _vocabulary_of(space: spaces.Space[Any]) -> Vocabulary | None:
    """The vocabulary of an observation space; None where an unpickled one does not find it yet.

    `require_data` looks again then.

    Raises:
        ValueError: the space is one of embeddings, which has none.
    """
    carried = _tokens_of(space)
    if carried is None:
        raise ValueError(
            "an observation space of embeddings does not include the vocabulary: pass "
            "policy_kwargs={'vocabulary': ...}, the `mdp.vocabulary` of the environment"
        )
    return carried.vocabulary


def _tokens_of(space: spaces.Space[Any]) -> TokenIndex | None:
    written = (
        space["written"] if isinstance(space, spaces.Dict) and "written" in space.spaces else None
    )
    return written if isinstance(written, TokenIndex) else None


def _texts_of(space: spaces.Space[Any]) -> EmbeddedTexts | None:
    text = space["text"] if isinstance(space, spaces.Dict) else None
    return text.texts if isinstance(text, TextIndex) else None

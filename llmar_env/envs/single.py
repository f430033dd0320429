"""A single environment: `gymnasium.Env` over an MDP, run as a batch of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import gymnasium
import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from numpy.typing import NDArray

from llmar_env.envs.core import (
    MDP,
    Observed,
    StateT,
    check_action,
    observation_of,
    require_keys,
    stream_key,
)
from llmar_env.envs.frame import draw_frame

__all__ = ["SingleEnv"]


class SingleEnv(gymnasium.Env[Observed, NDArray[np.float32]], Generic[StateT]):
    """`gymnasium.Env` over an MDP.

    Args:
        make_mdp: makes the MDP.
        render_mode: "ansi", "rgb_array" or None.
        group_size: 1; groups are for the vector environment.
        **options: options of `make_mdp`.

    Raises:
        ValueError: an option has a value other than those above.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012 - Gymnasium's

    def __init__(
        self,
        make_mdp: Callable[..., MDP[StateT]],
        *,
        render_mode: str | None = None,
        group_size: int = 1,
        **options: Any,
    ) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        if group_size != 1:
            raise ValueError(
                f"group_size={group_size} needs several environments: use gym.make_vec, "
                "whose native vector environment groups them"
            )
        self.mdp = make_mdp(**options)
        self.render_mode = render_mode
        self.observation_space = self.mdp.observation_space
        self.action_space = self.mdp.action_space  # type: ignore[assignment]  # Box is not a Space[float32]
        self._state: StateT | None = None
        self._running = False
        self._closed = False
        self._last: dict[str, Any] | None = None

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each part of its data, by name, such as "texts" and "vocabulary".

        Other processes can ask for these, and need no copy of the data.
        """
        return self.mdp.fingerprints

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Start the next episode; with a seed, the first one of that seed's stream of texts.

        Args:
            seed: of the stream.
            options: with a seed, `{"member": j}` makes this environment equal to member j of the
                seed's group in the vector environment; by default j is 0.

        Raises:
            ValueError: there are other options, or `member` without a seed or below 0.
        """
        self._require_open()
        member = _member(options or {}, seed)
        super().reset(seed=seed)
        state = self._state
        if seed is not None or state is None:
            state = self.mdp.init(np.array([stream_key(self.np_random)]), np.array([member]))
        self._state = self.mdp.reset(state, np.ones(1, np.bool_))
        self._running, self._last = True, None
        return self._observe(self._state), _first(self.mdp.describe(self._state))

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Args:
            action: floating-point, of `action_space`'s shape, finite in float32.

        Raises:
            ResetNeeded: no episode is running.
            TypeError: the action is not floating-point.
            ValueError: the action has the wrong shape, or holds NaN or infinity.
        """
        self._require_open()
        if self._state is None or not self._running:
            raise ResetNeeded("no episode is running: call reset() before step()")
        batch = check_action(action, self.action_space.shape)[None]
        moved = self.mdp.step(self._state, batch)
        terminated, truncated = bool(moved.terminated[0]), bool(moved.truncated[0])
        self._state, self._last = moved.state, moved.info
        self._running = not (terminated or truncated)
        info = _first(self.mdp.describe(moved.state) | moved.info)
        reward = float(moved.reward[0])
        return self._observe(moved.state), reward, terminated, truncated, info

    def render(self) -> Any:
        """Render the text shown and the last score, as a string or an RGB image (H, W, 3)."""
        if self.render_mode is None:
            return None
        if self._state is None:
            raise ResetNeeded("there is nothing to render before reset()")
        text = self.mdp.render(self._state, 0, self._last)
        return text if self.render_mode == "ansi" else draw_frame(text)

    def close(self) -> None:
        """Close the environment; afterwards only `close` may be called."""
        self._closed = True

    def get_state(self) -> dict[str, Any]:
        """Everything that determines the future, as JSON-serializable data."""
        return {
            "mdp": None if self._state is None else self.mdp.dump(self._state),
            "running": self._running,
            "np_random": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned, on the same texts.

        Raises:
            ValueError: the state is from another environment or other texts.
        """
        self._require_open()
        require_keys(state, ("mdp", "running", "np_random"))
        restored = None if state["mdp"] is None else self.mdp.restore(state["mdp"], 1)
        self.np_random.bit_generator.state = state["np_random"]
        self._state, self._running, self._last = restored, bool(state["running"]), None

    def _observe(self, state: StateT) -> Observed:
        observation: Observed = observation_of(self.mdp.observe(state), 0)
        return observation

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedEnvironmentError("this environment is closed; make a new one")


def _member(options: dict[str, Any], seed: int | None) -> int:
    """The place in a group that the options of a reset ask for."""
    member = options.get("member", 0)
    if set(options) - {"member"} or not isinstance(member, int) or member < 0:
        raise ValueError(
            f"reset takes only the option member, an integer of at least 0, found {options}"
        )
    if options and seed is None:
        raise ValueError("the option member needs a seed, whose stream the group shares")
    return member


def check_render_mode(render_mode: str | None, accepted: list[str]) -> None:
    """Reject a render mode that an environment does not have."""
    if render_mode is not None and render_mode not in accepted:
        raise ValueError(f"render_mode must be one of {', '.join(accepted)}, found {render_mode!r}")


def _first(info: dict[str, Any]) -> dict[str, Any]:
    """Info of a batch of one, as plain Python values."""
    return {name: array.tolist()[0] for name, array in info.items()}

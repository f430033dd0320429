from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import OrderEnforcing

from llmar_env.checks import VectorEnvMismatchError, check_vector_env
from llmar_env.envs.align import AlignEnv, AlignVectorEnv

ENV_ID = "LLMAR/Align-v0"
SAME, NEXT, DISABLED = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
MIXED = {"advance": "alignment", "episode_length": 3}  # most steps end no episode


class Talker(gym.Env):
    """Dict observations, and infos of every kind that come and go."""

    observation_space = spaces.Dict(
        {
            "a": spaces.Box(-1, 1, (2,)),
            "b": spaces.Tuple([spaces.Discrete(300), spaces.Box(0, 255, (1, 2), np.uint8)]),
        }
    )
    action_space = spaces.Dict({"x": spaces.Discrete(3), "y": spaces.Box(-1, 1, (2,))})
    last = 0.0

    def _seen(self):
        self.t = getattr(self, "t", -1) + 1
        noise = self.np_random.random(2).astype(np.float32)
        info = {"t": self.t, "vector": noise * 2, "name": f"step {self.t}", "_hidden": 1.5}
        info |= {"some": [1, 2, self.t], "nan": np.nan, "nothing": None}
        if self.t % 2:
            info["odd"] = {"deep": {"x": 0.5 * self.t}, "flag": True}
        return {"a": noise, "b": (self.t % 300, np.full((1, 2), self.t % 256, np.uint8))}, info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._seen()

    def step(self, action):
        obs, info = self._seen()
        ends = self.np_random.random() < 0.2, self.np_random.random() < 0.2
        return obs, 0.1 * float(action["x"]) + float(action["y"].sum()), *ends, info


class Sync(SyncVectorEnv):
    """Gymnasium's own vectorization, as a vector entry point."""

    autoreset_modes = (NEXT, SAME, DISABLED)

    def __init__(self, num_envs, make, autoreset_mode=NEXT):
        super().__init__([make] * num_envs, autoreset_mode=autoreset_mode)

    def step(self, actions):
        if self.closed:
            raise RuntimeError("closed")
        return super().step(actions)


def spec_of(vector, single=AlignEnv, **options):
    return EnvSpec("Broken-v0", entry_point=single, vector_entry_point=vector, **options)


def sync_spec(make, vector=Sync):
    return spec_of(lambda num_envs, **mode: vector(num_envs, make, **mode), make)


def talker():
    return OrderEnforcing(Talker())


class TestGood:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"observation": "index", "num_vectors": 3},
            {"advance": "alignment", "observation": "index", "info_texts": True},
            {"group_size": 2, "observation": "index"},
            *(
                pytest.param(one, marks=pytest.mark.slow)
                for one in ({"advance": "alignment"}, {"group_size": 2})
            ),
        ],
        ids=str,
    )
    def test_align(self, corpus, options):
        check_vector_env(ENV_ID, num_envs=4, steps=1000, data=corpus, **options)

    @pytest.mark.parametrize(
        "options", [{"num_envs": 1}, {"num_envs": 6, "group_size": 3}], ids=str
    )
    def test_numbers_and_seeds(self, corpus, options):
        check_vector_env(ENV_ID, steps=60, seed=12345, data=corpus, info_texts=True, **options)

    @pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
    def test_gymnasiums_vectorization(self, env_id):
        make = lambda: gym.make(env_id, max_episode_steps=30)  # noqa: E731
        check_vector_env(sync_spec(make), steps=300)

    def test_rich_observations_actions_and_infos(self):
        check_vector_env(sync_spec(talker), steps=300)

    def test_one_mode_without_a_choice(self):
        class NextStep(SyncVectorEnv):
            def step(self, actions):
                if self.closed:
                    raise RuntimeError("closed")
                return super().step(actions)

        make = lambda: gym.make("CartPole-v1")  # noqa: E731
        check_vector_env(spec_of(lambda num_envs: NextStep([make] * num_envs), make), steps=100)

    def test_asked_modes(self, corpus):
        made = []

        class Noting(AlignVectorEnv):
            def __init__(self, num_envs, **options):
                super().__init__(num_envs, **options)
                made.append(self.autoreset_mode)

        check_vector_env(spec_of(Noting), steps=9, modes=[DISABLED], data=corpus)
        assert DISABLED in made
        made.clear()
        with pytest.raises(ValueError, match=r"SAME_STEP, DISABLED, found .*NEXT_STEP"):
            check_vector_env(spec_of(Noting), steps=9, modes=[NEXT], data=corpus)


def test_cartpoles_native_vector_env_is_another_environment():
    """One generator draws for all sub-environments, so none equals a seeded single one."""
    with pytest.raises(VectorEnvMismatchError, match=r"NEXT_STEP, reset: sub-environment 0: obs"):
        check_vector_env("CartPole-v1", steps=10)


# Each of the following does one thing wrong; `bad` holds the class, and what must be said of it.
bad = []


def says(message, options=None, modes=None, single=AlignEnv, **kwargs):
    def note(cls):
        case = SimpleNamespace(vector=cls, message=message, modes=modes, single=single)
        case.options = {**(options or {}), **kwargs}
        bad.append(pytest.param(case, id=cls.__name__))
        return cls

    return note


class Altered(AlignVectorEnv):
    """Steps and resets go through `alter_step` and `alter_reset`."""

    def alter_step(self, obs, rewards, terminated, truncated, infos):
        return obs, rewards, terminated, truncated, infos

    def alter_reset(self, obs, infos):
        return obs, infos

    def step(self, actions):
        return self.alter_step(*super().step(actions))

    def reset(self, **kwargs):
        return self.alter_reset(*super().reset(**kwargs))


@says(r"SAME_STEP, step 1: sub-environment 0: reward differs: ")
class RewardOffByOneBit(Altered):
    def alter_step(self, obs, rewards, *rest):
        return obs, np.nextafter(rewards, 2), *rest


@says(r"step 1: sub-environment 3: reward differs: .*, expected ")
class RewardOfOneSubEnvironment(Altered):
    def alter_step(self, obs, rewards, *rest):
        rewards = rewards.copy()
        rewards[3] = np.nextafter(rewards[3], 2)
        return obs, rewards, *rest


@says(r"step 1: rewards are int64 \(4,\), not float \(4,\)")
class RewardsOfIntegers(Altered):
    def alter_step(self, obs, rewards, *rest):
        return obs, rewards.astype(np.int64), *rest


@says(r"step 1: rewards are float64 \(4, 1\), not float \(4,\)")
class RewardsInAColumn(Altered):
    def alter_step(self, obs, rewards, *rest):
        return obs, rewards[:, None], *rest


@says(r"step 1: terminated are int64 \(4,\), not bool \(4,\)")
class TerminatedOfIntegers(Altered):
    def alter_step(self, obs, rewards, terminated, *rest):
        return obs, rewards, terminated.astype(np.int64), *rest


@says(r"step 1: truncated are float64 \(4,\), not bool \(4,\)")
class TruncatedOfFloats(Altered):
    def alter_step(self, obs, rewards, terminated, truncated, infos):
        return obs, rewards, terminated, truncated.astype(np.float64), infos


@says(r"step 3: sub-environment 0: terminated differs: True", MIXED)
class TruncatedAndTerminatedSwapped(Altered):
    def alter_step(self, obs, rewards, terminated, truncated, infos):
        return obs, rewards, truncated, terminated, infos


@says(r"step 3: sub-environment 0: truncated differs: False", MIXED)
class NeverTruncated(Altered):
    def alter_step(self, obs, rewards, terminated, truncated, infos):
        return obs, rewards, terminated, truncated & False, infos


@says(r"step 1: sub-environment 0: the previous observation, which must not change")
class ObservationBufferReused(Altered):
    def alter_step(self, obs, *rest):
        return (self.alter_reset(obs, {})[0], *rest)

    def alter_reset(self, obs, infos):
        if not hasattr(self, "buffer"):
            self.buffer = np.empty_like(obs)
        self.buffer[...] = obs
        return self.buffer, infos


@says(r"reset: sub-environment 0: observation differs in dtype: float64, .* float32")
class ObservationsOfDoubles(Altered):
    def alter_reset(self, obs, infos):
        return obs.astype(np.float64), infos


@says(r"step 1: sub-environment 2: observation differs at \[.*\]: ")
class ObservationOffByOneBit(Altered):
    def alter_step(self, obs, *rest):
        obs[2, 0, 5] = np.nextafter(obs[2, 0, 5], np.float32(9))
        return obs, *rest


@says(r"step 1: sub-environment 0: infos lack final_obs", modes=[SAME])
class FinalObservationMissing(Altered):
    def alter_step(self, *told):
        told[4].pop("final_obs")
        return told


@says(r"step 1: sub-environment 0: infos lack final_info, or the mask _final_info", modes=[SAME])
class FinalInfoMaskMissing(Altered):
    def alter_step(self, *told):
        told[4].pop("_final_info")
        return told


@says(r"step 1: sub-environment 1: infos lack final_obs, or the mask", modes=[SAME])
class FinalObservationMaskedOut(Altered):
    def alter_step(self, *told):
        told[4]["_final_obs"] = np.array([True, False, True, True])
        return told


@says(r"step 1: sub-environment \d: final_obs differs", modes=[SAME])
class FinalObservationIsTheNextOne(Altered):
    def alter_step(self, obs, rewards, terminated, truncated, infos):
        return obs, rewards, terminated, truncated, infos | {"final_obs": obs.copy()}


@says(r"step 1: sub-environment \d: final_info\['row'\] differs", modes=[SAME])
class FinalInfoIsTheNextOne(Altered):
    def alter_step(self, *told):
        told[4]["final_info"]["row"] = told[4]["row"]
        return told


@says(r"step 1: sub-environment 0: final_info lacks the key 'score'", modes=[SAME])
class FinalInfoWithoutScore(Altered):
    def alter_step(self, *told):
        final = told[4]["final_info"]
        told[4]["final_info"] = {key: final[key] for key in ("row", "_row")}
        return told


@says(r"step 1: sub-environment 0: infos have final_obs, but no episode was reset", MIXED)
class FinalObservationWithoutAnEnd(Altered):
    def alter_step(self, obs, *rest):
        extra = {"final_obs": obs.copy(), "_final_obs": np.ones(4, np.bool_)}
        return obs, *rest[:3], rest[3] | extra


@says(r"DISABLED, step 1: sub-environment 0: infos have final_obs", modes=[DISABLED])
class FinalObservationUnderDisabled(Altered):
    def alter_step(self, obs, *rest):
        extra = {"final_obs": obs.copy(), "_final_obs": np.ones(4, np.bool_)}
        return obs, *rest[:3], rest[3] | extra


@says(r"reset: sub-environment 0: info\['row'\] has no mask '_row'$")
class InfosWithoutMasks(Altered):
    def alter_reset(self, obs, infos):
        return obs, {key: value for key, value in infos.items() if key[0] != "_"}


@says(r"step 1: sub-environment 0: info\['score'\] has no mask", modes=[DISABLED])
class StepInfoWithoutAMask(Altered):
    def alter_step(self, *told):
        told[4].pop("_score")
        return told


@says(r"step 1: sub-environment 0: info lacks the key 'score'", modes=[DISABLED])
class InfoWithoutScore(Altered):
    def alter_step(self, *told):
        del told[4]["score"], told[4]["_score"]
        return told


@says(r"reset: sub-environment 0: info has the unexpected key 'extra'")
class InfoWithMore(Altered):
    def alter_reset(self, obs, infos):
        return obs, infos | {"extra": np.zeros(4), "_extra": np.ones(4, np.bool_)}


@says(r"reset: sub-environment 2: info lacks the key 'row'")
class InfoMaskedOut(Altered):
    def alter_reset(self, obs, infos):
        return obs, infos | {"_row": np.array([True, True, False, True])}


@says(
    r"reset_mask=\[.*\]: sub-environment \d: info has the unexpected key 'row'", MIXED, [DISABLED]
)
class InfosOfAllAfterAResetMask(Altered):
    def alter_reset(self, obs, infos):
        return obs, infos | {"_row": np.ones(4, np.bool_)}


@says(r"DISABLED, step 5, reset_mask=\[.*\]: sub-environment \d: ", advance="alignment")
class ResetMaskIgnored(Altered):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


@says(r"DISABLED, step 5, reset_mask=\[.*\]: sub-environment \d: ", advance="alignment")
class ResetMaskInverted(Altered):
    def reset(self, *, seed=None, options=None):
        if options:
            mask = options["reset_mask"]
            options = {"reset_mask": mask if mask.all() else ~mask}
        return super().reset(seed=seed, options=options)


@says(r"SAME_STEP, reset before step 21: sub-environment \d: observation differs")
class ResetWithoutASeedBeginsAgain(Altered):
    seed = None

    def reset(self, *, seed=None, options=None):
        self.seed = self.seed if seed is None else seed
        return super().reset(seed=self.seed, options=options)


@says(r"reset: sub-environment 1: observation differs", group_size=2)
class GroupsOnStreamsOfTheirOwn(AlignVectorEnv):
    def reset(self, *, seed=None, options=None):
        size, self.group_size = self.group_size, 1
        if seed is not None:
            seed = [seed + i for i in range(self.num_envs)]
        try:
            return super().reset(seed=seed, options=options)
        finally:
            self.group_size = size


@says(r"get_state\(\) after set_state\['np_random'\]")
class ForgetsTheGenerator(AlignVectorEnv):
    def set_state(self, state):
        super().set_state({**state, "np_random": self.np_random.bit_generator.state})


@says(r"modified the actions")
class WritesToActions(AlignVectorEnv):
    def step(self, actions):
        outcome = super().step(actions)
        actions *= 0.5
        return outcome


@says(r"reset: sub-environment 1: observation differs", group_size=2)
class GroupsIgnored(AlignVectorEnv):
    def __init__(self, num_envs, *, group_size=1, **options):
        super().__init__(num_envs, **options)


@says(r"reset: sub-environment 1: observation differs")
class OneSeedForAll(Altered):
    def reset(self, *, seed=None, options=None):
        seed = seed if seed is None else [seed] * 4
        return super().reset(seed=seed, options=options)


@says(r"SAME_STEP, step \d: sub-environment \d: observation differs")
class NoAutoreset(AlignVectorEnv):
    def _autoreset(self, info):
        ended = self._state
        told = super()._autoreset(info)
        self._state = ended
        return told


@says(r"SAME_STEP, step 41 \(after set_state\): sub-environment \d: ")
class StateForgetsTheText(Altered):
    def set_state(self, state):
        state["mdp"]["text"] = [0] * 4
        super().set_state(state)


@says(r"step \d+ \(after set_state\): sub-environment 0: truncated differs: False", MIXED)
class StateForgetsTheStepsTaken(Altered):
    def set_state(self, state):
        state["mdp"]["elapsed"] = [0] * 4
        super().set_state(state)


@says(r"step \d+ \(after set_state\): sub-environment \d: ")
class StateForgetsTheStreams(Altered):
    def set_state(self, state):
        state["mdp"]["key"] = state["mdp"]["key"][:1] * 4
        super().set_state(state)


@says(r"set_state before step 41: get_state\(\) is not JSON-serializable: .*ndarray")
class StateOfArrays(Altered):
    def get_state(self):
        return super().get_state() | {"ended": np.zeros(4, np.bool_)}


@says(r"set_state before step 41: set_state rejects what .*: ValueError: the state lacks ended")
class StateWithoutAField(Altered):
    def get_state(self):
        return {key: value for key, value in super().get_state().items() if key != "ended"}


@says(r"SAME_STEP, reset: metadata\['autoreset_mode'\] is AutoresetMode.DISABLED", modes=[SAME])
class ModeInMetadataWrong(Altered):
    def __init__(self, num_envs, **options):
        super().__init__(num_envs, **options)
        self.metadata = self.metadata | {"autoreset_mode": DISABLED}


@says(r"single_action_space is Box\(-2.0, 2.0, \(4,\), float32\), expected Box\(-1.0")
class ActionSpaceOfItsOwn(Altered):
    def __init__(self, num_envs, **options):
        super().__init__(num_envs, **options)
        self.single_action_space = spaces.Box(-2, 2, (4,))


@says(r"^observation_space is Box\(.*\(5, 6\), float32\), expected Box\(.*\(4, 5, 6\)")
class ObservationSpaceNotBatched(Altered):
    def __init__(self, num_envs, **options):
        super().__init__(num_envs, **options)
        self.observation_space = self.single_observation_space


@says(r"single_observation_space is TextIndex", observation="index")
class ObservationSpaceOfOtherTexts(Altered):
    def __init__(self, num_envs, **options):
        super().__init__(num_envs, **options)
        self.single_observation_space = type(self.single_observation_space)(self.mdp.corpus.target)


@says(r"^observation_space is Box\(.*\(3, 5, 6\), float32\), expected Box\(.*\(4, 5, 6\)")
class NumberOfSubEnvironments(Altered):
    def __init__(self, num_envs, **options):
        super().__init__(num_envs - 1, **options)


@says(r"observations are not in Box")
class ObservationsOutsideTheSpace(Altered):
    """The single environment does the same, so the two agree."""

    def alter_reset(self, obs, infos):
        return obs + np.float32(100), infos


class OutsideSingle(AlignEnv):
    def reset(self, **kwargs):
        obs, info = super().reset(**kwargs)
        return obs + np.float32(100), info


bad[-1].values[0].single = OutsideSingle


@says(r"step after close raises no error")
class StepAfterClose(AlignVectorEnv):
    def _require_open(self):
        pass


@says(r"step before reset raises no error")
class StepBeforeReset(AlignVectorEnv):
    def step(self, actions):
        if self._state is None:
            self.reset()
        return super().step(actions)


@says(r"single environment, step \d+ after set_state: .* differs")
class SingleStateForgets(AlignVectorEnv):
    """The fault is the single environment's."""


class ForgetfulSingle(AlignEnv):
    def set_state(self, state):
        state["mdp"]["text"] = [0]
        super().set_state(state)


bad[-1].values[0].single = ForgetfulSingle


@pytest.mark.parametrize("case", bad)
def test_bad(corpus, case):
    with pytest.raises(VectorEnvMismatchError, match=case.message):
        check_vector_env(
            spec_of(case.vector, case.single),
            steps=60,
            modes=case.modes,
            data=corpus,
            **case.options,
        )


def test_cases_differ_from_a_good_one_in_one_thing(corpus):
    check_vector_env(spec_of(Altered), steps=60, data=corpus)
    check_vector_env(spec_of(Altered), steps=60, data=corpus, **MIXED)


class TestNextStep:
    """Under NEXT_STEP, with Gymnasium's own vectorization broken."""

    def check(self, vector):
        check_vector_env(sync_spec(talker, vector), steps=60, modes=[NEXT])

    def test_reset_steps_are_rewarded(self):
        class Rewarded(Sync):
            def step(self, actions):
                resets = self._autoreset_envs.copy()
                obs, rewards, *rest = super().step(actions)
                return obs, rewards + resets, *rest

        with pytest.raises(VectorEnvMismatchError, match=r"NEXT_STEP, step \d+: .* reward differs"):
            self.check(Rewarded)

    def test_resets_at_once(self):
        class AtOnce(Sync):
            def __init__(self, num_envs, make, autoreset_mode=NEXT):
                super().__init__(num_envs, make, SAME)
                self.metadata = self.metadata | {"autoreset_mode": NEXT}

        with pytest.raises(VectorEnvMismatchError, match=r"NEXT_STEP, step \d+: sub-env"):
            self.check(AtOnce)

    def test_a_part_of_an_observation(self):
        class Part(Sync):
            def step(self, actions):
                obs, *rest = super().step(actions)
                obs["b"][1][1, 0, 1] += 1
                return obs, *rest

        found = r"step 1: sub-environment 1: observation\['b'\]\[1\] differs at \[0, 1\]"
        with pytest.raises(VectorEnvMismatchError, match=found):
            self.check(Part)

    def test_an_info_within_an_info(self):
        class Deep(Sync):
            def step(self, actions):
                *told, infos = super().step(actions)
                if "odd" in infos:
                    infos["odd"]["deep"]["x"] += 1
                return *told, infos

        found = r"step 1: sub-environment 0: info\['odd'\]\['deep'\]\['x'\] differs: 1.5, .* 0.5"
        with pytest.raises(VectorEnvMismatchError, match=found):
            self.check(Deep)


class TestInfosOfAnyKind:
    """Infos hold whatever an environment likes; a check must compare it and not choke on it."""

    def talker(self, value):
        class Saying(Talker):
            def _seen(self):
                return super()._seen()[0], {"x": value}

        return lambda: OrderEnforcing(Saying())

    @pytest.mark.parametrize(
        "value",
        [
            [1, [2, 3]],
            ((1, 2), (3,)),
            {"deep": {}},
            {1, 2},
            np.array([np.nan, 1]),
            np.array(["a", None, np.nan], object),
        ],
        ids=str,
    )
    def test_equal_ones_are_equal(self, value):
        check_vector_env(sync_spec(self.talker(value)), steps=30)

    @pytest.mark.parametrize(
        ("value", "other"),
        [
            ([1, [2, 3]], [1, [2, 4]]),
            (np.array(["a", None], object), np.array(["b", None], object)),
            ("a", "b"),
            ((1, 2), (1, 3)),
            ({"deep": {"y": 1}}, {"deep": {"y": 2}}),
        ],
        ids=str,
    )
    def test_unequal_ones_differ(self, value, other):
        spec = spec_of(
            lambda num_envs, **mode: Sync(num_envs, self.talker(value), **mode), self.talker(other)
        )
        with pytest.raises(
            VectorEnvMismatchError, match=r"sub-environment 0: info\['x'\].*differs"
        ):
            check_vector_env(spec, steps=30)

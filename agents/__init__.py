"""The learners: Stable-Baselines3 policies and algorithms for LLMAR."""

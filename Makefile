# The one entry point for developers; CI calls the same targets.
.PHONY: all format lint type test gymnasium bench

all: format lint type test

format:
	ruff check --fix-only --quiet .
	ruff format .

lint:
	ruff check .
	ruff format --check .

type:
	mypy

test:
	pytest

# Environments under every Gymnasium that we support: the oldest, the one that RLlib pins, the newest.
# Each has an environment of its own that takes everything but Gymnasium from the present one.
GYMNASIUM ?= 1.1.0 1.2.2 1.4.0
ENVIRONMENT_TESTS = $(addprefix tests/test_,$(addsuffix .py,align_env generate_env refine_env \
	writing_envs spaces checks wrappers workers vec_env))
gymnasium: $(addprefix gymnasium-,$(GYMNASIUM))
gymnasium-%:
	python -m venv --clear --without-pip .gymnasium/$*
	pip --python .gymnasium/$*/bin/python install --quiet --no-deps gymnasium==$*
	python -c "import site; print('import site; site.addsitedir(%r)' % site.getsitepackages()[0])" \
		> "$$(.gymnasium/$*/bin/python -c 'import site; print(site.getsitepackages()[0])')/rest.pth"
	.gymnasium/$*/bin/python -c "import gymnasium; assert gymnasium.__version__ == '$*'"
	.gymnasium/$*/bin/python -m pytest $(ENVIRONMENT_TESTS)

# Takes some 15 minutes, and a machine that does nothing else meanwhile.
DATA ?= ../shared/data/multi30k-de-en
bench:
	mkdir -p runs
	python benchmarks/speed.py --data $(DATA) --json runs/speed.json

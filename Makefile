# The one entry point for developers; CI calls the same targets.
.PHONY: all format lint type test lowest gymnasium wheel examples bench compare

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

# The tests under the lowest versions that pyproject.toml allows, but for torch: its bound is
# Stable-Baselines3's, which is not tested.
lowest:
	python -m venv --clear .lowest
	.lowest/bin/pip install --quiet -c constraints-lowest.txt -e ".[test]"
	.lowest/bin/python -m pytest; status=$$?; rm -rf .lowest; exit $$status

# Tests of the environments under several versions of Gymnasium: the oldest that we support, the one
# that RLlib pins, and the newest. Each has its own virtual environment, which takes all other
# packages from the current one; -v prints the version of Gymnasium that was imported.
GYMNASIUM ?= 1.1.0 1.2.2 1.4.0
ENVIRONMENT_TESTS = $(addprefix tests/test_,$(addsuffix .py,align_env generate_env refine_env \
	writing_envs spaces checks wrappers workers vec_env))
gymnasium: $(addprefix gymnasium-,$(GYMNASIUM))
gymnasium-%: .gymnasium/%
	$</bin/python -c "import gymnasium; assert gymnasium.__version__ == '$*'"
	$</bin/python -m pytest -v $(ENVIRONMENT_TESTS)

.PRECIOUS: .gymnasium/%
SITE = import site; print(site.getsitepackages()[0])
.gymnasium/%:
	python -m venv --clear --without-pip $@
	pip --python $@/bin/python install --quiet --no-deps gymnasium==$* \
		|| { rm -rf $@; exit 1; }
	echo "import site; site.addsitedir('$$(python -c "$(SITE)")')" \
		> "$$($@/bin/python -c "$(SITE)")/rest.pth"

# Checks that the wheel, installed into an empty environment, works outside the checkout.
wheel:
	.ci/wheel

# Tests of the examples with other libraries, and of the integrations with them.
examples: .gymnasium/1.2.2
	pip install --quiet -c constraints.txt -e ".[benchmark,examples]"
	pytest -m examples
	grep -v '^gymnasium==' constraints.txt > $</constraints.txt
	pip --python $</bin/python install --quiet -c $</constraints.txt "ray[rllib]>=2.60"
	$</bin/python -m pytest tests/test_rllib.py

# Takes about 15 minutes on an otherwise idle machine.
DATA ?= ../shared/data/multi30k-de-en
bench:
	mkdir -p runs
	python benchmarks/speed.py --data $(DATA) --json runs/speed.json

# Compares rates with the previous commit; takes about 10 minutes on an otherwise idle machine.
OLD ?= HEAD~
NEW ?= .
compare:
	python benchmarks/compare.py $(OLD) $(NEW) --data $(DATA) \
		--parts training environments writing translation --json runs/compare.json

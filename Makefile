# The one entry point for developers; CI calls the same targets.
.PHONY: all format lint type test gymnasium wheel examples bench compare

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
# Each has an environment of its own that takes everything but Gymnasium from the present one; -v
# shows the header, which says which Gymnasium was imported.
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

# The wheel, installed into an empty environment, trains and writes outside of the checkout.
wheel:
	.ci/wheel

# The examples of other libraries, and the tests of what is shipped for them.
examples: .gymnasium/1.2.2
	pip install --quiet -c constraints.txt -e ".[benchmark,examples]"
	pytest -m examples
	grep -v '^gymnasium==' constraints.txt > $</constraints.txt
	pip --python $</bin/python install --quiet -c $</constraints.txt "ray[rllib]>=2.60"
	$</bin/python -m pytest tests/test_rllib.py

# Takes some 15 minutes, and a machine that does nothing else meanwhile.
DATA ?= ../shared/data/multi30k-de-en
bench:
	mkdir -p runs
	python benchmarks/speed.py --data $(DATA) --json runs/speed.json

# Rates beside those of the commit before; takes some ten minutes, on a machine that does nothing else.
OLD ?= HEAD~
NEW ?= .
compare:
	python benchmarks/compare.py $(OLD) $(NEW) --data $(DATA) --json runs/compare.json

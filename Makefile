# The one entry point for developers; CI calls the same targets.
.PHONY: all format lint type test bench

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

# Takes some 15 minutes, and a machine that does nothing else meanwhile.
DATA ?= ../shared/data/multi30k-de-en
bench:
	mkdir -p runs
	python benchmarks/speed.py --data $(DATA) --json runs/speed.json

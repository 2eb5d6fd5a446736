# The few verbs people expect.  Everything is installed into .venv; nothing outside is touched.
#
#     make demo CORES=8            more cores
#     make test PYTHON=python3.12  another interpreter
#
# An interpreter is only asked for when .venv is made: remove .venv to change it.

PYTHON ?= python3
CORES ?= 2

VENV := .venv
BIN := $(VENV)/bin
# Stamps: what was interrupted is done again; installed again only when the dependencies may have changed.
CREATED := $(VENV)/.created
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test weights lint format clean

help:  ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED)  ## install, then run the whole pipeline on the simulated sky into results/
	$(BIN)/python -m snakemake --cores $(CORES)

test: $(INSTALLED_TEST)  ## install what tests need, then run all of them
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=10000 $(BIN)/python -m pytest -n $(CORES) --dist loadfile

# Targets are chosen once; training goes on from its last epoch when it was interrupted.  Two trainings side by
# side on a core each take less time than one after the other on both.
weights: $(INSTALLED)  ## train and measure the weights in resources/models/ again, in weights/ (hours)
	mkdir -p weights
	test -e weights/targets.csv || $(BIN)/claran simulate targets --table-3 --output weights/targets.csv
	$(BIN)/python -m snakemake --cores $(CORES) --set-threads train=1 --directory weights evaluation --configfile resources/models/training.yaml
	for method in D1 D4; do cp weights/results/model/$$method/weights.safetensors resources/models/$$method.safetensors; done

lint: $(INSTALLED_TEST)  ## check style of Python and workflow files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(INSTALLED_TEST)  ## put Python and workflow files into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

clean:  ## remove results/ and caches, keep .venv
	rm -rf results .pytest_cache .ruff_cache .hypothesis

$(CREATED):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install the package python3-venv (apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml | $(CREATED)
	@echo "Installing into $(VENV), PyTorch included: some minutes"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(INSTALLED_TEST): pyproject.toml | $(CREATED)
	@echo "Installing into $(VENV), PyTorch included: some minutes"
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $(INSTALLED) $@

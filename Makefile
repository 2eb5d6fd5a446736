# Commands for users and developers.  Everything is installed into .venv.
#
#     make demo CORES=8            use more cores
#     make test PYTHON=python3.12  use another interpreter
#
# PYTHON matters only when .venv is made: remove .venv to change it.

PYTHON ?= python3
CORES ?= 2

VENV := .venv
BIN := $(VENV)/bin
# The versions of all packages that the tests pass with, for the Python they were recorded with: the tests use
# them if .venv has that Python, so that they give the same result on every machine.  The demonstration takes any
# versions that pyproject.toml allows.  pip takes constraints without the hashes of the files.
TESTED_VERSIONS := envs/tested-versions-python$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt
CONSTRAINTS := $(VENV)/tested-versions.txt
# Stamp files, written when a step is complete; packages are installed again when the dependencies have changed.
CREATED := $(VENV)/.created
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test weights lint format lock audit clean

help:  ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED)  ## install, then run the pipeline on the simulated sky; see results/
	$(BIN)/python -m snakemake --cores $(CORES)

test: $(INSTALLED_TEST)  ## install, then run all tests and measure their coverage
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=10000 $(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder --cov

# Targets are chosen once; training goes on from its last epoch when it was interrupted.  Two trainings side by
# side on a core each take less time than one after the other on both.
weights: $(INSTALLED)  ## train and measure the weights in resources/models/ again, in weights/ (hours)
	mkdir -p weights
	test -e weights/targets.csv || $(BIN)/claran simulate targets --train 6000 --test 800 --survey-views --output weights/targets.csv
	$(BIN)/python -m snakemake --cores $(CORES) --set-threads train=1 --directory weights evaluation --configfile resources/models/training.yaml
	for method in D1 D4; do cp weights/results/model/$$method/weights.safetensors resources/models/$$method.safetensors; done

lint: $(INSTALLED_TEST)  ## check the style and types of Python and workflow files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/python -m snakemake --lint

format: $(INSTALLED_TEST)  ## format Python and workflow files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

lock:  ## install the newest allowed versions into a new .venv and record them for the tests
	rm -rf $(VENV) envs/tested-versions-*.txt
	$(MAKE) $(INSTALLED_TEST)
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '^torch==' > $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet uv
	{ echo '# The versions that the tests pass with, and the SHA-256 of their files.  PyTorch, whose builds differ,'; \
	  echo '# stands in pyproject.toml.  Written by `make lock`.'; \
	  $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate --python $(BIN)/python \
	    $(CONSTRAINTS); } > $(TESTED_VERSIONS)

audit: $(INSTALLED_TEST)  ## look for known vulnerabilities of the tested versions (needs internet)
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement $(TESTED_VERSIONS)

clean:  ## remove results/ and caches, keep .venv
	rm -rf results .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(CREATED):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: install Python 3.11 or newer, or name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install python3-venv (apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml | $(CREATED)
	@echo "Installing into $(VENV), PyTorch included; this takes some minutes"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(INSTALLED_TEST): pyproject.toml $(wildcard envs/tested-versions-*.txt) | $(CREATED)
	@echo "Installing into $(VENV), PyTorch included; this takes some minutes"
	@tested=; versions=$(TESTED_VERSIONS); [ -e $$versions ] && tested="--constraint $(CONSTRAINTS)" && \
	  sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' $$versions > $(CONSTRAINTS); \
	  $(BIN)/python -m pip install --quiet --editable '.[test]' $$tested
	@touch $(INSTALLED) $@

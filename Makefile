# make run    environment, data, then the notebook from top to bottom into build/
# make test   the tests, on the real data where it is to be had
# make help   all targets

# python3, or another where TensorFlow has no wheel for that one
IS_SUPPORTED := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
PYTHONS = $(foreach name,python3 python3.13 python3.12 python3.11,\
  $(shell $(name) $(IS_SUPPORTED) 2>/dev/null && echo $(name)))
PYTHON ?= $(firstword $(PYTHONS) python3)
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
TOOLS := build/tools/bin
LOCKED = $(TOOLS)/uv pip compile --universal --python-version 3.11 \
  --generate-hashes --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.PHONY: help env data run test properties faults long-runs matrix matrix-short lock audit lint format starter autograder rehearse mutants bench weights diagrams notebook pdf html check submission figures clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

env: $(READY)  ## make the environment in .venv

$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) $(IS_SUPPORTED) \
	  || { echo "hw4 needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Environment: installing into $(VENV) (2 to 5 minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --require-hashes --requirement constraints.txt
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

data: $(READY)  ## find or download the four data sets and say where they are
	@$(PY) -m utilities.datasets

run: $(READY)  ## environment, data, the notebook executed into build/hw4.ipynb
	@echo "[1/3] Environment: $(VENV) is ready"
	@echo "[2/3] Data: real where it is found or can be downloaded, else a stand-in (seconds to minutes)"
	@HW4_STANDIN=$${HW4_STANDIN-1} $(PY) -m utilities.datasets
	@echo "[3/3] Notebook: running hw4.ipynb from top to bottom (4 to 14 minutes on two cores)"
	@HW4_STANDIN=$${HW4_STANDIN-1} $(PY) -m utilities.run_notebook

test: $(READY)  ## run the tests (20 to 35 minutes on two cores)
	@$(PY) -m pytest

properties: $(READY)  ## the property tests with 3,000 examples each (about 15 minutes)
	@HW4_HYPOTHESIS=thorough $(PY) -m pytest tests/test_properties_*.py

faults: $(READY)  ## kill trainings 50 times, and all other tests of faults (about 10 minutes)
	@HW4_KILLS=50 $(PY) -m pytest tests/test_faults_*.py

long-runs: $(READY)  ## ten times the length of all that runs long (hours); ONLY=LSTM: only those
	@# one arena: glibc never gives back what is free at the top of those of other threads
	@HW4_LONG_RUNS=1 MALLOC_ARENA_MAX=1 $(PY) -m pytest tests/test_long_runs.py $(if $(ONLY),-k '$(ONLY)')

matrix: $(READY)  ## tests and figures with old and new libraries on every Python here (hours)
	@$(PY) tests/matrix.py

matrix-short: $(READY)  ## the published figures with NumPy and scikit-learn of 2024 (2 minutes)
	@$(PY) tests/matrix.py --short

lock: $(TOOLS)  ## pin what the two requirements.txt need beside them, with hashes; what is pinned stays
	@$(LOCKED) requirements.txt --output-file constraints.txt
	@$(LOCKED) benchmarks/requirements.txt --constraint constraints.txt \
	  --output-file benchmarks/constraints.txt

audit: $(READY) $(TOOLS)  ## is anything that is installed known to be unsafe? (asks PyPI)
	@$(PY) -m pip check
	@for pins in constraints.txt benchmarks/constraints.txt; do \
	  $(TOOLS)/pip-audit --strict --requirement $$pins --require-hashes --disable-pip || exit 1; done

$(TOOLS):
	@echo "Tools: installing into build/tools, as they would change $(VENV)"
	@$(PYTHON) -m venv build/tools
	@$(TOOLS)/pip install --quiet 'uv==0.13.9' pip-audit

lint: $(READY)  ## check style without changing anything
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: $(READY)  ## mend what the style check can mend
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

starter: $(READY)  ## the student edition, into OUT (by default ../hw4-students)
	@$(PY) -m autograder starter $(or $(OUT),../hw4-students)

autograder: $(READY)  ## make the zips for Gradescope in build/ (real data only)
	@HW4_STANDIN=0 $(PY) -m autograder package --output build

rehearse: autograder  ## run the zips as Gradescope does, at half a CPU and 768 MB (10 minutes)
	@$(PY) -m autograder.rehearsal

mutants: $(READY)  ## grade all wrong submissions, into autograder/KILL_MATRIX.md (half an hour)
	@$(PY) -m autograder.mutants

bench: $(READY)  ## time the homework against its rivals, into build/benchmarks.md (real data only; three hours)
	@$(PY) -m pip install --quiet --require-hashes --requirement benchmarks/constraints.txt \
	  || echo "JAX could not be installed: its row is left out"
	@HW4_STANDIN=0 $(PY) -m benchmarks

weights: $(READY)  ## train RNN and LSTM anew into model_weights/ (about 10 minutes)
	@$(PY) -m utilities.train_weights

diagrams: $(READY)  ## draw the diagrams of data/images anew
	@$(PY) -m utilities.diagrams

notebook: $(READY)  ## execute hw4.ipynb and keep its outputs in it (real data only)
	@HW4_STANDIN=0 $(PY) -m utilities.run_notebook --output hw4.ipynb

pdf: $(READY)  ## the PDF to hand in and the map of its pages, into submission/
	@$(PY) -m utilities.export pdf

html: $(READY)  ## the notebook as one page for the browser, into build/hw4.html
	@$(PY) -m utilities.export html

check: $(READY)  ## preflight: would these files be taken as they are? (about 20 seconds)
	@$(PY) -m utilities.preflight

submission: $(READY)  ## PDF, page map, upload folders and zips, checked, into submission/
	@$(PY) -m utilities.submission

figures: $(READY)  ## the four figures of the README, from the notebook, into data/images/
	@$(PY) -m utilities.export figures

clean:  ## remove what the targets made, but not data and weights
	rm -rf $(VENV) build submission .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

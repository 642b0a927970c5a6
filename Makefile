# Everything starts here; only Python >= 3.11, make and git are needed. `make` alone lists the targets.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
EXTRAS ?= data,sweeps,export,dev,pretrained
# More for pip, such as an index that carries a torch without CUDA.
PIP_ARGS ?=
# Passed on: make sweep ARGS="--epochs 2", make test ARGS="tests/pnp -k solver".
ARGS ?=
# Test processes, one thread each; on two cores three, for some tests wait.
JOBS ?= 3
UI_PORT ?= 5000
OPEN ?=
# make mutants: how many lines of which rooms, drawn from which revision.
ROOM ?= training losses evaluation models data sweeps
N ?= 40
SEED ?= 0
SINCE ?= HEAD
WORK_DIR ?= runs
# Receives gpu-report.md.
OUT ?= $(WORK_DIR)

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Where an environment forbids compiled modules to be kept, each of the many processes compiles all of torch anew.
export PYTHONDONTWRITEBYTECODE :=
export MLFLOW_DISABLE_TELEMETRY ?= true
export RAY_USAGE_STATS_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help install sweep test infra-test drills lint mutants bench gpu-check ui clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## Create .venv and install the project into it

$(STAMP): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "error: no Python >= 3.11 found; name one: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { \
		echo "error: could not create $(VENV); on Debian and Ubuntu, install python3-venv" >&2; exit 2; }
	@echo "Installing into $(VENV): about 7 GB (torch brings CUDA), some minutes the first time."
	@start=$$(date +%s); quiet=; [ -t 1 ] || quiet=--quiet; \
	$(BIN)/python -m pip install $$quiet --no-compile --disable-pip-version-check \
		-c constraints.txt -e '.[$(EXTRAS)]' $(PIP_ARGS) \
	&& echo "Installed in $$(( $$(date +%s) - start )) s."
	@touch $@

sweep: $(STAMP)  ## Build the data, train the backbones, print the comparison table
	@$(BIN)/python sweeps/backbones.py $(ARGS)

test: $(STAMP)  ## Run the tests
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

infra-test: $(STAMP)  ## As root, with SLURM installed (infra/README.md): sweeps as its jobs, in ten minutes
	@INFRA_TEST=1 VENV=$(VENV) OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 0 -s tests/infra/test_slurm.py $(ARGS)

drills: $(STAMP)  ## Disturb sweeps in all ways, and compare with an undisturbed one: 45 minutes
	@$(BIN)/python -m tests.drills.sweep $(ARGS)

lint: $(STAMP)  ## Check style, format and types; silent when all is well
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { \
		echo "error: run $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary

mutants: $(STAMP)  ## Do the tests notice small wrong changes? ROOM=training N=40 SEED=0 SINCE=HEAD
	@$(BIN)/python -m tests.mutants.run --rooms $(ROOM) --count $(N) --seed $(SEED) --since $(SINCE) \
		--jobs 2 --out $(WORK_DIR)/mutants

bench: $(STAMP)  ## Time the PnP layer, a training step, the renderer and the dataset reader
	@$(BIN)/python tests/bench/pnp_layer.py $(ARGS)
	@$(BIN)/python tests/bench/training_step.py
	@$(BIN)/python tests/bench/rendering.py
	@$(BIN)/python tests/bench/dataset_reading.py
	@$(BIN)/python tests/bench/sweep_overhead.py

gpu-check: $(STAMP)  ## On a machine with a GPU: its tests, all benchmarks, a report in OUT
	@$(BIN)/python tests/bench/gpu_check.py --out $(OUT)

ui: $(STAMP)  ## Show the recorded runs in the MLflow UI, on this machine only; OPEN=1 asks for no password
	@$(BIN)/python -m sweeps ui --out $(WORK_DIR) --port $(UI_PORT) $(if $(OPEN),--open)

clean:  ## Remove caches and build leftovers; keeps .venv, datasets and runs
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

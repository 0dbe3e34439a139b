# The first target that runs sets up .venv; nothing else is needed but Python 3.11 or newer.
#
#   make demo                 a phantom's study through a node of its own, results in demo-out/
#   make demo INPUT=folder    the same with your study: a chest CT and its SEG or SR
#   make demo KEEP=1          the same, and the node's page stays until Ctrl-C
#   make test                 lint, types, import contracts, tests
#   make wheel                what deploy/systemd installs, in dist/
#   make soak                 the few tests that take a minute each and are not in `make test`
#   make docs                 the manual as a site in site/, to be read without a network
#   make viewers              what npm has of the viewers that the tests open, outside of the checkout
#   make mutants              how strong the tests are: SAMPLE=60 SEED=1 of all single mutants
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
STAMP := $(VENV)/.installed-from-setup.cfg
# One more than there are cores on a small machine: a third of the tests wait for a peer.
WORKERS ?= 3

# On Linux the public torch wheel carries CUDA, some gigabytes of it.  Where only a CPU is to be had,
# point pip to an index or folder of CPU wheels: PIP_INSTALL_FLAGS="--find-links DIR".
PIP_INSTALL_FLAGS ?=

# Where Python may not keep what it has compiled, each process that the tests start compiles all.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint format types contracts unit soak docs wheel viewers mutants clean
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(RUN)m3node demo $(if $(INPUT),"$(INPUT)") $(if $(KEEP),--keep) --output demo-out

test: lint types contracts unit

lint: $(STAMP)
	$(RUN)ruff check .
	$(RUN)ruff format --check .

format: $(STAMP)
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

types: $(STAMP)
	$(RUN)mypy

contracts: $(STAMP)
	$(RUN)lint-imports --config setup.cfg

viewers: $(STAMP)
	$(RUN)python -m tests.viewers.packages

docs: $(STAMP)
	$(RUN)python -m mkdocs build --strict --quiet

wheel: $(STAMP)
	$(RUN)python -m pip wheel --quiet --no-deps --wheel-dir dist .

mutants: $(STAMP)
	$(RUN)python -m tests.mutants --sample $(or $(SAMPLE),60) --seed $(or $(SEED),1) $(MUTANTS_FLAGS)

# Threads of torch and BLAS beside each other's on few cores only wait for each other.
unit: $(STAMP)
	OMP_NUM_THREADS=1 $(RUN)pytest -n $(WORKERS) --dist worksteal -m 'not soak' $(PYTEST_FLAGS)

soak: $(STAMP)
	OMP_NUM_THREADS=1 $(RUN)pytest -m soak $(PYTEST_FLAGS)

$(VENV): $(STAMP)

$(STAMP): setup.cfg pyproject.toml
	test -x $(RUN)python || $(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --upgrade pip
	$(RUN)python -m pip install --quiet $(PIP_INSTALL_FLAGS) -e '.[postgresql,test,training]'
	touch $@

clean:
	rm -rf $(VENV) demo-out site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

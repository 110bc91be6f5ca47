# `make demo` and `make test` need Python 3.11 or later, make, and a Python package index.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
EXTRAS := test,train,hdf5,distributed,xarray,onnx,openvino
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

.PHONY: help venv demo test check lint types tests quick wheel test-wheel docs sample clean

help:
	@echo "make demo    install, upscale the sample scene 32 times, say where the results lie"
	@echo "make test    install, lint, type-check, test"
	@echo "make quick   the tests without the slow ones, in under four minutes"
	@echo "make venv    install only (in $(VENV))"
	@echo "make test-wheel    build the wheel, install it alone, run the tests on it"
	@echo "make docs    the pages that follow from the code, then the site (in site/)"
	@echo "make sample  make sample_data/ again from its script"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "specgan needs Python 3.11 or later; say which with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The stamps keep a second `make` from installing again.
$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[$(EXTRAS)]'
	@touch $@

venv: $(VENV)/.installed

demo: venv
	@mkdir -p demo
	$(BIN)/specgan upscale sample_data/scene.tif --hsi sample_data/cube.tif -x 32 \
	  -o demo/scene_x32.tif --preview demo/scene_x32.png \
	  --reference sample_data/reference.tif --overwrite
	@echo
	@echo "GeoTIFF, 32 times finer:  $(CURDIR)/demo/scene_x32.tif"
	@echo "before and after:         $(CURDIR)/demo/scene_x32.png"

test: lint types tests

check: test

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports

types: $(VENV)/.installed-test
	$(BIN)/mypy

tests: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

quick: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) -m "not slow"

wheel: $(VENV)/.installed-test
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation

# The tests on the installed wheel: nothing of this tree but tests/ and sample_data/ is on the path.
test-wheel: wheel
	rm -rf $(VENV)-wheel
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --disable-pip-version-check --quiet \
	  -c constraints.txt "$$(ls dist/*.whl)[$(EXTRAS)]"
	OMP_NUM_THREADS=1 $(VENV)-wheel/bin/pytest -n $(JOBS)

docs: venv
	$(PIP) -e '.[docs]'
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

sample: venv
	$(BIN)/python sample_data/make.py

clean:
	rm -rf $(VENV) $(VENV)-wheel demo dist build site

# Each target sets up all that it needs: a private environment with the pinned dependencies.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint bench report tutorials docs clean

test: lint
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

demo: $(VENV)/ready
	OMP_WAIT_POLICY=passive $(RUN) -m demo

bench: $(VENV)/ready
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[peers]'
	$(RUN) -m pytest -q bench --benchmark-enable --benchmark-only --benchmark-disable-gc --benchmark-autosave --benchmark-storage=file://.benchmarks

report: $(VENV)/ready
	$(RUN) -m bench.report

tutorials: $(VENV)/ready
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pictures]'
	$(RUN) docs/tutorials/build.py

docs: $(VENV)/ready
	rm -rf out/site
	$(RUN) -m sphinx -q -E -W --keep-going -b html docs out/site
	$(RUN) docs/check.py

clean:
	rm -rf $(VENV) out

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,demo,docs]'
	touch $@

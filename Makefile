# Each target sets up all that it needs, and no more: a private environment with the pinned dependencies.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo gallery test lint bench report tutorials docs clean

test: lint
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2 --dist worksteal

lint: $(VENV)/ready-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

demo: $(VENV)/ready-demo
	OMP_WAIT_POLICY=passive $(RUN) -u -m demo

gallery: $(VENV)/ready-pictures
	for file in $(filter-out %/show.py,$(wildcard examples/gallery/*.py)); do LANEWISE_GALLERY=examples/gallery $(RUN) $$file || exit 1; done

bench: $(VENV)/ready-peers
	$(RUN) -m pytest -q bench --benchmark-enable --benchmark-only --benchmark-disable-gc --benchmark-autosave --benchmark-storage=file://.benchmarks

report: $(VENV)/ready-dev
	$(RUN) -m bench.report

tutorials: $(VENV)/ready-pictures
	$(RUN) docs/tutorials/build.py

docs: $(VENV)/ready-dev
	rm -rf out/site
	$(RUN) -m sphinx -q -E -W --keep-going -b html docs out/site
	$(RUN) docs/check.py

clean:
	rm -rf $(VENV) out

# `make demo` installs what the demo needs, `make test` the tools for changing the code on top of it.
$(VENV)/ready-%: pyproject.toml constraints.txt
	$(PYTHON) -m tools.environment $*

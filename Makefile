# One command for each thing one does; people and CI call the same ones.
PYTHON ?= python3
FULL := .venv/bin
LEAN := .venv-serve/bin
WATCH := .venv-monitor/bin
PEERS := .venv-bench/bin
TRDG := .venv-trdg/bin
TINY := work/tiny
CHAMPION := main
FORMAT := table
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export TF_CPP_MIN_LOG_LEVEL := 2

.DEFAULT_GOAL := help
.PHONY: help serve test test-fast test-slow check tiny retrain gate locked audit monitor bench pictures bento wheel lock

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(LEAN)/.ready ## Serve the shipped bundle on port 3000, without TensorFlow
	@$(LEAN)/legible serve

test: $(FULL)/.ready ## Run all tests
	@$(FULL)/python -m pytest

test-fast: $(FULL)/.ready ## Run the tests that take seconds
	@$(FULL)/python -m pytest -m "not slow"

test-slow: $(FULL)/.ready ## Run the tests that take minutes
	@$(FULL)/python -m pytest -m slow

check: $(FULL)/.ready ## Lint, format and types; workflows, YAML and scripts
	@$(FULL)/ruff check .
	@$(FULL)/ruff format --check .
	@$(FULL)/mypy
	@$(FULL)/yamllint --strict .
	@$(FULL)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(FULL)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(FULL)/zizmor --offline --pedantic --quiet .github
	@$(FULL)/shellcheck .ci/run

tiny: $(FULL)/.ready ## Rehearse the whole pipeline in a scratch folder, in about a minute
	@rm -rf $(TINY) && mkdir -p $(TINY)/fonts $(TINY)/data
	@$(FULL)/legible params params.yaml params/tiny.yaml > $(TINY)/params.yaml
	@cp dvc.yaml $(TINY)/ && cp fonts/package.json fonts/package-lock.json fonts/.npmrc $(TINY)/fonts/
	@echo '{"version": 1, "sources": []}' > $(TINY)/data/sources.json
	@export PATH=$(abspath $(FULL)):$$PATH && cd $(TINY) && \
	  dvc init -q --no-scm && dvc config core.analytics false && dvc repro

retrain: $(FULL)/.ready ## Data to bundle, as params.yaml says (dvc repro)
	@PATH=$(abspath $(FULL)):$$PATH dvc repro

gate: $(FULL)/.ready ## Judge models/bundle against the champion on main
	@$(FULL)/legible gate --champion $(CHAMPION) --format $(FORMAT)

locked: $(FULL)/.ready ## See that dvc.lock belongs to params.yaml: no stage would run
	@changed=$$($(FULL)/dvc repro --dry --allow-missing) && ! echo "$$changed" | grep "^Running stage"

audit: ## Ask for known weaknesses of what is served (network)
	@$(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install -q pip-audit && \
	  .venv-audit/bin/pip-audit --require-hashes --disable-pip -r requirements/serve.txt

monitor: $(WATCH)/.ready ## Check for drift every five minutes; verdict on port 3001, report and Evidently workspace
	@$(WATCH)/legible monitor --report reports/drift.html --workspace monitoring/workspace

bench: $(FULL)/.ready $(PEERS)/.ready $(TRDG)/.ready ## Measure the drift check, reading beside Tesseract and RapidOCR, drawing beside trdg
	@$(FULL)/python benchmarks/drift.py
	@$(FULL)/python benchmarks/recognizer.py
	@$(FULL)/python benchmarks/generator.py

pictures: $(FULL)/.ready ## Draw the pictures of docs/ that show what the generator does
	@$(FULL)/python docs/draw_pictures.py

bento: $(FULL)/.ready ## Build the Bento that is deployed
	@$(FULL)/bentoml build

wheel: $(FULL)/.ready ## Build the wheel, the bundle inside
	@$(FULL)/uv build --wheel

lock: $(FULL)/.ready ## Renew requirements/*.txt from pyproject.toml
	@for set in serve lambda monitor dev bench; do \
	  $(FULL)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --upgrade --extra $$set pyproject.toml -o requirements/$$set.txt || exit 1; done
	@$(FULL)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --upgrade requirements/trdg.in -o requirements/trdg.txt

$(FULL)/.ready: requirements/dev.txt pyproject.toml
	@$(call install,.venv,requirements/dev.txt)

$(LEAN)/.ready: requirements/serve.txt pyproject.toml
	@$(call install,.venv-serve,requirements/serve.txt)

$(WATCH)/.ready: requirements/monitor.txt pyproject.toml
	@$(call install,.venv-monitor,requirements/monitor.txt)

$(PEERS)/.ready: requirements/bench.txt
	@$(call environment,.venv-bench,requirements/bench.txt) && touch $@

$(TRDG)/.ready: requirements/trdg.txt
	@$(call environment,.venv-trdg,requirements/trdg.txt) && touch $@

# Byte-compiled: TensorFlow imports three times faster.
define environment
echo "setting up $(1), once" >&2 && \
$(PYTHON) -m venv $(1) && $(1)/bin/python -m pip install -q uv && \
$(1)/bin/uv pip install -q --python $(1)/bin/python --compile-bytecode --require-hashes -r $(2)
endef

define install
$(call environment,$(1),$(2)) && \
$(1)/bin/uv pip install -q --python $(1)/bin/python --no-deps -e . && touch $@
endef

# One command for each thing one does; people and CI call the same ones. Workflows hand what they were given over in the environment
# and recipes read it there ($$TO): make would expand it, and run what $(shell) stands in it.
PYTHON ?= python3
FULL := .venv/bin
LEAN := .venv-serve/bin
WATCH := .venv-monitor/bin
PEERS := .venv-bench/bin
TRDG := .venv-trdg/bin
FONT_PINS := fonts/package.json fonts/package-lock.json fonts/.npmrc
DEPLOY := .venv-deploy/bin
ACCELERATE := .venv-accelerate/bin
GPU := .venv-gpu/bin
STORE := .venv-store/bin
DOCS := .venv-docs/bin
TINY := work/tiny
INTO := work/finetune
SHORT := train.size=small train.epochs=2 train.epoch_samples=32768 train.start_from= train.phases=[] train.averaged=1
LOCK := requirements/gpu.txt
PLATFORM = $(if $(findstring gpu,$(LOCK)),cuda,cpu)
FORMAT := table
TESTS :=
AT_ONCE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
ENGINE := docker
BUILD_OPTIONS :=
RUN_OPTIONS := -p 127.0.0.1:3000:3000
SMOKE_ADDRESS := http://127.0.0.1:3000
VERSIONED := models params.yaml dvc.yaml dvc.lock data/sources.json data/raw
DRIFT_IMAGE := .spec.jobTemplate.spec.template.spec.containers[0].image
CASES := 10000
READINGS := 100000
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export TF_CPP_MIN_LOG_LEVEL := 2

.DEFAULT_GOAL := help
.PHONY: docs help serve test test-fast test-slow check tiny finetune experiment retrain retrain-gpu train-on gate locked audit monitor stand bench pictures bento wheel lock \
  bench-service soak gate-deploy compare card remote pull push-data rollback bundle image smoke-image sbom version release publish push rollout propose

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(LEAN)/.ready ## Serve the shipped bundle on port 3000, without TensorFlow
	@$(LEAN)/legible serve

test: $(FULL)/.ready $(ACCELERATE)/.ready ## Run all tests
	@$(FULL)/python -m pytest $(AT_ONCE)

test-fast: $(FULL)/.ready ## Run the tests that take seconds
	@$(FULL)/python -m pytest $(AT_ONCE) -m "not slow"

test-slow: $(FULL)/.ready $(ACCELERATE)/.ready ## Run the tests that take minutes; TESTS=tests/test_bento.py some of them
	@$(FULL)/python -m pytest $(AT_ONCE) -m slow $(TESTS)

check: $(FULL)/.ready ## Lint, format and types; workflows, YAML and scripts
	@$(FULL)/ruff check .
	@$(FULL)/ruff format --check .
	@$(FULL)/mypy
	@$(FULL)/yamllint --strict .
	@$(FULL)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(FULL)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(FULL)/check-jsonschema -q --builtin-schema vendor.compose-spec monitoring/compose.yaml
	@$(FULL)/zizmor --offline --persona=auditor --quiet .github
	@$(FULL)/shellcheck .ci/run

tiny: $(FULL)/.ready ## Rehearse the whole pipeline in a scratch folder, in about a minute
	@rm -rf $(TINY) && mkdir -p $(TINY)/fonts $(TINY)/data
	@$(FULL)/legible params params.yaml params/tiny.yaml > $(TINY)/params.yaml
	@cp dvc.yaml $(TINY)/ && cp $(FONT_PINS) $(TINY)/fonts/
	@echo '{"version": 1, "sources": []}' > $(TINY)/data/sources.json
	@export PATH=$(abspath $(FULL)):$$PATH && cd $(TINY) && \
	  dvc init -q --no-scm && dvc config core.analytics false && dvc repro

finetune: $(FULL)/.ready ## Fine-tune the shipped weights to a transcribed folder: FOLDER=letters INTO=work/finetune TERMS="CC BY 4.0"
	@test -n "$$FOLDER" && { test -f "$$FOLDER/index.tsv" || ls "$$FOLDER"/*.tar; } > /dev/null 2>&1 || \
	{ echo "FOLDER is to name a folder with index.tsv and its images, or with a tar of them: make finetune FOLDER=letters" >&2; exit 1; }
	@mkdir -p $(INTO)/fonts && cp dvc.yaml $(INTO)/ && cp $(FONT_PINS) $(INTO)/fonts/
	@$(FULL)/legible params params.yaml params/finetune.yaml > $(INTO)/params.yaml
	@diff -rq models/weights $(INTO)/start > /dev/null 2>&1 || { cd $(INTO) && rm -rf start start.new models/weights training/checkpoint* && \
	  cp -r $(abspath models/weights) start.new && mv start.new start; }
	@test -d $(INTO)/.dvc || { cd $(INTO) && $(abspath $(FULL))/dvc init -q --no-scm && $(abspath $(FULL))/dvc config core.analytics false; }
	@$(FULL)/legible data add transcribed "$$FOLDER" --name own --terms "$$TERMS" --root $(INTO)
	@PATH=$(abspath $(FULL)):$$PATH && cd $(INTO) && dvc repro

retrain: $(FULL)/.ready ## Data to bundle, as params.yaml says; SETTINGS="train.epochs=40" changes it first
	@$(call reproduce,)

experiment: $(FULL)/.ready ## Try a setting with `small`, aside, and keep it as a DVC experiment: NAME=columns SETTINGS="train.batch_columns=2048"
	@$(call set_settings,$(SHORT) $$SETTINGS); dvc exp run --temp --name "$$NAME" "$$@" train
	@$(FULL)/dvc exp show --only-changed --drop 'Created|step|learning_rate|train.phases|(data|models|training)/.*' --md

retrain-gpu: $(FULL)/.ready $(GPU)/.ready ## The same, its training by JAX on an NVIDIA GPU, and not at all without one
	@JAX_PLATFORMS=cuda $(GPU)/python -c "import jax; print('training on', *jax.devices())" || \
	{ echo "JAX sees no GPU here: nvidia-smi says whether its driver does; make retrain trains on the processor" >&2; exit 1; }
	@$(call reproduce,ingest)
	@PATH=$(abspath $(GPU)):$$PATH KERAS_BACKEND=jax JAX_PLATFORMS=cuda,cpu $(abspath $(FULL))/dvc repro --single-item train
	@PATH=$(abspath $(FULL)):$$PATH dvc repro

train-on: $(FULL)/.ready ## Train on the NVIDIA GPU of another machine (ssh, rsync), weights and curves back: HOST=user@gpu; LOCK=requirements/accelerate.txt for its processor
	@test -n "$$HOST" || { echo "HOST is to name a machine that ssh reaches: make train-on HOST=user@gpu" >&2; exit 1; }
	@rsync -aR $(LOCK) "$$HOST:legible-training/"
	@ssh "$$HOST" 'cd legible-training && python3 -m venv .venv && .venv/bin/pip install -q --require-hashes -r $(LOCK) && \
	  { JAX_PLATFORMS=$(PLATFORM) .venv/bin/python -c "import jax; print(\"training on\", *jax.devices())" || \
	  { echo "JAX sees no $(PLATFORM) there: nvidia-smi says whether its driver does; LOCK=requirements/accelerate.txt trains on the processor" >&2; exit 1; }; }'
	@$(call reproduce,ingest)
	@rsync -aR --exclude __pycache__ params.yaml src $(wildcard models/weights) data/dataset "$$HOST:legible-training/"
	@ssh "$$HOST" 'cd legible-training && KERAS_BACKEND=jax JAX_PLATFORMS=$(PLATFORM:cuda=cuda,cpu) PYTHONPATH=src \
	  .venv/bin/python -m legible train --workers $$(nproc)'
	@rsync -a "$$HOST:legible-training/models/weights" models/ && rsync -a "$$HOST:legible-training/training" .
	@$(FULL)/dvc commit -f train

gate: $(FULL)/.ready ## Judge models/bundle against the champion on main; CHAMPION=... for another
	@$(FULL)/legible gate --champion "$${CHAMPION:-main}" --format $(FORMAT)

locked: $(FULL)/.ready ## See that dvc.lock belongs to params.yaml: no stage would run
	@test -f models/bundle/manifest.json || { echo "models/bundle is not here: git restore models/bundle, or run dvc repro" >&2; exit 1; }
	@changed=$$($(FULL)/dvc repro --dry --allow-missing) && ! echo "$$changed" | grep "^Running stage" || \
	{ echo "dvc.lock was made with other parameters, stages or bundle than are here: run dvc repro, commit what it changes" >&2; exit 1; }

audit: $(DEPLOY)/.ready ## Ask for known weaknesses of what is served (network)
	@$(DEPLOY)/pip-audit --require-hashes --disable-pip -r requirements/serve.txt

gate-deploy: $(FULL)/.ready ## Judge it as a deploy does: both read again; CHAMPION, or the bundle of the tag before, or none
	@$(FULL)/legible gate --deploy --format $(FORMAT) --champion "$${CHAMPION:-$$(git describe --tags --abbrev=0 HEAD^ 2> /dev/null || echo none)}"

compare: $(FULL)/.ready ## The gate's verdict for a pull request; a refusal is a verdict, not a failure
	@$(FULL)/legible gate --champion "$${CHAMPION:-main}" --format markdown; test $$? -le 1

card: ## Print the model card folded, for a pull request
	@printf '\n<details><summary>Model card</summary>\n\n' && cat models/bundle/card.md && printf '\n</details>\n'

remote: $(STORE)/.ready ## Name the store of data and models: URL=s3://..., gs://..., azure://..., ssh://... or a folder
	@$(STORE)/dvc remote add --local -f -d store "$$URL"

pull: $(STORE)/.ready ## Fetch data and stage outputs of dvc.lock from the store
	@$(STORE)/dvc pull

push-data: $(STORE)/.ready ## Bring data and stage outputs to the store
	@$(STORE)/dvc push

rollback: ## Take back bundle, weights, parameters, stages, lock and sources of a tag: TO=v1.2.0; then commit
	@there=$$(git ls-tree --name-only "$$TO" -- $(VERSIONED)) && { test -n "$$there" || { echo "$$TO holds no models" >&2; exit 1; }; } && \
	git rm -rq --ignore-unmatch -- $(VERSIONED) && git checkout -q "$$TO" -- $$there && echo "as in $$TO:" $$there

bundle: ## Fetch the bundle of a version into a folder: VERSION=v1.2.0 INTO=folder
	@mkdir -p "$$INTO" && git archive "$$VERSION" models/bundle | tar -x -C "$$INTO" --strip-components=2

image: $(FULL)/.ready ## Make the image of the Bento built last; ENGINE=docker or podman, BUILD_OPTIONS=... for it
	@bento=$$($(FULL)/bentoml get legible:latest -o path) && \
	$(ENGINE) build $(BUILD_OPTIONS) -t legible:built -f "$$bento/env/docker/Dockerfile" "$$bento"

smoke-image: $(FULL)/.ready ## Start that image with a read-only root and no rights, read ten words, drain it; ENGINE, RUN_OPTIONS
	@$(ENGINE) run -d --name legible-smoke --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
	  $(RUN_OPTIONS) legible:built > /dev/null && \
	$(FULL)/python deploy/smoke.py $(SMOKE_ADDRESS) --end "$(ENGINE) stop --time 40 legible-smoke"; code=$$?; \
	ended=$$($(ENGINE) inspect --format '{{.State.ExitCode}}' legible-smoke); echo "the container ended with $$ended"; \
	test "$$code$$ended" = 00 || $(ENGINE) logs legible-smoke | tail -n 20 >&2; \
	$(ENGINE) rm --force legible-smoke > /dev/null; test "$$code$$ended" = 00

sbom: $(DEPLOY)/.ready ## Bill of materials of what is served (CycloneDX), in dist/sbom.json
	@mkdir -p dist && $(DEPLOY)/cyclonedx-py requirements requirements/serve.txt --output-reproducible -o dist/sbom.json

version: ## See that the package says the version: VERSION=v1.2.0
	@own=v$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/legible/__init__.py); test "$$own" = "$$VERSION" || \
	{ echo "src/legible/__init__.py says $$own; say there what VERSION=$$VERSION says" >&2; exit 1; }

release: $(FULL)/.ready ## Bundle, wheel, bill of materials and their sums in dist/VERSION, of the commit here: VERSION=v1.2.0
	@git diff --quiet HEAD || { echo "a release is of a commit; commit what was changed" >&2; exit 1; }
	@$(MAKE) -s version sbom
	@rm -rf "dist/$$VERSION" && mkdir -p "dist/$$VERSION" && $(FULL)/uv build -q --wheel -o "dist/$$VERSION" && \
	git archive --prefix="legible-$$VERSION/" -o "dist/$$VERSION/legible-bundle-$$VERSION.tar.gz" HEAD models/bundle && \
	cp dist/sbom.json "dist/$$VERSION" && cd "dist/$$VERSION" && sha256sum legible* sbom.json > sha256sums && cat sha256sums

publish: ## Publish dist/VERSION as the release of that tag, the model card as its text: VERSION=v1.2.0 (gh)
	@gh release create "$$VERSION" --verify-tag --title "$$VERSION" --notes-file models/bundle/card.md "dist/$$VERSION"/*

push: ## Push the image: REGISTRY=...; prints its digest (Docker)
	@$(ENGINE) tag legible:built "$$REGISTRY/legible:$$(git rev-parse HEAD)" && \
	$(ENGINE) push --quiet "$$REGISTRY/legible:$$(git rev-parse HEAD)" > /dev/null && \
	echo "digest=$$($(ENGINE) inspect --format '{{index .RepoDigests 0}}' legible:built | cut -d @ -f 2)"

rollout: ## Roll an image out by digest, and back where it does not get ready: REGISTRY=... DIGEST=sha256:... (kubectl, kustomize)
	@before=$$(kubectl get cronjob legible-drift --ignore-not-found -o 'jsonpath={$(DRIFT_IMAGE)}') && \
	cd deploy/kubernetes && kustomize edit set image "legible=$$REGISTRY/legible@$$DIGEST" && kubectl apply -k . && \
	{ kubectl rollout status deployment/legible --timeout=300s || { kubectl rollout undo deployment/legible; \
	  test -z "$$before" || kubectl set image cronjob/legible-drift "drift=$$before"; exit 1; }; }

propose: ## Commit what was retrained on a branch and open a pull request, if it changed: BRANCH=... BODY=file (gh)
	@git add params.yaml dvc.lock models && \
	if git diff --cached --quiet; then echo "nothing changed: there is nothing to propose"; exit 0; fi && \
	git config user.name legible && git config user.email legible@localhost && gh auth setup-git && \
	git checkout -b "$$BRANCH" && git commit -m "Retrain" && \
	git push origin "$$BRANCH" && gh pr create --title "Retrained bundle" --body-file "$$BODY" --head "$$BRANCH" && \
	gh workflow run ci.yml --ref "$$BRANCH"

monitor: $(WATCH)/.ready ## Check for drift every five minutes; verdict on port 3001, report and Evidently workspace
	@$(WATCH)/legible monitor --report reports/drift.html --workspace monitoring/workspace

stand: ## Service, Prometheus, Alertmanager, Grafana, drift check and Evidently's pages on this machine (Docker)
	@docker compose -f monitoring/compose.yaml up --build

bench: $(FULL)/.ready $(PEERS)/.ready $(TRDG)/.ready ## Measure the drift check, reading beside Tesseract and RapidOCR, drawing beside trdg
	@$(FULL)/python benchmarks/drift.py
	@$(FULL)/python benchmarks/alarms.py
	@$(FULL)/python benchmarks/recognizer.py
	@$(FULL)/python benchmarks/generator.py

bench-service: $(FULL)/.ready ## Measure what the service promises: speed, overload, faults, memory, start; ROWS="read kill" for some
	@$(FULL)/python benchmarks/service.py $(ROWS)

soak: $(FULL)/.ready ## Send a running service 10,000 hostile cases, then 100,000 images; CASES=100 READINGS=1000 for fewer
	@$(FULL)/python benchmarks/soak.py --cases $(CASES) --readings $(READINGS)

docs: $(DOCS)/.ready ## Build the documentation site in work/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/mkdocs build --strict

pictures: $(FULL)/.ready ## Draw the pictures of docs/ that show what the generator does
	@$(FULL)/python docs/draw_pictures.py

bento: $(FULL)/.ready ## Build the Bento that is deployed
	@$(FULL)/bentoml build

wheel: $(FULL)/.ready ## Build the wheel, the bundle inside
	@$(FULL)/uv build --wheel

lock: $(FULL)/.ready ## Renew requirements/*.txt from pyproject.toml
	@for set in serve lambda monitor dev accelerate bench; do \
	  $(FULL)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --upgrade -c requirements/constraints.in --extra $$set pyproject.toml -o requirements/$$set.txt || exit 1; done
	@$(FULL)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --upgrade -c requirements/constraints.in --extra accelerate pyproject.toml requirements/gpu.in \
	  -o requirements/gpu.txt
	@for set in trdg deploy store docs; do \
	  $(FULL)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --upgrade requirements/$$set.in -o requirements/$$set.txt || exit 1; done

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

$(ACCELERATE)/.ready: requirements/accelerate.txt pyproject.toml
	@$(call install,.venv-accelerate,requirements/accelerate.txt)

$(GPU)/.ready: requirements/gpu.txt pyproject.toml
	@$(call install,.venv-gpu,requirements/gpu.txt)

$(STORE)/.ready: requirements/store.txt
	@$(call environment,.venv-store,requirements/store.txt) && touch $@

$(DOCS)/.ready: requirements/docs.txt
	@$(call environment,.venv-docs,requirements/docs.txt) && touch $@

$(DEPLOY)/.ready: requirements/deploy.txt
	@$(call environment,.venv-deploy,requirements/deploy.txt) && touch $@

# Byte-compiled: TensorFlow imports three times faster.
define environment
echo "setting up $(1), once" >&2 && \
$(PYTHON) -m venv $(1) && $(1)/bin/python -m pip install -q uv && \
$(1)/bin/uv pip install -q --python $(1)/bin/python --compile-bytecode --require-hashes -r $(2)
endef

# To a target, or to the end; with dvc and legible of the full environment.
define reproduce
$(call set_settings,$$SETTINGS); if [ $$# -gt 0 ]; then dvc exp run "$$@" $(1); else dvc repro $(1); fi
endef

define set_settings
PATH=$(abspath $(FULL)):$$PATH; set --; for setting in $(1); do set -- "$$@" -S "++$${setting#++}"; done
endef

define install
$(call environment,$(1),$(2)) && \
$(1)/bin/uv pip install -q --python $(1)/bin/python --no-deps -e . && touch $@
endef

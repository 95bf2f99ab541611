# One command for each thing one does; people and CI call the same ones. What takes more than a line is in scripts/. Workflows hand
# what they were given over in the environment and it is read there ($$TO): make would expand it, and run what $(shell) stands in it.
PYTHON ?= python3
FULL := .venv/bin
$(foreach name,serve monitor bench trdg deploy accelerate gpu store docs,$(eval $(name) := .venv-$(name)/bin)) # $(serve) and so on
TINY := work/tiny
INTO := work/finetune
SHORT := train.size=small train.epochs=2 train.epoch_samples=32768 train.start_from= train.phases=[] train.averaged=1
LOCK := requirements/gpu.txt
FORMAT := table
TESTS :=
AT_ONCE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
ENGINE := docker
BUILD_OPTIONS :=
RUN_OPTIONS := -p 127.0.0.1:3000:3000
CASES := 10000
READINGS := 100000
export GPU := $(gpu)
export PYTHON FULL TINY INTO LOCK ENGINE RUN_OPTIONS
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export TF_CPP_MIN_LOG_LEVEL := 2

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(serve)/.ready ## Serve models/bundle, without TensorFlow; PORT=8000 for another port than 3000, BUNDLE=open for models/open
	@$${BUNDLE:+env LEGIBLE_BUNDLE="models/$$BUNDLE"} $(serve)/legible serve $${PORT:+--port "$$PORT"}

test: $(FULL)/.ready $(accelerate)/.ready ## Run all tests
	@$(FULL)/python -m pytest $(AT_ONCE)
test-fast: $(FULL)/.ready ## Run the tests that take seconds
	@$(FULL)/python -m pytest $(AT_ONCE) -m "not slow"
test-slow: $(FULL)/.ready $(accelerate)/.ready ## Run the tests that take minutes; TESTS=tests/test_bento.py some of them
	@$(FULL)/python -m pytest $(AT_ONCE) -m slow $(TESTS)

check: $(FULL)/.ready ## Lint, format and types; workflows, YAML and scripts
	@sh scripts/check

tiny: $(FULL)/.ready ## Rehearse the whole pipeline in a scratch folder, in a minute or two
	@sh scripts/tiny
finetune: $(FULL)/.ready ## Fine-tune the shipped weights to a transcribed folder: FOLDER=letters INTO=work/finetune TERMS="CC BY 4.0"
	@sh scripts/finetune
respond: $(FULL)/.ready ## Answer drift: an issue, images to label, a candidate, a pull request; STEP=watch, SERVICE=folder, ISSUES=github
	@$(FULL)/legible respond "$${STEP:-all}" --issues "$${ISSUES:-reports/issues}" --observations "$${SERVICE:-.}/observations" --images "$${SERVICE:-.}/images" --labels "$${SERVICE:-.}/labels"

retrain: $(FULL)/.ready ## Data to bundle, as params.yaml says; SETTINGS="train.epochs=40" changes it first
	@sh scripts/dvc-with-settings
experiment: $(FULL)/.ready ## Try a setting with `small`, aside, and keep it as a DVC experiment: NAME=columns SETTINGS="train.batch_columns=2048"
	@SETTINGS="$(SHORT) $$SETTINGS" EXPERIMENT="$$NAME" sh scripts/dvc-with-settings train
	@$(FULL)/dvc exp show --only-changed --drop 'Created|step|learning_rate|train.phases|(data|models|training)/.*' --md
retrain-gpu: $(FULL)/.ready $(gpu)/.ready ## The same, its training by JAX on an NVIDIA GPU, and not at all without one
	@sh scripts/retrain-gpu
train-on: $(FULL)/.ready ## Train on the NVIDIA GPU of another machine (ssh, rsync), weights and curves back: HOST=user@gpu; LOCK=requirements/accelerate.txt for its processor
	@sh scripts/train-on

gate: $(FULL)/.ready ## Judge models/bundle against the champion on main; CHAMPION=... for another
	@$(FULL)/legible gate --champion "$${CHAMPION:-main}" --format $(FORMAT)
locked: $(FULL)/.ready ## See that dvc.lock belongs to params.yaml: no stage would run
	@sh scripts/locked
audit: $(deploy)/.ready ## Ask for known weaknesses of what is served (network)
	@$(deploy)/pip-audit --require-hashes --disable-pip -r requirements/serve.txt
gate-deploy: $(FULL)/.ready ## Judge it as a deploy does: both read again; CHAMPION, or the bundle of the tag before, or none
	@$(FULL)/legible gate --deploy --format $(FORMAT) --champion "$${CHAMPION:-$$(git describe --tags --abbrev=0 HEAD^ 2> /dev/null || echo none)}"
compare: $(FULL)/.ready ## The gate's verdict for a pull request; a refusal is a verdict, not a failure
	@$(FULL)/legible gate --champion "$${CHAMPION:-main}" --format markdown; test $$? -le 1
card: ## Print the model card folded, for a pull request
	@printf '\n<details><summary>Model card</summary>\n\n' && cat models/bundle/card.md && printf '\n</details>\n'

remote: $(store)/.ready ## Name the store of data and models: URL=s3://..., gs://..., azure://..., ssh://... or a folder
	@$(store)/dvc remote add --local -f -d store "$$URL"
pull: $(store)/.ready ## Fetch data and stage outputs of dvc.lock from the store
	@$(store)/dvc pull
push-data: $(store)/.ready ## Bring data and stage outputs to the store
	@$(store)/dvc push
rollback: ## Take back bundle, weights, parameters, stages, lock and sources of a tag: TO=v1.2.0; then commit
	@sh scripts/rollback
bundle: ## Fetch the bundle of a version into a folder: VERSION=v1.2.0 INTO=folder
	@mkdir -p "$$INTO" && git archive "$$VERSION" models/bundle | tar -x -C "$$INTO" --strip-components=2

image: $(FULL)/.ready ## Make the image of the Bento built last; ENGINE=docker or podman, BUILD_OPTIONS=... for it
	@bento=$$($(FULL)/bentoml get legible:latest -o path) && \
	$(ENGINE) build $(BUILD_OPTIONS) -t legible:built -f "$$bento/env/docker/Dockerfile" "$$bento"
smoke-image: $(FULL)/.ready ## Start that image with a read-only root and no rights, read ten words, drain it; ENGINE, RUN_OPTIONS
	@sh scripts/smoke-image
sbom: $(deploy)/.ready ## Bill of materials of what is served (CycloneDX), in dist/sbom.json
	@mkdir -p dist && $(deploy)/cyclonedx-py requirements requirements/serve.txt --output-reproducible -o dist/sbom.json

version: ## See that the package says the version: VERSION=v1.2.0
	@sh scripts/version
release: $(FULL)/.ready ## Bundle, wheel, bill of materials and their sums in dist/VERSION, of the commit here: VERSION=v1.2.0
	@git diff --quiet HEAD || { echo "a release is of a commit; commit what was changed" >&2; exit 1; }
	@$(MAKE) -s version sbom
	@sh scripts/release
publish: ## Publish dist/VERSION as the release of that tag, the model card as its text: VERSION=v1.2.0 (gh)
	@gh release create "$$VERSION" --verify-tag --title "$$VERSION" --notes-file models/bundle/card.md "dist/$$VERSION"/*
push: ## Push the image: REGISTRY=...; prints its digest (Docker)
	@sh scripts/push-image
rollout: ## Roll an image out by digest, and back where it does not get ready: REGISTRY=... DIGEST=sha256:... (kubectl, kustomize)
	@sh scripts/rollout
propose: ## Commit what was retrained on a branch and open a pull request, if it changed: BRANCH=... BODY=file (gh)
	@sh scripts/propose

monitor: $(monitor)/.ready ## Check for drift every five minutes: a page on port 3001 for the person on call, report and Evidently workspace
	@$(monitor)/legible monitor --kept images --report reports/drift.html --workspace monitoring/workspace --history reports/checks.jsonl --accuracy 30d
stand: ## Service, Prometheus, Alertmanager, Grafana, drift check and Evidently's pages on this machine (Docker)
	@docker compose -f monitoring/compose.yaml up --build

bench: $(FULL)/.ready $(bench)/.ready $(trdg)/.ready ## Measure the drift check, reading beside Tesseract and RapidOCR, drawing beside trdg
	@for benchmark in drift/drift drift/alarms reading/recognizer drawing/generator; do $(FULL)/python benchmarks/$$benchmark.py || exit 1; done
bench-service: $(FULL)/.ready ## Measure what the service promises: speed, overload, faults, memory, start; ROWS="read kill" for some
	@$(FULL)/python benchmarks/service/service.py $(ROWS)
soak: $(FULL)/.ready ## Send a running service 10,000 hostile cases, then 100,000 images; CASES=100 READINGS=1000 for fewer
	@$(FULL)/python benchmarks/service/soak.py --cases $(CASES) --readings $(READINGS)

docs: $(docs)/.ready ## Build the documentation site in work/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(docs)/mkdocs build --strict
pictures: $(FULL)/.ready ## Draw the pictures of docs/ that show what the generator does
	@$(FULL)/python docs/draw_pictures.py

bento: $(FULL)/.ready ## Build the Bento that is deployed
	@$(FULL)/bentoml build
wheel: $(FULL)/.ready ## Build the wheel, the bundle inside
	@$(FULL)/uv build --wheel
lock: $(FULL)/.ready ## Renew requirements/*.txt from pyproject.toml
	@sh scripts/lock

$(FULL)/.ready: requirements/dev.txt pyproject.toml
	@sh scripts/environment .venv $<
.venv-%/bin/.ready: requirements/%.txt pyproject.toml
	@sh scripts/environment .venv-$* $<

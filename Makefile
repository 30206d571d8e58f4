# The ways into this repository. Nothing here is a file: every target runs each time it is asked
# for, and what is already done is found out by the tool that did it (dpkg, swift build).

SWIFT ?= swift
# The gate that keeps a target from importing what Package.swift does not give it.
IMPORTS := --explicit-target-dependency-import-check error

.DEFAULT_GOAL := help
# Two targets asked for together (`make -j lint test`) run one after the other: they would only
# wait for each other's lock on .build, and mix their output.
.NOTPARALLEL:
.PHONY: help setup setup-drill drill test lint soak bench deb

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Install what the build, the drill and the tests need
	@scripts/setup test

setup-drill: ## Install what the build and the drill need
	@scripts/setup drill

drill: setup-drill ## Build, then shut down and restore a simulated site
	$(SWIFT) build --product vpower $(IMPORTS)
	.build/debug/vpower drill

test: setup ## Build, then run every test
	$(SWIFT) build --build-tests $(IMPORTS)
	SWIFT=$(SWIFT) scripts/test

lint: ## Check the format of the Swift files and the shell scripts
	$(SWIFT) format lint --strict -r Sources Tests Templates Package.swift
	shellcheck .ci/run scripts/*

# The engine and its lab alone, with the optimizer on: see isCoreAlone in Package.swift.
CORE := VPOWER_CORE=1 $(SWIFT)
RELEASE := -c release --scratch-path .build/core
SEEDS ?= 100000
SESSIONS ?= 1000
OUTPUTS ?= 200000
HOSTS ?= 64
# Another first seed goes on where an earlier soak ended.
FIRST ?= 1

soak: setup ## Live through SEEDS bad afternoons, SESSIONS and OUTPUTS that are broken, HOSTS at once
	$(CORE) build --build-tests $(RELEASE) $(IMPORTS)
	VPOWER_FIRST_SEED=$(FIRST) VPOWER_SEEDS=$(SEEDS) \
		$(CORE) test --skip-build $(RELEASE) --disable-xctest --no-parallel \
		--filter 'SeedSweep.*afternoon'
	$(SWIFT) build --product cycles --sanitize=address --scratch-path .build/asan $(IMPORTS)
	scripts/soak-wrappers .build/asan/debug/cycles $(SESSIONS)
	$(SWIFT) build --build-tests $(IMPORTS)
	VPOWER_OUTPUTS=$(OUTPUTS) VPOWER_HOSTS=$(HOSTS) \
		$(SWIFT) test --skip-build --disable-xctest --no-parallel \
		--filter 'OutputFuzzTests|ManyHostsTests'

# With the standard library inside, as the README builds vpower.
bench: setup ## Time an outage, one of 1,000 hosts, and 1,000 guests at vcsim
	$(CORE) build --product benchmarks $(RELEASE) --static-swift-stdlib $(IMPORTS)
	.build/core/release/benchmarks
	$(SWIFT) build --product crowd -c release --scratch-path .build/crowd $(IMPORTS)
	scripts/bench-crowd .build/crowd/release/crowd

deb:
	@echo "make $@: not there yet" >&2; exit 1

deb: ## Not there yet: a Debian package

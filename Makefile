# Each target installs what it lacks (scripts/setup.sh says how), then does its work. `make help` lists them.
SHELL := /bin/bash
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test test-rust test-web test-clients check bench bench-admin fmt test-packages

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'
	@echo '  ARGS="…" is handed on: make run ARGS="--port 4000", make test-rust ARGS="schedule::"'

run: ## build everything (release) and start the relay
	@scripts/setup.sh build
	@echo "building (some minutes the first time) ..." && cargo run --release --locked --bin crs -- serve $(ARGS)

demo: ## a relay with a simulated provider and sample data, to look at
	@scripts/setup.sh build
	@echo "building (some minutes the first time) ..." && cargo run --release --locked --bin crs -- demo $(ARGS)

test: ## all tests: Rust, examples in the documentation, real clients
	@scripts/setup.sh test
	@scripts/test.sh

test-rust: ## the Rust tests alone
	@scripts/setup.sh check
	@scripts/test.sh rust $(ARGS)

test-web: ## the web page alone: its tests, its size, and in a browser
	@scripts/setup.sh test
	@scripts/test.sh web $(ARGS)

test-clients: ## the real clients alone
	@scripts/setup.sh test
	@scripts/test.sh clients $(ARGS)

test-packages: ## the image and the installer, tried by hand in an empty Debian (takes root)
	@scripts/setup.sh packages; scripts/test-packages.sh $(ARGS)

check: ## format, lints, documentation, dependencies, sizes
	@scripts/setup.sh check
	@scripts/check.sh

bench: ## the figures in docs/performance.md
	@scripts/setup.sh bench && scripts/bench.sh $(ARGS)

fmt: ## format all code
	cargo fmt --all

bench-admin: ## how fast the admin API answers with 10,000 keys and 5 million calls
	@scripts/setup.sh && scripts/bench-admin.sh $(ARGS)

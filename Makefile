# Needs Go and make.

GO ?= go
# How long `make fuzz` stays on each target.
FUZZTIME ?= 30s
# How long `make soak` sends to the handler, and again to the inbox.
SOAK ?= 2m
# Which package `make mutate` mutates, and how.
PKG ?= .
MUTATEFLAGS ?=
# Which benchmarks `make bench` runs, as a regular expression, after the tables that BENCHFLAGS are for.
BENCH ?= .
BENCHFLAGS ?=
DEMOFLAGS ?=
# The published OpenAPI document that `make drift` compares with the contract.
DOCUMENT ?=
# The race detector needs a C compiler. Without one, Go turns cgo off.
RACE ?= $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
# The crash and cluster suites take longer than go test's ten minutes on small machines.
TESTFLAGS ?= -timeout 30m

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# What Go users work on, beside 64 bits of Linux.
PLATFORMS := darwin/arm64 windows/amd64 linux/386
# The peers that the benchmarks compare with stay out of the main module, so they have their own.
MODULES := . $(patsubst %/go.mod,%,$(wildcard e2e/bench/go.mod))

.DEFAULT_GOAL := help
.PHONY: help demo test generate lint drift fuzz mutate soak bench clean ci

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r name does; do printf '%-10s %s\n' "$$name" "$$does"; done

demo: ## Show deliveries arriving: simulator and receiver on loopback; DEMOFLAGS=-console shows the inbox in the end
	$(GO) run ./e2e/demo $(DEMOFLAGS)

test: ## Run all tests and suites, with the race detector if there is a C compiler
	@command -v chromium chromium-browser google-chrome >/dev/null || echo 'Without the tests in a browser, since there is no Chromium.'
	@[ -n '$(RACE)' ] || echo 'Without the race detector, since there is no C compiler.'
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) test $(RACE) $(TESTFLAGS) ./...); done

generate: ## Rewrite everything that is generated from api/openapi.yaml
	$(GO) generate ./...

lint: ## Check code on all PLATFORMS, contract, workflows and go.mod
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) run $(GOLANGCI) run ./...); done
	@set -e; for platform in $(PLATFORMS); do (set -x; GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0 $(GO) vet ./...); done
	$(GO) run ./api/lint api/lint.yaml api/openapi.yaml
	$(GO) run $(ACTIONLINT)
	@set -e; for module in $(MODULES); do (set -x; cd $$module; $(GO) mod tidy -diff); done

drift: ## Compare the published document DOCUMENT, a path or URL, with the contract
	@[ -n '$(DOCUMENT)' ] || { echo 'Say which document: make drift DOCUMENT=path-or-URL' >&2; exit 2; }
	@$(GO) run ./api/drift $(DOCUMENT)

fuzz: ## Fuzz each target for FUZZTIME
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

mutate: ## Print sampled mutations of the package PKG that its tests do not notice; MUTATEFLAGS='-n 50 -seed 1'
	$(GO) run ./e2e/mutate $(MUTATEFLAGS) $(PKG)

soak: ## Send a mixture of deliveries for SOAK, and look at memory and counts
	$(GO) test -count 1 -timeout 0 -v ./e2e/soak -args -for $(SOAK)

bench: ## Measure beside other libraries, then run the benchmarks that match BENCH
	cd e2e/bench && $(GO) run . $(BENCHFLAGS)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

clean: ## Remove what builds and runs leave behind
	rm -rf bin jogg-inbox coverage.* *.test *.out *.prof

ci: ## Run all checks as CI does
	.ci/run

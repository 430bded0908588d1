# Short names for what is done often. Everything here is a go command that can
# be typed by hand; Windows without make needs none of it.

FUZZTIME ?= 30s

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## A pretend Blip, a sample table and the whole road, without any setting
	go run ./cmd/pombo demo

.PHONY: test
test: ## What CI runs: format, vet, lint, tests, alarms, cross-builds, vulnerabilities
	./scripts/test

.PHONY: quick
quick: ## While you work: format, vet, lint of what changed, tests that need no server
	./scripts/test quick

.PHONY: build
build: ## The program for this machine, as ./pombo
	CGO_ENABLED=0 go build -trimpath -pgo=deploy/pombo.pgo -o . ./cmd/pombo

.PHONY: dist
dist: ## What is handed out, of the commit: archives, deb, rpm, MSI, image, SBOM, checksums, in dist/
	go run ./scripts/dist

.PHONY: dist-check
dist-check: ## The same, made twice: the bytes must be the same
	go run ./scripts/dist -check

.PHONY: profile
profile: ## Record anew where the program spends its time, which build and dist go by
	go test ./internal/app -list '^TestReceipts_TenThousand' | grep -q ^Test # a name that has changed would record nothing
	POMBO_NIGHTLY=1 go test ./internal/app -run '^TestReceipts_TenThousand' -count=1 -o $$(mktemp) -cpuprofile $(CURDIR)/deploy/pombo.pgo

.PHONY: bench
bench: ## Messages a second against a bare loop of the same calls, and memory
	go run ./test/bench

CHAOS ?= -rows 1000000 -kills 1000

.PHONY: chaos
chaos: ## Kills, freezes and cuts the real program 1,000 times over 1,000,000 rows on each ledger (CHAOS="-rows 20000 -kills 60" for less)
	go run ./test/chaos $(CHAOS)

.PHONY: fuzz
fuzz: ## Each fuzz test for FUZZTIME (30s)
	FUZZTIME=$(FUZZTIME) ./scripts/test fuzz

.PHONY: docs
docs: ## docs/configuration.md and .env.example from the table in internal/config/
	go test ./internal/config -update

# jwstbulk. Needs Go, a C compiler and make; every other program is pinned in tools/go.mod and built on demand.
# `make` prints the targets. Times are for two cores.

SHELL     := /bin/sh
GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS   := -X main.version=$(VERSION)
FUZZTIME  ?= 30s
E2E_FLAGS ?=
STATIC_CC ?= $(shell command -v musl-gcc 2>/dev/null || echo cc)

TIMED      = sh tools/timed.sh
GOTEST     = bin/tools/gotest
FUSEFS     = bin/tools/fusefs
VERSITYGW  = bin/tools/versitygw
STATICTAGS = netgo,osusergo,sqlite_omit_load_extension

.PHONY: help build static demo test compile fmt vet tidy staticcheck layers darwin race benchonce tools \
	lint vuln fuzz bench e2e-deps e2e e2e-slurm soak clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## bin/jwstbulk and bin/mastsim
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

static: ## bin/static/jwstbulk, one file that runs on any Linux of this processor (musl-gcc if there is one)
	@mkdir -p bin/static
	CGO_ENABLED=1 CC='$(STATIC_CC)' $(GO) build -trimpath -tags $(STATICTAGS) \
		-ldflags '$(LDFLAGS) -linkmode external -extldflags "-static"' -o bin/static/ ./cmd/jwstbulk
	sh tools/checkstatic.sh bin/static/jwstbulk

demo: build ## the main job against a simulated archive: download, kill, resume, verify (in ./demo, under a minute)
	sh tools/demo.sh

# SQLite's C code is most of what there is to compile, so all checks look at one kind of build: that of the race tests, whose
# C code need not be optimised much (20 s instead of 50).
RACECGO = CGO_CFLAGS='-O1 -g0'

compile:
	@$(RACECGO) $(GO) build -race ./...

test: ## all that must hold before a commit: form, lint, layers, race tests, macOS vet, benchmarks once (under 8 min)
	@$(TIMED) fmt         $(MAKE) --no-print-directory fmt
	@$(TIMED) compile     $(MAKE) --no-print-directory compile
	@$(MAKE) --no-print-directory -j2 timed-tidy timed-vet timed-staticcheck timed-layers timed-darwin
	@$(TIMED) race        $(MAKE) --no-print-directory race
	@$(TIMED) benchonce   $(MAKE) --no-print-directory benchonce

timed-%:
	@$(TIMED) $* $(MAKE) --no-print-directory $*

fmt: ## is everything as gofmt writes it?
	@bad=$$(gofmt -l cmd e2e fetcher internal manifest planner queue tools); \
	if [ -n "$$bad" ]; then echo "not as gofmt writes them:"; echo "$$bad"; exit 1; fi

tidy: ## do go.mod and go.sum say exactly what the source needs?
	$(GO) mod tidy -diff
	$(GO) -C tools mod tidy -diff

vet: ## go vet, also of the end-to-end tests and the tools
	$(RACECGO) $(GO) vet -race ./...
	$(RACECGO) $(GO) vet -race -tags e2e ./e2e/... ./internal/fits
	$(GO) -C tools vet ./...

staticcheck: ## staticcheck with all its checks (what is left out, and why: staticcheck.conf)
	$(GO) build -modfile=tools/go.mod -o bin/tools/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(RACECGO) GOFLAGS="$$($(GO) env GOFLAGS) -race" bin/tools/staticcheck -tags e2e ./...

lint: fmt vet staticcheck ## form and static analysis alone

vuln: ## known vulnerabilities in what is linked in (asks vuln.go.dev)
	$(GO) tool -modfile=tools/go.mod govulncheck ./...

layers: ## who may import whom, and other rules about the tree; the tools' own tests
	$(RACECGO) $(GO) test -race ./internal/layers
	$(GO) -C tools test ./...

darwin: ## does it compile for macOS? (without cgo, so the SQLite driver is only type-checked)
	GOOS=darwin CGO_ENABLED=0 $(GO) vet ./...

tools: $(GOTEST)

$(GOTEST): tools/gotest/*.go tools/go.mod
	$(GO) build -C tools -o ../$(GOTEST) ./gotest

$(FUSEFS): tools/fusefs/*.go tools/go.mod
	$(GO) build -C tools -o ../$(FUSEFS) ./fusefs

# An S3 server, for the end-to-end tests alone. Its many dependencies have a module of their own: a few minutes the first time.
$(VERSITYGW): tools/versitygw/go.mod
	$(GO) build -C tools/versitygw -ldflags='-s -w' -o ../../$(VERSITYGW) github.com/versity/versitygw/cmd/versitygw

race: $(GOTEST) ## all tests under the race detector, in random order; with CI=true a skip is a failure
	$(RACECGO) $(GOTEST) -race -shuffle=on -timeout 6m ./...

# Those with SQLite in them use the build of the race tests; the others would only be slowed down by it.
PLAIN = ./internal/fits ./internal/mast ./internal/masttest ./manifest
benchonce: $(GOTEST) ## each benchmark once, so that none rots
	$(GOTEST) -run '^$$' -bench . -benchtime=1x $(PLAIN)
	$(RACECGO) $(GOTEST) -race -run '^$$' -bench . -benchtime=1x ./fetcher ./internal/cluster ./planner ./queue

bench: ## all benchmarks, with allocations; then planning and the queue at a million rows (about ten minutes)
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) test -run '^$$' -bench Scale -benchtime 1x -timeout 20m ./planner -planner.observations=20000
	$(GO) test -run '^$$' -bench 'Enqueue|Work' -benchtime 1x -timeout 20m ./queue -queue.files=1000000

fuzz: ## each fuzz target for FUZZTIME (30s)
	FUZZTIME=$(FUZZTIME) sh tools/fuzz.sh

e2e-deps: $(VERSITYGW) ## install what the end-to-end tests need (Debian packages, as root, and an S3 server)
	@sh tools/e2e-deps.sh install

e2e-slurm: build static $(GOTEST) $(FUSEFS) ## chain, array and docs/hpc.md on a throw-away Slurm of this machine (Debian 12, installs it as root; 7 min)
	$(GOTEST) -stream -tags e2e,slurm -count=1 -timeout 15m -run TestSlurm $(E2E_FLAGS) ./e2e

e2e: build $(GOTEST) $(FUSEFS) $(VERSITYGW) ## the built programs as a user runs them, killed and lied to (under 20 min)
	@sh tools/e2e-deps.sh check
	$(GOTEST) -stream -tags e2e -count=1 -timeout 25m $(E2E_FLAGS) ./e2e/... ./internal/fits

soak: build $(GOTEST) $(FUSEFS) $(VERSITYGW) ## the end-to-end tests with their full counts: hours, never in CI
	@sh tools/e2e-deps.sh check
	JWSTBULK_SOAK=1 $(GOTEST) -stream -tags e2e -count=1 -timeout 12h $(E2E_FLAGS) ./e2e/... ./internal/fits

clean: ## remove what make made
	rm -rf bin demo .e2e

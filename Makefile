# Needs only Go, git and make; everything else is built from pinned modules.

GO       ?= go
BIN      := bin
LINT     := $(BIN)/golangci-lint
TIMEOUT  ?= 20m
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help demo test check build testenv lint fmt generate generate-check vuln fuzz bench-measure clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## A real Knative, a real Canary, one promotion and two rollbacks
	@$(BIN)/demo

test: ## Everything that can be tested without root
	$(GO) test -race -shuffle=on -timeout $(TIMEOUT) ./...

check: lint generate-check test ## What CI runs

build: ## Build serin, testenv and demo into bin/
	@mkdir -p $(BIN)
	$(GO) build -trimpath -o $(BIN)/ ./cmd/serin ./testenv/cmd/...

testenv: build ## Leave a Knative running until Ctrl-C, with Serin's definition installed
	@exec $(BIN)/testenv -crds chart/crds

lint: $(LINT) ## go vet, gofmt and golangci-lint
	$(GO) vet ./...
	$(LINT) run ./...

$(LINT): tools/lint/go.mod tools/lint/go.sum
	@mkdir -p $(BIN)
	cd tools/lint && $(GO) build -o ../../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $(LINT)

fmt: $(LINT) ## Format the code
	$(LINT) fmt ./...

generate: ## Regenerate the deepcopy functions and chart/crds
	$(GO) tool controller-gen object paths=./api/... \
		crd:allowDangerousTypes=true paths=./api/... output:crd:dir=chart/crds

generate-check: generate ## Fail when generated files were not up to date
	git diff --exit-code -- api chart/crds

vuln: ## govulncheck, where its database can be reached
	cd tools/vuln && $(GO) build -o ../../$(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck
	$(BIN)/govulncheck ./...

fuzz: ## Fuzz what strangers send, FUZZTIME each
	$(GO) test -run '^$$' -fuzz FuzzParseHey -fuzztime $(FUZZTIME) ./loadgen

bench-measure: ## Cost of recording a result
	$(GO) test -run '^$$' -bench . -benchmem -cpu 1,8 ./measure

clean: ## Remove bin/; the built upstream programs stay in the user's cache directory
	rm -rf $(BIN)

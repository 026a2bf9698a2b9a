# Needs only Go, git and make; everything else is built from pinned modules.

GO       ?= go
BIN      := bin
LINT     := $(BIN)/golangci-lint
HELM     := $(BIN)/helm
DOCKER   ?= docker
RELEASE  := $(shell awk '/^appVersion:/ {print $$2}' chart/Chart.yaml)
IMAGE    ?= ghcr.io/serin-dev/serin:$(RELEASE)
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
TIMEOUT  ?= 20m
FUZZTIME ?= 30s
N        ?= 100000

.DEFAULT_GOAL := help
# Static, and without what makes the linker keep methods that nobody calls.
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -tags grpcnotrace -ldflags '-s -w'
.PHONY: help demo test check build testenv cluster-up cluster-down e2e image image-check image-offline helm lint fmt golden generate generate-check vuln simulate fuzz bench-load bench-measure bench-judge bench-rollback bench-tap bench-scale clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## A real Knative, a real Canary, one promotion and two rollbacks
	@$(BIN)/demo

test: ## Everything that can be tested without root
	$(GO) test -race -shuffle=on -timeout $(TIMEOUT) ./...
	$(GO) test -shuffle=on -timeout $(TIMEOUT) ./loadgen # system calls differ under the race detector

check: lint generate-check test ## What CI runs, without its simulations and demo

build: ## Build serin, testenv and demo into bin/
	@mkdir -p $(BIN)
	$(BUILD) -o $(BIN)/ ./cmd/serin ./testenv/cmd/...

testenv: build ## Leave a Knative running until Ctrl-C, with Serin's definition installed
	@exec $(BIN)/testenv -crds chart/crds

cluster-up: image-offline ## A real Kubernetes with Knative on this Linux machine, as root; KNATIVE=v0.50.0 for another
	@$(BIN)/cluster up $(if $(KNATIVE),-knative $(KNATIVE)) $(BIN)/images/serin.tar

cluster-down: build ## End it, without a trace
	@$(BIN)/cluster down

e2e: ## Serin's users on a real cluster: one of its own, as root, or E2E_KUBECONFIG and E2E_GATEWAY
	testenv/e2e/run

image: ## Build the image IMAGE; BUILDER and BASE are what it is made of and on, PLATFORM for which machine
	$(DOCKER) build -t $(IMAGE) $(if $(PLATFORM),--platform $(PLATFORM)) \
		$(foreach a,BUILDER BASE GOPROXY,$(if $($a),--build-arg $a=$($a))) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) \
		--build-arg SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct) .

image-check: ## See that IMAGE has what it should, on a read-only root and without a network
	$(DOCKER) run --rm -i --read-only --tmpfs /tmp --network none --cap-drop ALL --entrypoint sh $(IMAGE) -ex <tools/image/check

image-offline: build ## Build IMAGE without a registry, from Debian's packages and this machine's Go, into bin/images
	tools/image/offline $(BIN)/images/serin.tar $(IMAGE) $(PLATFORM)

helm: $(HELM) ## Build helm and kustomize into bin/

# A helm that is not released itself does not know for which Kubernetes it renders.
$(HELM): tools/helm/go.mod tools/helm/go.sum
	@mkdir -p $(BIN)
	cd tools/helm && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w $(foreach p,chartutil lint/rules,\
		-X helm.sh/helm/v3/pkg/$p.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/$p.k8sVersionMinor=35)' \
		-o ../../$(BIN)/ helm.sh/helm/v3/cmd/helm sigs.k8s.io/kustomize/kustomize/v5
	@touch $(HELM)

lint: $(LINT) ## go vet, gofmt and golangci-lint
	$(GO) vet ./...
	$(LINT) run ./...

$(LINT): tools/lint/go.mod tools/lint/go.sum
	@mkdir -p $(BIN)
	cd tools/lint && $(GO) build -o ../../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $(LINT)

fmt: $(LINT) ## Format the code
	$(LINT) fmt ./...

generate: $(HELM) ## Regenerate the deepcopy functions, chart/crds, the table of chart/README.md, and deploy
	$(GO) tool controller-gen object paths=./api/... \
		crd:allowDangerousTypes=true paths=./api/... output:crd:dir=chart/crds
	$(GO) test ./chart -count 1 -run 'IsUpToDate$$' -update

generate-check: generate ## Fail when generated files were not up to date
	git diff --exit-code -- api chart deploy

golden: $(HELM) ## Write what tests compare the rendered chart with anew
	$(GO) test ./chart -count 1 -run Golden -update

vuln: ## govulncheck, where its database can be reached
	cd tools/vuln && $(GO) build -o ../../$(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck
	$(BIN)/govulncheck ./...

simulate: ## Rollouts in a world where anything happens, N of each kind
	$(GO) test ./daemon/rollout -run 'TestInvariantsHoldWhateverHappens|TestGoodPushSucceedsFromEveryState' -rapid.checks=$(N) -rapid.steps=100 -timeout $(TIMEOUT)

fuzz: ## Fuzz the judge and what strangers send, FUZZTIME each
	$(GO) test -run '^$$' -fuzz FuzzChunkedBody -fuzztime $(FUZZTIME) ./loadgen
	$(GO) test -run '^$$' -fuzz FuzzParseHey -fuzztime $(FUZZTIME) ./loadgen
	$(GO) test -run '^$$' -fuzz FuzzPayload -fuzztime $(FUZZTIME) ./daemon/loadtester
	$(GO) test -run '^$$' -fuzz FuzzCommand -fuzztime $(FUZZTIME) ./daemon/loadtester
	$(GO) test -run '^$$' -fuzz FuzzJudge -fuzztime $(FUZZTIME) ./analysis
	$(GO) test -run '^$$' -fuzz FuzzReadLog -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./measure
	$(GO) test -run '^$$' -fuzz FuzzProxy -fuzztime $(FUZZTIME) ./daemon/tap
	$(GO) test -run '^$$' -fuzz FuzzFind -fuzztime $(FUZZTIME) ./daemon/hosts
	$(GO) test -run '^$$' -fuzz FuzzDecodeHistogram -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./measure

bench-load: ## The load engine against wrk, hey and vegeta, where they are installed
	$(GO) run ./bench

bench-measure: ## Cost and allocations of recording a result, and of a request
	$(GO) test -run '^$$' -bench . -benchmem -cpu 1,8 ./measure
	$(GO) test -run '^$$' -bench . -benchmem ./loadgen

bench-judge: ## Simulated rollouts: how often the judge is wrong, how soon it is right
	$(GO) run ./bench/judge

bench-rollback: ## Time from the decision to roll back until the Route shows it
	$(GO) test ./daemon -run '^$$' -bench Rollback -benchtime 50x -timeout $(TIMEOUT)

bench-tap: ## The proxy that measures, against asking directly
	$(GO) test ./daemon/tap -run '^$$' -bench 'Direct|Proxied' -benchtime 20000x

bench-scale: build ## One daemon with a thousand Canaries; wants 20 GB and twenty minutes
	$(GO) run ./bench/scale

clean: ## Remove bin/; the built upstream programs stay in the user's cache directory
	rm -rf $(BIN)

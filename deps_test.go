package serin

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/serin-dev/serin/"

// rules hold the direction of imports: what a package, with all packages below
// it, must not import, and why.
var rules = []struct{ from, forbidden, reason string }{
	{"measure", module, "measure knows what happened and nothing of who asks"},
	{"report", module, "shows what measure holds and nothing else"},
	{"report", "net/http", "renders, and asks nobody"},
	{"report", "html/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"report", "text/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"report", "k8s.io/", "only the daemon knows Kubernetes"},
	{"cli", module + "daemon", "talks to the API server and the daemon's HTTP surface, as anybody could"},
	{"cli", module + "loadgen", "shows what others measure"},
	{"cli", "html/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"cli", "text/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"daemon", module + "cli", "the command line is for people"},
	{"load", module + "daemon", "load by hand needs no daemon"},
	{"load", module + "analysis", "load and judgement do not know each other"},
	{"load", "k8s.io/", "only the daemon knows Kubernetes"},
	{"loadgen", module + "report", "load is measured, not shown"},
	{"loadgen", module + "analysis", "load and judgement do not know each other"},
	{"analysis", module + "loadgen", "load and judgement do not know each other"},
	{"loadgen", module + "daemon", "a library for everybody"},
	{"analysis", module + "daemon", "a library for everybody"},
	{"loadgen", module + "api", "a library for everybody"},
	{"analysis", module + "api", "a library for everybody"},
	{"measure", "k8s.io/", "only the daemon knows Kubernetes"},
	{"loadgen", "k8s.io/", "only the daemon knows Kubernetes"},
	{"analysis", "k8s.io/", "only the daemon knows Kubernetes"},
	{"analysis", "net", "judgements do no I/O"},
	{"analysis", "net/http", "judgements do no I/O"},
	{"analysis", "log/slog", "warnings are data in the result"},
	{"loadgen", "log/slog", "errors are returned"},
	{"daemon/hook", module + "daemon/controller", "calls, and decides nothing"},
	{"daemon/page", module + "daemon/", "renders values, whoever collected them"},
	{"daemon/page", "net/http", "renders, and serves nobody"},
	{"daemon/page", "k8s.io/", "renders, and asks no cluster"},
	{"daemon/page", "html/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"daemon/page", "text/template", "with it, the linker keeps every method of Kubernetes' types: 6 MB more memory"},
	{"daemon/alert", module + "daemon/", "tells, and knows nobody"},
	{"daemon/metrics", module + "daemon/", "records, and knows nobody"},
	{"api", module, "the resource is plain data"},
	{"daemon/rollout", module + "daemon/", "decisions are made from values alone"},
	{"daemon/rollout", module + "loadgen", "decisions are made from verdicts, not from load"},
	{"daemon/rollout", "k8s.io/client-go", "decisions do no I/O"},
	{"daemon/rollout", "sigs.k8s.io/controller-runtime", "decisions do no I/O"},
	{"daemon/rollout", "context", "decisions take no time"},
	{"daemon/rollout", "sync", "decisions start no goroutine"},
	{"daemon/session", module + "daemon/controller", "the controller knows sessions, not the other way round"},
	{"daemon/session", "k8s.io/client-go", "a session talks to the workload alone"},
	{"daemon/knative", module + "daemon/controller", "the controller knows traffic, not the other way round"},
	{"daemon/httpapi", module + "daemon/controller", "the daemon puts them together"},
	{"daemon/hosts", module + "daemon/", "looks names up, and knows nobody"},
	{"daemon/access", module + "daemon/", "says who may, and knows nobody"},
	{"daemon/egress", module, "says where connections may go, whoever makes them"},
	{"daemon/fault", module + "daemon/", "disturbs requests, and knows nobody"},
	{"daemon/history", module + "daemon/", "remembers, and knows nobody"},
	{"daemon/archive", module + "daemon/", "keeps pages, whatever is on them"},
	{"daemon/page", module + "daemon/", "renders values"},
	{"daemon/page", "net/http", "renders values"},
	{"daemon/page", "k8s.io/", "renders values"},
	{"daemon/tap", module + "daemon/session", "is told where results go"},
	{"daemon/tap", module + "daemon/controller", "is told where results go"},
	{"daemon/tap", "k8s.io/", "forwards requests, whatever is behind"},
	{"daemon/loadtester", module + "daemon/httpapi", "the surface mounts it"},
	{"daemon/loadtester", module + "daemon/controller", "sends load, and decides nothing"},
	{"daemon/loadtester", module + "daemon/session", "whom results count for is told it"},
	{"daemon/loadtester", "k8s.io/client-go", "what a host means is told it"},
	{"daemon", module + "testenv", "tests know the daemon, not the other way round"},
	{"testenv", module + "daemon", "an environment is useful without Serin"},
}

// allowed are exceptions: what a package of a rule may import all the same.
var allowed = map[[2]string]bool{
	{"report", module + "measure"}:             true, // what it shows
	{"daemon/alert", module + "daemon/egress"}: true, // where it may connect to
}

// pkg is what `go list` says of a package: direct imports, without tests'.
type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointDownTheHouse(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages are listed", len(packages))
	}
	for _, rule := range rules {
		seen := false
		for _, p := range packages {
			if !below(p.ImportPath, module+rule.from) {
				continue
			}
			seen = true
			for _, imported := range p.Imports {
				own := below(imported, module+rule.from)
				if matches(imported, rule.forbidden) && !own && !allowed[[2]string{rule.from, imported}] {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.reason)
				}
			}
		}
		if !seen {
			t.Errorf("there is no package %s: the rule about it is out of date", rule.from)
		}
	}
}

// below reports whether a path is the package itself or below it.
func below(path, of string) bool { return path == of || strings.HasPrefix(path, of+"/") }

// matches takes a forbidden path that ends in a slash as everything below it.
func matches(imported, forbidden string) bool {
	if strings.HasSuffix(forbidden, "/") {
		return strings.HasPrefix(imported, forbidden)
	}
	return below(imported, forbidden) && (strings.Contains(forbidden, ".") || imported == forbidden)
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serin runs the command line as a user does.
func serin(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	return called(t, "/usr/bin/serin", args...)
}

func called(t *testing.T, program string, args ...string) (stdout string, err error) {
	t.Helper()
	t.Setenv("KUBECONFIG", "")
	t.Setenv("SERIN_SERVER", "")
	t.Setenv("HOME", t.TempDir())
	var out, errOut bytes.Buffer
	err = run(t.Context(), append([]string{program}, args...), &out, &errOut)
	return out.String() + errOut.String(), err
}

func TestCommandsExplainThemselves(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "Rollouts:"},
		{[]string{"--help"}, "daemon"},
		{[]string{"daemon", "--help"}, "--gateway"},
		{[]string{"version"}, "serin "},
		{[]string{"status", "--help"}, "--context"},
		{[]string{"gate"}, "traffic-increase"},
		{[]string{"fault"}, "never those of users"},
		{[]string{"drill", "--help"}, "--within"},
		{[]string{"rollback", "--help"}, "--wait"},
		{[]string{"completion", "bash"}, "bash completion"},
	} {
		out, err := serin(t, tc.args...)
		if err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("serin %q: %v, printed %q, want %q", tc.args, err, out, tc.want)
		}
	}
}

func TestPluginOfKubectlCallsItselfSo(t *testing.T) {
	for program, want := range map[string]string{
		"/usr/bin/serin":                        "  serin promote NAME [flags]",
		"/usr/bin/kubectl-serin":                "  kubectl serin promote NAME [flags]",
		"/usr/bin/kubectl-serin.exe":            "  kubectl serin promote NAME [flags]",
		"/usr/local/bin/kubectl_complete-serin": "  kubectl serin promote NAME [flags]",
	} {
		out, err := called(t, program, "promote", "--help")
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, printed %q, want %q", program, err, out, want)
		}
	}
	if _, err := called(t, "kubectl-serin", "abort"); err == nil || !strings.Contains(err.Error(), "kubectl serin abort NAME") {
		t.Errorf("got %v", err)
	}
}

func TestMistakesAreErrorsThatSayWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"deamon"}, `unknown command "deamon"`},
		{[]string{"version", "now"}, `unknown command "now"`},
		{[]string{"daemon", "--log-level", "loud"}, `--log-level must be debug, info, warn or error, not "loud"`},
		{[]string{"daemon", "--log-format", "xml"}, `--log-format must be text or json, not "xml"`},
		{[]string{"daemon", "--kubeconfig", "/does/not/exist"}, "set --kubeconfig or $KUBECONFIG"},
		{[]string{"daemon"}, "set --kubeconfig or $KUBECONFIG"},
		{[]string{"status"}, "set --kubeconfig or $KUBECONFIG"},
		{[]string{"status", "--context", "nowhere"}, `context "nowhere" does not exist`},
		{[]string{"status", "a", "b"}, `there is nothing after NAME, but "b" is given: serin status [NAME]`},
		{[]string{"status", "a", "-A"}, `a name is of one namespace: leave out "a" or -A`},
		{[]string{"status", "-o", "xml"}, `--output must be wide, json or yaml, not "xml"`},
		{[]string{"status", "--timeout", "1s"}, "--timeout bounds --watch"},
		{[]string{"status", "--server", "https://api"}, "unknown flag: --server"}, // which is the daemon's elsewhere
		{[]string{"promote"}, "NAME is missing: serin promote NAME"},
		{[]string{"rollback"}, "NAME is missing: serin rollback NAME"},
		{[]string{"promote", "a", "b"}, `there is nothing after NAME, but "b" is given`},
		{[]string{"retry", "a", "--timeout", "soon"}, `invalid argument "soon"`},
		{[]string{"gate", "shut"}, `unknown command "shut": serin gate --help`},
		{[]string{"gate", "open"}, "NAME is missing: serin gate open NAME [GATE...]"},
		{[]string{"gate", "close", "a", "exit"}, `there is no gate "exit": the gates are rollout, traffic-increase, promotion`},
		{[]string{"fault", "ad"}, `unknown command "ad": serin fault --help`},
		{[]string{"fault", "add"}, "NAME is missing: serin fault add NAME"},
		{[]string{"fault", "add", "a"}, "say what goes wrong: --status"},
		{[]string{"fault", "add", "a", "--status", "500", "--target", "all"}, "--target must be canary, primary or both"},
		{[]string{"fault", "add", "a", "--reset", "--server", "serin:8080"}, "--server must be a URL such as http://127.0.0.1:8080"},
		{[]string{"fault", "end"}, "say which: the ids of faults, or --all"},
		{[]string{"fault", "end", "--all", "a", "b"}, "--all takes one canary's name at most"},
		{[]string{"fault", "list", "a", "-A"}, "a name is of one namespace"},
		{[]string{"fault", "list"}, "set --kubeconfig or $KUBECONFIG"},
		{[]string{"drill", "a", "--within", "0s"}, "--within must be longer than nothing"},
		{[]string{"drill", "a", "--status", "500", "--reset"}, "a request can only end in one way"},
		{[]string{"drill", "a"}, "set --kubeconfig or $KUBECONFIG"},
	} {
		if _, err := serin(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("serin %q: %v, want %q", tc.args, err, tc.want)
		}
	}
}

func TestFaultsNeedNoCluster(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/api/v1/faults?name=podinfo&namespace=prod" {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = w.Write([]byte(`{"ended": 2}`))
	}))
	defer server.Close()
	out, err := serin(t, "fault", "end", "--all", "podinfo", "-n", "prod", "--server", server.URL)
	if err != nil || out != "2 faults ended\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// apiServer answers as an API server with one Canary, and returns a kubeconfig.
func apiServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/flagger.app/v1beta1/namespaces/prod/canaries" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion": "flagger.app/v1beta1", "kind": "CanaryList", "metadata": {}, "items": [
			{"metadata": {"name": "podinfo", "namespace": "prod"}, "spec": {"targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "podinfo"}}, "status": {"phase": "Initialized"}}]}`))
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion": "v1", "kind": "Config", "current-context": "a",
		"contexts": [{"name": "a", "context": {"cluster": "a", "namespace": "prod"}}, {"name": "b", "context": {"cluster": "a"}}],
		"clusters": [{"name": "a", "cluster": {"server": "` + server.URL + `"}}]}`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestStatusAsksTheClusterOfTheContext(t *testing.T) {
	kubeconfig := apiServer(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "Initialized"},
		{[]string{"--context", "b", "-n", "prod"}, "Initialized"},
		{[]string{"-o", "json"}, `"phase": "Initialized"`},
	} {
		out, err := serin(t, append([]string{"status", "--kubeconfig", kubeconfig}, tc.args...)...)
		if err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("%q: %v, %q, want %q", tc.args, err, out, tc.want)
		}
	}
	if _, err := serin(t, "status", "--kubeconfig", kubeconfig, "--context", "b"); err == nil || !strings.Contains(err.Error(), "install Serin's definitions") {
		t.Errorf("got %v", err)
	}
}

func TestShellCompletesNames(t *testing.T) {
	kubeconfig := apiServer(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"promote", "--kubeconfig", kubeconfig, ""}, "podinfo\n:4\n"},
		{[]string{"rollback", "--kubeconfig", kubeconfig, ""}, "podinfo\n:4\n"},
		{[]string{"gate", "close", "podinfo", "--kubeconfig", kubeconfig, ""}, "rollout\ntraffic-increase\npromotion\n:4\n"},
		{[]string{"fault", "add", "--kubeconfig", kubeconfig, ""}, "podinfo\n:4\n"},
		{[]string{"status", "-o", ""}, "wide\njson\nyaml\n:4\n"},
		{[]string{"promote", "--kubeconfig", "/does/not/exist", ""}, ":4\n"},
	} {
		out, err := serin(t, append([]string{"__complete"}, tc.args...)...)
		if err != nil || !strings.HasPrefix(out, tc.want) {
			t.Errorf("%q: %v, %q, want %q", tc.args, err, out, tc.want)
		}
	}
}

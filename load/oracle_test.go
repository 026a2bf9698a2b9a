package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// buildHey builds hey, of the version in go.mod: it says what its flags mean.
func buildHey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hey")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/rakyll/hey").CombinedOutput(); err != nil {
		t.Fatalf("build hey: %v\n%s", err, out)
	}
	return path
}

// witness is a server that takes down all that it sees.
type witness struct {
	*httptest.Server
	mu          sync.Mutex
	seen        []string
	connections map[string]bool
}

func newWitness(t *testing.T) *witness {
	w := &witness{connections: make(map[string]bool)}
	w.Server = httptest.NewUnstartedServer(w)
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	agent := strings.ReplaceAll(r.Header.Get("User-Agent"), "hey/0.0.1", "serin")
	r.Header.Set("User-Agent", agent)
	// Who writes it first differs: a header of its own, or the length of the body.
	r.Header.Del("Content-Length")
	w.mu.Lock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s host=%s close=%v length=%d header=%v body=%q",
		r.Method, r.RequestURI, strings.ReplaceAll(r.Host, w.Listener.Addr().String(), "self"), r.Close, r.ContentLength, r.Header, body))
	w.connections[r.RemoteAddr] = true
	w.mu.Unlock()
	switch r.URL.Path {
	case "/redirect":
		http.Redirect(rw, r, "/there", http.StatusFound)
	case "/loop":
		http.Redirect(rw, r, "/loop", http.StatusFound)
	default:
		_, _ = io.WriteString(rw, "ok")
	}
}

// take returns what was seen since the last call, sorted, and on how many
// connections.
func (w *witness) take() (seen []string, connections int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, connections = w.seen, len(w.connections)
	w.seen, w.connections = nil, make(map[string]bool)
	slices.Sort(seen)
	return seen, connections
}

// What hey's flags mean is what a server sees when hey is given them.
func TestFlagsMeanWhatTheyMeanToHey(t *testing.T) {
	hey := buildHey(t)
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("from\na file"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := newWitness(t)
	for _, args := range [][]string{
		{"-n", "20", "-c", "4", "/"},
		{"-n", "23", "-c", "5", "/not/a/multiple?of=c"},
		{"/the/defaults"},
		{"-n", "4", "-c", "2", "-q", "20", "/"},
		{"-n", "2", "-c", "1", "-m", "post", "-d", `{"a": 1}`, "-T", "application/json", "/"},
		{"-n", "2", "-c", "1", "-m", "PUT", "-D", body, "-d", "the file wins", "/"},
		{"-n", "2", "-c", "1", "-m", "DELETE", "/"},
		{"-n", "2", "-c", "1", "-m", "HEAD", "/"},
		{"-n", "2", "-c", "1", "-H", "X-One: 1", "-H", "x-two: a b", "-H", "Accept: text/html", "-A", "text/plain", "/"},
		{"-n", "2", "-c", "1", "-H", "X-Same: 1", "-H", "X-Same: 2", "-H", "Content-Type: a/b", "/"},
		{"-n", "2", "-c", "1", "-H", "User-Agent: mine", "/"},
		{"-n", "2", "-c", "1", "-U", "mine", "/"},
		{"-n", "2", "-c", "1", "-H", "Host: ignored.test", "/"},
		{"-n", "2", "-c", "1", "-host", "other.test", "/"},
		{"-n", "2", "-c", "1", "-H", "Range: bytes=0-1", "/"},
		{"-n", "2", "-c", "1", "-disable-compression", "/"},
		{"-n", "2", "-c", "1", "-H", "Accept-Encoding: br", "/"},
		{"-n", "4", "-c", "1", "-disable-keepalive", "/"},
		{"-n", "2", "-c", "1", "/redirect"},
		{"-n", "2", "-c", "1", "-m", "POST", "-d", "x", "/redirect"},
		{"-n", "2", "-c", "1", "-disable-redirects", "/redirect"},
		{"-n", "1", "-c", "1", "/loop"},
		{"-n", "2", "-c", "1", "-h2", "/"},
		{"-n", "2", "-c", "1", "-cpus", "1", "-t", "5", "-o", "csv", "/"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			args := slices.Clone(args)
			args[len(args)-1] = server.URL + args[len(args)-1]
			if out, err := exec.CommandContext(t.Context(), hey, args...).CombinedOutput(); err != nil {
				t.Fatalf("hey: %v\n%s", err, out)
			}
			want, wantConnections := server.take()
			// Some of these end in errors, which to hey is no matter.
			_ = Command(t.Context(), args, io.Discard, io.Discard)
			got, gotConnections := server.take()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the server saw (-of hey +of serin load):\n%s", diff)
			}
			if slices.Contains(args, "-disable-keepalive") && gotConnections != wantConnections {
				t.Errorf("%d connections, of hey %d", gotConnections, wantConnections)
			}
		})
	}
}

// hey's help says so, although its v0.1.5 does not send it.
func TestBasicAuthenticationIsSent(t *testing.T) {
	server := newWitness(t)
	if err := Command(t.Context(), []string{"-n", "1", "-c", "1", "-a", "user:pass:word", server.URL}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if seen, _ := server.take(); len(seen) != 1 || !strings.Contains(seen[0], "Authorization:[Basic dXNlcjpwYXNzOndvcmQ=]") {
		t.Errorf("the server saw %q", seen)
	}
}

func TestCSVHasHeysColumns(t *testing.T) {
	hey := buildHey(t)
	server := newWitness(t)
	args := []string{"-n", "6", "-c", "2", "-o", "csv", server.URL}
	theirs, err := exec.CommandContext(t.Context(), hey, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var ours strings.Builder
	if err := Command(context.Background(), args, &ours, io.Discard); err != nil {
		t.Fatal(err)
	}
	want, got := strings.Split(strings.TrimSpace(string(theirs)), "\n"), strings.Split(strings.TrimSpace(ours.String()), "\n")
	if got[0] != want[0] || len(got) != len(want) {
		t.Fatalf("%d lines with columns %s, want %d with %s", len(got), got[0], len(want), want[0])
	}
	for _, line := range got[1:] {
		fields := strings.Split(line, ",")
		if len(fields) != 8 || fields[6] != "200" || fields[0] == "0.0000" && fields[4] != "0.0000" {
			t.Errorf("line %q", line)
		}
	}
}

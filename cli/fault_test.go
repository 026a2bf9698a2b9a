package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// daemonServer is a daemon's API with its faults in memory.
type daemonServer struct {
	*httptest.Server
	mu     sync.Mutex
	faults map[string]*Fault
	tokens []string
	// breaks is how many connections break before one holds.
	breaks int
}

func newDaemonServer(t *testing.T) *daemonServer {
	t.Helper()
	s := &daemonServer{faults: make(map[string]*Fault)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/faults", s.add)
	mux.HandleFunc("GET /api/v1/faults", s.list)
	mux.HandleFunc("GET /api/v1/faults/{id}", s.one)
	mux.HandleFunc("DELETE /api/v1/faults/{id}", s.one)
	mux.HandleFunc("DELETE /api/v1/faults", s.endAll)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tokens = append(s.tokens, r.Header.Get("Authorization"))
		if s.breaks > 0 {
			s.breaks--
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *daemonServer) answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *daemonServer) add(w http.ResponseWriter, r *http.Request) {
	f := new(Fault)
	if err := json.NewDecoder(r.Body).Decode(f); err != nil || f.Name == "refused" {
		s.answer(w, 400, map[string]string{"error": "no such canary"})
		return
	}
	f.ID = fmt.Sprintf("f%d", len(s.faults)+1)
	s.faults[f.ID] = f
	s.answer(w, 201, f)
}

func (s *daemonServer) list(w http.ResponseWriter, r *http.Request) {
	faults := []Fault{}
	for _, f := range s.faults {
		if n := r.FormValue("namespace"); n == "" || n == f.Namespace {
			faults = append(faults, *f)
		}
	}
	s.answer(w, 200, map[string]any{"faults": faults})
}

func (s *daemonServer) one(w http.ResponseWriter, r *http.Request) {
	f, ok := s.faults[r.PathValue("id")]
	switch {
	case !ok:
		s.answer(w, 404, map[string]string{"error": "there is no such fault"})
	case r.Method == http.MethodDelete:
		delete(s.faults, f.ID)
		w.WriteHeader(http.StatusNoContent)
	default:
		f.Hits++
		s.answer(w, 200, f)
	}
}

func (s *daemonServer) endAll(w http.ResponseWriter, _ *http.Request) {
	n := len(s.faults)
	clear(s.faults)
	s.answer(w, 200, map[string]int{"ended": n})
}

// acting counts the faults.
func (s *daemonServer) acting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

func (s *daemonServer) daemon(t *testing.T) *Daemon {
	t.Helper()
	d, err := Reach(Access{Server: s.URL}, "test", nowhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func nowhere() (*Cluster, error) { return nil, errors.New("there is no cluster") }

func flags(edit func(*FaultFlags)) FaultFlags {
	f := FaultFlags{Target: "canary", Percent: 100, For: 5 * time.Minute}
	edit(&f)
	return f
}

func TestFlagsMakeAFault(t *testing.T) {
	for _, tc := range []struct {
		flags FaultFlags
		want  Fault
	}{
		{flags(func(f *FaultFlags) { f.Target, f.Percent, f.PathPrefix, f.Status = "both", 30, "/api", 503 }), Fault{Target: "both", Percent: 30, PathPrefix: "/api", Status: 503}},
		{flags(func(f *FaultFlags) { f.Delay, f.Reset = time.Second, true }), Fault{Delay: &Delay{Kind: "fixed", MS: 1000}, Reset: true}},
		{flags(func(f *FaultFlags) { f.Uniform = "100ms,2s" }), Fault{Delay: &Delay{Kind: "uniform", MinMS: 100, MaxMS: 2000}}},
		{flags(func(f *FaultFlags) { f.Normal = "500ms, 100ms" }), Fault{Delay: &Delay{Kind: "normal", MeanMS: 500, StddevMS: 100}}},
		{flags(func(f *FaultFlags) { f.Pareto = "100ms,1.5" }), Fault{Delay: &Delay{Kind: "pareto", ScaleMS: 100, Shape: 1.5}}},
		{flags(func(f *FaultFlags) { f.Bandwidth, f.Truncate = "10kB", true }), Fault{BandwidthBytesPerSecond: 10_000, Truncate: true}},
		{flags(func(f *FaultFlags) { f.Bandwidth, f.Timeout = "1MiB/s", true }), Fault{BandwidthBytesPerSecond: 1 << 20, Timeout: true}},
		{flags(func(f *FaultFlags) { f.Bandwidth = "512" }), Fault{BandwidthBytesPerSecond: 512}},
		{flags(func(f *FaultFlags) { f.Request = "/status/500" }), Fault{Request: &FaultRequest{Method: "GET", Path: "/status/500"}}},
		{flags(func(f *FaultFlags) { f.Request = "POST /panic" }), Fault{Request: &FaultRequest{Method: "POST", Path: "/panic"}}},
	} {
		want := tc.want
		want.Namespace, want.Name, want.Duration = "test", "podinfo", "5m0s"
		if want.Target == "" {
			want.Target, want.Percent = "canary", 100
		}
		got, err := tc.flags.Fault("test", "podinfo")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v\n%s", tc.flags, err, diff)
		}
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, edit := range map[string]func(*FaultFlags){
		"--target must be canary, primary or both":               func(f *FaultFlags) { f.Target = "all" },
		"--percent must be above 0 and at most 100, not 101":     func(f *FaultFlags) { f.Percent = 101 },
		"at most 100, not 0":                                     func(f *FaultFlags) { f.Percent = 0 },
		"at most 100, not NaN":                                   func(f *FaultFlags) { f.Percent = nan() },
		"--path must begin with /":                               func(f *FaultFlags) { f.PathPrefix = "api" },
		"--status must be from 200 to 599":                       func(f *FaultFlags) { f.Status = 99 },
		"--for must be longer than nothing":                      func(f *FaultFlags) { f.For = 0 },
		"--delay must not be negative":                           func(f *FaultFlags) { f.Delay = -1 },
		"two values with a comma":                                func(f *FaultFlags) { f.Uniform = "1s" },
		`"fast" is no duration`:                                  func(f *FaultFlags) { f.Uniform = "fast,1s" },
		`"-1s" is no duration`:                                   func(f *FaultFlags) { f.Normal = "1s,-1s" },
		"the second must not be less":                            func(f *FaultFlags) { f.Uniform = "2s,1s" },
		`"1s" is no shape`:                                       func(f *FaultFlags) { f.Pareto = "1s,1s" },
		`"NaN" is no shape`:                                      func(f *FaultFlags) { f.Pareto = "1s,NaN" },
		"give one of --delay, --delay-uniform":                   func(f *FaultFlags) { f.Delay, f.Uniform = 1, "1s,2s" },
		"--bandwidth must be bytes a second":                     func(f *FaultFlags) { f.Bandwidth = "slow" },
		"at least 1, not \"0\"":                                  func(f *FaultFlags) { f.Bandwidth = "0" },
		"not \"1e300GB\"":                                        func(f *FaultFlags) { f.Bandwidth = "1e300GB" },
		"--request must be a path":                               func(f *FaultFlags) { f.Request = "status" },
		"not \"get /\"":                                          func(f *FaultFlags) { f.Request = "get /" },
		"not \"GET / HTTP/1.1\"":                                 func(f *FaultFlags) { f.Request = "GET / HTTP/1.1" },
		"can only end in one way: give one of --status, --reset": func(f *FaultFlags) { f.Status, f.Reset = 500, true },
		"say what goes wrong":                                    func(*FaultFlags) {},
	} {
		_, err := flags(edit).Fault("test", "podinfo")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestFaultsBeginAreListedAndEnd(t *testing.T) {
	s := newDaemonServer(t)
	d := s.daemon(t)
	var out strings.Builder
	page := Screen{Out: &out}
	fault, err := flags(func(f *FaultFlags) { f.Status = 503 }).Fault("test", "podinfo")
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		do   func() error
		want string
	}{
		{func() error { return ListFaults(t.Context(), d, "test", "", "", page) }, "There are no faults."},
		{func() error { return ListFaults(t.Context(), d, "test", "", "json", page) }, `"faults": []`},
		{func() error { return AddFault(t.Context(), d, fault, "", &out) }, "fault f1 of test/podinfo began, for 5m0s: status 503 for 100 % of the requests to the canary revision"},
		{func() error { return AddFault(t.Context(), d, fault, "yaml", &out) }, "id: f2"},
		{func() error { return ListFaults(t.Context(), d, "test", "", "", page) }, "test/podinfo"},
		{func() error { return EndFaults(t.Context(), d, []string{"f1"}, &out) }, "fault f1 ended"},
		{func() error { return EndAllFaults(t.Context(), d, "test", "", &out) }, "1 faults ended"},
	}
	for _, step := range steps {
		out.Reset()
		if err := step.do(); err != nil || !strings.Contains(out.String(), step.want) {
			t.Errorf("%v, %q, want %q", err, out.String(), step.want)
		}
	}
	if err := EndFaults(t.Context(), d, []string{"f9"}, &out); err == nil || err.Error() != "end fault f9: the daemon answers 404: there is no such fault" {
		t.Errorf("got %v", err)
	}
	if err := AddFault(t.Context(), d, Fault{Name: "refused"}, "", &out); err == nil || err.Error() != "the daemon answers 400: no such canary" {
		t.Errorf("got %v", err)
	}
	if err := ListFaults(t.Context(), d, "", "", "xml", page); err == nil || err.Error() != `--output must be json or yaml, not "xml"` {
		t.Errorf("got %v", err)
	}
}

func TestConnectionThatBreaksIsMadeAnew(t *testing.T) {
	s := newDaemonServer(t)
	routes, ends := 0, 0
	d := newDaemon(func(context.Context) (string, func(), error) {
		routes++
		return s.URL, func() { ends++ }, nil
	}, "")
	s.breaks = 1
	if _, err := d.Faults(t.Context(), "", ""); err != nil || routes != 2 || ends != 1 {
		t.Errorf("%v, %d routes of which %d ended", err, routes, ends)
	}
	s.breaks = 1
	if _, err := d.Add(t.Context(), Fault{Name: "podinfo"}); err == nil || s.acting() != 0 {
		t.Errorf("a fault was asked for twice: %v", err)
	}
	d.Close()
	if ends != routes {
		t.Errorf("%d routes, of which %d ended", routes, ends)
	}
}

func TestAnswersOfStrangersAreErrors(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"the daemon answers 404: Not Found: is it a daemon that listens there?": http.NotFound,
		"the daemon answers 302: Found": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"understand the daemon's answer": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"the daemon answers 500: �[2J":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error": "\u001b[2J"}`, 500) },
	} {
		s := httptest.NewServer(answer)
		d, err := Reach(Access{Server: s.URL}, "test", nowhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Faults(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		s.Close()
	}
}

func TestTokenGoesOnlyWhereNobodyElseCanReadIt(t *testing.T) {
	configured := func() (*Cluster, error) { return &Cluster{Config: &rest.Config{BearerToken: "mine"}}, nil }
	for _, tc := range []struct {
		access Access
		token  string
		want   string // the error
	}{
		{Access{Server: "https://serin.example"}, "mine", ""},
		{Access{Server: "http://serin.example"}, "", ""},
		{Access{Server: "http://127.0.0.1:8080"}, "", ""},
		{Access{Server: "https://serin.example", Token: "given"}, "given", ""},
		{Access{Server: "http://127.0.0.1:8080/", Token: "given"}, "given", ""},
		{Access{Server: "http://[::1]:8080", Token: "given"}, "given", ""},
		{Access{Server: "http://localhost:8080", Token: "given"}, "given", ""},
		{Access{Server: "http://serin.example", Token: "given"}, "", "the token would be sent to serin.example for all to read"},
		{Access{Server: "http://10.0.0.1", Token: "given"}, "", "for all to read"},
		{Access{Server: "http://127.0.0.1.example", Token: "given"}, "", "for all to read"},
		{Access{Server: "http://serin.example", Token: "given", InsecureToken: true}, "given", ""},
		{Access{Server: "serin.example:8080"}, "", "--server must be a URL"},
		{Access{Server: "ftp://serin.example"}, "", "--server must be a URL"},
		{Access{Server: "http://me:secret@serin.example"}, "", "--server must be a URL"},
		{Access{Server: "http://serin.example/?a=b"}, "", "--server must be a URL"},
	} {
		d, err := Reach(tc.access, "test", configured)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v, want %q", tc.access, err, tc.want)
			}
			continue
		}
		if err != nil || d.token != tc.token {
			t.Errorf("%+v: %v, want token %q", tc.access, err, tc.token)
		}
	}
	s := newDaemonServer(t)
	d, err := Reach(Access{Server: s.URL, Token: "given"}, "test", nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Faults(t.Context(), "", ""); err != nil || s.tokens[0] != "Bearer given" {
		t.Errorf("%v, %q", err, s.tokens)
	}
}

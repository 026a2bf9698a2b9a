package load

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-dev/serin/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the command and returns what it wrote.
func run(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, progress strings.Builder
	err = Command(t.Context(), args, &out, &progress)
	if progress.Len() > 0 {
		t.Errorf("progress is shown where there is no terminal: %q", progress.String())
	}
	return out.String(), err
}

// every tenth request fails.
func flaky(t *testing.T) *httptest.Server {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(s.Close)
	return s
}

func TestJSONReport(t *testing.T) {
	server := flaky(t)
	out, err := run(t, "-rate", "200", "-n", "100", "-o", "json", "-fail-if", "success<80%", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Requests     int64              `json:"requests"`
		Errors       map[string]int64   `json:"errors"`
		Status       map[string]int64   `json:"status"`
		SuccessRate  float64            `json:"success_rate"`
		RateIntended float64            `json:"rate_intended"`
		RateAchieved float64            `json:"rate_achieved"`
		Latency      map[string]float64 `json:"latency_ms"`
		Service      map[string]float64 `json:"service_ms"`
		Lag          map[string]float64 `json:"lag_ms"`
		Limited      *bool              `json:"generator_limited"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Requests != 100 || got.SuccessRate != 0.9 || got.Status["200"] != 90 || got.Status["500"] != 10 || len(got.Errors) != 0 {
		t.Errorf("%+v, want 100 requests of which 10 failed", got)
	}
	if got.RateIntended != 200 || got.RateAchieved <= 0 || got.RateAchieved > 210 || got.Limited == nil {
		t.Errorf("rate %g of %g, limited %v", got.RateAchieved, got.RateIntended, got.Limited)
	}
	for _, latencies := range []map[string]float64{got.Latency, got.Service, got.Lag} {
		for _, name := range []string{"min", "mean", "p50", "p75", "p90", "p95", "p99", "p999", "p9999", "max"} {
			if _, ok := latencies[name]; !ok {
				t.Errorf("no %s in %v", name, latencies)
			}
		}
	}
}

func TestExitStatusSaysWhetherExpectationsHeld(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string // in the error; empty for none
	}{
		{[]string{"-fail-if", "success<80%"}, ""},
		{[]string{"-fail-if", "errors>50", "-fail-if", "p50>10s"}, ""},
		{nil, "2 of 20 requests were not as expected"},
		{[]string{"-fail-if", "p50>10s"}, "2 of 20 requests"},
		{[]string{"-fail-if", "success<95%"}, "fails by success<95%"},
		{[]string{"-fail-if", "p50>1ns", "-fail-if", "errors>5"}, "fails by p50>1ns"},
		{[]string{"-expect", "status=200,500"}, ""},
		{[]string{"-expect", "status=500-599"}, "18 of 20 requests"},
		{[]string{"-expect", "status=100-599", "-expect", "body=hello", "-expect", "header=Content-Type: text/plain"}, ""},
		{[]string{"-expect", "status=100-599", "-expect", "body=bye"}, "20 of 20 requests"},
		{[]string{"-expect", "status=100-599", "-expect", "header=X-Missing"}, "20 of 20 requests"},
	} {
		server := flaky(t)
		_, err := run(t, append(tc.args, "-n", "20", "-c", "1", server.URL)...)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
}

func TestNobodyThereIsAFailure(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	out, err := run(t, "-n", "5", "-c", "1", "-o", "json", server.URL)
	if err == nil || !strings.Contains(err.Error(), "5 of 5") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out, `"connect": 5`) {
		t.Errorf("report %s", out)
	}
}

// The end of the context, which is what Ctrl-C is, ends the load; what was
// measured is reported.
func TestInterruptedRunIsReported(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	var n atomic.Int64
	server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 20 {
			cancel()
		}
	})
	if err := Command(ctx, []string{"-rate", "100", "-z", "1h", server.URL}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "requests") {
		t.Errorf("report %q", out.String())
	}
}

func TestTwoURLsAreComparedInTheSameSeconds(t *testing.T) {
	fast, slow := httptest.NewServer(http.NotFoundHandler()), httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // what makes it slow
	}))
	defer fast.Close()
	defer slow.Close()
	dir := t.TempDir()
	log := filepath.Join(dir, "log.hlog")
	out, err := run(t, "-rate", "50", "-n", "20", "-o", "json", "-hdr", log, "-report", filepath.Join(dir, "r.html"), fast.URL+"/a", slow.URL+"/b")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Targets []struct {
			URL      string             `json:"url"`
			Requests int64              `json:"requests"`
			Latency  map[string]float64 `json:"latency_ms"`
		} `json:"targets"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Targets) != 2 || got.Targets[0].Requests != 20 || got.Targets[1].Requests != 20 || got.Targets[1].Latency["p50"] < 20 {
		t.Errorf("%+v", got)
	}
	page, err := os.ReadFile(filepath.Join(dir, "r.html"))
	if err != nil || !strings.Contains(string(page), slow.URL+"/b") {
		t.Errorf("page of %d bytes: %v", len(page), err)
	}
	sums := readLog(t, log)
	for _, tag := range []string{"1-response", "1-service", "1-lag", "2-response", "2-service", "2-lag"} {
		if sums[tag] == nil || sums[tag].Count() != 20 {
			t.Errorf("the log has %v under %s, want 20 values", sums[tag], tag)
		}
	}
}

// readLog adds up the intervals of a log by their tags.
func readLog(t *testing.T, name string) map[string]*measure.Histogram {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	sums := make(map[string]*measure.Histogram)
	for one, err := range measure.ReadLog(file) {
		if err != nil {
			t.Fatal(err)
		}
		if sums[one.Tag] == nil {
			sums[one.Tag] = new(measure.Histogram)
		}
		sums[one.Tag].Merge(one.Histogram)
	}
	return sums
}

func TestPictureIsWritten(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	name := filepath.Join(t.TempDir(), "r.svg")
	if _, err := run(t, "-n", "10", "-c", "1", "-report", name, server.URL); err != nil {
		t.Fatal(err)
	}
	if picture, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(picture), "<svg") && !strings.HasPrefix(string(picture), "<?xml") {
		t.Errorf("picture of %d bytes: %v", len(picture), err)
	}
}

func TestMistakesAreToldBeforeAnythingIsSent(t *testing.T) {
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	defer server.Close()
	missing := filepath.Join(t.TempDir(), "no", "such")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "a URL is needed"},
		{[]string{server.URL, "-n", "5"}, "must come before the URL"},
		{[]string{"ftp://h"}, "must start with"},
		{[]string{"http://"}, "has no host"},
		{[]string{"-c", "0", server.URL}, "-c must be positive"},
		{[]string{"-n", "0", server.URL}, "-n must be positive"},
		{[]string{"-n", "2", "-c", "3", server.URL}, "-n 2 must not be less than -c 3"},
		{[]string{"-rate", "0", server.URL}, "-rate: rate must be positive"},
		{[]string{"-rate", "NaN", server.URL}, "-rate: rate must be positive"},
		{[]string{"-rate", "1e9", server.URL}, "-rate: rate must be at most"},
		{[]string{"-rate", "10", "-q", "1", server.URL}, "not both"},
		{[]string{"-rate", "10", "-steps", "1x1s", server.URL}, "not both"},
		{[]string{"-ramp", "1s", server.URL}, "need -rate"},
		{[]string{"-rate", "10", "-ramp", "-1s", server.URL}, "-ramp must not be negative"},
		{[]string{"-rate", "10", "-arrivals", "random", server.URL}, "constant or poisson"},
		{[]string{"-rate", "10", "-arrivals", "poisson", "-ramp", "1s", server.URL}, "constant arrivals only"},
		{[]string{"-steps", "10", server.URL}, "must be a rate and a duration"},
		{[]string{"-steps", "10x", server.URL}, "must be a rate and a duration"},
		{[]string{"-steps", "-1x1s", server.URL}, "must be a rate and a duration"},
		{[]string{"-o", "xml", server.URL}, "-o must be"},
		{[]string{"-o", "csv", server.URL, server.URL}, "for one URL"},
		{[]string{"-h2", server.URL, "https://h"}, "-h2 is for https"},
		{[]string{"-disable-keepalive", "grpc://h"}, "one connection"},
		{[]string{"-expect", "speed", server.URL}, "must be status="},
		{[]string{"-expect", "status=ok", server.URL}, "must be a code"},
		{[]string{"-expect", "header=: x", server.URL}, "no name"},
		{[]string{"-fail-if", "slow", server.URL}, "must be a metric"},
		{[]string{"-report", "r.pdf", server.URL}, ".html or .svg"},
		{[]string{"-report", missing + ".svg", server.URL}, "-report: "},
		{[]string{"-hdr", missing, server.URL}, "-hdr: "},
		{[]string{"-D", missing, server.URL}, "-D: "},
		{[]string{"-cacert", missing, server.URL}, "-cacert: "},
		{[]string{"-cert", missing, server.URL}, "-cert and -key go together"},
		{[]string{"-protoset", missing, server.URL}, "-protoset: "},
		{[]string{"-connect-to", "nowhere", server.URL}, "host:port or unix:/path"},
		{[]string{"-x", "socks5://h", server.URL}, "proxy"},
		{[]string{"-H", "nonsense", server.URL}, "Name: value"},
		{[]string{"-bogus", server.URL}, "not defined"},
	} {
		_, err := run(t, tc.args...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want an error with %q", tc.args, err, tc.want)
		}
	}
	if seen.Load() > 0 {
		t.Errorf("%d requests were sent all the same", seen.Load())
	}
}

func flagNames() []string {
	var names []string
	new(options).flagSet().VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

func TestHelpNamesEveryFlag(t *testing.T) {
	out, err := run(t, "-h")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range flagNames() {
		if !slices.ContainsFunc(strings.Fields(out), func(w string) bool { return strings.Trim(w, ",") == "-"+name }) {
			t.Errorf("-%s is not in the help", name)
		}
	}
}

func TestStepsAndRamps(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, tc := range []struct {
		args []string
		want int
	}{
		{[]string{"-steps", "40x250ms,80x250ms"}, 30},
		{[]string{"-rate", "80", "-ramp", "250ms", "-z", "500ms"}, 30},
		{[]string{"-rate", "100", "-arrivals", "poisson", "-seed", "7", "-n", "30"}, 30},
	} {
		out, err := run(t, append(tc.args, "-o", "json", server.URL)...)
		if err != nil || !strings.Contains(out, fmt.Sprintf(`"requests": %d,`, tc.want)) {
			t.Errorf("%v: %v, want %d requests\n%s", tc.args, err, tc.want, out)
		}
	}
}

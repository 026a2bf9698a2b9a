package loadgen

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// plain are the headers that hey sends when it is not told otherwise.
func plain(more ...string) http.Header {
	h := http.Header{"Content-Type": {"text/html"}, "Accept-Encoding": {"gzip"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func TestParseHey(t *testing.T) {
	for _, tc := range []struct {
		command string
		want    Hey
	}{
		{
			"hey -z 1m -q 5 -c 2 http://podinfo.test",
			Hey{Rate: 10, Timeout: 20 * time.Second, Request: Request{Method: "GET", Path: "/", Header: plain()}},
		},
		{
			"/usr/local/bin/hey -z 1m -q 5 -c 2 http://podinfo.test/delay/1?x=y",
			Hey{Rate: 10, Timeout: 20 * time.Second, Request: Request{Method: "GET", Path: "/delay/1?x=y", Header: plain()}},
		},
		{
			`hey -n 100 -q 0.5 -c 4 -m post -d '{"a": 1}' -T application/json -H "X-Canary: 1" -H 'X-Two: b c' -t 3 -host other https://podinfo.test:8443/api`,
			Hey{Rate: 2, Timeout: 3 * time.Second, Request: Request{
				Method: "POST", Path: "/api", Body: []byte(`{"a": 1}`),
				Header: plain("Content-Type", "application/json", "X-Canary", "1", "X-Two", "b c"),
			}},
		},
		{
			"hey -h2 -disable-keepalive -disable-redirects -cpus 2 -o csv -A text/plain -U agent -a user:pass -H Host:x http://h/",
			Hey{Timeout: 20 * time.Second, DisableKeepAlive: true, Request: Request{
				Method: "GET", Path: "/",
				Header: plain("Accept", "text/plain", "User-Agent", "agent serin", "Authorization", "Basic dXNlcjpwYXNz"),
			}},
		},
		{
			"hey -disable-compression http://h",
			Hey{Timeout: 20 * time.Second, Request: Request{Method: "GET", Path: "/", Header: http.Header{"Content-Type": {"text/html"}}}},
		},
	} {
		got, err := ParseHey(tc.command)
		if err != nil {
			t.Errorf("ParseHey(%q): %v", tc.command, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("ParseHey(%q) (-want +got):\n%s", tc.command, diff)
		}
	}
}

func TestHeyCommandsThatCannotBeRepeatedAreRefused(t *testing.T) {
	for _, tc := range []struct{ command, want string }{
		{"", "does not call hey"},
		{"wrk -c 2 http://h", "does not call hey"},
		{"hey", "exactly one URL"},
		{"hey -z 1m", "exactly one URL"},
		{"hey http://h; rm -rf /", "exactly one URL"},
		{"hey http://h && true", "exactly one URL"},
		{"hey 'http://h", "nterminated"},
		{"hey -c 0 http://h", "-c must be positive"},
		{"hey -q -1 http://h", "-q times -c"},
		{"hey -q NaN http://h", "-q times -c"},
		{"hey -q 1e9 http://h", "-q times -c"},
		{"hey -t -1 http://h", "-t must not be negative"},
		{"hey -z soon http://h", "invalid value"},
		{"hey -D /etc/passwd http://h", "-D reads a file"},
		{"hey -x proxy:80 http://h", "-x (proxy)"},
		{"hey -c 1000000 http://h", "-c must be at most"},
		{"hey -z -1s http://h", "-z must not be negative"},
		{"hey -H nonsense http://h", "Name: value"},
		{"hey -a nopassword http://h", "user:password"},
		{"hey -what http://h", "not defined"},
		{"hey file:///etc/passwd", "http:// or https://"},
		{"hey http://", "http:// or https://"},
	} {
		_, err := ParseHey(tc.command)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("ParseHey(%q) = %v, want an error with %q", tc.command, err, tc.want)
		}
	}
}

// Whatever a Canary file says, the parser returns, and what it accepts makes a
// plan that can be run.
func FuzzParseHey(f *testing.F) {
	f.Add("hey -z 1m -q 5 -c 2 http://podinfo.test")
	f.Add(`hey -m POST -d '{"a":1}' -H "X: y" http://h/p?q`)
	f.Add("hey -m 'B D' http://h/%zz")
	f.Fuzz(func(t *testing.T, command string) {
		hey, err := ParseHey(command)
		if err != nil {
			return
		}
		if !(hey.Rate >= 0 && hey.Rate <= maxHeyRate) || hey.Timeout < 0 {
			t.Fatalf("rate %g, timeout %v", hey.Rate, hey.Timeout)
		}
		if !strings.HasPrefix(hey.Request.Path, "/") {
			t.Fatalf("path %q", hey.Request.Path)
		}
	})
}

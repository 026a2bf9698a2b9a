package loadtester

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func parsed(t *testing.T, command string) load {
	t.Helper()
	words, err := split(command)
	if err != nil {
		t.Fatal(err)
	}
	l, err := parse(words)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCommandsBecomeLoads(t *testing.T) {
	for command, want := range map[string]struct {
		url, host, method, path string
		closed                  bool
		rate                    float64
		duration, timeout       time.Duration
		n                       int64
		connections, redirects  int
	}{
		"hey -z 1m -q 5 -c 2 http://podinfo.test": {
			url: "http://podinfo.test", method: "GET", path: "/", closed: true, rate: 10, duration: time.Minute, timeout: 20 * time.Second, connections: 2, redirects: 9},
		"hey http://podinfo.test/a?b=c": {
			url: "http://podinfo.test/a?b=c", method: "GET", path: "/a?b=c", closed: true, rate: math.Inf(1), duration: time.Hour, timeout: 20 * time.Second, n: 200, connections: 50, redirects: 9},
		"hey -n 7 -c 2 -t 0 -m post -disable-redirects -host app.example.com http://gateway:80/x": {
			url: "http://gateway:80/x", host: "app.example.com", method: "POST", path: "/x", closed: true, rate: math.Inf(1), duration: time.Hour, timeout: time.Hour, n: 6, connections: 2},
		"hey -z 5s -t 9999999999999 http://podinfo.test": {
			url: "http://podinfo.test", method: "GET", path: "/", closed: true, rate: math.Inf(1), duration: 5 * time.Second, timeout: time.Hour, connections: 50, redirects: 9},
		"wrk http://podinfo.test/": {
			url: "http://podinfo.test/", method: "GET", path: "/", closed: true, rate: math.Inf(1), duration: 10 * time.Second, timeout: 2 * time.Second, connections: 10},
		"wrk -t12 -c 1k -d30s --latency --timeout 5 -H 'Host: podinfo.test' http://gateway/": {
			url: "http://gateway/", host: "podinfo.test", method: "GET", path: "/", closed: true, rate: math.Inf(1), duration: 30 * time.Second, timeout: 5 * time.Second, connections: 1000},
		"wrk -t2 -c100 -d1m -R2k -L http://podinfo.test/": {
			url: "http://podinfo.test/", method: "GET", path: "/", rate: 2000, duration: time.Minute, timeout: 2 * time.Second, connections: 100},
		"ghz -z 1m -q 10 -c 2 --insecure podinfo.test:9898": {
			url: "grpc://podinfo.test:9898", path: "/", rate: 10, duration: time.Minute, timeout: 20 * time.Second, connections: 2},
		"ghz --insecure --call helloworld.Greeter.SayHello -d '{\"name\":\"Joe\"}' -n 5 --rps=3 --authority a.test podinfo.test": {
			url: "grpc://podinfo.test", host: "a.test", path: "/helloworld.Greeter/SayHello", rate: 3, duration: time.Hour, timeout: 20 * time.Second, n: 5, connections: 50},
		"ghz podinfo.test:443": {
			url: "grpcs://podinfo.test:443", path: "/", closed: true, rate: math.Inf(1), duration: time.Hour, timeout: 20 * time.Second, n: 200, connections: 50},
	} {
		l := parsed(t, command)
		got := want
		got.url, got.host, got.method, got.path = l.url.String(), l.host, l.request.Method, l.request.Path
		got.closed, got.rate, got.duration, got.timeout = l.plan.Closed, l.rate, l.plan.Duration, l.plan.Timeout
		got.n, got.connections, got.redirects = l.plan.MaxRequests, l.plan.Connections, l.plan.MaxRedirects
		if got != want || !l.plan.RedirectsStay {
			t.Errorf("%s:\n got %+v\nwant %+v", command, got, want)
		}
	}
}

func TestHeadersAndBodiesAreTaken(t *testing.T) {
	l := parsed(t, `hey -H 'Cookie: a="$b"; c=d|e' -d '{"x": "a && b > c"}' -T application/json -a user:pass http://podinfo.test/`)
	if h := l.request.Header; h.Get("Cookie") != `a="$b"; c=d|e` || h.Get("Content-Type") != "application/json" || h.Get("Authorization") == "" || string(l.request.Body) != `{"x": "a && b > c"}` {
		t.Errorf("%+v", l.request)
	}
	l = parsed(t, `wrk -H "X-A: 1" --header 'X-B: 2' http://podinfo.test/`)
	if l.request.Header.Get("X-A") != "1" || l.request.Header.Get("X-B") != "2" {
		t.Errorf("%+v", l.request)
	}
	l = parsed(t, `ghz --insecure -m '{"x-a":"1"}' podinfo.test:80`)
	if l.request.Header.Get("x-a") != "1" {
		t.Errorf("%+v", l.request)
	}
	if !parsed(t, "hey -h2 https://podinfo.test/").plan.HTTP2 || parsed(t, "hey -h2 http://podinfo.test/").plan.HTTP2 {
		t.Error("-h2 is for TLS, as with hey")
	}
	if l := parsed(t, "ghz --skipTLS podinfo.test"); !l.plan.TLS.InsecureSkipVerify {
		t.Error("--skipTLS has no effect")
	}
}

func TestCommandsThatMeanNothingHereNameTheReason(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	for _, tc := range []struct {
		command string
		status  int
		says    string
	}{
		{"", 400, "there is no command"},
		{"  ", 400, "there is no command"},
		{"hey 'http://podinfo.test", 400, "cannot be taken apart"},
		{"hey http://podinfo.test/ | grep 200", 400, "this is not a shell: |"},
		{"hey http://podinfo.test/ && hey http://podinfo.test/", 400, "this is not a shell: &"},
		{"hey http://podinfo.test/ ; reboot", 400, "this is not a shell: ;"},
		{"hey http://podinfo.test/ > /dev/null", 400, "this is not a shell: >"},
		{"hey -D < /etc/passwd http://podinfo.test/", 400, "this is not a shell: <"},
		{"hey http://podinfo.test/?a=1&b=2", 400, "this is not a shell: &"},
		{"hey http://podinfo.test/`id`", 400, "this is not a shell: `"},
		{"hey \"http://podinfo.test/`id`\"", 400, "this is not a shell: `"},
		{"hey http://podinfo.test/$(id)", 400, "this is not a shell: $("},
		{"hey \"http://podinfo.test/$HOME\"", 400, "this is not a shell: $H"},
		{"hey http://podinfo.test/${IFS}x", 400, "this is not a shell: ${"},
		{"hey http://podinfo.test/\nreboot", 400, "this is not a shell: a line break"},
		{"curl http://podinfo.test/", 501, `"curl" is not run here`},
		{"sh -c 'hey http://podinfo.test/'", 501, `"sh" is not run here`},
		{"/bin/sh", 501, "is not run here"},
		{"../hey/../sh", 501, "is not run here"},
		{"sleep 1", 501, "--allow-exec"},

		{"hey", 400, "exactly one URL"},
		{"hey http://podinfo.test http://podinfo.test", 400, "exactly one URL"},
		{"hey podinfo.test", 400, "must start with http://"},
		{"hey file:///etc/passwd", 400, "must start with http://"},
		{"hey unix:///run/x", 400, "must start with http://"},
		{"hey -D /etc/passwd http://podinfo.test/", 400, "-D reads a file"},
		{"hey -x http://evil:80 http://podinfo.test/", 400, "-x (proxy)"},
		{"hey -q nope http://podinfo.test/", 400, "-q"},
		{"hey -q NaN http://podinfo.test/", 400, "-q times -c"},
		{"hey -c 0 http://podinfo.test/", 400, "-c must be positive"},
		{"hey -c 1001 -n 2000 http://podinfo.test/", 400, "-c may be 1000"},
		{"hey -n 3 -c 5 http://podinfo.test/", 400, "-n 3 must not be less than -c 5"},
		{"hey -n 0 -c 1 http://podinfo.test/", 400, "-n 0 must not be less"},
		{"hey -z 61m http://podinfo.test/", 400, "may last 1h0m0s at most"},
		{"hey -z -1s http://podinfo.test/", 400, "-z must not be negative"},
		{"hey -nope http://podinfo.test/", 400, "-nope"},
		{"hey -m 'GET /x HTTP/1.1' http://podinfo.test/", 400, "invalid method"},
		{"hey -m CONNECT http://podinfo.test/", 400, "CONNECT"},
		{"hey -H nonsense http://podinfo.test/", 400, "must be \"Name: value\""},
		{"hey -H 'X: a\rY: b' http://podinfo.test/", 400, "control characters"},
		{"hey -host 'podinfo.test/x' http://podinfo.test/", 400, "is no host"},
		{"hey -host 'a b' http://podinfo.test/", 400, "is no host"},
		{"hey http://user:password@podinfo.test/", 400, "has a user"},

		{"wrk -s script.lua http://podinfo.test/", 400, "-s runs a script"},
		{"wrk -t4 -c2 http://podinfo.test/", 400, "-c 2 must not be less than -t 4"},
		{"wrk -c 0 http://podinfo.test/", 400, "must be positive"},
		{"wrk -c 1M http://podinfo.test/", 400, "-c may be 1000"},
		{"wrk -c x http://podinfo.test/", 400, "is no number"},
		{"wrk -d forever http://podinfo.test/", 400, "is no duration"},
		{"wrk -d2h http://podinfo.test/", 400, "may last"},
		{"wrk -R 0 http://podinfo.test/", 400, "-R: rate must be positive"},
		{"wrk -H 'Bad Name: x' http://podinfo.test/", 400, "Name: value"},
		{"wrk --version", 400, "version"},
		{"wrk podinfo.test", 400, "http://"},

		{"ghz --insecure", 400, "exactly one host:port"},
		{"ghz --insecure http://podinfo.test/x", 400, "must be host:port"},
		{"ghz --insecure --config=/etc/passwd podinfo.test:80", 400, "config"},
		{"ghz --insecure -D /etc/passwd podinfo.test:80", 400, "D"},
		{"ghz --insecure --data-file x podinfo.test:80", 400, "data-file"},
		{"ghz --insecure --cacert x podinfo.test:80", 400, "cacert"},
		{"ghz --insecure -d '[{},{}]' podinfo.test:80", 400, "-d must be one message"},
		{"ghz --insecure -d '{\"a\":\"{{.RequestNumber}}\"}' podinfo.test:80", 400, "template"},
		{"ghz --insecure -d @ podinfo.test:80", 400, "-d must be one message"},
		{"ghz --insecure -m 'x=1' podinfo.test:80", 400, "-m must be"},
		{"ghz --insecure -m '{\"a b\":\"1\"}' podinfo.test:80", 400, "which is none"},
		{"ghz --insecure --call nope podinfo.test:80", 400, "package.Service/Method"},
		{"ghz --insecure --call a.B/c/d?x podinfo.test:80", 400, "package.Service/Method"},
		{"ghz --insecure -r -5 podinfo.test:80", 400, "--rps"},
		{"ghz --insecure -r 5 -q 5 podinfo.test:80", 400, "not both"},
		{"ghz --insecure -n 0 podinfo.test:80", 400, "-n must be positive"},
		{"ghz podinfo.test:80", 400, "without TLS"},
		{"hey https://podinfo.test/", 400, "write http://"},
	} {
		if status, answer := w.post("/", hook(tc.command)); status != tc.status || !strings.Contains(answer, jsonInner(tc.says)) {
			t.Errorf("%q: %d %s, want %d with %q", tc.command, status, answer, tc.status, tc.says)
		}
	}
	for kind, says := range map[string]string{"bash": "no shell", "helm": "--allow-exec", "helmv3": "--allow-exec", "kubectl": "--allow-exec", "concord": "not served", "ngrinder": "not served"} {
		if status, answer := w.post("/", hook("version", "type", kind)); status != 501 || !strings.Contains(answer, says) {
			t.Errorf("type %s: %d %s", kind, status, answer)
		}
	}
	for _, name := range []string{"returnCmdOutput", "logCmdOutput"} {
		if status, answer := w.post("/", hook("hey http://podinfo.test", name, "perhaps")); status != 400 || !strings.Contains(answer, name) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if len(w.asked) > 0 {
		t.Errorf("%d requests were sent", len(w.asked))
	}
}

// jsonInner is a text as it is in the JSON of an answer.
func jsonInner(s string) string {
	return strings.NewReplacer(`"`, `\"`, "&", `\u0026`, ">", `\u003e`, "<", `\u003c`).Replace(s)
}

func TestWhatOnlyLooksLikeAShellIsFine(t *testing.T) {
	for _, command := range []string{
		"hey 'http://podinfo.test/?a=1&b=2'", `hey "http://podinfo.test/?a=1&b=2;c|d"`, `hey http://podinfo.test/?a=1\&b=2`,
		"hey http://podinfo.test/*?a=[x]~!", "hey -d '$(id) `id` $HOME' http://podinfo.test/", "hey -d 'costs $5' http://podinfo.test/",
		"hey -z 1m \\\n -c 2 http://podinfo.test/\n", " \they http://podinfo.test/",
	} {
		if l := parsed(t, command); l.url.Host != "podinfo.test" {
			t.Errorf("%s: %+v", command, l)
		}
	}
}

// Whatever a command says, what becomes of it is bounded.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		"hey -z 1m -q 5 -c 2 -H 'A: b' http://podinfo.test/", "hey -n 5 -c 5 -t 0 -host x http://y/", "wrk -t12 -c 1k -d30s -R2k http://podinfo.test/",
		"ghz --insecure --call a.B/C -d '{}' -m '{\"a\":\"b\"}' -r 1 podinfo.test:80", "ghz -z 1m x", "hey -d \"$(x)\" http://y", "wrk -d 1e9 http://y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := split(command)
		if err != nil || !isLoad(words[0]) {
			return
		}
		l, err := parse(words)
		if err != nil {
			if !strings.HasPrefix(err.Error(), l.kind) {
				t.Errorf("%q: %v", command, err)
			}
			return
		}
		p := l.plan
		if p.Duration <= 0 || p.Duration > maxDuration || p.Timeout <= 0 || p.Timeout > maxDuration || p.Connections <= 0 || p.Connections > maxConnections ||
			p.Proxy != nil || !p.RedirectsStay || !(l.rate > 0) || l.url.Hostname() == "" || p.Validate() != nil {
			t.Errorf("%q: %+v", command, l)
		}
		if _, err := http.NewRequest(l.request.Method, "http://h"+l.request.Path, nil); err != nil && !strings.HasPrefix(l.url.Scheme, "grpc") {
			t.Errorf("%q: %v", command, err)
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(hook("hey http://podinfo.test/")))
	f.Add([]byte(`{"name":"a","namespace":"b","metadata":{"type":"bash"},"x":[[[]]]}`))
	f.Add([]byte("{\"name\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decode(body)
		if err == nil && (p.Name == "" || p.Namespace == "" || strings.ContainsAny(p.Name+p.Namespace, "/ \n\x00")) {
			t.Errorf("%q: %+v", body, p)
		}
	})
}

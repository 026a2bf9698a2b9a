package loadtester

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/egress/egresstest"
	"github.com/serin-dev/serin/daemon/hosts"
)

// loopback allows what these tests' servers listen on.
var loopback = egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}

// names allows 127.0.0.2, on which nobody listens, and knows two names: one on
// loopback, and one that is there from its second lookup.
func names() egress.Policy {
	return egress.Policy{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver: egresstest.Resolver(func(host string, lookup int) []string {
			switch {
			case host == "changing.ok.example" && lookup == 1:
				return []string{"127.0.0.2"}
			case host == "changing.ok.example", host == "inside.ok.example":
				return []string{"127.0.0.1"}
			}
			return nil
		}),
	}
}

// inside is a server on loopback that counts connections.
func inside(t *testing.T) (port string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, connections
}

// Even where AllowTargets names them: who named *.ok.example did not mean this.
func TestAllowedTargetsThatLeadToLoopbackAreRefused(t *testing.T) {
	port, connections := inside(t)
	w := newWorld(t, nil, func(c *Config) {
		c.AllowTargets, c.Egress = []string{"*.ok.example", "localhost", "127.0.0.1", "169.254.169.254"}, names()
	}).run()
	for command, want := range map[string]string{
		"hey -n 1 -c 1 http://inside.ok.example:" + port:              "refused to connect to 127.0.0.1:" + port + " (inside.ok.example): loopback addresses are not allowed for loads",
		"hey -n 1 -c 1 https://inside.ok.example/":                    "127.0.0.1:443 (inside.ok.example)",
		"wrk -t1 -c1 -d1 http://inside.ok.example:" + port:            "loopback addresses are not allowed for loads",
		"ghz --insecure -n 1 -c 1 inside.ok.example:" + port:          "loopback addresses are not allowed for loads",
		"hey -n 1 -c 1 http://127.0.0.1:" + port:                      "loopback addresses are not allowed for loads",
		"hey -n 1 -c 1 -host app.ok.example http://127.0.0.1:" + port: "loopback addresses are not allowed for loads",
		"hey -n 1 -c 1 http://localhost:" + port:                      "loopback addresses are not allowed for loads",
		"hey -n 1 -c 1 http://169.254.169.254/":                       "link-local addresses are not allowed for loads",
	} {
		if status, answer := w.post("/", hook(command)); status != http.StatusForbidden || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %q", command, status, answer, want)
		}
	}
	w.idle()
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A name that changes after the command was accepted is refused when it is dialed.
func TestLoadsToANameThatChangesEndAndSayWhy(t *testing.T) {
	port, connections := inside(t)
	for kind, command := range map[string]string{
		"hey": "hey -z 10m -q 10 -c 1 http://changing.ok.example:" + port,
		"wrk": "wrk -t1 -c1 -d10m http://changing.ok.example:" + port,
	} {
		w := newWorld(t, nil, func(c *Config) { c.AllowTargets, c.Egress = []string{"*.ok.example"}, names() }).run()
		w.load(command)
		want := "ended early: refused to connect to 127.0.0.1:" + port + " (changing.ok.example): loopback addresses are not allowed for loads"
		if w.ends(kind, resultFailed) != 1 || !strings.Contains(w.events(), "test/podinfo Warning") || !strings.Contains(w.events(), want) {
			t.Errorf("%s: told %q, want %q", kind, w.events(), want)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// What a place's name leads to is whoever's who may write Services there. The
// route dials for HTTP, and the engine for gRPC.
func TestPlacesThatLeadToLoopbackAreRefused(t *testing.T) {
	port, connections := inside(t)
	for _, command := range []string{"hey -z 10m -q 10 -c 1 http://podinfo.test/", "ghz --insecure -z 10m -q 10 -c 1 --call grpc.health.v1.Health/Check podinfo.test:80"} {
		w := newWorld(t, nil, nil)
		// As an ExternalName Service of that name would have it.
		w.move(func(p *hosts.Place) { p.Address = "localhost:" + port }, nil)
		w.run()
		w.load(command)
		if !strings.Contains(w.events(), "Warning") || !strings.Contains(w.events(), "loopback addresses are not allowed for loads") {
			t.Errorf("%s: told %q", command, w.events())
		}
		if results := w.results(v1beta1.SidePrimary); len(results) > 0 && results[0].OK {
			t.Errorf("%s: %+v", command, results[0])
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

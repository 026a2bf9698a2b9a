package load

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// As curl does: what is asked for goes through the proxy of the environment.
func TestProxyOfTheEnvironment(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "canary-podinfo.test" {
			asked.Add(1)
		}
	}))
	defer proxy.Close()
	direct := httptest.NewServer(http.NotFoundHandler())
	defer direct.Close()
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("no_proxy", "other.test")
	for _, tc := range []struct {
		args    []string
		through bool
	}{
		{[]string{"http://canary-podinfo.test/"}, true},
		{[]string{"http://canary-podinfo.test/a", "http://canary-podinfo.test/b"}, true},
		{[]string{direct.URL}, false}, // loopback
		{[]string{"-connect-to", direct.Listener.Addr().String(), "http://canary-podinfo.test/"}, false},
		{[]string{"-x", direct.URL, "http://canary-podinfo.test/"}, false},
	} {
		asked.Store(0)
		var remarks strings.Builder
		err := Command(t.Context(), append([]string{"-n", "4", "-c", "2"}, tc.args...), io.Discard, &remarks)
		if err != nil {
			t.Errorf("%v: %v", tc.args, err)
		}
		if through := asked.Load() > 0; through != tc.through || strings.Contains(remarks.String(), "through the proxy "+proxy.URL+", from $http_proxy") != tc.through {
			t.Errorf("%v: %d requests through the proxy, and %q", tc.args, asked.Load(), remarks.String())
		}
	}
	o, err := parse([]string{"http://other.test/"})
	if err != nil || o.environmentProxy() != nil {
		t.Errorf("$no_proxy does not count: %v", err)
	}
}

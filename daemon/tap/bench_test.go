package tap

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

// Whatever comes, nothing but the one host is asked for.
func FuzzProxy(f *testing.F) {
	for _, seed := range []string{
		"GET http://" + host + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST http://" + host + "/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"GET http://evil\t/ HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "GET http://a@" + host + "@b/ HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		proxy := New(Config{
			Find: func(_ context.Context, asked string) (hosts.Place, error) {
				if asked != host {
					return hosts.Place{}, hosts.ErrUnknown
				}
				return hosts.Place{Host: host, Address: "nowhere:1"}, nil
			},
			Record: func(hosts.Place, measure.Result) {},
			Wrap: func(hosts.Place, http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Host != host || r.URL.Host != "nowhere:1" {
						t.Errorf("%q asks %q at %q", raw, r.Host, r.URL.Host)
					}
					return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
				})
			},
			Log: slog.New(slog.DiscardHandler),
		})
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(raw))))
		if err != nil {
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), req)
	})
}

func BenchmarkProxied(b *testing.B) { benchmark(b, true) }

func BenchmarkDirect(b *testing.B) { benchmark(b, false) }

// benchmark reports the median of requests on a connection that is kept.
func benchmark(b *testing.B, proxied bool) {
	p := newTapped(b, func(http.ResponseWriter, *http.Request) {})
	direct := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer direct.Close()
	client, target := http.DefaultClient, direct.URL
	if proxied {
		client, target = p.client, "http://"+host+"/"
	}
	var took measure.Histogram
	for b.Loop() {
		begin := time.Now()
		resp, err := client.Get(target)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		took.Record(time.Since(begin))
		if proxied {
			<-p.recorded
		}
	}
	b.ReportMetric(float64(took.Quantile(0.5).Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(took.Quantile(0.99).Nanoseconds())/1e3, "p99-µs")
}

package loadgen

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/serin-dev/serin/measure"
)

// The answer of a target must not make Serin ask whom it likes.
func TestRedirectsStayWithTheTargetWhereThatIsAsked(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/away", http.StatusFound)
		}
	}))
	defer server.Close()
	for path, redirects := range map[string]int{"/away": 0, "/here": 1} {
		for _, transport := range []http.RoundTripper{nil, http.DefaultTransport} {
			var results []measure.Result
			plan := Plan{Closed: true, Connections: 1, MaxRequests: 1, MaxRedirects: 9, RedirectsStay: true, Requests: []Request{{Path: path}}}
			err := Run(t.Context(), plan, Target{
				URL: server.URL, Transport: transport, Recorder: measure.NewRecorder(),
				Each: func(d *Detail) { results = append(results, d.Result) },
			})
			if err != nil || len(results) != 1 || results[0].Outcome != measure.Status(302) || results[0].Redirects != redirects || !results[0].OK {
				t.Errorf("%s: %+v, %v", path, results, err)
			}
		}
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

type noting struct{ n int }

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	if Noted(r.Context()) == nil {
		n.n++
		Note(r.Context(), n.n)
	}
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
	if r.URL.Path == "/" {
		resp.StatusCode = http.StatusFound
		resp.Header.Set("Location", "/next")
	}
	return resp, nil
}

func TestTransportNotesWhatItDidWithARequest(t *testing.T) {
	var notes []any
	err := Run(t.Context(), Plan{Closed: true, Connections: 1, MaxRequests: 3, MaxRedirects: 1}, Target{
		URL: "http://nowhere", Transport: &noting{}, Recorder: measure.NewRecorder(),
		Each: func(d *Detail) {
			if d.Redirects != 1 {
				t.Errorf("%+v", d.Result)
			}
			notes = append(notes, d.Note())
		},
	})
	if err != nil || len(notes) != 3 || notes[0] != 1 || notes[2] != 3 {
		t.Errorf("noted %v, %v", notes, err)
	}
}

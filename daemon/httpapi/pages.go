package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/page"
)

func (s *Server) routePages(router *mux.Router) {
	get := func(path string, f func(http.ResponseWriter, *http.Request) error) {
		router.Handle(path, s.handle(f)).Methods(http.MethodGet, http.MethodHead)
	}
	get(page.OverviewPath, s.overviewPage)
	get(page.OverviewLivePath, s.overviewLive)
	get(onePath, s.canaryPage)
	get(onePath+"/live", s.canaryLive)
	get(page.StylePath, asset("text/css; charset=utf-8", page.Style()))
	get(page.ScriptPath, asset("text/javascript; charset=utf-8", page.Script()))
}

func asset(kind string, body []byte) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "max-age=60") // it changes with the daemon
		_, _ = w.Write(body)                          // the client may be gone
		return nil
	}
}

// write writes a page.
func (s *Server) write(w http.ResponseWriter, r *http.Request, text []byte) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", page.Policy)
	return s.deliver(w, r, text)
}

func (s *Server) overviewPage(w http.ResponseWriter, r *http.Request) error {
	overview, err := s.overview(r.Context())
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := page.WriteOverview(&text, overview); err != nil {
		return err
	}
	return s.write(w, r, text.Bytes())
}

func (s *Server) canaryPage(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	var reports []string
	if reports, err = s.reportIDs(r.Context(), keyOf(canary)); err != nil {
		s.Log.WarnContext(r.Context(), "reports cannot be listed", "canary", keyOf(canary).String(), "error", err)
	}
	var text bytes.Buffer
	s.show(canary, func(c *page.Canary) {
		c.Reports = links(canary, reports)
		err = page.WriteCanary(&text, c)
	})
	if err != nil {
		return err
	}
	return s.write(w, r, text.Bytes())
}

// links lead to the pages of rollouts that have ended.
func links(canary *v1beta1.Canary, reports []string) []page.Link {
	out := make([]page.Link, len(reports))
	for i, id := range reports {
		at, revision, _ := strings.Cut(id, ".")
		if began, err := time.Parse("20060102T150405Z", at); err == nil {
			at = began.Format("2 January 2006 15:04")
		}
		out[i] = page.Link{
			Href: fmt.Sprintf("/api/v1%s/reports/%s", page.Path(canary.Namespace, canary.Name), id),
			Text: fmt.Sprintf("%s, %s", revision, at),
		}
	}
	return out
}

// RenderReport returns the page of the rollout that a Canary's status is about,
// and false where this daemon knows nothing of it.
func (s *Server) RenderReport(canary *v1beta1.Canary) (text []byte, ok bool) {
	var b bytes.Buffer
	ok = s.show(canary, func(c *page.Canary) { _ = page.WriteReport(&b, c) }) // a buffer takes everything
	return b.Bytes(), ok
}

// writeReport writes a report as it is read. It has a policy in it too, for it is
// to be read wherever it is.
func writeReport(w http.ResponseWriter, text io.Reader) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", page.ReportPolicy)
	copyAnswer(w, text)
}

// freshReport is the compressed page of the rollout that runs or ran last, which
// all share who ask for it at the same time. It is nil where there is none.
func (s *Server) freshReport(canary *v1beta1.Canary) ([]byte, error) {
	return s.fresh.get(keyOf(canary).String(), func() ([]byte, error) {
		s.rendering.Lock() // as it takes many times the memory of the result
		defer s.rendering.Unlock()
		text, ok := s.RenderReport(canary)
		if !ok {
			return nil, nil
		}
		var compressed bytes.Buffer
		z := gzip.NewWriter(&compressed)
		_, err := z.Write(text)
		err = errors.Join(err, z.Close())
		return compressed.Bytes(), err
	})
}

// listTimeout bounds how long others wait for what one has asked for.
const listTimeout = 10 * time.Second

// reportIDs are the identifiers of a Canary's reports, for which much is read: all
// share them who ask at the same time.
func (s *Server) reportIDs(ctx context.Context, canary types.NamespacedName) ([]string, error) {
	return s.lists.get(canary.String(), func() ([]string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout) // it is for others too
		defer cancel()
		return s.Reports.List(ctx, canary)
	})
}

func (s *Server) overviewLive(w http.ResponseWriter, r *http.Request) error {
	return s.live(w, r, "overview", func(ctx context.Context) (page.Regions, error) {
		overview, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		return page.OverviewRegions(overview), nil
	})
}

func (s *Server) canaryLive(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	key := keyOf(canary)
	reports, err := s.reportIDs(r.Context(), key)
	if err != nil {
		return err
	}
	return s.live(w, r, "canary "+key.String(), func(ctx context.Context) (regions page.Regions, err error) {
		canary, err := s.read(ctx, key)
		if err != nil {
			return nil, err
		}
		s.show(canary, func(c *page.Canary) {
			c.Reports = links(canary, reports)
			regions = page.CanaryRegions(c)
		})
		return regions, nil
	})
}

// live sends what has changed of a page, once a second.
func (s *Server) live(w http.ResponseWriter, r *http.Request, key string, render func(context.Context) (page.Regions, error)) error {
	var sent page.Regions
	quiet := 0
	return s.send(w, r, func(ctx context.Context) ([]byte, error) {
		regions, err := s.pages.get(key, func() (page.Regions, error) { return render(context.WithoutCancel(ctx)) })
		if err != nil {
			return nil, err
		}
		event := regions.Changed(sent).Event()
		sent = regions
		if quiet++; event != nil {
			quiet = 0
		} else if quiet%5 == 0 {
			event = []byte(page.Alive)
		}
		return event, nil
	})
}

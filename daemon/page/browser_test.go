package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// site serves the pages as the daemon does, on loopback.
type site struct {
	*httptest.Server
	stream func(w http.ResponseWriter, r *http.Request) // of server-sent events
	posted chan string
}

func newSite(t *testing.T) *site {
	s := &site{posted: make(chan string, 8)}
	mux := http.NewServeMux()
	asset := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body)
		}
	}
	mux.HandleFunc(StylePath, asset("text/css; charset=utf-8", Style()))
	mux.HandleFunc(ScriptPath, asset("text/javascript; charset=utf-8", Script()))
	for name, write := range pages() {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if name != "report" && r.URL.RawQuery != "framed" {
				w.Header().Set("Content-Security-Policy", Policy)
			}
			_ = write(w)
		})
	}
	mux.HandleFunc("GET /frame/{width}/{name}", frameOf)
	mux.HandleFunc("POST /api/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.posted <- r.URL.Path + " for " + r.FormValue("for") + " accepts " + r.Header.Get("Accept")
		_, _ = io.WriteString(w, `{"message":"Paused: <b>shop</b>/podinfo"}`)
	})
	live := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if s.stream == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.stream(w, r)
	}
	mux.HandleFunc(OverviewLivePath, live)
	mux.HandleFunc("/canaries/{ns}/{name}/live", live)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// frameOf shows a page in a window that is narrower than chromium makes one, and
// says by how much the page is wider.
func frameOf(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<body style="margin:0"><iframe src="/%s?framed" style="border:0;width:%spx;height:2600px"></iframe>
<script>onload = () => {
  const root = document.querySelector('iframe').contentDocument.documentElement;
  document.body.dataset.over = 'over ' + (root.scrollWidth - root.clientWidth);
};</script>`, r.PathValue("name"), r.PathValue("width"))
}

// browse runs chromium once and returns what it prints, and its log.
func browse(t *testing.T, url string, flags ...string) (dom, log string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
		"--user-data-dir=" + t.TempDir(), "--disable-background-networking", "--disable-component-update", "--no-first-run",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
	}, flags...)
	cmd := exec.CommandContext(ctx, chromium, append(args, url)...)
	cmd.WaitDelay = 5 * time.Second
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, complaints.String())
	}
	return out.String(), complaints.String()
}

// Screenshots for people to look at:
// SERIN_SHOTS=/tmp/shots go test ./daemon/page -run Screenshots
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SERIN_SHOTS")
	if dir == "" {
		t.Skip("SERIN_SHOTS names no directory for screenshots")
	}
	s := newSite(t)
	s.stream = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, Alive)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name := range pages() {
		for _, scheme := range []string{"light", "dark"} {
			for width, path := range map[int]string{1440: "/", 800: "/", 360: "/frame/360/"} {
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
				flags := []string{"--screenshot=" + file, fmt.Sprintf("--window-size=%d,%d", max(width, 500), map[int]int{1440: 1900, 800: 2300, 360: 2600}[width]), "--timeout=1500"}
				if scheme == "dark" {
					flags = append(flags, "--blink-settings=preferredColorScheme=0")
				}
				browse(t, s.URL+path+name, flags...)
			}
		}
	}
}

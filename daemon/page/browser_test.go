package page

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// site serves the pages as the daemon does, on loopback.
type site struct {
	*httptest.Server
	stream func(w http.ResponseWriter, r *http.Request) // of server-sent events
	driver string                                       // a script that runs after the page's own
	until  string                                       // when the page is to be looked at, in JavaScript
	posted chan string
	seen   chan bool

	scriptless bool // the page's own script is not served
}

// live is when a page has heard from the daemon.
const live = "document.getElementById('link').dataset.state === 'live'"

func newSite(t *testing.T) *site {
	s := &site{posted: make(chan string, 8), seen: make(chan bool, 8), until: "true"}
	mux := http.NewServeMux()
	asset := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body)
		}
	}
	mux.HandleFunc(StylePath, asset("text/css; charset=utf-8", Style()))
	mux.HandleFunc(ScriptPath, func(w http.ResponseWriter, r *http.Request) {
		script := Script()
		if s.scriptless {
			script = nil
		}
		asset("text/javascript; charset=utf-8", append(script, s.driver+s.waiting()...))(w, r)
	})
	mux.HandleFunc("GET /hold", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.seen:
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		asset("image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`))(w, r)
	})
	mux.HandleFunc("GET /seen", func(http.ResponseWriter, *http.Request) { s.seen <- true })
	mux.HandleFunc("GET /forbidden", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", Policy)
		_, _ = io.WriteString(w, `<p style="color:red">x</p><img src="http://elsewhere.example/x.png">`)
	})
	for name, write := range everyPage() {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if !strings.HasSuffix(name, "report") && r.URL.RawQuery != "framed" {
				w.Header().Set("Content-Security-Policy", Policy)
			}
			_ = write(w)
		})
	}
	mux.HandleFunc("GET /frames", frames)
	mux.HandleFunc("POST /api/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.posted <- r.URL.Path + " for " + r.FormValue("for") + " accepts " + r.Header.Get("Accept")
		if r.Header.Get("Accept") != "application/json" {
			http.Redirect(w, r, "/untouched", http.StatusSeeOther)
			return
		}
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

// waiting keeps the page loading until it is as it is to be looked at: chromium
// prints it when it has loaded.
func (s *site) waiting() string {
	return `
document.body.append(Object.assign(new Image(), { src: '/hold' }));
const seen = setInterval(() => {
  if (!(` + s.until + `)) return;
  clearInterval(seen);
  fetch('/seen');
}, 20);`
}

// frames shows pages in windows that are narrower than chromium makes one, and
// says by how much each is wider than its window.
func frames(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<body style="margin:0">`)
	for _, name := range r.URL.Query()["page"] {
		for _, width := range r.URL.Query()["width"] {
			_, _ = fmt.Fprintf(w, `<iframe src="/%s?framed" title="%s at %s" style="border:0;display:block;width:%spx;height:2600px"></iframe>`, name, name, width, width)
		}
	}
	_, _ = io.WriteString(w, `<script>onload = () => {
  for (const frame of document.querySelectorAll('iframe')) {
    const root = frame.contentDocument.documentElement;
    frame.dataset.over = root.scrollWidth - root.clientWidth;
    frame.dataset.by = [...root.querySelectorAll('main, main *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth)
      .map((e) => e.tagName + '.' + (e.getAttribute('class') || e.id)).slice(0, 5).join(' ');
  }
};</script>`)
}

// browse runs chromium once and returns what it prints, what it complains about,
// and which other hosts it asked for.
func browse(t *testing.T, address string, flags ...string) (dom, complaints string, asked []string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	var mu sync.Mutex // guards asked
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !ownBusiness.MatchString(r.Host) {
			asked = append(asked, r.Host)
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
		"--user-data-dir=" + t.TempDir(), "--disable-background-networking", "--disable-component-update",
		"--no-first-run", "--disable-sync", "--proxy-server=" + proxy.URL,
	}, flags...)
	cmd := exec.CommandContext(ctx, chromium, append(args, address)...)
	cmd.WaitDelay = 5 * time.Second
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, log.String())
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			complaints += line
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return out.String(), complaints, slices.Clone(asked)
}

// ownBusiness are the hosts that the browser asks for by itself.
var ownBusiness = regexp.MustCompile(`(^|\.)(google|googleapis|gvt1|gstatic)\.com(:\d+)?$`)

// hold sends an event and keeps the stream open.
func hold(event []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(event)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// The other tests here prove something only if this one does.
func TestBrowserTellsOfWhatIsForbidden(t *testing.T) {
	_, complaints, _ := browse(t, newSite(t).URL+"/forbidden", "--dump-dom")
	for _, want := range []string{"style", "elsewhere.example"} {
		if !strings.Contains(complaints, want) {
			t.Errorf("chromium does not complain about %s: %q", want, complaints)
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "x.html")
	if err := os.WriteFile(elsewhere, []byte(`<img src="http://elsewhere.example/x.png">`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, asked := browse(t, "file://"+elsewhere, "--dump-dom"); len(asked) != 1 || asked[0] != "elsewhere.example" {
		t.Errorf("the proxy heard of %v, want elsewhere.example", asked)
	}
}

func TestPagesObeyTheirPolicyAndAskNobodyElse(t *testing.T) {
	s := newSite(t)
	s.stream, s.until = hold([]byte(Alive)), live
	for name := range pages() {
		dom, complaints, asked := browse(t, s.URL+"/"+name, "--dump-dom")
		if complaints != "" || len(asked) > 0 {
			t.Errorf("%s asks for %v and has chromium complain: %s", name, asked, complaints)
		}
		if name != "report" && !strings.Contains(dom, ">Live</p>") {
			t.Errorf("%s is not live: %.2000s", name, dom)
		}
	}
}

func TestReportOpensFromDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(render(t, pages()["report"])), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, complaints, asked := browse(t, "file://"+file, "--dump-dom"); complaints != "" || len(asked) > 0 {
		t.Errorf("the report asks for %v and has chromium complain: %s", asked, complaints)
	}
}

// While it changes, a page leaves the reader where the reader is.
func TestNewsReachThePageAndLeaveTheReaderAlone(t *testing.T) {
	s := newSite(t)
	c := progressing()
	c.Traffic, c.Message = []Share{{"podinfo-00007", 60}, {"podinfo-00008", 40}}, "40 percent <b>now</b>"
	c.Commands[2].Label = "Abort it"
	s.stream, s.until = hold(CanaryRegions(c).Event()), "document.body.dataset.result"
	s.driver = `
const before = document.querySelector('#measured table');
document.getElementById('ask-abort').open = true;
document.getElementById('sum-abort').focus();
scrollTo(0, 300);
new MutationObserver(() => setTimeout(() => document.body.dataset.result = JSON.stringify({
  focus: document.activeElement.id, open: document.getElementById('ask-abort').open, scroll: scrollY,
  same: before === document.querySelector('#measured table'),
}))).observe(document.getElementById('commands'), { childList: true });`
	dom, complaints, _ := browse(t, s.URL+"/progressing", "--dump-dom", "--window-size=1000,500")
	for _, want := range []string{
		"40 percent &lt;b&gt;now&lt;/b&gt;", "Abort it", ">40%<", ">Live</p>",
		`data-result="{&quot;focus&quot;:&quot;sum-abort&quot;,&quot;open&quot;:true,&quot;scroll&quot;:300,&quot;same&quot;:true}"`,
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("after the news, the page has no %s", want)
		}
	}
	if complaints != "" {
		t.Error(complaints)
	}
	if t.Failed() {
		t.Logf("%.3000s", dom)
	}
}

func TestOverviewTakesNews(t *testing.T) {
	s := newSite(t)
	o := overview()
	o.Canaries[1].Phase = "Succeeded"
	o.Canaries = append(o.Canaries, Row{Namespace: "new", Name: "newcomer", Phase: "Initializing"})
	s.stream, s.until = hold(OverviewRegions(o).Event()), live
	for _, from := range []string{"overview", "none"} {
		dom, complaints, _ := browse(t, s.URL+"/"+from, "--dump-dom")
		for _, want := range []string{"11 Canaries in all namespaces: 4 need attention, 3 rollouts are under way.", ">newcomer</a>", "<title id=\"title\">(4 need attention) Serin</title>"} {
			if !strings.Contains(dom, want) {
				t.Errorf("%s: after the news, the page has no %s", from, want)
			}
		}
		if strings.Contains(dom, "There is no Canary yet") || complaints != "" {
			t.Errorf("%s still says that there is none, or complains: %s", from, complaints)
		}
	}
}

func TestPageThatIsNoLongerLiveSaysSo(t *testing.T) {
	s := newSite(t)
	s.until = "document.getElementById('link').dataset.state === 'broken'"
	for what, tc := range map[string]struct {
		stream http.HandlerFunc
		want   string
	}{
		"the Canary is gone":  {nil, "Not live: the daemon ended it. Reload."},
		"the daemon is gone":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, Alive) }, "Not live: trying to reach the daemon. Last news at "},
		"it fails altogether": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "Not live: the daemon ended it. Reload."},
	} {
		s.stream = tc.stream
		if dom, _, _ := browse(t, s.URL+"/progressing", "--dump-dom"); !strings.Contains(dom, tc.want) {
			t.Errorf("%s: the page does not say %q", what, tc.want)
		}
	}
}

func TestCommandsAreGivenWithoutLeavingThePage(t *testing.T) {
	s := newSite(t)
	s.stream, s.until = hold([]byte(Alive)), live
	s.until = "document.getElementById('said').textContent.startsWith('Paused')"
	s.driver = `
const button = document.getElementById('do-pause');
button.click();
button.click();
` // a second time, by a nervous finger
	dom, complaints, _ := browse(t, s.URL+"/progressing", "--dump-dom")
	if want := "Paused: &lt;b&gt;shop&lt;/b&gt;/podinfo</p>"; !strings.Contains(dom, want) || complaints != "" {
		t.Errorf("the page does not say %q, or complains: %s", want, complaints)
	}
	if got, want := <-s.posted, "/api/v1/canaries/shop/podinfo/pause for podinfo-00008 accepts application/json"; got != want {
		t.Errorf("the page posted %q, want %q", got, want)
	}
	if len(s.posted) > 0 {
		t.Errorf("the page posted twice: %q", <-s.posted)
	}
}

// Without the page's own script, a button is what HTML makes of it.
func TestCommandsAreGivenWithoutJavaScript(t *testing.T) {
	s := newSite(t)
	s.scriptless, s.until = true, "document.title.startsWith('Initialized')"
	s.driver = `document.getElementById('do-pause')?.click();`
	dom, complaints, _ := browse(t, s.URL+"/progressing", "--dump-dom")
	if !strings.Contains(dom, "Reload for news.") || complaints != "" {
		t.Errorf("the answer leads to no page, or chromium complains: %s", complaints)
	}
	if got := <-s.posted; !strings.HasPrefix(got, "/api/v1/canaries/shop/podinfo/pause for podinfo-00008 accepts text/html") {
		t.Errorf("the page posted %q", got)
	}
}

// From a telephone to a desk, nobody scrolls sideways, whatever things are
// called.
func TestNoPageIsWiderThanItsWindow(t *testing.T) {
	s := newSite(t)
	widths := []string{"360", "480", "600", "900", "1100", "1600"}
	query := url.Values{"page": slices.Collect(maps.Keys(everyPage())), "width": widths}
	dom, _, _ := browse(t, s.URL+"/frames?"+query.Encode(), "--dump-dom", "--window-size=1700,1000")
	seen := overPattern.FindAllStringSubmatch(dom, -1)
	if want := len(everyPage()) * len(widths); len(seen) != want {
		t.Fatalf("chromium measured %d pages, want %d", len(seen), want)
	}
	for _, page := range seen {
		if page[2] != "0" {
			t.Errorf("%s is %s pixels wider than its window, by %s", page[1], page[2], page[3])
		}
	}
}

var overPattern = regexp.MustCompile(`title="([^"]*)"[^>]* data-over="(-?\d+)" data-by="([^"]*)"`)

// everyPage are the pages with realistic and with hostile content.
func everyPage() map[string]func(io.Writer) error {
	all := maps.Clone(pages())
	for name, write := range hostilePages() {
		all["hostile-"+name] = write
	}
	return all
}

var shots = flag.String("shots", "", "write screenshots into this directory, for people to look at")

// go test ./daemon/page -run Screenshots -shots /tmp/shots
func TestScreenshots(t *testing.T) {
	if *shots == "" {
		return // nobody wants to look
	}
	s := newSite(t)
	s.stream, s.until = hold([]byte(Alive)), live
	for name := range pages() {
		s.driver = ""
		if name == "waiting" {
			s.driver = `document.getElementById('ask-abort').open = true;`
		}
		for _, scheme := range []string{"light", "dark"} {
			for width, path := range map[int]string{1440: "/", 800: "/", 360: "/frames?width=360&page="} {
				file := filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
				flags := []string{"--screenshot=" + file, fmt.Sprintf("--window-size=%d,%d", max(width, 500), map[int]int{1440: 2300, 800: 2700, 360: 2600}[width])}
				if scheme == "dark" {
					flags = append(flags, "--blink-settings=preferredColorScheme=0")
				}
				browse(t, s.URL+path+name, flags...)
			}
		}
	}
}

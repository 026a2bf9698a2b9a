package page

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/report"
)

// hostile has it all: markup, quotes, the ends of what it may stand in, controls
// that turn text around, lines, bytes that are no text.
const hostile = `"'><script>alert(1)</script><!--]]></style></title></textarea><img src=x onerror=alert(1)>` +
	"\u202etxt.exe\u2066\u200b\ufeff\x00\x1b[2J\xff\r\n\u2028data: {}"

// hostileCanary has it wherever text comes from outside.
func hostileCanary() *Canary {
	h := hostile
	c := progressing()
	c.Row = Row{Namespace: h, Name: h, Service: h + "2", Phase: h, Stage: h, Strategy: h, Weight: -7, FailedChecks: 3, Threshold: 1,
		PrimaryRevision: h, CanaryRevision: h + "2", Verdict: h, Message: h, WaitingFor: h, Since: began,
		Traffic: []Share{{h, -7}, {h + "2", 107}}, Wanted: []Share{{h, 100}}, NotApplied: h, NotAppliedSince: began}
	c.Version, c.Plan, c.Said = h, h, h
	c.Checks = []Check{{began, 1, 400, h, []Metric{{h, "pass", h, h}, {h, h, "", ""}}}}
	c.Events = []Event{{began, h, h, 2}, {began, "Warning", h, 1}}
	c.Faults = []Fault{{h, h, time.Time{}, 1}}
	c.Commands = []Command{{h, h, h, h}, {h + "2", h, "", h}}
	c.Reports = []Link{{"/" + h, h}, {"javascript:alert(1)", h}, {"//" + h, h}, {`/\` + h, h}, {"", h}}
	c.Load.Targets = slices.Clone(c.Load.Targets)
	for i := range c.Load.Targets {
		c.Load.Targets[i].Name, c.Load.Targets[i].Label = h, h
	}
	return c
}

func hostilePages() map[string]func(io.Writer) error {
	c := hostileCanary()
	o := &Overview{Version: hostile, Namespaces: hostile, Canaries: []Row{c.Row}, Now: began}
	return map[string]func(io.Writer) error{
		"overview": func(w io.Writer) error { return WriteOverview(w, o) },
		"none":     func(w io.Writer) error { return WriteOverview(w, &Overview{Version: hostile, Namespaces: hostile}) },
		"canary":   func(w io.Writer) error { return WriteCanary(w, c) },
		"report":   func(w io.Writer) error { return WriteReport(w, c) },
	}
}

func TestTextFromOutsideStaysText(t *testing.T) {
	for name, write := range hostilePages() {
		got := render(t, write)
		for _, no := range []string{"<img", "<!--", "onerror=alert(1)>", "</textarea", "\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b", "\u2028", "javascript:", `href="//`, `href="/\`} {
			if strings.Contains(got, no) {
				t.Errorf("%s has %q", name, no)
			}
		}
		scripts := strings.Count(got, "<script")
		if want := map[bool]int{true: 0, false: 1}[name == "report"]; scripts != want {
			t.Errorf("%s has %d scripts, want %d", name, scripts, want)
		}
		if n := strings.Count(got, "</title>"); n != 1 {
			t.Errorf("%s ends its title %d times", name, n)
		}
	}
}

var (
	tagPattern  = regexp.MustCompile(`<(/?)([a-z0-9]+)((?:[^"'>]|"[^"]*"|'[^']*')*?)(/?)>`)
	attrPattern = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	noEnd       = map[string]bool{"meta": true, "link": true, "input": true}
)

// checkMarkup follows the elements from the first to the last: each ends where it
// should, no id is there twice, and what an attribute refers to is there.
func checkMarkup(t *testing.T, page, html string) (attributes map[string][]string) {
	t.Helper()
	html = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(html, "")
	var open []string
	attributes = map[string][]string{}
	ids := map[string]bool{}
	for _, tag := range tagPattern.FindAllStringSubmatch(html, -1) {
		element, rest := tag[2], tag[3]
		switch {
		case tag[1] == "/":
			if len(open) == 0 || open[len(open)-1] != element {
				t.Fatalf("%s: </%s> ends %v", page, element, open)
			}
			open = open[:len(open)-1]
		case tag[4] == "" && !noEnd[element]:
			open = append(open, element)
		}
		for _, a := range attrPattern.FindAllStringSubmatch(rest, -1) {
			attributes[a[1]] = append(attributes[a[1]], a[2])
			if a[1] == "id" {
				if ids[a[2]] {
					t.Errorf("%s: the id %q is there twice", page, a[2])
				}
				ids[a[2]] = true
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("%s does not end %v", page, open)
	}
	return attributes
}

func TestPagesAreWellFormed(t *testing.T) {
	for name, write := range pages() {
		got := render(t, write)
		attributes := checkMarkup(t, name, got)
		for attr := range attributes {
			if attr == "style" || strings.HasPrefix(attr, "on") {
				t.Errorf("%s has an attribute %s, which the policy forbids", name, attr)
			}
		}
		for _, href := range append(attributes["href"], attributes["src"]...) {
			if !strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "#") && !strings.HasPrefix(href, "data:") {
				t.Errorf("%s refers to %s", name, href)
			}
		}
		for _, want := range []string{`<html lang="en">`, "<h1>", `<main id="main"`, "<title"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%s has %d of %s, want one", name, strings.Count(got, want), want)
			}
		}
		if strings.Contains(got, "%!") || strings.Contains(got, "NaN") {
			t.Errorf("%s has a slip of the pen", name)
		}
	}
	for name, write := range hostilePages() {
		for attr := range checkMarkup(t, "hostile "+name, render(t, write)) {
			if attr == "style" || attr == "onerror" {
				t.Errorf("hostile %s got an attribute %s in", name, attr)
			}
		}
	}
}

// The report is sent by mail and opened from a disk.
func TestReportNeedsNothingElse(t *testing.T) {
	got := render(t, pages()["report"])
	for _, no := range []string{"<script", "<form", "<button", "<a ", "<link rel=\"stylesheet\"", "@import", "url(", "src=", "data-live"} {
		if strings.Contains(got, no) {
			t.Errorf("the report has %s", no)
		}
	}
	many := failed()
	for range 30 {
		many.Checks = append(many.Checks, many.Checks[0])
		many.Events = append(many.Events, many.Events[0])
	}
	got = render(t, func(w io.Writer) error { return WriteReport(w, many) })
	if n := strings.Count(got, "<h3>Check"); n != 31 || strings.Contains(got, "<details") {
		t.Errorf("the report has %d checks, want all 31 and none folded away", n)
	}
}

func TestThoseThatNeedSomebodyComeFirst(t *testing.T) {
	got := render(t, pages()["overview"])
	last := -1
	for _, name := range []string{"Needs attention", "checkout", "ledger", "upload", "search", "invoices", "Under way", "thumbnails", "podinfo", "At rest", "transcode", "basket", "fx-rates"} {
		at := strings.Index(got, ">"+name)
		if at < last {
			t.Errorf("%s comes too early", name)
		}
		last = at
	}
	if want := "10 Canaries in all namespaces: 5 need attention, 2 rollouts are under way."; !strings.Contains(got, want) {
		t.Errorf("the overview does not say %q", want)
	}
}

// Whoever sees no colours has the word and the shape.
func TestEveryStateHasAWord(t *testing.T) {
	for _, r := range rows() {
		got := string(r.state())
		if r.phase() == "" || !strings.Contains(got, r.phase()) || !strings.Contains(got, `aria-hidden="true"`) {
			t.Errorf("%s is shown as %s", r.Name, got)
		}
	}
	for phase, want := range map[string]string{"": "New", "Failed": "Failed", "Progressing": "Progressing", "Unheard": "Unheard"} {
		if got := (&Row{Phase: phase}).phase(); got != want {
			t.Errorf("phase %q is %q, want %q", phase, got, want)
		}
	}
}

func TestEmptyPagesSayWhatToDo(t *testing.T) {
	for page, wants := range map[string][]string{
		"none":      {"There is no Canary yet", "kubectl apply", "watches namespace shop"},
		"untouched": {"There was no rollout yet", "revisions are measured during a rollout"},
		"refused":   {"set a step of at most 20", "Nothing is done until the Canary is corrected"},
		"waiting":   {"started anew during this rollout", "14:01:03", "Approve the promotion"},
	} {
		got := render(t, pages()[page])
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
	back := progressing()
	back.Load, back.Stage = report.Run{}, "RollingBack"
	got := render(t, func(w io.Writer) error { return WriteCanary(w, back) })
	if want := "Nothing: no request of this rollout was measured"; !strings.Contains(got, want) || strings.Contains(got, "the load begins") {
		t.Errorf("a rollback by hand does not say %q, or promises load", want)
	}
	var none Canary
	if err := WriteCanary(io.Discard, &none); err != nil {
		t.Error(err)
	}
	if err := WriteReport(io.Discard, &none); err != nil {
		t.Error(err)
	}
}

func TestCommandsAreFormsThatSayWhatWasSeen(t *testing.T) {
	got := render(t, pages()["progressing"])
	for _, want := range []string{
		`<form method="post" action="/api/v1/canaries/shop/podinfo/pause"><input type="hidden" name="for" value="podinfo-00008"><button id="do-pause">Pause</button></form>`,
		`<details class="ask" id="ask-abort"><summary id="sum-abort">Abort</summary>`,
		`<details class="ask" id="ask-rollback"><summary id="sum-rollback">Roll back</summary>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Index(got, `id="ask-promote"`) > strings.Index(got, `action="/api/v1/canaries/shop/podinfo/promote"`) {
		t.Error("a promotion is not asked about first")
	}
}

// What is sent live is what a reload would show.
func TestRegionsAreThePage(t *testing.T) {
	c, o := progressing(), overview()
	for _, tc := range []struct {
		page    string
		regions Regions
	}{{render(t, pages()["progressing"]), CanaryRegions(c)}, {render(t, pages()["overview"]), OverviewRegions(o)}} {
		for id, html := range tc.regions {
			if !strings.Contains(tc.page, `id="`+id+`"`) || !strings.Contains(tc.page, html) {
				t.Errorf("the page has no region %s as it is sent", id)
			}
		}
	}
}

func TestOnlyWhatChangedIsSentInOneLine(t *testing.T) {
	before := CanaryRegions(progressing())
	c := progressing()
	c.Now = c.Now.Add(time.Second)
	if event := CanaryRegions(c).Changed(before).Event(); event != nil {
		t.Errorf("a second in which nothing happened sends %.200s", event)
	}
	c.Traffic, c.Message = []Share{{"podinfo-00007", 60}, {"podinfo-00008", 40}}, hostile
	changed := CanaryRegions(c).Changed(before)
	if len(changed) != 2 || changed["says"] == "" || changed["facts"] == "" {
		t.Errorf("another division and message send %d regions, want says and facts", len(changed))
	}
	event := string(changed.Event())
	data, ok := strings.CutPrefix(event, "data: ")
	data, ok2 := strings.CutSuffix(data, "\n\n")
	if !ok || !ok2 || strings.ContainsAny(data, "\r\n") {
		t.Fatalf("the event is not one line of data: %q", event)
	}
	var back Regions
	if err := json.Unmarshal([]byte(data), &back); err != nil || back["says"] != changed["says"] {
		t.Errorf("the event does not hold what changed: %v", err)
	}
}

func TestAddressesOfStrangeNamesStayOnThisPath(t *testing.T) {
	for name, want := range map[string]string{
		"podinfo": "/api/v1/canaries/shop/podinfo/abort",
		"../x?#%": "/api/v1/canaries/shop/..%2Fx%3F%23%25/abort",
	} {
		if got := CommandPath("shop", name, "abort"); got != want {
			t.Errorf("the address of %q is %s, want %s", name, got, want)
		}
	}
}

func TestTimeIsToldInOneUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 59 * time.Second: "just now", 90 * time.Second: "1 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days",
	} {
		if got := ago(began, began.Add(d)); got != want {
			t.Errorf("%v ago is %q, want %q", d, got, want)
		}
	}
	if got := clock(began, began.Add(24*time.Hour)); got != "4 Mar 14:01:03" {
		t.Errorf("yesterday is %q", got)
	}
	if got := render(t, pages()["report"]); !strings.Contains(got, ">4 Mar 2026 14:00:57</time>") {
		t.Error("the report does not say of which day it is")
	}
}

// The text is legible in both schemes: WCAG 2.2 asks for 4.5 to 1.
func TestContrast(t *testing.T) {
	light, dark, _ := strings.Cut(report.Style(), "@media (prefers-color-scheme:dark)")
	ownLight, ownDark, _ := strings.Cut(pageCSS, "@media (prefers-color-scheme:dark)")
	ownDark, _, _ = strings.Cut(ownDark, "\n")
	for scheme, css := range map[string]string{"light": light + ownLight, "dark": dark + ownDark} {
		for _, pair := range []string{"fg bg", "fg panel", "muted bg", "muted panel", "good bg", "bad bg", "warn bg", "link bg", "link panel", "cut bad", "cut warn", "cut good", "cut link", "fg over"} {
			front, back, _ := strings.Cut(pair, " ")
			if c := contrast(t, css, front, back); c < 4.5 {
				t.Errorf("%s: %s on %s is %.2f to 1", scheme, front, back, c)
			}
		}
	}
}

func contrast(t *testing.T, css, front, back string) float64 {
	a, b := luminance(t, css, front), luminance(t, css, back)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func luminance(t *testing.T, css, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`--` + name + `:#([0-9a-f]{3,6})`).FindStringSubmatch(css)
	if found == nil {
		t.Fatalf("there is no colour --%s", name)
	}
	hex := found[1]
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

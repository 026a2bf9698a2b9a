package page

import (
	"io"
	"strings"
	"testing"
)

// What is shown is what the Route shows; what is wanted is there where it is
// something else, and who is to blame.
func TestTrafficIsWhatTheRouteShows(t *testing.T) {
	share := func(percent, revision string) string {
		return percent + `%</span></span><span class="rev">` + revision + `</span></span>`
	}
	paused := progressing()
	paused.Paused, paused.Weight = true, 10
	unseen := progressing()
	unseen.Traffic = nil
	for name, tc := range map[string]struct {
		canary  *Canary
		has     []string
		without []string
	}{
		"as decided": {progressing(), []string{share("70", "podinfo-00007"), share("30", "podinfo-00008")}, []string{"<dt>Wanted", "not as decided"}},
		"overwritten": {overwritten(), []string{
			share("55", "podinfo-00007"), share("0", "podinfo-00008"), share("45", "podinfo-00006"),
			"<dt>Wanted</dt>", share("70", "podinfo-00007"), share("30", "podinfo-00008"),
			"Traffic is not as decided</strong> since <time datetime=\"2026-03-04T14:05:03Z\">14:05:03</time> UTC: " + overwrittenBy,
		}, nil},
		"not seen": {unseen, []string{"<dt>Live traffic</dt><dd>Not known: the Route was not seen yet</dd>"}, []string{"100%</span>"}},
		"paused":   {paused, []string{"Paused at 30%: no load is sent"}, nil},
	} {
		got := render(t, func(w io.Writer) error { return WriteCanary(w, tc.canary) })
		for _, want := range tc.has {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the page has no %s", name, want)
			}
		}
		for _, no := range tc.without {
			if strings.Contains(got, no) {
				t.Errorf("%s: the page has %s", name, no)
			}
		}
	}
}

func TestOverviewSaysWhereTrafficIsNotAsDecided(t *testing.T) {
	got := map[string]string{}
	for _, r := range rows() {
		m := new(markup)
		m.row(&r, began)
		got[r.Name] = m.b.String()
	}
	for name, want := range map[string]string{
		"upload":   `100%</span></span><span class="rev">upload-00004</span></span><span class="sub">wanted: 100% upload-00005</span>`,
		"invoices": `5%</span></span><span class="sub">10% wanted</span>`,                // the next step
		"basket":   `20%</span></span><span class="rev">basket-00000</span></span></td>`, // kept, and no canary revision
		"ledger":   `<td role="cell"></td>`,                                              // all is at the primary one
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s has no %s in %s", name, want, got[name])
		}
	}
	for name, html := range got {
		if strings.Contains(html, "Traffic is not as decided</strong> since ") != (name == "upload") {
			t.Errorf("%s: %s", name, html)
		}
	}
	unseen := rows()[3]
	unseen.Traffic = nil
	if html := unseen.traffic(); html != "" {
		t.Errorf("the Route was not seen, and its traffic is %s", html)
	}
}

package page

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteOverview writes the page of all Canaries, those first that need somebody.
func WriteOverview(w io.Writer, o *Overview) error {
	regions := OverviewRegions(o)
	m := new(markup)
	m.open(&frame{title: o.title(), version: o.Version, live: OverviewLivePath, now: o.Now, home: true, class: "overview"})
	m.add("<h1>Canaries</h1>\n")
	m.region("p", "count", ` class="lead" role="status"`, regions)
	m.region("section", "none", ` class="empty" aria-label="What to do next"`, regions)
	m.overviewTable(regions)
	m.close()
	return m.to(w)
}

// OverviewRegions are the parts of the overview that change.
func OverviewRegions(o *Overview) Regions {
	out := Regions{}
	out.set("title", func(m *markup) { m.add("%s", o.title()) })
	out.set("count", func(m *markup) { m.add("%s", o.count()) })
	out.set("none", func(m *markup) { m.none(o) })
	for i, rows := range o.groups() {
		out.set(groupIDs[i], func(m *markup) { m.rows(group(i), rows, o.Now) })
	}
	return out
}

// groupIDs are the ids of the groups.
var groupIDs = []string{"attention", "moving", "resting"}

// groups are the rows by group, each in the order in which they are shown.
func (o *Overview) groups() [][]*Row {
	out := make([][]*Row, len(groupNames))
	for i := range o.Canaries {
		r := &o.Canaries[i]
		g, _ := r.urgency()
		out[g] = append(out[g], r)
	}
	for _, rows := range out {
		slices.SortFunc(rows, func(a, b *Row) int {
			_, first := a.urgency()
			_, second := b.urgency()
			return cmp.Or(cmp.Compare(first, second), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
		})
	}
	return out
}

func (o *Overview) title() string {
	if n := len(o.groups()[needsAttention]); n > 0 {
		return "(" + plural(n, "needs", "need") + " attention) Serin"
	}
	return "Serin"
}

// count says how many there are in which group.
func (o *Overview) count() string {
	where := ""
	if o.Namespaces != "" {
		where = " in " + name(o.Namespaces)
	}
	out := plural(len(o.Canaries), "Canary", "Canaries") + where
	groups := o.groups()
	var parts []string
	if n := len(groups[needsAttention]); n > 0 {
		parts = append(parts, plural(n, "needs attention", "need attention"))
	}
	if n := len(groups[underWay]); n > 0 {
		parts = append(parts, plural(n, "rollout is under way", "rollouts are under way"))
	}
	if len(parts) == 0 {
		return out + "."
	}
	return out + ": " + strings.Join(parts, ", ") + "."
}

// none says what to do where there is no Canary.
func (m *markup) none(o *Overview) {
	if len(o.Canaries) > 0 {
		return
	}
	m.add("<h2>There is no Canary yet</h2>\n")
	m.add("<p>A Canary names a Knative Service and says how its new revisions are rolled out. Apply one:</p>\n")
	m.add("<pre tabindex=\"0\" aria-label=\"Example\"><code>%s</code></pre>\n", trusted(example))
	if o.Namespaces != "" {
		m.add("<p>This daemon watches %s. It shows here as soon as it is applied.</p>\n", name(o.Namespaces))
	}
}

// example is as short as a Canary can be.
const example = `kubectl apply -f - &lt;&lt;EOF
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo, namespace: test}
spec:
  provider: knative
  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}
  analysis: {interval: 30s, threshold: 5, stepWeight: 10, maxWeight: 50}
EOF`

// overviewTable has a body for each group. The roles are spelt out since style
// takes them from tables on narrow screens.
func (m *markup) overviewTable(regions Regions) {
	m.add(`<table class="canaries" role="table">` + "\n<caption class=\"hidden\">Canaries, those first that need attention</caption>\n")
	m.add(`<thead role="rowgroup"><tr role="row">`)
	for _, column := range []string{"Canary", "State", "Traffic", "Revisions", "Since"} {
		m.add(`<th role="columnheader" scope="col">%s</th>`, column)
	}
	m.add("</tr></thead>\n")
	for _, id := range groupIDs {
		m.region("tbody", id, ` role="rowgroup"`, regions)
	}
	m.add("</table>\n")
}

func (m *markup) rows(g group, rows []*Row, now time.Time) {
	if len(rows) == 0 {
		return
	}
	m.add(`<tr class="group" role="row"><th role="rowheader" scope="rowgroup" colspan="5">%s <span>%d</span></th></tr>`+"\n", groupNames[g], len(rows))
	for _, r := range rows {
		m.row(r, now)
	}
}

func (m *markup) row(r *Row, now time.Time) {
	m.add(`<tr role="row"><th role="rowheader" scope="row"><a href="%s" id="%s">%s</a>`, Path(r.Namespace, r.Name), "to-"+r.Namespace+"/"+r.Name, name(r.Name))
	m.add(`<span class="sub">%s</span></th>`, r.where())
	m.add(`<td role="cell">%s`, r.state())
	if said := r.sentence(); said != "" {
		m.add(`<span class="sub said">%s</span>`, cut(said, maxSentence))
	}
	m.warning(r, now, maxSentence)
	m.add(`</td><td role="cell">%s</td>`, r.traffic())
	m.add(`<td role="cell">%s</td><td role="cell" class="since">%s</td></tr>`+"\n", r.revisions(), part(func(m *markup) {
		if !r.Since.IsZero() {
			m.add(`<time datetime="%s">%s</time>`, r.Since.UTC().Format(time.RFC3339), ago(r.Since, now))
		}
	}))
}

// maxSentence is the longest of the overview.
const maxSentence = 180

// where is the namespace, and the Service where it has another name.
func (r *Row) where() string {
	if r.Service == "" || r.Service == r.Name {
		return name(r.Namespace)
	}
	return name(r.Namespace) + ", Service " + name(r.Service)
}

// failures are the failed checks, of those that end the rollout.
func (r *Row) failures() string {
	out := plural(r.FailedChecks, "failed check", "failed checks")
	if r.Threshold > 0 {
		out += " of " + strconv.Itoa(r.Threshold)
	}
	return out
}

// revisions are the primary and, where there is one, the canary.
func (r *Row) revisions() trusted {
	return part(func(m *markup) {
		if r.PrimaryRevision != "" {
			m.add(`<span class="rev"><span class="hidden">primary </span>%s</span>`, name(r.PrimaryRevision))
		}
		if r.CanaryRevision != "" && r.CanaryRevision != r.PrimaryRevision {
			m.add(` <span class="rev next"><span class="hidden">canary </span>%s</span>`, name(r.CanaryRevision))
		}
	})
}

// sentence says where the Canary is and why.
func (r *Row) sentence() string {
	stage, message := r.stage(), text(r.Message)
	switch {
	case r.resting() || r.Refused || r.Suspended || r.Paused || stage == "":
		return message
	case message == "":
		return stage + waitingFor(r.WaitingFor) + "."
	}
	return stage + waitingFor(r.WaitingFor) + ": " + message
}

func waitingFor(what string) string {
	if what == "" {
		return ""
	}
	return " (" + name(what) + ")"
}

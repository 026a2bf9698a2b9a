package v1beta1

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// TargetAPIVersion and TargetKind are the only target a Canary may have.
const (
	TargetAPIVersion = "serving.knative.dev/v1"
	TargetKind       = "Service"
	ProviderKnative  = "knative"
)

// The tags under which both revisions of a rollout can be reached by name.
const (
	PrimaryTag = "primary"
	CanaryTag  = "canary"
)

// Validate reports, joined, all that keeps the Canary from being rolled out:
// what the resource definition refuses too (it may be Flagger's, which is
// laxer), and what this version of Serin cannot honour, such as an approval
// gate. Ignoring a gate would promote without approval; a Canary with one is
// held instead.
func (c *Canary) Validate() error {
	if c.unread != "" {
		return errors.New(c.unread) // the rest would be judged without it
	}
	s, a := &c.Spec, &c.Spec.Analysis
	var found problems
	if s.Provider != "" && s.Provider != ProviderKnative {
		found.add("spec.provider", "must be knative, not %q", s.Provider)
	}
	if s.TargetRef.APIVersion != TargetAPIVersion || s.TargetRef.Kind != TargetKind {
		found.add("spec.targetRef", "must be a %s %s", TargetAPIVersion, TargetKind)
	}
	if given := countTrue(a.StepWeight != nil, len(a.StepWeights) > 0, a.Iterations != nil); given != 1 {
		found.add("spec.analysis", "must have exactly one of stepWeight, stepWeights and iterations, not %d", given)
	}
	if a.Iterations == nil && len(a.Weights()) == 0 {
		found.add("spec.analysis", "must have at least one step above 0 percent")
	}
	found.addNumbers(s)
	found.addSizes(s)
	found.addMatch(a)
	found.addAdditions(a)
	found.addDurations(a)
	found.addJudge(a)
	for i := range a.Metrics {
		found.addMetric(fmt.Sprintf("spec.analysis.metrics[%d]", i), &a.Metrics[i])
	}
	found.addWebhooks(a.Webhooks)
	return errors.Join(found...)
}

// problems is what keeps a Canary from being rolled out, each with its path.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s "+format, append([]any{path}, args...)...))
}

// addNumbers refuses numbers out of their range. Flagger's definition has no
// ranges.
func (p *problems) addNumbers(s *CanarySpec) {
	a := &s.Analysis
	for _, f := range []struct {
		path        string
		value       *int32
		least, most int32
	}{
		{"spec.progressDeadlineSeconds", s.ProgressDeadlineSeconds, 1, math.MaxInt32},
		{"spec.analysis.stepWeight", a.StepWeight, 1, 100},
		{"spec.analysis.maxWeight", a.MaxWeight, 1, 100},
		{"spec.analysis.stepWeightPromotion", a.StepWeightPromotion, 0, 100},
		{"spec.analysis.iterations", a.Iterations, 1, math.MaxInt32},
	} {
		p.addNumber(f.path, f.value, f.least, f.most)
	}
	for i := range a.StepWeights {
		p.addNumber(fmt.Sprintf("spec.analysis.stepWeights[%d]", i), &a.StepWeights[i], 0, 100)
	}
	for i := range a.Webhooks {
		p.addNumber(fmt.Sprintf("spec.analysis.webhooks[%d].retries", i), a.Webhooks[i].Retries, 0, math.MaxInt32)
	}
}

// addNumber refuses a number out of its range, ends included.
func (p *problems) addNumber(path string, value *int32, least, most int32) {
	switch {
	case value == nil || *value >= least && *value <= most:
	case most == math.MaxInt32:
		p.add(path, "must be at least %d, not %d", least, *value)
	default:
		p.add(path, "must be from %d to %d, not %d", least, most, *value)
	}
}

// maxEntries bounds each list of an Analysis.
const maxEntries = 100

// addSizes refuses what is empty, and what is too much to act upon.
func (p *problems) addSizes(s *CanarySpec) {
	if n := utf8.RuneCountInString(s.TargetRef.Name); n < 1 || n > 253 {
		p.add("spec.targetRef.name", "must have 1 to 253 characters, not %d", n)
	}
	a := &s.Analysis
	for _, list := range []struct {
		name string
		size int
	}{
		{"stepWeights", len(a.StepWeights)}, {"metrics", len(a.Metrics)}, {"webhooks", len(a.Webhooks)}, {"alerts", len(a.Alerts)}, {"match", len(a.Match)},
	} {
		if list.size > maxEntries {
			p.add("spec.analysis."+list.name, "must have at most %d entries, not %d", maxEntries, list.size)
		}
	}
}

// addAdditions refuses those of Serin's own fields that are not supported yet.
func (p *problems) addAdditions(a *Analysis) {
	if a.Load != nil && a.Load.Protocol != "" && a.Load.Protocol != "http1" {
		p.add("spec.analysis.load.protocol", "is not supported yet")
	}
}

func (p *problems) addDurations(a *Analysis) {
	p.addDuration("spec.analysis.interval", a.Interval)
	p.addDuration("spec.analysis.rollbackWindow", a.RollbackWindow)
	if a.Watch != nil {
		p.addDuration("spec.analysis.watch.duration", a.Watch.Duration)
	}
	if a.Judge != nil {
		p.addDuration("spec.analysis.judge.maxDuration", a.Judge.MaxDuration)
	}
	if a.Load != nil {
		p.addDuration("spec.analysis.load.timeout", a.Load.Timeout)
		p.addDuration("spec.analysis.load.warmup", a.Load.Warmup)
	}
}

func (p *problems) addDuration(path string, d Duration) {
	if !d.valid() {
		p.add(path, "must be a duration such as 15s or 1m30s, not %q", d)
	}
}

// valid reports whether a duration is empty or can be read.
func (d Duration) valid() bool {
	v, err := time.ParseDuration(string(d))
	return d == "" || (err == nil && v >= 0)
}

// addWebhooks refuses what cannot be called, and what could not be told apart.
func (p *problems) addWebhooks(hooks []Webhook) {
	seen := make(map[[2]string]bool)
	for i := range hooks {
		h := &hooks[i]
		path := fmt.Sprintf("spec.analysis.webhooks[%d]", i)
		p.addDuration(path+".timeout", h.Timeout)
		if h.HeyCommand() != "" {
			continue
		}
		if u, err := url.Parse(h.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			p.add(path+".url", "must be an http or https address, not %q", h.URL)
		}
		key := [2]string{h.TypeOrDefault(), h.Name}
		if seen[key] {
			p.add(path+".name", "%q is the name of another %s hook: give it one of its own", h.Name, h.TypeOrDefault())
		}
		seen[key] = true
	}
}

// HeyCommand returns the hey command line that a rollout hook asks Flagger's
// load tester to run, or nothing.
func (h *Webhook) HeyCommand() string {
	words := strings.Fields(h.Metadata["cmd"])
	if (h.Type != "" && h.Type != RolloutHook) || len(words) == 0 || path.Base(words[0]) != "hey" {
		return ""
	}
	return h.Metadata["cmd"]
}

// Ignored names, by field path, what the Canary says and Serin does not act
// on. It is empty for most files.
func (c *Canary) Ignored() []string {
	s, a := &c.Spec, &c.Spec.Analysis
	var paths []string
	for _, f := range []struct {
		path  string
		given bool
	}{
		{"spec.metricsServer", s.MetricsServer != ""},
		{"spec.autoscalerRef", s.AutoscalerRef != nil},
		{"spec.ingressRef", s.IngressRef != nil},
		{"spec.routeRef", s.RouteRef != nil},
		{"spec.upstreamRef", s.UpstreamRef != nil},
		{"spec.service", s.Service != nil},
		{"spec.analysis.mirror", a.Mirror},
		{"spec.analysis.mirrorWeight", a.MirrorWeight != nil},
		{"spec.analysis.primaryReadyThreshold", a.PrimaryReadyThreshold != nil},
		{"spec.analysis.canaryReadyThreshold", a.CanaryReadyThreshold != nil},
		{"spec.analysis.sessionAffinity", a.SessionAffinity != nil},
		{"spec.analysis.threshold", a.Sequential() && a.Threshold > 1 && len(a.HooksOf(RolloutHook))+len(a.HooksOf(PreRolloutHook)) == 0},
	} {
		if f.given {
			paths = append(paths, f.path)
		}
	}
	spare := a.Load != nil // the load is given, or one hey command is it already
	for i := range a.Webhooks {
		if h := &a.Webhooks[i]; h.HeyCommand() != "" {
			if spare {
				paths = append(paths, fmt.Sprintf("spec.analysis.webhooks[%d] (%s)", i, h.Name))
			}
			spare = true
		}
	}
	return paths
}

// TagHeader is the header by which Knative routes to a tag, where its feature
// tag-header-based-routing is on.
const TagHeader = "knative-serving-tag"

// addMatch refuses conditions of an A/B rollout that Knative has no routes for.
// Letting all users through instead would be the opposite of what is meant.
func (p *problems) addMatch(a *Analysis) {
	if len(a.Match) > 0 && a.Iterations == nil {
		p.add("spec.analysis.match", "needs iterations: users are chosen by a header, and not by a weight as well")
	}
	for i := range a.Match {
		if !a.Match[i].byTag() {
			p.add(fmt.Sprintf("spec.analysis.match[%d]", i),
				"must be headers: {%s: {exact: canary}}, the one condition that Knative routes by: let what is in front of it set the header for the users that you mean", TagHeader)
		}
	}
}

// byTag reports whether the condition is the tag header alone.
func (m *Match) byTag() bool {
	if m.Headers == nil || m.QueryParams != nil || len(m.SourceLabels) > 0 {
		return false
	}
	var headers map[string]map[string]string
	if err := json.Unmarshal(m.Headers.Raw, &headers); err != nil || len(headers) != 1 {
		return false
	}
	for name, condition := range headers {
		return strings.EqualFold(name, TagHeader) && len(condition) == 1 && condition["exact"] == CanaryTag
	}
	return false
}

func countTrue(values ...bool) int {
	n := 0
	for _, v := range values {
		if v {
			n++
		}
	}
	return n
}

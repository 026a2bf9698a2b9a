package v1beta1

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// TargetAPIVersion and TargetKind are the only target a Canary may have.
const (
	TargetAPIVersion = "serving.knative.dev/v1"
	TargetKind       = "Service"
	ProviderKnative  = "knative"
)

// Validate reports, joined, all that keeps the Canary from being rolled out:
// what the resource definition refuses too (it may be Flagger's, which is
// laxer), and what this version of Serin cannot honour, such as an approval
// gate. Ignoring a gate would promote without approval; a Canary with one is
// held instead.
func (c *Canary) Validate() error {
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
	for _, w := range a.Weights() {
		if w > 100 {
			found.add("spec.analysis", "must not give the canary more than 100 percent, not %d", w)
			break
		}
	}
	if len(a.Match) > 0 {
		found.add("spec.analysis.match", "is not supported yet: A/B rollouts are refused")
	}
	found.addAdditions(a)
	found.addDurations(a)
	found.addJudge(a)
	for i := range a.Metrics {
		found.addMetric(fmt.Sprintf("spec.analysis.metrics[%d]", i), &a.Metrics[i])
	}
	found = append(found, validateWebhooks(a.Webhooks)...)
	return errors.Join(found...)
}

// problems is what keeps a Canary from being rolled out, each with its path.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s %s", path, fmt.Sprintf(format, args...)))
}

// addAdditions refuses those of Serin's own fields that are not supported yet.
func (p *problems) addAdditions(a *Analysis) {
	if a.Load != nil && a.Load.Protocol != "" && a.Load.Protocol != "http1" {
		p.add("spec.analysis.load.protocol", "is not supported yet")
	}
	if a.RollbackWindow != "" {
		p.add("spec.analysis.rollbackWindow", "is not supported yet")
	}
	if a.Watch != nil {
		p.add("spec.analysis.watch", "is not supported yet")
	}
}

func (p *problems) addDurations(a *Analysis) {
	p.addDuration("spec.analysis.interval", a.Interval)
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

// validateWebhooks refuses the hooks that have a say in the rollout. A rollout
// hook with a command is a load test, which Serin does itself.
func validateWebhooks(hooks []Webhook) []error {
	var errs []error
	for i, h := range hooks {
		switch h.Type {
		case ConfirmRolloutHook, PreRolloutHook, ConfirmTrafficIncreaseHook, ConfirmPromotionHook, RollbackHook:
			errs = append(errs, fmt.Errorf("spec.analysis.webhooks[%d] (%s) has type %s, which this version cannot honour yet", i, h.Name, h.Type))
		case "", RolloutHook:
			if h.Metadata["cmd"] == "" {
				errs = append(errs, fmt.Errorf("spec.analysis.webhooks[%d] (%s) is a check without metadata.cmd, which this version cannot make yet", i, h.Name))
			}
		}
	}
	return errs
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
		{"spec.analysis.stepWeightPromotion", a.StepWeightPromotion != nil},
		{"spec.analysis.alerts", len(a.Alerts) > 0},
		{"spec.analysis.threshold", a.Sequential() && a.Threshold != 0},
	} {
		if f.given {
			paths = append(paths, f.path)
		}
	}
	for i := range a.Webhooks {
		// What is neither refused nor the load: other commands, and hooks
		// that are only told.
		if h := &a.Webhooks[i]; h.HeyCommand() == "" && len(validateWebhooks(a.Webhooks[i:i+1])) == 0 {
			paths = append(paths, fmt.Sprintf("spec.analysis.webhooks[%d] (%s)", i, h.Name))
		}
	}
	return paths
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

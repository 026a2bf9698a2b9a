package v1beta1

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// TargetAPIVersion and TargetKind are the only target a Canary may have.
const (
	TargetAPIVersion = "serving.knative.dev/v1"
	TargetKind       = "Service"
	ProviderKnative  = "knative"
)

// Metrics that Serin measures itself.
const (
	MetricSuccessRate = "request-success-rate"
	MetricDuration    = "request-duration"
)

// Validate reports, joined, all that keeps the Canary from being rolled out:
// what the resource definition refuses too (it may be Flagger's, which is
// laxer), and what this version of Serin cannot honour, such as an approval
// gate. Ignoring a gate would promote without approval; a Canary with one is
// held instead.
func (c *Canary) Validate() error {
	s, a := &c.Spec, &c.Spec.Analysis
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s %s", path, fmt.Sprintf(format, args...)))
	}
	if s.Provider != "" && s.Provider != ProviderKnative {
		bad("spec.provider", "must be knative, not %q", s.Provider)
	}
	if s.TargetRef.APIVersion != TargetAPIVersion || s.TargetRef.Kind != TargetKind {
		bad("spec.targetRef", "must be a %s %s", TargetAPIVersion, TargetKind)
	}
	if given := countTrue(a.StepWeight != nil, len(a.StepWeights) > 0, a.Iterations != nil); given != 1 {
		bad("spec.analysis", "must have exactly one of stepWeight, stepWeights and iterations, not %d", given)
	}
	if a.Iterations == nil && len(a.Weights()) == 0 {
		bad("spec.analysis", "must have at least one step above 0 percent")
	}
	for _, w := range a.Weights() {
		if w > 100 {
			bad("spec.analysis", "must not give the canary more than 100 percent, not %d", w)
			break
		}
	}
	if len(a.Match) > 0 {
		bad("spec.analysis.match", "is not supported yet: A/B rollouts are refused")
	}
	errs = append(errs, validateAdditions(a)...)
	errs = append(errs, validateDurations(a)...)
	errs = append(errs, validateMetrics(a.Metrics)...)
	errs = append(errs, validateWebhooks(a.Webhooks)...)
	return errors.Join(errs...)
}

// validateAdditions refuses those of Serin's own fields that are not supported
// yet.
func validateAdditions(a *Analysis) []error {
	var errs []error
	for path, given := range map[string]bool{
		"spec.analysis.judge.mode sequential": a.Judge != nil && a.Judge.Mode == "sequential",
		"spec.analysis.watch":                 a.Watch != nil,
		"spec.analysis.rollbackWindow":        a.RollbackWindow != "",
		"spec.analysis.load.protocol":         a.Load != nil && a.Load.Protocol != "" && a.Load.Protocol != "http1",
	} {
		if given {
			errs = append(errs, fmt.Errorf("%s is not supported yet", path))
		}
	}
	slices.SortFunc(errs, func(x, y error) int { return strings.Compare(x.Error(), y.Error()) })
	return errs
}

func validateDurations(a *Analysis) []error {
	durations := map[string]Duration{"spec.analysis.interval": a.Interval}
	if a.Load != nil {
		durations["spec.analysis.load.timeout"] = a.Load.Timeout
		durations["spec.analysis.load.warmup"] = a.Load.Warmup
	}
	var errs []error
	for _, path := range []string{"spec.analysis.interval", "spec.analysis.load.timeout", "spec.analysis.load.warmup"} {
		d := durations[path]
		if d == "" {
			continue
		}
		if v, err := time.ParseDuration(string(d)); err != nil || v < 0 {
			errs = append(errs, fmt.Errorf("%s must be a duration such as 15s or 1m30s, not %q", path, d))
		}
	}
	return errs
}

func validateMetrics(metrics []Metric) []error {
	var errs []error
	for i, m := range metrics {
		path := fmt.Sprintf("spec.analysis.metrics[%d]", i)
		switch {
		case m.TemplateRef != nil || m.Query != "":
			errs = append(errs, fmt.Errorf("%s (%s) asks a metrics server, which Serin does without: use %s or %s",
				path, m.Name, MetricSuccessRate, MetricDuration))
		case m.Name != MetricSuccessRate && m.Name != MetricDuration:
			errs = append(errs, fmt.Errorf("%s.name must be %s or %s, not %q", path, MetricSuccessRate, MetricDuration, m.Name))
		}
		if m.Baseline != nil {
			errs = append(errs, fmt.Errorf("%s.baseline is not supported yet", path))
		}
		if q := m.Quantile; q != nil && (*q <= 0 || *q >= 1) {
			errs = append(errs, fmt.Errorf("%s.quantile must be above 0 and below 1, not %g", path, *q))
		}
		if r := m.ThresholdRange; r != nil && r.Min != nil && r.Max != nil && *r.Min > *r.Max {
			errs = append(errs, fmt.Errorf("%s.thresholdRange.min %g must not be above max %g", path, *r.Min, *r.Max))
		}
	}
	return errs
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

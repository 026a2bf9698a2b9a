package v1beta1

// Metric is one check of the canary revision's measurements.
//
// +kubebuilder:validation:XValidation:rule="!has(self.quantile) || self.name == 'request-duration'",message="quantile is for request-duration: for another quantile use a name such as latency-p95"
// +kubebuilder:validation:XValidation:rule="!has(self.baseline) || !has(self.baseline.maxIncrease) || !(self.name in ['request-success-rate', 'throughput'])",message="baseline.maxIncrease is for latencies and error rates, where more is worse: use maxDecrease or maxDelta"
// +kubebuilder:validation:XValidation:rule="!has(self.baseline) || !has(self.baseline.maxDecrease) || self.name in ['request-success-rate', 'throughput']",message="baseline.maxDecrease is for request-success-rate and throughput, where less is worse: use maxIncrease or maxDelta"
// +kubebuilder:validation:XValidation:rule="!has(self.baseline) || !has(self.baseline.maxIncrease) || self.baseline.maxIncrease.matches('^[0-9.]+%$')",message="maxIncrease must be a percentage such as 10% or 2.5%",fieldPath=".baseline.maxIncrease"
// +kubebuilder:validation:XValidation:rule="!has(self.baseline) || !has(self.baseline.maxDecrease) || self.baseline.maxDecrease.matches('^[0-9.]+%$')",message="maxDecrease must be a percentage such as 10% or 2.5%",fieldPath=".baseline.maxDecrease"
// +kubebuilder:validation:XValidation:rule="!has(self.baseline) || !has(self.baseline.maxDecrease) || !self.baseline.maxDecrease.endsWith('%') || double(self.baseline.maxDecrease.substring(0, size(self.baseline.maxDecrease) - 1)) <= 100.0",message="maxDecrease must be at most 100%: nothing can lose more than it has",fieldPath=".baseline.maxDecrease"
type Metric struct {
	// Name says what is measured. In percent of the requests:
	// request-success-rate, error-rate, and error-rate-KIND where KIND is
	// unknown, dns, connect, tls, timeout, reset, truncated or protocol. In
	// milliseconds of response time: request-duration (p99, or quantile),
	// latency-mean, and latency-p50, latency-p99, latency-p999, ...: two to
	// five digits, read as decimals. In successful answers a second:
	// throughput.
	Name string `json:"name"`

	// Interval is accepted and ignored: a check measures over
	// analysis.interval.
	//
	// +optional
	Interval Duration `json:"interval,omitempty"`

	// Threshold is the older form of ThresholdRange: a minimum for
	// request-success-rate and throughput, a maximum for everything else.
	//
	// +optional
	Threshold *float64 `json:"threshold,omitempty"`

	// ThresholdRange is the accepted range, ends included, in the metric's
	// unit.
	//
	// +optional
	ThresholdRange *ThresholdRange `json:"thresholdRange,omitempty"`

	// Quantile of request-duration, above 0 and below 1. Default 0.99.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	// +kubebuilder:validation:ExclusiveMinimum=true
	// +kubebuilder:validation:ExclusiveMaximum=true
	Quantile *float64 `json:"quantile,omitempty"`

	// Baseline compares the canary revision with the primary one, which gets
	// the same requests in the same seconds. With a ThresholdRange both must
	// hold.
	//
	// +optional
	Baseline *Baseline `json:"baseline,omitempty"`

	// IncludeColdStart judges the cold start too: the first requests after
	// scale from zero, until the revision first answers, 30 seconds at most.
	// Without it they are set apart, and counted in status.analysis.
	//
	// +optional
	IncludeColdStart bool `json:"includeColdStart,omitempty"`

	// Query is a Prometheus query.
	//
	// +optional
	Query string `json:"query,omitempty"`

	// TemplateRef names a MetricTemplate.
	//
	// +optional
	TemplateRef *ObjectRef `json:"templateRef,omitempty"`

	// TemplateVariables are passed to the MetricTemplate.
	//
	// +optional
	TemplateVariables map[string]string `json:"templateVariables,omitempty"`
}

// ThresholdRange is an accepted range, ends included; a missing end is open.
type ThresholdRange struct {
	// +optional
	Min *float64 `json:"min,omitempty"`
	// +optional
	Max *float64 `json:"max,omitempty"`
}

// Baseline is by how much the canary revision may be worse than the primary
// one. Exactly one of its fields is given.
//
// +kubebuilder:validation:XValidation:rule="(has(self.maxIncrease) ? 1 : 0) + (has(self.maxDecrease) ? 1 : 0) + (has(self.maxDelta) ? 1 : 0) == 1",message="exactly one of maxIncrease, maxDecrease and maxDelta must be given"
type Baseline struct {
	// MaxIncrease is in percent of the primary revision's value, 10%. For
	// latencies and error rates, where more is worse.
	//
	// +optional
	MaxIncrease Percent `json:"maxIncrease,omitempty"`

	// MaxDecrease is in percent of the primary revision's value, 10%; at most
	// 100%. For request-success-rate and throughput, where less is worse.
	//
	// +optional
	MaxDecrease Percent `json:"maxDecrease,omitempty"`

	// MaxDelta is in the metric's unit (percentage points, milliseconds,
	// requests a second), towards the worse. 0 or more.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxDelta *float64 `json:"maxDelta,omitempty"`
}

// Percent is a share as text: 10%, 2.5%, 0%. The definition's rules for it are
// those of [Metric], and coarse: the number of metrics is not bounded, as it is not
// in Flagger's, and exact ones would cost the API server too much.
//
// +kubebuilder:validation:MaxLength=16
type Percent string

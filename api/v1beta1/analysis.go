package v1beta1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Duration is a length of time as Go writes it: 30s, 1m, 1m30s. The definition
// holds it to that in fields that only Serin has. Flagger's own fields take
// 1m and whatever follows, which [Canary.Validate] refuses.
type Duration string

// Analysis says how a new revision is judged and moved forward.
//
// The numbers of Flagger's that are whole ones here are of type number in its
// definition, and so they are in ours.
//
// +kubebuilder:validation:XValidation:rule="!has(self.judge) || !has(self.judge.mode) || self.judge.mode != 'sequential' || (has(self.metrics) && self.metrics.exists(m, has(m.threshold) || has(m.baseline) || (has(m.thresholdRange) && (has(m.thresholdRange.min) || has(m.thresholdRange.max)))))",message="judge.mode: sequential needs a metric with a thresholdRange or a baseline: nothing would be judged"
// +kubebuilder:validation:XValidation:rule="!has(self.minSamples) || !has(self.judge) || !has(self.judge.minSamples) || self.minSamples == self.judge.minSamples",message="minSamples and judge.minSamples differ: give one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.judge) || !has(self.judge.maxDuration) || !self.judge.maxDuration.matches('^([0-9]+(ms|s|m|h))+$') || (has(self.interval) && !self.interval.matches('^([0-9]+(ms|s|m|h))+$')) || (duration(self.judge.maxDuration) >= duration(has(self.interval) ? self.interval : '1m') && duration(self.judge.maxDuration) >= duration('1s'))",message="judge.maxDuration must not be shorter than interval, which is 60s when not given and at least 1s"
type Analysis struct {
	// Interval is the time over which one check measures. Default 60s, at
	// least 1s.
	//
	// +optional
	Interval Duration `json:"interval,omitempty"`

	// Threshold is the number of failed checks, counted over the whole
	// rollout, at which it is rolled back. Default 1; 0 and less mean 1. Not
	// used where judge.mode is sequential: a fail verdict rolls back at once.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	Threshold int32 `json:"threshold,omitempty"`

	// StepWeight is added to the canary's percent of the traffic after each
	// passed check.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	StepWeight *int32 `json:"stepWeight,omitempty"`

	// StepWeights are the canary's percents of the traffic, one a step.
	//
	// +optional
	// +kubebuilder:validation:items:Type=number
	// +kubebuilder:validation:items:Format=double
	StepWeights []int32 `json:"stepWeights,omitempty"`

	// Iterations is the number of passed checks before promotion in a
	// blue/green rollout, where the canary gets no live traffic until then.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	Iterations *int32 `json:"iterations,omitempty"`

	// MaxWeight is the canary's highest percent of the traffic before
	// promotion. Default 100.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	MaxWeight *int32 `json:"maxWeight,omitempty"`

	// StepWeightPromotion moves the promotion, from MaxWeight to 100 percent, in
	// steps of this many percent, one a passed check.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	StepWeightPromotion *int32 `json:"stepWeightPromotion,omitempty"`

	// MinSamples is the number of requests to the canary revision below which
	// a check is inconclusive. Default 20, and 1 where judge.mode is
	// sequential.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	MinSamples *int32 `json:"minSamples,omitempty"`

	// Load is the traffic that Serin sends to both revisions. Without it the
	// load is taken from the first webhook whose metadata.cmd is a hey
	// command, and without that it is GET / at 10 requests a second.
	//
	// +optional
	Load *Load `json:"load,omitempty"`

	// Judge says how the measurements are judged. Without it, as Flagger does.
	//
	// +optional
	Judge *Judge `json:"judge,omitempty"`

	// Watch goes on measuring once the canary revision has all traffic, and puts
	// the previous revision back when a check fails. The promotion is complete
	// after it.
	//
	// +optional
	Watch *Watch `json:"watch,omitempty"`

	// RollbackWindow promotes a Service after one passed check, without steps,
	// when it is set back to the template of a revision that was the primary one
	// within this time. Off by default.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$')",message="must be a duration such as 15s, 1m or 1m30s"
	RollbackWindow Duration `json:"rollbackWindow,omitempty"`

	// Metrics are the checks. A check fails when one of them does. Without any
	// every check passes, which only mode classic allows.
	//
	// +optional
	Metrics []Metric `json:"metrics,omitempty"`

	// Webhooks are called around the rollout; a rollout webhook whose
	// metadata.cmd is a hey command defines the load.
	//
	// +optional
	Webhooks []Webhook `json:"webhooks,omitempty"`

	// Alerts are sent to AlertProviders.
	//
	// +optional
	Alerts []Alert `json:"alerts,omitempty"`

	// Match selects the users of an A/B rollout.
	//
	// +optional
	Match []Match `json:"match,omitempty"`

	IgnoredAnalysis `json:",inline"`
}

// IgnoredAnalysis holds the fields of Flagger's spec.analysis that have no
// meaning on Knative. They are kept as written and change nothing.
type IgnoredAnalysis struct {
	// Mirror is ignored: Serin sends both revisions the same requests anyway.
	//
	// +optional
	Mirror bool `json:"mirror,omitempty"`

	// MirrorWeight is ignored with Mirror.
	//
	// +optional
	MirrorWeight *float64 `json:"mirrorWeight,omitempty"`

	// PrimaryReadyThreshold is ignored: Knative says when a revision is ready.
	//
	// +optional
	PrimaryReadyThreshold *float64 `json:"primaryReadyThreshold,omitempty"`

	// CanaryReadyThreshold is ignored: Knative says when a revision is ready.
	//
	// +optional
	CanaryReadyThreshold *float64 `json:"canaryReadyThreshold,omitempty"`

	// SessionAffinity is ignored: Knative's ingress has no cookies.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	SessionAffinity *apiextensionsv1.JSON `json:"sessionAffinity,omitempty"`
}

// Judge says how measurements are judged.
//
// Classic is Flagger's rule: in every check, each metric's value against its
// range; analysis.threshold failed checks roll back. Sequential tests each
// metric as the answers come in: a step passes or fails once the evidence is
// enough for ErrorRate and Power, which takes as many requests as it takes,
// and a fail verdict rolls back at once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.errorRate) || (has(self.mode) && self.mode == 'sequential')",message="judge.errorRate needs judge.mode: sequential"
// +kubebuilder:validation:XValidation:rule="!has(self.power) || (has(self.mode) && self.mode == 'sequential')",message="judge.power needs judge.mode: sequential"
// +kubebuilder:validation:XValidation:rule="!has(self.maxDuration) || (has(self.mode) && self.mode == 'sequential')",message="judge.maxDuration needs judge.mode: sequential"
type Judge struct {
	// Mode is classic (the default) or sequential. Sequential needs a metric
	// with a thresholdRange or a baseline, and does not use analysis.threshold.
	//
	// +optional
	// +kubebuilder:validation:Enum="";classic;sequential
	Mode string `json:"mode,omitempty"`

	// ErrorRate bounds the probability that a good revision gets a fail verdict
	// in the whole rollout: all metrics, all steps and all looks together. Above
	// 0, at most 0.5. Default 0.01. Only in mode sequential.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:ExclusiveMinimum=true
	// +kubebuilder:validation:Maximum=0.5
	ErrorRate *float64 `json:"errorRate,omitempty"`

	// Power is the probability with which a step catches a revision that fails
	// twice as often as allowed. At least 0.5, below 1. Default 0.9. Only in
	// mode sequential.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0.5
	// +kubebuilder:validation:Maximum=1
	// +kubebuilder:validation:ExclusiveMaximum=true
	Power *float64 `json:"power,omitempty"`

	// MinSamples is analysis.minSamples; where both are given they must be the
	// same. Default 20 in mode classic, 1 in mode sequential, whose test knows
	// how many requests it needs.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	MinSamples *int32 `json:"minSamples,omitempty"`

	// MaxDuration is how long a step may stay undecided. After it a step whose
	// estimates are within the thresholds passes without proof, and one whose
	// estimates are not stays inconclusive. Default 10 intervals, at least one.
	// Only in mode sequential.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$')",message="must be a duration such as 15s, 1m or 1m30s"
	MaxDuration Duration `json:"maxDuration,omitempty"`
}

// The modes of a Judge; without one it is classic.
const (
	ModeClassic    = "classic"
	ModeSequential = "sequential"
)

// Watch is the time after a promotion in which it can be undone.
type Watch struct {
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$')",message="must be a duration such as 15s, 1m or 1m30s"
	Duration Duration `json:"duration"`
}

// ObjectRef names another object; the namespace defaults to the Canary's.
type ObjectRef struct {
	Name string `json:"name"`
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Webhook types, from Flagger's contract.
const (
	ConfirmRolloutHook         = "confirm-rollout"
	PreRolloutHook             = "pre-rollout"
	RolloutHook                = "rollout"
	ConfirmTrafficIncreaseHook = "confirm-traffic-increase"
	ConfirmPromotionHook       = "confirm-promotion"
	PostRolloutHook            = "post-rollout"
	RollbackHook               = "rollback"
	EventHook                  = "event"
)

// Webhook is a call around the rollout.
type Webhook struct {
	Name string `json:"name"`

	// +optional
	// +kubebuilder:validation:Enum="";confirm-rollout;pre-rollout;rollout;confirm-traffic-increase;confirm-promotion;post-rollout;rollback;event
	Type string `json:"type,omitempty"`

	URL string `json:"url"`

	// +optional
	MuteAlert bool `json:"muteAlert,omitempty"`

	// Timeout of one try. Default 10s.
	//
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	Retries *int32 `json:"retries,omitempty"`

	// +optional
	DisableTLS bool `json:"disableTLS,omitempty"`

	// +optional
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Alert sends the rollout's events to an AlertProvider.
type Alert struct {
	Name string `json:"name"`

	// +optional
	// +kubebuilder:validation:Enum="";info;warn;error
	Severity string `json:"severity,omitempty"`

	ProviderRef ObjectRef `json:"providerRef"`
}

// Match is one condition of an A/B rollout, kept as written.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Match struct {
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	Headers *apiextensionsv1.JSON `json:"headers,omitempty"`

	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	QueryParams *apiextensionsv1.JSON `json:"queryParams,omitempty"`

	// +optional
	SourceLabels map[string]string `json:"sourceLabels,omitempty"`
}

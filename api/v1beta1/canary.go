package v1beta1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Canary says how new revisions of one Knative Service are rolled out, or
// belongs to somebody else. The target of one of ours can be corrected until it is
// pinned; afterwards a pinned Service would be left behind.
//
// +kubebuilder:object:root=true
// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(oldSelf.spec) || self.spec.targetRef == oldSelf.spec.targetRef || !has(oldSelf.status) || !has(oldSelf.status.lastPromotedSpec) || size(oldSelf.status.lastPromotedSpec) == 0 || (has(self.spec.provider) && size(self.spec.provider) > 0 && self.spec.provider != 'knative') || self.spec.targetRef.apiVersion != 'serving.knative.dev/v1' || self.spec.targetRef.kind != 'Service' || (has(oldSelf.spec.provider) && size(oldSelf.spec.provider) > 0 && oldSelf.spec.provider != 'knative') || oldSelf.spec.targetRef.apiVersion != 'serving.knative.dev/v1' || oldSelf.spec.targetRef.kind != 'Service'",message="spec.targetRef cannot be changed any more: delete this canary and create another"
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=canaries,singular=canary,categories=all
// +kubebuilder:printcolumn:name="Status",type="string",JSONPath=".status.phase"
// +kubebuilder:printcolumn:name="Weight",type="string",JSONPath=".status.canaryWeight"
// +kubebuilder:printcolumn:name="Suspended",type="boolean",JSONPath=".spec.suspend",priority=1
// +kubebuilder:printcolumn:name="FailedChecks",type="string",JSONPath=".status.failedChecks",priority=1
// +kubebuilder:printcolumn:name="Interval",type="string",JSONPath=".spec.analysis.interval",priority=1
// +kubebuilder:printcolumn:name="Mirror",type="boolean",JSONPath=".spec.analysis.mirror",priority=1
// +kubebuilder:printcolumn:name="StepWeight",type="string",JSONPath=".spec.analysis.stepWeight",priority=1
// +kubebuilder:printcolumn:name="StepWeights",type="string",JSONPath=".spec.analysis.stepWeights",priority=1
// +kubebuilder:printcolumn:name="MaxWeight",type="string",JSONPath=".spec.analysis.maxWeight",priority=1
// +kubebuilder:printcolumn:name="Stage",type="string",JSONPath=".status.analysis.stage",priority=1
// +kubebuilder:printcolumn:name="Verdict",type="string",JSONPath=".status.analysis.verdict",priority=1
// +kubebuilder:printcolumn:name="Message",type="string",JSONPath=".status.analysis.message",priority=1
// +kubebuilder:printcolumn:name="LastTransitionTime",type="string",JSONPath=".status.lastTransitionTime"
type Canary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec CanarySpec `json:"spec"`
	// +optional
	Status CanaryStatus `json:"status,omitempty"`

	// unread says which fields of spec and status could not be read, and why.
	unread string `json:"-"`
}

// Ours reports whether Serin acts on the Canary: its target is a Knative Service
// and its provider is knative, or none. Any other belongs to somebody else, and
// is neither read further, nor written, nor mentioned.
func (c *Canary) Ours() bool {
	t := &c.Spec.TargetRef
	return t.APIVersion == TargetAPIVersion && t.Kind == TargetKind && (c.Spec.Provider == "" || c.Spec.Provider == ProviderKnative)
}

// CanaryList is a list of Canaries.
//
// +kubebuilder:object:root=true
type CanaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Canary `json:"items"`
}

// CanarySpec is the wanted rollout.
//
// Its fields are as lax as Flagger's, so that every Canary that Flagger's
// definition accepts is accepted. The rules hold for Serin's own Canaries alone:
// each ends with what makes a Canary somebody else's, as [Canary.Ours] has it.
//
// +kubebuilder:validation:XValidation:rule="(size(self.targetRef.name) > 0 && size(self.targetRef.name) <= 253) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="targetRef.name must have 1 to 253 characters",fieldPath=".targetRef.name"
// +kubebuilder:validation:XValidation:rule="!has(self.progressDeadlineSeconds) || (self.progressDeadlineSeconds >= 1.0 && self.progressDeadlineSeconds <= 2147483647.0 && double(int(self.progressDeadlineSeconds)) == self.progressDeadlineSeconds) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="progressDeadlineSeconds must be a whole number, at least 1",fieldPath=".progressDeadlineSeconds"
// +kubebuilder:validation:XValidation:rule="((has(self.analysis.stepWeight) ? 1 : 0) + (has(self.analysis.stepWeights) ? 1 : 0) + (has(self.analysis.iterations) ? 1 : 0) == 1) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="exactly one of stepWeight, stepWeights and iterations must be given",fieldPath=".analysis"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.interval) || (size(self.analysis.interval) <= 32 && self.analysis.interval.matches('^([0-9]+(ms|s|m|h))+$')) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="interval must be a duration such as 15s, 1m or 1m30s",fieldPath=".analysis.interval"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.threshold) || (self.analysis.threshold >= -2147483647.0 && self.analysis.threshold <= 2147483647.0 && double(int(self.analysis.threshold)) == self.analysis.threshold) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="threshold must be a whole number",fieldPath=".analysis.threshold"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.stepWeight) || (self.analysis.stepWeight >= 1.0 && self.analysis.stepWeight <= 100.0 && double(int(self.analysis.stepWeight)) == self.analysis.stepWeight) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="stepWeight must be a whole number from 1 to 100",fieldPath=".analysis.stepWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.stepWeights) || (size(self.analysis.stepWeights) > 0 && size(self.analysis.stepWeights) <= 100 && self.analysis.stepWeights.min() >= 0.0 && self.analysis.stepWeights.max() <= 100.0) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="stepWeights must be 1 to 100 numbers from 0 to 100",fieldPath=".analysis.stepWeights"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.maxWeight) || (self.analysis.maxWeight >= 1.0 && self.analysis.maxWeight <= 100.0 && double(int(self.analysis.maxWeight)) == self.analysis.maxWeight) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="maxWeight must be a whole number from 1 to 100",fieldPath=".analysis.maxWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.stepWeightPromotion) || (self.analysis.stepWeightPromotion >= 0.0 && self.analysis.stepWeightPromotion <= 100.0 && double(int(self.analysis.stepWeightPromotion)) == self.analysis.stepWeightPromotion) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="stepWeightPromotion must be a whole number from 0 to 100",fieldPath=".analysis.stepWeightPromotion"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.iterations) || (self.analysis.iterations >= 1.0 && self.analysis.iterations <= 2147483647.0 && double(int(self.analysis.iterations)) == self.analysis.iterations) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="iterations must be a whole number, at least 1",fieldPath=".analysis.iterations"
// +kubebuilder:validation:XValidation:rule="((!has(self.analysis.metrics) || size(self.analysis.metrics) <= 100) && (!has(self.analysis.webhooks) || size(self.analysis.webhooks) <= 100) && (!has(self.analysis.alerts) || size(self.analysis.alerts) <= 100) && (!has(self.analysis.match) || size(self.analysis.match) <= 100)) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="metrics, webhooks, alerts and match may have 100 entries at most",fieldPath=".analysis"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.metrics) || self.analysis.metrics.all(m, !has(m.thresholdRange) || !has(m.thresholdRange.min) || !has(m.thresholdRange.max) || m.thresholdRange.min <= m.thresholdRange.max) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="thresholdRange.min must not be above max",fieldPath=".analysis.metrics"
// +kubebuilder:validation:XValidation:rule="!has(self.analysis.webhooks) || self.analysis.webhooks.all(h, !has(h.retries) || (h.retries >= 0.0 && h.retries <= 2147483647.0 && double(int(h.retries)) == h.retries)) || (has(self.provider) && size(self.provider) > 0 && self.provider != 'knative') || self.targetRef.apiVersion != 'serving.knative.dev/v1' || self.targetRef.kind != 'Service'",message="retries must be a whole number, at least 0",fieldPath=".analysis.webhooks"
type CanarySpec struct {
	// Provider moves the traffic. Serin is "knative", which is also the default;
	// it leaves a Canary of any other alone.
	//
	// +optional
	Provider string `json:"provider,omitempty"`

	// TargetRef names the Knative Service, in the Canary's namespace. Serin
	// leaves a Canary of any other target alone.
	TargetRef TargetRef `json:"targetRef"`

	// Analysis says how a new revision is judged and moved forward.
	Analysis Analysis `json:"analysis"`

	// ProgressDeadlineSeconds bounds the time a rollout may stand still
	// (revision not ready, route not converged, no verdict) before it is
	// rolled back. Default 600.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// SkipAnalysis promotes a new revision as soon as it is ready.
	//
	// +optional
	SkipAnalysis bool `json:"skipAnalysis,omitempty"`

	// RevertOnDeletion gives the Service back the traffic block that was
	// found at initialization when the Canary is deleted.
	//
	// +optional
	RevertOnDeletion bool `json:"revertOnDeletion,omitempty"`

	// Suspend holds everything where it is: no traffic is moved, no load is
	// sent, no revision is promoted or rolled back.
	//
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	IgnoredSpec `json:",inline"`
}

// IgnoredSpec holds the fields of Flagger's schema that have no meaning on
// Knative. They are kept as written and change nothing.
type IgnoredSpec struct {
	// MetricsServer is ignored: Serin measures the traffic itself.
	//
	// +optional
	MetricsServer string `json:"metricsServer,omitempty"`

	// AutoscalerRef is ignored: Knative scales revisions.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	AutoscalerRef *apiextensionsv1.JSON `json:"autoscalerRef,omitempty"`

	// IngressRef is ignored: Knative owns the ingress.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	IngressRef *apiextensionsv1.JSON `json:"ingressRef,omitempty"`

	// RouteRef is ignored: Knative owns the Route.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	RouteRef *apiextensionsv1.JSON `json:"routeRef,omitempty"`

	// UpstreamRef is ignored: Knative owns the upstreams.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	UpstreamRef *apiextensionsv1.JSON `json:"upstreamRef,omitempty"`

	// Service is ignored: Knative makes the Kubernetes Services.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	Service *apiextensionsv1.JSON `json:"service,omitempty"`
}

// TargetRef names what is rolled out: of Serin's own Canaries, a Knative Service.
type TargetRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

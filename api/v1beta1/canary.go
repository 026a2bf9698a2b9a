package v1beta1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Canary says how new revisions of one Knative Service are rolled out. Its
// target can be corrected until it is pinned; afterwards a pinned Service would
// be left behind.
//
// +kubebuilder:object:root=true
// +kubebuilder:validation:XValidation:rule="self.spec.targetRef == oldSelf.spec.targetRef || !has(oldSelf.status) || !has(oldSelf.status.lastPromotedSpec) || size(oldSelf.status.lastPromotedSpec) == 0",message="spec.targetRef cannot be changed any more: delete this canary and create another"
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

	Spec   CanarySpec   `json:"spec"`
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
type CanarySpec struct {
	// Provider moves the traffic. Only "knative", which is also the default.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self in ['', 'knative']",message="provider must be knative: Serin moves the traffic of Knative Services only"
	Provider string `json:"provider,omitempty"`

	// TargetRef names the Knative Service, in the Canary's namespace.
	TargetRef TargetRef `json:"targetRef"`

	// Analysis says how a new revision is judged and moved forward.
	Analysis Analysis `json:"analysis"`

	// ProgressDeadlineSeconds bounds the time a rollout may stand still
	// (revision not ready, route not converged, no verdict) before it is
	// rolled back. Default 600.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
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

// TargetRef names a Knative Service.
//
// +kubebuilder:validation:XValidation:rule="self.apiVersion == 'serving.knative.dev/v1' && self.kind == 'Service'",message="targetRef must be a Knative Service: apiVersion serving.knative.dev/v1, kind Service"
type TargetRef struct {
	// +kubebuilder:validation:MaxLength=64
	APIVersion string `json:"apiVersion"`
	// +kubebuilder:validation:MaxLength=64
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

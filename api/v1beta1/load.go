package v1beta1

// Load is the traffic that Serin sends to both revisions: the same requests,
// on the same open-loop schedule, in the same seconds.
type Load struct {
	// Rate is the number of requests a second to each revision. Default 10.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Rate int32 `json:"rate,omitempty"`

	// Protocol is http1 (the default), h2c or grpc. This version speaks http1.
	//
	// +optional
	// +kubebuilder:validation:Enum="";http1;h2c;grpc
	Protocol string `json:"protocol,omitempty"`

	// Timeout of one request, from its actual start. Default 5s.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$')",message="must be a duration such as 15s, 1m or 1m30s"
	Timeout Duration `json:"timeout,omitempty"`

	// Connections to each revision, at most. Default 64.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Connections int32 `json:"connections,omitempty"`

	// Warmup is the time at the start of a session whose requests are sent
	// but not judged. Default 1s.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$')",message="must be a duration such as 15s, 1m or 1m30s"
	Warmup Duration `json:"warmup,omitempty"`

	// Requests are sent in turn, in proportion to their weights. Default: one
	// GET /.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Requests []Request `json:"requests,omitempty"`
}

// Request is one request of a Load.
type Request struct {
	// Method defaults to GET.
	//
	// +optional
	Method string `json:"method,omitempty"`

	// Path with query, from the slash on. Default /.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:XValidation:rule="self == '' || self.startsWith('/')",message="path must start with /"
	Path string `json:"path,omitempty"`

	// +optional
	Headers map[string]string `json:"headers,omitempty"`

	// +optional
	Body string `json:"body,omitempty"`

	// Weight is the request's share. Default 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weight int32 `json:"weight,omitempty"`

	// Expect says which answers are good. Default: those with a status below
	// 500.
	//
	// +optional
	Expect *Expect `json:"expect,omitempty"`
}

// Expect says which answers are good.
type Expect struct {
	// Status holds codes, 204, and ranges, 200-399.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Status []StatusRange `json:"status,omitempty"`

	// Headers holds, by name, a text that a good answer has in one of that
	// header's values. The empty text is in every value.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	Headers map[string]string `json:"headers,omitempty"`

	// BodyContains is a text that is in the first MiB of a good body.
	//
	// +optional
	BodyContains string `json:"bodyContains,omitempty"`
}

// StatusRange is a status code or a range of them, ends included.
//
// +kubebuilder:validation:MaxLength=7
// +kubebuilder:validation:XValidation:rule="self.matches('^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$')",message="must be a status code such as 204 or a range such as 200-399"
type StatusRange string

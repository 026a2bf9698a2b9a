package cli

import "time"

// Fault is a rule of the daemon's, as its HTTP API has it.
type Fault struct {
	ID        string `json:"id,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Target is canary, primary or both.
	Target string `json:"target,omitempty"`
	// Percent of the requests, in (0,100].
	Percent    float64 `json:"percent,omitempty"`
	PathPrefix string  `json:"pathPrefix,omitempty"`

	Status                  int           `json:"status,omitempty"`
	Delay                   *Delay        `json:"delay,omitempty"`
	Reset                   bool          `json:"reset,omitempty"`
	Timeout                 bool          `json:"timeout,omitempty"`
	Truncate                bool          `json:"truncate,omitempty"`
	BandwidthBytesPerSecond int64         `json:"bandwidthBytesPerSecond,omitempty"`
	Request                 *FaultRequest `json:"request,omitempty"`

	// Duration is how long the fault lasts, as Go writes it.
	Duration string     `json:"duration,omitempty"`
	Started  *time.Time `json:"started,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	// Hits counts the requests that the fault has met.
	Hits int64 `json:"hits,omitempty"`
}

// Delay of requests; which of the fields counts depends on the Kind: fixed,
// uniform, normal or pareto.
type Delay struct {
	Kind     string  `json:"kind"`
	MS       float64 `json:"ms,omitempty"`
	MinMS    float64 `json:"minMs,omitempty"`
	MaxMS    float64 `json:"maxMs,omitempty"`
	MeanMS   float64 `json:"meanMs,omitempty"`
	StddevMS float64 `json:"stddevMs,omitempty"`
	ScaleMS  float64 `json:"scaleMs,omitempty"`
	Shape    float64 `json:"shape,omitempty"`
}

// FaultRequest is what is sent in place of the load's request.
type FaultRequest struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path"`
}

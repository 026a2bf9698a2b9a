package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Phase is the stage of a Canary's life, in Flagger's words.
//
// +kubebuilder:validation:Enum="";Initializing;Initialized;Waiting;Progressing;WaitingPromotion;Promoting;Finalising;Succeeded;Failed;Terminating;Terminated
type Phase string

// The phases. Initialized, Succeeded and Failed are only reported once the
// Route's observed state shows them.
const (
	PhaseInitializing     Phase = "Initializing"
	PhaseInitialized      Phase = "Initialized"
	PhaseWaiting          Phase = "Waiting"
	PhaseProgressing      Phase = "Progressing"
	PhaseWaitingPromotion Phase = "WaitingPromotion"
	PhasePromoting        Phase = "Promoting"
	PhaseFinalising       Phase = "Finalising"
	PhaseSucceeded        Phase = "Succeeded"
	PhaseFailed           Phase = "Failed"
	PhaseTerminating      Phase = "Terminating"
	PhaseTerminated       Phase = "Terminated"
)

// The types of a Canary's conditions.
const (
	// ConditionPromoted is Flagger's; its reason is the phase.
	ConditionPromoted = "Promoted"
	// ConditionTrafficApplied says whether the Route shows the division of the
	// live traffic that Serin has decided on. It is False where it did and does
	// not any more; the message names who changed it.
	ConditionTrafficApplied = "TrafficApplied"
)

// CanaryStatus is what Serin has decided and seen.
//
// It is also the daemon's memory: a decision is written here first and carried
// out on the Service after, so that a daemon that is killed in between goes on
// where it stopped.
type CanaryStatus struct {
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// CanaryWeight is the percent of the live traffic that the Route is seen to
	// send to other revisions than the primary one. What is wanted is
	// analysis.weight.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	CanaryWeight int32 `json:"canaryWeight"`

	// FailedChecks counts the failed checks of the current rollout.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	FailedChecks int32 `json:"failedChecks"`

	// Iterations counts the passed checks of a blue/green rollout.
	//
	// +optional
	// +kubebuilder:validation:Type=number
	// +kubebuilder:validation:Format=double
	Iterations int32 `json:"iterations"`

	// LastAppliedSpec is the revision that was last taken up for a rollout.
	//
	// +optional
	LastAppliedSpec string `json:"lastAppliedSpec,omitempty"`

	// LastPromotedSpec is the primary revision.
	//
	// +optional
	LastPromotedSpec string `json:"lastPromotedSpec,omitempty"`

	// LastTransitionTime is the time of the last change of phase, or, while it is
	// Initializing, of the revision that is to be the primary one.
	//
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`

	// +optional
	Conditions []Condition `json:"conditions,omitempty"`

	// Analysis explains the rollout that runs or ran last.
	//
	// +optional
	Analysis *AnalysisStatus `json:"analysis,omitempty"`

	// Commands are the values of the command annotations that were carried out
	// or refused last, by command. Another value is another command.
	//
	// +optional
	Commands map[string]string `json:"commands,omitempty"`

	// Retired are the revisions that were the primary one, newest first, ten
	// at most.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=10
	Retired []RetiredRevision `json:"retired,omitempty"`

	// Failed are the revisions that were rolled back, newest first, fifty at
	// most. They get no traffic any more unless a person commands it.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=50
	Failed []string `json:"failed,omitempty"`

	// Traffic is the division of the live traffic that the Route was last seen
	// to show, one entry a revision and tag.
	//
	// +optional
	Traffic []TrafficShare `json:"traffic,omitempty"`

	// KeptShares are what other revisions than the primary one had of the live
	// traffic at initialization. They keep it until the first rollout begins.
	//
	// +optional
	KeptShares []TrafficShare `json:"keptShares,omitempty"`

	// ServiceUID tells the Service from one that is made again under its name.
	//
	// +optional
	ServiceUID types.UID `json:"serviceUID,omitempty"`

	// Daemon is the daemon that acts on the Canary.
	//
	// +optional
	Daemon *DaemonClaim `json:"daemon,omitempty"`

	// TrackedConfigs and the cookies belong to Flagger's other providers.
	// They are kept and never written.
	//
	// +optional
	TrackedConfigs *map[string]string `json:"trackedConfigs,omitempty"`
	// +optional
	SessionAffinityCookie string `json:"sessionAffinityCookie,omitempty"`
	// +optional
	PrimarySessionAffinityCookie string `json:"primarySessionAffinityCookie,omitempty"`
	// +optional
	PreviousSessionAffinityCookie string `json:"previousSessionAffinityCookie,omitempty"`
}

// TrafficShare is a revision's share of the live traffic.
type TrafficShare struct {
	Revision string `json:"revision"`
	// +optional
	Tag string `json:"tag,omitempty"`
	// Percent is in [0,100].
	Percent int64 `json:"percent"`
}

// DaemonClaim says which of several daemons acts on a Canary.
type DaemonClaim struct {
	// Identity of the daemon that acts.
	Identity string `json:"identity"`
	// Time of its claim.
	Time metav1.MicroTime `json:"time"`

	// Challenger is the identity of another daemon that serves the same Canary,
	// and asks whether the first one is alive. The first one clears it.
	//
	// +optional
	Challenger string `json:"challenger,omitempty"`
	// +optional
	ChallengeTime *metav1.MicroTime `json:"challengeTime,omitempty"`
}

// RetiredRevision is a revision that was the primary one.
type RetiredRevision struct {
	Revision string `json:"revision"`
	// Template is a hash of the revision's template.
	Template string `json:"template"`
	// Time is when another revision was promoted in its place.
	Time metav1.MicroTime `json:"time"`
}

// Condition is Flagger's form of a status condition.
type Condition struct {
	Type   string                 `json:"type"`
	Status corev1.ConditionStatus `json:"status"`
	Reason string                 `json:"reason"`
	// +optional
	Message string `json:"message,omitempty"`
	// +optional
	LastUpdateTime metav1.Time `json:"lastUpdateTime,omitempty"`
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
}

// Stage is what a rollout is waiting for.
type Stage string

// The stages, in the order in which a rollout passes them. A step of traffic
// goes back from Measuring, or ConfirmTrafficIncrease, to WaitingForRoute.
const (
	// StageConfirmRollout: nothing is done before it is approved.
	StageConfirmRollout Stage = "ConfirmRollout"
	// StageWaitingForRevision: the canary revision is not ready yet.
	StageWaitingForRevision Stage = "WaitingForRevision"
	// StageWaitingForRoute: the Route does not show the wanted split yet.
	StageWaitingForRoute Stage = "WaitingForRoute"
	// StagePreRollout: the pre-rollout hooks have not all passed yet.
	StagePreRollout Stage = "PreRollout"
	// StageMeasuring: a check is running.
	StageMeasuring Stage = "Measuring"
	// StageConfirmTrafficIncrease: the next step has to be approved. Checks go
	// on.
	StageConfirmTrafficIncrease Stage = "ConfirmTrafficIncrease"
	// StageConfirmPromotion: the promotion has to be approved. Checks go on.
	StageConfirmPromotion Stage = "ConfirmPromotion"
	// StageWatching: the canary revision serves everything, and is still
	// compared with the one before.
	StageWatching Stage = "Watching"
	// StageRollingBack: all traffic goes back to the primary revision.
	StageRollingBack Stage = "RollingBack"
	// StagePostRollout: the rollout is over, and the post-rollout hooks have
	// not all answered yet.
	StagePostRollout Stage = "PostRollout"
)

// AnalysisStatus explains one rollout.
type AnalysisStatus struct {
	// PrimaryRevision serves, CanaryRevision is judged.
	PrimaryRevision string `json:"primaryRevision"`
	CanaryRevision  string `json:"canaryRevision"`

	// Stage is what the rollout is waiting for.
	//
	// +optional
	Stage Stage `json:"stage,omitempty"`

	// Check is the number of the check that runs, from 1.
	Check int64 `json:"check"`

	// CanaryUID tells the canary revision from one that is made again under its
	// name.
	//
	// +optional
	CanaryUID types.UID `json:"canaryUID,omitempty"`

	// Weight is the percent of the live traffic that is wanted for the canary
	// revision.
	//
	// +optional
	Weight int32 `json:"weight,omitempty"`

	// RouteGeneration is the Service's generation at which the Route showed the
	// wanted division when the check began. A check under another one, or under
	// none (0), does not pass.
	//
	// +optional
	RouteGeneration int64 `json:"routeGeneration,omitempty"`

	// WatchedSeconds is how long a promoted revision was measured while it was
	// watched.
	//
	// +optional
	WatchedSeconds float64 `json:"watchedSeconds,omitempty"`

	// StartTime is when the canary revision was detected, ProgressTime when
	// the rollout last moved, DecisionTime when it was decided to promote it
	// or to roll it back.
	StartTime metav1.MicroTime `json:"startTime"`
	// +optional
	ProgressTime metav1.MicroTime `json:"progressTime,omitempty"`
	// +optional
	DecisionTime *metav1.MicroTime `json:"decisionTime,omitempty"`

	// NextTime is when the rollout goes on by itself: the expected end of a
	// watch, or the next call of a pre-rollout hook that failed.
	//
	// +optional
	NextTime *metav1.MicroTime `json:"nextTime,omitempty"`

	// WaitingFor names the hooks or the annotation that the rollout waits for.
	//
	// +optional
	WaitingFor string `json:"waitingFor,omitempty"`

	// Known says that the revision has the template of one that was the
	// primary within analysis.rollbackWindow, and needs one check only.
	//
	// +optional
	Known bool `json:"known,omitempty"`

	// Message says why the rollout is where it is.
	//
	// +optional
	Message string `json:"message,omitempty"`

	// Verdict of the last check: pass, fail or inconclusive.
	//
	// +optional
	Verdict string `json:"verdict,omitempty"`

	// Plan is what a step was expected to need when the rollout started.
	//
	// +optional
	Plan *PlanStatus `json:"plan,omitempty"`

	// Metrics are the last check's findings, one a metric.
	//
	// +optional
	Metrics []MetricStatus `json:"metrics,omitempty"`

	// Primary and Canary are what was measured since the session started.
	//
	// +optional
	Primary *Measured `json:"primary,omitempty"`
	// +optional
	Canary *Measured `json:"canary,omitempty"`
}

// PlanStatus is what a sequential test expects to need, before it starts.
type PlanStatus struct {
	// Requests that a step needs, to each revision, to pass a good revision.
	Requests int64 `json:"requests"`
	// DurationSeconds is how long the load takes to send them.
	DurationSeconds float64 `json:"durationSeconds"`
	// Message is a sentence with the numbers in it.
	Message string `json:"message"`
}

// MetricStatus is the finding of one metric.
type MetricStatus struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	// Message is a sentence with the numbers in it.
	Message string `json:"message"`

	// Explanation says what would have changed the verdict.
	//
	// +optional
	Explanation string `json:"explanation,omitempty"`

	// Value of the canary revision, in the metric's unit.
	//
	// +optional
	Value *float64 `json:"value,omitempty"`

	// Requests to the canary revision that the verdict rests on.
	//
	// +optional
	Requests int64 `json:"requests,omitempty"`
}

// Measured sums up the measured requests to one revision.
type Measured struct {
	Requests int64 `json:"requests"`
	// SuccessRatePercent is in [0,100].
	SuccessRatePercent float64 `json:"successRatePercent"`
	// P50Milliseconds and P99Milliseconds are quantiles of the response time,
	// counted from the intended start of each request.
	P50Milliseconds float64 `json:"p50Milliseconds"`
	P99Milliseconds float64 `json:"p99Milliseconds"`

	// ColdStartRequests are the requests of the cold start, which are not in
	// the other numbers.
	//
	// +optional
	ColdStartRequests int64 `json:"coldStartRequests,omitempty"`
}

// Condition returns the condition of the given type, or nil.
func (s *CanaryStatus) Condition(kind string) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

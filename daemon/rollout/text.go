package rollout

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// conditionFor is Flagger's Promoted condition for a phase. The reason is the
// phase; the messages are Flagger's where they are true on Knative.
func conditionFor(phase v1beta1.Phase) v1beta1.Condition {
	c := v1beta1.Condition{Type: v1beta1.ConditionPromoted, Status: corev1.ConditionUnknown, Reason: string(phase)}
	switch phase {
	case v1beta1.PhaseInitializing:
		c.Message = "New Service detected, starting initialization."
	case v1beta1.PhaseInitialized:
		c.Status, c.Message = corev1.ConditionTrue, "Service initialization completed."
	case v1beta1.PhaseWaiting, v1beta1.PhaseWaitingPromotion:
		c.Message = "Waiting for approval."
	case v1beta1.PhaseProgressing:
		c.Message = "New revision detected, progressing canary analysis."
	case v1beta1.PhasePromoting:
		c.Message = "Canary analysis completed, starting primary rolling update."
	case v1beta1.PhaseFinalising:
		c.Message = "Canary analysis completed, routing all traffic to primary."
	case v1beta1.PhaseSucceeded:
		c.Status, c.Message = corev1.ConditionTrue, "Canary analysis completed successfully, promotion finished."
	case v1beta1.PhaseFailed:
		c.Status, c.Message = corev1.ConditionFalse, "Canary analysis failed, all traffic is at the primary revision."
	case v1beta1.PhaseTerminating, v1beta1.PhaseTerminated:
		c.Message = "Canary deleted, giving the Service back."
	}
	return c
}

// measured rounds a summary to what is worth reading in a status.
func measured(s analysis.Summary) *v1beta1.Measured {
	return &v1beta1.Measured{
		Requests:           s.Requests,
		SuccessRatePercent: math.Floor(s.SuccessRate*1e4) / 100,
		P50Milliseconds:    roundedMilliseconds(s.P50),
		P99Milliseconds:    roundedMilliseconds(s.P99),
		ColdStartRequests:  s.ColdStart,
	}
}

// worthReading rounds a metric's value to three digits after the point; nil for
// one that is no number.
func worthReading(value float64) *float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	rounded := math.Round(value*1000) / 1000
	return &rounded
}

func roundedMilliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}

func orUnknown(message string) string {
	if message == "" {
		return "no reason is known yet"
	}
	return message
}

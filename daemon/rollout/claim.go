package rollout

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Two daemons that do not share a Lease may serve the same Canary. One of them
// acts: the one whose identity is in the status. The other asks there whether it
// is alive, once when it comes and then now and then; the first one answers by
// clearing the question. That costs nothing where there is one daemon.
const (
	// answerTime is how long the daemon that acts may take to answer.
	answerTime = 15 * time.Second
	// askEvery is how often the one that stands by asks again.
	askEvery = 5 * time.Minute
)

// standsBy reports whether another daemon acts on the Canary, and claims it where
// none does.
func (d *decider) standsBy() bool {
	claim := d.Status.Daemon
	switch {
	case d.Identity == "":
		return false
	case claim == nil:
		d.claim()
		return false
	case claim.Identity == d.Identity:
		if claim.Challenger != "" {
			d.event(warning(fmt.Sprintf("Daemon %s serves %s as well and stands by, %s acts: let one of them serve this namespace", claim.Challenger, d.name(), d.Identity)))
			d.claim()
		}
		return false
	}
	return !d.challenge(claim)
}

func (d *decider) claim() {
	d.Status.Daemon = &v1beta1.DaemonClaim{Identity: d.Identity, Time: metav1.NewMicroTime(d.Now)}
}

// challenge asks whether the daemon that acts is alive. It reports true once that
// one has not answered in time, and this daemon takes over.
func (d *decider) challenge(claim *v1beta1.DaemonClaim) (takesOver bool) {
	if claim.Challenger == d.Identity && claim.ChallengeTime != nil {
		asked := claim.ChallengeTime.Time
		if d.Up.After(asked) || asked.After(d.Now) {
			asked = d.Up // by an earlier life, or by another clock
		}
		if left := asked.Add(answerTime).Sub(d.Now); left > 0 {
			d.standBy(left)
			return false
		}
		d.event(warning(fmt.Sprintf("Daemon %s does not answer: %s acts on %s from now on", claim.Identity, d.Identity, d.name())).loud(Warn))
		d.claim()
		return true
	}
	if age := d.Now.Sub(claim.Time.Time); age.Abs() < askEvery && !claim.Time.Time.Before(d.Up) {
		d.standBy(askEvery - age) // it has answered not long ago, by its clock
		return false
	}
	d.event(warning(fmt.Sprintf("Daemon %s acts on %s, %s stands by: let one of them serve this namespace", claim.Identity, d.name(), d.Identity)))
	now := metav1.NewMicroTime(d.Now)
	claim.Challenger, claim.ChallengeTime = d.Identity, &now
	d.standBy(answerTime)
	return false
}

// standBy leaves everything to the daemon that acts.
func (d *decider) standBy(wait time.Duration) {
	d.standing, d.RequeueAfter = true, wait
}

// Rival is the identity of another daemon that acts on the Canary or asks to, as
// far as the status says, or empty.
func Rival(s *v1beta1.CanaryStatus, identity string) string {
	switch {
	case s.Daemon == nil || identity == "":
		return ""
	case s.Daemon.Identity != identity:
		return s.Daemon.Identity
	default:
		return s.Daemon.Challenger
	}
}

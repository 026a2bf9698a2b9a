package page

// mark is a shape with a colour, which stands beside a word and never alone:
// who sees no colours tells the shapes apart, and who sees neither has the word.
type mark struct{ class, shape string }

// The shapes, on 16 by 16 pixels.
var (
	failedMark  = mark{"bad", `<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path class="cut" d="M5.5 5.5l5 5m0-5l-5 5"/>`}
	waitingMark = mark{"wait", `<path d="M8 .5L15.5 8 8 15.5.5 8z"/><path class="cut" d="M8 4.5v4M8 11.2v.1"/>`}
	movingMark  = mark{"move", `<circle cx="8" cy="8" r="7.5"/><path class="cut" d="M6.5 4.5L10 8l-3.5 3.5"/>`}
	goodMark    = mark{"good", `<circle cx="8" cy="8" r="7.5"/><path class="cut" d="M4.5 8.3l2.4 2.4 4.6-5"/>`}
	calmMark    = mark{"calm", `<circle class="ring" cx="8" cy="8" r="6.5"/>`}
	pausedMark  = mark{"wait", `<rect x="1" y="1" width="14" height="14" rx="3"/><path class="cut" d="M6 5v6M10 5v6"/>`}
)

func (k mark) html() trusted {
	return trusted(`<svg class="mark ` + k.class + `" viewBox="0 0 16 16" aria-hidden="true">` + k.shape + `</svg>`)
}

// group is how soon somebody should look at a Canary.
type group int

const (
	needsAttention group = iota
	underWay
	atRest
)

var groupNames = []string{"Needs attention", "Under way", "At rest"}

// resting reports whether the Canary has no rollout that runs.
func (r *Row) resting() bool {
	switch r.Phase {
	case "Initialized", "Succeeded", "Failed", "Terminated":
		return true
	}
	return false
}

// waits reports whether a person or a hook has to agree.
func (r *Row) waits() bool {
	switch r.Stage {
	case "ConfirmRollout", "ConfirmTrafficIncrease", "ConfirmPromotion":
		return !r.resting()
	}
	return r.Phase == "Waiting" || r.Phase == "WaitingPromotion"
}

// urgency orders the overview: the group, and within it what comes first.
func (r *Row) urgency() (group, int) {
	switch {
	case r.Phase == "Failed" && !r.Suspended:
		return needsAttention, 0
	case r.Refused:
		return needsAttention, 1
	case r.Suspended:
		return atRest, 1
	case r.NotApplied != "":
		return needsAttention, 2
	case r.waits():
		return needsAttention, 3
	case r.Paused && !r.resting():
		return needsAttention, 4
	case r.resting():
		return atRest, 0
	}
	return underWay, 0
}

func (r *Row) mark() mark {
	switch {
	case r.Refused, r.Phase == "Failed" && !r.Suspended:
		return failedMark
	case r.Suspended:
		return mark{calmMark.class, pausedMark.shape}
	case r.Paused && !r.resting():
		return pausedMark
	case r.waits():
		return waitingMark
	case r.Phase == "Succeeded":
		return goodMark
	case r.resting(), r.Phase == "":
		return calmMark
	}
	return movingMark
}

// verdictMark is that of a check or a metric.
func verdictMark(verdict string) mark {
	switch verdict {
	case "pass":
		return goodMark
	case "fail":
		return failedMark
	}
	return calmMark
}

// state is the phase with its mark.
func (r *Row) state() trusted {
	return part(func(m *markup) {
		k := r.mark()
		m.add(`<span class="state %s">%s%s</span>`, k.class, k.html(), r.phase())
	})
}

// bar shows a weight. The number stands beside it.
func bar(percent int) trusted {
	percent = min(max(percent, 0), 100)
	return part(func(m *markup) {
		m.add(`<span class="weight"><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">`+
			`<rect class="rest" width="100" height="8"/><rect class="f1" width="%d" height="8"/></svg><span>%d%%</span></span>`, percent, percent)
	})
}

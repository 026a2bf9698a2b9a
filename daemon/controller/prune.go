package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
)

// The definition of Canaries may be replaced by one without Serin's fields, such as
// Flagger's, while the daemon runs. The API server then drops the daemon's memory
// from each status that it takes, and every decision would be made anew, for ever.

// probeEvery is how often it is tried whether a definition keeps the status again.
const probeEvery = 15 * time.Second

// pruned are the Canaries whose status was not kept. The zero value is ready for use.
type pruned struct {
	mu  sync.Mutex // guards set
	set map[types.NamespacedName]bool
}

func (p *pruned) has(canary types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set[canary]
}

func (p *pruned) note(canary types.NamespacedName, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !is {
		delete(p.set, canary)
		return
	}
	if p.set == nil {
		p.set = make(map[types.NamespacedName]bool)
	}
	p.set[canary] = true
}

// lost names the fields that were sent and did not come back.
func lost(sent, kept *v1beta1.CanaryStatus) []string {
	var fields []string
	for _, f := range []struct {
		name       string
		sent, kept bool
	}{
		{"analysis", sent.Analysis != nil, kept.Analysis != nil},
		{"commands", len(sent.Commands) > 0, len(kept.Commands) > 0},
		{"retired", len(sent.Retired) > 0, len(kept.Retired) > 0},
		{"failed", len(sent.Failed) > 0, len(kept.Failed) > 0},
		{"traffic", len(sent.Traffic) > 0, len(kept.Traffic) > 0},
		{"keptShares", len(sent.KeptShares) > 0, len(kept.KeptShares) > 0},
		{"serviceUID", sent.ServiceUID != "", kept.ServiceUID != ""},
		{"daemon", sent.Daemon != nil, kept.Daemon != nil},
		{"analysis.routeGeneration", sent.Analysis != nil && sent.Analysis.RouteGeneration != 0,
			kept.Analysis == nil || kept.Analysis.RouteGeneration != 0},
	} {
		if f.sent && !f.kept {
			fields = append(fields, "status."+f.name)
		}
	}
	return fields
}

// halt stops what runs for a Canary whose status is not kept, and says so once. The
// Service stays as it is.
func (r *Reconciler) halt(ctx context.Context, canary *v1beta1.Canary, fields []string) error {
	key := client.ObjectKeyFromObject(canary)
	r.pruned.note(key, true)
	r.Sessions.Stop(key)
	r.Hooks.Stop(key)
	message := fmt.Sprintf("the installed definition of canaries.flagger.app drops %s, without which no rollout can go on: "+
		"kubectl apply --server-side --force-conflicts -f chart/crds", strings.Join(fields, ", "))
	condition := canary.Status.Condition(v1beta1.ConditionPromoted)
	if condition != nil && condition.Message == message {
		return nil
	}
	r.publish(ctx, canary, []rollout.Event{{Type: corev1.EventTypeWarning, Message: message, Alert: rollout.Error}})
	if condition == nil {
		return nil
	}
	condition.Message = message
	if err := r.updateStatus(ctx, canary); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

// stillPruned tries, without writing anything, whether the status of a Canary is
// kept again.
func (r *Reconciler) stillPruned(ctx context.Context, canary *v1beta1.Canary) (bool, error) {
	probe := canary.DeepCopy()
	probe.Status.ServiceUID = "probe"
	if err := r.updateStatus(ctx, probe, client.DryRunAll); err != nil {
		return true, fmt.Errorf("try whether the status is kept: %w", err)
	}
	still := probe.Status.ServiceUID == ""
	r.pruned.note(client.ObjectKeyFromObject(canary), still)
	return still, nil
}

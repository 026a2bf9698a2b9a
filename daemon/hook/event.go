package hook

import (
	"context"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// mostEvents is how many events of a Canary wait to be told. Older ones give way.
const mostEvents = 100

// event is what hooks of type event are to be told.
type event struct {
	phase    v1beta1.Phase
	hooks    []v1beta1.Webhook
	metadata map[string]string
}

// Tell tells the hooks of type event, in order and one after the other, each with
// its own retries. What they answer changes nothing.
func (h *Hooks) Tell(canary types.NamespacedName, phase v1beta1.Phase, hooks []v1beta1.Webhook, eventType, message string) {
	one := event{phase: phase, hooks: hooks, metadata: map[string]string{
		"eventMessage": message,
		"eventType":    eventType,
		"timestamp":    strconv.FormatInt(time.Now().UnixMilli(), 10),
	}}
	h.mu.Lock()
	defer h.mu.Unlock()
	queue := append(h.told[canary], one)
	if len(queue) > mostEvents {
		if !h.losing[canary] {
			h.losing[canary] = true
			h.config.Log.Warn("an event hook is too slow, so that its oldest events are lost", "canary", canary.String())
		}
		queue = queue[1:]
	}
	h.told[canary] = queue
	h.wake()
}

// tell tells what there is to tell about a Canary. That a hook was refused is
// an event too, which is told in turn; so each refusal is one once.
func (h *Hooks) tell(ctx context.Context, canary types.NamespacedName) {
	refused := make(map[string]bool)
	for {
		one, ok := h.next(canary)
		if !ok {
			return
		}
		for i := range one.hooks {
			answer, ok := h.ask(ctx, canary, one.phase, &one.hooks[i], "", one.metadata)
			if !ok {
				return
			}
			if message := refusal(&one.hooks[i], &answer); answer.refused && !refused[message] && h.config.Refused != nil {
				refused[message] = true
				h.config.Refused(ctx, canary, message)
			}
			if !answer.Passed {
				h.config.Log.WarnContext(ctx, "an event hook failed", "canary", canary.String(), "hook", one.hooks[i].Name, "answer", answer.Message)
			}
		}
	}
}

// next takes the oldest event. Without one, the Canary is not busy any more.
func (h *Hooks) next(canary types.NamespacedName) (one event, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	queue := h.told[canary]
	if len(queue) == 0 {
		delete(h.told, canary)
		delete(h.busy, canary)
		delete(h.losing, canary)
		return event{}, false
	}
	h.told[canary] = queue[1:]
	return queue[0], true
}

package daemon

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// component is the source of events, and the leader's name in them.
const component = "serin"

// eventBurst is how many events of one Canary may follow each other at once.
// A rollout in steps of one percent has about a hundred.
const eventBurst = 250

// newRecorder returns a recorder of core events and what ends it.
//
// The usual one will not do: it folds events of the same reason into one line
// after ten of them, and drops those past the 25th, and all of Flagger's have
// the same reason.
func newRecorder(cluster *rest.Config, scheme *runtime.Scheme) (record.EventRecorder, manager.Runnable, error) {
	clients, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return nil, nil, fmt.Errorf("set up events: %w", err)
	}
	broadcaster := record.NewBroadcaster(record.WithCorrelatorOptions(record.CorrelatorOptions{
		BurstSize: eventBurst,
		QPS:       1,
		KeyFunc: func(e *corev1.Event) (aggregate, local string) {
			key, local := record.EventAggregatorByReasonFunc(e)
			return key + e.Message, local
		},
	}))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events("")})
	stop := manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		broadcaster.Shutdown()
		return nil
	})
	return broadcaster.NewRecorder(scheme, corev1.EventSource{Component: component}), stop, nil
}

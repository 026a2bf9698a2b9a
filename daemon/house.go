package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/access"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/archive"
	"github.com/serin-dev/serin/daemon/controller"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/fault"
	"github.com/serin-dev/serin/daemon/history"
	"github.com/serin-dev/serin/daemon/hook"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/daemon/httpapi"
	"github.com/serin-dev/serin/daemon/loadtester"
	"github.com/serin-dev/serin/daemon/metrics"
	"github.com/serin-dev/serin/daemon/session"
	"github.com/serin-dev/serin/daemon/tap"
	"github.com/serin-dev/serin/measure"
)

// house is the daemon, put together of its rooms. Everything that runs is
// handed to the manager, which owns it from then on.
type house struct {
	Config
	doors   doors
	manager manager.Manager
	egress  egress.Policy

	recorded *metrics.Recorder
	sessions *session.Sessions
	faults   *fault.Faults
	history  *history.History
	archive  *archive.Archive
	server   *httpapi.Server
	reports  *os.Root // nil for ConfigMaps
}

func (h *house) close() {
	if h.reports != nil {
		_ = h.reports.Close()
	}
}

func (h *house) assemble(ctx context.Context) error {
	recorder, stopRecorder, err := newRecorder(h.manager.GetConfig(), h.manager.GetScheme())
	if err != nil {
		return err
	}
	if h.egress, err = newEgress(h.Config, h.doors); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	verdicts := make(controller.Verdicts)
	reconciler := &controller.Reconciler{
		Client: h.manager.GetClient(), Live: h.manager.GetAPIReader(),
		Recorder: recorder, KnativeNamespace: h.KnativeNamespace, Identity: h.Identity, Log: h.Log,
	}
	h.recorded = metrics.New(registry, h.Version)
	h.faults = fault.New(fault.Config{Notify: reconciler.Publish, Registerer: registry})
	if err := h.remember(); err != nil {
		return err
	}
	h.sessions = session.New(session.Config{Gateway: h.Gateway, Control: h.dialer("load").Control, Notify: verdicts.Notify, Measured: h.measured, Detour: h.faults.Detour, Log: h.Log})
	refused := func(ctx context.Context, canary types.NamespacedName, message string) {
		reconciler.Publish(ctx, canary, corev1.EventTypeWarning, message)
	}
	hooks := hook.New(hook.Config{Notify: verdicts.Notify, Egress: h.egress, Refused: refused, Answered: h.recorded.Hook, Log: h.Log})
	alerts, err := h.newAlerts(refused)
	if err != nil {
		return err
	}
	reconciler.Sessions, reconciler.Hooks, reconciler.Alerts = h.sessions, hooks, alerts
	reconciler.Metrics, reconciler.History = h.recorded, memory{h.history, h.faults}
	if err := reconciler.Setup(ctx, h.manager, verdicts, h.SeveralInOneProcess); err != nil {
		return err
	}
	h.serve(registry, reconciler.Rivals)
	tester, err := h.contract(registry, reconciler.Publish)
	if err != nil {
		return err
	}
	running := []manager.Runnable{
		h.server, stopRecorder,
		manager.RunnableFunc(h.sessions.Run), manager.RunnableFunc(hooks.Run), manager.RunnableFunc(alerts.Run),
		manager.RunnableFunc(h.faults.Run), manager.RunnableFunc(h.archive.Run),
		manager.RunnableFunc(tester.Run),
	}
	if h.doors.tap != nil {
		running = append(running, h.tap())
	}
	for _, r := range running {
		if err := h.manager.Add(r); err != nil {
			return fmt.Errorf("set up the daemon: %w", err)
		}
	}
	return nil
}

// remember sets up what is remembered of rollouts, and where their pages are
// kept.
func (h *house) remember() error {
	var shelf archive.Shelf = archive.ConfigMaps{Client: h.manager.GetClient(), Reader: h.manager.GetAPIReader(), Keep: h.KeepReports}
	if h.Reports != "" {
		root, err := os.OpenRoot(h.Reports)
		if err != nil {
			return fmt.Errorf("the folder for reports: %w", err)
		}
		h.reports = root
		shelf = archive.Folder{Root: root, Keep: h.KeepReports}
	}
	h.archive = archive.New(archive.Config{
		Shelf: shelf, Log: h.Log,
		Render: func(canary *v1beta1.Canary) ([]byte, bool) { return h.server.RenderReport(canary) },
	})
	h.history = history.New(history.Config{Ended: h.archive.Ended})
	return nil
}

func (h *house) serve(registry *prometheus.Registry, rivals func() string) {
	client := h.manager.GetClient()
	h.server = &httpapi.Server{
		Listener: h.doors.http, Ready: h.ready, Rivals: rivals,
		Metrics:  prometheus.Gatherers{ctrlmetrics.Registry, registry},
		Canaries: client, Change: client, Guard: &access.Guard{Client: client, LoopbackNeedsToken: h.Loopback == LoopbackToken},
		History: h.history, Reports: h.archive, Faults: h.faults, Working: h.working,
		Namespaces: h.Namespaces, Version: h.Version, Log: h.Log,
	}
}

func (h *house) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if !h.manager.GetCache().WaitForCacheSync(ctx) {
		return errors.New("the caches are not filled yet")
	}
	return nil
}

// working reports whether this daemon has the lease, or needs none.
func (h *house) working() bool {
	select {
	case <-h.manager.Elected():
		return true
	default:
		return false
	}
}

func (h *house) measured(canary types.NamespacedName, primary, candidate *measure.Snapshot) {
	h.recorded.Measured(canary, primary, candidate)
	h.history.Measured(canary, primary, candidate)
}

// byHand takes the result of a request that was sent by hand.
func (h *house) byHand(place hosts.Place, r measure.Result) {
	if h.sessions.Record(place.Canary, place.Side, r) {
		return // the session tells what it measures
	}
	one := new(measure.Snapshot)
	one.Add(r)
	if place.Side == v1beta1.SideCanary {
		h.recorded.Measured(place.Canary, nil, one)
	} else {
		h.recorded.Measured(place.Canary, one, nil)
	}
}

func (h *house) book() *hosts.Book {
	return &hosts.Book{Reader: h.manager.GetClient(), Gateway: h.Gateway}
}

func (h *house) tap() *tap.Server {
	return &tap.Server{Listener: h.doors.tap, Proxy: tap.New(tap.Config{
		Find: h.book().Find, Record: h.byHand, Wrap: h.disturb, Dial: h.dialer("load by hand").DialContext, Log: h.Log,
	})}
}

func (h *house) disturb(place hosts.Place, next http.RoundTripper) http.RoundTripper {
	return h.faults.Transport(place.Canary, place.Side, next)
}

// contract is the load tester's, as it is open to strangers.
func (h *house) contract(registry *prometheus.Registry, notify func(context.Context, types.NamespacedName, string, string)) (*loadtester.Tester, error) {
	config := loadtester.Config{
		Find: h.book().Find, Record: h.byHand, Wrap: h.disturb, Notify: notify,
		Namespaces: h.Namespaces, AllowTargets: h.AllowTargets, MaxRate: h.MaxRate, AllowExec: h.AllowExec,
		Egress: h.egress, Gateway: h.Gateway, Registerer: registry, Log: h.Log,
	}
	if h.Hooks == HooksToken {
		config.Enter = func(r *http.Request) error { return h.server.Guard.Enter(r) }
		config.Allow = func(r *http.Request, canary types.NamespacedName) error {
			return h.server.Guard.Check(r, access.Action{Verb: "patch", Namespace: canary.Namespace, Name: canary.Name})
		}
	}
	tester, err := loadtester.New(config)
	if err == nil && h.Hooks != HooksOff {
		h.server.Contract = tester.Register
	}
	return tester, err
}

// memory is the history, and what else ends with a Canary.
type memory struct {
	*history.History
	faults *fault.Faults
}

// Forget forgets a Canary that is gone, and ends its faults.
func (m memory) Forget(canary types.NamespacedName) {
	m.History.Forget(canary)
	m.faults.DeleteAll(context.Background(), canary) // nobody waits for it
}

// newEgress is for all that connects to addresses which others name.
func newEgress(config Config, doors doors) (egress.Policy, error) {
	deny, err := egress.ParseNetworks(config.DenyTargets)
	if err != nil {
		return egress.Policy{}, err
	}
	allow, err := egress.ParseNetworks(config.AllowNetworks)
	return egress.Policy{Own: doors.ports(), Deny: deny, Allow: allow}, err
}

// dialer is for Services of Canaries. Their names are Kubernetes', but whoever
// may write Services there says what they mean.
func (h *house) dialer(what string) *egress.Dialer {
	d := h.egress.Dialer(what)
	d.Trusted = h.Gateway
	return d
}

func (h *house) newAlerts(refused func(context.Context, types.NamespacedName, string)) (*alert.Alerts, error) {
	c := alert.Config{Reader: h.manager.GetAPIReader(), Global: h.Alert, Egress: h.egress, Refused: refused, Log: h.Log}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return alert.New(c), nil
}

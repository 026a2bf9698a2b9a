package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	pollPeriod = 200 * time.Millisecond
	// patience is for what takes seconds; a rollout of the guide takes minutes.
	patience        = 2 * time.Minute
	rolloutPatience = 8 * time.Minute
	cleanupBound    = 2 * time.Minute
)

// world is a namespace with the guide's workload, for one test.
type world struct {
	*testing.T
	namespace string
	ofCluster bool // the release has objects that belong to the cluster
}

// newWorld makes a namespace. When the test ends everything in it goes.
func newWorld(t *testing.T, namespace string) *world {
	t.Helper()
	w := &world{T: t, namespace: namespace}
	// That of a run before may be on its way out.
	w.until("namespace "+namespace, patience, func() error {
		return the.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	})
	noteEnding(namespace)
	t.Cleanup(w.close)
	return w
}

// close tells what was there, where the test has failed, and deletes the
// namespace with all that is in it, the Canary and its daemon at once. TestMain
// sees that it goes.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Context()), cleanupBound)
	defer cancel()
	if w.Failed() {
		for _, what := range [][]string{
			{"get", "canaries,ksvc,revisions,pods", "-o", "wide"}, {"describe", "canaries"},
			{"get", "events", "--sort-by=.lastTimestamp"}, {"logs", "deploy/serin", "--tail=60"}, {"describe", "namespace", w.namespace},
		} {
			out, err := w.command(ctx, "kubectl", what...).CombinedOutput()
			w.Logf("kubectl %s: %v\n%s", strings.Join(what, " "), err, out)
		}
	}
	if w.ofCluster {
		if out, err := w.command(ctx, the.helm, "uninstall", "serin", "--ignore-not-found").CombinedOutput(); err != nil {
			w.Errorf("helm uninstall: %v\n%s", err, out)
		}
	}
	err := the.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	if client.IgnoreNotFound(err) != nil {
		w.Errorf("delete namespace %s: %v", w.namespace, err)
	}
}

// command is a program that works in the world's namespace.
func (w *world) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append([]string{"--namespace=" + w.namespace}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+the.kubeconfig)
	cmd.Dir = the.root
	return cmd
}

// run runs a program that has to succeed, and returns what it printed.
func (w *world) run(program string, args ...string) string {
	w.Helper()
	out, err := w.command(w.Context(), program, args...).CombinedOutput()
	if err != nil {
		w.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (w *world) kubectl(args ...string) string {
	w.Helper()
	return w.run("kubectl", args...)
}

// withPolicy has the API server refuse others who change the traffic.
const withPolicy = "trafficPolicy.enabled=true"

// install installs the chart for this namespace, or upgrades it.
func (w *world) install(values ...string) {
	w.Helper()
	args := []string{"upgrade", "--install", "serin", "./chart", "--wait", "--timeout=2m"}
	if repository, tag, ok := cutTag(the.image); ok {
		values = append(values, "image.repository="+repository, "image.tag="+tag)
	}
	for _, v := range values {
		args = append(args, "--set="+v)
		w.ofCluster = w.ofCluster || v == "scope=cluster" || v == withPolicy
	}
	w.run(the.helm, args...)
}

func cutTag(image string) (repository, tag string, ok bool) {
	i := strings.LastIndex(image, ":")
	if i < 0 {
		return "", "", false
	}
	return image[:i], image[i+1:], true
}

// apply applies a file of examples/podinfo, with the namespace of this world
// and further words replaced.
func (w *world) apply(name string, oldnew ...string) {
	w.Helper()
	content, err := os.ReadFile(filepath.Join(the.root, "examples", "podinfo", name))
	if err != nil {
		w.Fatal(err)
	}
	text := strings.NewReplacer(append([]string{"namespace: test", "namespace: " + w.namespace, "podinfo.test", "podinfo." + w.namespace, "loadtester.test", "loadtester." + w.namespace}, oldnew...)...).Replace(string(content))
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(content), oldnew[i]) {
			w.Fatalf("%s has no %q to replace", name, oldnew[i])
		}
	}
	cmd := w.command(w.Context(), "kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("kubectl apply %s: %v\n%s", name, err, out)
	}
}

// quick are replacements for a Canary that need not take the guide's minutes.
var quick = []string{"interval: 15s", "interval: 5s", "threshold: 15", "threshold: 3", "stepWeight: 10", "stepWeight: 25"}

// initialize applies the guide's Service and its Canary, and waits until Serin
// has taken over.
func (w *world) initialize(oldnew ...string) {
	w.Helper()
	w.apply("service.yaml")
	w.apply("canary.yaml", oldnew...)
	w.await(v1beta1.PhaseInitialized, patience)
}

// push is a new revision: another tag of podinfo's image.
func (w *world) push(tag string) {
	w.Helper()
	w.kubectl("patch", "services.serving.knative.dev", "podinfo", "--type=json",
		`-p=[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "ghcr.io/stefanprodan/podinfo:`+tag+`"}]`)
}

// canary reads the Canary.
func (w *world) canary() *v1beta1.Canary {
	w.Helper()
	c := new(v1beta1.Canary)
	if err := w.read("podinfo", c); err != nil {
		w.Fatalf("read the Canary: %v", err)
	}
	return c
}

// read reads an object. That the API server does not answer for a moment is
// its business.
func (w *world) read(name string, object client.Object) error {
	var err error
	for range 5 {
		err = the.client.Get(w.Context(), types.NamespacedName{Namespace: w.namespace, Name: name}, object)
		if err == nil || apierrors.IsNotFound(err) || w.Context().Err() != nil {
			break
		}
	}
	return err
}

// until polls until wrong returns nil.
func (w *world) until(what string, bound time.Duration, wrong func() error) {
	w.Helper()
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	timeout := time.After(bound)
	for {
		err := wrong()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			w.Fatalf("%s: not so after %s: %v", what, bound, err)
		}
	}
}

// await waits for a phase of the Canary.
func (w *world) await(phase v1beta1.Phase, bound time.Duration) {
	w.Helper()
	w.until("phase "+string(phase), bound, func() error {
		if c := w.canary(); c.Status.Phase != phase {
			return fmt.Errorf("phase %s, weight %d", c.Status.Phase, c.Status.CanaryWeight)
		}
		return nil
	})
}

// awaitWeight waits until the new revision has some of the live traffic, in
// mid-rollout.
func (w *world) awaitWeight(least int32) {
	w.Helper()
	w.until(fmt.Sprintf("weight %d", least), patience, func() error {
		c := w.canary()
		if c.Status.Phase != v1beta1.PhaseProgressing || c.Status.CanaryWeight < least {
			return fmt.Errorf("phase %s, weight %d", c.Status.Phase, c.Status.CanaryWeight)
		}
		return nil
	})
}

// awaitPromoted waits for the end of a rollout after the nth revision was
// pushed, and that it has all traffic.
func (w *world) awaitPromoted(nth int) {
	w.Helper()
	w.awaitEnd(v1beta1.PhaseSucceeded, nth)
	w.serves(nth)
}

// awaitEnd waits until the rollout of the nth revision is over.
func (w *world) awaitEnd(phase v1beta1.Phase, nth int) {
	w.Helper()
	w.until(fmt.Sprintf("%s is %s", revision(nth), phase), rolloutPatience, func() error {
		c, s := w.canary(), new(servingv1.Service)
		if err := w.read("podinfo", s); err != nil {
			return err
		}
		if s.Status.LatestCreatedRevisionName != revision(nth) || c.Status.Phase != phase {
			return fmt.Errorf("%s is the latest, phase %s, weight %d", s.Status.LatestCreatedRevisionName, c.Status.Phase, c.Status.CanaryWeight)
		}
		return nil
	})
}

// serves waits until the nth revision has all of the live traffic, in Knative's
// own words.
func (w *world) serves(nth int) {
	w.Helper()
	w.until(revision(nth)+" serves", patience, func() error {
		route := new(servingv1.Route)
		if err := w.read("podinfo", route); err != nil {
			return err
		}
		for _, target := range route.Status.Traffic {
			if target.Percent != nil && *target.Percent == 100 && target.RevisionName == revision(nth) {
				return nil
			}
		}
		return fmt.Errorf("traffic is %+v", route.Status.Traffic)
	})
}

func revision(nth int) string { return fmt.Sprintf("podinfo-%05d", nth) }

// event waits for an event of the Canary with some words.
func (w *world) event(words string) {
	w.Helper()
	w.until("an event with "+words, patience, func() error {
		var all corev1.EventList
		if err := the.client.List(w.Context(), &all, client.InNamespace(w.namespace)); err != nil {
			return err
		}
		for i := range all.Items {
			if all.Items[i].InvolvedObject.Kind == "Canary" && strings.Contains(all.Items[i].Message, words) {
				return nil
			}
		}
		return errors.New("there is none yet")
	})
}

package cli

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// ofIstio and ofADeployment make a Canary somebody else's.
func ofIstio(c *v1beta1.Canary) { c.Name, c.Spec.Provider = "mesh", "istio" }

func ofADeployment(c *v1beta1.Canary) {
	c.Name, c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "deployment", "apps/v1", "Deployment"
}

func TestCanariesOfSomebodyElseAreNotListed(t *testing.T) {
	w := newWorld(t, podinfo(), podinfo(ofIstio), podinfo(ofADeployment))
	for _, o := range []StatusOptions{{}, {AllNamespaces: true}, {Output: "wide"}, {Output: "json"}, {Output: "yaml"}} {
		var out strings.Builder
		if err := Status(t.Context(), w.Cluster, Screen{Out: &out}, o); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, "podinfo") || strings.Contains(text, "mesh") || strings.Contains(text, "deployment") {
			t.Errorf("%+v: %s", o, text)
		}
	}
	if names, err := w.Names(t.Context()); err != nil || !slices.Equal(names, []string{"podinfo"}) {
		t.Errorf("names %q, %v", names, err)
	}
	var out strings.Builder
	none := newWorld(t, podinfo(ofIstio))
	if err := Status(t.Context(), none.Cluster, Screen{Out: &out}, StatusOptions{}); err != nil || !strings.Contains(out.String(), "There are no canaries") {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestCanariesOfSomebodyElseAreNotFollowed(t *testing.T) {
	w, out := newWorld(t, podinfo(), podinfo(ofIstio)), new(paper)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Status(ctx, w.Cluster, Screen{Out: out}, StatusOptions{Watch: true}) }()
	<-w.watching
	mesh := podinfo()
	mesh.Name, mesh.Spec.Provider = "late", "linkerd"
	if err := w.Client.Create(t.Context(), mesh); err != nil {
		t.Error(err)
	}
	w.change(t, at(v1beta1.PhaseSucceeded, ""))
	for tries := 0; !strings.Contains(out.String(), "Succeeded"); tries++ {
		if tries == 5000 {
			t.Fatalf("podinfo is not followed: %q", out.String())
		}
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil || strings.Contains(out.String(), "mesh") || strings.Contains(out.String(), "late") {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestCommandsSayWhoseACanaryIs(t *testing.T) {
	var out paper
	commands := map[string]func(c *Cluster, name string) error{
		"status": func(c *Cluster, name string) error {
			return Status(t.Context(), c, Screen{Out: &out}, StatusOptions{Name: name})
		},
		"status -o json": func(c *Cluster, name string) error {
			return Status(t.Context(), c, Screen{Out: &out}, StatusOptions{Name: name, Output: "json"})
		},
		"status -w": func(c *Cluster, name string) error {
			return Status(t.Context(), c, Screen{Out: &out}, StatusOptions{Name: name, Watch: true})
		},
		"promote": func(c *Cluster, name string) error {
			return Do(t.Context(), c, Promote, name, Wait{time.Minute}, &out)
		},
		"pause": func(c *Cluster, name string) error {
			return SetPaused(t.Context(), c, name, true, Wait{time.Minute}, &out)
		},
		"gate": func(c *Cluster, name string) error { return SetGates(t.Context(), c, name, gates, true, &out) },
		"drill": func(c *Cluster, name string) error {
			d := theDrill()
			d.Name = name
			return d.Run(t.Context(), c, nil, &out)
		},
	}
	for command, run := range commands {
		w := newWorld(t, podinfo(ofIstio), podinfo(ofADeployment))
		for name, want := range map[string]string{
			"mesh":       `canary test/mesh is not Serin's: its provider is "istio"`,
			"deployment": `canary test/deployment is not Serin's: its target is "apps/v1 Deployment", and not a Knative Service, "serving.knative.dev/v1 Service"`,
		} {
			if err := run(w.Cluster, name); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s: %v, want %q", command, err, want)
			}
		}
		if w.patch != "" || out.String() != "" {
			t.Errorf("%s: patch %q, output %q", command, w.patch, out.String())
		}
	}
}

// giveAway makes podinfo somebody else's while somebody looks at it.
func giveAway(t *testing.T, w *world) {
	t.Helper()
	c := w.read(t)
	c.Spec.Provider = "istio"
	if err := w.Client.Update(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestCanaryThatIsGivenAwayIsNotWaitedFor(t *testing.T) {
	const want = `canary test/podinfo is not Serin's: its provider is "istio"`
	t.Run("by status", func(t *testing.T) {
		w, out := newWorld(t, podinfo()), new(paper)
		ended := make(chan error, 1)
		go func() {
			ended <- Status(t.Context(), w.Cluster, Screen{Out: out}, StatusOptions{Name: "podinfo", Watch: true})
		}()
		<-w.watching
		giveAway(t, w)
		if err := <-ended; err == nil || err.Error() != want {
			t.Errorf("%v, %q", err, out.String())
		}
	})
	t.Run("by a command", func(t *testing.T) {
		w := newWorld(t, podinfo())
		ended := make(chan error, 1)
		go func() { ended <- Do(t.Context(), w.Cluster, Promote, "podinfo", Wait{time.Minute}, new(paper)) }()
		<-w.watching
		giveAway(t, w)
		if err := <-ended; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by a drill", func(t *testing.T) {
		w, out := newWorld(t, podinfo()), new(paper)
		err := hold(t.Context(), t, w, newDaemonServer(t), theDrill(), out, func() { giveAway(t, w) })
		if err == nil || !strings.Contains(err.Error()+out.String(), want) {
			t.Errorf("%v, %q", err, out.String())
		}
	})
}
